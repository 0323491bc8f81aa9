//! The API key, looked for in everything that a busy session with faults prints, shows and keeps.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread;

use crate::support::process::{KEY, Process, Simulator, write_config};

const WATCH: &str = "hashtags = [\"booktok\", \"indiebeauty\", \"nosuchtag\"]\nregions = [\"US\"]";
const PAGES: [&str; 9] = [
    "/metrics",
    "/",
    "/brief",
    "/brief.md",
    "/brief.json",
    "/api/v1/trends",
    "/-/ready",
    "/-/healthy",
    "/nowhere?X-Api-Key=x",
];

/// Everything that was seen, and where.
#[derive(Default)]
struct Seen(Vec<(String, String)>);

impl Seen {
    fn add(&mut self, place: impl Into<String>, text: impl Into<String>) {
        self.0.push((place.into(), text.into()));
    }

    /// Runs a command with the key in its environment.
    fn run(&mut self, arguments: &[&str]) -> String {
        let binary = env!("CARGO_BIN_EXE_tiktok-exporter");
        let output = Command::new(binary).args(arguments).env("TIKLIVE_API_KEY", KEY).output().unwrap();
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        self.add(format!("{arguments:?}"), &text);
        text
    }

    /// Every page, what a reload says, and every file.
    fn look_around(&mut self, exporter: &Process, directory: &Path, when: &str) {
        for page in PAGES {
            let response = exporter.request("GET", page, "");
            let headers = format!("{:?}", response.headers());
            self.add(format!("{page} {when}"), headers + &response.text().unwrap());
        }
        let reload = exporter.request("POST", "/-/reload", KEY);
        self.add(format!("a reload {when}"), reload.text().unwrap());
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            // A socket cannot be read.
            if let Ok(bytes) = fs::read(entry.path()) {
                self.add(format!("{:?} {when}", entry.file_name()), String::from_utf8_lossy(&bytes));
            }
        }
    }

    fn has_no_key(&self) {
        for (place, text) in &self.0 {
            if let Some(at) = text.find(KEY) {
                let line = text[..at].rsplit('\n').next().unwrap_or_default();
                panic!("the key is in {place}, after: {line}");
            }
        }
        let all: usize = self.0.iter().map(|(_, text)| text.len()).sum();
        assert!(all > 100_000, "{all} bytes are not much of a session");
    }
}

fn serve(config: &str, format: &str) -> Process {
    let flags = ["--log.level", "trace", "--log.format", format, "serve", "--config.file", config];
    Process::start(&[&flags[..], &["--web.listen-address", "127.0.0.1:0", "--web.enable-lifecycle"]].concat())
}

