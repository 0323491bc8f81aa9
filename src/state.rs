//! The latest results of the whole watchlist, as one immutable snapshot.
//!
//! The poller publishes a new snapshot after every change; readers (the metrics page, the landing
//! page) hold the one they started with, so no page mixes two generations. Entries that did not
//! change are shared between snapshots.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::model::{ChallengeId, Hashtag, RecentValues, Region, SampleStats, Timestamp};

/// Everything known about the watchlist at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// One entry per watched hashtag, sorted by name.
    pub hashtags: Vec<Arc<HashtagState>>,
}

/// What is known about one hashtag.
#[derive(Debug, Clone, PartialEq)]
pub struct HashtagState {
    /// The hashtag.
    pub hashtag: Hashtag,
    /// The watch group it belongs to.
    pub group: Arc<str>,
    /// A value older than this is not shown any more.
    pub max_age: Duration,
    /// The platform's id, once resolved.
    pub id: Option<ChallengeId>,
    /// When name and id were last seen together in an answer.
    pub resolved_at: Option<Timestamp>,
    /// What the upstream last said: that there is such a hashtag, or that there is none. `None`
    /// before it said either; a failure says neither.
    pub found: Option<bool>,
    /// Whether the platform flags it as commercial, once known.
    pub commerce: Option<bool>,
    /// Count of posts worldwide.
    pub posts: Option<Reading>,
    /// Count of views worldwide.
    pub views: Option<Reading>,
    /// How the refreshes of the totals go.
    pub refresh: Refresh,
    /// One entry per region, sorted.
    pub regions: Vec<RegionState>,
}

/// What is known about one hashtag in one region.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionState {
    /// The region.
    pub region: Region,
    /// The last good sample of posts.
    pub sample: Option<Sampled>,
    /// How the refreshes of the posts go.
    pub refresh: Refresh,
}

/// The last good sample and when it was taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Sampled {
    /// When the sample was taken.
    pub at: Timestamp,
    /// Its figures.
    pub stats: SampleStats,
}

/// A count, when it was read, and the values before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// When the count was read.
    pub at: Timestamp,
    /// The count and its last distinct predecessors. Never empty.
    pub recent: RecentValues,
}

/// The course of one job's refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refresh {
    /// How often it is meant to run: as configured, or stretched by the budget. While the budget
    /// pauses it, as configured.
    pub interval: Duration,
    /// When the last refresh ended, and how. `None` before the first.
    pub last: Option<(Timestamp, Outcome)>,
    /// When a refresh last succeeded.
    pub last_success: Option<Timestamp>,
    /// When the next one is due. `None` while it waits for something else than time: posts wait
    /// until the hashtag's id is known.
    pub next_due: Option<Timestamp>,
}

/// What a job refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// The totals of a hashtag.
    Totals,
    /// The posts of a hashtag in a region.
    Posts,
}

impl JobKind {
    /// Both kinds.
    pub const ALL: [JobKind; 2] = [JobKind::Totals, JobKind::Posts];

    /// The kind as a label value.
    pub fn as_str(self) -> &'static str {
        match self {
            JobKind::Totals => "totals",
            JobKind::Posts => "posts",
        }
    }
}

/// How a refresh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// New values.
    Success,
    /// The upstream does not know the hashtag (any more).
    NotFound,
    /// Anything else: no answer, a bad answer, or no leave to ask.
    Failed,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Outcome; 3] = [Outcome::Success, Outcome::NotFound, Outcome::Failed];

    /// The outcome as a label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::NotFound => "not_found",
            Outcome::Failed => "failed",
        }
    }

    /// The outcome that [`as_str`](Self::as_str) spells so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

impl Reading {
    /// The count.
    pub fn value(&self) -> u64 {
        self.recent.latest().unwrap_or_default()
    }

    /// The step it moves in.
    pub fn resolution(&self) -> u64 {
        self.recent.resolution().unwrap_or(1)
    }
}

impl HashtagState {
    /// Whether something read at `at` is still young enough to be shown.
    ///
    /// What is dated more than a minute ahead is not: its age is unknown, and it may be older than
    /// anything. That befalls results from a store that was written under a wrong clock. When the clock
    /// goes back while the program runs, the age is known, and the poller dates its results anew.
    pub fn is_current(&self, at: Timestamp, now: Timestamp) -> bool {
        !at.is_ahead_of(now) && now.saturating_since(at) <= self.max_age
    }
}

/// Where the poller publishes and readers look.
#[derive(Debug, Clone)]
pub struct State(watch::Sender<Arc<Snapshot>>);

impl Default for State {
    fn default() -> Self {
        Self(watch::Sender::new(Arc::default()))
    }
}

impl State {
    /// Replaces the snapshot.
    pub fn publish(&self, snapshot: Snapshot) {
        self.0.send_replace(Arc::new(snapshot));
    }

    /// Tells of every new snapshot.
    pub fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.0.subscribe()
    }

    /// The latest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.0.borrow().clone()
    }
}
