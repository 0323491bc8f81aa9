//! What a configuration costs, before anything is spent. Pure.
//!
//! All figures are the most it can cost: every look-up succeeds at its interval, and every sample
//! needs all its pages. Retries are not counted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tiktok_api::Region;
use units::{HOUR, duration};

use crate::credits::{Limits, Need, Pace, Share, Standing, Window};
use crate::model::Purpose;
use crate::watch::{Terms, Watched, Watchlist};

use super::cost::{self, Task, TaskKind};
use crate::discovery::Followed;
use crate::state::JobKind;

/// Days of a month, for estimates.
pub const MONTH_DAYS: f64 = 30.0;
/// Levers that are shown.
const LEVERS_SHOWN: usize = 3;

/// What a configuration costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// By group of watch blocks and kind of job, in the order of the groups; then by followed keyword.
    pub jobs: Vec<JobCost>,
    /// Of everything together.
    pub all: Cost,
    /// Of the very first look at everything, once.
    pub first_look_credits: f64,
    /// Share of the rate limit that is needed, 0 to 1 and above.
    pub rate_limit_share: f64,
    /// What the budget makes of it.
    pub budget: BudgetEffect,
    /// What would save most, best first.
    pub levers: Vec<Lever>,
}

/// Credits and money over time.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cost {
    /// Credits per hour.
    pub credits_per_hour: f64,
    /// Credits per day.
    pub credits_per_day: f64,
    /// Credits per 30 days.
    pub credits_per_month: f64,
    /// US dollars per 30 days.
    pub usd_per_month: f64,
}

/// The cost of one kind of job in one group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobCost {
    /// The group of the watch blocks; for discovery, the keyword in quotes.
    pub group: String,
    /// `totals` or `posts`; of a keyword `search`, `search posts` or `trials`.
    pub kind: &'static str,
    /// How many things are asked for: hashtags, pairs of hashtag and region, searches, or all that is
    /// asked about hashtags on trial when all places are taken.
    pub jobs: usize,
    /// How often each.
    pub intervals: Vec<String>,
    /// What that costs.
    #[serde(flatten)]
    pub cost: Cost,
}

/// What the budgets make of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetEffect {
    /// Credits a day that the budgets leave for the loop in the long run; absent without limit.
    pub credits_per_day: Option<f64>,
    /// What totals get.
    pub totals: Effect,
    /// What posts get.
    pub posts: Effect,
    /// What discovery gets.
    pub discovery: Effect,
    /// Credits of the balance that are left; absent if no balance is set.
    pub balance_left: Option<u64>,
    /// Days the balance lasts at the pace that the budgets allow.
    pub balance_days: Option<f64>,
}

/// What one kind of job gets.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    /// Factor on the intervals, 1 as configured; absent when paused.
    pub stretch: Option<f64>,
    /// Credits a day.
    pub credits_per_day: f64,
    /// What its intervals become, if they are stretched.
    pub intervals: Vec<String>,
    /// How many hashtags' values would be older than their `max_age` before the next look.
    pub hashtags_that_vanish: usize,
}

/// A change that saves credits.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Lever {
    /// What to change.
    pub change: String,
    /// Credits a day that it saves.
    pub saves_credits_per_day: f64,
}

impl Estimate {
    /// The estimate for `config`, at a price in US dollars per 100,000 credits. `standing` is what
    /// the ledger says, if there is one yet.
    pub fn new(work: &Workload<'_>, standing: Option<&Standing>, price: f64) -> Self {
        let Workload { watchlist, following, limits, rate_limit_per_minute } = work;
        let entries = &watchlist.entries;
        let need = cost::most_needed(watchlist, following);
        let per_minute = need.total() / (24.0 * 60.0);
        let searches = following.iter().flat_map(|followed| cost::keyword_tasks(followed, None));
        Self {
            jobs: job_costs(entries, following, price),
            all: Cost::of(need.total(), price),
            first_look_credits: entries.iter().flat_map(tasks).chain(searches).map(|task| task.credits).sum(),
            rate_limit_share: per_minute / f64::from(*rate_limit_per_minute),
            budget: budget_effect(limits, entries, following, need, standing),
            levers: levers(entries, following),
        }
    }

    /// Whether the budgets leave less than is needed.
    pub fn is_short(&self) -> bool {
        let BudgetEffect { totals, posts, discovery, .. } = &self.budget;
        [totals, posts, discovery].into_iter().any(|effect| effect.stretch != Some(1.0))
    }
}

impl Cost {
    fn of(per_day: f64, price: f64) -> Self {
        Self {
            credits_per_hour: per_day / 24.0,
            credits_per_day: per_day,
            credits_per_month: per_day * MONTH_DAYS,
            usd_per_month: per_day * MONTH_DAYS * price / 100_000.0,
        }
    }
}

/// What costs credits, and what limits it.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    /// The watched hashtags.
    pub watchlist: &'a Watchlist,
    /// The followed keywords.
    pub following: &'a [Followed],
    /// The budget.
    pub limits: Limits,
    /// Requests per minute at the most.
    pub rate_limit_per_minute: u32,
}

