//! The running sums of one hashtag: how many posts there were and how often they were played, up
//! to any hour.
//!
//! Totals are sums over every hour since the beginning of the world. Intermediate sums are cached, and the next
//! computation starts from the nearest one; the result is the same as from the beginning.

use std::sync::Mutex;

use super::profile::{PLAYS_TAU, Profile};

/// Hours between two cached sums.
const STRIDE: i64 = 16 * 24;

/// The sums at the beginning of an hour.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Sums {
    hour: i64,
    /// Posts so far.
    pub(super) posts: u64,
    /// Plays that these posts will have in total, in units of those of an ordinary post.
    promised: f64,
    /// The part of them that is still to come.
    outstanding: f64,
}

impl Sums {
    const BEGINNING: Self = Self { hour: 0, posts: 0, promised: 0.0, outstanding: 0.0 };

    /// Adds one hour.
    fn advance(&mut self, profile: &Profile) {
        let posts = profile.posts_in(self.hour);
        let plays = posts as f64 * profile.rate.attention(self.hour);
        self.posts += posts;
        self.promised += plays;
        // The hour's posts are half an hour old at its end, on average.
        self.outstanding = self.outstanding * remaining(1.0) + plays * remaining(0.5);
        self.hour += 1;
    }

    /// Plays so far, in units of those of an ordinary post, `into` hours into the hour.
    pub(super) fn played(&self, into: f64) -> f64 {
        self.promised - self.outstanding * remaining(into)
    }
}

/// The share of a post's plays that is still to come at an age in hours.
pub(super) fn remaining(age: f64) -> f64 {
    (-age / PLAYS_TAU).exp()
}

/// The sums of one hashtag, as far as they were computed.
#[derive(Debug, Default)]
pub(super) struct SumCache {
    cached: Mutex<Cached>,
}

#[derive(Debug, Default)]
struct Cached {
    /// Every [`STRIDE`] hours.
    steps: Vec<Sums>,
    /// The last result: the next computation is often for a slightly later time.
    last: Option<Sums>,
}

impl SumCache {
    /// The sums at the beginning of `hour`, which is not negative.
    pub(super) fn at(&self, profile: &Profile, hour: i64) -> Sums {
        // Nothing can panic while the lock is held; the sums would still be correct.
        let mut cached = self.cached.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let step = cached.step(profile, usize::try_from(hour / STRIDE).unwrap_or(0));
        let last = cached.last.filter(|last| (step.hour..=hour).contains(&last.hour));
        let mut sums = last.unwrap_or(step);
        while sums.hour < hour {
            sums.advance(profile);
        }
        cached.last = Some(sums);
        sums
    }
}

impl Cached {
    /// The cached sums with this number, computed from the last ones if necessary.
    fn step(&mut self, profile: &Profile, number: usize) -> Sums {
        if self.steps.is_empty() {
            self.steps.push(Sums::BEGINNING);
        }
        while self.steps.len() <= number {
            let mut sums = self.steps.last().copied().unwrap_or(Sums::BEGINNING);
            for _ in 0..STRIDE {
                sums.advance(profile);
            }
            self.steps.push(sums);
        }
        self.steps[number]
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
        let cached = SumCache::default();
        for hour in [9_000, 17, 5_000, 0, 9_001, STRIDE, STRIDE - 1, 3 * STRIDE] {
            let fresh = SumCache::default().at(&profile, hour);
            assert_eq!(cached.at(&profile, hour), fresh, "at hour {hour}");
        }
    }
}
