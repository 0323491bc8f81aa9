//! `[shard]`: which part of the watchlist this exporter watches.

use super::section::Section;
use crate::credits::Limits;
use crate::watch::Shard;

pub(super) const KEYS: &[&str] = &["index", "of"];

/// More exporters than anybody has.
const SHARDS_MAX: u32 = 1_000;

/// `[shard]`:
///
/// * `of`: how many exporters share the watchlist, the budgets and the rate limit, 1 to 1000.
///   Default 1.
/// * `index`: which of them this one is, 0 to `of` - 1. Required when `of` is above 1.
///
/// Shares that come out as nothing are noted.
pub(super) fn read(mut section: Section, budget: &Limits, rate_limit_per_minute: u32) -> Shard {
    let of = section.small_integer("of", 1, 1..=SHARDS_MAX);
    let index = section.small_integer("index", 0, 0..=SHARDS_MAX - 1);
    if of > 1 && !section.is_given("index") {
        section.problem("index", format!("is missing (which of the {of} this one is, from 0)"));
    }
    let shard = Shard::new(index, of);
    if shard.is_none() && section.is_sound(&["index", "of"]) {
        section.problem("index", format!("{index} is not below shard.of ({of}): the first one is number 0"));
    }
    let shard = shard.unwrap_or(Shard::WHOLE);
    let budgets = [("budget.per_day", budget.per_day), ("budget.per_month", budget.per_month)];
    let wholes = budgets
        .into_iter()
        .filter_map(|(name, credits)| Some((name, credits?.get())))
        .chain([("api.rate_limit_per_minute", u64::from(rate_limit_per_minute))]);
    for (name, whole) in wholes.filter(|(_, whole)| *whole < u64::from(of)) {
        section
            .problem("of", format!("{name} is {whole}, which is less than one for each of {of} exporters"));
    }
    let share = budget.share(shard);
    if of > 1
        && [share.per_day, share.per_month].into_iter().flatten().any(|credits| share.reserve >= credits)
    {
        section.problem("of", "budget.reserve would leave some of them nothing to watch with");
    }
    section.finish();
    shard
}
