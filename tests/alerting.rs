//! The whole way of a trend: the exporter, thirty days of its past, Prometheus with the rules as they
//! are shipped, Alertmanager with the configuration as it is shipped, and whoever gets the message.
//!
//! Only addresses and waiting times differ from the shipped files: a test does not sit out minutes.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

#[path = "support/notified.rs"]
mod notified;
#[allow(dead_code, reason = "no test needs all of it")]
#[path = "end_to_end/process.rs"]
mod process;
#[allow(dead_code, reason = "no test needs all of it")]
#[path = "support/prometheus.rs"]
mod prometheus;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use notified::{Alertmanager, Webhook};
use process::{Metrics, Simulator};
use prometheus::Prometheus;
use serde_json::Value;
use tiktok_exporter::clock::{Clock, SystemClock};
use tiktok_exporter::model::{DAY, HOUR, Hashtag, Timestamp, Totals};
use tiktok_exporter::simulator::{Kind, World};

/// Generous: a slow machine is no failure.
const PATIENCE: Duration = Duration::from_secs(240);
/// The world of the simulator and of the past.
const SEED: u64 = 1;

fn now() -> Timestamp {
    SystemClock.now()
}

/// Hashtags of the world of which it is known what they do now.
struct Watch {
    /// Began to burst two or three days ago: their views are far off their course.
    bursting: Vec<String>,
    /// Began to burst a day ago: most posts of the week are of the last day.
    fresh: Vec<String>,
    /// Nothing happens to them.
    quiet: Vec<String>,
}

impl Watch {
    /// Looks the world through for them: which hashtags burst depends on the day.
    fn find(now: Timestamp) -> Self {
        let world = World::new(SEED);
        let totals = |hashtag: &Hashtag, at: Timestamp| world.totals(hashtag, at).unwrap();
        // Began to burst so many hours ago, and not in the history before.
        let began = |hashtag: &Hashtag, hours: std::ops::Range<u32>| {
            let (earliest, latest) = (now - HOUR * hours.end, now - HOUR * hours.start);
            !world.onsets(hashtag, earliest, latest).is_empty()
                && world.onsets(hashtag, now - DAY * 18, earliest).is_empty()
                && world.onsets(hashtag, latest, now).is_empty()
        };
        // So many times the mean day of the week before: the last day.
        let outruns = |hashtag: &Hashtag, times: f64, count: fn(Totals) -> Option<u64>| {
            let count = |days_ago: u32| count(totals(hashtag, now - DAY * days_ago)).unwrap() as f64;
            let before = (count(4) - count(11)) / 7.0;
            before >= 30.0 && count(0) - count(1) >= times * before
        };
        let find = |wanted: usize, fits: &dyn Fn(&Hashtag, Kind) -> bool| {
            let names = (0..).map(|number| format!("tag{number}"));
            let fitting = names.filter(|name| {
                let hashtag = Hashtag::parse(name).unwrap();
                world.kind(&hashtag).is_some_and(|kind| fits(&hashtag, kind))
            });
            fitting.take(wanted).collect::<Vec<_>>()
        };
        Self {
            bursting: find(2, &|hashtag, kind| {
                kind == Kind::Burst && began(hashtag, 40..72) && outruns(hashtag, 8.0, |totals| totals.views)
            }),
            fresh: find(1, &|hashtag, kind| {
                kind == Kind::Burst && began(hashtag, 18..32) && outruns(hashtag, 8.0, |totals| totals.posts)
            }),
            quiet: find(6, &|_, kind| matches!(kind, Kind::Steady | Kind::Growing | Kind::Dead)),
        }
    }

    fn all(&self) -> impl Iterator<Item = &String> {
        self.bursting.iter().chain(&self.fresh).chain(&self.quiet)
    }

    /// The group "beauty" has people of its own.
    fn toml(&self) -> String {
        let (some, others) = self.quiet.split_at(3);
        let groups = [("books", &self.bursting, some), ("beauty", &self.fresh, others)];
        let block = |(group, bursting, quiet): (&str, &Vec<String>, &[String])| {
            let names: Vec<&String> = bursting.iter().chain(quiet).collect();
            format!("[[watch]]\ngroup = {group:?}\nhashtags = {names:?}\n")
        };
        groups.into_iter().map(block).collect()
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&output.stderr));
}

