//! What is refreshed again and again.

use crate::model::{Hashtag, Region, Timestamp};
use crate::state::{JobKind, Outcome};

/// One thing to refresh again and again. Ordered: totals before posts of the same hashtag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job {
    /// The hashtag.
    pub hashtag: Hashtag,
    /// The region whose posts are refreshed; `None` for the hashtag's totals.
    pub region: Option<Region>,
}

impl Job {
    /// What the job refreshes.
    pub fn kind(&self) -> JobKind {
        if self.region.is_some() { JobKind::Posts } else { JobKind::Totals }
    }
}

/// What is remembered of a job from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Past {
    /// When its last refresh ended, and how.
    pub last: Option<(Timestamp, Outcome)>,
    /// Whether posts can be asked for: the hashtag's id is known and not reported gone.
    pub resolved: bool,
    /// Whether the upstream last said that there is no such thing, whatever failed since.
    pub absent: bool,
}
