//! Thirty days of history in a real Prometheus: what exporters showed, what the rules make of it,
//! and which alerts fired.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use promql_parser::parser::Expr;
use promql_parser::util::{ExprVisitor, walk_expr};
use serde_json::{Value, json};
use tiktok_api::fake::World;
use tiktok_exporter::config;
use tiktok_exporter::history::{Directory, Span, backfill};
use units::Timestamp;

use super::prometheus::{Prometheus, Series};
use super::promtool::{promtool, rule_files, succeed};

/// The end of the history: a whole hour, 2027-01-15T08:00:00Z.
pub const NOW: i64 = 1_800_000_000;
pub const HOUR: i64 = 3_600;
pub const DAY: i64 = 24 * HOUR;
pub const DAYS: i64 = 30;
/// The labels that scraping adds.
const SCRAPED: [(&str, &str); 2] = [("instance", "a:10110"), ("job", "tiktok")];
/// As long as a block may be and a query of a group that is evaluated every hour has points for.
pub const BLOCK: &str = "--max-block-duration=162h";

/// A rule, in the order of the files.
#[derive(Debug, Clone)]
pub struct Rule {
    pub name: String,
    pub is_alert: bool,
    pub expr: String,
    pub labels: BTreeMap<String, String>,
    /// How long the condition of an alert must hold, and how long it fires on when it no longer does.
    pub holds: Duration,
    pub keeps_firing: Duration,
    /// The file it stands in.
    pub file: PathBuf,
}

/// Every rule in `alerts/`.
pub fn rules() -> Vec<Rule> {
    let mut rules = Vec::new();
    for file in rule_files() {
        let content: Value = serde_norway::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
        for rule in
            content["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap())
        {
            let text = |key: &str| rule[key].as_str().map(str::to_owned);
            let duration = |key: &str| {
                rule[key].as_str().map(|text| humantime::parse_duration(text).unwrap()).unwrap_or_default()
            };
            rules.push(Rule {
                name: text("record").or(text("alert")).unwrap(),
                is_alert: rule.get("alert").is_some(),
                expr: text("expr").unwrap(),
                labels: serde_json::from_value(rule["labels"].clone()).unwrap_or_default(),
                holds: duration("for"),
                keeps_firing: duration("keep_firing_for"),
                file: file.clone(),
            });
        }
    }
    rules
}

/// The metrics that an expression names.
pub fn metrics_in(expr: &str) -> BTreeSet<String> {
    #[derive(Default)]
    struct Names(BTreeSet<String>);
    impl ExprVisitor for Names {
        type Error = std::convert::Infallible;

        fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Self::Error> {
            let selector = match expr {
                Expr::VectorSelector(selector) => selector,
                Expr::MatrixSelector(selector) => &selector.vs,
                _ => return Ok(true),
            };
            self.0.extend(selector.name.clone());
            Ok(true)
        }
    }
    let parsed = promql_parser::parser::parse(expr)
        .unwrap_or_else(|error| panic!("cannot parse this expression: {error}\n{expr}"));
    let mut names = Names::default();
    let Ok(_) = walk_expr(&mut names, &parsed);
    names.0
}

/// The metrics of which an expression reads old samples, or hours of them.
pub fn looked_back_at(expr: &str) -> BTreeSet<String> {
    const LONG: Duration = Duration::from_secs(2 * HOUR as u64);

    #[derive(Default)]
    struct Past(BTreeSet<String>);
    impl ExprVisitor for Past {
        type Error = std::convert::Infallible;

        fn pre_visit(&mut self, expr: &Expr) -> Result<bool, Self::Error> {
            match expr {
                Expr::MatrixSelector(it) if it.range >= LONG => self.0.extend(it.vs.name.clone()),
                Expr::VectorSelector(it) if it.offset.is_some() => self.0.extend(it.name.clone()),
                Expr::Subquery(it) if it.range >= LONG => self.0.extend(metrics_in(&it.expr.to_string())),
                _ => {}
            }
            Ok(true)
        }
    }
    let mut past = Past::default();
    let Ok(_) = walk_expr(&mut past, &promql_parser::parser::parse(expr).unwrap());
    past.0
}

/// A Prometheus that holds the history and goes on knowing no more.
pub struct History {
    // Before the folder: it must end first.
    pub prometheus: Prometheus,
    _folder: tempfile::TempDir,
}

impl History {
    /// Thirty days of the demo's hashtags, one sample an hour.
    pub fn of_thirty_days() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();

        import(&results(folder.path()), &data, folder.path());
        import(&world::exporter(), &data, folder.path());
        import(&own_metrics(folder.path()), &data, folder.path());
        let recording = rules().into_iter().filter(|rule| !rule.is_alert).collect();
        record(recording, Pass { days: DAYS, interval: "1h", look_back: "1h" }, &data, folder.path());
        let prometheus = Prometheus::start(&data, &json!({}));
        let alerts = alerts(&prometheus);
        drop(prometheus);
        import(&alerts, &data, folder.path());
        Self { prometheus: Prometheus::start(&data, &json!({})), _folder: folder }
    }
}