/// Thirty days of the watchlist, as blocks in `data`. Returns the last value of every series.
fn back_fill(toml: &str, data: &Path, folder: &Path) -> BTreeMap<String, f64> {
    let past = folder.join("past");
    // The rules look at no sample of posts that is older than a day: few of them save time.
    let config = folder.join("past.toml");
    let rarely = toml.replace("posts_interval = \"1s\"", "posts_interval = \"12h\"");
    fs::write(&config, rarely.replace("max_age = \"1h\"", "max_age = \"1d\"")).unwrap();
    run(Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"))
        .args(["backfill", "--config.file", &config.display().to_string(), "--days", "30", "--step", "5m"])
        .args(["--seed", &SEED.to_string(), "--output", &past.display().to_string()]));
    // promtool takes two hours at a time as well, and starts anew for each.
    let mut files: Vec<PathBuf> = fs::read_dir(&past).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for files in files.chunks(60) {
        let texts: String = files.iter().map(|file| fs::read_to_string(file).unwrap()).collect();
        let joined = folder.join("joined.om");
        fs::write(&joined, texts.replace("# EOF\n", "") + "# EOF\n").unwrap();
        run(Command::new("promtool")
            .args(["tsdb", "create-blocks-from", "--max-block-duration=162h", "openmetrics", "--quiet"])
            .args([&joined, data]));
    }
    let last = fs::read_to_string(files.last().unwrap()).unwrap();
    let sample = |line: &str| {
        let (rest, _time) = line.rsplit_once(' ').unwrap();
        let (series, value) = rest.rsplit_once(' ').unwrap();
        let series = series.replace(",job=\"tiktok\",instance=\"exporter:10110\"", "");
        (series, value.parse().unwrap())
    };
    last.lines().filter(|line| !line.starts_with('#')).map(sample).collect()
}

/// The present goes on where the past ends: the same series with the same labels, totals that only
/// grow, by what the world had grown by then.
fn assert_seamless(past: &BTreeMap<String, f64>, present: &Metrics, watch: &Watch) {
    let of_hashtags = present.text.lines().filter(|line| line.starts_with("tiktok_hashtag_"));
    let shown: BTreeSet<&str> = of_hashtags.map(|line| line.rsplit_once(' ').unwrap().0).collect();
    let written: BTreeSet<&str> = past.keys().map(String::as_str).collect();
    assert_eq!(written, shown, "series of the past on the left, of the present on the right");

    let world = World::new(SEED);
    for name in watch.all() {
        let value = |metric: &str| {
            let series = format!("tiktok_hashtag_{metric}{{hashtag={name:?}}}");
            (past[&series], present.value(&series))
        };
        let views = |at: f64| {
            let totals = world.totals(&Hashtag::parse(name).unwrap(), Timestamp::from_secs(at as i64));
            totals.unwrap().views.unwrap() as f64
        };
        let (before, now) = value("views");
        let (read_before, read_now) = value("last_success_timestamp_seconds");
        assert_eq!(before, views(read_before), "{name}: the last of the past");
        // The answer was on its way for a moment, on a busy machine for a long one.
        assert!((views(read_now - 30.0)..=views(read_now)).contains(&now), "{name}: {now} at {read_now}");
        assert!(now >= before, "{name}: {before}, then {now}");
    }
}

/// The shipped text with all waiting times cut to seconds: how often is scraped and evaluated, how
/// long a condition must hold, how long messages are collected. What is kept firing, and how often
/// a message is repeated, stays.
fn hurried(text: &str) -> String {
    let cut = |line: &str| {
        let Some((key, _)) = line.split_once(": ") else { return line.to_owned() };
        match key.trim_start().trim_start_matches("- ") {
            "interval" | "scrape_interval" | "evaluation_interval" | "for" => format!("{key}: 2s"),
            "group_wait" => format!("{key}: 30s"),
            "group_interval" => format!("{key}: 3s"),
            _ => line.to_owned(),
        }
    };
    text.lines().map(|line| cut(line) + "\n").collect()
}

/// `alerts/` as it is shipped, hurried, with these addresses in place of those of the compose stack.
fn configuration(folder: &Path, addresses: &[(&str, &str)]) {
    let alerts = Path::new(env!("CARGO_MANIFEST_DIR")).join("alerts");
    fs::create_dir_all(folder.join("templates")).unwrap();
    for entry in fs::read_dir(alerts.join("templates")).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, folder.join("templates").join(path.file_name().unwrap())).unwrap();
    }
    for entry in fs::read_dir(alerts).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "yml") {
            let mut text = hurried(&fs::read_to_string(&path).unwrap());
            for (shipped, here) in addresses {
                text = text.replace(shipped, here);
            }
            fs::write(folder.join(path.file_name().unwrap()), text).unwrap();
        }
    }
}

