//! What credits are spent on.

use tiktok_api::{Hashtag, Operation};
use units::Credits;

/// A kind of recurring job, which has its own share of the budget. In order of priority: when the budget is
/// short, the last ones are stretched first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum JobKind {
    /// Totals of listed hashtags.
    Totals,
    /// Samples of posts of listed hashtags.
    Posts,
    /// Searches by keyword, and everything about hashtags on trial.
    Discovery,
}

impl JobKind {
    /// All kinds, highest priority first.
    pub const ALL: [JobKind; 3] = [JobKind::Totals, JobKind::Posts, JobKind::Discovery];

    /// The kind as a label value.
    pub const fn as_str(self) -> &'static str {
        match self {
            JobKind::Totals => "totals",
            JobKind::Posts => "posts",
            JobKind::Discovery => "discovery",
        }
    }
}

/// What a credit is spent on, highest priority first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// Interactive look-ups. Only they may spend the budget's reserve.
    AdHoc,
    /// A recurring job.
    Job(JobKind),
}

impl Purpose {
    /// All purposes, highest priority first.
    pub const ALL: [Purpose; 4] = [
        Purpose::AdHoc,
        Purpose::Job(JobKind::Totals),
        Purpose::Job(JobKind::Posts),
        Purpose::Job(JobKind::Discovery),
    ];

    /// The purpose as a label value and as a value in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::AdHoc => "ad_hoc",
            Purpose::Job(kind) => kind.as_str(),
        }
    }

    /// The position in [`ALL`](Self::ALL).
    pub fn index(self) -> usize {
        match self {
            Purpose::AdHoc => 0,
            Purpose::Job(kind) => 1 + kind as usize,
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// One request in the ledger; it costs one credit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Expense {
    /// The operation of the API.
    pub operation: Operation,
    /// What it is spent on.
    pub purpose: Purpose,
    /// The hashtag of the request, if any. Only for display.
    pub hashtag: Option<Hashtag>,
}

/// Credits spent in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// For all purposes.
    pub all: Credits,
    /// Of these, for interactive look-ups.
    pub ad_hoc: Credits,
}

impl Spent {
    /// Adds one credit.
    pub fn add(&mut self, purpose: Purpose) {
        self.all += Credits::ONE;
        if purpose == Purpose::AdHoc {
            self.ad_hoc += Credits::ONE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Purpose;

    #[test]
    fn purposes_are_indexed_and_parsed_in_order() {
        assert!(Purpose::ALL.is_sorted());
        for (index, purpose) in Purpose::ALL.into_iter().enumerate() {
            assert_eq!((purpose.index(), Purpose::parse(purpose.as_str())), (index, Some(purpose)));
        }
    }
}
