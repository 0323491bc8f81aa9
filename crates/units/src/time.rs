//! Timestamps in milliseconds since the Unix epoch.

use std::fmt;
use std::num::NonZero;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// 3,600 seconds.
pub const HOUR: Duration = Duration::from_secs(3_600);
/// 86,400 seconds.
pub const DAY: Duration = Duration::from_secs(86_400);
/// Seven days.
pub const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// How many times `interval` fits into a day. Infinite for an interval of zero.
pub fn per_day(interval: Duration) -> f64 {
    DAY.as_secs_f64() / interval.as_secs_f64()
}

/// A timestamp further ahead of the clock than this was written by a clock that was wrong, or the clock is
/// wrong now.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);

/// A moment in UTC, in whole milliseconds since 1970-01-01T00:00:00Z. Can be negative. The default is the
/// epoch itself.
///
/// Stored with an offset so that the value is never zero and an `Option<Timestamp>` takes eight bytes: there
/// are several for every pair of hashtag and region.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZero<u64>);

/// Milliseconds from `i64::MIN` to the epoch.
const EPOCH: u64 = 1 << 63;

impl Timestamp {
    /// From milliseconds since the epoch. `i64::MIN` becomes `i64::MIN + 1`.
    pub const fn from_millis(millis: i64) -> Self {
        match NonZero::new((millis as u64).wrapping_add(EPOCH)) {
            Some(with_offset) => Self(with_offset),
            None => Self(NonZero::<u64>::MIN),
        }
    }

    /// From seconds since the epoch; saturates at the ends of the range.
    pub const fn from_secs(secs: i64) -> Self {
        Self::from_millis(secs.saturating_mul(1_000))
    }

    /// Milliseconds since the epoch.
    pub const fn as_millis(self) -> i64 {
        self.0.get().wrapping_sub(EPOCH) as i64
    }

    /// Whole seconds since the epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.as_millis().div_euclid(1_000)
    }

    /// Seconds since the epoch with a fraction, the unit of Prometheus metrics named `_timestamp_seconds`.
    pub fn as_secs_f64(self) -> f64 {
        self.as_millis() as f64 / 1_000.0
    }

    /// How long ago it was. `None` if it is more than a minute after `now`: the clock was wrong then or is
    /// wrong now, and the age is unknown. Up to a minute after `now` the age is zero.
    pub fn age(self, now: Timestamp) -> Option<Duration> {
        (self <= now + CLOCK_TOLERANCE).then(|| now.saturating_since(self))
    }

    /// Time since `earlier`; zero if `earlier` is later.
    pub fn saturating_since(self, earlier: Timestamp) -> Duration {
        Duration::from_millis(self.0.get().saturating_sub(earlier.0.get()))
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::from_millis(0)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Timestamp").field(&self.as_millis()).finish()
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.as_millis().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        i64::deserialize(deserializer).map(Self::from_millis)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Timestamp;

    fn add(self, duration: Duration) -> Timestamp {
        Timestamp::from_millis(self.as_millis().saturating_add(millis(duration)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Timestamp;

    fn sub(self, duration: Duration) -> Timestamp {
        Timestamp::from_millis(self.as_millis().saturating_sub(millis(duration)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_far_ahead_of_the_clock_has_no_age() {
        let now = Timestamp::from_secs(1_000_000);
        assert_eq!((now - HOUR).age(now), Some(HOUR));
        assert_eq!((now + CLOCK_TOLERANCE).age(now), Some(Duration::ZERO));
        assert_eq!((now + CLOCK_TOLERANCE + Duration::from_millis(1)).age(now), None);
    }

    #[test]
    fn time_since_a_later_timestamp_is_zero() {
        let now = Timestamp::from_secs(100);
        assert_eq!(now.saturating_since(now + HOUR), Duration::ZERO);
        assert_eq!((now + HOUR).saturating_since(now), HOUR);
    }

    #[test]
    fn extremes_saturate_instead_of_wrapping() {
        let end = Timestamp::from_secs(i64::MAX);
        let beginning = Timestamp::from_secs(i64::MIN);
        assert_eq!(end + Duration::MAX, end);
        assert_eq!(beginning - Duration::MAX, beginning);
        assert_eq!(end.saturating_since(beginning), Duration::from_millis(u64::MAX - 1));
        assert_eq!(beginning.saturating_since(end), Duration::ZERO);
    }

    #[test]
    fn timestamps_are_ordered_and_serialized_as_milliseconds() {
        let millis = [i64::MIN + 1, -1, 0, 1, 1_800_000_000_250, i64::MAX];
        let moments = millis.map(Timestamp::from_millis);
        assert!(moments.is_sorted());
        assert_eq!(moments.map(Timestamp::as_millis), millis);
        let json = serde_json::to_string(&moments).unwrap();
        assert_eq!(json, serde_json::to_string(&millis).unwrap());
        assert_eq!(serde_json::from_str::<[Timestamp; 6]>(&json).unwrap(), moments);
        assert_eq!(Timestamp::default().as_millis(), 0);
        assert_eq!(size_of::<Option<Timestamp>>(), 8);
    }
}
