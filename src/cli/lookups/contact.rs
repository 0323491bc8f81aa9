//! Who answers: the exporter that holds the store, or this command itself.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use tiktok_api::Hashtag;
use tiktok_api::fake::{self, Settings, Simulator};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use units::{Clock, Problems, SharedClock, SystemClock};

use super::args::Common;
use super::progress::Progress;
use super::{Replies, Stop};
use crate::adhoc::socket::{CallError, Caller};
use crate::adhoc::{Desk, Finding, Question, Quote, Road};
use crate::app;
use crate::cli::EXIT_CONFIG;
use crate::config::{self, ApiKey, Config, KeySource, PrometheusConfig};
use crate::credits::Ledger;
use crate::gateway::refresh::Resolved;
use crate::gateway::{self, Bill};
use crate::prometheus;
use crate::state::{ApiState, HashtagState};
use crate::store::{Store, StoreError};
use crate::telemetry::Telemetry;

/// Without a file of this name, and without one named, the defaults hold.
const CONFIG_FILE: &str = "tiktok-exporter.toml";
/// An exporter that has just started holds its store a moment before it listens.
const START_UP: Duration = Duration::from_secs(10);
/// Questions that are asked at the same time.
const AT_ONCE: usize = 8;

/// Whoever answers.
pub(super) struct Contact {
    answers: Answers,
    prometheus: PrometheusConfig,
    _stop_at_end: tokio_util::sync::DropGuard,
}

#[derive(Clone)]
enum Answers {
    /// The exporter that holds the store.
    Running(Caller),
    /// This command, which holds the store.
    Own(Arc<Desk>),
}

impl Contact {
    /// Finds somebody who answers.
    pub(super) async fn make(common: &Common) -> Result<Self, Stop> {
        let stopping = CancellationToken::new();
        let config = if common.demo { demo(&stopping).await? } else { load(common.config_file.as_deref())? };
        let prometheus = config.prometheus.clone();
        let answers = if common.demo {
            let store = Store::in_memory().map_err(|error| unusable(&error))?;
            let key = Some(ApiKey {
                secret: SecretString::from("demo"),
                source: KeySource::Environment(config.api.provider().key_variable),
                warnings: Vec::new(),
            });
            Answers::Own(Arc::new(desk(&config, store, key, &stopping).await?))
        } else {
            find(&config, &stopping).await?
        };
        Ok(Self { answers, prometheus, _stop_at_end: stopping.drop_guard() })
    }

    /// What the answer to `question` would cost.
    pub(super) async fn quote(&self, question: &Question, max_age: Duration) -> Result<Quote, Stop> {
        match &self.answers {
            Answers::Own(desk) => Ok(desk.quote(question, max_age).await),
            Answers::Running(caller) => caller.quote(question, max_age).await.map_err(Stop::from),
        }
    }

    /// The replies to all questions, in their order. `progress` tells how far it is.
    pub(super) async fn ask_all(
        &self,
        questions: Vec<Question>,
        max_age: Duration,
        progress: Progress,
    ) -> (Replies, Result<(), Stop>) {
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut asking = JoinSet::new();
        for (index, question) in questions.into_iter().enumerate() {
            let (answers, places, progress) = (self.answers.clone(), places.clone(), progress.clone());
            asking.spawn(async move {
                let _place = places.acquire_owned().await;
                let reply = match answers {
                    Answers::Own(desk) => {
                        let (bill, answer) = desk.answer(question, max_age);
                        progress.follow(bill);
                        Ok(answer.await)
                    }
                    Answers::Running(caller) => {
                        let bill = Arc::new(Bill::default());
                        progress.follow(bill.clone());
                        caller.ask(&question, max_age, &bill).await
                    }
                };
                (index, reply)
            });
        }
        let mut replies = Vec::new();
        let mut broken = Ok(());
        while let Some(ended) = asking.join_next().await {
            match ended {
                Ok((index, Ok(reply))) => replies.push((index, reply)),
                Ok((_, Err(error))) => broken = Err(Stop::from(error)),
                Err(error) => broken = Err(Stop::new(1, format!("{error}; please report this"))),
            }
        }
        replies.sort_by_key(|(index, _)| *index);
        (replies.into_iter().map(|(_, reply)| reply).collect(), broken)
    }

    /// Adds what only a Prometheus knows.
    pub(super) async fn completed(&self, finding: Finding) -> Finding {
        let Finding::Sample(mut sample) = finding else { return finding };
        match self.counter_velocity(&sample.hashtag).await {
            Ok(velocity) => sample.counter_velocity = Some(velocity),
            Err(why) => sample.notes.push(format!("no velocity from the growth of the total: {why}")),
        }
        Finding::Sample(sample)
    }

    /// The last day's gain of posts over that of a mean day of the week, as the rules record it.
    async fn counter_velocity(&self, hashtag: &str) -> Result<f64, String> {
        let Some(url) = self.prometheus.url.clone() else {
            return Err("prometheus.url is not set".to_owned());
        };
        let client =
            prometheus::Client::new(url, self.prometheus.timeout).map_err(|error| error.to_string())?;
        // Quoted as PromQL quotes, which reads what JSON writes.
        let name = serde_json::Value::from(hashtag);
        let query = format!("hashtag:tiktok_hashtag_posts:velocity{{hashtag={name}}}");
        let samples = client.instant(&query).await.map_err(|error| error.to_string())?;
        let velocity = samples.first().map(|sample| sample.value).filter(|value| value.is_finite());
        velocity.ok_or_else(|| {
            format!("Prometheus has recorded none for #{hashtag} (it takes a week on the watchlist)")
        })
    }
}

