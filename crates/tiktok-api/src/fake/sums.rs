//! The running sums of one hashtag: how many posts there were and how often they were played, up
//! to any hour.
//!
//! Totals are sums over every hour since the world began. Steps of the way are kept, so that the
//! next question starts from the nearest one; the answer is the same as from the beginning.

use std::sync::Mutex;

use super::profile::{PLAYS_TAU, Profile};

/// Hours between two kept steps.
const STRIDE: i64 = 16 * 24;

/// The sums at the beginning of an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sums {
    hour: i64,
    /// Posts so far.
    pub(super) posts: u64,
    /// Plays that these posts will have in the end, in units of an ordinary post's.
    promised: f64,
    /// The part of these that they do not have yet.
    outstanding: f64,
}

impl Sums {
    const BEGINNING: Self = Self { hour: 0, posts: 0, promised: 0.0, outstanding: 0.0 };

    /// Goes one hour on.
    fn advance(&mut self, profile: &Profile) {
        let posts = profile.posts_in(self.hour);
        let plays = posts as f64 * profile.rate.attention(self.hour);
        self.posts += posts;
        self.promised += plays;
        // The hour's posts are half an hour old at its end, on average.
        self.outstanding = self.outstanding * remaining(1.0) + plays * remaining(0.5);
        self.hour += 1;
    }

    /// Plays gathered, in units of an ordinary post's, `into` hours into the hour.
    pub(super) fn played(&self, into: f64) -> f64 {
        self.promised - self.outstanding * remaining(into)
    }
}

/// The share of a post's plays that is still to come at an age in hours.
pub(super) fn remaining(age: f64) -> f64 {
    (-age / PLAYS_TAU).exp()
}

/// The way of one hashtag, as far as it was walked.
#[derive(Debug, Default)]
pub(super) struct Course {
    walked: Mutex<Walked>,
}

#[derive(Debug, Default)]
struct Walked {
    /// Every [`STRIDE`] hours.
    steps: Vec<Sums>,
    /// Where the last question ended: the next one is often a little later.
    last: Option<Sums>,
}

impl Course {
    /// The sums at the beginning of `hour`, which is not negative.
    pub(super) fn sums(&self, profile: &Profile, hour: i64) -> Sums {
        // Nothing can panic while the lock is held; a poisoned one would still hold true sums.
        let mut walked = self.walked.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let step = walked.step(profile, usize::try_from(hour / STRIDE).unwrap_or(0));
        let last = walked.last.filter(|last| (step.hour..=hour).contains(&last.hour));
        let mut sums = last.unwrap_or(step);
        while sums.hour < hour {
            sums.advance(profile);
        }
        walked.last = Some(sums);
        sums
    }
}

impl Walked {
    /// The step with this number, walking on from the last kept one if it is not kept yet.
    fn step(&mut self, profile: &Profile, wanted: usize) -> Sums {
        if self.steps.is_empty() {
            self.steps.push(Sums::BEGINNING);
        }
        while self.steps.len() <= wanted {
            let mut sums = self.steps.last().copied().unwrap_or(Sums::BEGINNING);
            for _ in 0..STRIDE {
                sums.advance(profile);
            }
            self.steps.push(sums);
        }
        self.steps[wanted]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::dice::Dice;
    use units::Timestamp;

    #[test]
    fn kept_steps_change_no_sum() {
        let profile = Profile::new("booktok", Dice::new(3), Timestamp::from_secs(0)).unwrap();
        let walked = Course::default();
        for hour in [9_000, 17, 5_000, 0, 9_001, STRIDE, STRIDE - 1, 3 * STRIDE] {
            let fresh = Course::default().sums(&profile, hour);
            assert_eq!(walked.sums(&profile, hour), fresh, "at hour {hour}");
        }
    }
}
