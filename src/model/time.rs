//! Moments, as milliseconds since the Unix epoch.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// 3,600 seconds.
pub const HOUR: Duration = Duration::from_secs(3_600);
/// 86,400 seconds.
pub const DAY: Duration = Duration::from_secs(86_400);
/// Seven days.
pub const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// How often `interval` fits into a day.
pub fn per_day(interval: Duration) -> f64 {
    DAY.as_secs_f64() / interval.as_secs_f64()
}

/// How far clocks are let differ before a moment that lies ahead is taken for wrong.
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// A moment in UTC, in whole milliseconds since 1970-01-01. May lie before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since the epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From seconds since the epoch; saturates at the ends of the range.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Seconds since the epoch with their fraction, as Prometheus wants its `_timestamp_seconds`.
    pub fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1_000.0
    }

    /// Whether it lies more than a minute after `now`. Of something that has happened, this says that
    /// the clock was wrong then or is wrong now, and so that nobody knows how long ago it was.
    pub fn is_ahead_of(self, now: Timestamp) -> bool {
        self > now + CLOCK_SLACK
    }

    /// How long ago `earlier` was; zero when it lies in the future.
    pub fn saturating_since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_add(millis(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;

    fn sub(self, duration: Duration) -> Timestamp {
        Timestamp(self.0.saturating_sub(millis(duration)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_in_the_future_was_no_time_ago() {
        let now = Timestamp::from_secs(100);
        assert_eq!(now.saturating_since(now + HOUR), Duration::ZERO);
        assert_eq!((now + HOUR).saturating_since(now), HOUR);
    }

    #[test]
    fn extremes_saturate_instead_of_wrapping() {
        let end = Timestamp::from_secs(i64::MAX);
        assert_eq!(end + Duration::MAX, end);
        assert_eq!(end.saturating_since(Timestamp::from_millis(i64::MIN)).as_millis(), i64::MAX as u128);
    }
}
