//! Where a brief comes from: a running exporter, or the store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tiktok_api::Hashtag;
use units::{Clock, Problems, SystemClock};
use url::Url;

use crate::app::{self, Startup};
use crate::brief::{BadQuestion, BriefService, Question, Report};
use crate::config::Config;
use crate::discovery::Trials;
use crate::http_client::{self, BodyError};
use crate::poller;
use crate::store::{StoreError, StoreReader};

/// The limit for a response: the exporter may wait a minute for its Prometheus.
const TIMEOUT: Duration = Duration::from_secs(75);
/// The limit for connecting.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The largest brief, in bytes.
const MAX_BODY_BYTES: usize = 4 << 20;

/// Where to get the brief.
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
    #[error("--url: no brief from the exporter at {url}: {why}")]
    Exporter { url: String, why: String },
    #[error(
        "no exporter answers at {url} ({why}), and there is no {} with the path of its store (use \
         --config.file or --url)",
        file.display()
    )]
    NoConfig { url: String, why: String, file: PathBuf },
    #[error("no exporter answers at {url} ({why}), and there is no brief from its store either: {source}")]
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
    let is_missing = may_be_missing && !file.exists();
    let source = match may_be_missing {
        true => app::Source::FileIfPresent(file.clone()),
        false => app::Source::File(file.clone()),
    };
    let config = Startup::load(&source, SystemClock.now())?.config;
    let shown = config.web.local_url();
    let asked = match Url::parse(&shown) {
        Ok(url) => ask_exporter(&url, &question).await,
        Err(error) => Err(Refusal::Other(error.to_string())),
    };
    match asked {
        Ok(report) => Ok((report, format!("from the exporter at {shown}"))),
        Err(Refusal::Question(why)) => Err(Failure::Question(why)),
        Err(Refusal::Other(why)) if is_missing => {
            Err(Failure::NoConfig { url: shown, why, file: file.clone() })
        }
        Err(Refusal::Other(why)) => match ask_store(&config, question).await {
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
    let broken = |error| Refusal::Other(http_client::reason(error));
    let mut url = base.clone();
    if !matches!(url.scheme(), "http" | "https") {
        return Err(other("the URL is neither http nor https".to_owned()));
    }
    url.set_path(&format!("{}/brief.json", base.path().trim_end_matches('/')));
    url.set_query(Some(&question.to_query()));
    let client = http_client::builder(base).timeout(TIMEOUT).connect_timeout(CONNECT_TIMEOUT).build();
    let response = client.map_err(broken)?.get(url).send().await.map_err(broken)?;
    let status = response.status();
    let body = http_client::body(response, MAX_BODY_BYTES).await.map_err(|error| match error {
        BodyError::TooLarge(_) => other(error.to_string()),
        BodyError::Broken(error) => broken(error),
    })?;
    if status == 400
        && let Ok(Complaint { error }) = serde_json::from_slice(&body)
    {
        return Err(Refusal::Question(error));
    }
    if !status.is_success() {
        return Err(other(format!("HTTP {}", status.as_u16())));
    }
    serde_json::from_slice(&body)
        .map_err(|_| other("the response is not that of a tiktok-exporter".to_owned()))
}

/// Makes the brief from what the store has about the watchlist and the trials.
async fn ask_store(config: &Config, question: Question) -> Result<Report, NotFromStore> {
    let store = StoreReader::open(&config.store.path)?;
    let discovered = store.recall_discovery()?;
    let simulated = store.holds_simulated()?;
    let now = SystemClock.now();
    let trials = Trials::from_parts(discovered.trials, discovered.resting, now);
    let watchlist = config.watchlist.with_trials(&trials, &config.following);
    let snapshot = poller::last_known(&watchlist, &store)?;
    let posts = Arc::new(move |hashtag: &Hashtag, region| store.best_posts(hashtag, region));
    let service = BriefService::new(&config.prometheus, posts).map_err(NotFromStore::Prometheus)?;
    Ok(service.report(question, snapshot.into(), simulated, now).await?)
}
