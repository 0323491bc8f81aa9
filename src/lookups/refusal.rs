//! Why a look-up fails.

use serde::{Deserialize, Serialize};
use tiktok_api::{Class, Provider};

use crate::credits::Denial;
use crate::gateway::Failure;
use crate::model::Trip;

/// Why there is no answer: a kind for programs, a text for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The kind of reason.
    pub kind: Reason,
    /// The reason on one line, with advice.
    pub reason: String,
}

/// The kind of reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// There is no such hashtag, or nothing that matches.
    NotFound,
    /// The API does not support the region.
    Region,
    /// The API refuses the key.
    Key,
    /// The budget, or the account, has no credit for it.
    Credits,
    /// The ledger cannot be written, or the clock is behind it: nothing may be spent.
    Ledger,
    /// The API has an error or throttles.
    Unavailable,
    /// The response of the API cannot be parsed.
    Malformed,
    /// The settings of the command and of the exporter are not compatible.
    Settings,
}

const ACCOUNT: &str = "the account at the API has no credits left (buy some)";

impl Refusal {
    /// A refusal.
    pub fn new(kind: Reason, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }

    /// The refusal for a failure of the gateway; `provider` is that of the API.
    pub fn of(failure: Failure, provider: &Provider) -> Self {
        let key = || format!("the API refuses the key (check {} or api.key_file)", provider.key_variable);
        let error = match failure {
            Failure::Upstream(error) => error,
            Failure::Stopped(Trip::Auth) => return Self::new(Reason::Key, key()),
            Failure::Stopped(Trip::CreditsExhausted) => return Self::new(Reason::Credits, ACCOUNT),
            Failure::Denied(denial) => return denial.into(),
            Failure::Retired => {
                return Self::new(Reason::Unavailable, "the exporter is reloading; try again");
            }
            Failure::ShuttingDown => {
                return Self::new(Reason::Unavailable, "the exporter is stopping; try again");
            }
        };
        let detail = &error.detail;
        match error.class {
            Class::Auth => Self::new(Reason::Key, format!("{}: {detail}", key())),
            Class::CreditsExhausted => Self::new(Reason::Credits, format!("{ACCOUNT}: {detail}")),
            Class::NotFound => Self::new(Reason::NotFound, format!("not found: {detail}")),
            Class::Throttled => {
                Self::new(Reason::Unavailable, format!("too many requests for the API: {detail}"))
            }
            Class::Transient => Self::new(Reason::Unavailable, format!("the API has trouble: {detail}")),
            Class::Malformed => {
                Self::new(Reason::Malformed, format!("the answer of the API cannot be used: {detail}"))
            }
        }
    }
}

impl From<Denial> for Refusal {
    fn from(denial: Denial) -> Self {
        let kind = match denial {
            Denial::Spent { .. } => Reason::Credits,
            Denial::Ledger { .. } | Denial::Clock { .. } => Reason::Ledger,
        };
        Self::new(kind, denial.to_string())
    }
}
