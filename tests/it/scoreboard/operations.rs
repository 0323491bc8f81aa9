//! The alerts about the exporter itself: its real loop, gateway and ledger under a clock that runs ahead,
//! over the simulated API, which gives trouble at known times. A real Prometheus gets what `/metrics`
//! showed, scraped every few minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tiktok_api::Hashtag;
use tiktok_api::{
    BoxFuture, Dialect, Error, Operation, Query, RawAnswer, Transport,
    fake::{Body, Faults, Kind, NEVER, Request, Settings, Simulator, World},
};
use tiktok_exporter::store::Store;
use tiktok_exporter::{
    credits::{Balance, Denial, Limits, Settlement, Window},
    model::{Expense, Purpose},
};
use units::{Credits, Date, SharedClock, TimerClock, Timestamp};

use super::judge::{self, Score, Stretch, times_by_series};
use crate::support::history::{self, DAY, HOUR, NOW, Pass, Rule};
use crate::support::looped::Loop;
use crate::support::prometheus::Prometheus;

/// Time between two scrapes, and between two evaluations.
const SCRAPE: i64 = 240;
/// Hashtags, most of them with so few posts that a sample of them is never saturated.
const HASHTAGS: usize = 40;
/// Requests that these need in a day, about: totals hourly, posts every six hours.
const CREDITS_A_DAY: i64 = HASHTAGS as i64 * 28;
/// More than they need. What is over, somebody else spends at times, and the day's budget runs out.
const CREDITS_OF_A_DAY: i64 = CREDITS_A_DAY * 3 / 2;
/// Credits that somebody spends between two scrapes then: 300 an hour.
const OVERSPENT: usize = 20;
/// Days before the first trouble, and without any at the end, where the balance is spent.
const QUIET_DAYS: (i64, i64) = (2, 4);
/// An alarm that begins so soon after the end of a trouble is still about it: requests that were stopped are
/// tried again after a quarter of an hour, and conditions hold for as long before they are told.
const AFTERMATH: i64 = HOUR / 2;

