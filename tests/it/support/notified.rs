//! A real Alertmanager on a loopback port, and a receiver of what it sends.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::routing::post;
use serde_json::Value;

/// A server that ends with its handle.
pub struct Alertmanager {
    child: Child,
    /// Host and port.
    pub address: String,
}

impl Alertmanager {
    /// Starts it with this configuration; its data goes into `folder`.
    pub fn start(config: &Path, folder: &Path) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::blocking::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        // A port that is free now may be taken when it is used: then another one.
        for _ in 0..20 {
            let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let address = format!("127.0.0.1:{port}");
            let child = Command::new("prometheus-alertmanager")
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.path={}", folder.display()))
                .arg(format!("--web.listen-address={address}"))
                .args(["--cluster.listen-address=", "--log.level=warn"])
                .stdout(Stdio::null())
                .stderr(Stdio::inherit())
                .spawn()
                .unwrap_or_else(|error| {
                    panic!(
                        "cannot run prometheus-alertmanager: {error}; ./tests/run installs what is missing"
                    )
                });
            let mut server = Self { child, address };
            if server.is_up(&client) {
                return server;
            }
        }
        panic!("Alertmanager does not start");
    }

    /// The labels of the alerts that it holds back because of another one.
    pub fn inhibited(&self) -> Vec<Value> {
        let url = format!("http://{}/api/v2/alerts", self.address);
        let text = reqwest::blocking::get(url).unwrap().text().unwrap();
        let alerts: Vec<Value> =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let held_back =
            |alert: &&Value| alert["status"]["inhibitedBy"].as_array().is_some_and(|by| !by.is_empty());
        alerts.iter().filter(held_back).map(|alert| alert["labels"].clone()).collect()
    }

    /// Waits until it answers, or has ended.
    fn is_up(&mut self, client: &reqwest::blocking::Client) -> bool {
        let deadline = Instant::now() + Duration::from_secs(120);
        while Instant::now() < deadline {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            let ready = client.get(format!("http://{}/-/ready", self.address)).send();
            if ready.is_ok_and(|answer| answer.status().is_success()) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("Alertmanager is not ready after two minutes");
    }
}

impl Drop for Alertmanager {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One notification as it arrived.
#[derive(Debug, Clone)]
pub struct Message {
    /// The last part of the URL, which tells the receiver.
    pub receiver: String,
    pub body: Value,
}

impl Message {
    /// The alerts of the message with this status, `firing` or `resolved`: their labels.
    pub fn alerts(&self, status: &str) -> Vec<Value> {
        let alerts = self.body["alerts"].as_array().into_iter().flatten();
        alerts.filter(|alert| alert["status"] == status).map(|alert| alert["labels"].clone()).collect()
    }

    /// Title and text of a message to Slack.
    pub fn in_slack(&self) -> Option<(String, String)> {
        let attachment = self.body["attachments"].get(0)?;
        let part = |name: &str| Some(attachment[name].as_str()?.to_owned());
        Some((part("title")?, part("text")?))
    }
}

/// Takes notifications at `/RECEIVER`, and keeps them.
pub struct Webhook {
    /// `http://HOST:PORT`
    pub url: String,
    messages: Arc<Mutex<Vec<Message>>>,
    _runtime: tokio::runtime::Runtime,
}

type Messages = State<Arc<Mutex<Vec<Message>>>>;

impl Webhook {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let messages = Arc::new(Mutex::new(Vec::new()));
        let take = |State(messages): Messages, UrlPath(receiver): UrlPath<String>, body: String| async move {
            let Ok(body) = serde_json::from_str(&body) else { return (StatusCode::BAD_REQUEST, "no JSON") };
            messages.lock().unwrap().push(Message { receiver, body });
            // What Slack says.
            (StatusCode::OK, "ok")
        };
        let router = Router::new().route("/{receiver}", post(take)).with_state(messages.clone());
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { url, messages, _runtime: runtime }
    }

    /// Everything that has arrived.
    pub fn messages(&self) -> Vec<Message> {
        self.messages.lock().unwrap().clone()
    }
}
