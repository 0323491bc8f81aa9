//! `brief`: from a running exporter, from its store, and from nowhere.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tiktok_exporter::brief::{Measure, Report};

use crate::support::process::{Metrics, Process};
use crate::support::prometheus::Prometheus;

fn brief(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tiktok-exporter")).arg("brief").args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Standard output and standard error of a run that succeeds.
fn done(args: &[&str]) -> (String, String) {
    let output = brief(args);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{args:?}: {err}");
    (out, err)
}

fn report(json: &str) -> Report {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

fn filled(metrics: &Metrics) -> bool {
    metrics.family("tiktok_hashtag_sample_velocity").len() >= 36
}

/// Credits in the ledger of the store.
fn spent(config: &Path) -> Value {
    let ledger = Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"))
        .args(["ledger", "--format", "json", "--config.file", config.to_str().unwrap()])
        .output()
        .unwrap();
    serde_json::from_slice::<Value>(&ledger.stdout).unwrap()["lines"].clone()
}

#[test]
fn a_running_exporter_is_asked_and_its_store_when_it_has_ended() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let store = path("store.sqlite");
    let demo = Process::start(&["demo", "--web.listen-address", "127.0.0.1:0", "--store.path", &store]);
    let before = demo.wait_for("samples of all", filled).sum("tiktok_exporter_upstream_requests_total");
    let url = demo.url().to_owned();

    let (json, err) = done(&["--url", &url, "--group", "books", "--region", "us", "--format", "json"]);
    assert_eq!(err, format!("from the exporter at {url}/; cost no credits\n"));
    let running = report(&json);
    assert!(running.simulated && !running.trends.is_empty() && running.trends.len() <= 5, "{json}");
    for trend in &running.trends {
        assert_eq!(
            (trend.group.as_str(), trend.region.as_str(), trend.posts.len()),
            ("books", "US", 3),
            "{json}"
        );
        assert!(trend.posts.is_sorted_by(|a, b| a.plays >= b.plays), "{:?}", trend.posts);
        assert!(trend.posts.iter().all(|post| post.url.is_some()), "{:?}", trend.posts);
    }

    let (table, _) = done(&["--url", &url, "--limit", "2"]);
    assert!(
        table.contains("SIMULATED DATA") && table.contains("\n2  #") && !table.contains("\n3  #"),
        "{table}"
    );
    let (csv, _) = done(&["--url", &url, "--format", "csv"]);
    assert_eq!(csv.lines().count(), 1 + 5 * 3, "{csv}");
    for name in ["brief.md", "brief.csv", "brief.json"] {
        let (file, name) = (path(name), name);
        let (out, err) = done(&["--url", &url, "--output", &file]);
        assert_eq!((out.as_str(), err.lines().next()), ("", Some(format!("wrote {file}").as_str())));
        let written = std::fs::read_to_string(&file).unwrap();
        let starts = [
            ("brief.md", "# Creator brief\n\n**SIMULATED"),
            ("brief.csv", "rank,hashtag,"),
            ("brief.json", "{\n"),
        ];
        let start = starts.iter().find(|(of, _)| *of == name).unwrap().1;
        assert!(written.starts_with(start), "{name}: {written}");
    }
    let (week, _) = done(&["--url", &url, "--since", "7d", "--format", "markdown"]);
    assert!(week.contains("# Creator brief, last 7 d") && week.contains("the last 7d are unknown"), "{week}");
    let (dry, _) = done(&["--dry-run"]);
    assert!(dry.starts_with("costs no credits"), "{dry}");

    for (args, code, why) in [
        (["--group", "nope"], 64, "--group: nope is not watched (watched: beauty, books, home)\n"),
        (["--region", "FR"], 64, "--region: FR is not watched (watched: DE, GB, US)\n"),
        (["--limit", "0"], 64, "--limit: 0 is not a whole number from 1 to 50\n"),
        (["--since", "1y"], 64, "--since: 1y is out of range (1h to 90d)\n"),
        (["--output", "/nowhere/brief.md"], 1, "--output: cannot write /nowhere/brief.md: "),
    ] {
        let output = brief(&[&["--url", &url], &args[..]].concat());
        let err = text(&output.stderr);
        assert_eq!((output.status.code(), err.starts_with(why)), (Some(code), true), "{args:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
    }
    // The loop goes on; nobody else asked for posts of a hashtag that has none due.
    assert!(demo.metrics().sum("tiktok_exporter_upstream_requests_total") >= before);
    let (status, _) = demo.terminate();
    assert!(status.success());

    let config = directory.path().join("tiktok-exporter.toml");
    // The port was the exporter's, who is gone.
    let address = url.trim_start_matches("http://");
    let watch = "[[watch]]\ngroup = \"books\"\nhashtags = [\"booktok\", \"bookhaul\"]\nregions = [\"US\"]\n";
    let settings = format!("{watch}\n[web]\nlisten_address = \"{address}\"\n[store]\npath = {store:?}\n");
    std::fs::write(&config, settings).unwrap();
    let config_file = config.to_str().unwrap();
    let ledger = spent(&config);
    let (json, err) = done(&["--config.file", config_file, "--format", "json"]);
    assert!(err.starts_with(&format!("from the store {store}: no exporter answers at {url}/ (")), "{err}");
    assert!(err.ends_with("; cost no credits\n"), "{err}");
    let stored = report(&json);
    assert!(stored.simulated, "{json}");
    let of = |report: &Report, hashtag: &str| {
        let trend = report.trends.iter().find(|trend| trend.hashtag == hashtag)?;
        Some(trend.posts.iter().map(|post| (post.id.clone(), post.title.clone())).collect::<Vec<_>>())
    };
    for hashtag in ["booktok", "bookhaul"] {
        assert!(of(&stored, hashtag).is_some_and(|posts| posts.len() == 3), "#{hashtag} in {json}");
    }
    assert_eq!(spent(&config), ledger, "reading the store spent something");

    for (args, code, why) in [
        (
            vec!["--config.file", config_file, "--group", "home"],
            64,
            "--group: home is not watched (watched: books)\n",
        ),
        (vec!["--url", &url], 1, "--url: no brief from the exporter at http://127.0.0.1:"),
        (vec!["--config.file", "/nowhere.toml"], 78, "/nowhere.toml: does not exist\n"),
    ] {
        let output = brief(&args);
        let err = text(&output.stderr);
        assert_eq!((output.status.code(), err.starts_with(why)), (Some(code), true), "{args:?}: {err}");
    }
    std::fs::remove_file(&store).unwrap();
    let output = brief(&["--config.file", config_file]);
    let err = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(
        err.contains("no exporter answers at")
            && err.contains("there is no brief from its store either: store.path: "),
        "{err}"
    );
}

#[test]
fn the_real_program_ranks_by_a_real_prometheus() {
    let directory = tempfile::tempdir().unwrap();
    let rule = |hashtag: &str, velocity: &str| {
        let record = "hashtag:tiktok_hashtag_posts:velocity";
        json!({ "record": record, "expr": format!("vector({velocity})"), "labels": { "hashtag": hashtag } })
    };
    let rules = [rule("cleantok", "3.5"), rule("日本", "2.5"), rule("fyp", "1.5")];
    let rules = json!({ "groups": [{ "name": "velocity", "interval": "1s", "rules": rules }] });
    let file = directory.path().join("rules.yml");
    std::fs::write(&file, rules.to_string()).unwrap();
    let server = Prometheus::start(&directory.path().join("data"), &json!({ "rule_files": [file] }));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let now = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
    while server.instant("hashtag:tiktok_hashtag_posts:velocity", now()).unwrap().len() < 3 {
        assert!(std::time::Instant::now() < deadline, "the rules are never evaluated");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    let demo =
        Process::start(&["demo", "--web.listen-address", "127.0.0.1:0", "--prometheus.url", &server.url]);
    demo.wait_for("samples of all", filled);
    let ranked = report(&demo.get("/brief.json?limit=3"));
    let got: Vec<_> = ranked.trends.iter().map(|trend| (trend.hashtag.as_str(), trend.score)).collect();
    assert_eq!(got, [("cleantok", Some(3.5)), ("日本", Some(2.5)), ("fyp", Some(1.5))]);
    assert_eq!(ranked.ranking.by, Measure::CounterVelocity);
}
