//! Compares two ways of spending few credits on many hashtags: plain staggered intervals, and intervals
//! by the chance of an onset. Runs over the simulator's world, in which every onset is known:
//!
//! ```text
//! cargo run --release --example attention
//! ```
//!
//! Arguments: the seed of the world (default 1) and the number of hashtags (default 500).

use std::time::Duration;

use tiktok_api::Hashtag;
use tiktok_api::fake::World;
use tiktok_exporter::credits::{Weight, is_scarce, weighted_intervals};
use tiktok_exporter::model::Growth;
use units::{DAY, Timestamp};

/// Credits a day that are tried.
const BUDGETS: [u32; 4] = [125, 250, 500, 1_000];
/// Budgets at which the plain policy is run as well, to tell how many credits it needs for as much.
const FINER: [u32; 9] = [125, 160, 200, 250, 320, 400, 500, 700, 1_000];
/// Days in which growth is learnt and nothing is counted.
const LEARNING: u32 = 60;
/// Days in which onsets are counted.
const COUNTED: u32 = 120;
/// An onset that is not seen for this long is missed.
const MISSED_AFTER: Duration = Duration::from_secs(7 * DAY.as_secs());
/// What counts as soon.
const SOON: Duration = Duration::from_secs(2 * DAY.as_secs());
/// No hashtag is left longer than this.
const LONGEST: Duration = Duration::from_secs(7 * DAY.as_secs());
/// The configured interval.
const CONFIGURED: Duration = Duration::from_secs(6 * 3_600);
/// An onset is seen when the gain since the last look is this many times the usual ...
const LEAP: f64 = 2.0;
/// ... and at least so many posts.
const LEAST_GAIN: u64 = 10;

#[derive(Clone, Copy, PartialEq)]
enum Policy {
    Plain,
    Weighed,
}

