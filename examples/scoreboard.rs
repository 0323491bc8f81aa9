//! Scores every alert about trends on the simulated world, in which it is known when hashtags burst:
//!
//! ```text
//! cargo run --release --example scoreboard
//! ```
//!
//! Arguments: the number of hashtags (default 200) and the seed of the world (default 1). The past of these
//! hashtags is written as `backfill` does, read hourly; a real Prometheus evaluates the rules of `alerts/`
//! over thirty days of it, hour by hour, after sixteen days of history. Needs `prometheus` and `promtool`.
//!
//! An alarm is right when it begins within [`IN_TIME`] of an onset; hashtags that climb slowly (ramps) have
//! none, and their alarms are counted apart. The posting window has no memory here: its recorded series
//! reads its own past, which is not there while the past is being recorded.

#![allow(clippy::unwrap_used, reason = "a tool for developers may stop at what it did not expect")]

#[allow(dead_code, reason = "shared with the tests of the dashboards")]
#[path = "../tests/support/history.rs"]
mod history;
#[allow(dead_code, reason = "shared with tests that need more of it")]
#[path = "../tests/support/prometheus.rs"]
mod prometheus;
#[allow(dead_code, reason = "shared with tests that need more of it")]
#[path = "../tests/support/promtool.rs"]
mod promtool;
#[allow(dead_code, reason = "the tool's module names its types")]
#[path = "../tests/support/reference.rs"]
mod reference;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use history::{DAY, DAYS, HOUR, NOW};
use prometheus::Prometheus;
use serde::Deserialize;
use tiktok_exporter::config;
use tiktok_exporter::history::{Directory, Span, backfill};
use tiktok_exporter::model::{Hashtag, Timestamp};
use tiktok_exporter::simulator::{Kind, World};

/// Days of history before the first evaluation.
const BEFORE: i64 = 16;
/// An alarm that begins so long after an onset is about it, and finds it.
const IN_TIME: i64 = 4 * DAY;

#[derive(Deserialize)]
struct RuleFile {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: Option<String>,
    expr: String,
    #[serde(default)]
    r#for: Option<String>,
    #[serde(default)]
    keep_firing_for: Option<String>,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

/// One alert, from when it fires until it is over.
#[derive(Debug, Clone, Copy)]
struct Alarm {
    from: i64,
    to: i64,
}

#[derive(Debug, Default)]
struct Score {
    onsets: usize,
    /// Hours from the onset to the alarm.
    delays: Vec<i64>,
    right: usize,
    wrong: usize,
    on_ramps: usize,
    /// Series that could fire.
    series: usize,
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let mut number = |default| arguments.next().map_or(default, |argument| argument.expect("a number"));
    let (hashtags, seed) = (number(200), number(1));
    let names: Vec<Hashtag> =
        (0..hashtags).map(|number| Hashtag::parse(&format!("tag{number}")).unwrap()).collect();
    let world = World::new(seed);

    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    eprintln!("writing {} days of {hashtags} hashtags", DAYS + BEFORE);
    write_past(&names, seed, folder.path(), &data);
    eprintln!("recording the rules");
    history::record(&data, folder.path());
    eprintln!("evaluating the alerts");
    let prometheus = Prometheus::start(&data, &serde_json::json!({}));

