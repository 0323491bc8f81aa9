//! `plan`, `ledger` and the budget's side of `check`, as an operator meets them: the real program.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use tiktok_api::Hashtag;
use tiktok_api::Operation;
use tiktok_exporter::store::Store;
use tiktok_exporter::{
    credits::{Ledger, Limits, Settlement},
    model::{Expense, JobKind, Purpose},
};
use units::{Clock, DAY, Date, SystemClock, Timestamp};

/// A directory with a configuration.
struct House {
    directory: TempDir,
    config: PathBuf,
}

impl House {
    fn new(toml: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("config.toml");
        let store = directory.path().join("store.sqlite");
        std::fs::write(&config, format!("{toml}\n[store]\npath = {store:?}\n")).unwrap();
        Self { directory, config }
    }

    /// Runs a subcommand; returns exit code, standard output and standard error.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"));
        command.args(arguments).arg("--config.file").arg(&self.config).env_clear();
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
    }

    fn store(&self) -> Arc<Store> {
        Arc::new(Store::open(&self.directory.path().join("store.sqlite")).unwrap())
    }

    /// Spends one credit per expense; the exporter goes on running.
    async fn spend(&self, expenses: &[(Operation, Purpose, Option<&str>)], at: Timestamp) -> Ledger {
        let ledger = Ledger::open(self.store(), Limits::default(), at).unwrap();
        for (endpoint, purpose, hashtag) in expenses {
            let hashtag = hashtag.map(|name| Hashtag::parse(name).unwrap());
            let expense = Expense { operation: *endpoint, purpose: *purpose, hashtag };
            let reservation = ledger.reserve(expense, at).await.unwrap();
            ledger.settle(reservation, Settlement::Spent).await;
        }
        ledger
    }
}

const WATCH: &str = "[[watch]]\nhashtags = [\"a\", \"b\"]\nregions = [\"US\", \"GB\"]\n\
    [[watch]]\nhashtags = [\"c\"]\ngroup = \"g\"\npages_max = 1\n";

