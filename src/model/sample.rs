//! Samples of posts and their figures.
//!
//! The velocity follows the published reference: posts of the last 24 hours divided by the mean posts per day
//! of the last 7 days. It is between 0 and 7, and meaningless if the sample does not reach back 7 days
//! ([`SampleStats::saturated`]).

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tiktok_api::{Post, Region};
use units::{DAY, HOUR, Timestamp, WEEK};

/// A hashtag with at least this velocity is heating up, by the published reference.
pub const HEATING_UP: f64 = 1.5;

/// The date of a post further ahead of the clock than this is ignored.
const CLOCK_SKEW: Duration = HOUR;
/// Number of best posts per sample.
const BEST: usize = 3;

/// The posts that one refresh collected, each post once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PostSample {
    /// The posts, in the order of the API.
    pub posts: Vec<Post>,
    /// Posts on all pages, duplicates included.
    pub seen: u64,
    /// Pages requested.
    pub pages: u32,
    /// Whether the API has no more posts.
    pub exhausted: bool,
}

/// The figures of a [`PostSample`] at the time it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SampleStats {
    /// Posts published within the last 24 hours.
    pub posts_24h: u64,
    /// Posts published within the last 7 days.
    pub posts_7d: u64,
    /// All posts of the sample.
    pub posts_all: u64,
    /// `posts_24h / (posts_7d / 7)`, 0 to 7. 0 if no post is younger than 7 days.
    pub velocity: f64,
    /// `velocity` × mean plays of the posts of the last 24 hours; 0 if there are no such posts, absent if
    /// none of them has a count of plays.
    pub engagement_weighted_velocity: Option<f64>,
    /// Sum of plays over the sample. This and the next four are absent if no post has the count.
    pub plays: Option<u64>,
    /// Sum of likes over the sample.
    pub likes: Option<u64>,
    /// Sum of comments over the sample.
    pub comments: Option<u64>,
    /// Sum of shares over the sample.
    pub shares: Option<u64>,
    /// Sum of saves over the sample.
    pub saves: Option<u64>,
    /// `(likes + comments + shares + saves) / plays`; absent without plays, or when one of the five
    /// sums is. Not bounded by 1.
    pub engagement_ratio: Option<f64>,
    /// Whether there are more posts and the oldest in the sample is younger than 7 days. The velocity then
    /// depends on the size of the sample and not on the hashtag.
    pub saturated: bool,
    /// Age of the oldest dated post in seconds; absent without dated posts.
    pub oldest_post_age_seconds: Option<f64>,
    /// Pages requested.
    pub pages: u32,
    /// Share of the posts from the requested region, 0 to 1. Absent if the sample is empty or the request was
    /// for any region.
    pub region_match_ratio: Option<f64>,
}

impl PostSample {
    /// The publication time of the oldest dated post.
    pub fn oldest(&self, now: Timestamp) -> Option<Timestamp> {
        self.posts.iter().filter_map(|post| dated(post, now)).min()
    }

    /// Whether the sample covers the 7 days that the velocity needs.
    pub fn reaches_back_a_week(&self, now: Timestamp) -> bool {
        self.oldest(now).is_some_and(|oldest| oldest < now - WEEK)
    }

    /// The posts published within `window` before `now`.
    pub fn published_within(&self, window: Duration, now: Timestamp) -> impl Iterator<Item = &Post> {
        self.posts.iter().filter(move |post| dated(post, now).is_some_and(|at| at >= now - window))
    }

    /// The figures of the sample, requested for `region` and taken at `now`.
    pub fn stats(&self, region: Region, now: Timestamp) -> SampleStats {
        let within = |window| self.published_within(window, now);
        let posts_24h = within(DAY).count() as u64;
        let posts_7d = within(WEEK).count() as u64;
        let velocity = if posts_7d == 0 { 0.0 } else { posts_24h as f64 * 7.0 / posts_7d as f64 };

        let plays = self.sum(|post| post.plays);
        let [likes, comments, shares, saves] = [
            self.sum(|post| post.likes),
            self.sum(|post| post.comments),
            self.sum(|post| post.shares),
            self.sum(|post| post.saves),
        ];
        let interactions: Option<f64> =
            [likes, comments, shares, saves].into_iter().map(|sum| sum.map(|count| count as f64)).sum();
        let plays_24h = mean(within(DAY).filter_map(|post| post.plays));

        SampleStats {
            posts_24h,
            posts_7d,
            posts_all: self.posts.len() as u64,
            velocity,
            engagement_weighted_velocity: match plays_24h {
                Some(plays) => Some(velocity * plays),
                None => (posts_24h == 0).then_some(0.0),
            },
            plays,
            likes,
            comments,
            shares,
            saves,
            engagement_ratio: match (interactions, plays) {
                (Some(interactions), Some(plays)) if plays > 0 => Some(interactions / plays as f64),
                _ => None,
            },
            saturated: !self.exhausted && !self.reaches_back_a_week(now),
            oldest_post_age_seconds: self.oldest(now).map(|at| now.saturating_since(at).as_secs_f64()),
            pages: self.pages,
            region_match_ratio: self.region_match_ratio(region),
        }
    }

