//! A real Prometheus on a loopback port, and what it answers.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// A server that ends with its handle.
pub struct Prometheus {
    child: Child,
    pub url: String,
    #[allow(dead_code, reason = "not every test gives another")]
    config: PathBuf,
    client: reqwest::blocking::Client,
}

impl Prometheus {
    /// Starts it on the blocks in `data`, with this configuration (YAML or JSON).
    ///
    /// It looks back an hour for a sample, since history has one an hour.
    pub fn start(data: &Path, config: &Value) -> Self {
        Self::looking_back("1h", data, config)
    }

    /// The same, looking back so far for a sample.
    pub fn looking_back(lookback: &str, data: &Path, config: &Value) -> Self {
        let file = data.with_extension("yml");
        std::fs::write(&file, config.to_string()).unwrap();
        // The client wants one even for plain HTTP; another test may have been here first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::blocking::Client::builder().timeout(Duration::from_secs(120)).build().unwrap();
        // A port that is free now may be taken when it is used: then another one.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut command = Command::new("prometheus");
            command
                .arg(format!("--config.file={}", file.display()))
                .arg(format!("--storage.tsdb.path={}", data.display()))
                .arg("--storage.tsdb.retention.time=3650d")
                .arg(format!("--query.lookback-delta={lookback}"))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                // What Prometheus hands over before it knows an Alertmanager, as in the first seconds of a
                // configuration, is lost until it does so again. Four times this long without that, as on a machine
                // that stalls, and an alert counts as resolved.
                .arg("--rules.alert.resend-delay=15s")
                .args(["--web.enable-lifecycle", "--log.level=error"])
                .stdout(Stdio::null())
                .stderr(Stdio::inherit());
            let child = command.spawn().unwrap_or_else(|error| {
                panic!("cannot run prometheus: {error}; ./tests/run installs what is missing")
            });
            let url = format!("http://127.0.0.1:{port}");
            let mut server = Self { child, url, config: file.clone(), client: client.clone() };
            if server.is_up(data) {
                return server;
            }
        }
        panic!("prometheus does not start");
    }

    /// Waits until it answers, or has ended.
    fn is_up(&mut self, data: &Path) -> bool {
        let deadline = Instant::now() + Duration::from_secs(120);
        while Instant::now() < deadline {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            let flags = self.client.get(format!("{}/api/v1/status/flags", self.url)).send();
            let ready = self.client.get(format!("{}/-/ready", self.url)).send();
            if ready.is_ok_and(|answer| answer.status().is_success())
                && let Ok(flags) = flags
            {
                // Whoever took the port answers, too.
                return flags.text().is_ok_and(|text| text.contains(&*data.to_string_lossy()));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("prometheus is not ready after two minutes");
    }

    #[allow(dead_code, reason = "not every test gives another")]
    /// Gives it another configuration. Rule files that stay the same go on as they were.
    pub fn reload(&self, config: &Value) {
        std::fs::write(&self.config, config.to_string()).unwrap();
        let answer = self.client.post(format!("{}/-/reload", self.url)).send().unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{status}: {}", answer.text().unwrap_or_default());
    }

    #[allow(dead_code, reason = "not every test has one")]
    /// How many Alertmanagers it tells.
    pub fn alertmanagers(&self) -> usize {
        let data = self.ask("/api/v1/alertmanagers", &[]).unwrap();
        data["activeAlertmanagers"].as_array().map_or(0, Vec::len)
    }

    /// Its own metrics page.
    pub fn metrics(&self) -> String {
        self.client.get(format!("{}/metrics", self.url)).send().unwrap().text().unwrap()
    }

    /// Time of processors that it has used.
    pub fn processor_seconds(&self) -> f64 {
        let page = self.metrics();
        let line = page.lines().find_map(|line| line.strip_prefix("process_cpu_seconds_total "));
        line.unwrap().parse().unwrap()
    }

    fn ask(&self, path: &str, form: &[(&str, String)]) -> Result<Value, String> {
        let mut url = url::Url::parse(&format!("{}{path}", self.url)).unwrap();
        url.query_pairs_mut().extend_pairs(form);
        let answer = self.client.get(url).send().map_err(|error| error.to_string())?;
        let text = answer.text().map_err(|error| error.to_string())?;
        let body: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        match body["status"].as_str() {
            Some("success") => Ok(body["data"].clone()),
            _ => Err(body["error"].to_string()),
        }
    }

    /// The series that an expression has at one time.
    pub fn instant(&self, expr: &str, time: i64) -> Result<Vec<Series>, String> {
        let form = [("query", expr.to_owned()), ("time", time.to_string())];
        self.ask("/api/v1/query", &form).map(|data| series(&data))
    }

    /// The series that an expression has over a range.
    pub fn range(&self, expr: &str, (start, end, step): (i64, i64, i64)) -> Result<Vec<Series>, String> {
        let form = [
            ("query", expr.to_owned()),
            ("start", start.to_string()),
            ("end", end.to_string()),
            ("step", step.to_string()),
        ];
        self.ask("/api/v1/query_range", &form).map(|data| series(&data))
    }

    /// The values of a label among the series that a selector finds.
    pub fn label_values(&self, selector: &str, label: &str, (start, end): (i64, i64)) -> Vec<String> {
        let form = [("match[]", selector.to_owned()), ("start", start.to_string()), ("end", end.to_string())];
        let data = self.ask(&format!("/api/v1/label/{label}/values"), &form).unwrap();
        let values = data.as_array().into_iter().flatten();
        values.map(|value| value.as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It has nothing to save: what it holds was there before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One series of an answer.
#[derive(Debug, Clone)]
pub struct Series {
    pub labels: std::collections::BTreeMap<String, String>,
    /// Time and value.
    pub points: Vec<(i64, f64)>,
}

fn series(data: &Value) -> Vec<Series> {
    let point = |pair: &Value| {
        let value = pair[1].as_str().unwrap().parse().unwrap();
        (pair[0].as_f64().unwrap() as i64, value)
    };
    let one = |item: &Value| Series {
        labels: serde_json::from_value(item["metric"].clone()).unwrap(),
        points: match item.get("values") {
            Some(values) => values.as_array().unwrap().iter().map(point).collect(),
            None => vec![point(&item["value"])],
        },
    };
    match data["resultType"].as_str().unwrap() {
        "scalar" => vec![Series { labels: Default::default(), points: vec![point(&data["result"])] }],
        _ => data["result"].as_array().unwrap().iter().map(one).collect(),
    }
}
