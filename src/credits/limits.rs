//! Budgets per window, and what is left of them. Pure.

use units::{Credits, Date, Timestamp};

use crate::model::{JobKind, Purpose, Spent};
use crate::watch::Shard;

/// Days of a month, on average.
const MEAN_MONTH_DAYS: f64 = 365.2425 / 12.0;

/// A period with its own budget, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Window {
    /// From midnight to midnight.
    Day,
    /// The calendar month.
    Month,
    /// Since the balance of the account was set. It has no end.
    Balance,
}

impl Window {
    /// All windows, shortest first.
    pub const ALL: [Window; 3] = [Window::Day, Window::Month, Window::Balance];

    /// The window as a label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Window::Day => "day",
            Window::Month => "month",
            Window::Balance => "balance",
        }
    }

    /// The end of the window around `date`. `None` for the balance.
    pub fn end(self, date: Date) -> Option<Timestamp> {
        match self {
            Window::Day => Some(date.end()),
            Window::Month => Some(date.next_month_start().start()),
            Window::Balance => None,
        }
    }
}

/// The budgets. `None` is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Credits per day.
    pub per_day: Option<Credits>,
    /// Credits per calendar month.
    pub per_month: Option<Credits>,
    /// Credits on the account when the balance was last set.
    pub balance: Option<Balance>,
    /// Credits of each window that only interactive look-ups may spend.
    pub reserve: Credits,
}

impl Limits {
    /// The share of a shard. The shares of all shards add up to these limits.
    #[must_use]
    pub fn share(self, shard: Shard) -> Self {
        let share = |credits: Credits| Credits::new(shard.share(credits.get()));
        Self {
            per_day: self.per_day.map(share),
            per_month: self.per_month.map(share),
            balance: self.balance.map(|balance| Balance { credits: share(balance.credits), ..balance }),
            reserve: share(self.reserve),
        }
    }

    /// Credits per day that the loop may spend in the long run. `None` without a limit. A balance has no such
    /// rate.
    pub fn daily_allowance(&self) -> Option<f64> {
        let of_day = self.per_day.map(|credits| credits.less(self.reserve).as_f64());
        let of_month = self.per_month.map(|credits| credits.less(self.reserve).as_f64() / MEAN_MONTH_DAYS);
        [of_day, of_month].into_iter().flatten().min_by(f64::total_cmp)
    }
}

/// The credits on the account, as the vendor's dashboard showed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    /// Number of credits.
    pub credits: Credits,
    /// The day of the count. All spending of that day counts as after it.
    pub counted_on: Date,
}

/// Limits and spending at one time, by window in the order of [`Window::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The current day of the ledger.
    pub today: Date,
    /// The limits; `None` is no limit.
    pub limits: [Option<Credits>; Window::ALL.len()],
    /// Credits of each window that only interactive look-ups may spend.
    pub reserve: Credits,
    /// The credits spent.
    pub spent: [Spent; Window::ALL.len()],
}

impl Standing {
    /// The limit of a window.
    pub fn limit(&self, window: Window) -> Option<Credits> {
        self.limits[window as usize]
    }

    /// The credits spent in a window.
    pub fn spent(&self, window: Window) -> Spent {
        self.spent[window as usize]
    }

    /// The credits that `purpose` may still spend in a window. `None` without a limit. Interactive look-ups
    /// spend the reserve first.
    pub fn remaining(&self, window: Window, purpose: Purpose) -> Option<Credits> {
        let spent = self.spent(window);
        let left = self.limit(window)?.less(spent.all);
        Some(match purpose {
            Purpose::AdHoc => left,
            _ => left.less(self.reserve.less(spent.ad_hoc)),
        })
    }

    /// The longest window with less than `cost` left for `purpose`, if any.
    pub fn lacking(&self, purpose: Purpose, cost: Credits) -> Option<Window> {
        let lacks = |window: &Window| self.remaining(*window, purpose).is_some_and(|left| left < cost);
        // The longest window first, because it decides how long to wait.
        Window::ALL.into_iter().rev().find(lacks)
    }

