//! The `[[discover]]` blocks: which keywords are followed.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use tiktok_api::Region;
use units::{DAY, duration::show};

use super::refresh::RefreshConfig;
use super::section::Section;
use super::watch::read_terms;
use super::{ApiConfig, PostsConfig, value};
use crate::discovery::{Followed, TRIAL_GROUP};
use crate::model::Keyword;

const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(90 * 86_400);
const DEFAULT_TOP: usize = 10;
const DEFAULT_TRIAL: Duration = Duration::from_secs(7 * DAY.as_secs());
/// More views than any hashtag has; a float still represents it exactly.
const VIEWS_MAX: u64 = 1_000_000_000_000_000;

/// One `[[discover]]` block. `None` if its keyword is invalid or one of those `before`:
///
/// * `keyword`: one or more words, at most 100 characters. Required.
/// * `regions`: the regions in which hashtags on trial and the keyword's posts are sampled. Default: any.
/// * `top`: maximum candidates shown, 1 to 30. Default 10.
/// * `min_views`: minimum views of a candidate, 0 to 10^15. Default 0.
/// * `promote`: maximum candidates on trial at the same time, 0 to 30. Default 0: none.
/// * `trial`: duration of a trial, 1s to 90d, at least `totals_interval`. Default 7d.
/// * `follow_posts`: whether posts that match the keyword are counted. Default false.
/// * `group`: the group of hashtags on trial. Default `discovery`.
/// * `search_interval`: interval between searches for hashtags, 1s to 90d. Default 1d.
/// * `totals_interval`, `posts_interval`, `max_age`, `pages_max`: as in a `[[watch]]` block.
pub(super) fn read_block(
    mut section: Section,
    refresh: &RefreshConfig,
    posts: &PostsConfig,
    api: &ApiConfig,
    before: &[Followed],
) -> Option<Followed> {
    // Every key is read even without a keyword, so that all problems are reported.
    let keyword = read_keyword(&mut section, before);
    let top = section.integer("top", DEFAULT_TOP, 1..=30);
    let min_views = section.integer("min_views", 0, 0..=VIEWS_MAX);
    let promote = section.integer("promote", 0, 0..=30);
    let trial = section.duration("trial", DEFAULT_TRIAL, INTERVAL);
    let follow_posts = section.get("follow_posts", false, value::flag);
    let search_interval = section.duration("search_interval", DAY, INTERVAL);
    let mut terms = read_terms(&mut section, TRIAL_GROUP, refresh, posts, api);
    terms.regions.sort_unstable();
    terms.regions.dedup();
    if terms.regions.is_empty() {
        terms.regions.push(Region::Any);
    }
    let followed = keyword.map(|keyword| Followed {
        keyword,
        top,
        min_views,
        promote,
        trial,
        search_interval,
        follow_posts,
        terms: Arc::new(terms),
        watched_elsewhere: Arc::default(),
    });
    if let Some(followed) = &followed {
        check(&mut section, followed);
    }
    section.finish();
    followed
}

fn read_keyword(section: &mut Section, before: &[Followed]) -> Option<Keyword> {
    if !section.is_set("keyword") {
        section.problem("keyword", "is missing (what to search for: one or more words)");
    }
    let keyword = section.parsed("keyword", None, |text| Keyword::parse(text).map(Some));
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
    if section.is_valid(&["search_interval", "max_age"]) && followed.terms.max_age <= followed.search_interval
    {
        section.problem(
            "search_interval",
            format!("{search} is not shorter than max_age ({max_age}): candidates would disappear between two searches"),
        );
    }
    let (trial, totals) = (show(followed.trial), show(followed.terms.totals_interval));
    if section.is_valid(&["trial", "totals_interval"])
        && followed.promote > 0
        && followed.trial < followed.terms.totals_interval
    {
        section.problem(
            "trial",
            format!(
                "{trial} is shorter than totals_interval ({totals}): a trial would end before the second refresh"
            ),
        );
    }
}
