//! Makes reports from the snapshot, the stored posts and a Prometheus, whose answers are cached.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use moka::future::Cache;
use tiktok_api::{Hashtag, Post, Region};
use units::Timestamp;

use super::{BadQuestion, Evidence, Question, Report, compose};
use crate::config::PrometheusConfig;
use crate::prometheus::{Client, QueryError};
use crate::state::Snapshot;
use crate::store::StoreError;

/// How long an answer of Prometheus is cached, an error included: however many clients read the brief, only one
/// waits for a Prometheus that hangs.
const KEPT_FOR: Duration = Duration::from_secs(15);
/// The number of cached answers, one per `since`.
const KEPT: u64 = 16;

type Asked = Arc<Result<Evidence, QueryError>>;

/// The best posts of a hashtag's last sample in a region. Blocks.
pub type BestPosts = Arc<dyn Fn(&Hashtag, Region) -> Result<Vec<Post>, StoreError> + Send + Sync>;

/// Makes reports. Cheap to clone.
#[derive(Clone)]
pub struct BriefService {
    prometheus: Arc<RwLock<Source>>,
    posts: BestPosts,
}

/// The Prometheus of one configuration, and its cached answers.
#[derive(Debug, Clone)]
struct Source {
    client: Option<Client>,
    answers: Cache<Option<Duration>, Asked>,
}

impl Source {
    fn new(config: &PrometheusConfig) -> Result<Self, reqwest::Error> {
        let client = config.url.clone().map(|url| Client::new(url, config.timeout)).transpose()?;
        let answers = Cache::builder().max_capacity(KEPT).time_to_live(KEPT_FOR).build();
        Ok(Self { client, answers })
    }

    async fn ask(&self, since: Option<Duration>) -> Option<Asked> {
        let client = self.client.as_ref()?;
        let asking = async {
            let evidence = Evidence::fetch(client, since).await;
            if let Err(error) = &evidence {
                tracing::warn!(%error, "prometheus.url: no evidence; the brief ranks by samples");
            }
            Arc::new(evidence)
        };
        Some(self.answers.get_with(since, asking).await)
    }
}

impl BriefService {
    /// A service that uses this Prometheus, if there is one, and `posts`. Sends nothing yet.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be set up.
    pub fn new(config: &PrometheusConfig, posts: BestPosts) -> Result<Self, reqwest::Error> {
        Ok(Self { prometheus: Arc::new(RwLock::new(Source::new(config)?)), posts })
    }

    /// Replaces the Prometheus.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be set up. Then the old one stays.
    pub fn configure(&self, config: &PrometheusConfig) -> Result<(), reqwest::Error> {
        let source = Source::new(config)?;
        *self.prometheus.write().unwrap_or_else(PoisonError::into_inner) = source;
        Ok(())
    }

    /// The report for `question`.
    ///
    /// # Errors
    ///
    /// If a filter is not on the watchlist.
    pub async fn report(
        &self,
        question: Question,
        snapshot: Arc<Snapshot>,
        simulated: bool,
        now: Timestamp,
    ) -> Result<Report, BadQuestion> {
        question.check(&snapshot)?;
        let source = self.prometheus.read().unwrap_or_else(PoisonError::into_inner).clone();
        let asked = source.ask(question.since).await;
        let posts = self.posts.clone();
        // It takes a while for a long watchlist.
        let composing = tokio::task::spawn_blocking(move || {
            let posts = |hashtag: &Hashtag, region| {
                posts(hashtag, region).unwrap_or_else(|error| {
                    tracing::error!(%error, %hashtag, "the brief is without posts: they cannot be read");
                    Vec::new()
                })
            };
            compose(&question, &snapshot, asked.as_deref().map(Result::as_ref), posts, simulated, now)
        });
        match composing.await {
            Ok(report) => Ok(report),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
