//! Chooses who answers: the exporter that holds the store, or this command itself.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tiktok_api::fake::Settings;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::{CancellationToken, DropGuard};
use units::{Clock, SystemClock};

use super::args::Common;
use super::progress::Progress;
use super::{Replies, Stop};
use crate::app::{self, Ids, Source, StartError, Startup};
use crate::cli::{DEFAULT_CONFIG, exit_code, simulate};
use crate::config::PrometheusConfig;
use crate::gateway::RequestProgress;
use crate::lookups::{Finding, LookupClient, LookupError, LookupService, Question, Quote};
use crate::prometheus;
use crate::store::{Store, StoreError};

/// An exporter that starts holds its store a moment before it listens.
const START_UP: Duration = Duration::from_secs(10);

/// How many questions are asked at the same time.
const CONCURRENCY: usize = 8;

/// The connection to what answers.
pub(super) struct Connection {
    backend: Backend,
    prometheus: PrometheusConfig,
    _stop_at_end: DropGuard,
}

#[derive(Clone)]
enum Backend {
    /// The exporter that holds the store.
    Exporter(LookupClient),
    /// This command, which holds the store.
    Own(Arc<LookupService>),
}

impl Connection {
    /// Connects to the exporter that holds the store, or holds the store itself.
    pub(super) async fn open(common: &Common) -> Result<Self, Stop> {
        let stopping = CancellationToken::new();
        let source = match (&common.config_file, common.demo) {
            (_, true) => simulated(&stopping).await?,
            (Some(path), false) => Source::File(path.clone()),
            (None, false) => Source::FileIfPresent(Path::new(DEFAULT_CONFIG).to_owned()),
        };
        let startup = Startup::load(&source, SystemClock.now()).map_err(StartError::from)?;
        let prometheus = startup.config.prometheus.clone();
        let backend = if common.demo {
            Backend::Own(service(&startup, Store::in_memory().map_err(StartError::from)?, &stopping)?)
        } else {
            find(&startup, &stopping).await?
        };
        Ok(Self { backend, prometheus, _stop_at_end: stopping.drop_guard() })
    }

    /// The cost of the answer to `question`.
    pub(super) async fn quote(&self, question: &Question, max_age: Duration) -> Result<Quote, Stop> {
        match &self.backend {
            Backend::Own(service) => Ok(service.quote(question, max_age).await),
            Backend::Exporter(client) => client.quote(question, max_age).await.map_err(Stop::from),
        }
    }

    /// The replies to all questions, in their order. Updates `progress`.
    pub(super) async fn ask_all(
        &self,
        questions: Vec<Question>,
        max_age: Duration,
        progress: Progress,
    ) -> (Replies, Result<(), Stop>) {
        let permits = Arc::new(Semaphore::new(CONCURRENCY));
        let mut asking = JoinSet::new();
        for (index, question) in questions.into_iter().enumerate() {
            let (backend, permits, progress) = (self.backend.clone(), permits.clone(), progress.clone());
            asking.spawn(async move {
                let _permit = permits.acquire_owned().await;
                let reply = match backend {
                    Backend::Own(service) => {
                        let (own, answer) = service.answer(question, max_age);
                        progress.follow(own);
                        Ok(answer.await)
                    }
                    Backend::Exporter(client) => {
                        let own = Arc::new(RequestProgress::default());
                        progress.follow(own.clone());
                        client.answer(&question, max_age, &own).await
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

    /// Adds the velocity that only Prometheus has.
    pub(super) async fn completed(&self, finding: Finding) -> Finding {
        let Finding::Sample(mut sample) = finding else { return finding };
        match self.counter_velocity(&sample.hashtag).await {
            Ok(velocity) => sample.counter_velocity = Some(velocity),
            Err(why) => sample.notes.push(format!("no velocity from the growth of the total: {why}")),
        }
        Finding::Sample(sample)
    }

    /// The counter velocity as the rules record it: the posts gained in the last day over those of a mean day of
    /// the week.
    async fn counter_velocity(&self, hashtag: &str) -> Result<f64, String> {
        let Some(url) = self.prometheus.url.clone() else {
            return Err("prometheus.url is not set".to_owned());
        };
        let client =
            prometheus::Client::new(url, self.prometheus.timeout).map_err(|error| error.to_string())?;
        // A JSON string is a PromQL string.
        let name = serde_json::Value::from(hashtag);
        let query = format!("hashtag:tiktok_hashtag_posts:velocity{{hashtag={name}}}");
        let samples = client.instant(&query).await.map_err(|error| error.to_string())?;
        let velocity = samples.first().map(|sample| sample.value).filter(|value| value.is_finite());
        velocity.ok_or_else(|| {
            format!("Prometheus has recorded none for #{hashtag} (it takes a week on the watchlist)")
        })
    }
}

impl From<LookupError> for Stop {
    fn from(error: LookupError) -> Self {
        match error {
            LookupError::Refused(refusal) => refusal.into(),
            LookupError::Broken(_) => Self::new(1, error.to_string()),
        }
    }
}

impl From<StartError> for Stop {
    fn from(error: StartError) -> Self {
        Self::new(exit_code(&error), error.to_string())
    }
}

/// The exporter that holds the store, or this command with the store.
async fn find(startup: &Startup, stopping: &CancellationToken) -> Result<Backend, Stop> {
    let config = &startup.config;
    let mut in_use_since = None;
    loop {
        let base_url = config.api.base_url.clone();
        if let Some(client) = LookupClient::find(&config.store.path, Some(base_url)).await? {
            return Ok(Backend::Exporter(client));
        }
        let path = config.store.path.clone();
        let opened = tokio::task::spawn_blocking(move || Store::open_in_passing(&path)).await;
        match opened.map_err(|error| Stop::new(1, error.to_string()))? {
            Ok(store) => return Ok(Backend::Own(service(startup, store, stopping)?)),
            Err(StoreError::InUse { .. })
                if in_use_since.get_or_insert_with(Instant::now).elapsed() < START_UP =>
            {
                sleep(Duration::from_millis(100)).await;
            }
            Err(error) => return Err(StartError::from(error).into()),
        }
    }
}

/// A service of this command over `store`.
fn service(
    startup: &Startup,
    store: Store,
    stopping: &CancellationToken,
) -> Result<Arc<LookupService>, Stop> {
    let key = startup.require_key().map_err(StartError::from)?;
    let clock = Arc::new(SystemClock);
    let core = app::build(&startup.config, &key, store, Ids::Stored, clock, stopping.clone())?;
    core.gateway.take_over(None);
    Ok(core.lookups)
}

/// Starts a simulated API, which runs until `stopping`, and returns the configuration for it.
async fn simulated(stopping: &CancellationToken) -> Result<Source, Stop> {
    let settings = Settings { rate_limit_per_minute: 3_000, ..Settings::default() };
    let base_url = simulate::start(settings, stopping.clone()).await.map_err(|error| Stop::new(1, error))?;
    let rate_limit = ("TIKTOK_EXPORTER__API__RATE_LIMIT_PER_MINUTE".to_owned(), "3000".to_owned());
    Ok(Source::Embedded { toml: None, overrides: vec![base_url, rate_limit] })
}