    /// The three most played posts of the last 7 days, most played first. Filled up with older posts.
    pub fn best(&self, now: Timestamp) -> Vec<Post> {
        let mut posts: Vec<&Post> = self.posts.iter().collect();
        let merit = |post: &Post| {
            let is_recent = dated(post, now).is_some_and(|at| at >= now - WEEK);
            (is_recent, post.plays, post.likes)
        };
        posts.sort_by(|a, b| merit(b).cmp(&merit(a)).then_with(|| a.id.cmp(&b.id)));
        posts.into_iter().take(BEST).cloned().collect()
    }

    /// The sum over the posts that have the count; `None` if there are posts but none has it.
    fn sum(&self, count: impl Fn(&Post) -> Option<u64>) -> Option<u64> {
        let counts: Vec<u64> = self.posts.iter().filter_map(count).collect();
        let unknown = counts.is_empty() && !self.posts.is_empty();
        (!unknown).then(|| counts.into_iter().fold(0, u64::saturating_add))
    }

    fn region_match_ratio(&self, region: Region) -> Option<f64> {
        if region == Region::Any || self.posts.is_empty() {
            return None;
        }
        let matching = self.posts.iter().filter(|post| post.region == Some(region)).count();
        Some(matching as f64 / self.posts.len() as f64)
    }
}

/// The publication time, unless it is in the future.
fn dated(post: &Post, now: Timestamp) -> Option<Timestamp> {
    post.created_at.filter(|at| *at <= now + CLOCK_SKEW)
}

