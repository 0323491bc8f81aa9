//! `[shard]`: which part of the watchlist this exporter watches.

use super::section::Section;
use crate::credits::Limits;
use crate::watch::Shard;

/// More exporters than any site has.
const SHARDS_MAX: u64 = 1_000;

/// `[shard]`:
///
/// * `of`: how many exporters share the watchlist, the budgets and the rate limit, 1 to 1000.
///   Default 1.
/// * `index`: which of them this one is, 0 to `of` - 1. Required when `of` is above 1.
///
/// A share of zero is a problem.
pub(super) fn read(mut section: Section, budget: &Limits, rate_limit_per_minute: u32) -> Shard {
    let of = section.integer("of", 1_u32, 1..=SHARDS_MAX);
    let index = section.integer("index", 0_u32, 0..=SHARDS_MAX - 1);
    if of > 1 && !section.is_set("index") {
        section.problem("index", format!("is missing (the number of this exporter among the {of}, from 0)"));
    }
    let shard = Shard::new(index, of);
    if shard.is_none() && section.is_valid(&["index", "of"]) {
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
        section.problem("of", "budget.reserve would leave some exporters nothing for scheduled refreshes");
    }
    section.finish();
    shard
}