/// Turns text in the OpenMetrics format into blocks.
pub fn import(text: &str, data: &Path, folder: &Path) {
    let file = folder.join("import.om");
    std::fs::write(&file, format!("{text}# EOF\n")).unwrap();
    succeed(
        promtool().args(["tsdb", "create-blocks-from", BLOCK, "openmetrics", "--quiet"]).arg(file).arg(data),
    );
}

/// The recording rules that others need, and that these need.
pub fn needed_by(others: &[Rule]) -> Vec<Rule> {
    let (mut needed, mut left): (Vec<Rule>, Vec<Rule>) =
        (Vec::new(), rules().into_iter().filter(|rule| !rule.is_alert).collect());
    let mut names: BTreeSet<String> = others.iter().flat_map(|rule| metrics_in(&rule.expr)).collect();
    loop {
        let (found, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(|rule| names.contains(&rule.name));
        if found.is_empty() {
            return needed;
        }
        names = found.iter().flat_map(|rule| metrics_in(&rule.expr)).collect();
        needed.extend(found);
        left = rest;
    }
}

/// How rules are evaluated over a past.
pub struct Pass {
    /// The last days of the history.
    pub days: i64,
    /// Between two evaluations.
    pub interval: &'static str,
    /// How far back a sample counts.
    pub look_back: &'static str,
}

/// Evaluates recording rules over the history.
///
/// promtool asks a server, which sees what it records only after a restart: what a rule reads must be
/// recorded a stage before it. A rule that reads its own past has none.
pub fn record(rules: Vec<Rule>, pass: Pass, data: &Path, folder: &Path) {
    for stage in stages(rules) {
        let file = folder.join("stage.rules.yml");
        // Two sides of an `or` may differ in the name that they keep: without it they are one series.
        let expr = |rule: &Rule| format!("max without () (\n{})", rule.expr);
        let rule = |rule: &Rule| json!({"record": rule.name, "expr": expr(rule), "labels": rule.labels});
        let rules: Vec<Value> = stage.iter().map(rule).collect();
        let content = json!({"groups": [{"name": "stage", "interval": pass.interval, "rules": rules}]});
        std::fs::write(&file, content.to_string()).unwrap();
        let server = Prometheus::looking_back(pass.look_back, data, &json!({}));
        // A group's moment within the hour depends on the name of its file.
        succeed(
            promtool()
                .current_dir(folder)
                .args(["tsdb", "create-blocks-from", BLOCK, "rules"])
                .arg(format!("--start={}", NOW - pass.days * DAY))
                .arg(format!("--end={NOW}"))
                .arg(format!("--url={}", server.url))
                .arg(format!("--output-dir={}", data.display()))
                .arg("stage.rules.yml"),
        );
    }
}

/// The recording rules, each in a stage after those that it reads.
fn stages(mut left: Vec<Rule>) -> Vec<Vec<Rule>> {
    let mut stages = Vec::new();
    while !left.is_empty() {
        let waiting: BTreeSet<String> = left.iter().map(|rule| rule.name.clone()).collect();
        let (ready, rest): (Vec<_>, Vec<_>) = left.into_iter().partition(|rule| {
            metrics_in(&rule.expr).iter().all(|name| *name == rule.name || !waiting.contains(name))
        });
        assert!(!ready.is_empty(), "rules that wait for each other: {waiting:?}");
        stages.push(ready);
        left = rest;
    }
    stages
}

/// The alerts that fired, as Prometheus records them.
fn alerts(prometheus: &Prometheus) -> String {
    let mut text = String::new();
    for rule in rules().into_iter().filter(|rule| rule.is_alert) {
        let range = (NOW - DAYS * DAY, NOW, HOUR);
        for series in prometheus.range(&rule.expr, range).unwrap() {
            let Series { mut labels, points } = series;
            labels.remove("__name__");
            labels.extend(rule.labels.clone());
            labels.insert("alertname".to_owned(), rule.name.clone());
            labels.insert("alertstate".to_owned(), "firing".to_owned());
            let labels: Vec<String> =
                labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
            for (time, _) in points {
                writeln!(text, "ALERTS{{{}}} 1 {time}", labels.join(",")).unwrap();
            }
        }
    }
    text
}

/// What a Prometheus with these rules says about itself, as of the last hours.
fn own_metrics(folder: &Path) -> String {
    let data = folder.join("own");
    std::fs::create_dir(&data).unwrap();
    let server = Prometheus::start(&data, &json!({"rule_files": rule_files()}));
    let page = server.metrics();
    let mut text = String::new();
    for line in page.lines().filter(|line| line.starts_with("prometheus_rule_")) {
        // Groups begin at a moment of their own, so most were not evaluated yet.
        for ago in [2 * HOUR, HOUR, 0] {
            writeln!(text, "{line} {}", NOW - ago).unwrap();
        }
    }
    assert!(text.contains("tiktok-velocity"), "the rules are not loaded:\n{page}");
    text
}

/// What the exporter showed about the demo's hashtags: its own back-fill, one look an hour at the
/// totals and one in six hours at the posts.
///
/// `tiktok-exporter backfill` looks at the demo's world every few minutes, which takes this long
/// history minutes to write and to record.
fn results(folder: &Path) -> String {
    let interval = |key: &str, value: &str| (format!("TIKTOK_EXPORTER__REFRESH__{key}"), value.to_owned());
    let slower = [
        interval("TOTALS_INTERVAL", "1h"),
        interval("POSTS_INTERVAL", "6h"),
        interval("MAX_AGE", "1d"),
        interval("NOT_FOUND_RETRY", "1d"),
    ];
    let config = config::load_str(include_str!("../../../src/cli/demo.toml"), slower).unwrap().config;
    let moment = |time: i64| Timestamp::from_secs(time);
    let settings = backfill::Settings {
        page_size: config.posts.page_size,
        watchlist: config.watchlist,
        seed: 1,
        beginning: World::BEGINNING,
        span: Span { from: moment(NOW - DAYS * DAY), to: moment(NOW + 1), step: Duration::from_secs(3_600) },
        posts_every: Duration::from_secs(3_600),
        itself: None,
    };
    let files = folder.join("past");
    let directory = Directory::create(&files, &SCRAPED.map(|(name, value)| (name.into(), value.into())));
    backfill::backfill(&settings, &directory.unwrap(), &|_| ()).unwrap();
    let mut files: Vec<_> = std::fs::read_dir(files).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| std::fs::read_to_string(file).unwrap().replace("# EOF\n", "")).collect()
}

