//! Where reports are asked for: holds the ways to Prometheus, where it asks no more than it must, and to
//! the posts.

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

/// An answer is as good as a new one for so long, a failure included: however many people look at the
/// brief, a Prometheus that hangs is waited for by one.
const KEPT_FOR: Duration = Duration::from_secs(15);
/// Different times that are looked back over at once.
const KEPT: u64 = 16;

type Asked = Arc<Result<Evidence, QueryError>>;

/// Tells the best posts of a hashtag's last sample in a region. Blocks.
pub type BestPosts = Arc<dyn Fn(&Hashtag, Region) -> Result<Vec<Post>, StoreError> + Send + Sync>;

/// Makes reports out of snapshots.
#[derive(Clone)]
pub struct BriefService {
    prometheus: Arc<RwLock<Source>>,
    posts: BestPosts,
}

/// The Prometheus of one configuration, and what it said.
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
    /// A service that asks this Prometheus, or none, and `posts`. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When the HTTP client cannot be set up.
    pub fn new(config: &PrometheusConfig, posts: BestPosts) -> Result<Self, reqwest::Error> {
        Ok(Self { prometheus: Arc::new(RwLock::new(Source::new(config)?)), posts })
    }

    /// Asks another one from now on.
    ///
    /// # Errors
    ///
    /// When the HTTP client cannot be set up; the old one stays then.
    pub fn configure(&self, config: &PrometheusConfig) -> Result<(), reqwest::Error> {
        let source = Source::new(config)?;
        *self.prometheus.write().unwrap_or_else(PoisonError::into_inner) = source;
        Ok(())
    }

    /// The report that answers `question`.
    ///
    /// # Errors
    ///
    /// When what is asked for is not watched.
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
        // Of a long watchlist it takes a while.
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
