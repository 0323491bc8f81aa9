//! Distribution of a short budget. Pure.
//!
//! When the loop needs more credits per day than are left, discovery is cut first, then posts, then totals.
//! All intervals of a purpose are stretched by the same factor, so that the credits last until the end of the
//! day or the month, whichever is shorter of credits.

use std::time::Duration;

use units::{Credits, DAY, Timestamp};

/// Credits per day that the loop needs with all intervals as configured.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Need {
    /// For totals.
    pub totals: f64,
    /// For posts.
    pub posts: f64,
    /// For discovery.
    pub discovery: f64,
}

impl Need {
    /// The total.
    pub fn total(&self) -> f64 {
        self.totals + self.posts + self.discovery
    }
}

/// The share of one purpose.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// Factor on its intervals: 1 as configured, above 1 stretched, infinite paused.
    pub stretch: f64,
    /// Credits per day, at most what it needs.
    pub per_day: f64,
}

impl Share {
    /// Whether it is less than needed.
    pub fn is_short(&self) -> bool {
        self.stretch > 1.0
    }

    /// Whether it is nothing.
    pub fn is_paused(&self) -> bool {
        self.stretch == f64::INFINITY
    }
}

/// The shares of all purposes of the loop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Totals.
    pub totals: Share,
    /// Posts.
    pub posts: Share,
    /// Discovery.
    pub discovery: Share,
}

/// Posts or discovery are paused if they get less than this part of their need, and less than [`LEAST`]: such
/// long intervals are useless. Totals are never paused while there are credits.
const PAUSED_BELOW: f64 = 0.001;

/// One credit per day is always worth spending.
const LEAST: f64 = 1.0;

impl Pace {
    /// Distributes `available` credits per day: totals before posts, posts before discovery. `None` is no
    /// limit.
    pub fn new(need: Need, available: Option<f64>) -> Self {
        let mut left = available.unwrap_or(f64::INFINITY).max(0.0);
        let mut share = |needed: f64, least: f64| {
            let per_day = needed.min(left);
            if needed <= 0.0 {
                return Share { stretch: 1.0, per_day: 0.0 };
            }
            if per_day < least || per_day <= 0.0 {
                return Share { stretch: f64::INFINITY, per_day: 0.0 };
            }
            left -= per_day;
            Share { stretch: needed / per_day, per_day }
        };
        let minimum = |needed: f64| LEAST.min(needed * PAUSED_BELOW);
        Self {
            totals: share(need.totals, 0.0),
            posts: share(need.posts, minimum(need.posts)),
            discovery: share(need.discovery, minimum(need.discovery)),
        }
    }

    /// Total credits per day.
    pub fn per_day(&self) -> f64 {
        self.totals.per_day + self.posts.per_day + self.discovery.per_day
    }
}

/// Spaces the jobs of one purpose while its budget is short, so that a backlog, such as the first refresh of
/// a long watchlist, does not spend the day's credits at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pacer {
    next: Timestamp,
}

/// A backlog is worked off slightly faster than evenly. The share is updated every minute, so this cannot
/// overspend.
const SPEED_UP: f64 = 1.1;
/// Delays up to this long are made up for.
const SLACK: Duration = Duration::from_secs(300);

impl Pacer {
    /// When the next job may start.
    pub fn next(&self) -> Timestamp {
        self.next
    }

    /// A job with this likely `cost` was started.
    pub fn started(&mut self, cost: Credits, share: Share, now: Timestamp) {
        self.next = match wait(cost, share) {
            Some(wait) => self.next.max(now - SLACK) + wait,
            None => now,
        };
    }

    /// An earlier process started a job at `last`. No delay is made up for, since it is unknown.
    pub fn resume(&mut self, last: Timestamp, share: Share) {
        if let Some(wait) = wait(Credits::ONE, share) {
            self.next = self.next.max(last + wait);
        }
    }
}

