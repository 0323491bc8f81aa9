//! The real program as a process: started on port 0, talked to over HTTP, stopped or killed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use reqwest::blocking::{Client, Response};
use units::{Clock, DAY, SystemClock, Timestamp};

/// The key the exporter is given; it must appear nowhere.
pub const KEY: &str = "secret-key-0123456789";

/// How long anything may take before a test gives up. Generous: a slow machine is no failure.
const PATIENCE: Duration = Duration::from_secs(60);

/// How old a simulated world is when a test starts it. In a world that began on a certain day a test would meet
/// another one every day, and one day a hashtag without a single post.
const AGE: Duration = DAY.saturating_mul(1_790);

/// When the simulated worlds of these tests began, to the second.
pub fn beginning() -> Timestamp {
    static BEGINNING: LazyLock<Timestamp> =
        LazyLock::new(|| Timestamp::from_secs((SystemClock.now() - AGE).as_secs()));
    *BEGINNING
}

/// As flags take it, to the second.
pub fn rfc3339(at: Timestamp) -> String {
    let since = Duration::from_secs(at.as_secs().unsigned_abs());
    humantime::format_rfc3339_seconds(UNIX_EPOCH + since).to_string()
}

/// A running `tiktok-exporter`.
pub struct Process {
    child: Child,
    url: String,
    output: Arc<Mutex<String>>,
}

impl Process {
    /// Starts `tiktok-exporter` with `args` and waits until it says where it listens.
    pub fn start(args: &[&str]) -> Self {
        match Self::try_start(args) {
            Ok(process) => process,
            Err((status, output)) => panic!("{args:?} ended with {status} before it listened:\n{output}"),
        }
    }

    /// As [`start`](Self::start), or how the program ended and what it printed.
    pub fn try_start(args: &[&str]) -> Result<Self, (ExitStatus, String)> {
        Self::spawn(Command::new(env!("CARGO_BIN_EXE_tiktok-exporter")).args(args))
    }

    /// As [`try_start`](Self::try_start), with a command that becomes the program.
    pub fn spawn(command: &mut Command) -> Result<Self, (ExitStatus, String)> {
        let mut child = command
            .env("TIKLIVE_API_KEY", KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let output = Arc::new(Mutex::new(String::new()));
        let (sender, addresses) = mpsc::channel();
        let mut readers = Vec::new();
        let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        readers.push(collect(BufReader::new(stdout), output.clone(), sender.clone()));
        readers.push(collect(BufReader::new(stderr), output.clone(), sender));
        match first_address(&addresses, command) {
            Some(url) => Ok(Self { child, url, output }),
            None => {
                let status = child.wait().unwrap();
                readers.into_iter().for_each(|reader| reader.join().unwrap());
                let output = output.lock().unwrap().clone();
                Err((status, output))
            }
        }
    }

    /// The base URL, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Everything printed so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// The body of a GET that is answered with 200.
    pub fn get(&self, path: &str) -> String {
        let response = self.request("GET", path, "");
        assert_eq!(response.status(), 200, "GET {path}");
        response.text().unwrap()
    }

    /// Any request.
    pub fn request(&self, method: &str, path: &str, body: &str) -> Response {
        // Every client wants one, also for plain HTTP. Installed already is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let method = method.parse().unwrap();
        let request =
            Client::builder().no_proxy().build().unwrap().request(method, format!("{}{path}", self.url));
        request
            .body(body.to_owned())
            .send()
            .unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.output()))
    }

    /// The samples of /metrics.
    pub fn metrics(&self) -> Metrics {
        Metrics::parse(&self.get("/metrics"))
    }

    /// Waits until /metrics satisfies `condition`, and returns it.
    pub fn wait_for(&self, what: &str, condition: impl Fn(&Metrics) -> bool) -> Metrics {
        let started = Instant::now();
        loop {
            let metrics = self.metrics();
            if condition(&metrics) {
                return metrics;
            }
            if started.elapsed() > PATIENCE {
                panic!("never came: {what}\n{}\n{}", metrics.text, self.output());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until `text` has been printed.
    pub fn wait_for_output(&self, text: &str) {
        let started = Instant::now();
        while !self.output().contains(text) {
            assert!(started.elapsed() < PATIENCE, "never printed: {text}\n{}", self.output());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap();
        assert!(status.success(), "kill -{name}");
    }

    /// SIGKILL: no goodbye.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and how it ended.
    pub fn terminate(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        let started = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, self.output());
            }
            assert!(started.elapsed() < PATIENCE, "does not stop:\n{}", self.output());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already ended is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(
    lines: impl BufRead + Send + 'static,
    output: Arc<Mutex<String>>,
    addresses: mpsc::Sender<String>,
) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in lines.lines().map_while(Result::ok) {
            if let Some((_, rest)) = line.split_once("listening on http") {
                let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || ".:[]/".contains(c)));
                let _ = addresses.send(format!("http{}", &rest[..end.unwrap_or(rest.len())]));
            }
            let mut output = output.lock().unwrap();
            output.push_str(&line);
            output.push('\n');
        }
    })
}

/// The address announced first; none if both outputs end without one.
fn first_address(addresses: &Receiver<String>, command: &Command) -> Option<String> {
    match addresses.recv_timeout(PATIENCE) {
        Ok(url) => Some(url),
        Err(mpsc::RecvTimeoutError::Disconnected) => None,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("{command:?} neither listens nor ends"),
    }
}

