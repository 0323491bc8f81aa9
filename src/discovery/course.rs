//! How a hashtag did over the days of its trial.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use units::{DAY, HOUR, Timestamp, WEEK};

/// Readings closer together than this add nothing.
const CLOSEST: Duration = Duration::from_secs(6 * HOUR.as_secs());
/// Posts a day added to both sides, so that two posts instead of none are no take-off.
const FLOOR: f64 = 3.0;

/// Counts of posts over the last week, oldest first: `(milliseconds since the Unix epoch, posts)`.
/// About thirty of them at the most.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Course(Vec<(i64, u64)>);

impl Course {
    /// Takes a count in that was read at `at`, later than those before.
    pub fn push(&mut self, posts: u64, at: Timestamp) {
        let at = at.as_millis();
        if let [.., before, (last, _)] = self.0.as_slice()
            && last - before.0 < millis(CLOSEST)
        {
            // The last one only stood in for this one.
            self.0.pop();
        }
        self.0.retain(|(old, _)| *old < at && *old >= at - millis(WEEK));
        self.0.push((at, posts));
    }

    /// Posts of the last day over those of a mean day before now, as the rules measure it, both with
    /// a floor of three posts. `None` before there are readings of two days.
    pub fn velocity(&self) -> Option<f64> {
        let (first, (now, posts)) = (self.0.first()?, self.0.last()?);
        let per_day = |from: &(i64, u64)| {
            posts.saturating_sub(from.1) as f64 * DAY.as_secs_f64() * 1_000.0 / (now - from.0) as f64
        };
        if now - first.0 < 2 * millis(DAY) {
            return None;
        }
        let day_ago = self.0.iter().rev().find(|(at, _)| now - at >= millis(DAY))?;
        Some((per_day(day_ago) + FLOOR) / (per_day(first) + FLOOR))
    }

    /// Moves what lies after `now` back in time by `back`.
    pub(super) fn date_anew(&mut self, now: Timestamp, back: Duration) {
        for (at, _) in &mut self.0 {
            if *at > now.as_millis() {
                *at -= millis(back);
            }
        }
        self.0.sort_by_key(|(at, _)| *at);
        self.0.dedup_by_key(|(at, _)| *at);
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: Timestamp = Timestamp::from_secs(1_800_000_000);

    /// A count read every six hours for these days, with so many new posts on each.
    fn course(posts_per_day: &[u64]) -> Course {
        let mut course = Course::default();
        let (mut at, mut posts) = (START, 1_000);
        course.push(posts, at);
        for per_day in posts_per_day {
            for _ in 0..4 {
                at = at + HOUR * 6;
                posts += per_day / 4;
                course.push(posts, at);
            }
        }
        course
    }

    #[test]
    fn the_last_day_is_measured_against_the_days_before() {
        for (days, velocity, note) in [
            (vec![40], None, "a day says nothing"),
            (vec![40; 7], Some(1.0), "steady"),
            (vec![0; 7], Some(1.0), "dormant"),
            (vec![0, 0, 0, 0, 0, 0, 4], Some((4.0 + 3.0) / (4.0 / 7.0 + 3.0)), "four posts out of nothing"),
            (vec![40, 40, 40, 40, 40, 40, 400], Some(403.0 / (640.0 / 7.0 + 3.0)), "a jump"),
            (vec![400, 40, 40, 40, 40, 40, 40, 40], Some(1.0), "what was over a week ago is forgotten"),
        ] {
            let got = course(&days).velocity();
            let same = match (got, velocity) {
                (Some(got), Some(want)) => (got - want).abs() < 0.06 * want,
                (got, want) => got == want,
            };
            assert!(same, "{note}: {got:?} is not {velocity:?}");
        }
    }

    proptest! {
        #[test]
        fn it_stays_small_and_sound_whatever_is_read(
            readings in prop::collection::vec((any::<u64>(), 0_u64..500_000), 0..300),
        ) {
            let (mut course, mut at) = (Course::default(), START);
            for (posts, seconds) in readings {
                at = at + Duration::from_secs(seconds);
                course.push(posts, at);
                prop_assert!(course.0.len() <= 64, "{}", course.0.len());
                prop_assert!(course.0.is_sorted_by(|a, b| a.0 < b.0), "{course:?}");
                prop_assert!(course.velocity().is_none_or(|velocity| velocity.is_finite() && velocity > 0.0));
            }
            course.date_anew(START, DAY);
            prop_assert!(course.velocity().is_none_or(|velocity| velocity.is_finite()));
        }
    }
}
