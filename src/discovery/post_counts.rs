//! The number of posts of a hashtag over the days of its trial.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use units::{DAY, HOUR, Timestamp, WEEK};

/// Minimum time between two readings that are kept.
const MIN_DISTANCE: Duration = Duration::from_secs(6 * HOUR.as_secs());
/// Posts per day added to both sides of the velocity, so that two posts after none are no take-off.
const FLOOR: f64 = 3.0;

/// The number of posts over the last week, oldest reading first. At most about thirty readings.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PostCounts(Vec<(Timestamp, u64)>);

impl PostCounts {
    /// Adds a count that was read at `at`, later than the others.
    pub fn push(&mut self, posts: u64, at: Timestamp) {
        if let [.., (before, _), (last, _)] = self.0.as_slice()
            && last.saturating_since(*before) < MIN_DISTANCE
        {
            // It was kept until there is a later one.
            self.0.pop();
        }
        self.0.retain(|(old, _)| *old < at && *old >= at - WEEK);
        self.0.push((at, posts));
    }

    /// Posts of the last day divided by the mean posts per day over all readings, both plus three posts.
    /// Positive. `None` until the readings span two days.
    pub fn velocity(&self) -> Option<f64> {
        let (first, (now, posts)) = (self.0.first()?, self.0.last()?);
        let per_day = |(at, before): &(Timestamp, u64)| {
            posts.saturating_sub(*before) as f64 * units::per_day(now.saturating_since(*at))
        };
        if now.saturating_since(first.0) < 2 * DAY {
            return None;
        }
        let day_ago = self.0.iter().rev().find(|(at, _)| now.saturating_since(*at) >= DAY)?;
        Some((per_day(day_ago) + FLOOR) / (per_day(first) + FLOOR))
    }

    /// Passes every stored timestamp to `visit`, which may change it.
    pub(super) fn visit_timestamps(&mut self, visit: &mut dyn FnMut(&mut Timestamp)) {
        self.0.iter_mut().for_each(|(at, _)| visit(at));
        // Only some of them may have changed.
        self.0.sort_by_key(|(at, _)| *at);
        self.0.dedup_by_key(|(at, _)| *at);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    /// Counts read every six hours, with these numbers of new posts per day.
    fn counts(posts_per_day: &[u64]) -> PostCounts {
        let mut counts = PostCounts::default();
        let (mut at, mut posts) = (START, 1_000);
        counts.push(posts, at);
        for per_day in posts_per_day {
            for _ in 0..4 {
                at = at + HOUR * 6;
                posts += per_day / 4;
                counts.push(posts, at);
            }
        }
        counts
    }

    #[test]
    fn the_velocity_compares_the_last_day_with_the_week() {
        for (days, velocity, note) in [
            (vec![40], None, "a day is not enough"),
            (vec![40; 7], Some(1.0), "steady"),
            (vec![0; 7], Some(1.0), "dormant"),
            (vec![0, 0, 0, 0, 0, 0, 4], Some((4.0 + 3.0) / (4.0 / 7.0 + 3.0)), "four posts out of nothing"),
            (vec![40, 40, 40, 40, 40, 40, 400], Some(403.0 / (640.0 / 7.0 + 3.0)), "a jump"),
            (vec![400, 40, 40, 40, 40, 40, 40, 40], Some(1.0), "readings older than a week are dropped"),
        ] {
            let got = counts(&days).velocity();
            let same = match (got, velocity) {
                (Some(got), Some(want)) => (got - want).abs() < 0.06 * want,
                (got, want) => got == want,
            };
            assert!(same, "{note}: {got:?} is not {velocity:?}");
        }
    }

    proptest! {
        #[test]
        fn any_readings_keep_it_small_and_sorted(
            readings in prop::collection::vec((any::<u64>(), 0_u64..500_000), 0..300),
        ) {
            let (mut counts, mut at) = (PostCounts::default(), START);
            for (posts, seconds) in readings {
                at = at + Duration::from_secs(seconds);
                counts.push(posts, at);
                prop_assert!(counts.0.len() <= 64, "{}", counts.0.len());
                prop_assert!(counts.0.is_sorted_by(|a, b| a.0 < b.0), "{counts:?}");
                prop_assert!(counts.velocity().is_none_or(|velocity| velocity.is_finite() && velocity > 0.0));
            }
            counts.visit_timestamps(&mut |at| *at = if *at > START { *at - DAY } else { *at });
            prop_assert!(counts.velocity().is_none_or(|velocity| velocity.is_finite()));
        }
    }
}