/// The tasks of a watched hashtag of which nothing is known: each sample takes all its pages.
fn tasks(watched: &Watched) -> impl Iterator<Item = Task> + '_ {
    cost::hashtag_tasks(watched, None, Duration::ZERO)
}

fn job_costs(entries: &[Watched], following: &[Followed], price: f64) -> Vec<JobCost> {
    let row = |group: String, kind: &'static str, tasks: Vec<Task>| JobCost {
        group,
        kind,
        jobs: tasks.len(),
        intervals: distinct(tasks.iter().map(|task| task.interval)),
        cost: Cost::of(tasks.iter().map(Task::per_day).sum(), price),
    };
    let mut groups: BTreeMap<&Arc<str>, Vec<Task>> = BTreeMap::new();
    for watched in entries {
        groups.entry(&watched.terms.group).or_default().extend(tasks(watched));
    }
    let of_group = |(group, tasks): (&Arc<str>, Vec<Task>)| {
        let (totals, posts) = tasks.into_iter().partition(|task| task.kind == TaskKind::Totals);
        [
            row(group.to_string(), JobKind::Totals.as_str(), totals),
            row(group.to_string(), JobKind::Posts.as_str(), posts),
        ]
    };
    let of_keyword = |followed: &Followed| {
        let (search, posts) =
            cost::keyword_tasks(followed, None).partition(|task| task.kind == TaskKind::Search);
        let rows = [("search", search), ("search posts", posts), ("trials", cost::trial_tasks(followed))];
        let group = format!("\"{}\"", followed.keyword);
        rows.map(|(kind, tasks)| row(group.clone(), kind, tasks)).into_iter().filter(|row| row.jobs > 0)
    };
    groups.into_iter().flat_map(of_group).chain(following.iter().flat_map(of_keyword)).collect()
}

fn budget_effect(
    limits: &Limits,
    entries: &[Watched],
    following: &[Followed],
    need: Need,
    standing: Option<&Standing>,
) -> BudgetEffect {
    let allowance = limits.daily_allowance();
    let pace = Pace::new(need, allowance);
    let left = match standing {
        Some(standing) => standing.remaining(Window::Balance, Purpose::Totals),
        None => limits.balance.map(|balance| balance.credits.less(limits.reserve)),
    };
    let shown_for = |interval: fn(&Watched) -> Duration| -> Vec<Shown> {
        entries
            .iter()
            .map(|w| Shown { interval: interval(w), max_age: w.terms.max_age, hashtag: true })
            .collect()
    };
    let totals = shown_for(|w| w.terms.totals_interval);
    let posts = shown_for(|w| w.terms.posts_interval);
    let discovery: Vec<Shown> = following
        .iter()
        .flat_map(|f| {
            cost::keyword_tasks(f, None).chain(cost::trial_tasks(f)).map(|task| Shown {
                interval: task.interval,
                max_age: f.terms.max_age,
                hashtag: false,
            })
        })
        .collect();
    BudgetEffect {
        credits_per_day: allowance,
        totals: effect(&totals, pace.totals),
        posts: effect(&posts, pace.posts),
        discovery: effect(&discovery, pace.discovery),
        balance_left: left.map(|left| left.get()),
        balance_days: left.map(|left| left.as_f64() / pace.per_day()).filter(|days| days.is_finite()),
    }
}

/// How often something is asked for, and how long its values are shown.
struct Shown {
    interval: Duration,
    max_age: Duration,
    /// Whether it is one of the hashtags that are listed.
    hashtag: bool,
}

fn effect(all: &[Shown], share: Share) -> Effect {
    let stretched = |shown: &Shown| {
        let factor = if share.is_paused() { return Duration::MAX } else { share.stretch };
        shown.interval.mul_f64(factor)
    };
    let intervals = if share.is_short() && !share.is_paused() {
        distinct(all.iter().map(|shown| to_minutes(stretched(shown))))
    } else {
        Vec::new()
    };
    let vanishes = |shown: &&Shown| shown.hashtag && stretched(shown) >= shown.max_age;
    Effect {
        stretch: Some(share.stretch).filter(|factor| factor.is_finite()),
        credits_per_day: share.per_day,
        intervals,
        hashtags_that_vanish: all.iter().filter(vanishes).count(),
    }
}

