//! Recurring jobs.

use std::time::Duration;

use tiktok_api::{Hashtag, Region};
use units::Timestamp;

use crate::discovery::Followed;
use crate::model::{JobKind, Keyword};
use crate::state::Outcome;
use crate::watch::{Watched, Watchlist};

/// What a job is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A watched hashtag.
    Hashtag(Hashtag),
    /// A followed keyword.
    Keyword(Keyword),
}

/// A recurring refresh. Ordered by subject, totals before posts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job {
    /// What it is about.
    pub subject: Subject,
    /// The region of the posts. `None` for the totals of a hashtag, and for the hashtags of a keyword.
    pub region: Option<Region>,
}

/// A job with its configured interval.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The job.
    pub job: Job,
    /// The kind, which decides its share of the budget.
    pub kind: JobKind,
    /// The configured interval.
    pub interval: Duration,
}

/// What is known about a job from earlier refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Past {
    /// When its last refresh ended, and how.
    pub last: Option<(Timestamp, Outcome)>,
    /// Whether posts can be requested: the id of the hashtag is known and was not reported as not found.
    pub resolved: bool,
    /// Whether the API last reported the subject as not found, regardless of later failures.
    pub absent: bool,
}

impl Job {
    /// The totals of a hashtag, or its posts in a region.
    pub fn of_hashtag(hashtag: &Hashtag, region: Option<Region>) -> Self {
        Self { subject: Subject::Hashtag(hashtag.clone()), region }
    }

    /// A search for the hashtags of a keyword, or for its posts in a region.
    pub fn of_keyword(keyword: &Keyword, region: Option<Region>) -> Self {
        Self { subject: Subject::Keyword(keyword.clone()), region }
    }
}

/// All jobs of a watchlist and the followed keywords, sorted and unique.
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
