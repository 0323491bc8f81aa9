//! Which candidates are watched on trial. Pure: told the time.
//!
//! * A place on trial goes to the candidate likeliest to take off ([`Growth::chance`]): unknown ones
//!   come before those that are known to stand still, which get none.
//! * There are as many places per keyword as the operator says, and no hashtag is on trial twice.
//! * Any sign of life, a velocity of at least [`HEATING_UP`], starts the trial period anew. A hashtag
//!   that has shown none for a whole period leaves, as does one that the upstream does not know. One
//!   that could not be looked at was not seen to be quiet, and stays.
//! * Who has left rests for a while, so that others have their turn.

use std::collections::BTreeMap;
use std::time::Duration;

use tiktok_api::Hashtag;
use units::Timestamp;

use super::{Candidate, Course, Followed};
use crate::model::{Growth, HEATING_UP, Keyword, SampleStats};

/// Who has left is not promoted again for so many trial periods.
const REST: u32 = 4;
/// So many posts in a day of a sample are no coincidence.
const POSTS_LEAST: u64 = 3;

/// A hashtag that is watched on trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The keyword that led to it.
    pub keyword: Keyword,
    /// The hashtag.
    pub hashtag: Hashtag,
    /// When it joined the watchlist.
    pub since: Timestamp,
    /// When it was last looked at.
    pub seen_at: Option<Timestamp>,
    /// When it last showed a sign of life.
    pub lively_at: Option<Timestamp>,
    /// Its counts of posts since it joined.
    pub course: Course,
}

/// Who is on trial, and who rests after one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trials {
    running: BTreeMap<Hashtag, Trial>,
    /// Who has left, and until when it is not promoted again.
    resting: BTreeMap<Hashtag, Timestamp>,
}

/// What a review changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// This hashtag is on trial from now on.
    Joined(Keyword, Hashtag),
    /// This hashtag is not any more, and why.
    Left(Keyword, Hashtag, Why),
}

/// Why a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It stayed quiet.
    Quiet,
    /// The upstream does not know the hashtag.
    NotFound,
    /// The keyword is not followed any more, or has fewer places.
    NoPlace,
    /// The operator has listed the hashtag.
    Listed,
}

/// What is known of a hashtag on trial after a refresh.
pub struct Look<'a> {
    /// When the refresh was.
    pub at: Timestamp,
    /// The count of posts, if this refresh brought it.
    pub posts: Option<u64>,
    /// The sample of posts, if this refresh brought it.
    pub sample: Option<&'a SampleStats>,
}

impl Trial {
    fn new(keyword: Keyword, hashtag: Hashtag, now: Timestamp) -> Self {
        let course = Course::default();
        Self { keyword, hashtag, since: now, seen_at: None, lively_at: None, course }
    }

    /// When it leaves if it stays quiet for a `period`.
    pub fn ends(&self, period: Duration) -> Timestamp {
        self.lively_at.map_or(self.since, |at| at.max(self.since)) + period
    }

    fn look(&mut self, look: &Look<'_>) {
        self.seen_at = Some(look.at);
        if let Some(posts) = look.posts {
            self.course.push(posts, look.at);
        }
        let by_total = look.posts.and_then(|_| self.course.velocity()).is_some_and(|v| v >= HEATING_UP);
        let by_sample = look.sample.is_some_and(|stats| {
            !stats.saturated && stats.velocity >= HEATING_UP && stats.posts_24h >= POSTS_LEAST
        });
        if by_total || by_sample {
            self.lively_at = Some(look.at);
        }
    }

    fn date_anew(&mut self, now: Timestamp, back: Duration) {
        let times = [Some(&mut self.since), self.seen_at.as_mut(), self.lively_at.as_mut()];
        for at in times.into_iter().flatten().filter(|at| **at > now) {
            *at = *at - back;
        }
        self.course.date_anew(now, back);
    }
}

impl Trials {
    /// What a store remembers. What is dated after `now` was written under a wrong clock.
    pub fn from_parts(running: Vec<Trial>, resting: BTreeMap<Hashtag, Timestamp>, now: Timestamp) -> Self {
        let sound = |mut trial: Trial| {
            trial.since = trial.since.min(now);
            trial.lively_at = trial.lively_at.map(|at| at.min(now));
            (trial.hashtag.clone(), trial)
        };
        Self { running: running.into_iter().map(sound).collect(), resting }
    }

    /// Who is on trial, sorted by hashtag.
    pub fn running(&self) -> impl Iterator<Item = &Trial> {
        self.running.values()
    }

    /// Who rests after a trial, and until when.
    pub fn resting(&self) -> impl Iterator<Item = (&Hashtag, Timestamp)> {
        self.resting.iter().map(|(hashtag, until)| (hashtag, *until))
    }

    /// Who is on trial for a keyword, sorted by hashtag.
    pub fn of<'a>(&'a self, keyword: &'a Keyword) -> impl Iterator<Item = &'a Trial> {
        self.running().filter(move |trial| trial.keyword == *keyword)
    }

    /// Whether a hashtag is on trial.
    pub fn contains(&self, hashtag: &Hashtag) -> bool {
        self.running.contains_key(hashtag)
    }

