//! Why a request is not paid for.

use std::time::Duration;

use units::Timestamp;

use super::Window;

/// Nothing was sent, because the credit for it could not be reserved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Denial {
    /// A budget has not enough left for this purpose.
    #[error("{}", spent(*.window))]
    Spent {
        /// Which.
        window: Window,
        /// When the next one of its kind begins; `None` if somebody must act.
        until: Option<Timestamp>,
    },
    /// The ledger cannot be written, so nothing that is spent would be counted.
    #[error("the ledger cannot be written ({why})")]
    Ledger {
        /// What is in the way.
        why: String,
        /// When it is tried again.
        until: Timestamp,
    },
    /// The clock is behind the ledger: budgets of days that have passed would be spent again.
    #[error(
        "the clock is {} behind the last entry of the ledger (set it right; if it was the entry that was wrong, \
         run `tiktok-exporter ledger accept-clock`)",
        units::duration::show(Duration::from_secs(.behind.as_secs()))
    )]
    Clock {
        /// By how much.
        behind: Duration,
        /// When it is looked at again.
        until: Timestamp,
    },
}

impl Denial {
    /// Every reason, as [`reason`](Self::reason) spells it.
    pub const REASONS: [&str; 5] = ["day", "month", "balance", "ledger", "clock"];

    /// The reason as a label value.
    pub fn reason(&self) -> &'static str {
        match self {
            Denial::Spent { window, .. } => window.as_str(),
            Denial::Ledger { .. } => "ledger",
            Denial::Clock { .. } => "clock",
        }
    }

    /// When asking again may help; `None` if not before somebody acts.
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
        Window::Month => "the credits of budget.per_month are spent; the next month begins on its first, UTC",
        Window::Balance => {
            "the credits of budget.balance are spent (buy some, count them anew, and set budget.balance with \
             budget.balance_counted_on or run `tiktok-exporter ledger reset-balance`)"
        }
    }
}
