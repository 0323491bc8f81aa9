//! The cost formula: what each job and look-up costs, in credits. Pure.
//!
//! A request costs one credit. All forecasts use these functions: `plan` and `check`, the warnings about a
//! short budget, the pacing of the loop, and the quotes of look-ups.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tiktok_api::Region;
use units::per_day;

use super::Need;
use crate::discovery::Followed;
use crate::model::JobKind;
use crate::state::{HashtagState, KeywordState};
use crate::watch::{Watched, Watchlist};

/// Credits for a refresh of a hashtag that is still not found: by name and by search.
const NOT_FOUND: u64 = 2;
/// Maximum credits to find a hashtag: by name, by search and by id.
const LOOK_UP_MOST: u64 = 3;
/// Maximum number of retries of a refresh or look-up, over all its requests.
pub const RETRIES: u32 = 2;

/// Recurring work, such as the posts of one hashtag in one region.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Task {
    /// What is refreshed.
    pub kind: TaskKind,
    /// The kind of job, which decides its share of the budget.
    pub job: JobKind,
    /// Credits per refresh.
    pub credits: f64,
    /// The configured interval.
    pub interval: Duration,
}

/// What a [`Task`] refreshes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TaskKind {
    /// The totals of a hashtag.
    Totals,
    /// Posts of a hashtag in a region.
    Posts(Region),
    /// Hashtags that match a keyword.
    Search,
    /// Posts that match a keyword in a region.
    SearchPosts(Region),
}

impl Task {
    /// Credits per day.
    pub fn per_day(&self) -> f64 {
        self.credits * per_day(self.interval)
    }
}

/// The tasks of a watched hashtag. Without `known` a sample takes all its pages. A hashtag that the API does
/// not know has no posts, and its totals have an interval of at least `not_found_retry`.
pub fn hashtag_tasks<'a>(
    watched: &'a Watched,
    known: Option<&'a HashtagState>,
    not_found_retry: Duration,
) -> impl Iterator<Item = Task> + 'a {
    let terms = &watched.terms;
    let is_gone = known.is_some_and(|known| known.found == Some(false));
    let (totals, posts) = match watched.on_trial {
        true => (JobKind::Discovery, JobKind::Discovery),
        false => (JobKind::Totals, JobKind::Posts),
    };
    let interval = if is_gone { not_found_retry.max(terms.totals_interval) } else { terms.totals_interval };
    let totals =
        Task { kind: TaskKind::Totals, job: totals, credits: hashtag(watched, known, None), interval };
    let regions = if is_gone { &[][..] } else { &terms.regions };
    let posts = regions.iter().map(move |region| Task {
        kind: TaskKind::Posts(*region),
        job: posts,
        credits: hashtag(watched, known, Some(*region)),
        interval: terms.posts_interval,
    });
    std::iter::once(totals).chain(posts)
}

/// The tasks of a followed keyword, without its trials.
pub fn keyword_tasks<'a>(
    followed: &'a Followed,
    known: Option<&'a KeywordState>,
) -> impl Iterator<Item = Task> + 'a {
    let task = move |kind, region, interval| Task {
        kind,
        job: JobKind::Discovery,
        credits: keyword(followed, known, region),
        interval,
    };
    let search = task(TaskKind::Search, None, followed.search_interval);
    let regions = if followed.follow_posts { &followed.terms.regions[..] } else { &[] };
    let posts = regions.iter().map(move |region| {
        task(TaskKind::SearchPosts(*region), Some(*region), followed.terms.posts_interval)
    });
    std::iter::once(search).chain(posts)
}

/// The tasks of a keyword's trials if all places are taken.
pub fn trial_tasks(followed: &Followed) -> Vec<Task> {
    let terms = &followed.terms;
    let task = |kind, credits, interval| Task { kind, job: JobKind::Discovery, credits, interval };
    let posts =
        |region: &Region| task(TaskKind::Posts(*region), pages(None, terms.pages_max), terms.posts_interval);
    let totals = task(TaskKind::Totals, 1.0, terms.totals_interval);
    let one: Vec<Task> = std::iter::once(totals).chain(terms.regions.iter().map(posts)).collect();
    one.repeat(followed.promote)
}

/// The maximum need of the loop: every refresh runs at its interval, every sample takes all its pages, and
/// all places on trial are taken.
pub fn most_needed(watchlist: &Watchlist, following: &[Followed]) -> Need {
    let hashtags = watchlist.entries.iter().flat_map(|watched| hashtag_tasks(watched, None, Duration::ZERO));
    let keywords =
        following.iter().flat_map(|followed| keyword_tasks(followed, None).chain(trial_tasks(followed)));
    hashtags.chain(keywords).collect()
}