    /// Takes in what a refresh brought, if its hashtag is on trial.
    pub fn look(&mut self, hashtag: &Hashtag, look: &Look<'_>) {
        if let Some(trial) = self.running.get_mut(hashtag) {
            trial.look(look);
        }
    }

    /// Moves what lies after `now` back in time by `back`, for the clock was wrong.
    pub fn date_anew(&mut self, now: Timestamp, back: Duration) {
        self.running.values_mut().for_each(|trial| trial.date_anew(now, back));
    }

    /// Ends trials whose time has come and gives free places to `candidates`, which are those of each
    /// keyword. Nobody is sent away who `is_busy`, for a request is under way; whoever is `listed` needs
    /// no trial, and whoever `is_gone` deserves none.
    pub fn review<'a>(
        &mut self,
        following: &'a [Followed],
        candidates: impl Fn(&Followed) -> &'a [Candidate],
        now: Timestamp,
        known: &dyn Known,
    ) -> Vec<Change> {
        self.resting.retain(|_, until| *until > now);
        let mut changes = Vec::new();
        for (hashtag, why, period) in self.leaving(following, now, known) {
            let Some(trial) = self.running.remove(&hashtag) else { continue };
            if matches!(why, Why::Quiet | Why::NotFound) {
                self.resting.insert(hashtag.clone(), now + period * REST);
            }
            changes.push(Change::Left(trial.keyword, hashtag, why));
        }
        for followed in following {
            let room = followed.promote.saturating_sub(self.of(&followed.keyword).count());
            for hashtag in self.next(candidates(followed), room, now, known) {
                let trial = Trial::new(followed.keyword.clone(), hashtag.clone(), now);
                self.running.insert(hashtag.clone(), trial);
                changes.push(Change::Joined(followed.keyword.clone(), hashtag));
            }
        }
        changes
    }

    /// Who has to go, why, and after how long a trial.
    fn leaving(
        &self,
        following: &[Followed],
        now: Timestamp,
        known: &dyn Known,
    ) -> Vec<(Hashtag, Why, Duration)> {
        let mut places: BTreeMap<&Keyword, usize> =
            following.iter().map(|followed| (&followed.keyword, followed.promote)).collect();
        let mut oldest_first: Vec<&Trial> = self.running().collect();
        oldest_first.sort_by_key(|trial| (trial.since, trial.hashtag.clone()));
        let why = |trial: &&Trial| {
            let followed = following.iter().find(|followed| followed.keyword == trial.keyword);
            let period = followed.map_or(Duration::ZERO, |followed| followed.trial);
            let reason = if known.is_listed(&trial.hashtag) {
                Some(Why::Listed)
            } else if known.is_gone(&trial.hashtag) {
                Some(Why::NotFound)
            } else if trial.seen_at.is_some() && trial.ends(period) <= now {
                Some(Why::Quiet)
            } else {
                // Whoever goes for another reason takes no place from those who stay.
                let free = places.get_mut(&trial.keyword).filter(|free| **free > 0);
                free.map_or(Some(Why::NoPlace), |free| {
                    *free -= 1;
                    None
                })
            };
            reason.map(|reason| (trial.hashtag.clone(), reason, period))
        };
        let leaving = oldest_first.iter().filter_map(why);
        leaving.filter(|(hashtag, ..)| !known.is_busy(hashtag)).collect()
    }

    /// The `room` likeliest candidates that may join.
    fn next(&self, candidates: &[Candidate], room: usize, now: Timestamp, known: &dyn Known) -> Vec<Hashtag> {
        let chance = |candidate: &Candidate| candidate.growth.map_or(Growth::UNKNOWN, |g| g.chance(now));
        let may_join = |candidate: &&Candidate| {
            let hashtag = &candidate.hashtag;
            !self.running.contains_key(hashtag)
                && !self.resting.contains_key(hashtag)
                && !known.is_listed(hashtag)
                && !known.is_gone(hashtag)
                && chance(candidate) >= Growth::UNKNOWN * 0.999
        };
        let mut able: Vec<&Candidate> = candidates.iter().filter(may_join).collect();
        // A stable sort: among equals the larger one stays first.
        able.sort_by(|a, b| chance(b).total_cmp(&chance(a)));
        able.into_iter().take(room).map(|candidate| candidate.hashtag.clone()).collect()
    }
}

/// What others know about hashtags.
pub trait Known {
    /// Whether the operator has listed it.
    fn is_listed(&self, hashtag: &Hashtag) -> bool;
    /// Whether the upstream says that there is no such hashtag.
    fn is_gone(&self, hashtag: &Hashtag) -> bool;
    /// Whether a request about it is under way.
    fn is_busy(&self, hashtag: &Hashtag) -> bool;
}

impl Why {
    /// The reason as a log line ends.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Quiet => "it stayed quiet for a whole trial period",
            Why::NotFound => "the upstream does not know it",
            Why::NoPlace => "its keyword is not followed any more, or has fewer places",
            Why::Listed => "it is on the watchlist for good",
        }
    }
}
