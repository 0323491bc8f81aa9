//! How a count grows, and how likely it is to take off.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use units::{DAY, Timestamp};

/// What is older than this hardly counts any more.
const MEMORY: Duration = Duration::from_secs(30 * DAY.as_secs());
/// Readings closer together than this are taken as one: their difference is mostly noise.
const CLOSEST: Duration = Duration::from_secs(3_600);
/// The least chance: nothing is ever certain not to take off.
const LEAST: f64 = 0.01;

/// The growth of one count, as seen at irregular moments. Small enough to keep for every hashtag.
///
/// Growth is measured as ln(1 + gain per day): a doubling is the same step for a small hashtag as for
/// a large one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// The last reading, in milliseconds since the Unix epoch.
    at: i64,
    value: u64,
    /// Growth between the last two readings.
    recent: f64,
    /// Its mean over the last weeks.
    level: f64,
    /// Its variance over the last weeks.
    variance: f64,
    /// Differences seen.
    seen: u32,
}

impl Growth {
    /// The [chance](Self::chance) of a count of whose growth nothing is known.
    pub const UNKNOWN: f64 = 0.1;

    /// The first reading: nothing is known of its growth.
    pub fn new(value: u64, at: Timestamp) -> Self {
        Self { at: at.as_millis(), value, recent: 0.0, level: 0.0, variance: 0.0, seen: 0 }
    }

    /// Takes a later reading in. A total that dips counts as no gain. Returns the gain per day since
    /// the reading before over what is usual, if there is a usual.
    pub fn push(&mut self, value: u64, at: Timestamp) -> Option<f64> {
        let elapsed = at.saturating_since(Timestamp::from_millis(self.at));
        if elapsed < CLOSEST {
            return None;
        }
        let days = elapsed.as_secs_f64() / DAY.as_secs_f64();
        let gain = value.saturating_sub(self.value) as f64 / days;
        let usual = (self.seen > 0).then(|| self.level.exp());
        self.learn((1.0 + gain).ln(), elapsed);
        (self.at, self.value) = (at.as_millis(), value);
        usual.map(|usual| (1.0 + gain) / usual)
    }

    fn learn(&mut self, growth: f64, elapsed: Duration) {
        self.recent = growth;
        self.seen = self.seen.saturating_add(1);
        // At first a plain mean, so that the first reading does not rule for weeks.
        let weight = 1.0 - (-elapsed.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        let weight = weight.max(1.0 / f64::from(self.seen));
        let off = growth - self.level;
        self.level += weight * off;
        self.variance = (1.0 - weight) * (self.variance + weight * off * off);
    }

    /// A relative measure of the chance that it takes off, positive; only its ratios mean
    /// something. Up with recent growth above the usual and with the spread of growth; down with
    /// dormancy, and, as what is known grows old, back to that of an unknown hashtag.
    pub fn chance(&self, now: Timestamp) -> f64 {
        if self.seen < 2 {
            return Growth::UNKNOWN;
        }
        let rising = (self.recent - self.level).clamp(0.0, 2.0);
        // Below about one post a day there is nothing to rise from.
        let awake = 1.0 - (-self.level.max(self.recent) / 0.7).exp();
        let known = (awake * (self.variance.min(4.0) + 0.5 * rising)).max(LEAST);
        let age = now.saturating_since(Timestamp::from_millis(self.at));
        let faded = (-age.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        known * faded + Growth::UNKNOWN.min(known) * (1.0 - faded)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    /// Daily readings with these gains, and the moment of the last.
    fn grown(gains: &[u64]) -> (Growth, Timestamp) {
        let (mut growth, mut at, mut value) = (Growth::new(1_000, START), START, 1_000);
        for gain in gains {
            (at, value) = (at + DAY, value + gain);
            growth.push(value, at);
        }
        (growth, at)
    }

    fn chance(gains: &[u64]) -> f64 {
        let (growth, at) = grown(gains);
        growth.chance(at)
    }

    #[test]
    fn what_moves_is_likelier_to_take_off() {
        let steady = chance(&[20; 14]);
        let dormant = chance(&[0; 14]);
        let moody = chance(&[20, 20, 300, 150, 20, 20, 20, 20, 400, 200, 60, 20, 20, 20]);
        let rising = chance(&[20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 20, 80]);
        assert!(dormant <= steady, "{dormant} {steady}");
        assert!(moody > 10.0 * steady, "{moody} {steady}");
        assert!(rising > 10.0 * steady, "{rising} {steady}");
        assert_eq!(chance(&[]), Growth::UNKNOWN);
    }

    #[test]
    fn what_was_known_long_ago_counts_less() {
        let (growth, at) = grown(&[20, 20, 300, 150, 20, 20, 400, 20]);
        assert!(growth.chance(at + DAY * 20) < 0.8 * growth.chance(at));
        assert!(growth.chance(at + DAY * 10_000) <= Growth::UNKNOWN + 1e-9);
    }

    #[test]
    fn a_leap_shows_as_a_multiple_of_the_usual() {
        let (mut growth, at) = grown(&[20; 10]);
        let leap = growth.push(1_000 + 200 + 200, at + DAY).unwrap();
        assert!((9.0..10.0).contains(&leap), "{leap}");
    }

    proptest! {
        #[test]
        fn no_course_of_readings_breaks_it(
            readings in prop::collection::vec((any::<u64>(), 0_u64..10_000_000), 0..40),
        ) {
            let (mut growth, mut at) = (Growth::new(5, START), START);
            for (value, seconds) in readings {
                at = at + Duration::from_secs(seconds);
                growth.push(value, at);
                let chance = growth.chance(at);
                prop_assert!(chance.is_finite() && chance >= LEAST * 0.99, "{growth:?}");
            }
            let json = serde_json::to_string(&growth).unwrap();
            let back: Growth = serde_json::from_str(&json).unwrap();
            prop_assert!((back.chance(at) - growth.chance(at)).abs() <= 1e-9 * growth.chance(at));
        }
    }
}
