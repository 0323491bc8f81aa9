//! Sends look-ups to the exporter that holds the store.

use std::path::Path;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use url::Url;

use super::wire::{Event, LOOKUPS, LookupRequest, QUOTES, socket_path};
use super::{Question, Quote, Reason, Refusal, Reply};
use crate::gateway::RequestProgress;
use crate::http_client;

/// A client of a running exporter.
#[derive(Debug, Clone)]
pub struct LookupClient {
    http: reqwest::Client,
    base_url: Url,
    api: Option<Url>,
}

/// Why a running exporter does not answer a look-up.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// It refuses the request.
    #[error("{}", .0.reason)]
    Refused(Refusal),
    /// It has ended, or its response cannot be read.
    #[error("the running exporter did not answer: {0}")]
    Broken(String),
}

impl From<reqwest::Error> for LookupError {
    fn from(error: reqwest::Error) -> Self {
        if http_client::is_not_http(&error) {
            other_version()
        } else {
            Self::Broken(http_client::reason(error))
        }
    }
}

impl LookupClient {
    /// A client of the exporter that holds the store at `store`. `None` if none listens. With `api`, the
    /// exporter refuses look-ups unless this is its `api.base_url`.
    ///
    /// # Errors
    ///
    /// If the HTTP client cannot be set up.
    pub async fn find(store: &Path, api: Option<Url>) -> Result<Option<Self>, LookupError> {
        let path = socket_path(store);
        if UnixStream::connect(&path).await.is_err() {
            return Ok(None);
        }
        // The host is not used.
        let base_url = Url::parse("http://localhost").map_err(|error| broken(&error))?;
        let http = http_client::builder(&base_url).unix_socket(path).pool_max_idle_per_host(0).build()?;
        Ok(Some(Self { http, base_url, api }))
    }

    /// The cost of the answer to `question` if cached responses up to `max_age` old are used.
    ///
    /// # Errors
    ///
    /// If the exporter refuses the request or does not answer.
    pub async fn quote(&self, question: &Question, max_age: Duration) -> Result<Quote, LookupError> {
        let response = self.post(QUOTES, question, max_age).await?;
        read(&response.bytes().await?)
    }

    /// The answer to `question`. Dropped, the exporter sends no more requests for it. Updates `progress`.
    ///
    /// # Errors
    ///
    /// If the exporter refuses the request or does not answer.
    pub async fn answer(
        &self,
        question: &Question,
        max_age: Duration,
        progress: &RequestProgress,
    ) -> Result<Reply, LookupError> {
        let mut response = self.post(LOOKUPS, question, max_age).await?;
        let mut received = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            received.extend_from_slice(&chunk);
            while let Some(end) = received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = received.drain(..=end).collect();
                match read(&line)? {
                    Event::Answered(answered) => progress.set_answered(answered),
                    Event::Reply(reply) => return Ok(*reply),
                }
            }
        }
        Err(broken(&"the response has no end"))
    }

    async fn post(
        &self,
        path: &str,
        question: &Question,
        max_age: Duration,
    ) -> Result<reqwest::Response, LookupError> {
        let request = LookupRequest {
            api: self.api.as_ref().map(Url::to_string),
            max_age_millis: u64::try_from(max_age.as_millis()).unwrap_or(u64::MAX),
            question: question.clone(),
        };
        let body = serde_json::to_vec(&request).map_err(|error| broken(&error))?;
        let mut url = self.base_url.clone();
        url.set_path(path);
        let response = self.http.post(url).body(body).send().await?;
        match response.status().as_u16() {
            200 => Ok(response),
            400 | 409 => Err(LookupError::Refused(read(&response.bytes().await?)?)),
            404 => Err(other_version()),
            status => Err(broken(&format_args!("HTTP {status}"))),
        }
    }
}

fn read<T: DeserializeOwned>(json: &[u8]) -> Result<T, LookupError> {
    serde_json::from_slice(json).map_err(|error| broken(&error))
}

/// Version 0.1.0 answers in a protocol of its own, others may not know the path.
fn other_version() -> LookupError {
    let reason = "the running exporter is of another version; restart it";
    LookupError::Refused(Refusal::new(Reason::Settings, reason))
}

fn broken(why: &dyn std::fmt::Display) -> LookupError {
    LookupError::Broken(why.to_string())
}
