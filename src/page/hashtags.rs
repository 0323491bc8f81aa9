//! The families of hashtags, and which field of the snapshot each shows.

use metrics_page::{ExtraLabels, families};
use units::Timestamp;

use crate::model::SampleStats;
use crate::state::{HashtagState, Outcome, Reading, Refresh, RegionState};

/// Where the values of a family come from.
pub(super) enum Values {
    /// Constant 1.
    Info,
    Hashtag(fn(&HashtagState, Timestamp) -> Option<f64>),
    Region(fn(&RegionState, Timestamp) -> Option<f64>),
    Sample(fn(&SampleStats) -> Option<f64>),
    /// One value for each of the [`WINDOWS`].
    Windows(fn(&SampleStats) -> [u64; WINDOWS.len()]),
}

/// The time windows in which posts are counted. One sample in five has such a label.
pub(super) const DAY: ExtraLabels<'_> =
    ExtraLabels { labels: &[("window", "24h")], text: ",window=\"24h\"} " };
pub(super) const WEEK: ExtraLabels<'_> =
    ExtraLabels { labels: &[("window", "7d")], text: ",window=\"7d\"} " };
const ALL_TIME: ExtraLabels<'_> = ExtraLabels { labels: &[("window", "all")], text: ",window=\"all\"} " };
pub(super) const WINDOWS: [ExtraLabels<'_>; 3] = [DAY, WEEK, ALL_TIME];

use Values::{Hashtag, Info, Region, Sample, Windows};

families! {
    /// The families of hashtags.
    pub(super) const FAMILIES: Values = "hashtags";

    /// Product of tiktok_hashtag_sample_velocity and the mean plays of the sampled posts of the last 24 hours; 0
    /// without such posts. Absent if none of them has a play count. Refreshed on a schedule.
    gauge "tiktok_hashtag_engagement_weighted_velocity" [hashtag, region] =>
        Sample(|stats| stats.engagement_weighted_velocity);
    /// 1 if the API knows the hashtag, 0 if it reports that the hashtag does not (or no longer) exist. Absent until
    /// the API has reported either.
    gauge "tiktok_hashtag_found" [hashtag] => Hashtag(|hashtag, _| hashtag.found.map(flag));
    /// Constant 1 for every watched hashtag, with its id (empty until resolved), whether the platform flags it as
    /// commercial (true, false or unknown), and its watch group.
    gauge "tiktok_hashtag_info" [hashtag, challenge_id, commerce, group] => Info;
    /// Time of the last successful refresh of the hashtag's totals.
    gauge "tiktok_hashtag_last_success_timestamp_seconds" [hashtag] =>
        Hashtag(|hashtag, now| last_success(&hashtag.refresh, now));
    /// Posts with the hashtag, worldwide, as counted by the API (its documentation calls the same number both unique
    /// posts and creators). Refreshed on a schedule; can decrease, and is rounded for large hashtags.
    gauge "tiktok_hashtag_posts" [hashtag] =>
        Hashtag(|hashtag, now| Some(current(hashtag, &hashtag.posts, now)?.value() as f64));
    /// Step in which tiktok_hashtag_posts moves: the largest power of ten that divides its last distinct values, 1
    /// if it is exact.
    gauge "tiktok_hashtag_posts_resolution" [hashtag] =>
        Hashtag(|hashtag, now| Some(current(hashtag, &hashtag.posts, now)?.resolution() as f64));
    /// Interval at which the hashtag's totals are refreshed: as configured, or stretched by the budget. As configured
    /// while the budget pauses them.
    gauge "tiktok_hashtag_refresh_interval_seconds" [hashtag] =>
        Hashtag(|hashtag, _| Some(hashtag.refresh.interval.as_secs_f64()));
    /// Total comments on the sampled posts. Absent if no post has a comment count. Refreshed on a schedule.
    gauge "tiktok_hashtag_sample_comments" [hashtag, region] => Sample(|stats| count(stats.comments));
    /// Ratio of likes, comments, shares and saves to plays of the sampled posts. Absent without plays, or if no post
    /// has one of these counts. Refreshed on a schedule.
    gauge "tiktok_hashtag_sample_engagement_ratio" [hashtag, region] => Sample(|stats| stats.engagement_ratio);
    /// Time of the last successful refresh of the hashtag's posts in the region.
    gauge "tiktok_hashtag_sample_last_success_timestamp_seconds" [hashtag, region] =>
        Region(|region, now| last_success(&region.refresh, now));
    /// Total likes of the sampled posts. Absent if no post has a like count. Refreshed on a schedule.
    gauge "tiktok_hashtag_sample_likes" [hashtag, region] => Sample(|stats| count(stats.likes));
    /// Age of the oldest sampled post when the sample was taken. Absent if no post has a date. Refreshed on a
    /// schedule.
    gauge "tiktok_hashtag_sample_oldest_post_age_seconds" [hashtag, region] =>
        Sample(|stats| stats.oldest_post_age_seconds);
    /// Pages of posts that were requested for the sample. Refreshed on a schedule.
    gauge "tiktok_hashtag_sample_pages" [hashtag, region] => Sample(|stats| Some(f64::from(stats.pages)));
    /// Total plays of the sampled posts. Absent if no post has a play count. Refreshed on a schedule.
    gauge "tiktok_hashtag_sample_plays" [hashtag, region] => Sample(|stats| count(stats.plays));
    /// Posts in the sample by the time window in which they were published: 24h, 7d or all. Refreshed on a schedule.
    gauge "tiktok_hashtag_sample_posts" [hashtag, region, window] =>
        Windows(|stats| [stats.posts_24h, stats.posts_7d, stats.posts_all]);
    /// Interval at which the hashtag's posts in the region are refreshed: as configured, or stretched by the budget.
    /// As configured while the budget pauses them.
    gauge "tiktok_hashtag_sample_refresh_interval_seconds" [hashtag, region] =>
        Region(|region, _| Some(region.refresh.interval.as_secs_f64()));
    /// Share of the sampled posts whose own region is the requested one, 0 to 1. Absent for region any. Refreshed on
    /// a schedule.
    gauge "tiktok_hashtag_sample_region_match_ratio" [hashtag, region] => Sample(|stats| stats.region_match_ratio);
    /// 1 if more posts exist and the oldest sampled post is younger than 7 days, so that
    /// tiktok_hashtag_sample_velocity reflects the size of the sample and not the hashtag; else 0. Refreshed on a
    /// schedule.
    gauge "tiktok_hashtag_sample_saturated" [hashtag, region] => Sample(|stats| Some(flag(stats.saturated)));
    /// Total saves of the sampled posts. Absent if no post has a save count. Refreshed on a schedule.
    gauge "tiktok_hashtag_sample_saves" [hashtag, region] => Sample(|stats| count(stats.saves));
    /// Total shares of the sampled posts. Absent if no post has a share count. Refreshed on a schedule.
    gauge "tiktok_hashtag_sample_shares" [hashtag, region] => Sample(|stats| count(stats.shares));
    /// 1 if the last refresh of the hashtag's posts in the region succeeded, 0 if it failed. Absent before the first
    /// refresh.
    gauge "tiktok_hashtag_sample_up" [hashtag, region] => Region(|region, _| up(&region.refresh));
    /// Sampled posts of the last 24 hours divided by the mean number per day over the last 7 days, 0 to 7. Not
    /// meaningful while tiktok_hashtag_sample_saturated is 1. Refreshed on a schedule.
    gauge "tiktok_hashtag_sample_velocity" [hashtag, region] => Sample(|stats| Some(stats.velocity));
    /// 1 if the last refresh of the hashtag's totals succeeded, 0 if it failed. Absent before the first refresh.
    gauge "tiktok_hashtag_up" [hashtag] => Hashtag(|hashtag, _| up(&hashtag.refresh));
    /// Views of all posts with the hashtag, worldwide. Refreshed on a schedule; can decrease, and is rounded for large
    /// hashtags.
    gauge "tiktok_hashtag_views" [hashtag] =>
        Hashtag(|hashtag, now| Some(current(hashtag, &hashtag.views, now)?.value() as f64));
    /// Step in which tiktok_hashtag_views moves: the largest power of ten that divides its last distinct values, 1
    /// if it is exact.
    gauge "tiktok_hashtag_views_resolution" [hashtag] =>
        Hashtag(|hashtag, now| Some(current(hashtag, &hashtag.views, now)?.resolution() as f64));
}

/// The labels of `tiktok_hashtag_info` after the hashtag.
pub(super) fn info(state: &HashtagState) -> [(&'static str, &str); 3] {
    [
        ("challenge_id", state.id.as_ref().map_or("", |id| id.as_str())),
        ("commerce", state.commerce.map_or("unknown", |yes| if yes { "true" } else { "false" })),
        ("group", &*state.group),
    ]
}

fn current<'a>(hashtag: &HashtagState, reading: &'a Option<Reading>, now: Timestamp) -> Option<&'a Reading> {
    reading.as_ref().filter(|reading| hashtag.is_current(reading.at, now))
}

pub(super) fn up(refresh: &Refresh) -> Option<f64> {
    refresh.last.map(|(_, outcome)| flag(outcome == Outcome::Success))
}

pub(super) fn last_success(refresh: &Refresh, now: Timestamp) -> Option<f64> {
    refresh.last_success.filter(|at| at.age(now).is_some()).map(Timestamp::as_secs_f64)
}

pub(super) fn count(sum: Option<u64>) -> Option<f64> {
    sum.map(|count| count as f64)
}

pub(super) fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}
