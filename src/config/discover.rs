//! The `[[discover]]` blocks: which keywords are followed.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tiktok_api::Region;
use units::{DAY, duration::show};

use super::refresh::{RefreshConfig, read_ages};
use super::section::Section;
use super::watch::group;
use super::{ApiConfig, PostsConfig, posts, value};
use crate::discovery::{Followed, TRIAL_GROUP};
use crate::model::Keyword;
use crate::watch::Terms;

pub(super) const KEYS: &[&str] = &[
    "keyword",
    "regions",
    "top",
    "min_views",
    "promote",
    "trial",
    "follow_posts",
    "group",
    "search_interval",
    "totals_interval",
    "posts_interval",
    "max_age",
    "pages_max",
];

const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(90 * 86_400);
const DEFAULT_TOP: u32 = 10;
const DEFAULT_TRIAL: Duration = Duration::from_secs(7 * DAY.as_secs());
/// More views than any hashtag has, and still a number that is exact everywhere.
const VIEWS_MAX: u64 = 1_000_000_000_000_000;

/// One `[[discover]]` block, unless its keyword is wrong or among those `before`:
///
/// * `keyword`: one or more words, 100 characters at the most. Required.
/// * `regions`: where hashtags on trial, and the keyword's posts, are sampled. Default: any.
/// * `top`: candidates shown at the most, 1 to 30. Default 10.
/// * `min_views`: a hashtag with fewer is no candidate, 0 to 10^15. Default 0.
/// * `promote`: candidates on trial at the same time, 0 to 30. Default 0: none.
/// * `trial`: how long a trial is, 1s to 90d, at least `totals_interval`. Default 7d.
/// * `follow_posts`: whether posts that match the keyword are counted. Default false.
/// * `group`: the group of hashtags on trial. Default `discovery`.
/// * `search_interval`: time between two searches for hashtags, 1s to 90d. Default 1d.
/// * `totals_interval`, `posts_interval`, `max_age`, `pages_max`: as in a `[[watch]]` block.
pub(super) fn read_block(
    mut section: Section,
    refresh: &RefreshConfig,
    posts: &PostsConfig,
    api: &ApiConfig,
    before: &[Followed],
) -> Option<Followed> {
    // Every key is read whether there is a keyword or not, so that every mistake is found.
    let keyword = read_keyword(&mut section, before);
    let regions: BTreeSet<Region> =
        section.texts("regions", value::list, Region::parse).into_iter().collect();
    let [top, promote] = [("top", DEFAULT_TOP, 1..=30), ("promote", 0, 0..=30)]
        .map(|(key, default, range)| section.small_integer(key, default, range))
        .map(|number| usize::try_from(number).unwrap_or(usize::MAX));
    let min_views = section.integer("min_views", 0, 0..=VIEWS_MAX);
    let trial = section.duration("trial", DEFAULT_TRIAL, INTERVAL);
    let follow_posts = section.get("follow_posts", false, value::flag);
    let group = section.get("group", TRIAL_GROUP.into(), group);
    let search_interval = section.duration("search_interval", DAY, INTERVAL);
    let ages = read_ages(&mut section, refresh, api);
    let pages_max = posts::read_pages_max(&mut section, posts.pages_max);
    let followed = keyword.map(|keyword| Followed {
        keyword,
        top,
        min_views,
        promote,
        trial,
        search_interval,
        follow_posts,
        terms: Arc::new(Terms {
            group,
            regions: if regions.is_empty() { vec![Region::Any] } else { regions.into_iter().collect() },
            totals_interval: ages.totals_interval,
            posts_interval: ages.posts_interval,
            max_age: ages.max_age,
            pages_max,
        }),
        watched_elsewhere: Arc::default(),
    });
    if let Some(followed) = &followed {
        check(&mut section, followed);
    }
    section.finish();
    followed
}

fn read_keyword(section: &mut Section, before: &[Followed]) -> Option<Keyword> {
    if !section.is_given("keyword") {
        section.problem("keyword", "is missing (what to search for: one or more words)");
    }
    let keyword = section.get("keyword", None, |given| {
        let text = value::text(given)?;
        Keyword::parse(text).map(Some).map_err(|why| format!("{} {why}", value::quote(text)))
    });
    if let Some(keyword) = &keyword
        && let Some(index) = before.iter().position(|followed| followed.keyword == *keyword)
    {
        let message = format!("{} is already followed by discover[{index}]", value::quote(keyword.as_str()));
        section.problem("keyword", message);
    }
    keyword
}

fn check(section: &mut Section, followed: &Followed) {
    let (search, max_age) = (show(followed.search_interval), show(followed.terms.max_age));
    if section.is_sound(&["search_interval", "max_age"]) && followed.terms.max_age <= followed.search_interval
    {
        section.problem(
            "search_interval",
            format!("{search} is not shorter than max_age ({max_age}): candidates would vanish between two searches"),
        );
    }
    let (trial, totals) = (show(followed.trial), show(followed.terms.totals_interval));
    if section.is_sound(&["trial", "totals_interval"])
        && followed.promote > 0
        && followed.trial < followed.terms.totals_interval
    {
        section.problem(
            "trial",
            format!(
                "{trial} is shorter than totals_interval ({totals}): a trial would end before a second look"
            ),
        );
    }
}
