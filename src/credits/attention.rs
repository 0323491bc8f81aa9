//! Intervals of totals when the budget allows less than one refresh per hashtag per day. Pure.
//!
//! A hashtag is then refreshed more often if it is more likely to take off. With chances p, the mean time
//! until a take-off is noticed is shortest if the interval is proportional to 1/√p. From one refresh per day
//! on, equal intervals are as good (measured on real hashtags).

use std::time::Duration;

use units::DAY;

/// A hashtag to refresh.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weight {
    /// The chance to take off: positive, and only ratios matter.
    pub chance: f64,
    /// The configured interval, which is the minimum.
    pub configured: Duration,
}

/// Whether there is less than one refresh per hashtag per day.
pub fn is_scarce(hashtags: usize, per_day: f64) -> bool {
    per_day < hashtags as f64
}

/// The interval of each hashtag, so that all together take `per_day` refreshes a day: proportional to
/// 1/√chance, between the configured interval and `longest`. If even `longest` for all is too often, all are
/// stretched by the same factor. Empty if `per_day` is not positive.
pub fn weighted_intervals(hashtags: &[Weight], per_day: f64, longest: Duration) -> Vec<Duration> {
    if per_day <= 0.0 {
        return Vec::new();
    }
    let days = |duration: Duration| duration.as_secs_f64() / DAY.as_secs_f64();
    let interval = |hashtag: &Weight, scale: f64| {
        let least = days(hashtag.configured);
        (scale / hashtag.chance.max(1e-9).sqrt()).clamp(least, days(longest).max(least))
    };
    let refreshes = |scale: f64| hashtags.iter().map(|c| 1.0 / interval(c, scale)).sum::<f64>();
    // Bisection on the logarithm of the scale. A larger scale means fewer refreshes.
    let (mut low, mut high) = (-30.0_f64, 30.0_f64);
    if refreshes(high.exp()) > per_day {
        let factor = refreshes(high.exp()) / per_day;
        return hashtags.iter().map(|c| DAY.mul_f64(interval(c, high.exp()) * factor)).collect();
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if refreshes(middle.exp()) > per_day { low = middle } else { high = middle }
    }
    hashtags.iter().map(|c| DAY.mul_f64(interval(c, high.exp()))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use units::HOUR;

    const WEEK: Duration = units::WEEK;

    fn refreshes(intervals: &[Duration]) -> f64 {
        intervals.iter().map(|interval| DAY.as_secs_f64() / interval.as_secs_f64()).sum()
    }

    #[test]
    fn four_times_the_chance_is_half_the_interval() {
        let hashtags = [0.4, 0.1].map(|chance| Weight { chance, configured: HOUR });
        let [often, rarely] = weighted_intervals(&hashtags, 1.0, WEEK)[..] else { panic!() };
        assert!((rarely.as_secs_f64() / often.as_secs_f64() - 2.0).abs() < 1e-6, "{often:?} {rarely:?}");
        assert!((refreshes(&[often, rarely]) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn too_little_for_the_longest_interval_is_shared_evenly() {
        let hashtags = [0.4, 0.1].map(|chance| Weight { chance, configured: HOUR });
        assert_eq!(weighted_intervals(&hashtags, 0.1, WEEK), [DAY * 20, DAY * 20]);
        assert!(weighted_intervals(&hashtags, 0.0, WEEK).is_empty());
    }

    proptest! {
        #[test]
        fn refreshes_are_distributed_within_all_bounds(
            hashtags in prop::collection::vec((0.0..10.0_f64, 1_u64..100_000), 1..60),
            share in 0.01..2.0_f64,
        ) {
            let hashtags: Vec<_> = hashtags
                .into_iter()
                .map(|(chance, seconds)| Weight { chance, configured: Duration::from_secs(seconds) })
                .collect();
            let per_day = share * hashtags.len() as f64;
            let found = weighted_intervals(&hashtags, per_day, WEEK);
            prop_assert!(refreshes(&found) <= per_day * 1.001, "{} of {per_day}", refreshes(&found));
            let at_longest = share >= 1.0 / 7.0;
            for (interval, hashtag) in found.iter().zip(&hashtags) {
                prop_assert!(*interval >= hashtag.configured - Duration::from_millis(1));
                prop_assert!(!at_longest || *interval <= WEEK + HOUR, "{interval:?}");
            }
            let all_at_least = found.iter().zip(&hashtags).all(|(i, c)| *i <= c.configured + HOUR);
            prop_assert!(refreshes(&found) >= per_day * 0.999 || all_at_least, "{} of {per_day}", refreshes(&found));
        }
    }
}
