//! The growth of a count, and its chance to take off.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use units::{DAY, Timestamp};

/// Time constant with which old readings lose their weight.
const MEMORY: Duration = Duration::from_secs(30 * DAY.as_secs());
/// A reading sooner than this after the last one is ignored: the difference is mostly noise.
const CLOSEST: Duration = Duration::from_secs(3_600);
/// The lowest chance: any hashtag can take off.
const LEAST: f64 = 0.01;

/// The growth of a count that is read at irregular times. Small enough to keep one per hashtag.
///
/// Growth is measured as ln(1 + gain per day), so that a doubling is the same step for small and large
/// hashtags.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Growth {
    /// When the count was last read.
    at: Timestamp,
    /// The count at that time.
    value: u64,
    /// Growth between the last two readings.
    recent: f64,
    /// Mean growth over the last weeks.
    level: f64,
    /// Variance of the growth over the last weeks.
    variance: f64,
    /// Number of differences so far.
    seen: u32,
}

impl Growth {
    /// The [chance](Self::chance) of a count whose growth is unknown.
    pub const UNKNOWN: f64 = 0.1;

    /// Starts with the first reading; the growth is still unknown.
    pub fn new(value: u64, at: Timestamp) -> Self {
        Self { at, value, recent: 0.0, level: 0.0, variance: 0.0, seen: 0 }
    }

    /// Adds a later reading. A lower count is no gain. Returns the daily gain since the last reading divided
    /// by the usual daily gain, if that is known.
    pub fn push(&mut self, value: u64, at: Timestamp) -> Option<f64> {
        let elapsed = at.saturating_since(self.at);
        if elapsed < CLOSEST {
            return None;
        }
        let days = elapsed.as_secs_f64() / DAY.as_secs_f64();
        let gain = value.saturating_sub(self.value) as f64 / days;
        let usual = (self.seen > 0).then(|| self.level.exp());
        self.learn((1.0 + gain).ln(), elapsed);
        (self.at, self.value) = (at, value);
        usual.map(|usual| (1.0 + gain) / usual)
    }

    fn learn(&mut self, growth: f64, elapsed: Duration) {
        self.recent = growth;
        self.seen = self.seen.saturating_add(1);
        // A plain mean at first, so that the first reading does not dominate for weeks.
        let weight = 1.0 - (-elapsed.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        let weight = weight.max(1.0 / f64::from(self.seen));
        let off = growth - self.level;
        self.level += weight * off;
        self.variance = (1.0 - weight) * (self.variance + weight * off * off);
    }

    /// The relative chance that the count takes off: positive, and only ratios are meaningful. It rises with
    /// recent growth above the usual and with the variance, falls when the count stands still, and returns to
    /// [`UNKNOWN`](Self::UNKNOWN) as the readings get old.
    pub fn chance(&self, now: Timestamp) -> f64 {
        if self.seen < 2 {
            return Growth::UNKNOWN;
        }
        let rising = (self.recent - self.level).clamp(0.0, 2.0);
        // Below about one post a day there is no trend to measure.
        let awake = 1.0 - (-self.level.max(self.recent) / 0.7).exp();
        let known = (awake * (self.variance.min(4.0) + 0.5 * rising)).max(LEAST);
        let age = now.saturating_since(self.at);
        let faded = (-age.as_secs_f64() / MEMORY.as_secs_f64()).exp();
        known * faded + Growth::UNKNOWN.min(known) * (1.0 - faded)
    }

    /// Passes every stored timestamp to `visit`, which may change it.
    pub(crate) fn visit_timestamps(&mut self, visit: &mut dyn FnMut(&mut Timestamp)) {
        visit(&mut self.at);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    /// The growth after daily readings with these gains, and the time of the last reading.
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
    fn a_count_that_moves_is_likelier_to_take_off() {
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
    fn old_readings_count_less() {
        let (growth, at) = grown(&[20, 20, 300, 150, 20, 20, 400, 20]);
        assert!(growth.chance(at + DAY * 20) < 0.8 * growth.chance(at));
        assert!(growth.chance(at + DAY * 10_000) <= Growth::UNKNOWN + 1e-9);
    }

    #[test]
    fn a_jump_is_reported_as_a_multiple_of_the_usual_gain() {
        let (mut growth, at) = grown(&[20; 10]);
        let leap = growth.push(1_000 + 200 + 200, at + DAY).unwrap();
        assert!((9.0..10.0).contains(&leap), "{leap}");
    }

    proptest! {
        #[test]
        fn any_sequence_of_readings_gives_a_finite_chance(
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
