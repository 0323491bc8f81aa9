//! Carrying one query to a Prometheus and its answer back.

use std::time::Duration;

use bytes::BytesMut;
use url::Url;

use crate::config::is_loopback;

use super::{QueryError, Sample, answer};

/// The largest answer that is read, decompressed: some 50,000 series.
const MAX_BODY_BYTES: usize = 16 << 20;

/// Asks one Prometheus.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base_url: Url,
    timeout: Duration,
}

impl Client {
    /// Prepares to ask the Prometheus at `base_url`, whose path ends in a slash, waiting no longer
    /// than `timeout` for a whole answer. Nothing is sent yet.
    ///
    /// # Errors
    ///
    /// When TLS cannot be set up.
    pub fn new(base_url: Url, timeout: Duration) -> Result<Self, reqwest::Error> {
        // Fails when a provider is installed already, which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("tiktok-exporter/", env!("CARGO_PKG_VERSION")))
            .timeout(timeout)
            // Where an operator's setting leads to is where the answer has to come from.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        if base_url.scheme() == "http" {
            // Plain HTTP needs no certificates: do not fail on a system that has none.
            builder = builder.tls_certs_only([]);
        }
        if is_loopback(&base_url) {
            builder = builder.no_proxy();
        }
        Ok(Self { http: builder.build()?, base_url, timeout })
    }

    /// The values that `query` has now.
    ///
    /// # Errors
    ///
    /// When there is no answer in time, or none that can be read.
    pub async fn instant(&self, query: &str) -> Result<Vec<Sample>, QueryError> {
        let mut url = self.base_url.clone();
        url.set_path(&format!("{}api/v1/query", self.base_url.path()));
        // The server is to stop working, too, when nobody waits any more.
        let timeout = format!("{}ms", self.timeout.as_millis());
        url.query_pairs_mut().append_pair("query", query).append_pair("timeout", &timeout);
        let mut response = self.http.get(url).send().await.map_err(|error| self.failure(error))?;
        let status = response.status().as_u16();
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failure(error))? {
            if body.len() + chunk.len() > MAX_BODY_BYTES {
                return Err(QueryError::TooLarge(MAX_BODY_BYTES));
            }
            body.extend_from_slice(&chunk);
        }
        answer::read(status, &body)
    }

    /// The reason at the bottom of the error's chain, without the address.
    fn failure(&self, error: reqwest::Error) -> QueryError {
        if error.is_timeout() {
            return QueryError::TimedOut(self.timeout);
        }
        let error = error.without_url();
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        QueryError::Unreachable(cause.to_string())
    }
}
