//! `[refresh]`: how often values are refreshed, and how long they are shown.

use std::ops::RangeInclusive;
use std::time::Duration;

use units::{DAY, HOUR, duration::show};

use super::api::ApiConfig;
use super::section::Section;

const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(90 * 86_400);
const MAX_AGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(365 * 86_400);
const MINUTE: Duration = Duration::from_secs(60);

/// How often values are refreshed. A block can override the first three settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshConfig {
    /// `refresh.totals_interval`: interval between refreshes of a hashtag's totals, 1s to 90d.
    /// Default 6h.
    pub totals_interval: Duration,
    /// `refresh.posts_interval`: interval between samples of a hashtag's posts in a region, 1s to
    /// 90d. Default 1d.
    pub posts_interval: Duration,
    /// `refresh.max_age`: a value older than this disappears from the metrics; longer than both
    /// intervals, up to 365d. Default 2d.
    pub max_age: Duration,
    /// `refresh.not_found_retry`: interval between retries of a hashtag that was not found, 1s to
    /// 90d. Default 1d.
    pub not_found_retry: Duration,
    /// `refresh.longest_interval`: if the budget allows less than one refresh per hashtag and day, hashtags that
    /// are likelier to take off are refreshed more often, and none less often than this as long as the budget
    /// allows it, 1d to 90d. Default 7d.
    pub longest_interval: Duration,
}

impl Default for RefreshConfig {
    fn default() -> Self {
        Self {
            totals_interval: 6 * HOUR,
            posts_interval: DAY,
            max_age: 2 * DAY,
            not_found_retry: DAY,
            longest_interval: 7 * DAY,
        }
    }
}

pub(super) fn read(mut section: Section, api: &ApiConfig) -> RefreshConfig {
    let config = read_ages(&mut section, &RefreshConfig::default(), api);
    let not_found_retry = section.duration("not_found_retry", config.not_found_retry, INTERVAL);
    let longest_interval = section.duration("longest_interval", config.longest_interval, DAY..=90 * DAY);
    section.finish();
    RefreshConfig { not_found_retry, longest_interval, ..config }
}

/// Reads the three settings that a block can override, and checks them against each other. The values of
/// `inherited` apply to what is not set.
pub(super) fn read_ages(section: &mut Section, inherited: &RefreshConfig, api: &ApiConfig) -> RefreshConfig {
    let config = RefreshConfig {
        totals_interval: section.duration("totals_interval", inherited.totals_interval, INTERVAL),
        posts_interval: section.duration("posts_interval", inherited.posts_interval, INTERVAL),
        max_age: section.duration("max_age", inherited.max_age, MAX_AGE),
        ..*inherited
    };
    for (key, interval) in
        [("totals_interval", config.totals_interval), ("posts_interval", config.posts_interval)]
    {
        if section.is_valid(&[key, "max_age"]) && (section.is_set(key) || section.is_set("max_age")) {
            check_age(section, key, interval, config.max_age);
        }
        if section.is_set(key) && section.is_valid(&[key]) && interval < MINUTE && api.is_vendor() {
            section
                .warn(key, format!("{} is under a minute, and every refresh costs a credit", show(interval)));
        }
    }
    config
}

/// A value must be shown until the next one arrives. The problem is reported for the key that was set.
fn check_age(section: &mut Section, key: &str, interval: Duration, max_age: Duration) {
    let (interval_shown, max_age_shown) = (show(interval), show(max_age));
    let age_is_set = section.is_set("max_age");
    let blamed = if age_is_set { "max_age" } else { key };
    let relation = |age_first: &str, interval_first: &str| {
        if age_is_set {
            format!("{max_age_shown} is {age_first} {key} ({interval_shown})")
        } else {
            format!("{interval_shown} is {interval_first} max_age ({max_age_shown})")
        }
    };
    if max_age <= interval {
        let relation = relation("not longer than", "not shorter than");
        section.problem(blamed, format!("{relation}: values would disappear between two refreshes"));
    } else if max_age < interval + interval / 2 {
        let relation = relation("less than 1.5 times", "more than two thirds of");
        section.warn(blamed, format!("{relation}: values disappear if one refresh is late"));
    }
}