/// Likely credits of the next refresh of a hashtag: of its totals, or of its posts in `region`.
pub fn hashtag(watched: &Watched, known: Option<&HashtagState>, region: Option<Region>) -> f64 {
    let Some(region) = region else {
        let is_gone = known.is_some_and(|known| known.found == Some(false));
        return if is_gone { NOT_FOUND as f64 } else { 1.0 };
    };
    let known = known.and_then(|known| known.regions.iter().find(|state| state.region == region));
    let sample = known.and_then(|state| state.sample.as_ref());
    pages(sample.map(|sample| sample.stats().pages), watched.terms.pages_max)
}

/// Likely credits of the next search by keyword: for hashtags, or for posts in `region`.
pub fn keyword(followed: &Followed, known: Option<&KeywordState>, region: Option<Region>) -> f64 {
    let Some(region) = region else { return 1.0 };
    let known = known.and_then(|known| known.regions.iter().find(|state| state.region == region));
    let sample = known.and_then(|state| state.sample.as_ref());
    pages(sample.map(|(_, stats)| stats.pages), followed.terms.pages_max)
}

/// A sample takes as many pages as the last one, or else the maximum.
fn pages(last: Option<u32>, max: u32) -> f64 {
    f64::from(last.unwrap_or(max).clamp(1, max))
}

impl FromIterator<Task> for Need {
    fn from_iter<I: IntoIterator<Item = Task>>(tasks: I) -> Self {
        let mut need = Self::default();
        for task in tasks {
            let sum = match task.job {
                JobKind::Totals => &mut need.totals,
                JobKind::Posts => &mut need.posts,
                JobKind::Discovery => &mut need.discovery,
            };
            *sum += task.per_day();
        }
        need
    }
}

/// The price of an interactive look-up, in credits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Price {
    /// If nothing fails and every hashtag is found by name. Includes all pages, though there may be fewer.
    pub likely: u64,
    /// If no hashtag is found by name.
    pub most: u64,
}

impl Price {
    /// No credits: the answer is in the cache.
    pub const FREE: Price = Price { likely: 0, most: 0 };
    /// One request.
    pub const REQUEST: Price = Price { likely: 1, most: 1 };
    /// Finding a hashtag by name.
    pub const LOOK_UP: Price = Price { likely: 1, most: LOOK_UP_MOST };

    /// `pages` pages of results.
    pub fn pages(pages: u32) -> Self {
        Self { likely: u64::from(pages), most: u64::from(pages) }
    }

    /// The price with the maximum number of retries. Free stays free.
    #[must_use]
    pub fn with_retries(self) -> Self {
        let retries = if self.most > 0 { u64::from(RETRIES) } else { 0 };
        Self { most: self.most + retries, ..self }
    }
}

impl std::ops::AddAssign for Price {
    fn add_assign(&mut self, other: Self) {
        self.likely += other.likely;
        self.most += other.most;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    const WATCH: &str = r#"
        [[watch]]
        hashtags = ["a", "b"]
        regions = ["US", "GB"]
        [[watch]]
        hashtags = ["c"]
        totals_interval = "1h"
        posts_interval = "2d"
        max_age = "9d"
        pages_max = 10
    "#;

    fn need(toml: &str) -> Need {
        let config = config::load_str(toml, []).unwrap().config;
        most_needed(&config.watchlist, &config.following)
    }

    #[test]
    fn totals_cost_once_per_hashtag_and_posts_once_per_page_and_region() {
        let need = need(WATCH);
        // By default totals every 6 h, posts daily, 3 pages.
        assert!((need.totals - (2.0 * 4.0 + 24.0)).abs() < 1e-9, "{need:?}");
        assert!((need.posts - (2.0 * 2.0 * 3.0 + 10.0 / 2.0)).abs() < 1e-9, "{need:?}");
        assert_eq!(need.discovery, 0.0);
    }

    #[test]
    fn a_keyword_costs_its_searches_its_posts_and_its_trials() {
        let keyword = |more: &str| {
            need(&format!(
                "{WATCH}\n[[discover]]\nkeyword = \"k\"\nregions = [\"US\", \"GB\"]\nsearch_interval = \"12h\"\n{more}"
            ))
            .discovery
        };
        let search = 2.0;
        let posts = 2.0 * 3.0;
        let trial = 4.0 + posts;
        assert!((keyword("promote = 0") - search).abs() < 1e-9);
        assert!((keyword("follow_posts = true\npromote = 2") - (search + posts + 2.0 * trial)).abs() < 1e-9);
    }

    #[test]
    fn free_look_ups_have_no_retries() {
        assert_eq!(Price::FREE.with_retries(), Price::FREE);
        assert_eq!(Price::LOOK_UP.with_retries(), Price { likely: 1, most: 5 });
    }
}
