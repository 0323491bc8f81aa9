//! Why a query failed.

use std::time::Duration;

/// A query failed. The message does not contain the server's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The connection failed.
    #[error("Prometheus cannot be reached: {0}")]
    Unreachable(String),
    /// No complete response in time.
    #[error("Prometheus did not answer within {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// The response is larger than the limit, in bytes.
    #[error("the response of Prometheus is larger than {0} bytes")]
    TooLarge(usize),
    /// Prometheus responded with an error.
    #[error("Prometheus refuses the query: {0}")]
    Refused(String),
    /// The response is not that of a Prometheus.
    #[error("not a Prometheus: {0}")]
    Rubbish(String),
}
