//! What client and server of look-ups exchange: HTTP over a Unix socket beside the store.
//!
//! | request | response |
//! |---|---|
//! | `POST /v1/quotes` | 200 with a [`Quote`](super::Quote) |
//! | `POST /v1/lookups` | 200 with [`Event`]s, one JSON text per line, the reply last |
//!
//! Both take a [`LookupRequest`]. 400 and 409 have a [`Refusal`](super::Refusal) as body. A change that older
//! programs do not understand gets another version in the path.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Question, Reply};

pub(super) const QUOTES: &str = "/v1/quotes";
pub(super) const LOOKUPS: &str = "/v1/lookups";

/// The body of a request.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LookupRequest {
    /// The `api.base_url` that the client expects. `None` accepts any.
    pub(super) api: Option<String>,
    /// Responses from the cache may be this old.
    pub(super) max_age_millis: u64,
    pub(super) question: Question,
}

/// A line of the response to a look-up.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// The number of queries that have ended so far.
    Answered(u64),
    /// The end.
    Reply(Box<Reply>),
}

/// The path of the lookup socket for the store at `store`.
pub fn socket_path(store: &Path) -> PathBuf {
    // A link to the store has the same socket as the store.
    let mut path = store.canonicalize().unwrap_or_else(|_| store.to_owned()).into_os_string();
    path.push(".sock");
    path.into()
}
