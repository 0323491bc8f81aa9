//! The candidates on trial. Pure: takes the time as an argument.
//!
//! * A free place goes to the candidate most likely to take off ([`Growth::chance`]). Candidates of unknown
//!   growth come before those that are known to stand still, which get no place.
//! * The configuration sets the number of places per keyword. A hashtag is on trial for one keyword only.
//! * Activity, a velocity of at least [`HEATING_UP`], restarts the trial period. A hashtag without activity
//!   for a whole period leaves, as does one that the API does not know. A hashtag that was never refreshed
//!   stays.
//! * A hashtag that has left cannot join again for some periods, so that others get a place.

use std::collections::BTreeMap;
use std::time::Duration;

use tiktok_api::Hashtag;
use units::Timestamp;

use super::{Candidate, Followed, PostCounts};
use crate::model::{Growth, HEATING_UP, Keyword, SampleStats};

/// Trial periods for which a hashtag that has left cannot join again.
const REST_PERIODS: u32 = 4;
/// Posts per day in a sample below which its velocity is noise.
const POSTS_MIN: u64 = 3;

/// A hashtag on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The keyword whose search found it.
    pub keyword: Keyword,
    /// The hashtag.
    pub hashtag: Hashtag,
    /// When it joined the watchlist.
    pub since: Timestamp,
    /// When it was last refreshed.
    pub refreshed_at: Option<Timestamp>,
    /// When it was last active.
    pub active_at: Option<Timestamp>,
    /// Its number of posts since it joined, over the last week at most.
    pub post_counts: PostCounts,
}

/// The hashtags on trial, and those that have left recently.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trials {
    running: BTreeMap<Hashtag, Trial>,
    /// Hashtags that have left, and when each may join again.
    resting: BTreeMap<Hashtag, Timestamp>,
}

/// A change made by a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A hashtag joined the watchlist on trial.
    Joined(Keyword, Hashtag),
    /// A trial ended.
    Left(Keyword, Hashtag, EndReason),
}

/// Why a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndReason {
    /// No activity for a whole trial period.
    Quiet,
    /// The API does not know the hashtag.
    NotFound,
    /// The keyword is no longer followed, or has fewer places.
    NoPlace,
    /// The hashtag is now listed in the configuration.
    Listed,
}

/// The result of a refresh of a hashtag on trial.
pub struct Observation<'a> {
    /// When the API answered.
    pub at: Timestamp,
    /// The number of posts, if this refresh returned it.
    pub posts: Option<u64>,
    /// The figures of the posts, if this refresh sampled them.
    pub sample: Option<&'a SampleStats>,
}

impl Trial {
    fn new(keyword: Keyword, hashtag: Hashtag, now: Timestamp) -> Self {
        let post_counts = PostCounts::default();
        Self { keyword, hashtag, since: now, refreshed_at: None, active_at: None, post_counts }
    }

    /// When it leaves if there is no activity for a `period`.
    pub fn ends(&self, period: Duration) -> Timestamp {
        self.active_at.map_or(self.since, |at| at.max(self.since)) + period
    }

    fn observe(&mut self, seen: &Observation<'_>) {
        self.refreshed_at = Some(seen.at);
        if let Some(posts) = seen.posts {
            self.post_counts.push(posts, seen.at);
        }
        let by_total = seen.posts.and_then(|_| self.post_counts.velocity()).is_some_and(|v| v >= HEATING_UP);
        let by_sample = seen.sample.is_some_and(|stats| {
            !stats.saturated && stats.velocity >= HEATING_UP && stats.posts_24h >= POSTS_MIN
        });
        if by_total || by_sample {
            self.active_at = Some(seen.at);
        }
    }

    fn visit_timestamps(&mut self, visit: &mut dyn FnMut(&mut Timestamp)) {
        visit(&mut self.since);
        self.refreshed_at.iter_mut().chain(&mut self.active_at).for_each(&mut *visit);
        self.post_counts.visit_timestamps(visit);
    }
}

impl Trials {
    /// From the store. Times after `now` were written by a clock that was wrong, and become `now`: a trial
    /// must not last longer because of that.
    pub fn from_parts(running: Vec<Trial>, resting: BTreeMap<Hashtag, Timestamp>, now: Timestamp) -> Self {
        let clamped = |mut trial: Trial| {
            trial.since = trial.since.min(now);
            trial.active_at = trial.active_at.map(|at| at.min(now));
            (trial.hashtag.clone(), trial)
        };
        Self { running: running.into_iter().map(clamped).collect(), resting }
    }

    /// The running trials, sorted by hashtag.
    pub fn running(&self) -> impl Iterator<Item = &Trial> {
        self.running.values()
    }

    /// The hashtags that have left recently, and when each may join again.
    pub fn resting(&self) -> impl Iterator<Item = (&Hashtag, Timestamp)> {
        self.resting.iter().map(|(hashtag, until)| (hashtag, *until))
    }

    /// The running trials of a keyword, sorted by hashtag.
    pub fn of<'a>(&'a self, keyword: &'a Keyword) -> impl Iterator<Item = &'a Trial> {
        self.running().filter(move |trial| trial.keyword == *keyword)
    }

    /// Whether a hashtag is on trial.
    pub fn contains(&self, hashtag: &Hashtag) -> bool {
        self.running.contains_key(hashtag)
    }