/// The time in which the share yields `cost` credits, at most an hour. `None` unless the share is short.
fn wait(cost: Credits, share: Share) -> Option<Duration> {
    let days = cost.as_f64() / (share.per_day * SPEED_UP);
    (share.is_short() && share.per_day > 0.0).then(|| DAY.mul_f64(days.min(1.0 / 24.0)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use units::HOUR;

    const NEED: Need = Need { totals: 100.0, posts: 200.0, discovery: 50.0 };

    #[test]
    fn the_lowest_priority_is_cut_first() {
        let paused = f64::INFINITY;
        for (available, stretches) in [
            (None, [1.0, 1.0, 1.0]),
            (Some(1_000.0), [1.0, 1.0, 1.0]),
            (Some(350.0), [1.0, 1.0, 1.0]),
            (Some(325.0), [1.0, 1.0, 2.0]),
            (Some(300.0), [1.0, 1.0, paused]),
            (Some(150.0), [1.0, 4.0, paused]),
            (Some(100.0), [1.0, paused, paused]),
            (Some(40.0), [2.5, paused, paused]),
            (Some(0.03125), [3_200.0, paused, paused]),
            (Some(300.03125), [1.0, 1.0, paused]),
            (Some(0.0), [paused, paused, paused]),
            (Some(-5.0), [paused, paused, paused]),
        ] {
            let pace = Pace::new(NEED, available);
            let found = [pace.totals, pace.posts, pace.discovery].map(|share| share.stretch);
            assert_eq!(found, stretches, "{available:?}");
        }
    }

    #[test]
    fn without_a_need_nothing_is_stretched() {
        let pace = Pace::new(Need::default(), Some(0.0));
        assert_eq!((pace.totals.stretch, pace.per_day()), (1.0, 0.0));
    }

    #[test]
    fn a_backlog_lasts_the_day_when_the_budget_is_short() {
        let start = Timestamp::from_secs(1_800_000_000);
        let (end, budget) = (start + DAY, 250.0);
        let mut pacer = Pacer::default();
        let mut now = start;
        let mut left = budget;
        let mut at_noon = 0.0;
        // A thousand things wait; each costs one credit.
        while now < end {
            let days_left = end.saturating_since(now).as_secs_f64() / 86_400.0;
            let share = Share { stretch: 4.0, per_day: left / days_left };
            if left >= 1.0 && pacer.next() <= now {
                pacer.started(Credits::ONE, share, now);
                left -= 1.0;
            }
            if now < start + HOUR * 12 {
                at_noon = left;
            }
            now = now + Duration::from_secs(10);
        }
        assert!((0.42..0.5).contains(&(at_noon / budget)), "{at_noon} of {budget} are left at noon");
        assert!(left < budget * 0.05, "{left} of {budget} are left at midnight");
    }

    proptest! {
        #[test]
        fn what_is_handed_out_never_exceeds_what_is_there(
            totals in 0.0..1e6, posts in 0.0..1e6, discovery in 0.0..1e4, available in 0.0..2e6,
        ) {
            let need = Need { totals, posts, discovery };
            let pace = Pace::new(need, Some(available));
            prop_assert!(pace.per_day() <= available.max(0.0) * (1.0 + 1e-9));
            // Nothing is held back but what is too little for anything: less than one credit a day.
            prop_assert!(pace.per_day() >= need.total().min(available) * (1.0 - 1e-9) - LEAST, "{pace:?}");
            let mut earlier_is_short = false;
            for (share, needed) in [(pace.totals, totals), (pace.posts, posts), (pace.discovery, discovery)] {
                prop_assert!(share.stretch >= 1.0 && share.per_day <= needed);
                prop_assert!(!earlier_is_short || share.per_day < LEAST, "{pace:?}");
                earlier_is_short |= share.is_short();
                if !share.is_paused() {
                    // A stretched interval costs what is handed out, no more.
                    prop_assert!((needed / share.stretch - share.per_day).abs() <= 1e-6 * needed.max(1.0));
                }
            }
        }
    }
}
