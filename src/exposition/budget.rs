//! The ledger as metric families.

use std::sync::Arc;

use prometheus::Gauge;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use units::{SharedClock, Timestamp};

use super::families::families;
use super::sheet::{Sheet, describe};
use crate::credits::{Denial, Ledger, Statement, Window};
use crate::model::Purpose;

families! {
    ///Credits spent by endpoint and purpose (totals, posts, discovery, or ad_hoc for people's commands). Counted
    /// on disk over all restarts; a request that may have been sent counts as spent.
    SPENT_TOTAL = "tiktok_exporter_credits_spent_total";
    ///Credits reserved for requests that have not ended yet. They count against the budgets.
    UNSETTLED = "tiktok_exporter_credits_unsettled";
    ///Requests that were under way when the program last ended, and whose credits therefore count as spent.
    UNSETTLED_AT_START = "tiktok_exporter_credits_unsettled_at_start";
    ///Budget in credits by window: the day, the calendar month (both UTC), or the balance of the account when it
    /// was last counted. Absent where no budget is set.
    LIMIT = "tiktok_exporter_budget_credits";
    ///Credits of each window's budget that are not spent, the reserve for people's commands among them. Absent
    /// where no budget is set.
    REMAINING = "tiktok_exporter_budget_remaining_credits";
    ///Credits of each window that only people's ad-hoc commands may spend.
    RESERVE = "tiktok_exporter_budget_reserve_credits";
    ///Credits spent in the current day and calendar month, UTC, and since the balance was counted (0 while none is).
    WINDOW_SPENT = "tiktok_exporter_budget_spent_credits";
    ///Credits that will have been spent in the current day (UTC) at its end, if the loop goes on at its present
    /// pace and as long as the budgets last; while spending is stopped, what is spent already.
    FORECAST = "tiktok_exporter_forecast_day_credits";
    ///1 while the loop may not spend for this reason: the budget of the day, of the month or the balance is
    /// spent, the ledger cannot be written, or the clock is behind the ledger; else 0. Last values are still shown.
    STOPPED = "tiktok_exporter_spending_stopped";
    ///Requests that were not sent because no credit could be reserved for them, by reason, since the start.
    DENIED = "tiktok_exporter_budget_denied_requests_total";
}

/// Collects the ledger's families.
pub(super) struct Budget {
    ledger: Arc<Ledger>,
    /// Credits a day at which the loop goes.
    planned: Gauge,
    clock: SharedClock,
    descriptions: Vec<Desc>,
}

impl Budget {
    pub(super) fn new(ledger: Arc<Ledger>, planned: Gauge, clock: SharedClock) -> prometheus::Result<Self> {
        Ok(Self { ledger, planned, clock, descriptions: describe(ALL)? })
    }
}

impl Collector for Budget {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let now = self.clock.now();
        families(&self.ledger.statement(now), self.planned.get(), now)
    }
}

/// What a ledger with this statement shows. `planned` is the loop's pace a day.
pub(super) fn families(statement: &Statement, planned: f64, now: Timestamp) -> Vec<MetricFamily> {
    let mut sheet = Sheet::default();
    spending(&mut sheet, statement);
    if statement.known {
        sheet.put(&FORECAST, &[], forecast(statement, planned, now));
    }
    windows(&mut sheet, statement);
    refusals(&mut sheet, statement);
    sheet.into_families(ALL)
}

/// In whole credits: it is different at every moment otherwise. `planned` is the loop's pace a day.
pub(super) fn forecast(statement: &Statement, planned: f64, now: Timestamp) -> f64 {
    let pace = if statement.stopped.is_some() { 0.0 } else { planned };
    statement.standing.forecast(pace, now).round()
}

fn spending(sheet: &mut Sheet, statement: &Statement) {
    if !statement.known {
        return;
    }
    for (operation, purpose, credits) in statement.settled.iter() {
        let labels = [("endpoint", operation.as_str()), ("purpose", purpose.as_str())];
        sheet.put(&SPENT_TOTAL, &labels, credits.as_f64());
    }
    sheet.put(&UNSETTLED, &[], statement.unsettled.as_f64());
    sheet.put(&UNSETTLED_AT_START, &[], statement.unsettled_at_start.as_f64());
}

fn windows(sheet: &mut Sheet, statement: &Statement) {
    let standing = &statement.standing;
    for window in Window::ALL {
        let labels = [("window", window.as_str())];
        let spent = Some(standing.spent(window).all).filter(|_| statement.known);
        let remaining = standing.remaining(window, Purpose::AdHoc).filter(|_| statement.known);
        for (family, value) in
            [(&LIMIT, standing.limit(window)), (&REMAINING, remaining), (&WINDOW_SPENT, spent)]
        {
            if let Some(credits) = value {
                sheet.put(family, &labels, credits.as_f64());
            }
        }
    }
    sheet.put(&RESERVE, &[], standing.reserve.as_f64());
}

fn refusals(sheet: &mut Sheet, statement: &Statement) {
    let stopped = statement.stopped.as_ref().map(Denial::reason);
    for (reason, denied) in Denial::REASONS.into_iter().zip(statement.denied) {
        let labels = [("reason", reason)];
        sheet.put(&STOPPED, &labels, f64::from(u8::from(stopped == Some(reason))));
        sheet.put(&DENIED, &labels, denied as f64);
    }
}
