//! Followed keywords and the figures of their posts.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tiktok_api::Hashtag;
use units::{DAY, Timestamp, WEEK};

use super::{Candidate, Candidates, Trials};
use crate::model::{Keyword, PostSample};
use crate::watch::{Terms, Watched, Watchlist};

/// The default group of hashtags on trial.
pub const TRIAL_GROUP: &str = "discovery";

/// A keyword that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Followed {
    /// The keyword.
    pub keyword: Keyword,
    /// Maximum number of candidates to show, the largest first.
    pub top: usize,
    /// Minimum number of views of a candidate.
    pub min_views: u64,
    /// Maximum number of candidates on trial at the same time.
    pub promote: usize,
    /// How long a trial lasts without activity.
    pub trial: Duration,
    /// Interval between searches for hashtags.
    pub search_interval: Duration,
    /// Whether to sample the posts that match the keyword as well.
    pub follow_posts: bool,
    /// How hashtags on trial are watched. Regions, posts interval, maximum age and pages also apply to the
    /// keyword itself.
    pub terms: Arc<Terms>,
    /// Hashtags that other shards watch; they are no candidates.
    pub watched_elsewhere: Arc<BTreeSet<Hashtag>>,
}

/// The figures of a sample of posts that match a keyword in a region.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeywordStats {
    /// Posts published within the last 24 hours.
    pub posts_24h: u64,
    /// Posts published within the last 7 days.
    pub posts_7d: u64,
    /// Plays of the posts of the last 24 hours; absent if there are posts but none has a count of plays.
    pub plays_24h: Option<u64>,
    /// Plays of the posts of the last 7 days; likewise absent.
    pub plays_7d: Option<u64>,
    /// Whether there are more posts than the sample holds, which makes the figures lower bounds.
    pub saturated: bool,
    /// Pages requested.
    pub pages: u32,
}

impl Followed {
    /// The candidates that are shown and may be promoted: the largest hashtags that are not listed in the
    /// configuration.
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

    /// Maximum number of pairs of hashtag and region that its trials add to the watchlist.
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
            let is_empty = posts.peek().is_none();
            let plays: Vec<u64> = posts.filter_map(|post| post.plays).collect();
            (is_empty || !plays.is_empty()).then(|| plays.into_iter().fold(0, u64::saturating_add))
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
    /// The watchlist plus the hashtags on trial. Listed hashtags are not changed.
    #[must_use]
    pub fn with_trials(&self, trials: &Trials, following: &[Followed]) -> Self {
        let new = trials.running().filter(|trial| self.get(&trial.hashtag).is_none());
        let mut entries = self.entries.clone();
        entries.extend(new.filter_map(|trial| {
            let followed = following.iter().find(|followed| followed.keyword == trial.keyword)?;
            Some(followed.watched(&trial.hashtag))
        }));
        entries.sort_by(|a, b| a.hashtag.cmp(&b.hashtag));
        Self { entries }
    }
}