    /// Counts one credit as spent.
    pub fn spend(&mut self, purpose: Purpose) {
        self.spent.iter_mut().for_each(|spent| spent.add(purpose));
    }

    /// Starts new windows up to `date`. An earlier date changes nothing.
    pub fn advance(&mut self, date: Date) {
        if date <= self.today {
            return;
        }
        self.spent[Window::Day as usize] = Spent::default();
        if date.month_start() != self.today.month_start() {
            self.spent[Window::Month as usize] = Spent::default();
        }
        self.today = date;
    }

    /// The credits that will be spent by the end of today if the loop spends `per_day` from `now` on, until a
    /// window is exhausted.
    pub fn forecast(&self, per_day: f64, now: Timestamp) -> f64 {
        let days_left = self.today.end().saturating_since(now).as_secs_f64() / 86_400.0;
        let left = Window::ALL
            .into_iter()
            .filter_map(|window| self.remaining(window, Purpose::Job(JobKind::Totals)));
        let more = left.map(Credits::as_f64).fold(per_day * days_left, f64::min);
        self.spent(Window::Day).all.as_f64() + more
    }

    /// The rate, in credits per day, at which the credits of every window last exactly to its end. `None`
    /// without a limit. A balance has no end: it limits the rate only when it is spent.
    pub fn daily_rate(&self, now: Timestamp) -> Option<f64> {
        let rate = |window: Window| {
            let left = self.remaining(window, Purpose::Job(JobKind::Totals))?;
            let Some(end) = window.end(self.today) else {
                return (left == Credits::ZERO).then_some(0.0);
            };
            // At least a minute: close to the end a single credit would be an absurdly high rate.
            let days = end.saturating_since(now).as_secs_f64().max(60.0) / 86_400.0;
            Some(left.as_f64() / days)
        };
        Window::ALL.into_iter().filter_map(rate).min_by(f64::total_cmp)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn standing(limits: [Option<u64>; 3], reserve: u64) -> Standing {
        Standing {
            today: Date::parse("2026-03-30").unwrap(),
            limits: limits.map(|limit| limit.map(Credits::new)),
            reserve: Credits::new(reserve),
            spent: Default::default(),
        }
    }

    /// Spends for `purpose` until denied.
    fn exhaust(standing: &mut Standing, purpose: Purpose) -> u64 {
        let mut credits = 0;
        while standing.lacking(purpose, Credits::ONE).is_none() {
            standing.spend(purpose);
            credits += 1;
        }
        credits
    }

    #[test]
    fn the_forecast_ends_where_the_first_window_does() {
        let noon = Timestamp::from_secs(Date::parse("2026-03-30").unwrap().start().as_secs() + 43_200);
        for (limits, reserve, per_day, want) in [
            ([None, None, None], 0, 100.0, 60.0),
            ([None, None, None], 0, 0.0, 10.0),
            ([Some(100), None, None], 0, 100.0, 60.0),
            ([Some(40), None, None], 0, 100.0, 40.0),
            ([Some(40), None, None], 5, 100.0, 35.0),
            ([Some(100), Some(30), None], 0, 100.0, 30.0),
            ([Some(100), None, Some(12)], 0, 100.0, 12.0),
            ([Some(8), None, None], 0, 100.0, 10.0),
        ] {
            let mut standing = standing(limits, reserve);
            (0..10).for_each(|_| standing.spend(Purpose::Job(JobKind::Totals)));
            assert_eq!(standing.forecast(per_day, noon), want, "{limits:?} at {per_day}");
        }
    }

    #[test]
    fn look_ups_spend_the_reserve_first_and_only_they_may() {
        let mut untouched = standing([Some(100), None, None], 10);
        assert_eq!(exhaust(&mut untouched, Purpose::Job(JobKind::Totals)), 90);
        assert_eq!(exhaust(&mut untouched, Purpose::AdHoc), 10);

        let mut asked_before = standing([Some(100), None, None], 10);
        (0..4).for_each(|_| asked_before.spend(Purpose::AdHoc));
        assert_eq!(
            exhaust(&mut asked_before, Purpose::Job(JobKind::Posts)),
            90,
            "their four came out of the reserve"
        );
        assert_eq!(exhaust(&mut asked_before, Purpose::AdHoc), 6);
    }

    #[test]
    fn the_longest_exhausted_window_is_returned() {
        for (limits, want) in [
            ([None, None, None], None),
            ([Some(1), Some(2), Some(3)], None),
            ([Some(0), Some(2), Some(3)], Some(Window::Day)),
            ([Some(0), Some(0), Some(3)], Some(Window::Month)),
            ([Some(0), Some(0), Some(0)], Some(Window::Balance)),
        ] {
            assert_eq!(
                standing(limits, 0).lacking(Purpose::Job(JobKind::Totals), Credits::ONE),
                want,
                "{limits:?}"
            );
        }
        assert_eq!(
            standing([Some(2), None, None], 0).lacking(Purpose::Job(JobKind::Posts), Credits::new(3)),
            Some(Window::Day),
            "what costs three is not begun with two"
        );
    }

    #[test]
    fn midnight_starts_a_day_and_the_first_of_the_month_a_month() {
        let mut standing = standing([Some(5), Some(7), Some(8)], 0);
        assert_eq!(exhaust(&mut standing, Purpose::Job(JobKind::Totals)), 5);
        standing.advance(Date::parse("2026-03-31").unwrap());
        assert_eq!(exhaust(&mut standing, Purpose::Job(JobKind::Totals)), 2, "the month is spent");
        standing.advance(Date::parse("2026-03-29").unwrap());
        assert_eq!(exhaust(&mut standing, Purpose::Job(JobKind::Totals)), 0, "time does not go back");
        standing.advance(Date::parse("2026-04-01").unwrap());
        assert_eq!(exhaust(&mut standing, Purpose::Job(JobKind::Totals)), 1, "the balance is spent");
    }

    #[test]
    fn the_rate_makes_the_scarcest_window_last() {
        let noon = Date::parse("2026-03-30").unwrap().start() + units::HOUR * 12;
        let rate = |limits| standing(limits, 10).daily_rate(noon);
        assert_eq!(rate([None, None, None]), None);
        assert_eq!(rate([None, None, Some(50)]), None, "a balance is there or not");
        assert_eq!(rate([None, None, Some(10)]), Some(0.0));
        assert_eq!(rate([Some(110), None, None]), Some(200.0), "100 in half a day");
        assert_eq!(rate([Some(110), Some(160), None]), Some(100.0), "150 in a day and a half");
    }

    proptest! {
        #[test]
        fn no_order_of_spending_exceeds_a_budget(
            limits in prop::array::uniform3(prop::option::of(0_u64..60)),
            reserve in 0_u64..70,
            steps in prop::collection::vec((0_usize..4, 0_i32..3), 0..300),
        ) {
            let mut standing = standing(limits, reserve);
            let mut loop_spent = 0;
            for (purpose, days) in steps {
                let purpose = Purpose::ALL[purpose];
                let before = standing.today;
                standing.advance(before.plus(days));
                loop_spent = if standing.today > before { 0 } else { loop_spent };
                if standing.lacking(purpose, Credits::ONE).is_none() {
                    standing.spend(purpose);
                    loop_spent += u64::from(purpose != Purpose::AdHoc);
                }
                for window in Window::ALL {
                    let spent = standing.spent(window).all;
                    prop_assert!(standing.limit(window).is_none_or(|limit| spent <= limit), "{standing:?}");
                }
                if let Some(limit) = limits[0] {
                    prop_assert!(loop_spent <= limit.saturating_sub(reserve), "the loop took of the reserve");
                }
            }
        }
    }
}
