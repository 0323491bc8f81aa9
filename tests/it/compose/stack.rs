//! The start of the demo in its order, as processes: the history once and once more, then Prometheus,
//! Alertmanager and the page. Two days of history instead of thirty; addresses differ.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use units::{Clock, SystemClock};

use super::file::{services, texts};
use super::notifications::{at_once, configuration, wait_for};
use super::{project, read, succeed};
use crate::support::alertmanager::Alertmanager;
use crate::support::process::Process;
use crate::support::prometheus::Prometheus;

const DAYS: i64 = 2;
const HOUR: i64 = 3_600;

/// What the one-shot service runs, on `data`.
fn write_history(data: &Path) -> String {
    let service = &services()["demo-history"];
    assert_eq!(texts(service, "command"), ["/etc/prometheus", "/prometheus"], "the order of the arguments");
    let binary = Path::new(env!("CARGO_BIN_EXE_tiktok-exporter")).parent().unwrap();
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap());
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut sh = Command::new("sh");
    sh.arg(project().join("deploy/demo/history.sh")).arg(project().join("alerts")).arg(data);
    succeed(
        sh.arg(DAYS.to_string())
            .env("PATH", path)
            .env("HISTORY_PORT", port.to_string())
            .env("TMPDIR", "/nonexistent"),
    )
}

/// Everything in the directory, by its path.
fn contents(data: &Path) -> BTreeMap<String, u64> {
    let mut files = BTreeMap::new();
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            } else {
                files.insert(entry.path().display().to_string(), entry.metadata().unwrap().len());
            }
        }
    }
    files
}

/// prometheus.yml as it is mounted, with the addresses of these processes.
fn prometheus_config(exporter: &str, alertmanager: &str) -> Value {
    let address = |url: &str| url.strip_prefix("http://").unwrap().to_owned();
    let text = read("alerts/prometheus.yml")
        .replace("exporter:10110", &address(exporter))
        .replace("alertmanager:9093", &address(alertmanager))
        // Prometheus 3 reads the variable itself; the service sets it.
        .replace(
            "${TIKTOK_DATA}",
            services()["demo-prometheus"]["environment"]["TIKTOK_DATA"].as_str().unwrap(),
        );
    let mut config: Value = serde_norway::from_str(&text).unwrap();
    let files = config["rule_files"].as_array().unwrap().iter();
    config["rule_files"] = files
        .map(|file| project().join("alerts").join(file.as_str().unwrap()).display().to_string())
        .collect();
    config
}

fn until<T>(what: &str, mut find: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(180);
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(Instant::now() < deadline, "never came: {what}");
        std::thread::sleep(Duration::from_millis(250));
    }
}

#[test]
fn the_demo_starts_in_its_order_and_its_history_is_there_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();

    // What an interrupted run would have left.
    std::fs::create_dir_all(data.join("history.tmp/files")).unwrap();
    std::fs::create_dir_all(data.join("01HALF")).unwrap();
    std::fs::write(data.join("01HALF/meta.json"), "{").unwrap();

    let first = write_history(&data);
    assert!(first.contains("history: done"), "{first}");
    let before = contents(&data);
    assert!(!before.keys().any(|path| path.contains("01HALF") || path.contains("history.tmp")), "{before:?}");
    let second = write_history(&data);
    assert!(second.contains("nothing to do"), "{second}");
    assert_eq!(contents(&data), before, "a second start changes something");

    let exporter = Process::start(&["demo", "--web.listen-address", "127.0.0.1:0"]);
    let page = Process::start(&["notifications", "--web.listen-address", "127.0.0.1:0"]);
    let file = configuration(folder.path(), None, |text| {
        at_once(text).replace("http://notifications:10112", page.url())
    });
    let alertmanager = Alertmanager::start(&file, &folder.path().join("alertmanager"));
    let config = prometheus_config(exporter.url(), &alertmanager.url);
    let command = texts(&services()["demo-prometheus"], "command");
    let look_back = command.iter().find_map(|flag| flag.strip_prefix("--query.lookback-delta=")).unwrap();
    let prometheus = Prometheus::looking_back(look_back, &data, &config);

    let now = SystemClock.now().as_secs();
    the_past_is_whole(&prometheus, now);
    the_past_was_recorded(&prometheus, now);

    // The present joins it.
    until("the exporter is scraped", || {
        let now = SystemClock.now().as_secs();
        let up = prometheus.instant("up{job=\"tiktok\"} == 1", now).unwrap();
        let alive = prometheus.instant("tiktok_exporter_simulated_data == 1", now).unwrap();
        (!up.is_empty() && !alive.is_empty()).then_some(())
    });
    let watchdog =
        until("an alert", || alertmanager.alerts().into_iter().find(|a| a["alertname"] == "TikTokWatchdog"));
    assert_eq!(watchdog["data"], "simulated", "{watchdog}");

    // And what Alertmanager is told becomes visible.
    let labels = json!({"alertname": "TikTokHashtagTrending", "topic": "trend", "severity": "warning", "group": "books",
        "hashtag": "booktok", "data": "simulated"});
    alertmanager.post(&json!([{"labels": labels, "annotations": {"summary": "#booktok is trending"}}]));
    assert!(wait_for(&page, "#booktok is trending").contains("SIMULATED DATA"));
}

