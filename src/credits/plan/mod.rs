//! The estimated cost of a configuration. Pure.
//!
//! All figures are upper bounds: every refresh runs at its interval, and every sample takes all its pages.
//! Retries are not included.

mod levers;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use levers::Lever;
use serde::Serialize;
use units::{HOUR, duration};

use super::cost::{self, Task, TaskKind};
use crate::credits::{Limits, Need, Pace, Share, Standing, Window};
use crate::discovery::Followed;
use crate::model::{JobKind, Purpose};
use crate::watch::{Watched, Watchlist};

/// Days per month in estimates.
pub const MONTH_DAYS: f64 = 30.0;

/// The estimated cost of a configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// By group and kind of job, sorted by group; then by followed keyword.
    pub jobs: Vec<JobCost>,
    /// The total.
    pub all: Cost,
    /// One-time credits for the first refresh of everything.
    pub first_look_credits: f64,
    /// Share of the rate limit that is needed; above 1 if it is too low.
    pub rate_limit_share: f64,
    /// The effect of the budget.
    pub budget: BudgetEffect,
    /// At most three changes that would save most, best first.
    pub levers: Vec<Lever>,
}

/// Credits and money per unit of time.
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

/// The cost of a kind of job in a group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobCost {
    /// The group; for discovery, the keyword in quotes.
    pub group: String,
    /// `totals` or `posts`; for a keyword `search`, `search posts` or `trials`.
    pub kind: &'static str,
    /// Number of recurring jobs, with all places on trial taken.
    pub jobs: usize,
    /// Their distinct intervals, shortest first.
    pub intervals: Vec<String>,
    /// Their cost.
    #[serde(flatten)]
    pub cost: Cost,
}

/// The effect of the budgets on a configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BudgetEffect {
    /// Credits per day that the budgets allow in the long run, without the reserve; absent without a limit.
    pub credits_per_day: Option<f64>,
    /// The effect on totals.
    pub totals: Effect,
    /// The effect on posts.
    pub posts: Effect,
    /// The effect on discovery.
    pub discovery: Effect,
    /// Credits left of the balance; absent without a balance.
    pub balance_left: Option<u64>,
    /// Days until the balance is spent, at the rate that the budgets allow.
    pub balance_days: Option<f64>,
}

/// The effect of the budgets on a kind of job.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    /// Factor on the intervals, at least 1; absent if paused.
    pub stretch: Option<f64>,
    /// Credits per day.
    pub credits_per_day: f64,
    /// The stretched intervals; empty if as configured or paused.
    pub intervals: Vec<String>,
    /// Number of hashtags whose values would exceed `max_age` before the next refresh.
    pub hashtags_that_vanish: usize,
}

impl Estimate {
    /// The estimate for a workload, at a price in US dollars per 100,000 credits. `standing` comes from the
    /// ledger, if there is one.
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
            levers: levers::levers(entries, following),
        }
    }

    /// Whether the budgets allow less than the configuration needs.
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

/// The parts of a configuration that determine its cost.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    /// The watched hashtags.
    pub watchlist: &'a Watchlist,
    /// The followed keywords.
    pub following: &'a [Followed],
    /// The budgets.
    pub limits: Limits,
    /// Maximum number of requests per minute.
    pub rate_limit_per_minute: u32,
}

/// The tasks of a watched hashtag. Each sample takes all its pages.
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
        Some(standing) => standing.remaining(Window::Balance, Purpose::Job(JobKind::Totals)),
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

/// A job's interval, and how long its values are shown.
struct Shown {
    interval: Duration,
    max_age: Duration,
    /// Whether it is about a listed hashtag.
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

/// Rounds a stretched interval up, to minutes or, from an hour on, to tenths of an hour.
fn to_minutes(interval: Duration) -> Duration {
    let step = if interval >= HOUR { 360 } else { 60 };
    Duration::from_secs(interval.as_secs().div_ceil(step) * step)
}

/// The distinct intervals, shortest first.
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
    fn the_levers_are_the_largest_savings() {
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
        assert_eq!(single.levers.len(), 2, "no lever without savings: {single:?}");
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
