//! Keywords that are followed, and what posts say about one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tiktok_api::Hashtag;
use units::{DAY, Timestamp, WEEK};

use super::{Candidate, Candidates, Trials};
use crate::model::{Keyword, PostSample};
use crate::watch::{Terms, Watched, Watchlist};

/// The group of hashtags on trial, unless the operator names another.
pub const TRIAL_GROUP: &str = "discovery";

/// One keyword that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The keyword.
    pub keyword: Keyword,
    /// Candidates shown at the most, the largest first.
    pub top: usize,
    /// A hashtag with fewer views is no candidate.
    pub min_views: u64,
    /// Candidates that may be on trial at the same time.
    pub promote: usize,
    /// How long a trial is without any sign of life.
    pub trial: Duration,
    /// Time between two searches for hashtags.
    pub search_interval: Duration,
    /// Whether the posts that match the keyword are counted, too.
    pub follow_posts: bool,
    /// How hashtags on trial are watched. The regions, the posts' interval, the age and the pages also hold
    /// for what is found of the keyword.
    pub terms: Arc<Terms>,
    /// Hashtags that other exporters watch which share the watchlist: no candidates either.
    pub watched_elsewhere: Arc<BTreeSet<Hashtag>>,
}

/// What a search for posts says about a keyword in a region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeywordStats {
    /// Posts published within the last 24 hours.
    pub posts_24h: u64,
    /// Posts published within the last 7 days.
    pub posts_7d: u64,
    /// Plays of the posts of the last 24 hours; absent when there are some and none says.
    pub plays_24h: Option<u64>,
    /// Plays of the posts of the last 7 days; likewise.
    pub plays_7d: Option<u64>,
    /// Whether there are more posts than were looked at: the counts are then the least there are.
    pub saturated: bool,
    /// Pages asked for.
    pub pages: u32,
}

impl Followed {
    /// The candidates that are shown, and may be promoted: the largest of those that nobody `listed`.
    pub fn choose(&self, found: &Candidates, listed: impl Fn(&Hashtag) -> bool) -> Vec<Candidate> {
        let may_be_chosen = |candidate: &&Candidate| {
            let is_watched =
                listed(&candidate.hashtag) || self.watched_elsewhere.contains(&candidate.hashtag);
            candidate.views.unwrap_or(0) >= self.min_views && !is_watched
        };
        let mut chosen: Vec<Candidate> = found.all.iter().filter(may_be_chosen).cloned().collect();
        chosen.sort_by(|a, b| b.views.cmp(&a.views).then_with(|| a.hashtag.cmp(&b.hashtag)));
        chosen.truncate(self.top);
        chosen
    }

    /// Pairs of hashtag and region that its trials can add to the watchlist.
    pub fn pairs(&self) -> usize {
        self.promote * self.terms.regions.len()
    }

    fn watched(&self, hashtag: &Hashtag) -> Watched {
        Watched { hashtag: hashtag.clone(), terms: self.terms.clone(), on_trial: true }
    }
}

impl KeywordStats {
    /// The figures of a sample taken at `now`.
    pub fn new(sample: &PostSample, now: Timestamp) -> Self {
        let count = |window| sample.published_within(window, now).count() as u64;
        let plays = |window| {
            let mut posts = sample.published_within(window, now).peekable();
            let none = posts.peek().is_none();
            let said: Vec<u64> = posts.filter_map(|post| post.plays).collect();
            (none || !said.is_empty()).then(|| said.into_iter().fold(0, u64::saturating_add))
        };
        Self {
            posts_24h: count(DAY),
            posts_7d: count(WEEK),
            plays_24h: plays(DAY),
            plays_7d: plays(WEEK),
            saturated: !sample.exhausted && !sample.reaches_back_a_week(now),
            pages: sample.pages,
        }
    }
}

impl Watchlist {
    /// The watchlist with the hashtags on trial. One that is listed stays as it is listed.
    #[must_use]
    pub fn joined_by(&self, trials: &Trials, following: &[Followed]) -> Self {
        let joining = trials.running().filter(|trial| self.get(&trial.hashtag).is_none());
        let mut entries = self.entries.clone();
        entries.extend(joining.filter_map(|trial| {
            let followed = following.iter().find(|followed| followed.keyword == trial.keyword)?;
            Some(followed.watched(&trial.hashtag))
        }));
        entries.sort_by(|a, b| a.hashtag.cmp(&b.hashtag));
        Self { entries }
    }
}