    /// Enters the result of a refresh, if the hashtag is on trial.
    pub fn observe(&mut self, hashtag: &Hashtag, seen: &Observation<'_>) {
        if let Some(trial) = self.running.get_mut(hashtag) {
            trial.observe(seen);
        }
    }

    /// Passes every timestamp of the past to `visit`, which may change it. Rest periods are in the future and
    /// not passed.
    pub(crate) fn visit_timestamps(&mut self, visit: &mut dyn FnMut(&mut Timestamp)) {
        self.running.values_mut().for_each(|trial| trial.visit_timestamps(visit));
    }

    /// Ends trials that are over, and fills free places from the `candidates` of each keyword. Returns what
    /// changed. A hashtag with a request in flight does not leave.
    pub fn review<'a>(
        &mut self,
        following: &'a [Followed],
        candidates: impl Fn(&Followed) -> &'a [Candidate],
        now: Timestamp,
        status: &dyn HashtagStatus,
    ) -> Vec<Change> {
        self.resting.retain(|_, until| *until > now);
        let mut changes = Vec::new();
        for (hashtag, reason, period) in self.leaving(following, now, status) {
            let Some(trial) = self.running.remove(&hashtag) else { continue };
            if matches!(reason, EndReason::Quiet | EndReason::NotFound) {
                self.resting.insert(hashtag.clone(), now + period * REST_PERIODS);
            }
            changes.push(Change::Left(trial.keyword, hashtag, reason));
        }
        for followed in following {
            let room = followed.promote.saturating_sub(self.of(&followed.keyword).count());
            for hashtag in self.next(candidates(followed), room, now, status) {
                let trial = Trial::new(followed.keyword.clone(), hashtag.clone(), now);
                self.running.insert(hashtag.clone(), trial);
                changes.push(Change::Joined(followed.keyword.clone(), hashtag));
            }
        }
        changes
    }

    /// The hashtags that leave: each with the reason and the trial period of its keyword.
    fn leaving(
        &self,
        following: &[Followed],
        now: Timestamp,
        status: &dyn HashtagStatus,
    ) -> Vec<(Hashtag, EndReason, Duration)> {
        let mut places: BTreeMap<&Keyword, usize> =
            following.iter().map(|followed| (&followed.keyword, followed.promote)).collect();
        let mut oldest_first: Vec<&Trial> = self.running().collect();
        oldest_first.sort_by_key(|trial| (trial.since, trial.hashtag.clone()));
        let reason = |trial: &&Trial| {
            let followed = following.iter().find(|followed| followed.keyword == trial.keyword);
            let period = followed.map_or(Duration::ZERO, |followed| followed.trial);
            let reason = if status.is_listed(&trial.hashtag) {
                Some(EndReason::Listed)
            } else if status.is_gone(&trial.hashtag) {
                Some(EndReason::NotFound)
            } else if trial.refreshed_at.is_some() && trial.ends(period) <= now {
                Some(EndReason::Quiet)
            } else {
                // Trials that end for another reason take no place.
                let free = places.get_mut(&trial.keyword).filter(|free| **free > 0);
                free.map_or(Some(EndReason::NoPlace), |free| {
                    *free -= 1;
                    None
                })
            };
            reason.map(|reason| (trial.hashtag.clone(), reason, period))
        };
        let leaving = oldest_first.iter().filter_map(reason);
        leaving.filter(|(hashtag, ..)| !status.is_busy(hashtag)).collect()
    }

    /// The candidates that join: the `room` most likely to take off.
    fn next(
        &self,
        candidates: &[Candidate],
        room: usize,
        now: Timestamp,
        status: &dyn HashtagStatus,
    ) -> Vec<Hashtag> {
        let chance = |candidate: &Candidate| candidate.growth.map_or(Growth::UNKNOWN, |g| g.chance(now));
        let may_join = |candidate: &&Candidate| {
            let hashtag = &candidate.hashtag;
            !self.running.contains_key(hashtag)
                && !self.resting.contains_key(hashtag)
                && !status.is_listed(hashtag)
                && !status.is_gone(hashtag)
                && chance(candidate) >= Growth::UNKNOWN * 0.999
        };
        let mut able: Vec<&Candidate> = candidates.iter().filter(may_join).collect();
        // The sort is stable: of two equal candidates the larger one stays first.
        able.sort_by(|a, b| chance(b).total_cmp(&chance(a)));
        able.into_iter().take(room).map(|candidate| candidate.hashtag.clone()).collect()
    }
}

/// What the rest of the program knows about a hashtag.
pub trait HashtagStatus {
    /// Whether the configuration lists it.
    fn is_listed(&self, hashtag: &Hashtag) -> bool;
    /// Whether the API says that it does not exist.
    fn is_gone(&self, hashtag: &Hashtag) -> bool;
    /// Whether a request about it is in flight.
    fn is_busy(&self, hashtag: &Hashtag) -> bool;
}

impl EndReason {
    /// The reason in words, for log messages.
    pub fn as_str(self) -> &'static str {
        match self {
            EndReason::Quiet => "no activity for a whole trial period",
            EndReason::NotFound => "the API does not know it",
            EndReason::NoPlace => "its keyword is no longer followed, or has fewer places",
            EndReason::Listed => "it is now listed in the configuration",
        }
    }
}
