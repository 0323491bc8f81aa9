//! Where a brief comes from: a running exporter, or the store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tiktok_api::Hashtag;
use units::{Clock, Problems, SystemClock};
use url::Url;

use crate::brief::{BadQuestion, Desk, Question, Report};
use crate::config::{self, Config, WebConfig};
use crate::discovery::Trials;
use crate::poller;
use crate::store::{Beside, StoreError};

/// How long an exporter may take: it may wait a minute for its Prometheus.
const PATIENCE: Duration = Duration::from_secs(75);
/// How long the connection may take to stand.
const CONNECT: Duration = Duration::from_secs(5);
/// The largest brief that is read.
const MAX_BODY_BYTES: usize = 4 << 20;

/// Who is asked.
#[derive(Debug)]
pub(super) enum Source {
    /// The exporter at this address.
    Exporter(Url),
    /// The exporter of this configuration, or else its store.
    Configured {
        /// The configuration file.
        file: PathBuf,
        /// Whether the built-in address will do when there is no such file.
        may_be_missing: bool,
    },
}

/// Why there is no brief.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Config(#[from] Problems),
    #[error("--{0}")]
    Question(String),
    #[error("--url: the exporter at {url} gives no brief: {why}")]
    Exporter { url: String, why: String },
    #[error(
        "no exporter answers at {url} ({why}), and there is no {} that says where its store is (give \
         --config.file, or --url)",
        file.display()
    )]
    Nobody { url: String, why: String, file: PathBuf },
    #[error("no exporter answers at {url} ({why}), and its store gives no brief either: {source}")]
    Store { url: String, why: String, source: NotFromStore },
}

/// Why an exporter gives no brief.
enum Refusal {
    /// The question is wrong.
    Question(String),
    /// Anything else.
    Other(String),
}

/// Why the store gives no brief.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotFromStore {
    #[error("{0}")]
    Question(#[from] BadQuestion),
    #[error("store.path: {0}")]
    Store(#[from] StoreError),
    #[error("prometheus.url: cannot set up the HTTP client: {0}")]
    Prometheus(reqwest::Error),
}

/// The brief, and where it is from, in words.
pub(super) async fn ask(source: &Source, question: Question) -> Result<(Report, String), Failure> {
    let (file, may_be_missing) = match source {
        Source::Configured { file, may_be_missing } => (file, *may_be_missing),
        Source::Exporter(url) => {
            let shown = shown(url);
            return match ask_exporter(url, &question).await {
                Ok(report) => Ok((report, format!("from the exporter at {shown}"))),
                Err(Refusal::Question(why)) => Err(Failure::Question(why)),
                Err(Refusal::Other(why)) => Err(Failure::Exporter { url: shown, why }),
            };
        }
    };
    let config = match may_be_missing && !file.exists() {
        true => None,
        false => Some(config::load(file, config::process_environment())?.config),
    };
    let shown = match &config {
        Some(config) => config.web.local_url(),
        None => WebConfig::default().local_url(),
    };
    let asked = match Url::parse(&shown) {
        Ok(url) => ask_exporter(&url, &question).await,
        Err(error) => Err(Refusal::Other(error.to_string())),
    };
    match (asked, config) {
        (Ok(report), _) => Ok((report, format!("from the exporter at {shown}"))),
        (Err(Refusal::Question(why)), _) => Err(Failure::Question(why)),
        (Err(Refusal::Other(why)), None) => Err(Failure::Nobody { url: shown, why, file: file.clone() }),
        (Err(Refusal::Other(why)), Some(config)) => match ask_store(&config, question).await {
            Ok(report) => {
                let store = config.store.path.display();
                Ok((report, format!("from the store {store}: no exporter answers at {shown} ({why})")))
            }
            Err(NotFromStore::Question(why)) => Err(Failure::Question(why.to_string())),
            Err(source) => Err(Failure::Store { url: shown, why, source }),
        },
    }
}

/// The address without a password.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Fails for addresses that have no place for one.
    let _ = url.set_password(None);
    url.to_string()
}

#[derive(Deserialize)]
struct Complaint {
    error: String,
}

async fn ask_exporter(base: &Url, question: &Question) -> Result<Report, Refusal> {
    let other = |why: String| Refusal::Other(why);
    let mut url = base.clone();
    if !matches!(url.scheme(), "http" | "https") {
        return Err(other("the address is neither http nor https".to_owned()));
    }
    url.set_path(&format!("{}/brief.json", base.path().trim_end_matches('/')));
    url.set_query(Some(&question.to_query()));
    let client = client(base).map_err(|error| other(reason(error)))?;
    let mut response = client.get(url).send().await.map_err(|error| other(reason(error)))?;
    let status = response.status();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| other(reason(error)))? {
        if body.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(other(format!("the answer is larger than {MAX_BODY_BYTES} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    if status == 400
        && let Ok(Complaint { error }) = serde_json::from_slice(&body)
    {
        return Err(Refusal::Question(error));
    }
    if !status.is_success() {
        return Err(other(format!("HTTP {}", status.as_u16())));
    }
    serde_json::from_slice(&body).map_err(|_| other("what answers is no exporter of this kind".to_owned()))
}

fn client(base: &Url) -> Result<reqwest::Client, reqwest::Error> {
    // Fails when a provider is installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut builder = reqwest::Client::builder()
        .timeout(PATIENCE)
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none());
    if base.scheme() == "http" {
        // Plain HTTP needs no certificates: do not fail on a system that has none.
        builder = builder.tls_certs_only([]);
    }
    if crate::config::is_loopback(base) {
        builder = builder.no_proxy();
    }
    builder.build()
}

/// The reason at the bottom of the error's chain, without the address, which may hold a password.
fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Makes the brief out of what the store remembers of the watchlist, and of who is on trial.
async fn ask_store(config: &Config, question: Question) -> Result<Report, NotFromStore> {
    let beside = Beside::open(&config.store.path, false)?;
    let discovered = beside.recall_discovery()?;
    let simulated = beside.holds_simulated()?;
    let now = SystemClock.now();
    let trials = Trials::from_parts(discovered.trials, discovered.resting, now);
    let watchlist = config.watchlist.with_trials(&trials, &config.following);
    let snapshot = poller::last_known(&watchlist, &beside)?;
    let posts = Arc::new(move |hashtag: &Hashtag, region| beside.best_posts(hashtag, region));
    let desk = Desk::new(&config.prometheus, posts).map_err(NotFromStore::Prometheus)?;
    Ok(desk.report(question, snapshot.into(), simulated, now).await?)
}