/// The count that does not change in two seconds, long enough for a program to do what it should not do. Absence
/// has no condition to wait for: this is the one fixed wait.
pub fn stays<T: PartialEq + std::fmt::Debug>(what: &str, count: impl Fn() -> T) -> T {
    let before = count();
    let end = Instant::now() + Duration::from_secs(2);
    while Instant::now() < end {
        thread::sleep(Duration::from_millis(100));
        assert_eq!(count(), before, "{what}");
    }
    before
}

/// A simulator, with faults that can be switched.
pub struct Simulator(pub Process);

impl Simulator {
    /// Starts a simulator with extra flags. Unless they say when its world began, that was [`beginning`].
    pub fn start(args: &[&str]) -> Self {
        let beginning = rfc3339(beginning());
        let mut all = vec!["simulate", "--web.listen-address", "127.0.0.1:0"];
        if !args.contains(&"--beginning") {
            all.extend(["--beginning", &beginning]);
        }
        Self(Process::start(&[&all, args].concat()))
    }

    /// Replaces the faults; `{}` clears them.
    pub fn faults(&self, json: &str) {
        let response = self.0.request("PUT", "/-/faults", json);
        let status = response.status();
        assert!(status.is_success(), "{json}: {status} {}", response.text().unwrap_or_default());
    }

    /// How many credits all keys together were charged.
    pub fn credits(&self) -> u64 {
        self.total("credits")
    }

    /// Receives no request for a while; returns how many it has received by then.
    pub fn receives_nothing(&self, what: &str) -> u64 {
        stays(what, || self.requests())
    }

    /// How many requests came, whatever became of them.
    pub fn requests(&self) -> u64 {
        self.total("requests")
    }

    fn total(&self, what: &str) -> u64 {
        let json: serde_json::Value = serde_json::from_str(&self.0.get("/-/credits")).unwrap();
        json["total"][what].as_u64().unwrap_or_else(|| panic!("no total in {json}"))
    }
}

/// A configuration for `serve` against `simulator`, in `directory`: one second between looks, so
/// that a test sees several.
pub fn write_config(directory: &Path, simulator: &Simulator, watch: &str) -> String {
    let path = directory.join("exporter.toml");
    let toml = format!(
        r#"
[api]
base_url = "{}"
timeout = "2s"
connect_timeout = "1s"
rate_limit_per_minute = 3000
max_body_bytes = 262144
breaker_cooldown = "3s"

[refresh]
totals_interval = "1s"
posts_interval = "1s"
max_age = "1h"
not_found_retry = "1s"

[store]
path = "{}"

[[watch]]
{watch}
"#,
        simulator.0.url(),
        directory.join("exporter.sqlite").display(),
    );
    std::fs::write(&path, toml).unwrap();
    path.display().to_string()
}

/// A number that the environment may set.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name}: {text}")))
}

/// Starts `serve` with the configuration at `path`.
pub fn serve(path: &str) -> Process {
    Process::start(&["serve", "--config.file", path, "--web.listen-address", "127.0.0.1:0"])
}

/// The library that gives a program another clock.
pub fn clock_library() -> PathBuf {
    let mut folders = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path());
    let library = folders.find_map(|folder| {
        let library = folder.join("faketime/libfaketimeMT.so.1");
        library.exists().then_some(library)
    });
    library.expect("libfaketime is missing; ./tests/run installs it")
}

/// A page of /metrics, by series as they are written.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics {
    /// The page.
    pub text: String,
    series: BTreeMap<String, f64>,
}

impl Metrics {
    /// Reads the text of a page.
    pub fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let series = samples.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value in {line}"));
            (series.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number in {line}")))
        });
        Self { text: text.to_owned(), series: series.collect() }
    }

    /// Every series with its value.
    pub fn all(&self) -> impl Iterator<Item = (&str, f64)> {
        self.series.iter().map(|(series, value)| (series.as_str(), *value))
    }

    /// The value of a series, spelled as on the page.
    pub fn get(&self, series: &str) -> Option<f64> {
        self.series.get(series).copied()
    }

    /// The value of a series that must be there.
    pub fn value(&self, series: &str) -> f64 {
        self.get(series).unwrap_or_else(|| panic!("{series} is not on the page:\n{}", self.text))
    }

    /// All series of a family, without histograms' suffixes.
    pub fn family(&self, name: &str) -> Vec<(&str, f64)> {
        let of_family = |series: &str| {
            series.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('{'))
        };
        self.series.iter().filter(|(series, _)| of_family(series)).map(|(s, v)| (s.as_str(), *v)).collect()
    }

    /// The sum over a family.
    pub fn sum(&self, name: &str) -> f64 {
        self.family(name).iter().map(|(_, value)| value).sum()
    }

    /// Requests that ended with this outcome, over all endpoints.
    pub fn requests(&self, outcome: &str) -> f64 {
        let wanted = format!("outcome=\"{outcome}\"");
        let all = self.family("tiktok_exporter_upstream_requests_total");
        all.iter().filter(|(series, _)| series.contains(&wanted)).map(|(_, value)| value).sum()
    }
}