/// Every change worth considering: the best of each sort, those that save most.
fn levers(entries: &[Watched], following: &[Followed]) -> Vec<Lever> {
    let mut groups: BTreeMap<&Arc<str>, [f64; 3]> = BTreeMap::new();
    let mut regions: BTreeMap<Region, f64> = BTreeMap::new();
    for watched in entries {
        let saves = |change: &dyn Fn(&mut Terms)| daily(watched) - daily(&with(watched, change));
        let saved = groups.entry(&watched.terms.group).or_default();
        saved[0] += saves(&|terms| terms.pages_max = 1);
        saved[1] += saves(&|terms| terms.posts_interval *= 2);
        saved[2] += saves(&|terms| terms.totals_interval *= 2);
        // The last region of a hashtag cannot be dropped: none means any.
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
    let dearest = following.iter().max_by(|a, b| of_keyword(a).total_cmp(&of_keyword(b)));
    let no_keyword = dearest.map(|followed| Lever {
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

/// Credits per day for a hashtag.
fn daily(watched: &Watched) -> f64 {
    tasks(watched).map(|task| task.per_day()).sum()
}

/// The hashtag on other terms.
fn with(watched: &Watched, change: &dyn Fn(&mut Terms)) -> Watched {
    let mut terms = Terms::clone(&watched.terms);
    change(&mut terms);
    Watched { terms: terms.into(), ..watched.clone() }
}

/// Without the noise of floating-point sums, which would decide between equals.
fn to_thousandths(credits: f64) -> f64 {
    (credits * 1_000.0).round() / 1_000.0
}

/// A stretched interval as people read it: in whole minutes, from an hour on in tenths of an hour.
fn to_minutes(interval: Duration) -> Duration {
    let step = if interval >= HOUR { 360 } else { 60 };
    Duration::from_secs(interval.as_secs().div_ceil(step) * step)
}

/// The different values, shortest first.
fn distinct(intervals: impl Iterator<Item = Duration>) -> Vec<String> {
    let mut intervals: Vec<Duration> = intervals.collect();
    intervals.sort();
    intervals.dedup();
    intervals.into_iter().map(duration::show).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn estimate(toml: &str) -> Estimate {
        let config = config::load_str(toml, []).unwrap().config;
        Estimate::new(&config.workload(), None, 9.90)
    }

    /// 20 hashtags in two groups: 10 × 24 + 10 × 4 credits for totals, 20 × 3 + 10 × 3 for posts.
    fn two_groups(budget: &str) -> Estimate {
        let names = |letter: char| (0..10).map(|n| format!("\"{letter}{n}\"")).collect::<Vec<_>>().join(",");
        estimate(&format!(
            "{budget}\n[[watch]]\nhashtags = [{}]\nregions = [\"US\", \"GB\"]\ngroup = \"fast\"\ntotals_interval = \"1h\"\n\
             [[watch]]\nhashtags = [{}]\ngroup = \"slow\"",
            names('a'),
            names('b')
        ))
    }

    #[test]
    fn every_group_and_kind_has_its_cost() {
        let estimate = two_groups("");
        let jobs: Vec<_> = estimate
            .jobs
            .iter()
            .map(|job| (&*job.group, job.kind, job.jobs, job.cost.credits_per_day.round()))
            .collect();
        assert_eq!(
            jobs,
            [
                ("fast", "totals", 10, 240.0),
                ("fast", "posts", 20, 60.0),
                ("slow", "totals", 10, 40.0),
                ("slow", "posts", 10, 30.0)
            ]
        );
        assert!((estimate.all.credits_per_month - 370.0 * 30.0).abs() < 1e-6, "{estimate:?}");
        assert!((estimate.all.usd_per_month - 370.0 * 30.0 * 9.9e-5).abs() < 1e-9, "{estimate:?}");
        assert!((estimate.rate_limit_share - 370.0 / 288_000.0).abs() < 1e-9, "{estimate:?}");
        assert_eq!(estimate.first_look_credits, 20.0 + 20.0 * 3.0 + 10.0 * 3.0);
        assert!(!estimate.is_short());
    }

    #[test]
    fn the_levers_are_those_that_save_most() {
        let levers: Vec<_> = two_groups("")
            .levers
            .into_iter()
            .map(|lever| (lever.change, lever.saves_credits_per_day.round()))
            .collect();
        assert_eq!(
            levers,
            [
                ("totals_interval twice as long in group fast".to_owned(), 120.0),
                ("pages_max = 1 in group fast".to_owned(), 40.0),
                ("do not sample posts in GB".to_owned(), 30.0)
            ]
        );
        let single = estimate("[posts]\npages_max = 1\n[[watch]]\nhashtags = [\"a\"]");
        assert_eq!(single.levers.len(), 2, "nothing that saves nothing: {single:?}");
    }

    #[test]
    fn a_short_budget_is_shown_with_its_effect() {
        let short = two_groups(
            "[budget]\nper_day = 330\nreserve = 20\nbalance = 6220\nbalance_counted_on = \"2026-01-31\"",
        );
        assert!(short.is_short());
        assert_eq!(short.budget.credits_per_day, Some(310.0));
        assert_eq!(short.budget.totals.stretch, Some(1.0));
        assert_eq!(short.budget.posts.stretch, Some(3.0));
        assert_eq!(short.budget.posts.intervals, ["3d"]);
        assert_eq!(short.budget.posts.hashtags_that_vanish, 20, "max_age is two days");
        assert_eq!(short.budget.balance_days, Some(20.0));

        let very_short = two_groups("[budget]\nper_month = 4200");
        assert_eq!(very_short.budget.posts.stretch, None, "paused");
        let stretch = very_short.budget.totals.stretch.unwrap();
        assert!((1.9..2.1).contains(&stretch), "{stretch}");
    }
}
