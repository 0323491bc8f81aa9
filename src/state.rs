//! The latest results of the whole watchlist, as one immutable snapshot, and the status of the API.
//!
//! The poller publishes a new snapshot after every change. A reader keeps the snapshot it started with, so no
//! page mixes two of them. Entries that did not change are shared between snapshots.

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

/// Everything known about the watchlist at one time.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// When it was published.
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
    /// Older results are not shown.
    pub max_age: Duration,
    /// The results of the last successful search for hashtags.
    pub found: Option<Candidates>,
    /// The hashtags found that are shown, the largest first.
    pub candidates: Vec<Candidate>,
    /// The searches for hashtags.
    pub refresh: Refresh,
    /// One entry per region in which posts are sampled, sorted.
    pub regions: Vec<KeywordRegion>,
    /// The running trials, sorted by hashtag, and when each ends without activity.
    pub trials: Vec<(Trial, Timestamp)>,
}

/// What is known about the posts of one keyword in one region.
#[derive(Debug, Clone, PartialEq)]
pub struct KeywordRegion {
    /// The region.
    pub region: Region,
    /// When the last successful sample was taken, and its figures.
    pub sample: Option<(Timestamp, KeywordStats)>,
    /// The searches for posts.
    pub refresh: Refresh,
}

/// What is known about one hashtag.
#[derive(Debug, Clone, PartialEq)]
pub struct HashtagState {
    /// The hashtag.
    pub hashtag: Hashtag,
    /// The watch group it belongs to.
    pub group: Arc<str>,
    /// Older values are not shown.
    pub max_age: Duration,
    /// The platform's id, once resolved.
    pub id: Option<ChallengeId>,
    /// When an answer last had both name and id.
    pub resolved_at: Option<Timestamp>,
    /// Whether the API last said that the hashtag exists. `None` until it says so or not; failures do not
    /// count.
    pub found: Option<bool>,
    /// Whether the platform flags it as commercial, once known.
    pub commerce: Option<bool>,
    /// Count of posts worldwide.
    pub posts: Option<Reading>,
    /// Count of views worldwide.
    pub views: Option<Reading>,
    /// The refreshes of the totals.
    pub refresh: Refresh,
    /// One entry per region, sorted.
    pub regions: Vec<RegionState>,
}

/// What is known about one hashtag in one region.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionState {
    /// The region.
    pub region: Region,
    /// The last successful sample of posts.
    pub sample: Option<Sampled>,
    /// The refreshes of the posts.
    pub refresh: Refresh,
}

/// A count with its previous values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// When the count was read.
    pub at: Timestamp,
    /// The count and its previous distinct values. Never empty.
    pub recent: RecentValues,
}

/// The refreshes of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refresh {
    /// The current interval: as configured, or longer if the budget is short. As configured while paused.
    pub interval: Duration,
    /// When the last refresh ended, and how. `None` before the first.
    pub last: Option<(Timestamp, Outcome)>,
    /// When a refresh last succeeded.
    pub last_success: Option<Timestamp>,
    /// When the next one is due. `None` for posts while the hashtag's id is unknown.
    pub next_due: Option<Timestamp>,
}

/// How a refresh ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// New values.
    Success,
    /// The API does not know the hashtag.
    NotFound,
    /// Anything else: no answer, or an invalid one.
    Failed,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Outcome; 3] = [Outcome::Success, Outcome::NotFound, Outcome::Failed];

    /// The outcome as a label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::NotFound => "not_found",
            Outcome::Failed => "failed",
        }
    }

    /// The inverse of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == text)
    }
}

impl Reading {
    /// The count.
    pub fn value(&self) -> u64 {
        self.recent.latest().unwrap_or_default()
    }

    /// The step to which the platform rounds it, at least 1.
    pub fn resolution(&self) -> u64 {
        self.recent.resolution().unwrap_or(1)
    }
}

