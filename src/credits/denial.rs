//! Why a request is not sent.

use std::time::Duration;

use units::Timestamp;

use super::Window;

/// A request was not sent because its credit could not be reserved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// A budget has too few credits left for this purpose.
    #[error("{}", spent(*.window))]
    Spent {
        /// The budget.
        window: Window,
        /// When the next window begins. `None` if the operator must act.
        until: Option<Timestamp>,
    },
    /// The ledger cannot be written, so spending could not be counted.
    #[error("the ledger cannot be written ({why})")]
    Ledger {
        /// The error.
        why: String,
        /// When to retry.
        until: Timestamp,
    },
    /// The clock is behind the ledger. The budgets of past days would be spent again.
    #[error(
        "the clock is {} behind the last entry of the ledger (correct the clock; if the entry is wrong, run \
         `tiktok-exporter ledger accept-clock`)",
        units::duration::show(Duration::from_secs(.behind.as_secs()))
    )]
    Clock {
        /// How far it is behind.
        behind: Duration,
        /// When to check again.
        until: Timestamp,
    },
}

impl Denial {
    /// All values of [`reason`](Self::reason).
    pub const REASONS: [&str; 5] = ["day", "month", "balance", "ledger", "clock"];

    /// The reason as a label value.
    pub fn reason(&self) -> &'static str {
        match self {
            Denial::Spent { window, .. } => window.as_str(),
            Denial::Ledger { .. } => "ledger",
            Denial::Clock { .. } => "clock",
        }
    }

    /// When to retry. `None` if the operator must act first.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Denial::Spent { until, .. } => *until,
            Denial::Ledger { until, .. } | Denial::Clock { until, .. } => Some(*until),
        }
    }
}

fn spent(window: Window) -> &'static str {
    match window {
        Window::Day => "the credits of budget.per_day are spent; the next day begins at midnight UTC",
        Window::Month => "the credits of budget.per_month are spent; the next month begins on the 1st, UTC",
        Window::Balance => {
            "the credits of budget.balance are spent (buy credits, then set budget.balance and \
             budget.balance_counted_on, or run `tiktok-exporter ledger reset-balance`)"
        }
    }
}