#[test]
fn the_key_appears_nowhere() {
    let mut seen = Seen::default();
    let directory = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(&["--rate-limit-per-minute", "6000"]);
    let config = write_config(directory.path(), &simulator, WATCH);
    for format in ["text", "json"] {
        let exporter = serve(&config, format);
        exporter.wait_for("values", |metrics| !metrics.family("tiktok_hashtag_sample_velocity").is_empty());
        for fault in ["dead_key", "no_credits", "html", "redirect", "cut_off", "throttle", "array", "hang"] {
            let before = exporter.metrics().sum("tiktok_exporter_upstream_requests_total");
            simulator.faults(&format!(r#"{{"faults": [{{"kind": "{fault}"}}]}}"#));
            exporter.wait_for(fault, |metrics| {
                metrics.sum("tiktok_exporter_upstream_requests_total") > before + 1.0
            });
            seen.look_around(&exporter, directory.path(), fault);
            // Through the socket of the running exporter, and with an answer that is no answer.
            seen.run(&["--log.level", "trace", "lookup", "booktok", "--config.file", &config]);
        }
        simulator.faults("{}");
        exporter.wait_for("a trial request", |metrics| {
            metrics.family("tiktok_exporter_upstream_breaker_open").iter().all(|(_, open)| *open == 0.0)
        });
        for question in [
            &["lookup", "booktok", "nosuchtag"][..],
            &["posts", "booktok", "--format", "json"],
            &["search", "skincare", "--format", "csv"],
            &["regions"],
            &["plan"],
            &["ledger"],
            &["check"],
            &["brief"],
        ] {
            let text = seen.run(&[question, &["--log.level", "trace", "--config.file", &config]].concat());
            assert!(!text.is_empty(), "{question:?} says nothing");
        }
        let (_, log) = exporter.terminate();
        assert!(log.contains("DEBUG"), "the log is not as detailed as it can be");
        seen.add(format!("the log as {format}"), log);
    }
    // By itself, and when the key stands where it does not belong.
    seen.run(&["--log.level", "trace", "lookup", "booktok", "--config.file", &config]);
    let mut misplaced = fs::read_to_string(&config).unwrap();
    misplaced = misplaced.replace("[api]\n", &format!("[api]\nkey_file = \"{KEY}\"\n"));
    let elsewhere = tempfile::tempdir().unwrap();
    let other = elsewhere.path().join("other.toml").display().to_string();
    fs::write(&other, misplaced).unwrap();
    let binary = env!("CARGO_BIN_EXE_tiktok-exporter");
    let output =
        Command::new(binary).args(["check", "--config.file", &other]).env_remove("TIKLIVE_API_KEY").output();
    let text = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(text.contains("in case it is the key itself"), "{text}");
    seen.add("what is said of a key instead of a file", text);
    seen.has_no_key();
}

#[test]
fn a_server_that_repeats_the_key_does_not_get_it_printed() {
    let mut seen = Seen::default();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 8_192];
            let length = stream.read(&mut request).unwrap_or(0);
            // As it came, or the test tests nothing.
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let Some(key) = request.lines().find_map(|line| line.strip_prefix("x-api-key: ")) else {
                continue;
            };
            let (status, body) = [
                ("500 Oops", format!("<p>{request}</p>")),
                ("200 OK", format!(r#"{{"status":"error","message":"Something is wrong with {key}"}}"#)),
                ("200 OK", format!(r#"{{"id":"{key}","cha_name":"{key}","view_count":"{key}"}}"#)),
                ("302 Found", String::new()),
                ("200 OK", format!(r#"{{"message":"Sunny today, {key}"}}"#)),
                ("200 OK", format!("{key} is no JSON")),
                ("401 Unauthorized", format!(r#"{{"message":"Api-Key {key} is not available"}}"#)),
            ][number % 7]
                .clone();
            let answer = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nLocation: https://x.invalid/?{key}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("exporter.toml").display().to_string();
    let store = directory.path().join("exporter.sqlite");
    let toml = format!(
        "[api]\nbase_url = \"{url}\"\nbreaker_cooldown = \"1s\"\nrate_limit_per_minute = 3000\n\
         [refresh]\ntotals_interval = \"1s\"\nposts_interval = \"1s\"\nmax_age = \"1h\"\n[store]\npath = \"{}\"\n\
         [[watch]]\n{WATCH}\n",
        store.display()
    );
    fs::write(&config, toml).unwrap();
    let exporter = serve(&config, "text");
    exporter.wait_for("every answer, twice", |metrics| {
        metrics.sum("tiktok_exporter_upstream_requests_total") >= 14.0
    });
    seen.look_around(&exporter, directory.path(), "of a server that repeats it");
    for _ in 0..7 {
        seen.run(&["--log.level", "trace", "lookup", "booktok", "--config.file", &config]);
    }
    let (_, log) = exporter.terminate();
    assert!(log.contains("[the key]"), "no error quotes the server:\n{log}");
    seen.add("the log", log);
    seen.has_no_key();
}

#[test]
fn a_key_file_that_others_can_read_is_warned_about() {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    fs::write(&key, KEY).unwrap();
    let config = directory.path().join("exporter.toml").display().to_string();
    let store = directory.path().join("exporter.sqlite");
    let toml = format!(
        "[api]\nkey_file = {:?}\nbase_url = \"http://127.0.0.1:1\"\n[store]\npath = {:?}\n[[watch]]\n{WATCH}\n",
        key.display().to_string(),
        store.display().to_string()
    );
    fs::write(&config, toml).unwrap();
    let warning = format!("{} is readable by every user; chmod 600 it", key.display());
    for (mode, is_warned) in [(0o644, true), (0o604, true), (0o640, false), (0o600, false)] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let mut check = Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"));
        let output = check.args(["check", "--config.file", &config]).env_remove("TIKLIVE_API_KEY").output();
        let output = output.unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(said.contains(&warning), is_warned, "check, mode {mode:o}: {said}");
        // Process sets the variable, which comes before the file; an empty one counts as none.
        let mut serve = Command::new("env");
        serve.args(["TIKLIVE_API_KEY=", env!("CARGO_BIN_EXE_tiktok-exporter"), "serve"]);
        serve.args(["--config.file", &config, "--web.listen-address", "127.0.0.1:0"]);
        let exporter = Process::spawn(&mut serve).unwrap_or_else(|(_, output)| panic!("{output}"));
        let (_, log) = exporter.terminate();
        assert_eq!(log.contains(&warning), is_warned, "serve, mode {mode:o}: {log}");
    }
}