/// The mean; `None` without values.
fn mean(values: impl Iterator<Item = u64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value as f64, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn post(age: Duration, plays: u64) -> Post {
        Post {
            created_at: Some(NOW - age),
            region: Region::parse("US").ok(),
            plays: Some(plays),
            likes: Some(plays / 10),
            comments: None,
            shares: Some(1),
            saves: Some(2),
            ..Post::default()
        }
    }

    fn sample(posts: Vec<Post>, exhausted: bool) -> PostSample {
        PostSample { seen: posts.len() as u64, posts, pages: 2, exhausted }
    }

    #[test]
    fn the_velocity_is_the_last_day_over_the_mean_day_of_the_week() {
        let hours = |hours: u64| Duration::from_secs(hours * 3_600);
        for (ages, velocity, note) in [
            (vec![], 0.0, "nothing"),
            (vec![200, 300], 0.0, "nothing within the week"),
            (vec![1], 7.0, "one post ever, today"),
            (vec![30], 0.0, "nothing today"),
            (vec![12, 36, 60, 84, 108, 132, 156], 1.0, "one a day"),
            (vec![1, 2, 3, 36, 60, 84, 108, 132, 156, 400], 7.0 / 3.0, "three today, one on each day before"),
            (vec![24, 168], 3.5, "both borders belong to their windows"),
        ] {
            let posts = ages.iter().map(|age| post(hours(*age), 100)).collect();
            let stats = sample(posts, true).stats(Region::Any, NOW);
            assert!(
                (stats.velocity - velocity).abs() < 1e-12,
                "{note}: {} is not {velocity}",
                stats.velocity
            );
        }
    }

    #[test]
    fn the_best_posts_are_the_most_played_of_the_week_before_all_older_ones() {
        let of = |id: &str, post: Post| Post { id: id.to_owned(), ..post };
        let posts = vec![
            of("old", post(DAY * 8, 9_000_000)),
            of("silent", Post { plays: None, ..post(HOUR, 0) }),
            of("undated", Post { created_at: None, ..post(HOUR, 5_000_000) }),
            of("future", post(HOUR, 7_000_000)),
            of("b", post(HOUR, 50)),
            of("a", post(DAY, 50)),
            of("most", post(DAY * 6, 700)),
        ];
        let mut future = posts[3].clone();
        future.created_at = Some(NOW + DAY);
        let posts = posts.into_iter().map(|post| if post.id == "future" { future.clone() } else { post });
        let best = |posts: Vec<Post>| {
            sample(posts, true).best(NOW).into_iter().map(|post| post.id).collect::<Vec<_>>()
        };
        assert_eq!(best(posts.clone().collect()), ["most", "a", "b"]);
        let few = |post: &Post| !["a", "b", "silent"].contains(&post.id.as_str());
        assert_eq!(best(posts.filter(few).collect()), ["most", "old", "future"]);
        assert_eq!(best(vec![]), [""; 0]);
    }

    #[test]
    fn engagement_weighs_the_velocity_with_the_plays_of_the_last_day() {
        let posts = vec![post(HOUR, 1_000), post(HOUR * 2, 3_000), post(DAY * 3, 1_000_000)];
        let stats = sample(posts, true).stats(Region::Any, NOW);
        let velocity = 2.0 / (3.0 / 7.0);
        let weighted = stats.engagement_weighted_velocity.unwrap();
        assert!((weighted - velocity * 2_000.0).abs() < 1e-6, "{stats:?}");
        assert_eq!((stats.plays, stats.likes, stats.comments), (Some(1_004_000), Some(100_400), None));
    }

    #[test]
    fn the_engagement_ratio_needs_every_kind_of_engagement_and_plays() {
        let whole = Post { comments: Some(30), ..post(HOUR, 1_000) };
        let ratio = |posts| sample(posts, true).stats(Region::Any, NOW).engagement_ratio;
        // 100 likes, 30 comments, 1 share and 2 saves for 1,000 plays.
        assert_eq!(ratio(vec![whole.clone()]), Some(0.133));
        let silent = Post { comments: None, ..whole.clone() };
        assert_eq!(ratio(vec![whole.clone(), silent.clone()]), Some((233.0 + 3.0) / 2_000.0));
        assert_eq!(ratio(vec![silent]), None, "no post has a count of comments");
        assert_eq!(ratio(vec![Post { plays: Some(0), ..whole }]), None, "no plays");
        assert_eq!(ratio(vec![]), None);
    }

    #[test]
    fn a_sample_that_does_not_cover_the_week_says_so() {
        for (ages, exhausted, saturated) in [
            (vec![1], false, true),
            (vec![1], true, false),
            (vec![1, 169], false, false),
            (vec![], false, true),
            (vec![], true, false),
        ] {
            let posts = ages.iter().map(|age| post(Duration::from_secs(age * 3_600), 1)).collect();
            let stats = sample(posts, exhausted).stats(Region::Any, NOW);
            assert_eq!(stats.saturated, saturated, "ages {ages:?}, exhausted {exhausted}");
        }
    }

    #[test]
    fn posts_without_a_believable_date_count_in_no_window() {
        let undated = Post { created_at: None, ..post(HOUR, 5) };
        let future = Post { created_at: Some(NOW + DAY), ..post(HOUR, 5) };
        let skewed = Post { created_at: Some(NOW + Duration::from_secs(60)), ..post(HOUR, 5) };
        let stats = sample(vec![undated, future, skewed], true).stats(Region::Any, NOW);
        assert_eq!((stats.posts_24h, stats.posts_7d, stats.posts_all), (1, 1, 3));
        assert_eq!(stats.oldest_post_age_seconds, Some(0.0));
    }

    #[test]
    fn the_share_of_matching_regions_needs_a_region_and_posts() {
        let us = Region::parse("US").unwrap();
        let elsewhere = Post { region: None, ..post(HOUR, 1) };
        let mixed = sample(vec![post(HOUR, 1), elsewhere.clone(), elsewhere.clone(), elsewhere], true);
        assert_eq!(mixed.stats(us, NOW).region_match_ratio, Some(0.25));
        assert_eq!(mixed.stats(Region::Any, NOW).region_match_ratio, None);
        assert_eq!(sample(vec![], true).stats(us, NOW).region_match_ratio, None);
    }

    proptest! {
        /// Any counts and dates: no panic, no NaN, and the velocity stays within its range.
        #[test]
        fn figures_stay_in_their_ranges(
            posts in prop::collection::vec((any::<i64>(), prop::option::of(any::<u64>())), 0..40),
            exhausted: bool,
        ) {
            let posts: Vec<Post> = posts
                .into_iter()
                .map(|(at, count)| Post {
                    created_at: Some(Timestamp::from_secs(at)),
                    plays: count,
                    likes: count,
                    ..post(HOUR, 0)
                })
                .collect();
            let stats = sample(posts, exhausted).stats(Region::Any, NOW);
            prop_assert!((0.0..=7.0).contains(&stats.velocity));
            prop_assert!(stats.posts_24h <= stats.posts_7d && stats.posts_7d <= stats.posts_all);
            prop_assert!(stats.engagement_weighted_velocity.is_none_or(f64::is_finite));
            prop_assert!(stats.engagement_ratio.is_none_or(|ratio| ratio.is_finite() && ratio >= 0.0));
        }
    }
}
