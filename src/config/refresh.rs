//! `[refresh]`: how often values are fetched, and how long they are believed.

use std::ops::RangeInclusive;
use std::time::Duration;

use units::{DAY, HOUR, duration::show};

use super::api::ApiConfig;
use super::section::Section;

pub(super) const KEYS: &[&str] =
    &["totals_interval", "posts_interval", "max_age", "not_found_retry", "longest_interval"];

const INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(90 * 86_400);
const MAX_AGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(365 * 86_400);
const MINUTE: Duration = Duration::from_secs(60);

/// How often values are fetched, unless a watch block says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshConfig {
    /// `refresh.totals_interval`: time between two look-ups of a hashtag's totals, 1s to 90d.
    /// Default 6h.
    pub totals_interval: Duration,
    /// `refresh.posts_interval`: time between two samples of a hashtag's posts in a region, 1s to
    /// 90d. Default 1d.
    pub posts_interval: Duration,
    /// `refresh.max_age`: a value older than this disappears from the metrics; longer than both
    /// intervals, up to 365d. Default 2d.
    pub max_age: Duration,
    /// `refresh.not_found_retry`: how rarely a hashtag that does not resolve is asked again, 1s to
    /// 90d. Default 1d.
    pub not_found_retry: Duration,
    /// `refresh.longest_interval`: when the budget allows less than one look per hashtag per day,
    /// looks are weighed by the chance of an onset, and no hashtag waits longer than this while the
    /// budget suffices for that, 1d to 90d. Default 7d.
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

/// Reads the three settings that a watch block may set as well, and checks them against each
/// other; what is not set is taken from `inherited`.
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
        if section.is_sound(&[key, "max_age"]) && (section.is_given(key) || section.is_given("max_age")) {
            check_age(section, key, interval, config.max_age);
        }
        if section.is_given(key) && section.is_sound(&[key]) && interval < MINUTE && api.is_vendor() {
            section.warn(key, format!("{} is under a minute, and every look costs a credit", show(interval)));
        }
    }
    config
}

/// A value must outlive the wait for the next one. The complaint goes to the key that was set.
fn check_age(section: &mut Section, key: &str, interval: Duration, max_age: Duration) {
    let (interval_shown, max_age_shown) = (show(interval), show(max_age));
    let age_is_given = section.is_given("max_age");
    let blamed = if age_is_given { "max_age" } else { key };
    let relation = |age_first: &str, interval_first: &str| {
        if age_is_given {
            format!("{max_age_shown} is {age_first} {key} ({interval_shown})")
        } else {
            format!("{interval_shown} is {interval_first} max_age ({max_age_shown})")
        }
    };
    if max_age <= interval {
        let relation = relation("not longer than", "not shorter than");
        section.problem(blamed, format!("{relation}: values would vanish between two refreshes"));
    } else if max_age < interval + interval / 2 {
        let relation = relation("less than 1.5 times", "more than two thirds of");
        section.warn(blamed, format!("{relation}: one late refresh makes values vanish"));
    }
}