    println!("{hashtags} hashtags, world {seed}, {DAYS} days\n");
    println!(
        "{:<32}{:>7}{:>7}{:>8}{:>10}{:>8}{:>8}{:>7}{:>7}{:>14}",
        "alert",
        "onsets",
        "found",
        "recall",
        "precision",
        "delay",
        "alarms",
        "wrong",
        "ramps",
        "wrong/ser.mon."
    );
    for rule in trend_alerts() {
        let score = score(&rule, &prometheus, &world, &names);
        score.print(rule.alert.as_deref().unwrap());
    }
}

/// The alerts about trends, and the reference rules.
fn trend_alerts() -> Vec<Rule> {
    let read =
        |path: PathBuf| serde_norway::from_str::<RuleFile>(&fs::read_to_string(path).unwrap()).unwrap();
    let groups = promtool::rule_files().into_iter().map(read).flat_map(|file| file.groups);
    let about_trends = |rule: &Rule| {
        let topic = rule.labels.get("topic").map_or("", String::as_str);
        rule.alert.is_some() && matches!(topic, "trend" | "reference")
    };
    groups.flat_map(|group| group.rules).filter(about_trends).collect()
}

/// What an exporter that reads totals hourly, and posts every six hours, would have shown.
fn write_past(names: &[Hashtag], seed: u64, folder: &Path, data: &Path) {
    let names: Vec<&str> = names.iter().map(Hashtag::as_str).collect();
    let toml = format!(
        "[refresh]\ntotals_interval = \"1h\"\nposts_interval = \"6h\"\n[[watch]]\nhashtags = {names:?}\n"
    );
    let config = config::load_str(&toml, []).unwrap().config;
    let settings = backfill::Settings {
        page_size: config.posts.page_size,
        posts_every: Duration::from_secs(3_600),
        watchlist: config.watchlist,
        seed,
        span: Span {
            from: Timestamp::from_secs(NOW - (DAYS + BEFORE) * DAY),
            to: Timestamp::from_secs(NOW + 1),
            step: Duration::from_secs(HOUR.unsigned_abs()),
        },
    };
    let past = folder.join("past");
    let labels = [("job", "tiktok"), ("instance", "exporter:10110")];
    let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
    backfill::backfill(&settings, &Directory::create(&past, &labels).unwrap(), &|_| ()).unwrap();
    let mut files: Vec<PathBuf> = fs::read_dir(&past).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for files in files.chunks(80) {
        let texts: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        history::import(&texts.replace("# EOF\n", ""), data, folder);
    }
}

fn score(rule: &Rule, prometheus: &Prometheus, world: &World, names: &[Hashtag]) -> Score {
    let seconds = |duration: &Option<String>| {
        let parsed = duration.as_deref().map(|text| humantime::parse_duration(text).unwrap());
        parsed.unwrap_or_default().as_secs() as i64
    };
    let (holds, keeps) = (seconds(&rule.r#for), seconds(&rule.keep_firing_for));
    let fired = prometheus.range(&rule.expr, (NOW - DAYS * DAY, NOW, HOUR)).unwrap();
    let mut score = Score::default();
    for name in names {
        let of_name = fired.iter().filter(|series| series.labels["hashtag"] == name.as_str());
        let alarms: Vec<Alarm> = of_name
            .flat_map(|series| alarms(series.points.iter().map(|(time, _)| *time), holds, keeps))
            .collect();
        score.series += 1;
        if world.kind(name) == Some(Kind::Ramp) {
            score.on_ramps += alarms.len();
            continue;
        }
        let moment = Timestamp::from_secs;
        let onsets = world.onsets(name, moment(NOW - DAYS * DAY - IN_TIME), moment(NOW));
        let onsets: Vec<i64> = onsets.into_iter().map(Timestamp::as_secs).collect();
        for alarm in &alarms {
            let right = onsets.iter().any(|onset| (*onset..=onset + IN_TIME).contains(&alarm.from));
            *if right { &mut score.right } else { &mut score.wrong } += 1;
        }
        // Later onsets have not had their time, earlier ones not their history.
        for onset in onsets.into_iter().filter(|at| (NOW - DAYS * DAY..NOW - IN_TIME).contains(at)) {
            score.onsets += 1;
            let found = alarms.iter().filter(|alarm| alarm.from <= onset + IN_TIME && alarm.to >= onset);
            score.delays.extend(found.map(|alarm| (alarm.from - onset).max(0) / HOUR).min());
        }
    }
    score.delays.sort_unstable();
    score
}

/// Alarms from the hours at which a condition holds: it must hold for `holds`, and is over after `keeps`.
fn alarms(times: impl Iterator<Item = i64>, holds: i64, keeps: i64) -> Vec<Alarm> {
    let mut stretches: Vec<Alarm> = Vec::new();
    for time in times {
        match stretches.last_mut() {
            Some(last) if time - last.to <= HOUR => last.to = time,
            _ => stretches.push(Alarm { from: time, to: time }),
        }
    }
    let mut alarms: Vec<Alarm> = Vec::new();
    for stretch in stretches.into_iter().filter(|stretch| stretch.to - stretch.from >= holds) {
        match alarms.last_mut() {
            Some(last) if stretch.from <= last.to + HOUR => last.to = stretch.to + keeps,
            _ => alarms.push(Alarm { from: stretch.from + holds, to: stretch.to + keeps }),
        }
    }
    alarms
}

impl Score {
    fn print(&self, alert: &str) {
        let share = |part: usize, whole: usize| match whole {
            0 => "-".to_owned(),
            _ => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
        };
        let found = self.delays.len();
        let delay = self.delays.get(found / 2).map_or("-".to_owned(), |hours| format!("{hours} h"));
        let months = self.series as f64 * DAYS as f64 / 30.0;
        println!(
            "{alert:<32}{:>7}{found:>7}{:>8}{:>10}{delay:>8}{:>8}{:>7}{:>7}{:>14.4}",
            self.onsets,
            share(found, self.onsets),
            share(self.right, self.right + self.wrong),
            self.right + self.wrong + self.on_ramps,
            self.wrong,
            self.on_ramps,
            self.wrong as f64 / months,
        );
    }
}
