//! How few looks are shared out among many things that may take off. Pure.
//!
//! With less than one look a day for each, a thing is looked at more often the likelier it is to take
//! off. For chances p the mean time until a take-off is seen is least when the interval is
//! proportional to 1/√p. From one look a day on, evenly spaced looks do as well (measured on real
//! hashtags), so nothing is weighed there.

use std::time::Duration;

use units::DAY;

/// One thing to look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Its chance to take off, positive; only ratios count.
    pub chance: f64,
    /// The interval as configured: never shorter.
    pub configured: Duration,
}

/// Whether `per_day` looks are so few that they are worth weighing.
pub fn is_scarce(candidates: usize, per_day: f64) -> bool {
    per_day < candidates as f64
}

/// The interval of each candidate so that all together take `per_day` looks a day: proportional to
/// 1/√chance, between what is configured and `longest`. If even `longest` for all is too often, all
/// are stretched alike. Empty if nothing may be spent.
pub fn intervals(candidates: &[Candidate], per_day: f64, longest: Duration) -> Vec<Duration> {
    if per_day <= 0.0 {
        return Vec::new();
    }
    let days = |duration: Duration| duration.as_secs_f64() / DAY.as_secs_f64();
    let interval = |candidate: &Candidate, scale: f64| {
        let least = days(candidate.configured);
        (scale / candidate.chance.max(1e-9).sqrt()).clamp(least, days(longest).max(least))
    };
    let looks = |scale: f64| candidates.iter().map(|c| 1.0 / interval(c, scale)).sum::<f64>();
    // The scale is found by bisection on its logarithm; more scale is fewer looks.
    let (mut low, mut high) = (-30.0_f64, 30.0_f64);
    if looks(high.exp()) > per_day {
        let factor = looks(high.exp()) / per_day;
        return candidates.iter().map(|c| DAY.mul_f64(interval(c, high.exp()) * factor)).collect();
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if looks(middle.exp()) > per_day { low = middle } else { high = middle }
    }
    candidates.iter().map(|c| DAY.mul_f64(interval(c, high.exp()))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use units::HOUR;

    const WEEK: Duration = units::WEEK;

    fn looks(intervals: &[Duration]) -> f64 {
        intervals.iter().map(|interval| DAY.as_secs_f64() / interval.as_secs_f64()).sum()
    }

    #[test]
    fn four_times_the_chance_is_half_the_interval() {
        let candidates = [0.4, 0.1].map(|chance| Candidate { chance, configured: HOUR });
        let [often, rarely] = intervals(&candidates, 1.0, WEEK)[..] else { panic!() };
        assert!((rarely.as_secs_f64() / often.as_secs_f64() - 2.0).abs() < 1e-6, "{often:?} {rarely:?}");
        assert!((looks(&[often, rarely]) - 1.0).abs() < 1e-6);
    }

    #[test]
    fn too_little_for_the_longest_interval_is_shared_evenly() {
        let candidates = [0.4, 0.1].map(|chance| Candidate { chance, configured: HOUR });
        assert_eq!(intervals(&candidates, 0.1, WEEK), [DAY * 20, DAY * 20]);
        assert!(intervals(&candidates, 0.0, WEEK).is_empty());
    }

    proptest! {
        #[test]
        fn the_looks_are_shared_out_and_every_bound_holds(
            candidates in prop::collection::vec((0.0..10.0_f64, 1_u64..100_000), 1..60),
            share in 0.01..2.0_f64,
        ) {
            let candidates: Vec<_> = candidates
                .into_iter()
                .map(|(chance, seconds)| Candidate { chance, configured: Duration::from_secs(seconds) })
                .collect();
            let per_day = share * candidates.len() as f64;
            let found = intervals(&candidates, per_day, WEEK);
            prop_assert!(looks(&found) <= per_day * 1.001, "{} of {per_day}", looks(&found));
            let at_longest = share >= 1.0 / 7.0;
            for (interval, candidate) in found.iter().zip(&candidates) {
                prop_assert!(*interval >= candidate.configured - Duration::from_millis(1));
                prop_assert!(!at_longest || *interval <= WEEK + HOUR, "{interval:?}");
            }
            let all_at_least = found.iter().zip(&candidates).all(|(i, c)| *i <= c.configured + HOUR);
            prop_assert!(looks(&found) >= per_day * 0.999 || all_at_least, "{} of {per_day}", looks(&found));
        }
    }
}