/// The counts of every hashtag of the demo, every four minutes.
fn the_past_is_whole(prometheus: &Prometheus, now: i64) {
    let hours = (DAYS * 24 - 1) as f64;
    let series =
        prometheus.instant(&format!("count_over_time(tiktok_hashtag_views[{hours}h])"), now - 600).unwrap();
    let hashtags: BTreeSet<&str> = series.iter().map(|one| &*one.labels["hashtag"]).collect();
    let watched: Value = json!(hashtags);
    assert_eq!(hashtags.len(), 12, "{watched}");
    for one in &series {
        let (labels, count) = (&one.labels, one.points[0].1);
        assert_eq!((&*labels["job"], &*labels["instance"]), ("tiktok", "exporter:10110"));
        // One hashtag of them vanishes now and then.
        assert!(count > 0.6 * hours * 15.0 && count <= hours * 15.0 + 1.0, "{labels:?}: {count}");
    }
    let most = series.iter().map(|one| one.points[0].1).fold(0.0, f64::max);
    assert!(most >= hours * 15.0 - 1.0, "every four minutes, at most {most}");
}

/// What the rules record, over the whole of it, and the same as the rules say now.
fn the_past_was_recorded(prometheus: &Prometheus, now: i64) {
    let at = now - 2 * HOUR;
    for (recorded, meaning) in [
        // The first stage, and one that reads what earlier stages have recorded.
        ("hashtag:tiktok_hashtag_views:max", "max by (hashtag) (tiktok_hashtag_views)"),
        (
            "hashtag:tiktok_hashtag_views:gain1d_steps",
            "hashtag:tiktok_hashtag_views:gain1d / on (hashtag) max by (hashtag) (tiktok_hashtag_views_resolution)",
        ),
    ] {
        let values = |expr: &str| -> BTreeMap<String, f64> {
            // The moment of a recorded sample, so that nothing has moved since.
            let moment = prometheus.instant(&format!("max(timestamp({recorded}))"), at).unwrap();
            let moment =
                moment.first().unwrap_or_else(|| panic!("nothing is recorded as {recorded}")).points[0].1;
            let series = prometheus.instant(expr, moment.ceil() as i64).unwrap();
            series.into_iter().map(|one| (one.labels["hashtag"].clone(), one.points[0].1)).collect()
        };
        let (have, want) = (values(recorded), values(meaning));
        assert!(have.len() >= 10, "{recorded} of {} hashtags", have.len());
        assert_eq!(have, want, "{recorded}");
    }
    // Of the exporter itself, too: its dashboard is not empty at first.
    for spent in [
        "window:tiktok_exporter_budget_spent_credits:sum{window=\"day\"} > 0",
        "purpose:tiktok_exporter_credits_spent:increase1d{purpose=\"posts\"} > 0",
        "outcome:tiktok_exporter_upstream_requests:increase1h{outcome=\"success\"} > 0",
        "global:tiktok_exporter_upstream_request_duration_seconds:p95_1h > 0.05",
    ] {
        assert_eq!(prometheus.instant(spent, at).unwrap().len(), 1, "{spent}");
    }
    let points = format!("max(count_over_time(hashtag:tiktok_hashtag_views:max[{}h]))", DAYS * 24 - 1);
    let points = prometheus.instant(&points, now - 600).unwrap()[0].points[0].1;
    assert!(points >= ((DAYS * 24 - 1) * 15 - 2) as f64, "the recorded past has holes: {points} points");
}
