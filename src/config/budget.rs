//! `[budget]`: how many credits may be spent.

use units::{Credits, Date, Problem, Problems, Timestamp};

use super::section::Section;
use super::value;
use crate::credits::{Balance, Limits};

/// More credits than any account has.
const CREDITS_MAX: u64 = 1_000_000_000_000;

/// `[budget]`:
///
/// * `per_day`, `per_month`: credits per day and per calendar month in UTC, 1 to 10^12. Absent by
///   default: no limit.
/// * `balance`, `balance_counted_on`: credits on the account, 0 to 10^12, and the day on which they
///   were counted, such as `2026-01-31`. Both or neither. Absent by default.
/// * `reserve`: credits of each budget that only interactive commands may spend; less than `per_day` and
///   `per_month`. Default 0.
pub(super) fn read(mut section: Section) -> Limits {
    let limits = Limits {
        per_day: credits(&mut section, "per_day", 1),
        per_month: credits(&mut section, "per_month", 1),
        balance: read_balance(&mut section),
        reserve: Credits::new(section.integer("reserve", 0, 0..=CREDITS_MAX)),
    };
    check_reserve(&limits, &mut section);
    section.finish();
    limits
}

fn credits(section: &mut Section, key: &'static str, least: u64) -> Option<Credits> {
    section.optional_integer(key, least..=CREDITS_MAX).map(Credits::new)
}

fn read_balance(section: &mut Section) -> Option<Balance> {
    let credits = credits(section, "balance", 0);
    let counted_on = section.get("balance_counted_on", None, |given| {
        if value::is_date(given) {
            return Err("is a bare date (write it in quotes, as in \"2026-01-31\")".to_owned());
        }
        let text = value::filled_text(given)?;
        Date::parse(text).map(Some).map_err(|why| format!("{} {why}", value::quote(text)))
    });
    match (section.is_set("balance"), section.is_set("balance_counted_on")) {
        (true, false) => section
            .problem("balance_counted_on", "is missing (the day on which budget.balance was counted, UTC)"),
        (false, true) => section.problem("balance", "is missing (the credits that were counted)"),
        _ => {}
    }
    Some(Balance { credits: credits?, counted_on: counted_on? })
}

/// Checks that the balance was not counted on a day that is in the future everywhere in the world.
///
/// # Errors
///
/// The problem with `budget.balance_counted_on`.
pub fn check_dates(limits: &Limits, now: Timestamp) -> Result<(), Problems> {
    let today = Date::of(now);
    match limits.balance {
        // East of Greenwich it may already be tomorrow.
        Some(balance) if balance.counted_on > today.plus(1) => Err(Problem::new(
            "budget.balance_counted_on",
            format!(
                "{} is in the future (today is {today} in UTC); give the day on which the credits were counted",
                balance.counted_on
            ),
        )
        .into()),
        _ => Ok(()),
    }
}

/// The reserve must leave something for scheduled refreshes.
fn check_reserve(limits: &Limits, section: &mut Section) {
    for (key, limit) in [("per_day", limits.per_day), ("per_month", limits.per_month)] {
        if let Some(limit) = limit
            && limits.reserve >= limit
            && section.is_valid(&[key, "reserve"])
        {
            section.problem(
                "reserve",
                format!(
                    "{} is not less than {key} ({}): nothing would be left for scheduled refreshes",
                    limits.reserve.get(),
                    limit.get()
                ),
            );
        }
    }
}
