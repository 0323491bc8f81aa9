//! The brief over a real Prometheus, and over everything that may stand in its place.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;
use tiktok_exporter::brief::{Measure, Report, Signal, WindowState};
use tiktok_exporter::config::PrometheusConfig;
use units::{Clock, SystemClock};

use crate::support::impostor::{Behaviour, Impostor};
use crate::support::prometheus::Prometheus;
use crate::support::site::Site;
use crate::support::snapshot::{NOW, known, publish, restate};

/// Long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A site over three hashtags whose samples rank them `calm`, `rising`, `tuesday`.
async fn site(url: &str, timeout: Duration) -> Site {
    let url = Some(url::Url::parse(&format!("{url}/")).unwrap());
    let site = Site::with_prometheus(None, &PrometheusConfig { url, timeout }).await;
    let state = |(name, velocity)| {
        let mut state = known(name, "books", &["US"], 1_000_000, NOW);
        restate(&mut state.regions[0], |stats| stats.velocity = velocity);
        state
    };
    publish(&site.state, [("calm", 6.0), ("rising", 5.0), ("tuesday", 4.0)].map(state));
    site
}

async fn report(site: &Site, query: &str) -> Report {
    serde_json::from_str(&site.page(&format!("/brief.json?{query}")).await).unwrap()
}

fn names(report: &Report) -> Vec<&str> {
    report.trends.iter().map(|trend| trend.hashtag.as_str()).collect()
}

/// The time by which Prometheus goes, too.
fn now() -> i64 {
    SystemClock.now().as_secs()
}

/// What the rules would have recorded in the last 26 hours, one sample an hour.
fn history() -> String {
    let now = now();
    let mut text = String::new();
    let mut series = |name: &str, hashtag: &str, value: &dyn Fn(i64) -> f64| {
        for hours_ago in (0..26).rev() {
            let at = now - 60 - hours_ago * 3_600;
            let _ = writeln!(text, "{name}{{hashtag=\"{hashtag}\"}} {} {at}", value(hours_ago));
        }
    };
    let velocity = "hashtag:tiktok_hashtag_posts:velocity";
    series(velocity, "calm", &|_| 1.0);
    series(velocity, "rising", &|_| 2.5);
    series(velocity, "tuesday", &|hours_ago| if hours_ago == 10 { 4.0 } else { 0.9 });
    series("hashtag:tiktok_hashtag_posts:velocity_chance", "rising", &|_| 0.000_1);
    series("hashtag:tiktok_hashtag_posts:gain1d_steps", "rising", &|_| 400.0);
    series("hashtag:tiktok_hashtag_posts:posting_window", "rising", &|_| 1.0);
    series("hashtag:tiktok_hashtag_posts:posting_window", "tuesday", &|_| 0.0);
    text.push_str("# EOF\n");
    text
}

/// A Prometheus with that history and a rule for one threshold.
fn with_history(directory: &Path) -> Prometheus {
    let (data, file) = (directory.join("data"), directory.join("past.om"));
    std::fs::write(&file, history()).unwrap();
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics", "-q"])
        .args([&file, &data])
        .output()
        .expect("promtool is needed (Debian package prometheus)");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let rule = json!({ "record": "global:tiktok_heating_up:threshold", "expr": "vector(2.25)" });
    let rules = json!({ "groups": [{ "name": "parameters", "interval": "1s", "rules": [rule] }] });
    let rules_file = directory.join("rules.yml");
    std::fs::write(&rules_file, rules.to_string()).unwrap();
    let server = Prometheus::start(&data, &json!({ "rule_files": [rules_file] }));
    let deadline = Instant::now() + PATIENCE;
    while server.instant("global:tiktok_heating_up:threshold", now()).unwrap().is_empty() {
        assert!(Instant::now() < deadline, "the rule is never evaluated");
        std::thread::sleep(Duration::from_millis(100));
    }
    server
}