/// What the exporter said about itself, which no back-fill knows.
mod world {
    use super::*;

    /// What the exporter said about itself, every 20 minutes.
    pub fn exporter() -> String {
        let mut text = String::new();
        let begin = NOW - (DAYS + 2) * DAY;
        let mut put = |metric: &str, labels: &str, value: &dyn Fn(i64) -> f64| {
            for time in (begin..=NOW).step_by(HOUR as usize / 3) {
                let labels = labels.to_owned() + if labels.is_empty() { "" } else { "," };
                let value = value(time);
                writeln!(text, "{metric}{{{labels}instance=\"a:10110\",job=\"tiktok\"}} {value} {time}")
                    .unwrap();
            }
        };
        // So many an hour.
        let rate = |rate: f64| move |time: i64| ((time - begin) as f64 / HOUR as f64 * rate).floor();
        put("up", "", &|_| 1.0);
        put("tiktok_exporter_build_info", "version=\"0.1.0\",os=\"linux\",arch=\"x86_64\"", &|_| 1.0);
        put("tiktok_exporter_simulated_data", "", &|_| 1.0);
        put("tiktok_exporter_config_last_reload_successful", "", &|_| 1.0);
        put("process_start_time_seconds", "", &|_| (NOW - 9 * DAY) as f64);
        put("process_resident_memory_bytes", "", &|_| 17e6);
        for (endpoint, share) in [("challenge-info-id", 12.0), ("challenge-posts", 6.0)] {
            for (outcome, part) in [
                ("success", 0.9),
                ("transient", 0.06),
                ("throttled", 0.03),
                ("not_found", 0.01),
                ("malformed", 0.0),
            ] {
                let labels = format!("endpoint=\"{endpoint}\",outcome=\"{outcome}\"");
                put("tiktok_exporter_upstream_requests_total", &labels, &rate(share * part));
            }
            for (le, part) in [("0.5", 0.1), ("0.75", 0.5), ("1", 0.8), ("2.5", 0.97), ("+Inf", 1.0)] {
                let labels = format!("endpoint=\"{endpoint}\",le=\"{le}\"");
                let bucket = "tiktok_exporter_upstream_request_duration_seconds_bucket";
                put(bucket, &labels, &rate(share * part));
            }
            let labels = format!("endpoint=\"{endpoint}\"");
            put("tiktok_exporter_cache_queries_total", &labels, &rate(share * 1.2));
            put("tiktok_exporter_cache_hits_total", &labels, &rate(share * 0.2));
        }
        for reason in ["auth", "credits_exhausted"] {
            let open = move |time| {
                let ago = (NOW - time) / HOUR;
                f64::from(u8::from(reason == "auth" && (30..33).contains(&ago)))
            };
            put("tiktok_exporter_upstream_breaker_open", &format!("reason=\"{reason}\""), &open);
        }
        for reason in ["day", "month", "balance", "ledger", "clock"] {
            put("tiktok_exporter_spending_stopped", &format!("reason=\"{reason}\""), &|_| 0.0);
        }
        for (purpose, share) in [("totals", 12.0), ("posts", 6.0), ("discovery", 1.0), ("ad_hoc", 0.5)] {
            let labels = format!("endpoint=\"challenge-posts\",purpose=\"{purpose}\"");
            put("tiktok_exporter_credits_spent_total", &labels, &rate(share));
            if purpose != "ad_hoc" {
                let stretched =
                    move |time: i64| if purpose == "posts" && time % DAY > 18 * HOUR { 1.5 } else { 1.0 };
                put("tiktok_exporter_stretch_factor", &format!("purpose=\"{purpose}\""), &stretched);
            }
        }
        for (window, length, budget) in
            [("day", DAY, 500.0), ("month", 30 * DAY, 15_000.0), ("balance", 60 * DAY, 40_000.0)]
        {
            let spent = move |time: i64| (time % length) as f64 / HOUR as f64 * 19.5;
            let labels = format!("window=\"{window}\"");
            put("tiktok_exporter_budget_credits", &labels, &|_| budget);
            put("tiktok_exporter_budget_spent_credits", &labels, &spent);
            put("tiktok_exporter_budget_remaining_credits", &labels, &|time| budget - spent(time));
        }
        put("tiktok_exporter_forecast_day_credits", "", &|_| 468.0);
        for (hashtag, posts, tried) in [("deepclean", 90_000.0, true), ("groutcleaning", 7_000.0, false)] {
            let labels = format!("hashtag=\"{hashtag}\",keyword=\"deep clean\"");
            put("tiktok_keyword_candidate_posts", &labels, &|_| posts);
            put("tiktok_keyword_candidate_views", &labels, &|_| posts * 2_000.0);
            if tried {
                put("tiktok_keyword_trial_end_timestamp_seconds", &labels, &|_| (NOW + 5 * DAY) as f64);
            }
        }
        let labels = "keyword=\"deep clean\",region=\"US\"";
        for (window, posts) in [("24h", 12.0), ("7d", 50.0)] {
            put("tiktok_keyword_posts", &format!("{labels},window=\"{window}\""), &|_| posts);
        }
        put("tiktok_keyword_posts_saturated", labels, &|_| 0.0);
        text
    }
}
