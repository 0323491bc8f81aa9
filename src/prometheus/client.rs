//! Sends queries to a Prometheus.

use std::time::Duration;

use url::Url;

use super::{QueryError, Sample, answer};
use crate::http_client::{self, BodyError};

/// The largest response, decompressed: some 50,000 series.
const MAX_BODY_BYTES: usize = 16 << 20;

/// A client of one Prometheus.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: Url,
    timeout: Duration,
}

impl Client {
    /// A client of the Prometheus at `base_url`, whose path ends in a slash, that waits at most `timeout`
    /// for a complete response. Sends nothing yet.
    ///
    /// # Errors
    ///
    /// If TLS cannot be set up.
    pub fn new(base_url: Url, timeout: Duration) -> Result<Self, reqwest::Error> {
        let http = http_client::builder(&base_url).timeout(timeout).build()?;
        Ok(Self { http, base_url, timeout })
    }

    /// The current values of `query`.
    ///
    /// # Errors
    ///
    /// If there is no response in time, or it cannot be used.
    pub async fn instant(&self, query: &str) -> Result<Vec<Sample>, QueryError> {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}api/v1/query", self.base_url.path()));
        // The server, too, must stop working on it when the client stops waiting.
        let timeout = format!("{}ms", self.timeout.as_millis());
        url.query_pairs_mut().append_pair("query", query).append_pair("timeout", &timeout);
        let response = self.http.get(url).send().await.map_err(|error| self.failure(error))?;
        let status = response.status().as_u16();
        let body = http_client::body(response, MAX_BODY_BYTES).await.map_err(|error| match error {
            BodyError::TooLarge(limit) => QueryError::TooLarge(limit),
            BodyError::Broken(error) => self.failure(error),
        })?;
        answer::read(status, &body)
    }

    fn failure(&self, error: reqwest::Error) -> QueryError {
        if error.is_timeout() {
            return QueryError::TimedOut(self.timeout);
        }
        QueryError::Unreachable(http_client::reason(error))
    }
}
