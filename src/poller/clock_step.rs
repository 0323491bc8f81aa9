//! Steps of the wall clock: the only place that shifts what is known.
//!
//! When the wall clock is set back by more than a minute, all due times would lie that much further ahead,
//! and all results would look younger than they are. The monotonic clock shows the size of the step, so every
//! timestamp after the new time is shifted by as much, and all refreshes are scheduled again. Timestamps
//! before the new time stay: they were taken before the clock went wrong.
//!
//! Timestamps that a wrong clock left in the store are a different case. Their age is unknown
//! ([`Timestamp::age`] is `None`), so such results are not shown, and jobs that ran then count as run now.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use units::{Timestamp, duration};

use super::Poller;

/// Compares the wall clock with the monotonic clock.
pub(super) struct ClockWatch {
    /// The latest wall-clock time since the last step.
    latest: Timestamp,
    /// When that was, by the monotonic clock.
    at: Instant,
}

/// A step back of the wall clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClockStep {
    /// The time after the step.
    pub now: Timestamp,
    /// Its size.
    pub back: Duration,
}

impl ClockWatch {
    pub fn new(now: Timestamp) -> Self {
        Self { latest: now, at: Instant::now() }
    }

    /// The latest wall-clock time since the last step.
    pub fn latest(&self) -> Timestamp {
        self.latest
    }

    /// Returns the step if the wall clock was set back by more than a minute. Time services correct less than
    /// that.
    pub fn check(&mut self, now: Timestamp) -> Option<ClockStep> {
        let expected = self.latest + self.at.elapsed();
        let has_stepped = expected.age(now).is_none();
        // After a smaller step the later time is kept, because the clock may fall further behind.
        if has_stepped || now >= self.latest {
            *self = Self::new(now);
        }
        has_stepped.then(|| ClockStep { now, back: expected.saturating_since(now) })
    }
}

impl ClockStep {
    /// Shifts a timestamp that was taken before the step.
    pub fn shift(&self, at: &mut Timestamp) {
        if *at > self.now {
            *at = *at - self.back;
        }
    }
}

impl Poller {
    /// After a step of the wall clock, shifts all timestamps and schedules all refreshes again.
    pub(super) async fn check_clock_step(&mut self) {
        let Some(step) = self.clock_watch.check(self.parts.clock.now()) else { return };
        tracing::warn!(
            "the clock stepped back by {}: all refreshes are rescheduled",
            duration::show(Duration::from_secs(step.back.as_secs()))
        );
        self.shift_timestamps(step);
        self.replan(step.now).await;
    }

    fn shift_timestamps(&mut self, step: ClockStep) {
        let shift = &mut |at: &mut Timestamp| step.shift(at);
        for known in self.hashtags.values_mut() {
            Arc::make_mut(known).visit_timestamps(shift);
        }
        for known in self.keywords.values_mut() {
            Arc::make_mut(known).visit_timestamps(shift);
        }
        self.growth.values_mut().for_each(|growth| growth.visit_timestamps(shift));
        self.trials.visit_timestamps(shift);
        self.show_trials();
        // Refreshes in flight may hold answers that came before the step.
        self.running.values_mut().for_each(|running| running.clock_back += step.back);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn small_steps_add_up_and_timestamps_before_a_step_stay() {
        let seconds = Duration::from_secs;
        let start = Timestamp::from_secs(1_800_000_000);
        let mut watch = ClockWatch::new(start);
        tokio::time::advance(seconds(10)).await;
        assert!(watch.check(start + seconds(10)).is_none(), "no step");
        assert!(watch.check(start - seconds(40)).is_none(), "50 seconds back");
        assert_eq!(watch.latest(), start + seconds(10));
        let step = watch.check(start - seconds(90)).unwrap();
        assert_eq!((step.back, watch.latest()), (seconds(100), start - seconds(90)));
        let shifted = |mut at: Timestamp| {
            step.shift(&mut at);
            at
        };
        assert_eq!(shifted(start), start - seconds(100));
        assert_eq!(shifted(start - seconds(95)), start - seconds(95));
        assert!(watch.check(start - seconds(80)).is_none());
    }
}
