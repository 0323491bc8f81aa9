//! What is refreshed again and again.

use std::time::Duration;

use tiktok_api::{Hashtag, Region};
use units::Timestamp;

use crate::discovery::Followed;
use crate::model::Keyword;
use crate::state::{JobKind, Outcome};
use crate::watch::{Watched, Watchlist};

/// What a job is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A hashtag that is watched.
    Hashtag(Hashtag),
    /// A keyword that is followed.
    Keyword(Keyword),
}

/// One thing to refresh again and again. Ordered: totals before posts of the same hashtag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job {
    /// What it is about.
    pub subject: Subject,
    /// The region whose posts are refreshed; `None` for the totals of a hashtag, and for the hashtags
    /// that a keyword leads to.
    pub region: Option<Region>,
}

/// A job, how often it is to be run, and what on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The job.
    pub job: Job,
    /// Whose share of the budget it lives on.
    pub kind: JobKind,
    /// How often, as configured.
    pub interval: Duration,
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

impl Job {
    /// A job about a hashtag: its totals, or its posts in a region.
    pub fn of_hashtag(hashtag: &Hashtag, region: Option<Region>) -> Self {
        Self { subject: Subject::Hashtag(hashtag.clone()), region }
    }

    /// A job about a keyword: a search for hashtags, or for posts in a region.
    pub fn of_keyword(keyword: &Keyword, region: Option<Region>) -> Self {
        Self { subject: Subject::Keyword(keyword.clone()), region }
    }
}

/// Every job there is to do, sorted, each once.
pub fn jobs<'a>(
    watchlist: &'a Watchlist,
    following: &'a [Followed],
) -> impl Iterator<Item = Planned> + use<'a> {
    let of_hashtag = |watched: &'a Watched| {
        let kind = |kind| if watched.on_trial { JobKind::Discovery } else { kind };
        let planned = move |region, kind, interval| Planned {
            job: Job::of_hashtag(&watched.hashtag, region),
            kind,
            interval,
        };
        let (totals, posts) = (kind(JobKind::Totals), kind(JobKind::Posts));
        let regions = watched.terms.regions.iter();
        std::iter::once(planned(None, totals, watched.terms.totals_interval))
            .chain(regions.map(move |region| planned(Some(*region), posts, watched.terms.posts_interval)))
    };
    let of_keyword = |followed: &'a Followed| {
        let planned = move |region, interval| Planned {
            job: Job::of_keyword(&followed.keyword, region),
            kind: JobKind::Discovery,
            interval,
        };
        let regions = followed.terms.regions.iter().filter(|_| followed.follow_posts);
        std::iter::once(planned(None, followed.search_interval))
            .chain(regions.map(move |region| planned(Some(*region), followed.terms.posts_interval)))
    };
    let mut following: Vec<&Followed> = following.iter().collect();
    following.sort_by(|a, b| a.keyword.cmp(&b.keyword));
    watchlist.entries.iter().flat_map(of_hashtag).chain(following.into_iter().flat_map(of_keyword))
}
