//! What credits are spent for.

use tiktok_api::Hashtag;
use tiktok_api::Operation;
use units::Credits;

/// What a credit is spent for. In the order in which a short budget is handed out: what comes
/// later is stretched first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// What a person asks for. Alone may spend what [`super::Limits::reserve`] sets aside.
    AdHoc,
    /// The loop's look-ups of totals.
    Totals,
    /// The loop's samples of posts.
    Posts,
    /// The loop's search for hashtags that nobody listed yet.
    Discovery,
}

impl Purpose {
    /// Every purpose, in the order in which a short budget is handed out.
    pub const ALL: [Purpose; 4] = [Purpose::AdHoc, Purpose::Totals, Purpose::Posts, Purpose::Discovery];

    /// The purpose as a label value, and as the ledger spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Purpose::AdHoc => "ad_hoc",
            Purpose::Totals => "totals",
            Purpose::Posts => "posts",
            Purpose::Discovery => "discovery",
        }
    }

    /// The purpose that [`as_str`](Self::as_str) spells so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == text)
    }
}

/// One request, as the ledger books it: one credit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Expense {
    /// Where it is sent.
    pub operation: Operation,
    /// What for.
    pub purpose: Purpose,
    /// The hashtag it is about, if it is about one. Only shown to people, never decided by.
    pub hashtag: Option<Hashtag>,
}

/// What was spent in one window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Spent {
    /// For any purpose.
    pub all: Credits,
    /// Of these, for people's ad-hoc commands.
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
