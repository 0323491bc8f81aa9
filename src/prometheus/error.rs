//! Why there is no answer.

use std::time::Duration;

/// A query has no answer. The message says of what kind, without the server's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// Nobody listens there, or the connection broke.
    #[error("Prometheus cannot be reached: {0}")]
    Unreachable(String),
    /// No whole answer in time.
    #[error("Prometheus did not answer within {}", humantime::format_duration(*.0))]
    TimedOut(Duration),
    /// The answer is larger than what is read.
    #[error("the answer of Prometheus is larger than {0} bytes")]
    TooLarge(usize),
    /// Prometheus answers that it will not or cannot.
    #[error("Prometheus refuses the query: {0}")]
    Refused(String),
    /// The answer is not one of a Prometheus.
    #[error("what answers is not a Prometheus: {0}")]
    Rubbish(String),
}