/// What goes wrong, how it is done to the simulator, and for how many hours.
const TROUBLES: [(&str, &str, i64); 8] = [
    ("down", "{}", 2),
    ("key refused", r#"{"faults": [{"kind": "dead_key"}]}"#, 3),
    ("no credits", r#"{"faults": [{"kind": "no_credits"}]}"#, 3),
    ("errors", r#"{"faults": [{"kind": "server_error", "probability": 0.6}]}"#, 3),
    ("throttled", r#"{"faults": [{"kind": "throttle", "probability": 0.3}]}"#, 3),
    ("outage", r#"{"faults": [{"kind": "server_error"}]}"#, 9),
    ("unknown hashtags", r#"{"faults": [{"kind": "not_found"}]}"#, 3),
    ("overspending", "{}", 4),
];

/// Of an alert: the trouble that it must tell, other trouble that it may tell, and the series that it can
/// have.
type Tells = (&'static str, &'static [&'static str], &'static [&'static str], usize);

const TELLS: &[Tells] = &[
    ("TikTokWatchdog", &["always"], &[], 1),
    ("TikTokExporterDown", &["down"], &[], 1),
    ("TikTokBreakerOpen", &["key refused", "no credits"], &[], 2),
    ("TikTokApiErrorRatioHigh", &["errors", "outage"], &["key refused", "no credits"], 1),
    ("TikTokApiThrottled", &["throttled"], &[], 1),
    ("TikTokResultsStale", &["outage"], &["key refused", "no credits", "errors", "paused"], 2 * HASHTAGS),
    ("TikTokHashtagVanished", &["unknown hashtags"], &[], HASHTAGS),
    ("TikTokHashtagUnresolved", &["misspelt"], &[], HASHTAGS),
    ("TikTokBudgetRunsOut", &["overspending"], &["outage"], 1),
    ("TikTokSpendingStopped", &["day spent", "balance spent"], &[], 2),
    ("TikTokBalanceLow", &["balance for a week"], &["balance for eight days"], 1),
    ("TikTokSampleSaturated", &["busy hashtag"], &[], HASHTAGS),
];

/// Trouble, and from when to when there was some.
struct Trouble {
    what: &'static str,
    when: Stretch,
}

/// The alerts about operations.
pub fn alerts() -> Vec<Rule> {
    let rules = history::rules();
    TELLS.iter().map(|(alert, ..)| rules.iter().find(|rule| rule.name == *alert).unwrap().clone()).collect()
}

/// Each of them with its score.
pub fn scores(days: i64, folder: &Path) -> Vec<(String, Score)> {
    let alerts = alerts();
    let rules = history::needed_by(&alerts);
    let data = folder.join("operations");
    std::fs::create_dir(&data).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let troubles = runtime.unwrap().block_on(watch(days, &metrics_of(&rules, &alerts), &data, folder));
    history::record(rules, Pass { days, interval: "4m", look_back: "5m" }, &data, folder);

    let prometheus = Prometheus::looking_back("5m", &data, &serde_json::json!({}));
    let span = (NOW - days * DAY, NOW, SCRAPE);
    let score = |(rule, (_, must, may, series)): (&Rule, &Tells)| {
        let of = |names: &[&str]| -> Vec<Stretch> {
            let named = troubles.iter().filter(|trouble| names.contains(&trouble.what));
            named.map(|trouble| Stretch { to: trouble.when.to + AFTERMATH, ..trouble.when }).collect()
        };
        let mut score = Score { series: *series, ..Score::default() };
        let by_series = times_by_series(&prometheus, &rule.expr, span);
        let all: Vec<(String, Stretch)> = by_series
            .iter()
            .flat_map(|(series, times)| {
                judge::alarms(times, rule, SCRAPE, NOW, &|_| true)
                    .into_iter()
                    .map(|alarm| (series.clone(), alarm))
            })
            .collect();
        judge::judge(&mut score, &all, &of(must), &of(may), "trouble");
        (rule.name.clone(), score)
    };
    alerts.iter().zip(TELLS).map(score).collect()
}

fn metrics_of(rules: &[Rule], alerts: &[Rule]) -> BTreeSet<String> {
    let names = rules.iter().chain(alerts).flat_map(|rule| history::metrics_in(&rule.expr));
    names.chain(["tiktok_exporter_spending_stopped".to_owned()]).collect()
}

/// Runs the exporter through all trouble; what it showed of these metrics goes into `data`.
async fn watch(days: i64, metrics: &BTreeSet<String>, data: &Path, folder: &Path) -> Vec<Trouble> {
    let begin = NOW - days * DAY;
    let clock: SharedClock = Arc::new(TimerClock::starting_at(Timestamp::from_secs(begin)));
    let simulator = Arc::new(Simulator::new(Settings {
        beginning: Timestamp::from_secs(begin - 100 * DAY),
        rate_limit_per_minute: u32::MAX,
        ..Settings::default()
    }));
    let mut troubles = planned(begin, days);
    let overspent = troubles.iter().filter(|trouble| trouble.what == "overspending").count() as i64;
    // Retries take two days' more.
    let credits = CREDITS_A_DAY * (days - 1) + (CREDITS_OF_A_DAY - CREDITS_A_DAY) * overspent;
    let balance = Balance {
        credits: Credits::new(credits.unsigned_abs()),
        counted_on: Date::of(Timestamp::from_secs(begin)),
    };
    let limits = Limits {
        per_day: Some(Credits::new(CREDITS_OF_A_DAY.unsigned_abs())),
        balance: Some(balance),
        ..Limits::default()
    };
    let store = Arc::new(Store::open(&folder.join("exporter.sqlite")).unwrap());
    let api = Arc::new(Api { simulator: simulator.clone(), clock: clock.clone() });
    let exporter = Loop::run(api, clock, store, limits, &watching(simulator.world())).await;

    let mut pages = String::new();
    let (mut spent_at, mut days_spent) = (None, BTreeMap::new());
    for number in 1..=days * DAY / SCRAPE {
        let now = begin + number * SCRAPE;
        let present = troubles.iter().find(|trouble| (trouble.when.from..trouble.when.to).contains(&now));
        let faults = present
            .and_then(|trouble| TROUBLES.iter().find(|(what, ..)| *what == trouble.what))
            .map_or("{}", |(_, faults, _)| *faults);
        simulator.set_faults(Faults::parse(faults).unwrap());
        tokio::time::sleep(Duration::from_secs(SCRAPE.unsigned_abs())).await;
        if present.is_some_and(|trouble| trouble.what == "overspending")
            && let Some(midnight) = exporter.overspend(Timestamp::from_secs(now)).await
        {
            days_spent.entry(midnight.as_secs()).or_insert(now);
        }
        let up = present.is_none_or(|trouble| trouble.what != "down");
        writeln!(pages, "up{{job=\"tiktok\",instance=\"exporter:10110\"}} {} {now}", u8::from(up)).unwrap();
        if up {
            let page = exporter.exposition.encode().unwrap();
            let spent = "tiktok_exporter_spending_stopped{reason=\"balance\"} 1";
            if spent_at.is_none() && page.lines().any(|line| line == spent) {
                spent_at = Some(now);
            }
            if page.lines().any(is_pause) {
                troubles.push(Trouble { what: "paused", when: Stretch { from: now, to: now } });
            }
            scrape(&page, metrics, now, &mut pages);
        }
        if number % (6 * DAY / SCRAPE) == 0 || number == days * DAY / SCRAPE {
            history::import(&std::mem::take(&mut pages), data, folder);
        }
    }
    exporter.stop().await;
    let spent_at = spent_at.expect("the balance is spent before the end");
    let day_spent = |(to, from)| Trouble { what: "day spent", when: Stretch { from, to } };
    troubles.extend(days_spent.into_iter().map(day_spent));
    let until_the_end = |what, from| Trouble { what, when: Stretch { from, to: NOW } };
    troubles.extend([
        until_the_end("always", begin),
        until_the_end("misspelt", begin),
        until_the_end("busy hashtag", begin),
        until_the_end("balance for eight days", spent_at - 8 * DAY),
        until_the_end("balance for a week", spent_at - 7 * DAY),
        until_the_end("balance spent", spent_at),
    ]);
    troubles
}

/// One trouble a day, each of them as often as there is time before the balance is spent, at changing hours.
fn planned(begin: i64, days: i64) -> Vec<Trouble> {
    let (first_day, last_days) = QUIET_DAYS;
    let number = (days - first_day - last_days).max(0) as usize / TROUBLES.len() * TROUBLES.len();
    let trouble = |number: usize| {
        let (what, _, hours) = TROUBLES[number % TROUBLES.len()];
        let from = begin + (first_day + number as i64) * DAY + (number as i64 * 5 % 13) * HOUR;
        Trouble { what, when: Stretch { from, to: from + hours * HOUR } }
    };
    (0..number).map(trouble).collect()
}

/// Whether a line of the page says that a short budget makes refreshes wait without end.
fn is_pause(line: &str) -> bool {
    let stretch = line.strip_prefix("tiktok_exporter_stretch_factor{");
    let value = stretch.and_then(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
    value == Some(f64::INFINITY)
}

/// The lines of these metrics, as they were at `now`.
fn scrape(page: &str, metrics: &BTreeSet<String>, now: i64, pages: &mut String) {
    let labels = "job=\"tiktok\",instance=\"exporter:10110\"";
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').unwrap();
        let (metric, own) = series.split_once('{').map_or((series, ""), |(metric, own)| (metric, own));
        if metrics.contains(metric) {
            let own = own.strip_suffix('}').map_or(String::new(), |own| format!("{own},"));
            writeln!(pages, "{metric}{{{own}{labels}}} {value} {now}").unwrap();
        }
    }
}

impl Loop<Api> {
    /// Somebody asks by hand, out of the same budget. Until when there is nothing left of the day's, if so.
    async fn overspend(&self, now: Timestamp) -> Option<Timestamp> {
        let expense =
            Expense { operation: Operation::SearchHashtags, purpose: Purpose::AdHoc, hashtag: None };
        for _ in 0..OVERSPENT {
            match self.ledger.reserve(expense.clone(), now).await {
                Ok(reservation) => self.ledger.settle(reservation, Settlement::Spent).await,
                Err(Denial::Spent { window: Window::Day, until }) => return until,
                Err(_) => return None,
            }
        }
        None
    }
}

/// A huge hashtag, a name that does not exist, and hashtags with a post every few weeks.
fn watching(world: &World) -> String {
    let names = (0..).map(|number| format!("tag{number}"));
    let quiet = names.filter(|name| world.kind(&Hashtag::parse(name).unwrap()) == Some(Kind::Dead));
    let names: Vec<String> =
        ["fyp".to_owned(), format!("{NEVER}thing")].into_iter().chain(quiet).take(HASHTAGS).collect();
    format!(
        "[refresh]\ntotals_interval = \"1h\"\nposts_interval = \"6h\"\nmax_age = \"2d\"\nnot_found_retry = \"1h\"\n\
         [[watch]]\nhashtags = {names:?}\nregions = [\"US\"]\n"
    )
}

/// The simulator in place of the API, without a network between.
struct Api {
    simulator: Arc<Simulator>,
    clock: SharedClock,
}

impl Transport for Api {
    fn send<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<RawAnswer, Error>> {
        Box::pin(async move {
            let sent = self.dialect().request(query);
            let request = Request { path: sent.path, query: &sent.query, key: Some("scoreboard") };
            let reply = self.simulator.answer(request, self.clock.now());
            let Body::Whole(body) = reply.body else { return Err(Error::transient("no whole answer")) };
            Ok(RawAnswer {
                status: reply.status,
                retry_after: reply.retry_after.map(Duration::from_secs),
                location: None,
                simulated: true,
                body: body.into(),
            })
        })
    }

    fn dialect(&self) -> Dialect {
        Dialect::default()
    }
}