impl From<CallError> for Stop {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Refused(refusal) => refusal.into(),
            CallError::Broken(_) => Self::new(1, error.to_string()),
        }
    }
}

fn load(path: Option<&Path>) -> Result<Config, Stop> {
    let environment = config::process_environment();
    let loaded = match path {
        Some(path) => config::load(path, environment),
        None if Path::new(CONFIG_FILE).exists() => config::load(Path::new(CONFIG_FILE), environment),
        None => config::defaults(environment),
    };
    let checked = loaded.and_then(|loaded| {
        config::check_dates(&loaded.config.budget, SystemClock.now())?;
        Ok(loaded.config)
    });
    checked.map_err(wrong)
}

fn wrong(problems: Problems) -> Stop {
    Stop::new(EXIT_CONFIG, problems.to_string())
}

fn unusable(error: &StoreError) -> Stop {
    Stop::new(1, format!("store.path: {error}"))
}

/// The exporter that holds the store, or else the store itself.
async fn find(config: &Config, stopping: &CancellationToken) -> Result<Answers, Stop> {
    let path = &config.store.path;
    let mut refused_since = None;
    loop {
        if let Some(caller) = Caller::find(path, Some(config.api.base_url.clone())).await {
            return Ok(Answers::Running(caller));
        }
        let (wanted, key) = (path.clone(), key(config)?);
        let opened = tokio::task::spawn_blocking(move || Store::open_in_passing(&wanted)).await;
        match opened.map_err(|error| Stop::new(1, error.to_string()))? {
            Ok(store) => return Ok(Answers::Own(Arc::new(desk(config, store, key, stopping).await?))),
            Err(StoreError::InUse { .. })
                if refused_since.get_or_insert_with(Instant::now).elapsed() < START_UP =>
            {
                sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(unusable(&error)),
        }
    }
}

fn key(config: &Config) -> Result<Option<ApiKey>, Stop> {
    config::api_key(&config.api, config::key_variable(&config.api))
        .map_err(|problem| Stop::new(EXIT_CONFIG, problem.to_string()))
}

/// A desk over a store of one's own.
async fn desk(
    config: &Config,
    store: Store,
    key: Option<ApiKey>,
    stopping: &CancellationToken,
) -> Result<Desk, Stop> {
    let key = key.ok_or_else(|| {
        let advice = "set this variable, or api.key_file; without a key, try --demo";
        Stop::new(
            EXIT_CONFIG,
            format!("{}: there is no API key ({advice})", config.api.provider().key_variable),
        )
    })?;
    let clock: SharedClock = Arc::new(SystemClock);
    let store = Arc::new(store);
    let simulated = store.holds_simulated().map_err(|error| unusable(&error))?;
    if simulated && config.api.is_vendor() {
        return Err(Stop::new(1, app::StartError::Simulated.to_string()));
    }
    let ledger = Ledger::open(store.clone(), config.budget, clock.now()).map_err(|error| unusable(&error))?;
    let ledger = Arc::new(ledger);
    let failed = |error: &dyn std::fmt::Display| Stop::new(1, error.to_string());
    let telemetry = Arc::new(Telemetry::new().map_err(|error| failed(&error))?);
    let api = ApiState::default();
    if simulated {
        api.set_simulated();
    }
    let parts = gateway::Parts {
        ledger: ledger.clone(),
        clock: clock.clone(),
        telemetry,
        api: api.clone(),
        stopping: stopping.clone(),
    };
    let gateway = app::gateway(&config.api, &key, &store, parts).map_err(|error| failed(&error))?;
    gateway.take_over(None);
    let known = Box::new(move |hashtag: &Hashtag| {
        let mut known = [HashtagState::unknown(hashtag.clone(), "".into(), Duration::ZERO)];
        // Without the store the id is asked for.
        store.recall(&mut known).ok()?;
        let [known] = known;
        let resolved = Resolved { id: known.id.clone()?, at: known.resolved_at? };
        (known.found != Some(false)).then_some(resolved)
    });
    let road = Road { gateway, api: config.api.base_url.clone(), page_size: config.posts.page_size };
    Ok(Desk::new(road, ledger, api, known, clock))
}

/// The configuration for a simulated API, which answers until `stopping`.
async fn demo(stopping: &CancellationToken) -> Result<Config, Stop> {
    let failed = |error: std::io::Error| Stop::new(1, format!("the simulator cannot listen: {error}"));
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    let settings = Settings { rate_limit_per_minute: 3_000, ..Settings::default() };
    let simulator = Arc::new(Simulator::new(settings));
    tokio::spawn(fake::serve(listener, simulator, Arc::new(SystemClock), stopping.clone()));
    let overrides = [
        ("TIKTOK_EXPORTER__API__BASE_URL".to_owned(), format!("http://{address}")),
        ("TIKTOK_EXPORTER__API__RATE_LIMIT_PER_MINUTE".to_owned(), "3000".to_owned()),
    ];
    Ok(config::defaults(overrides).map_err(wrong)?.config)
}