#[tokio::test]
async fn what_the_rules_recorded_ranks_explains_and_opens_the_window() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_owned();
    let server = tokio::task::spawn_blocking(move || with_history(&path)).await.unwrap();
    let site = site(&server.url, PATIENCE).await;

    let now = report(&site, "").await;
    assert_eq!((now.ranking.by, now.ranking.notes.as_slice()), (Measure::CounterVelocity, &[][..]));
    assert_eq!(names(&now), ["rising", "calm", "tuesday"]);
    let rising = &now.trends[0];
    assert_eq!((rising.score, rising.signals.as_slice()), (Some(2.5), &[Signal::HeatingUp][..]));
    let heating_up = rising.why.iter().find(|check| check.name == "heating_up").unwrap();
    assert_eq!((heating_up.value, heating_up.threshold), (Some(2.5), 2.25), "the threshold in force");
    assert_eq!(rising.certainty.chance, Some(0.000_1));
    let windows: Vec<_> = now.trends.iter().map(|trend| trend.posting_window.state).collect();
    // Of #calm no latch is recorded: its sample of 6.00 has to do.
    assert_eq!(windows, [WindowState::Open, WindowState::Open, WindowState::Closed]);

    let day = report(&site, "since=1d").await;
    assert_eq!(day.ranking.by, Measure::CounterVelocityPeak);
    assert_eq!(names(&day), ["tuesday", "rising", "calm"]);
    let velocity = &day.trends[0].velocity;
    assert_eq!(
        (day.trends[0].score, velocity.counter, velocity.counter_peak),
        (Some(4.0), Some(0.9), Some(4.0))
    );
    let mean = (4.0 + 23.0 * 0.9) / 24.0;
    assert!((velocity.counter_mean.unwrap() - mean).abs() < 1e-9, "{velocity:?} instead of {mean}");
    // Ten hours ago is longer ago than an hour.
    assert_eq!(names(&report(&site, "since=1h").await), ["rising", "calm", "tuesday"]);

    let trends: Report = serde_json::from_str(&site.page("/api/v1/trends").await).unwrap();
    assert_eq!(names(&trends), ["rising"]);
    tokio::task::spawn_blocking(move || drop(server)).await.unwrap();
}

#[tokio::test]
async fn whatever_is_in_its_place_the_samples_rank_and_a_note_says_why() {
    let down = {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let short = Duration::from_millis(300);
    let rubbish = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>";
    let empty = "HTTP/1.1 200 OK\r\nContent-Length: 63\r\n\r\n\
        {\"status\":\"success\",\"data\":{\"resultType\":\"vector\",\"result\":[]}}";
    for (what, url, timeout, note) in [
        ("down", down, PATIENCE, "Prometheus cannot be reached: "),
        (
            "hangs",
            Impostor::start(Behaviour::Hang).await.url,
            short,
            "Prometheus did not answer within 300ms: ranked by the sample velocity",
        ),
        (
            "hangs up",
            Impostor::start(Behaviour::HangUp).await.url,
            PATIENCE,
            "Prometheus cannot be reached: ",
        ),
        (
            "rubbish",
            Impostor::start(Behaviour::Say(rubbish)).await.url,
            PATIENCE,
            "not a Prometheus: HTTP 200 with \"<html>\": ranked by the sample velocity",
        ),
        (
            "no rules",
            Impostor::start(Behaviour::Say(empty)).await.url,
            PATIENCE,
            "Prometheus has no counter velocity",
        ),
    ] {
        let site = site(&url, timeout).await;
        let report = report(&site, "").await;
        assert_eq!(
            (report.ranking.by, names(&report)),
            (Measure::SampleVelocity, vec!["calm", "rising", "tuesday"]),
            "{what}"
        );
        let notes = &report.ranking.notes;
        assert!(notes.len() == 1 && notes[0].starts_with(note), "{what}: {notes:?}");
        // The other forms say it, too.
        assert!(
            site.page("/brief").await.contains("ranked by the sample velocity, which is less reliable"),
            "{what}"
        );
    }
}

#[tokio::test]
async fn it_is_asked_by_briefs_alone_and_a_hanging_one_but_once() {
    let hanging = Impostor::start(Behaviour::Hang).await;
    let site = site(&hanging.url, Duration::from_millis(500)).await;
    for path in ["/", "/metrics", "/brief.css", "/-/ready", "/brief?region=XX"] {
        site.request(reqwest::Method::GET, path).await;
    }
    assert_eq!(hanging.connections(), 0, "a scrape or a wrong question asked Prometheus");
    let ask = || site.page("/brief.json");
    let ((), pages) = tokio::join!(
        async {
            // Everything else is answered meanwhile.
            site.page("/-/healthy").await;
        },
        async { tokio::join!(ask(), ask(), ask(), ask()) }
    );
    assert!(pages.0.contains("did not answer within 500ms"), "{}", pages.0);
    ask().await;
    assert_eq!(hanging.connections(), 1, "everybody waits for a Prometheus that hangs");
}