/// One hashtag under watch.
struct Watched {
    hashtag: Hashtag,
    onsets: Vec<Timestamp>,
    seen: Vec<Option<Timestamp>>,
    growth: Option<Growth>,
    posts: u64,
    due: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Found {
    onsets: usize,
    soon: usize,
    missed: usize,
    median_hours: f64,
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut number = |default: u64| match arguments.next() {
        None => default,
        Some(Ok(number)) => number,
        Some(Err(error)) => panic!("an argument is no number: {error}"),
    };
    let (seed, hashtags) = (number(1), number(500) as usize);
    let world = World::new(seed);
    let run = |policy, budget| simulate(&world, hashtags, policy, budget);
    let plain: Vec<(u32, Found)> = FINER.map(|budget| (budget, run(Policy::Plain, budget))).to_vec();

    println!("{hashtags} hashtags, world {seed}, {COUNTED} days after {LEARNING} days of learning\n");
    println!("credits/day  policy   onsets  within 48 h  missed  median delay  plain needs as much");
    for budget in BUDGETS {
        for policy in [Policy::Plain, Policy::Weighed] {
            let found = run(policy, budget);
            let share = found.soon as f64 / found.onsets as f64;
            let (name, needs) = match policy {
                Policy::Plain => ("plain", String::new()),
                Policy::Weighed if is_scarce(hashtags, f64::from(budget)) => {
                    ("weighed", needed(&plain, share, budget))
                }
                Policy::Weighed => ("weighed", "the same policy".to_owned()),
            };
            println!(
                "{budget:>11}  {name:<7}  {:>6}  {:>9.1} %  {:>6}  {:>10.1} h  {needs:>19}",
                found.onsets,
                share * 100.0,
                found.missed,
                found.median_hours,
            );
        }
    }
}

/// Spends `budget` looks a day by a policy and tells which onsets were seen.
fn simulate(world: &World, hashtags: usize, policy: Policy, budget: u32) -> Found {
    // The beginning of the simulated world, and some time for its totals to settle.
    let start = Timestamp::from_secs(1_640_995_200) + DAY * 30;
    let (counted, end) = (start + DAY * LEARNING, start + DAY * (LEARNING + COUNTED));
    let mut watched: Vec<Watched> = (0..hashtags)
        .map(|number| {
            let hashtag = Hashtag::parse(&format!("watched{number}")).expect("a name");
            let onsets = world.onsets(&hashtag, counted, end - MISSED_AFTER);
            let due = start + DAY.mul_f64(number as f64 / f64::from(budget));
            Watched { seen: vec![None; onsets.len()], hashtag, onsets, growth: None, posts: 0, due }
        })
        .collect();
    let mut planned = start;
    let mut plan = even(hashtags, budget);
    let tick = DAY / budget;
    let mut now = start;
    while now < end {
        if policy == Policy::Weighed && is_scarce(hashtags, f64::from(budget)) && now >= planned {
            planned = now + DAY / 4;
            plan = weighed(&watched, budget, now);
        }
        // The next due, as the schedule has it; a credit that nobody is due for is not spent.
        let next = (0..watched.len()).min_by_key(|index| watched[*index].due);
        if let Some(index) = next.filter(|index| watched[*index].due <= now) {
            watched[index].look(world, now);
            // By the chance that the look has just shown.
            watched[index].due = now + plan.interval(&watched[index], now);
        }
        now = now + tick;
    }
    verdict(&watched)
}

/// The interval of a thing by its chance: `scale` over the root of the chance.
struct Shares {
    scale: Option<f64>,
    even: Duration,
}

impl Shares {
    fn interval(&self, watched: &Watched, now: Timestamp) -> Duration {
        match (self.scale, &watched.growth) {
            (Some(scale), Some(growth)) => {
                Duration::from_secs_f64(scale / growth.chance(now).sqrt()).clamp(CONFIGURED, LONGEST)
            }
            _ => self.even,
        }
    }
}

fn even(hashtags: usize, budget: u32) -> Shares {
    let even = DAY.mul_f64(hashtags as f64 / f64::from(budget)).max(CONFIGURED);
    Shares { scale: None, even }
}

fn weighed(watched: &[Watched], budget: u32, now: Timestamp) -> Shares {
    let weights: Vec<Weight> = watched
        .iter()
        .map(|watched| Weight {
            chance: watched.growth.map_or(Growth::UNKNOWN, |growth| growth.chance(now)),
            configured: CONFIGURED,
        })
        .collect();
    let found = weighted_intervals(&weights, f64::from(budget), LONGEST);
    // Any interval within the bounds gives the scale.
    let scale = found.iter().zip(&weights).find_map(|(interval, weight)| {
        let is_free = *interval > CONFIGURED && *interval < LONGEST;
        is_free.then(|| interval.as_secs_f64() * weight.chance.sqrt())
    });
    Shares { scale, ..even(watched.len(), budget) }
}

impl Watched {
    fn look(&mut self, world: &World, now: Timestamp) {
        let Some(posts) = world.totals(&self.hashtag, now).and_then(|totals| totals.posts) else { return };
        let gain = posts.saturating_sub(self.posts);
        let leap = match &mut self.growth {
            Some(growth) => growth.push(posts, now),
            None => {
                self.growth = Some(Growth::new(posts, now));
                None
            }
        };
        self.posts = posts;
        if leap.is_some_and(|leap| leap >= LEAP) && gain >= LEAST_GAIN {
            for (onset, seen) in self.onsets.iter().zip(&mut self.seen) {
                if *onset <= now && now.saturating_since(*onset) <= MISSED_AFTER {
                    seen.get_or_insert(now);
                }
            }
        }
    }
}

fn verdict(watched: &[Watched]) -> Found {
    let pairs = || watched.iter().flat_map(|watched| watched.onsets.iter().zip(&watched.seen));
    let mut delays: Vec<Duration> =
        pairs().filter_map(|(onset, seen)| seen.map(|seen| seen.saturating_since(*onset))).collect();
    delays.sort();
    Found {
        onsets: pairs().count(),
        soon: delays.iter().filter(|delay| **delay <= SOON).count(),
        missed: pairs().filter(|(_, seen)| seen.is_none()).count(),
        median_hours: delays.get(delays.len() / 2).map_or(f64::NAN, |delay| delay.as_secs_f64() / 3_600.0),
    }
}

/// How many times the credits the plain policy needs to see as large a share within 48 hours.
fn needed(plain: &[(u32, Found)], share: f64, budget: u32) -> String {
    let shares: Vec<(f64, f64)> = plain
        .iter()
        .map(|(budget, found)| (f64::from(*budget), found.soon as f64 / found.onsets as f64))
        .collect();
    let reached = shares.iter().position(|(_, reached)| *reached >= share);
    let credits = match reached {
        None => return format!("over {:.2} times", shares[shares.len() - 1].0 / f64::from(budget)),
        Some(0) => shares[0].0,
        Some(index) => {
            let ((from, below), (to, above)) = (shares[index - 1], shares[index]);
            from + (to - from) * (share - below) / (above - below).max(1e-9)
        }
    };
    format!("{:.2} times", credits / f64::from(budget))
}