#[test]
fn a_plan_shows_cost_budget_and_levers() {
    let house = House::new(&format!(
        "{WATCH}[budget]\nper_day = 20\nbalance = 1000\nbalance_counted_on = \"2026-01-31\""
    ));
    let (code, out, err) = house.run(&["plan"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let want = "\
The most it can cost, at 9.90 USD per 100,000 credits and without retries:

group    kind    every  jobs  credits/hour  credits/day  credits/30 days  USD/30 days
default  totals  6h        2           0.3            8              240         0.02
default  posts   1d        4           0.5           12              360         0.04
g        totals  6h        1           0.2            4              120         0.01
g        posts   1d        1           0.0            1               30         0.00
all                                    1.0           25              750         0.07

first refresh of everything  16 credits, once
rate limit                0.01 % of 200 requests per minute
budget for the loop       20 credits a day: too little
totals                    as configured
posts                     stretched 1.62 times, to every 1d 15h
discovery                 none (add a [[discover]] block)
balance                   1,000 credits, which last 50.0 days

What would ease the budget most:

pages_max = 1 in group default               -8 credits a day
do not sample posts in GB                    -6 credits a day
posts_interval twice as long in group default  -6 credits a day
";
    let squeezed = |text: &str| {
        text.lines().map(|l| l.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
    };
    assert_eq!(squeezed(&out), squeezed(want), "{out}");
}

#[test]
fn discovery_is_planned_by_keyword_and_counted_everywhere() {
    let discover = "[[discover]]\nkeyword = \"deep clean\"\nregions = [\"US\", \"GB\"]\npages_max = 1\n\
        follow_posts = true\npromote = 1\n";
    // 25 for who is listed; 1 for a search, 2 for posts, and 4 + 2 for one hashtag on trial.
    let house = House::new(&format!("{WATCH}{discover}[budget]\nper_day = 28"));
    let (code, out, err) = house.run(&["plan"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let lines: Vec<String> =
        out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for want in [
        "\"deep clean\" search 1d 1 0.0 1 30 0.00",
        "\"deep clean\" search posts 1d 2 0.1 2 60 0.01",
        "\"deep clean\" trials 6h, 1d 3 0.2 6 180 0.02",
        "all 1.4 34 1,020 0.10",
        "first refresh of everything 19 credits, once",
        "posts as configured",
        "discovery stretched 3.00 times, to every 18h, 3d",
        "do not follow the keyword \"deep clean\" -9 credits a day",
    ] {
        assert!(lines.iter().any(|line| line == want), "{want} is not in\n{out}");
    }
    let (_, out, _) = house.run(&["plan", "--format", "json"]);
    let plan: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(plan["budget"]["discovery"]["stretch"], 3.0);
    assert_eq!(plan["budget"]["discovery"]["hashtags_that_vanish"], 0);

    let (code, out, err) = house.run(&["check"]);
    assert_eq!(code, 0);
    let want =
        "leaves 28 credits a day, but the watchlist may need 34: intervals of discovery stretch 3.0 times";
    assert!(err.contains(want), "{err}");
    for want in [
        "discovery            \"deep clean\", at most 1 hashtag on trial",
        "at most 34 when nothing fails (12 for totals, 13 for posts, 9 for discovery)",
    ] {
        assert!(out.contains(want), "{want} is not in\n{out}");
    }
}

#[test]
fn a_balance_cannot_have_been_counted_on_a_day_that_has_not_come() {
    let today = Date::of(SystemClock.now());
    for (day, code) in [(today.plus(-1), 0), (today.plus(1), 0), (today.plus(3), 78)] {
        let house = House::new(&format!("{WATCH}[budget]\nbalance = 9\nbalance_counted_on = \"{day}\""));
        for command in ["plan", "check"] {
            let (found, _, err) = house.run(&[command]);
            assert_eq!(found, code, "{command} with {day}: {err}");
            let named = err.contains(&format!("budget.balance_counted_on: {day} is in the future"));
            assert_eq!(named, code != 0, "{command} with {day}: {err}");
        }
    }
}

#[test]
fn a_plan_for_programs_has_the_same_figures() {
    let house = House::new(&format!("{WATCH}[budget]\nper_day = 13\n"));
    let (code, out, _) = house.run(&["plan", "--format", "json", "--price", "20"]);
    assert_eq!(code, 0);
    let plan: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(plan["jobs"][0]["credits_per_day"], 8.0);
    assert_eq!(plan["all"]["usd_per_month"], 0.15);
    assert_eq!(plan["budget"]["posts"]["stretch"], 13.0);
    assert_eq!(plan["budget"]["posts"]["hashtags_that_vanish"], 3);
    assert_eq!(plan["budget"]["balance_left"], Value::Null);
    assert_eq!(plan["levers"].as_array().unwrap().len(), 3);
}

#[test]
fn check_warns_of_a_short_budget() {
    let house = House::new(&format!("{WATCH}[budget]\nper_day = 10\n"));
    let (code, _, err) = house.run(&["check"]);
    assert_eq!(code, 0);
    let want = "warning: budget: leaves 10 credits a day, but the watchlist may need 25: intervals of totals \
        stretch 1.2 times, posts are paused (the `plan` subcommand shows what would save most)";
    assert!(err.lines().any(|line| line == want), "{err}");
}

#[test]
fn a_bad_configuration_price_or_day_is_told() {
    let house = House::new("[budget]\nper_day = 0\n[[watch]]\nhashtags = [\"a\"]");
    for subcommand in ["plan", "ledger"] {
        let (code, out, err) = house.run(&[subcommand]);
        assert_eq!((code, out.as_str()), (78, ""));
        assert_eq!(err, "budget.per_day: 0 is out of range (1 to 1000000000000)\n");
    }
    let house = House::new(WATCH);
    assert_eq!(house.run(&["plan", "--price", "free"]).0, 64);
    assert_eq!(house.run(&["ledger", "--since", "yesterday"]).0, 64);
    let (code, _, err) = house.run(&["ledger"]);
    assert_eq!(code, 1);
    assert!(err.contains("there is no store yet"), "{err}");
    // A date that lies in the future is a problem of the configuration for every command.
    let tomorrow = Date::of(SystemClock.now() + DAY * 2);
    let budget = format!("[budget]\nbalance = 100\nbalance_counted_on = \"{tomorrow}\"");
    let house = House::new(&format!("{WATCH}{budget}"));
    house.store();
    for arguments in [
        vec!["check"],
        vec!["plan"],
        vec!["ledger"],
        vec!["ledger", "reset-balance"],
        vec!["regions"],
        vec!["brief"],
    ] {
        let (code, out, err) = house.run(&arguments);
        assert_eq!((code, out.as_str()), (78, ""), "{arguments:?}: {err}");
        assert!(err.starts_with("budget.balance_counted_on: "), "{arguments:?}: {err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_is_shown_beside_a_running_exporter() {
    let house = House::new(&format!("{WATCH}[budget]\nper_day = 10"));
    let now = SystemClock.now();
    let (posts, totals) = (Operation::Posts, Operation::HashtagById);
    drop(house.spend(&[(totals, Purpose::Job(JobKind::Totals), Some("old"))], now - DAY * 3).await);
    let expenses = [
        (posts, Purpose::Job(JobKind::Posts), Some("b")),
        (posts, Purpose::Job(JobKind::Posts), Some("b")),
        (totals, Purpose::Job(JobKind::Totals), Some("a")),
        (Operation::Regions, Purpose::AdHoc, None),
    ];
    let _running = house.spend(&expenses, now).await;

    let (code, out, err) = house.run(&["ledger"]);
    assert_eq!((code, err.as_str()), (0, ""));
    let (then, today) = (Date::of(now - DAY * 3), Date::of(now));
    let rows: Vec<Vec<&str>> = out.lines().map(|line| line.split_whitespace().collect()).collect();
    let (then, today) = (then.to_string(), today.to_string());
    assert_eq!(
        rows[..6],
        [
            vec!["day", "endpoint", "purpose", "hashtag", "credits"],
            vec![then.as_str(), "challenge-info-id", "totals", "#old", "1"],
            vec![today.as_str(), "challenge-info-id", "totals", "#a", "1"],
            vec![today.as_str(), "challenge-posts", "posts", "#b", "2"],
            vec![today.as_str(), "region-list", "ad_hoc", "-", "1"],
            vec![],
        ]
    );
    assert!(rows.contains(&vec!["all", "5"]), "{out}");
    assert!(rows.contains(&vec!["day", "4", "10", "6"]), "{out}");

    let (_, out, _) = house.run(&["ledger", "--since", &today, "--format", "json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["lines"].as_array().unwrap().len(), 3, "{out}");
    assert_eq!(report["lines"][1]["credits"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balance_is_reset_beside_a_running_exporter() {
    let budget = "[budget]\nbalance = 100\nbalance_counted_on = \"2020-01-31\"";
    let house = House::new(&format!("{WATCH}{budget}"));
    let now = SystemClock.now();
    let spent = [(Operation::HashtagById, Purpose::Job(JobKind::Totals), Some("a"))];
    let running = house.spend(&spent, now).await;
    let (code, out, err) = house.run(&["ledger", "reset-balance", "--credits", "1234"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "the account balance is now 1,234 credits\n", ""));
    let (_, out, _) = house.run(&["ledger"]);
    assert!(out.contains("balance      0   1,234      1,234"), "{out}");
    drop(running);

    let without = House::new(WATCH);
    let (code, _, err) = without.run(&["ledger", "reset-balance"]);
    assert_eq!(code, 78);
    assert!(err.starts_with("budget.balance: is not set"), "{err}");
    let (code, _, err) = without.run(&["ledger", "--since", "2026-01-31", "accept-clock"]);
    assert_eq!((code, err.as_str()), (64, "--since: applies to the table, not to a correction\n"));
}

#[test]
fn shards_share_the_balance_that_each_is_told() {
    let budget = "[budget]\nbalance = 100\nbalance_counted_on = \"2020-01-31\"";
    let mut sum = 0;
    for index in 0..3 {
        let shard = format!("{WATCH}{budget}\n[shard]\nof = 3\nindex = {index}");
        let house = House::new(&shard);
        house.store();
        let held = |house: &House| {
            let (_, out, _) = house.run(&["ledger", "--format", "json"]);
            let report: Value = serde_json::from_str(&out).unwrap();
            let windows = report["windows"].as_array().unwrap().iter();
            windows.clone().find(|window| window["window"] == "balance").unwrap()["budget"].as_u64().unwrap()
        };
        for (arguments, all) in [(vec!["--credits", "50000"], 50_000), (vec![], 100)] {
            let (code, out, err) = house.run(&[vec!["ledger", "reset-balance"], arguments].concat());
            assert_eq!((code, err.as_str()), (0, ""));
            assert!(out.starts_with(&format!("exporter {index} of 3 may now spend ")), "{out}");
            assert!(held(&house).abs_diff(all / 3) <= 1, "{} of {all}", held(&house));
            sum += held(&house);
        }
    }
    assert_eq!(sum, 50_000 + 100, "the shares of all add up");
}
