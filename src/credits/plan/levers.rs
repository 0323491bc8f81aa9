//! The configuration changes that save most.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use tiktok_api::Region;

use super::tasks;
use crate::credits::cost;
use crate::discovery::Followed;
use crate::watch::{Terms, Watched};

/// Number of levers to show.
const LEVERS_SHOWN: usize = 3;

/// A configuration change that saves credits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lever {
    /// The change, in words.
    pub change: String,
    /// Saved credits per day.
    pub saves_credits_per_day: f64,
}

/// The best change of each sort, most saved credits first.
pub(super) fn levers(entries: &[Watched], following: &[Followed]) -> Vec<Lever> {
    let mut groups: BTreeMap<&Arc<str>, [f64; 3]> = BTreeMap::new();
    let mut regions: BTreeMap<Region, f64> = BTreeMap::new();
    for watched in entries {
        let saves = |change: &dyn Fn(&mut Terms)| daily(watched) - daily(&with(watched, change));
        let saved = groups.entry(&watched.terms.group).or_default();
        saved[0] += saves(&|terms| terms.pages_max = 1);
        saved[1] += saves(&|terms| terms.posts_interval *= 2);
        saved[2] += saves(&|terms| terms.totals_interval *= 2);
        // The last region of a hashtag cannot be removed: no region means any.
        if watched.terms.regions.len() > 1 {
            for region in &watched.terms.regions {
                *regions.entry(*region).or_default() +=
                    saves(&|terms| terms.regions.retain(|it| it != region));
            }
        }
    }
    let best_group = |index: usize, change: &dyn Fn(&str) -> String| {
        let best = groups.iter().max_by(|a, b| a.1[index].total_cmp(&b.1[index]))?;
        Some(Lever { change: change(best.0), saves_credits_per_day: best.1[index] })
    };
    let most = |a: &(&Region, &f64), b: &(&Region, &f64)| {
        to_thousandths(*a.1).total_cmp(&to_thousandths(*b.1)).then_with(|| b.0.cmp(a.0))
    };
    let best_region = regions.iter().max_by(most).map(|(region, saved)| Lever {
        change: format!("do not sample posts in {region}"),
        saves_credits_per_day: *saved,
    });
    let of_keyword = |followed: &Followed| -> f64 {
        cost::keyword_tasks(followed, None)
            .chain(cost::trial_tasks(followed))
            .map(|task| task.per_day())
            .sum()
    };
    let costliest = following.iter().max_by(|a, b| of_keyword(a).total_cmp(&of_keyword(b)));
    let no_keyword = costliest.map(|followed| Lever {
        change: format!("do not follow the keyword \"{}\"", followed.keyword),
        saves_credits_per_day: of_keyword(followed),
    });
    let mut levers: Vec<Lever> = [
        best_group(0, &|group| format!("pages_max = 1 in group {group}")),
        best_group(1, &|group| format!("posts_interval twice as long in group {group}")),
        best_group(2, &|group| format!("totals_interval twice as long in group {group}")),
        best_region,
        no_keyword,
    ]
    .into_iter()
    .flatten()
    .map(|lever| Lever { saves_credits_per_day: to_thousandths(lever.saves_credits_per_day), ..lever })
    .filter(|lever| lever.saves_credits_per_day > 0.0)
    .collect();
    let best_first = |a: &Lever, b: &Lever| b.saves_credits_per_day.total_cmp(&a.saves_credits_per_day);
    levers.sort_by(|a, b| best_first(a, b).then_with(|| a.change.cmp(&b.change)));
    levers.truncate(LEVERS_SHOWN);
    levers
}

/// Credits per day of a hashtag.
fn daily(watched: &Watched) -> f64 {
    tasks(watched).map(|task| task.per_day()).sum()
}

/// The hashtag with changed terms.
fn with(watched: &Watched, change: &dyn Fn(&mut Terms)) -> Watched {
    let mut terms = Terms::clone(&watched.terms);
    change(&mut terms);
    Watched { terms: terms.into(), ..watched.clone() }
}

/// Removes the noise of floating-point sums, which would decide between equal savings.
fn to_thousandths(credits: f64) -> f64 {
    (credits * 1_000.0).round() / 1_000.0
}
