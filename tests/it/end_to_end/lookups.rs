//! Interactive look-ups: answers, what they cost, which ledger pays, and what bad input gets.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;
use tiktok_exporter::config;

use crate::support::process::{KEY, Simulator, serve, write_config};

/// Hashtags that are asked for once and then not for a day.
const WATCH: &str = "hashtags = [\"booktok\"]\nregions = [\"US\"]\ntotals_interval = \"1d\"\nposts_interval = \"1d\"\nmax_age = \"2d\"\n";
const AD_HOC: &str = "purpose=\"ad_hoc\"";

/// A simulator and a directory with a configuration that leads to it.
struct Site {
    directory: tempfile::TempDir,
    simulator: Simulator,
    config: String,
}

/// How a command ended.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn new(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code().unwrap(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.out))
    }

    fn credits(&self) -> u64 {
        self.json()["cost"]["credits"].as_u64().unwrap()
    }
}

impl Site {
    fn new(simulator: &[&str], budget: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let simulator = Simulator::start(&[&["--rate-limit-per-minute", "6000"], simulator].concat());
        let config = write_config(directory.path(), &simulator, WATCH);
        let text = std::fs::read_to_string(&config).unwrap();
        // On a busy machine a request that comes too late would be sent, and paid for, again.
        let text = text.replace("timeout = \"2s\"\nconnect_timeout = \"1s\"", "timeout = \"1m\"");
        assert!(text.contains("timeout = \"1m\""), "{text}");
        std::fs::write(&config, format!("{text}\n[budget]\n{budget}\n")).unwrap();
        Self { directory, simulator, config }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"));
        command.args(arguments).args(["--config.file", &self.config]).env("TIKLIVE_API_KEY", KEY);
        command
    }

    fn run(&self, arguments: &[&str]) -> Said {
        Said::new(&self.command(arguments).output().unwrap())
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("exporter.sqlite.sock")
    }
}

fn demo(arguments: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"));
    // No key, and no file that could be a configuration.
    command.args(arguments).arg("--demo").env_remove("TIKLIVE_API_KEY").current_dir("/");
    Said::new(&command.output().unwrap())
}

#[test]
fn every_question_is_answered_in_every_format_without_a_key() {
    for (question, heading, column) in [
        (vec!["lookup", "#BookTok", "indiebeauty"], "hashtag", "challenge_id"),
        (
            vec!["posts", "booktok", "--region", "US", "--pages", "3"],
            "sample velocity",
            "created_timestamp_seconds",
        ),
        (vec!["search", "skin care"], "hashtag", "views"),
        (vec!["search", "skincare", "--videos", "--since", "week", "--sort", "date"], "keyword", "url"),
        (vec!["regions"], "US", "region"),
    ] {
        let table = demo(&question);
        assert_eq!(table.code, 0, "{question:?}: {}", table.err);
        assert!(table.out.contains(heading), "{question:?}: {}", table.out);
        assert!(!table.out.chars().any(|c| c.is_control() && c != '\n'), "{question:?}: {:?}", table.out);
        assert!(table.err.contains("spent") && table.err.contains("no data is real"), "{}", table.err);

        let csv = demo(&[question.clone(), vec!["--format", "csv"]].concat());
        let mut reader = csv::Reader::from_reader(csv.out.as_bytes());
        assert!(reader.headers().unwrap().iter().any(|name| name == column), "{question:?}: {}", csv.out);
        assert!(reader.records().map(Result::unwrap).count() >= 2, "{question:?}: {}", csv.out);

        let json = demo(&[question.clone(), vec!["--format", "json"]].concat()).json();
        assert!(json["cost"]["credits"].as_u64().unwrap() > 0, "{json}");
        assert_eq!(
            (&json["cost"]["simulated"], &json["failures"]),
            (&Value::Bool(true), &Value::Array(vec![]))
        );
    }
}

