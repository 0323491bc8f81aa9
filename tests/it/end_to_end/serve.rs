//! `serve` from start to stop: restarts, reloads, errors, and what it spends meanwhile.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::thread;
use std::time::Duration;

use crate::support::process::{Metrics, Process, Simulator, serve, write_config};

fn simulator() -> Simulator {
    Simulator::start(&["--rate-limit-per-minute", "6000"])
}

/// Rewrites a setting of a configuration file.
fn change(path: &str, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

/// A configuration that looks at everything once an hour.
fn hourly(directory: &Path, simulator: &Simulator, watch: &str) -> String {
    let path = write_config(directory, simulator, watch);
    change(&path, "totals_interval = \"1s\"", "totals_interval = \"1h\"");
    change(&path, "posts_interval = \"1s\"", "posts_interval = \"1h\"");
    change(&path, "not_found_retry = \"1s\"", "not_found_retry = \"1d\"");
    change(&path, "max_age = \"1h\"", "max_age = \"3h\"");
    path
}

/// The results on a page, without the exporter's own figures.
fn results(metrics: &Metrics) -> Vec<&str> {
    metrics.text.lines().filter(|line| line.starts_with("tiktok_hashtag_")).collect()
}

/// Runs the program to its end, without the key of the environment.
fn run(args: &[&str]) -> Output {
    let binary = env!("CARGO_BIN_EXE_tiktok-exporter");
    Command::new(binary).args(args).env_remove("TIKLIVE_API_KEY").output().unwrap()
}

fn exit_and_message(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn after_a_kill_the_last_values_are_there_at_once_and_nothing_is_asked_before_it_is_due() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let watch = r#"
        hashtags = ["booktok", "indiebeauty", "日本", "nosuchtag"]
        regions = ["US", "GB"]
    "#;
    let config = hourly(directory.path(), &simulator, watch);
    let first = serve(&config);
    let before = first.wait_for("every hashtag", |metrics| {
        metrics.family("tiktok_hashtag_sample_velocity").len() == 6
            && metrics.family("tiktok_hashtag_up").len() == 4
    });
    let spent = simulator.credits();
    first.kill();

    let second = serve(&config);
    assert_eq!(results(&second.metrics()), results(&before), "at once, and to the digit");
    simulator.receives_nothing("asked before it was due");
    assert_eq!(simulator.credits(), spent, "asked before it was due");
    assert_eq!(second.metrics().value("tiktok_exporter_jobs_due{kind=\"totals\"}"), 0.0);
    let (status, output) = second.terminate();
    assert_eq!(status.code(), Some(0), "{output}");

    let third = serve(&config);
    assert_eq!(results(&third.metrics()), results(&before), "after a stop in good order, too");
}

#[test]
fn a_name_that_does_not_resolve_is_searched_for_and_one_that_is_nowhere_is_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let config = hourly(directory.path(), &simulator, r#"hashtags = ["IndieBeauty", "nosuchtag"]"#);
    let exporter = serve(&config);
    let metrics = exporter.wait_for("both", |metrics| metrics.family("tiktok_hashtag_up").len() == 2);
    assert_eq!(metrics.value(r#"tiktok_hashtag_up{hashtag="indiebeauty"}"#), 1.0);
    assert_eq!(metrics.value(r#"tiktok_hashtag_up{hashtag="nosuchtag"}"#), 0.0);
    assert_eq!(metrics.value(r#"tiktok_hashtag_found{hashtag="nosuchtag"}"#), 0.0);
    assert_eq!(metrics.get(r#"tiktok_hashtag_views{hashtag="nosuchtag"}"#), None, "a failure is never a 0");
    let log: Vec<serde_json::Value> = serde_json::from_str(&simulator.0.get("/-/requests")).unwrap();
    let asked = |endpoint: &str, about: &str| {
        let matching =
            log.iter().filter(|r| r["endpoint"] == endpoint && r["query"].as_str().unwrap().contains(about));
        matching.count()
    };
    for (endpoint, about, times) in [
        ("challenge-info-name", "indiebeauty", 1),
        ("search-challenge", "indiebeauty", 1),
        ("challenge-info-id", "id=", 1),
        ("challenge-info-name", "nosuchtag", 1),
        ("search-challenge", "nosuchtag", 1),
    ] {
        assert_eq!(asked(endpoint, about), times, "{endpoint} about {about}: {log:?}");
    }
}

#[test]
fn scrapes_and_pages_cost_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let exporter = serve(&hourly(directory.path(), &simulator, r#"hashtags = ["booktok"]"#));
    exporter.wait_for("a value", |metrics| !metrics.family("tiktok_hashtag_sample_velocity").is_empty());
    let spent = simulator.credits();
    for _ in 0..50 {
        exporter.metrics();
        exporter.get("/");
    }
    assert_eq!(simulator.credits(), spent);
}

#[test]
fn a_reload_adds_and_removes_hashtags_and_leaves_the_others_alone() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let config = hourly(directory.path(), &simulator, r#"hashtags = ["booktok", "café"]"#);
    let exporter = Process::start(&[
        "serve",
        "--config.file",
        &config,
        "--web.listen-address",
        "127.0.0.1:0",
        "--web.enable-lifecycle",
    ]);
    let has =
        |metrics: &Metrics, name: &str| metrics.get(&format!("tiktok_hashtag_views{{hashtag=\"{name}\"}}"));
    let samples = |metrics: &Metrics| metrics.family("tiktok_hashtag_sample_velocity").len();
    let before = exporter.wait_for("two hashtags", |metrics| samples(metrics) == 2);
    let spent = simulator.credits();

    change(&config, r#""café""#, r#""glowup""#);
    exporter.signal("HUP");
    let after = exporter
        .wait_for("the added one", |metrics| has(metrics, "glowup").is_some() && samples(metrics) == 2);
    assert_eq!(has(&after, "café"), None, "the removed one is gone");
    assert!(!after.text.contains("café"), "in every family");
    assert_eq!(has(&after, "booktok"), has(&before, "booktok"), "the one that stays was not asked again");
    let log: Vec<serde_json::Value> = serde_json::from_str(&simulator.0.get("/-/requests")).unwrap();
    assert!(simulator.credits() > spent);
    assert_eq!(log.iter().filter(|r| r["query"] == "name=booktok").count(), 1);

    for (text, method) in
        [("hashtags = [\"two words\"]", "POST"), ("hashtags = 5", "PUT"), ("nonsense", "POST")]
    {
        let good = fs::read_to_string(&config).unwrap();
        fs::write(&config, good.replace(r#"hashtags = ["booktok", "glowup"]"#, text)).unwrap();
        let response = exporter.request(method, "/-/reload", "");
        assert_eq!(response.status(), 500, "{text}");
        let said = response.text().unwrap();
        assert!(said.contains("old configuration stays"), "{text}: {said}");
        let metrics = exporter.metrics();
        assert_eq!(metrics.value("tiktok_exporter_config_last_reload_successful"), 0.0, "{text}");
        assert!(
            has(&metrics, "booktok").is_some() && has(&metrics, "glowup").is_some(),
            "{text}: the old one runs on"
        );
        assert!(exporter.output().contains("reload failed"), "{text}: the log says nothing");
        fs::write(&config, good).unwrap();
    }
    assert_eq!(exporter.request("POST", "/-/reload", "").status(), 200);
    assert_eq!(exporter.metrics().value("tiktok_exporter_config_last_reload_successful"), 1.0);
    assert_eq!(samples(&exporter.metrics()), 2);
}

#[test]
fn a_reload_under_load_loses_and_repeats_no_request() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(&["--rate-limit-per-minute", "6000", "--latency", "300ms"]);
    let names: Vec<String> = (0..20).map(|n| format!("\"tag{n}\"")).collect();
    let config = hourly(directory.path(), &simulator, &format!("hashtags = [{}]", names.join(", ")));
    let exporter = serve(&config);
    for _ in 0..5 {
        exporter.signal("HUP");
        thread::sleep(Duration::from_millis(150));
    }
    let done = |metrics: &Metrics| metrics.sum("tiktok_exporter_refreshes_total") >= 40.0;
    let metrics = exporter.wait_for("20 totals and 20 samples", done);
    simulator.receives_nothing("a request twice");
    let log: Vec<serde_json::Value> = serde_json::from_str(&simulator.0.get("/-/requests")).unwrap();
    let mut first_pages: Vec<&str> = log
        .iter()
        .map(|r| r["query"].as_str().unwrap())
        .filter(|q| q.starts_with("name=") || q.contains("cursor=0"))
        .collect();
    first_pages.sort_unstable();
    let all = first_pages.len();
    first_pages.dedup();
    assert_eq!((all, first_pages.len()), (40, 40), "each was asked once");
    assert_eq!(
        metrics.sum("tiktok_exporter_upstream_requests_total"),
        log.len() as f64,
        "and each answer was counted"
    );
}

#[test]
fn a_stop_finishes_what_is_under_way_and_saves_it() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(&["--rate-limit-per-minute", "6000", "--latency", "1s"]);
    let config = hourly(directory.path(), &simulator, r#"hashtags = ["booktok"]"#);
    let exporter = serve(&config);
    // The request is on its way, the answer is not.
    while simulator.0.get("/-/requests") == "[]" {
        thread::sleep(Duration::from_millis(10));
    }
    let (status, output) = exporter.terminate();
    assert_eq!(status.code(), Some(0), "{output}");
    assert_eq!(simulator.credits(), 1, "nothing more was sent");
    let next = serve(&config);
    let saved = next.metrics();
    assert!(saved.get(r#"tiktok_hashtag_views{hashtag="booktok"}"#).is_some(), "its answer was saved");
}

#[test]
fn a_signal_that_comes_with_the_first_breath_is_heeded() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let config = hourly(directory.path(), &simulator, r#"hashtags = ["booktok"]"#);
    for _ in 0..5 {
        let exporter = serve(&config);
        exporter.signal("HUP");
        let (status, output) = exporter.terminate();
        assert_eq!(status.code(), Some(0), "{status}: {output}");
    }
}

#[test]
fn simulated_results_are_never_taken_for_real_ones() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let config = hourly(directory.path(), &simulator, r#"hashtags = ["booktok"]"#);
    let first = serve(&config);
    first.wait_for("a value", |metrics| !metrics.family("tiktok_hashtag_sample_velocity").is_empty());
    first.terminate();

    // Nobody answers any more; what is remembered is still marked.
    let url = simulator.0.url().to_owned();
    change(&config, &url, "http://127.0.0.1:1");
    let second = serve(&config);
    let metrics = second.metrics();
    assert_eq!(metrics.family("tiktok_hashtag_views").len(), 1);
    assert_eq!(metrics.value("tiktok_exporter_simulated_data"), 1.0);
    assert!(second.get("/").contains("SIMULATED DATA"));
    change(&config, "http://127.0.0.1:1", "https://api.tikliveapi.com");
    second.signal("HUP");
    second.wait_for("the refusal of the reload", |metrics| {
        metrics.value("tiktok_exporter_config_last_reload_successful") == 0.0
    });
    second.terminate();

    // Every host of the vendor has real data, not the default one alone.
    change(&config, "https://api.tikliveapi.com", "https://eu.tikliveapi.com");
    let refused =
        Process::try_start(&["serve", "--config.file", &config, "--web.listen-address", "127.0.0.1:0"]);
    let Err((status, output)) = refused else { panic!("simulated results are shown as real ones") };
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(output.contains("simulated results"), "{output}");
}

#[test]
fn a_second_process_on_the_same_store_is_refused_and_told_who_holds_it() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let config = hourly(directory.path(), &simulator, r#"hashtags = ["booktok"]"#);
    let first = serve(&config);
    let refused =
        Process::try_start(&["serve", "--config.file", &config, "--web.listen-address", "127.0.0.1:0"]);
    let Err((status, output)) = refused else { panic!("two spenders on one store") };
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(output.contains(&first.id().to_string()), "does not name process {}: {output}", first.id());
    assert!(output.contains("exporter.sqlite"), "does not name the store: {output}");
    first.kill();
    serve(&config);
}

#[test]
fn a_start_that_cannot_be_says_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let config = write_config(directory.path(), &simulator, r#"hashtags = ["booktok"]"#);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let absent = directory.path().join("absent.toml").display().to_string();
    for (args, code, says) in [
        (vec!["serve", "--config.file", &config], 78, "TIKLIVE_API_KEY"),
        (vec!["serve", "--config.file", &absent], 78, "absent.toml"),
        (vec!["serve", "--no-such-flag"], 64, "--no-such-flag"),
        (vec!["serve", "--web.listen-address", "nowhere"], 64, "nowhere"),
        (vec!["demo", "--web.listen-address", &address], 1, "choose another with --web.listen-address"),
        (vec!["simulate", "--web.listen-address", &address], 1, "choose another with --web.listen-address"),
        (
            vec!["notifications", "--web.listen-address", &address],
            1,
            "choose another with --web.listen-address",
        ),
        (vec!["demo", "--web.listen-address", "::1:10110"], 64, "an IPv6 address without brackets"),
        (vec!["simulate", "--web.listen-address", ":http"], 64, "no valid port: a number from 0 to 65535"),
        (vec!["simulate", "--faults", "{\"fault\": 1}"], 64, "unknown field"),
        (vec![], 64, "Usage"),
        (vec!["frobnicate"], 64, "frobnicate"),
    ] {
        let (exit, message) = exit_and_message(&run(&args));
        assert_eq!(exit, Some(code), "{args:?}: {message}");
        assert!(message.contains(says), "{args:?} does not say {says}: {message}");
        assert!(!message.contains("panicked"), "{message}");
    }
    assert!(String::from_utf8(run(&["--version"]).stdout).unwrap().starts_with("tiktok-exporter 0."));
}

#[test]
fn every_address_that_is_given_is_listened_on_and_health_and_brief_find_the_exporter() {
    let directory = tempfile::tempdir().unwrap();
    let demo = Process::start(&["demo", "--web.listen-address", ":0", "--web.listen-address", "127.0.0.2:0"]);
    demo.wait_for_output("listening on http://127.0.0.2:");
    let port = demo.url().rsplit_once(':').unwrap().1.to_owned();
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    let addresses = [format!(":{port}"), format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    let ipv6 = [format!("[::1]:{port}"), format!("[::]:{port}")];
    for address in addresses.iter().chain(ipv6.iter().filter(|_| has_ipv6)) {
        let (exit, message) = exit_and_message(&run(&["health", "--web.listen-address", address]));
        assert_eq!((exit, message.as_str()), (Some(0), ""), "{address}");
    }
    let config = directory.path().join("exporter.toml");
    let toml =
        format!("[web]\nlisten_address = [\":{port}\", \":1\"]\n[[watch]]\nhashtags = [\"booktok\"]\n");
    fs::write(&config, toml).unwrap();
    let (exit, message) = exit_and_message(&run(&["brief", "--config.file", config.to_str().unwrap()]));
    let expected = format!("from the exporter at http://127.0.0.1:{port}/; cost no credits\n");
    assert_eq!((exit, message), (Some(0), expected));
    demo.wait_for_output("Ctrl-C");
    assert!(demo.output().contains(&format!("http://127.0.0.1:{port}/metrics")), "{}", demo.output());
    let (status, _) = demo.terminate();
    assert!(status.success());

    let taken = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [first, second] = taken.each_ref().map(|listener| listener.local_addr().unwrap().to_string());
    let args = ["demo", "--web.listen-address", &first, "--web.listen-address", &second];
    let (exit, message) = exit_and_message(&run(&args));
    let lines: Vec<&str> = message.lines().collect();
    assert_eq!((exit, lines.len()), (Some(1), 2), "{message}");
    for (line, address) in lines.iter().zip([first, second]) {
        let start = format!("web.listen_address: cannot listen on {address}: Address already in use");
        assert!(line.starts_with(&start), "{line}");
    }
}

#[test]
fn logs_can_be_json() {
    let exporter = Process::start(&["--log.format", "json", "demo", "--web.listen-address", "127.0.0.1:0"]);
    exporter.wait_for_output("listening on");
    let output = exporter.output();
    let line = output.lines().find(|line| line.contains("listening on")).unwrap();
    let entry: serde_json::Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    assert_eq!(entry["level"], "INFO");
}
