//! Recent answers, so that none is paid for twice.

use std::sync::Arc;
use std::time::Duration;

use moka::future::Cache;
use tiktok_api::{Answer, Operation, Query};
use units::Timestamp;

use super::Failure;

/// Most memory the answers may take, about.
const CAPACITY_BYTES: u64 = 4 << 20;

/// Answers by query, for as long as their kind stays fresh. Callers that ask for the same thing at
/// the same time share one request.
#[derive(Clone)]
pub(super) struct AnswerCache(Cache<Query, Entry>);

#[derive(Clone)]
struct Entry {
    at: Timestamp,
    result: Arc<Result<Answer, Failure>>,
}

/// An answer and the moment it was given.
#[derive(Debug, Clone)]
pub struct Answered {
    /// When the answer came.
    pub at: Timestamp,
    /// The answer.
    pub answer: Answer,
    /// Whether it was remembered, or shared with another caller, and so cost nothing.
    pub cached: bool,
}

impl Default for AnswerCache {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(CAPACITY_BYTES)
            .weigher(|_, entry: &Entry| weight(&entry.result))
            // Only bounds the memory: how old an answer may be is the caller's decision, below.
            .time_to_live(Duration::from_secs(7 * 86_400))
            .build();
        Self(cache)
    }
}

impl AnswerCache {
    /// How long an answer of this kind may be taken for current by those who have no stricter
    /// wish: counters move within minutes, searches within hours, the list of regions hardly ever.
    fn time_to_live(operation: Operation) -> Duration {
        Duration::from_secs(match operation {
            Operation::HashtagByName | Operation::HashtagById | Operation::Posts => 10 * 60,
            Operation::SearchHashtags | Operation::SearchPosts => 60 * 60,
            Operation::Regions => 7 * 24 * 60 * 60,
        })
    }

    /// Whether an answer to `query` that was given at `at` would be of use to anybody at `now`.
    pub(super) fn is_fresh(query: &Query, at: Timestamp, now: Timestamp) -> bool {
        !is_old(at, Self::time_to_live(query.operation()), now)
    }

    /// Remembers an answer that was given at `at`, unless a younger one is remembered.
    pub(super) async fn put_younger(&self, query: &Query, at: Timestamp, answer: Answer) {
        let known = self.0.get(query).await.filter(|entry| entry.result.is_ok());
        if known.is_none_or(|entry| entry.at < at) {
            self.0.insert(query.clone(), Entry { at, result: Arc::new(Ok(answer)) }).await;
        }
    }

    /// The answer to `query` that is remembered, if it is not older than `max_age` at `now`.
    pub(super) async fn peek(&self, query: &Query, max_age: Duration, now: Timestamp) -> Option<Answer> {
        let entry = self.0.get(query).await?;
        let max_age = max_age.min(Self::time_to_live(query.operation()));
        let answer = entry.result.as_ref().as_ref().ok()?;
        (!is_old(entry.at, max_age, now)).then(|| answer.clone())
    }

    /// The answer to `query`, not older than `max_age` at `now`: a remembered one, one that is
    /// being fetched for another caller, or the one that `fetch` brings. Failures are shared
    /// with those who wait for them and not remembered.
    pub(super) async fn get_or_fetch<F>(
        &self,
        query: &Query,
        max_age: Duration,
        now: Timestamp,
        fetch: F,
    ) -> Result<Answered, Failure>
    where
        F: Future<Output = (Timestamp, Result<Answer, Failure>)>,
    {
        let max_age = max_age.min(Self::time_to_live(query.operation()));
        let load = async {
            let (at, result) = fetch.await;
            Entry { at, result: Arc::new(result) }
        };
        let stale = |entry: &Entry| entry.result.is_err() || is_old(entry.at, max_age, now);
        let found = self.0.entry_by_ref(query).or_insert_with_if(load, stale).await;
        let cached = !found.is_fresh();
        let entry = found.into_value();
        match entry.result.as_ref() {
            Ok(answer) => Ok(Answered { at: entry.at, answer: answer.clone(), cached }),
            Err(error) => Err(error.clone()),
        }
    }
}

/// Whether an answer of `at` is older than `max_age`, or its age is unknown.
fn is_old(at: Timestamp, max_age: Duration, now: Timestamp) -> bool {
    at.age(now).is_none_or(|age| age > max_age)
}

/// Bytes an entry takes, roughly.
fn weight(result: &Result<Answer, Failure>) -> u32 {
    let bytes = match result {
        Ok(Answer::Posts(page)) => page.items.iter().map(|post| 300 + length(&post.title)).sum(),
        Ok(Answer::Hashtags(page)) => page.items.iter().map(|record| 150 + length(&record.description)).sum(),
        Ok(Answer::Regions(regions)) => 2 * regions.len(),
        Ok(Answer::Hashtag(_)) | Err(_) => 0,
    };
    u32::try_from(450 + bytes).unwrap_or(u32::MAX)
}

fn length(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::len)
}
