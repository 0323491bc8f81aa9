//! The latest results of the whole watchlist, as one immutable snapshot, and the status of the API.
//!
//! The poller publishes a new snapshot after every change; readers (the metrics page, the landing
//! page) hold the one they started with, so no page mixes two generations. Entries that did not
//! change are shared between snapshots.

mod api;
mod sampled;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tiktok_api::{ChallengeId, Hashtag, Region};
use tokio::sync::watch;
use units::Timestamp;

use crate::discovery::{Candidate, Candidates, KeywordStats, Trial};
use crate::model::{Keyword, RecentValues};

pub use api::{ApiState, ApiStatus, PlannedPace};
pub use sampled::Sampled;

/// Everything known about the watchlist at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// When it was made.
    pub made_at: Timestamp,
    /// One entry per watched hashtag, sorted by name.
    pub hashtags: Vec<Arc<HashtagState>>,
    /// One entry per followed keyword, sorted by keyword.
    pub keywords: Vec<Arc<KeywordState>>,
}

/// What is known about one keyword.
#[derive(Debug, Clone, PartialEq)]
pub struct KeywordState {
    /// The keyword.
    pub keyword: Keyword,
    /// What is older than this is not shown any more.
    pub max_age: Duration,
    /// What the last good search for hashtags found.
    pub found: Option<Candidates>,
    /// Those of them that are shown, the largest first.
    pub candidates: Vec<Candidate>,
    /// How the searches for hashtags go.
    pub refresh: Refresh,
    /// One entry per region in which posts are searched for, sorted.
    pub regions: Vec<KeywordRegion>,
    /// Who is on trial, sorted by hashtag, and when each leaves if it stays quiet.
    pub trials: Vec<(Trial, Timestamp)>,
}

/// What is known about the posts of one keyword in one region.
#[derive(Debug, Clone, PartialEq)]
pub struct KeywordRegion {
    /// The region.
    pub region: Region,
    /// The last good figures, and when they were taken.
    pub sample: Option<(Timestamp, KeywordStats)>,
    /// How the searches for posts go.
    pub refresh: Refresh,
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

/// Which share of the budget a job lives on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    /// The totals of a listed hashtag.
    Totals,
    /// The posts of a listed hashtag in a region.
    Posts,
    /// Searches for hashtags and posts by keyword, and all that is asked about a hashtag on trial.
    Discovery,
}

impl JobKind {
    /// Every kind, in the order in which a short budget is handed out.
    pub const ALL: [JobKind; 3] = [JobKind::Totals, JobKind::Posts, JobKind::Discovery];

    /// The kind as a label value.
    pub fn as_str(self) -> &'static str {
        match self {
            JobKind::Totals => "totals",
            JobKind::Posts => "posts",
            JobKind::Discovery => "discovery",
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

impl Refresh {
    /// Takes the end of a refresh in.
    pub fn ended(&mut self, outcome: Outcome, at: Timestamp) {
        self.last = Some((at, outcome));
        self.last_success = if outcome == Outcome::Success { Some(at) } else { self.last_success };
    }
}

impl Snapshot {
    /// The time by which the ages of its entries are to be judged while the clock shows `clock`. A clock
    /// behind the snapshot has gone back: until the poller has noticed, the snapshot knows better.
    pub fn now(&self, clock: Timestamp) -> Timestamp {
        clock.max(self.made_at)
    }

    /// The hashtags that are watched on trial.
    pub fn on_trial(&self) -> BTreeSet<&Hashtag> {
        let trials = self.keywords.iter().flat_map(|keyword| &keyword.trials);
        trials.map(|(trial, _)| &trial.hashtag).collect()
    }
}

impl KeywordState {
    /// How all that is asked about it goes.
    pub fn refreshes(&self) -> impl Iterator<Item = &Refresh> {
        std::iter::once(&self.refresh).chain(self.regions.iter().map(|state| &state.refresh))
    }

    /// As [`HashtagState::is_current`].
    pub fn is_current(&self, at: Timestamp, now: Timestamp) -> bool {
        is_young(at, self.max_age, now)
    }
}

impl HashtagState {
    /// A hashtag of which nothing is known.
    pub fn unknown(hashtag: Hashtag, group: Arc<str>, max_age: Duration) -> Self {
        Self {
            hashtag,
            group,
            max_age,
            id: None,
            resolved_at: None,
            found: None,
            commerce: None,
            posts: None,
            views: None,
            refresh: Refresh::default(),
            regions: Vec::new(),
        }
    }

    /// How all that is asked about it goes.
    pub fn refreshes(&self) -> impl Iterator<Item = &Refresh> {
        std::iter::once(&self.refresh).chain(self.regions.iter().map(|state| &state.refresh))
    }

    /// Whether something read at `at` is still young enough to be shown.
    ///
    /// What is dated more than a minute ahead is not: its age is unknown, and it may be older than
    /// anything. That befalls results from a store that was written under a wrong clock. When the clock
    /// goes back while the program runs, the age is known, and the poller dates its results anew.
    pub fn is_current(&self, at: Timestamp, now: Timestamp) -> bool {
        is_young(at, self.max_age, now)
    }
}

fn is_young(at: Timestamp, max_age: Duration, now: Timestamp) -> bool {
    !at.is_ahead_of(now) && now.saturating_since(at) <= max_age
}

/// Where the gateway and the poller publish and readers look. Cheap to clone; all clones share one state.
#[derive(Debug, Clone)]
pub struct State {
    snapshots: watch::Sender<Arc<Snapshot>>,
    api: ApiState,
}

impl Default for State {
    fn default() -> Self {
        Self { snapshots: watch::Sender::new(Arc::default()), api: ApiState::default() }
    }
}

impl State {
    /// The status of the API.
    pub fn api(&self) -> &ApiState {
        &self.api
    }

    /// Replaces the snapshot. One whose entries are all those of the last is no change, and nobody is
    /// notified.
    pub fn publish(&self, snapshot: Snapshot) {
        self.snapshots.send_if_modified(|last| {
            let changed =
                !same(&last.hashtags, &snapshot.hashtags) || !same(&last.keywords, &snapshot.keywords);
            if changed {
                *last = Arc::new(snapshot);
            }
            changed
        });
    }

    /// Notices every new snapshot.
    pub fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.subscribe()
    }

    /// The latest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }
}

/// Whether these are the very same entries.
fn same<T>(old: &[Arc<T>], new: &[Arc<T>]) -> bool {
    old.len() == new.len() && old.iter().zip(new).all(|(old, new)| Arc::ptr_eq(old, new))
}

#[cfg(test)]
mod tests {
    use super::{Snapshot, State};

    #[test]
    fn a_snapshot_of_the_same_entries_is_no_change() {
        let entry = |name: &str| {
            let hashtag = tiktok_api::Hashtag::parse(name).unwrap();
            std::sync::Arc::new(super::HashtagState::unknown(hashtag, "default".into(), Default::default()))
        };
        let (a, b) = (entry("a"), entry("b"));
        let state = State::default();
        let mut changes = state.changes();
        let mut is_change = |hashtags: &[_]| {
            state.publish(Snapshot { hashtags: hashtags.to_vec(), ..Snapshot::default() });
            let changed = changes.has_changed().unwrap();
            changes.mark_unchanged();
            changed
        };
        assert!(!is_change(&[]), "nothing as before");
        assert!(is_change(&[a.clone(), b.clone()]), "the first entries");
        assert!(!is_change(&[a.clone(), b.clone()]), "the same entries");
        assert!(is_change(&[a.clone(), entry("b")]), "an entry that was made anew");
        assert!(is_change(&[a]), "one less");
    }
}
