//! Answers on disk: a question that was paid for is not paid for again, even by another process.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tiktok_api::{self, Answer, Dialect, Query, RawAnswer};
use tiktok_api::{Flags, HashtagRecord, Totals};
use units::Timestamp;

use crate::state::HashtagState;
use crate::store::{Store, StoreError};

/// The answers in the store: responses to look-ups as received, those to the poller as parsed values.
pub(super) struct Kept {
    pub(super) store: Arc<Store>,
    /// The dialect of the answers.
    pub(super) dialect: Dialect,
}

impl Kept {
    /// The answer to `query`, and when it was given.
    pub(super) async fn recall(&self, query: &Query) -> Option<(Timestamp, Answer)> {
        let (store, key) = (self.store.clone(), self.dialect.answer_key(query));
        let (at, body) = logged(tokio::task::spawn_blocking(move || store.kept_answer(&key)).await)??;
        let raw =
            RawAnswer { status: 200, retry_after: None, location: None, simulated: false, body: body.into() };
        // It may have been kept by another version. What cannot be read is asked for again.
        Some((at, self.dialect.read(query, &raw).ok()?))
    }

    /// The last totals of the hashtag in `query`, by name or id, and the time when the poller received them.
    pub(super) async fn last_totals(&self, query: &Query) -> Option<(Timestamp, Answer)> {
        let (store, query) = (self.store.clone(), query.clone());
        let recall = move || {
            let hashtag = match query {
                Query::HashtagByName(hashtag) => Some(hashtag),
                Query::HashtagById(id) => store.name_of(&id)?,
                _ => None,
            };
            let Some(hashtag) = hashtag else { return Ok(None) };
            let mut known = [HashtagState::unknown(hashtag, "".into(), Duration::MAX)];
            store.recall(&mut known)?;
            Ok(last_answer(&known[0]))
        };
        logged(tokio::task::spawn_blocking(recall).await)?
    }

    /// Keeps an answer; `simulated` marks the store for good.
    pub(super) async fn keep(&self, query: &Query, at: Timestamp, body: Bytes, simulated: bool) {
        let (store, key) = (self.store.clone(), self.dialect.answer_key(query));
        let keep = move || {
            if simulated {
                store.note_simulated(at)?;
            }
            store.keep_answer(&key, at, &body)
        };
        logged(tokio::task::spawn_blocking(keep).await);
    }
}

/// The last answer about a hashtag's totals, and when it was given, if both counts came with it.
fn last_answer(known: &HashtagState) -> Option<(Timestamp, Answer)> {
    let (posts, views) = (known.posts.as_ref()?, known.views.as_ref()?);
    let record = HashtagRecord {
        id: known.id.clone()?,
        hashtag: known.hashtag.clone(),
        totals: Totals { posts: Some(posts.value()), views: Some(views.value()) },
        flags: Flags { commerce: known.commerce, ..Flags::default() },
        description: None,
    };
    (posts.at == views.at).then_some((posts.at, Answer::Hashtag(record)))
}

/// The result of a call of the store. Errors are only logged: they also stop spending, which is reported.
fn logged<T>(called: Result<Result<T, StoreError>, tokio::task::JoinError>) -> Option<T> {
    match called {
        Ok(Ok(value)) => Some(value),
        Ok(Err(error)) => {
            tracing::debug!(%error, "an answer could not be kept or recalled");
            None
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be kept or recalled; please report this");
            None
        }
    }
}
