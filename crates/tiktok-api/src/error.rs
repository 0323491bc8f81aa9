//! Failed requests, classified by what the caller does next.

use std::time::Duration;

/// What the caller should do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// The key is refused: stop spending, tell the operator.
    Auth,
    /// No credits are left on the account: stop spending, tell the operator.
    CreditsExhausted,
    /// Too fast: slow down, then retry.
    Throttled,
    /// Nothing was found: remember it, retry rarely.
    NotFound,
    /// The server or the way to it has trouble: retry with back-off.
    Transient,
    /// An answer that cannot be read: count it, keep the last good value.
    Malformed,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 6] = [
        Class::Auth,
        Class::CreditsExhausted,
        Class::Throttled,
        Class::NotFound,
        Class::Transient,
        Class::Malformed,
    ];

    /// The class as a label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Auth => "auth",
            Class::CreditsExhausted => "credits_exhausted",
            Class::Throttled => "throttled",
            Class::NotFound => "not_found",
            Class::Transient => "transient",
            Class::Malformed => "malformed",
        }
    }

    /// Whether sending the same request again can help.
    pub fn is_retryable(self) -> bool {
        matches!(self, Class::Throttled | Class::Transient)
    }
}

/// A failed request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", class.as_str())]
pub struct Error {
    /// What to do about it.
    pub class: Class,
    /// What happened, for a log line: one line, at most 200 characters, without the API key.
    pub detail: String,
    /// The wait that the server asked for (`Retry-After`).
    pub retry_after: Option<Duration>,
    /// Whether it is certain that the request did not leave this machine, so that it cost nothing.
    pub never_sent: bool,
}

impl Error {
    /// An error of a class; `detail` may quote the server and is cut to a log line's size.
    pub fn new(class: Class, detail: impl AsRef<str>) -> Self {
        let one_line =
            detail.as_ref().chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect();
        Self { class, detail: one_line, retry_after: None, never_sent: false }
    }

    /// An answer that cannot be read.
    pub fn malformed(detail: impl AsRef<str>) -> Self {
        Self::new(Class::Malformed, detail)
    }

    /// Trouble of the server or of the way to it.
    pub fn transient(detail: impl AsRef<str>) -> Self {
        Self::new(Class::Transient, detail)
    }
}
