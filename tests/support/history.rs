//! Thirty days of history in a real Prometheus: what exporters showed, what the rules make of it,
//! and which alerts fired.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use promql_parser::parser::Expr;
use promql_parser::util::{ExprVisitor, walk_expr};
use serde_json::{Value, json};

use super::prometheus::{Prometheus, Series};
use super::promtool::{promtool, rule_files, succeed};

/// The end of the history: a whole hour, 2027-01-15T08:00:00Z.
pub const NOW: i64 = 1_800_000_000;
pub const HOUR: i64 = 3_600;
pub const DAY: i64 = 24 * HOUR;
pub const DAYS: i64 = 30;
/// Rules look back; what they need to be there from the first day on.
const BEFORE: i64 = 16;
/// As long as a block may be and a query of a group that is evaluated every hour has points for.
pub const BLOCK: &str = "--max-block-duration=162h";

/// A rule, in the order of the files.
#[derive(Debug, Clone)]
pub struct Rule {
    pub name: String,
    pub is_alert: bool,
    pub expr: String,
    pub labels: BTreeMap<String, String>,
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
            rules.push(Rule {
                name: text("record").or(text("alert")).unwrap(),
                is_alert: rule.get("alert").is_some(),
                expr: text("expr").unwrap(),
                labels: serde_json::from_value(rule["labels"].clone()).unwrap_or_default(),
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

/// A Prometheus that holds the history and goes on knowing no more.
pub struct History {
    // Before the folder: it must end first.
    pub prometheus: Prometheus,
    _folder: tempfile::TempDir,
}

impl History {
    /// Thirty days of a dozen hashtags, one sample an hour.
    ///
    /// `HISTORY` names a directory of files to take instead, for a look at the simulator's world:
    /// `tiktok-exporter backfill --days 46 --until 2027-01-15T08:00:00Z --step 5m --output DIRECTORY`.
    /// They have twelve times as many samples, and take some minutes.
    pub fn of_thirty_days() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();

        match std::env::var_os("HISTORY") {
            Some(files) => import_files(Path::new(&files), &data),
            None => import(&world::results(), &data, folder.path()),
        }
        import(&world::exporter(), &data, folder.path());
        import(&own_metrics(folder.path()), &data, folder.path());
        record(&data, folder.path());
        let prometheus = Prometheus::start(&data, &json!({}));
        let alerts = alerts(&prometheus);
        drop(prometheus);
        import(&alerts, &data, folder.path());
        Self { prometheus: Prometheus::start(&data, &json!({})), _folder: folder }
    }
}

/// Turns text in the OpenMetrics format into blocks.
fn import(text: &str, data: &Path, folder: &Path) {
    let file = folder.join("import.om");
    std::fs::write(&file, format!("{text}# EOF\n")).unwrap();
    succeed(
        promtool().args(["tsdb", "create-blocks-from", BLOCK, "openmetrics", "--quiet"]).arg(file).arg(data),
    );
}

/// Turns the files of a directory, one for each block, into blocks.
fn import_files(files: &Path, data: &Path) {
    let files = std::fs::read_dir(files).unwrap().map(|entry| entry.unwrap().path());
    for file in files.filter(|path| path.extension().is_some_and(|ending| ending == "om")) {
        succeed(
            promtool().args(["tsdb", "create-blocks-from", "openmetrics", "--quiet"]).arg(file).arg(data),
        );
    }
}

/// Evaluates the recording rules over the history, hour by hour.
///
/// promtool asks a server, which sees what it records only after a restart: what a rule reads must be
/// recorded a stage before it. A rule that reads its own past has none.
fn record(data: &Path, folder: &Path) {
    for stage in stages() {
        let file = folder.join("stage.rules.yml");
        let rule = |rule: &Rule| json!({"record": rule.name, "expr": rule.expr, "labels": rule.labels});
        let rules: Vec<Value> = stage.iter().map(rule).collect();
        let content = json!({"groups": [{"name": "stage", "interval": "1h", "rules": rules}]});
        std::fs::write(&file, content.to_string()).unwrap();
        let server = Prometheus::start(data, &json!({}));
        // A group's moment within the hour depends on the name of its file.
        succeed(
            promtool()
                .current_dir(folder)
                .args(["tsdb", "create-blocks-from", BLOCK, "rules"])
                .arg(format!("--start={}", NOW - DAYS * DAY))
                .arg(format!("--end={NOW}"))
                .arg(format!("--url={}", server.url))
                .arg(format!("--output-dir={}", data.display()))
                .arg("stage.rules.yml"),
        );
    }
}

/// The recording rules, each in a stage after those that it reads.
fn stages() -> Vec<Vec<Rule>> {
    let mut left: Vec<Rule> = rules().into_iter().filter(|rule| !rule.is_alert).collect();
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

/// A simulated course of a dozen hashtags, and of the exporter that watches them.
mod world {
    use super::*;

    struct Course {
        name: &'static str,
        group: &'static str,
        /// Posts a day, and by how much a day grows over the day before.
        rate: f64,
        growth: f64,
        /// Begins so many days before now, lasts so many days, multiplies the posts by so much.
        burst: (f64, f64, f64),
    }

    const fn course(
        name: &'static str,
        group: &'static str,
        rate: f64,
        growth: f64,
        burst: (f64, f64, f64),
    ) -> Course {
        Course { name, group, rate, growth, burst }
    }

    const NONE: (f64, f64, f64) = (99.0, 0.0, 1.0);
    const COURSES: [Course; 12] = [
        // Takes off now, since two days, has been; grows, shrinks, stands still.
        course("booktok", "books", 4_000.0, 0.0, (0.8, 5.0, 9.0)),
        course("bookhaul", "books", 600.0, 0.0, (2.0, 5.0, 5.0)),
        course("cozyreads", "books", 90.0, 0.002, NONE),
        course("日本語の本", "books", 150.0, -0.01, (12.0, 2.0, 4.0)),
        course("cleantok", "home", 2_500.0, 0.01, NONE),
        course("smallspaces", "home", 300.0, 0.0, (1.6, 9.0, 4.0)),
        course("thriftflip", "home", 450.0, -0.02, NONE),
        course("diyhacks", "home", 800.0, 0.0, (6.0, 3.0, 6.0)),
        course("skincareroutine", "beauty", 5_000.0, 0.0, NONE),
        course("glowup", "beauty", 1_200.0, 0.005, (20.0, 3.0, 8.0)),
        course("nailart", "beauty", 700.0, 0.0, (0.5, 2.0, 12.0)),
        course("moneytok", "money", 1_800.0, 0.0, (4.0, 2.5, 5.0)),
    ];
    const REGIONS: [&str; 3] = ["US", "GB", "DE"];

    impl Course {
        /// Posts up to a time, on average as many at night as in the evening.
        fn posts(&self, time: i64) -> f64 {
            let days = (time - NOW) as f64 / DAY as f64;
            let grown =
                if self.growth == 0.0 { days } else { ((1.0 + self.growth).powf(days) - 1.0) / self.growth };
            let (began, lasts, factor) = self.burst;
            let burst = (days + began).clamp(0.0, lasts) * (factor - 1.0);
            // Evenings are busy; each hashtag has its own.
            let rhythm = 0.08 * (std::f64::consts::TAU * (days + self.rate % 7.0 / 7.0)).sin();
            (self.rate * (300.0 + grown + burst + rhythm)).floor()
        }

        fn velocity(&self, time: i64) -> f64 {
            let posts = |ago: i64| self.posts(time) - self.posts(time - ago * DAY);
            posts(1) * 7.0 / posts(7).max(1.0)
        }
    }

    /// What exporters showed about hashtags, an hour at a time.
    pub fn results() -> String {
        let mut text = String::new();
        let times = || (NOW - (DAYS + BEFORE) * DAY..=NOW).step_by(HOUR as usize);
        for course in &COURSES {
            let hashtag = course.name;
            let mut put = |metric: &str, labels: &str, value: &dyn Fn(i64) -> f64| {
                for time in times() {
                    let value = value(time);
                    writeln!(
                        text,
                        "tiktok_hashtag_{metric}{{hashtag=\"{hashtag}\"{labels},instance=\"a:10110\",job=\"tiktok\"}} \
                         {value} {time}"
                    )
                    .unwrap();
                }
            };
            put(
                "info",
                &format!(",group=\"{}\",challenge_id=\"1\",commerce=\"false\"", course.group),
                &|_| 1.0,
            );
            put("posts", "", &|time| course.posts(time));
            put("views", "", &|time| (course.posts(time) * 2_345.6).floor());
            for (metric, value) in
                [("posts_resolution", 1.0), ("views_resolution", 1.0), ("up", 1.0), ("found", 1.0)]
            {
                put(metric, "", &|_| value);
            }
            put("refresh_interval_seconds", "", &|_| HOUR as f64);
            put("last_success_timestamp_seconds", "", &|time| time as f64);
            for (index, region) in REGIONS.into_iter().enumerate() {
                let index = index as f64;
                // The posts of a region run ahead of those of the next.
                let velocity = move |time: i64| {
                    (course.velocity(time + (3 - index as i64) * 2 * HOUR) * (1.1 - 0.1 * index)).min(7.0)
                };
                let in_a_day = move |time| (velocity(time) * 5.0).round();
                let saturated = move |time: i64| f64::from(u8::from(index == 0.0 && velocity(time) > 3.0));
                let plays = move |time| 1e5 + in_a_day(time) * 5e4 / (1.0 + index);
                let labels = format!(",region=\"{region}\"");
                put("sample_velocity", &labels, &velocity);
                put("engagement_weighted_velocity", &labels, &|time| velocity(time) * plays(time) / 35.0);
                put("sample_plays", &labels, &plays);
                for (metric, share) in [
                    ("sample_likes", 0.09),
                    ("sample_comments", 0.004),
                    ("sample_shares", 0.006),
                    ("sample_saves", 0.011),
                    ("sample_engagement_ratio", 0.111),
                ] {
                    let ratio = metric.ends_with("ratio");
                    put(metric, &labels, &|time| {
                        share * (1.0 + 0.1 * index) * if ratio { 1.0 } else { plays(time) }
                    });
                }
                for (window, posts) in [("24h", 1.0), ("7d", 4.0), ("all", 7.0)] {
                    put("sample_posts", &format!("{labels},window=\"{window}\""), &|time| {
                        in_a_day(time) * posts
                    });
                }
                put("sample_saturated", &labels, &saturated);
                put("sample_pages", &labels, &|_| 1.0);
                put("sample_region_match_ratio", &labels, &|_| 0.8 - 0.1 * index);
                put("sample_up", &labels, &|_| 1.0);
                put("sample_refresh_interval_seconds", &labels, &|_| 6.0 * HOUR as f64);
                put("sample_last_success_timestamp_seconds", &labels, &|time| {
                    (time - time % (6 * HOUR)) as f64
                });
            }
        }
        text
    }

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
        text
    }
}