#[test]
fn answers_are_those_of_the_api() {
    let site = Site::new(&[], "");
    // A hashtag that answers to its name, and one that answers to its id alone.
    for (name, route) in [("booktok", "name"), ("indiebeauty", "search_then_id")] {
        let looked = &site.run(&["lookup", name, "--format", "json"]).json()["findings"][0]["hashtag"];
        assert_eq!(looked["route"], route, "{looked}");
        let id = looked["challenge_id"].as_str().unwrap();
        let raw = site.simulator.0.request("GET", &format!("/challenge-info-id/?id={id}"), "");
        assert_eq!(raw.status(), 200);
    }
    let answer = site.run(&["posts", "booktok", "--pages", "3", "--format", "json"]).json();
    let sample = &answer["findings"][0]["sample"];
    let posts = sample["posts"].as_array().unwrap();
    let ids: HashSet<&str> = posts.iter().map(|post| post["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), posts.len(), "each post once");
    assert_eq!(sample["posts_unique"].as_u64().unwrap() as usize, posts.len());
    assert!(sample["posts_seen"].as_u64() >= sample["posts_unique"].as_u64(), "{sample}");
    let now = sample["answered_timestamp_seconds"].as_i64().unwrap();
    let within = |window: i64| {
        posts
            .iter()
            .filter(|post| post["created_timestamp_seconds"].as_i64().is_some_and(|at| at >= now - window))
            .count()
    };
    let (day, week) = (within(86_400), within(7 * 86_400));
    let velocity = sample["figures"]["velocity"].as_f64().unwrap();
    assert!((velocity - day as f64 * 7.0 / week as f64).abs() < 0.3, "{velocity} from {day} and {week}");
    assert_eq!(sample["figures"]["pages"], 3);
    assert_eq!(sample["counter_velocity"], Value::Null);
    assert!(sample["notes"].to_string().contains("prometheus.url is not set"), "{sample}");
}

#[test]
fn found_hashtags_can_be_pasted_into_the_configuration() {
    let said = demo(&["search", "say \"hi\"", "--toml"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let loaded =
        config::load_str(&said.out, []).unwrap_or_else(|problems| panic!("{problems}: {}", said.out));
    let watchlist = loaded.config.watchlist;
    assert!(watchlist.entries.len() > 20, "{}", said.out);
    assert_eq!(&*watchlist.entries[0].terms.group, "say \"hi\"");
}

#[test]
fn a_running_exporter_answers_out_of_its_own_cache_and_ledger() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new(&[], "per_day = 40\nreserve = 10");
    let exporter = serve(&site.config);
    exporter.wait_for("values", |metrics| metrics.family("tiktok_hashtag_sample_velocity").len() == 1);
    let mode = std::fs::metadata(site.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "other users have no access");

    let before = site.simulator.requests();
    let looked = site.run(&["lookup", "booktok", "--format", "json"]);
    assert_eq!((looked.credits(), site.simulator.requests()), (0, before), "the loop has just paid for it");
    let found = site.run(&["search", "skincare", "--format", "json"]);
    assert_eq!((found.credits(), site.simulator.requests()), (1, before + 1));
    assert_eq!(site.run(&["search", "skincare", "--format", "json"]).credits(), 0, "once is enough");
    let left = 40 - (before + 1);
    assert_eq!(found.json()["cost"]["left"]["day"], left);

    let spent = |metrics: &crate::support::process::Metrics| {
        let all = metrics.family("tiktok_exporter_credits_spent_total");
        all.iter().filter(|(series, _)| series.contains(AD_HOC)).map(|(_, value)| value).sum::<f64>()
    };
    assert_eq!(spent(&exporter.metrics()), 1.0);
    let (status, output) = exporter.terminate();
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(!site.socket().exists(), "taken away at the end");

    // Nobody runs: the command pays out of the same ledger itself.
    assert_eq!(site.run(&["search", "skincare", "--format", "json"]).credits(), 0, "kept over the end");
    let other = site.run(&["search", "haircare", "--format", "json"]);
    assert_eq!((other.credits(), &other.json()["cost"]["left"]["day"]), (1, &Value::from(left - 1)));

    // Whoever is killed leaves a socket behind, which harms nobody.
    let killed = serve(&site.config);
    killed.kill();
    assert!(site.socket().exists());
    assert_eq!(site.run(&["search", "nailcare", "--format", "json"]).credits(), 1);
    let again = serve(&site.config);
    assert_eq!(site.run(&["search", "nailcare", "--format", "json"]).credits(), 0);
    assert_eq!(spent(&again.metrics()), 3.0);
    assert_eq!(again.metrics().sum("tiktok_exporter_credits_spent_total"), site.simulator.credits() as f64);
}

#[test]
fn two_commands_and_an_exporter_take_turns_and_nobody_spends_beside_the_ledger() {
    let site = Site::new(&["--latency", "400ms"], "per_day = 100");
    let commands: Vec<_> = ["one", "two", "three"]
        .iter()
        .map(|keyword| {
            let mut command = site.command(&["search", keyword]);
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    let exporter = serve(&site.config);
    for command in commands {
        let said = Said::new(&command.wait_with_output().unwrap());
        assert_eq!(said.code, 0, "{}", said.err);
    }
    let metrics = exporter.wait_for("values", |metrics| {
        metrics.family("tiktok_hashtag_sample_velocity").len() == 1
            && metrics.value("tiktok_exporter_credits_unsettled") == 0.0
    });
    assert_eq!(metrics.sum("tiktok_exporter_credits_spent_total"), site.simulator.credits() as f64);
}

#[test]
fn a_dry_run_costs_nothing_and_says_what_it_would_cost() {
    let site = Site::new(&[], "per_day = 100");
    for question in [
        vec!["lookup", "booktok", "skincare"],
        vec!["posts", "fyp", "--region", "US", "--pages", "2"],
        vec!["search", "skincare"],
        vec!["search", "fyp", "--videos", "--region", "DE"],
        vec!["regions"],
    ] {
        let before = site.simulator.requests();
        let dry = site.run(&[question.clone(), vec!["--dry-run", "--format", "json"]].concat()).json();
        assert_eq!(site.simulator.requests(), before, "{question:?}");
        let spent = site.run(&[question.clone(), vec!["--format", "json"]].concat()).credits();
        assert_eq!(dry["credits_likely"], spent, "{question:?}: {dry}");
        assert!(dry["credits_most"].as_u64() >= dry["credits_likely"].as_u64());
        let again = site.run(&[question.clone(), vec!["--dry-run", "--format", "json"]].concat()).json();
        assert_eq!(again["credits_likely"], 0, "{question:?}: it is remembered");
        let anew = vec!["--dry-run", "--max-age", "0s", "--format", "json"];
        let anew = site.run(&[question.clone(), anew].concat()).json();
        assert!(anew["credits_likely"].as_u64().unwrap() > 0, "{question:?}: {anew}");
    }
}

#[test]
fn bad_input_gets_one_line_and_a_code_of_its_own() {
    let site = Site::new(&[], "per_day = 50\nreserve = 10");
    let fault = |kind: &str| format!("{{\"faults\": [{{\"kind\": \"{kind}\"}}]}}");
    for (arguments, faults, code, reason, sent) in [
        (vec!["lookup", "nosuchthing"], String::new(), 66, "#nosuchthing: the API knows no such hashtag", 2),
        (vec!["search", "nosuchthing", "--videos"], String::new(), 66, "no post matches \"nosuchthing\"", 1),
        (vec!["posts", "booktok", "--region", "AQ"], String::new(), 65, "region AQ: is not among the 24", 1),
        (vec!["lookup", "deadkey"], fault("dead_key"), 77, "the API refuses the key", 1),
        (vec!["lookup", "broke"], fault("no_credits"), 75, "the account at the API has no credits left", 1),
        (vec!["lookup", "html"], fault("html"), 69, "the API has trouble", 3),
        (vec!["posts", "fyp", "--pages", "50"], String::new(), 75, "more than are left", 0),
        (vec!["lookup", "two words"], String::new(), 64, "contains white space", 0),
        (vec!["search", " "], String::new(), 64, "is blank", 0),
        (vec!["posts", "fyp", "--region", "UK"], String::new(), 64, "the United Kingdom is GB", 0),
        (vec!["posts", "fyp", "--pages", "0"], String::new(), 64, "0 is not in 1..=50", 0),
        (vec!["search", "x", "--since", "day"], String::new(), 64, "required arguments were not provided", 0),
    ] {
        site.simulator.faults(if faults.is_empty() { "{}" } else { &faults });
        let before = site.simulator.requests();
        let said = site.run(&arguments);
        assert_eq!(said.code, code, "{arguments:?}: {}{}", said.out, said.err);
        let lines: Vec<&str> = said.err.lines().filter(|line| line.contains(reason)).collect();
        assert_eq!(lines.len(), 1, "{arguments:?}: {}", said.err);
        assert_eq!(said.out, "", "{arguments:?}");
        assert_eq!(site.simulator.requests() - before, sent, "{arguments:?}");
    }
    site.simulator.faults("{}");

    // What was found is shown, and what was not is told.
    let said = site.run(&["lookup", "nosuchthing", "skincare"]);
    assert_eq!(said.code, 66);
    assert!(said.out.contains("#skincare") && said.err.contains("#nosuchthing"), "{}{}", said.out, said.err);

    let nobody = site.command(&["lookup", "skincaredaily"]).env_remove("TIKLIVE_API_KEY").output().unwrap();
    let said = Said::new(&nobody);
    assert_eq!(said.code, 78);
    assert!(said.err.contains("TIKLIVE_API_KEY: there is no API key"), "{}", said.err);
}

#[test]
fn a_budget_that_is_spent_refuses_before_anything_is_sent() {
    let site = Site::new(&[], "per_day = 2");
    assert_eq!(site.run(&["search", "a"]).code, 0);
    assert_eq!(site.run(&["search", "b"]).code, 0);
    let before = site.simulator.requests();
    for arguments in [vec!["search", "c"], vec!["search", "c", "--dry-run"]] {
        let said = site.run(&arguments);
        assert_eq!(said.code, 75, "{}", said.err);
        assert!(said.err.contains("the credits of budget.per_day are spent"), "{}", said.err);
    }
    assert_eq!(site.run(&["search", "a"]).code, 0, "what is remembered costs nothing");
    assert_eq!(site.simulator.requests(), before);
}

#[test]
fn an_exporter_that_asks_another_api_is_not_taken_for_the_one_that_was_meant() {
    let site = Site::new(&[], "");
    let _exporter = serve(&site.config);
    let output = site
        .command(&["search", "x"])
        .env("TIKTOK_EXPORTER__API__BASE_URL", "http://127.0.0.1:1")
        .output()
        .unwrap();
    let said = Said::new(&output);
    assert_eq!(said.code, 78, "{}", said.err);
    assert!(said.err.contains("api.base_url: the exporter that holds the store uses"), "{}", said.err);
}

#[test]
fn bad_requests_on_the_socket_get_a_reason_and_cost_nothing() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    let site = Site::new(&[], "");
    let exporter = serve(&site.config);
    exporter.wait_for("values", |metrics| metrics.family("tiktok_hashtag_sample_velocity").len() == 1);
    let before = site.simulator.requests();
    let send = |text: &[u8]| {
        let mut stream = UnixStream::connect(site.socket()).unwrap();
        // A request that is too large is refused before it has been read.
        let _ = stream.write_all(text);
        let mut response = String::new();
        let _ = stream.read_to_string(&mut response);
        response
    };
    let post = |path: &str, body: &str| {
        let length = body.len();
        send(format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}").as_bytes())
    };
    let other_api = r#"{"api":"http://127.0.0.1:1/","max_age_millis":0,"question":"regions"}"#;
    let regions = r#"{"api":null,"max_age_millis":0,"question":"regions"}"#;
    for path in ["/v1/lookups", "/v1/quotes"] {
        for (body, status, reason) in [
            ("", 400, "does not understand"),
            ("{\"version\":1}", 400, "does not understand"),
            (r#"{"api":null,"max_age_millis":0,"question":"everything"}"#, 400, "does not understand"),
            (other_api, 409, "api.base_url: the exporter that holds the store uses"),
            (&"x".repeat(40_000), 413, ""),
        ] {
            let response = post(path, body);
            assert!(response.starts_with(&format!("HTTP/1.1 {status} ")), "{path}: {response}");
            assert!(response.contains(reason), "{path}: {response}");
        }
    }
    assert!(post("/v2/lookups", regions).starts_with("HTTP/1.1 404 "), "another version");
    for garbage in [
        b"GET /v1/lookups HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".as_slice(),
        b"{\"version\":1}\n\n",
        &[0xff; 70_000],
    ] {
        let response = send(garbage);
        assert!(response.is_empty() || response.starts_with("HTTP/1.1 4"), "{response}");
    }
    assert_eq!(site.simulator.requests(), before);
    let quoted = post("/v1/quotes", regions);
    assert!(quoted.starts_with("HTTP/1.1 200 ") && quoted.contains("\"likely\":1"), "{quoted}");
    assert_eq!(site.simulator.requests(), before, "a quote sends nothing");
    assert_eq!(site.run(&["regions", "--format", "json"]).credits(), 1, "and the exporter goes on");
}

#[test]
fn an_exporter_of_before_http_is_told_apart() {
    let site = Site::new(&[], "per_day = 500");
    let socket = std::os::unix::net::UnixListener::bind(site.socket()).unwrap();
    let answering = std::thread::spawn(move || {
        // One connection finds out that somebody listens, the next one asks.
        for stream in socket.incoming().take(2) {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            let _ = BufReader::new(&stream).read_line(&mut line);
            let _ = stream.write_all(b"{\"refused\":{\"kind\":\"settings\",\"reason\":\"no\"}}\n");
        }
    });
    let output = site.command(&["regions"]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("the running exporter is of another version; restart it"), "{error}");
    assert_eq!(output.status.code(), Some(78), "{error}");
    answering.join().unwrap();
}

#[test]
fn a_client_that_hangs_up_stops_costing() {
    let site = Site::new(&["--latency", "400ms"], "per_day = 500");
    let exporter = serve(&site.config);
    exporter.wait_for("values", |metrics| metrics.family("tiktok_hashtag_sample_velocity").len() == 1);
    let mut command = site.command(&["posts", "fyp", "--pages", "50"]);
    let mut command = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let before = site.simulator.requests();
    let started = std::time::Instant::now();
    while site.simulator.requests() < before + 2 {
        assert!(started.elapsed() < Duration::from_secs(60), "the look-up sends nothing");
        std::thread::sleep(Duration::from_millis(20));
    }
    command.kill().unwrap();
    command.wait().unwrap();
    // Two latencies, in which the request in flight may still arrive.
    std::thread::sleep(Duration::from_millis(800));
    let after = site.simulator.receives_nothing("requests without a client");
    assert!(after < before + 40, "{after} after {before}");
}