fn yaml(path: &Path) -> Value {
    serde_norway::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// Asks until the answer is there.
fn wait_for<T>(what: &str, ask: impl Fn() -> Option<T>, otherwise: impl Fn() -> String) -> T {
    let started = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "never came: {what}\n{}", otherwise());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Hashtags for which an alert fires in Prometheus.
fn firing_about(prometheus: &Prometheus, matchers: &str) -> BTreeSet<String> {
    let selector = format!("ALERTS{{alertstate=\"firing\",{matchers}}}");
    let series = prometheus.instant(&selector, now().as_secs()).unwrap();
    series.into_iter().filter_map(|series| series.labels.get("hashtag").cloned()).collect()
}

#[test]
#[ignore = "what bursts depends on the day, and it takes minutes: cargo test --test alerting -- --ignored"]
fn what_bursts_is_told_once_and_what_is_quiet_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let watch = Watch::find(now());
    let simulator = Simulator::start(&["--seed", &SEED.to_string(), "--rate-limit-per-minute", "3000"]);
    let config = process::write_config(folder, &simulator, "hashtags = [\"placeholder\"]");
    let toml = fs::read_to_string(&config).unwrap();
    let toml = toml.split("[[watch]]").next().unwrap().to_owned() + &watch.toml();
    fs::write(&config, &toml).unwrap();

    let data = folder.join("stack/data");
    fs::create_dir_all(&data).unwrap();
    let past = back_fill(&toml, &data, folder);
    let exporter = process::serve(&config);
    let hashtags = watch.all().count();
    let present = exporter.wait_for("all values", |metrics| {
        let all = |family| metrics.family(family).len() == hashtags;
        all("tiktok_hashtag_views") && all("tiktok_hashtag_sample_velocity")
    });
    assert_seamless(&past, &present, &watch);

    let webhook = Webhook::start();
    let stack = folder.join("stack");
    configuration(
        &stack,
        &[("http://notifications:10112", &webhook.url), ("http://webhook:8080", &webhook.url)],
    );
    let alertmanager = Alertmanager::start(&stack.join("alertmanager.yml"), &folder.join("alertmanager"));
    configuration(
        &stack,
        &[
            ("http://notifications:10112", &webhook.url),
            ("http://webhook:8080", &webhook.url),
            ("alertmanager:9093", &alertmanager.address),
            ("exporter:10110", exporter.url().trim_start_matches("http://")),
        ],
    );
    let prometheus = Prometheus::looking_back("5m", &data, &yaml(&stack.join("prometheus.yml")));
    let told = || format!("{:#?}", webhook.messages());
    let set = |names: &[String]| names.iter().cloned().collect::<BTreeSet<_>>();
    let (bursting, fresh) = (set(&watch.bursting), set(&watch.fresh));
    let firing = |alert: &str| firing_about(&prometheus, &format!("alertname=\"TikTok{alert}\""));
    // The hashtags for which an alert came in one message.
    let told_of = |receiver: &str, alert: &str, hashtags: &BTreeSet<String>| {
        let messages = webhook.messages().into_iter().filter(|message| message.receiver == receiver);
        let mut of_alert = messages.map(|message| {
            let alerts = message.alerts("firing").into_iter();
            let alerts = alerts.filter(|labels| labels["alertname"] == format!("TikTok{alert}"));
            alerts.map(|labels| labels["hashtag"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
        });
        of_alert.any(|told| told == *hashtags).then_some(())
    };

    // Every burst is seen, and told to those whose group it is: all of a group in one message.
    wait_for(
        "a trend of every bursting hashtag",
        || bursting.is_subset(&firing("HashtagTrending")).then_some(()),
        || format!("{bursting:?}: {:?}", firing("HashtagTrending")),
    );
    wait_for("one message about both", || told_of("trends", "HashtagTrending", &bursting), told);
    // What is a trend candidate is heating up as well, and is told so once.
    wait_for(
        "a trend candidate",
        || fresh.is_subset(&firing("HashtagTrendCandidate")).then_some(()),
        || format!("{fresh:?}: {:?}", firing("HashtagTrendCandidate")),
    );
    wait_for("word of it", || told_of("trends-beauty", "HashtagTrendCandidate", &fresh), told);
    let candidates = firing("HashtagTrendCandidate");
    let heating_up = firing("HashtagHeatingUp");
    assert!(candidates.is_subset(&heating_up), "{candidates:?} heat up, too: {heating_up:?}");

    // Quiet ones stay quiet, at Prometheus and for people.
    let trends = firing_about(&prometheus, "topic=\"trend\"");
    let burst: BTreeSet<String> = bursting.union(&fresh).cloned().collect();
    assert!(trends.is_subset(&burst), "alerts about trends fire for {trends:?}, but only {burst:?} burst");

    // The key is refused: those who run the exporter are told, and told when it is over.
    simulator.faults(r#"{"faults": [{"kind": "dead_key"}]}"#);
    let operators = |status: &str| {
        let messages =
            webhook.messages().into_iter().filter(|message| message.receiver == "operators-urgent");
        let mut alerts = messages.flat_map(|message| message.alerts(status));
        alerts.any(|labels| labels["alertname"] == "TikTokBreakerOpen" && labels["reason"] == "auth")
    };
    wait_for("word of the refused key", || operators("firing").then_some(()), told);
    assert!(!operators("resolved"), "it is not over\n{}", told());
    simulator.faults("{}");
    wait_for("word that the key is good again", || operators("resolved").then_some(()), told);

    for message in webhook.messages() {
        for labels in message.alerts("firing") {
            let hashtag = labels["hashtag"].as_str().unwrap_or_default();
            assert!(!watch.quiet.iter().any(|quiet| quiet == hashtag), "{hashtag} is quiet: {message:#?}");
            assert_ne!(labels["severity"], "info", "remarks are told to nobody: {message:#?}");
            assert_ne!(labels["severity"], "none", "the watchdog is told to nobody: {message:#?}");
            let inhibited = labels["alertname"] == "TikTokHashtagHeatingUp" && candidates.contains(hashtag);
            assert!(!inhibited, "{hashtag} is a candidate and told to heat up as well: {message:#?}");
        }
    }
}