impl Refresh {
    /// Enters the end of a refresh.
    pub fn ended(&mut self, outcome: Outcome, at: Timestamp) {
        self.last = Some((at, outcome));
        self.last_success = if outcome == Outcome::Success { Some(at) } else { self.last_success };
    }

    /// Passes every timestamp of the past to `visit`, which may change it.
    fn visit_timestamps(&mut self, visit: &mut dyn FnMut(&mut Timestamp)) {
        let last = self.last.iter_mut().map(|(at, _)| at);
        last.chain(&mut self.last_success).for_each(visit);
    }
}

impl Snapshot {
    /// The time for the ages of its entries: the later one of `clock` and [`made_at`](Self::made_at). A clock
    /// behind the snapshot has stepped back, and the poller has yet to notice and shift the timestamps.
    pub fn now(&self, clock: Timestamp) -> Timestamp {
        clock.max(self.made_at)
    }

    /// The hashtags on trial.
    pub fn on_trial(&self) -> BTreeSet<&Hashtag> {
        let trials = self.keywords.iter().flat_map(|keyword| &keyword.trials);
        trials.map(|(trial, _)| &trial.hashtag).collect()
    }
}

impl KeywordState {
    /// All its refreshes: the first one, then one per region.
    pub fn refreshes(&self) -> impl Iterator<Item = &Refresh> {
        std::iter::once(&self.refresh).chain(self.regions.iter().map(|state| &state.refresh))
    }

    /// As [`HashtagState::is_current`].
    pub fn is_current(&self, at: Timestamp, now: Timestamp) -> bool {
        is_current(at, self.max_age, now)
    }

    /// Passes every timestamp of the past to `visit`, which may change it. Those of the trials are copies.
    pub(crate) fn visit_timestamps(&mut self, visit: &mut dyn FnMut(&mut Timestamp)) {
        self.found.iter_mut().for_each(|found| found.visit_timestamps(visit));
        self.candidates.iter_mut().for_each(|candidate| candidate.visit_timestamps(visit));
        self.refresh.visit_timestamps(visit);
        for region in &mut self.regions {
            region.sample.iter_mut().for_each(|(at, _)| visit(at));
            region.refresh.visit_timestamps(visit);
        }
    }
}

impl HashtagState {
    /// A hashtag about which nothing is known.
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

    /// All its refreshes: the first one, then one per region.
    pub fn refreshes(&self) -> impl Iterator<Item = &Refresh> {
        std::iter::once(&self.refresh).chain(self.regions.iter().map(|state| &state.refresh))
    }

    /// Whether a result of `at` is recent enough to be shown. A result of [unknown age](Timestamp::age),
    /// stored while the clock was wrong, is not.
    pub fn is_current(&self, at: Timestamp, now: Timestamp) -> bool {
        is_current(at, self.max_age, now)
    }

    /// Passes every timestamp of the past to `visit`, which may change it.
    pub(crate) fn visit_timestamps(&mut self, visit: &mut dyn FnMut(&mut Timestamp)) {
        let readings = self.posts.iter_mut().chain(&mut self.views).map(|reading| &mut reading.at);
        readings.chain(&mut self.resolved_at).for_each(&mut *visit);
        self.refresh.visit_timestamps(visit);
        for region in &mut self.regions {
            region.sample.iter_mut().for_each(|sample| visit(&mut sample.at));
            region.refresh.visit_timestamps(visit);
        }
    }
}

fn is_current(at: Timestamp, max_age: Duration, now: Timestamp) -> bool {
    at.age(now).is_some_and(|age| age <= max_age)
}

/// Passes results from the gateway and the poller to the readers. All clones share one state.
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

    /// Replaces the snapshot. A snapshot with the same entries as the last one is ignored.
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

    /// Notifies of new snapshots.
    pub fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.subscribe()
    }

    /// The latest snapshot.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshots.borrow().clone()
    }
}

/// Whether both hold the same entries, by address.
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
        assert!(is_change(&[a.clone(), entry("b")]), "a new copy of an entry");
        assert!(is_change(&[a]), "one less");
    }
}
