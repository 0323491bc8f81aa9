//! A real Alertmanager on a loopback port.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The program, as Debian names it.
pub const PROGRAM: &str = "prometheus-alertmanager";

/// A server that ends with its handle.
pub struct Alertmanager {
    child: Child,
    pub url: String,
    client: reqwest::blocking::Client,
}

impl Alertmanager {
    /// Starts it with the configuration in `file`, keeping its data in `data`.
    pub fn start(file: &Path, data: &Path) -> Self {
        // The client wants one even for plain HTTP; another test may have been here first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client =
            reqwest::blocking::Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
        // A port that is free now may be taken when it is used: then another one.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let child = Command::new(PROGRAM)
                .arg(format!("--config.file={}", file.display()))
                .arg(format!("--storage.path={}", data.display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--web.external-url=http://alertmanager.test:9093")
                .arg("--cluster.listen-address=")
                .arg("--log.level=warn")
                .stdout(Stdio::null())
                .stderr(Stdio::inherit())
                .spawn()
                .unwrap_or_else(|error| {
                    panic!("cannot run {PROGRAM}: {error}; ./tests/run installs what is missing")
                });
            let mut server = Self { child, url: format!("http://127.0.0.1:{port}"), client: client.clone() };
            // The path of the URL it is to call itself by is none, so it answers at its root.
            if server.is_up() {
                return server;
            }
        }
        panic!("alertmanager does not start");
    }

    /// Waits until it answers, or has ended.
    fn is_up(&mut self) -> bool {
        let deadline = Instant::now() + Duration::from_secs(120);
        while Instant::now() < deadline {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            let ready = self.client.get(format!("{}/-/ready", self.url)).send();
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("alertmanager is not ready after two minutes");
    }

    /// Tells it of alerts, as a Prometheus would.
    pub fn post(&self, alerts: &Value) {
        let request = self.client.post(format!("{}/api/v2/alerts", self.url));
        let answer =
            request.header("Content-Type", "application/json").body(alerts.to_string()).send().unwrap();
        let status = answer.status();
        assert!(status.is_success(), "{status}: {}", answer.text().unwrap());
    }

    /// The labels of the alerts it knows.
    pub fn alerts(&self) -> Vec<Value> {
        let text = self.client.get(format!("{}/api/v2/alerts", self.url)).send().unwrap().text().unwrap();
        let alerts: Vec<Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        alerts.into_iter().map(|alert| alert["labels"].clone()).collect()
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
