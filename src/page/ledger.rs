//! The ledger as metric families.

use metrics_page::{FamilyBuilder, collect, families};
use prometheus::proto::MetricFamily;
use units::{Credits, Timestamp};

use crate::credits::{Denial, Statement, Window};
use crate::model::Purpose;

families! {
    /// The families of the ledger.
    pub(super) const FAMILIES: fn(&Shown<'_>, &mut FamilyBuilder) = "credits and budgets";

    /// Budget in credits by window: the day, the calendar month (both UTC), or the account balance when it
    /// was last counted. Absent where no budget is set.
    gauge "tiktok_exporter_budget_credits" [window] => |shown, family| {
        by_window(family, |window| shown.statement.standing.limit(window));
    };
    /// Requests that were not sent because no credit could be reserved for them, by reason. Counted since the
    /// start.
    counter "tiktok_exporter_budget_denied_requests_total" [reason] => |shown, family| {
        for (reason, denied) in Denial::REASONS.into_iter().zip(shown.statement.denied) {
            family.put(&[reason], denied as f64);
        }
    };
    /// Unspent credits of each budget window, including the reserve for interactive commands. Absent where no
    /// budget is set.
    gauge "tiktok_exporter_budget_remaining_credits" [window] => |shown, family| {
        if shown.statement.known {
            by_window(family, |window| shown.statement.standing.remaining(window, Purpose::AdHoc));
        }
    };
    /// Credits of each budget window that are reserved for interactive commands.
    gauge "tiktok_exporter_budget_reserve_credits" [] => |shown, family| {
        family.put(&[], shown.statement.standing.reserve.as_f64());
    };
    /// Credits spent in the current day and calendar month (UTC), and since the account balance was counted (0 if
    /// no balance is set).
    gauge "tiktok_exporter_budget_spent_credits" [window] => |shown, family| {
        if shown.statement.known {
            by_window(family, |window| Some(shown.statement.standing.spent(window).all));
        }
    };
    /// Credits spent by endpoint and purpose: totals, posts, discovery, or ad_hoc (interactive commands). Persisted
    /// across restarts. A request that may have been sent counts as spent.
    counter "tiktok_exporter_credits_spent_total" [endpoint, purpose] => |shown, family| {
        if shown.statement.known {
            for (endpoint, purpose, credits) in shown.statement.settled.iter() {
                family.put(&[endpoint.as_str(), purpose.as_str()], credits.as_f64());
            }
        }
    };
    /// Credits reserved for requests in flight. They count against the budgets.
    gauge "tiktok_exporter_credits_unsettled" [] => |shown, family| {
        if shown.statement.known {
            family.put(&[], shown.statement.unsettled.as_f64());
        }
    };
    /// Requests that were in flight when the exporter last ended. Their credits count as spent.
    gauge "tiktok_exporter_credits_unsettled_at_start" [] => |shown, family| {
        if shown.statement.known {
            family.put(&[], shown.statement.unsettled_at_start.as_f64());
        }
    };
    /// Credits that will have been spent by the end of the current day (UTC) if scheduled refreshes continue at
    /// the current pace and within the budgets. While spending is stopped, the credits spent so far.
    gauge "tiktok_exporter_forecast_day_credits" [] => |shown, family| {
        if shown.statement.known {
            family.put(&[], shown.forecast);
        }
    };
    /// 1 while scheduled refreshes may not spend credits for this reason: the day, month or balance budget is
    /// exhausted, the ledger cannot be written, or the clock is behind the ledger; else 0. Last values are still
    /// shown.
    gauge "tiktok_exporter_spending_stopped" [reason] => |shown, family| {
        let stopped = shown.statement.stopped.as_ref().map(Denial::reason);
        for reason in Denial::REASONS {
            family.put(&[reason], f64::from(u8::from(stopped == Some(reason))));
        }
    };
}

/// What is shown of a ledger.
pub(super) struct Shown<'a> {
    statement: &'a Statement,
    forecast: f64,
}

/// The families of a ledger with this statement. `planned` is the pace of the poller in credits per day.
pub(super) fn families(statement: &Statement, planned: f64, now: Timestamp) -> Vec<MetricFamily> {
    let shown = Shown { statement, forecast: forecast(statement, planned, now) };
    collect(FAMILIES, |value, family| value(&shown, family))
}

/// In whole credits: otherwise it would change all the time.
pub(super) fn forecast(statement: &Statement, planned: f64, now: Timestamp) -> f64 {
    let pace = if statement.stopped.is_some() { 0.0 } else { planned };
    statement.standing.forecast(pace, now).round()
}

fn by_window(family: &mut FamilyBuilder, credits: impl Fn(Window) -> Option<Credits>) {
    for window in Window::ALL {
        if let Some(credits) = credits(window) {
            family.put(&[window.as_str()], credits.as_f64());
        }
    }
}
