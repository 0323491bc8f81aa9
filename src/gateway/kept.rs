//! People's answers on disk: a question that was paid for is not paid for again, whichever process
//! asks it.

use std::sync::Arc;

use bytes::Bytes;

use crate::model::Timestamp;
use crate::store::{Store, StoreError};
use crate::upstream::{self, Answer, Query, RawAnswer};

/// The answers that the store keeps.
pub(super) struct Kept(pub(super) Arc<Store>);

impl Kept {
    /// The answer to `query`, and when it was given.
    pub(super) async fn recall(&self, query: &Query) -> Option<(Timestamp, Answer)> {
        let (store, key) = (self.0.clone(), query.key());
        let (at, body) = told(tokio::task::spawn_blocking(move || store.kept_answer(&key)).await)??;
        let raw =
            RawAnswer { status: 200, retry_after: None, location: None, simulated: false, body: body.into() };
        // Whoever wrote into the file, or a reader of another version: then it is asked for again.
        Some((at, upstream::read(query, &raw).ok()?))
    }

    /// Keeps an answer; `simulated` marks the store for good.
    pub(super) async fn keep(&self, query: &Query, at: Timestamp, body: Bytes, simulated: bool) {
        let (store, key) = (self.0.clone(), query.key());
        let keep = move || {
            if simulated {
                store.note_simulated(at)?;
            }
            store.keep_answer(&key, at, &body)
        };
        told(tokio::task::spawn_blocking(keep).await);
    }
}

/// What a call of the store brought. Its trouble is told elsewhere: it stops spending as well.
fn told<T>(called: Result<Result<T, StoreError>, tokio::task::JoinError>) -> Option<T> {
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
