//! A real browser that is driven: what it shows at a width, what it complains of, and whom it asks.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

/// A headless Chromium with a viewport of a given size.
pub struct Browser {
    driver: Child,
    session: String,
    client: reqwest::Client,
}

impl Browser {
    /// Starts it. Its window is exactly `width` CSS pixels wide, as a phone's screen when that is small.
    pub async fn start(width: u32) -> Self {
        let mut driver = Command::new("chromedriver")
            .args(["--port=0", "--log-level=SEVERE"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is needed (Debian package chromium-driver)");
        let output = BufReader::new(driver.stdout.take().unwrap());
        let mut lines = output.lines().map_while(Result::ok);
        let port = lines.find_map(|line| {
            let rest = line.split_once("successfully on port ")?.1;
            rest.trim_end_matches('.').parse::<u16>().ok()
        });
        let port = port.expect("chromedriver says on which port it listens");
        // Whatever else it prints must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client =
            reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(Duration::from_secs(120));
        let client = client.build().unwrap();
        let metrics = json!({"width": width, "height": 800, "pixelRatio": 2, "mobile": width < 800});
        let options = json!({
            "args": [
                "--headless=new", "--hide-scrollbars", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
            ],
            "mobileEmulation": { "deviceMetrics": metrics },
        });
        let capabilities = json!({
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let base = format!("http://127.0.0.1:{port}/session");
        let mut browser = Self { driver, session: base, client };
        let started = browser.send("", json!({ "capabilities": { "alwaysMatch": capabilities } })).await;
        let id = started["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {started}"));
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    async fn send(&self, command: &str, body: Value) -> Value {
        let request = self.client.post(format!("{}{command}", self.session));
        let answer = request.header("content-type", "application/json").body(body.to_string()).send().await;
        let text = answer.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let value = answer["value"].clone();
        assert!(value["error"].is_null(), "{command}: {value}");
        value
    }

    /// Loads a page and waits until it is there as a whole.
    pub async fn open(&self, url: &str) {
        self.send("/url", json!({ "url": url })).await;
    }

    /// The value of an expression in the page. The page's policy does not hold for the driver.
    pub async fn evaluate(&self, expression: &str) -> Value {
        self.send("/execute/sync", json!({ "script": format!("return {expression};"), "args": [] })).await
    }

    /// What has been written to the console since the last question.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.send("/se/log", json!({ "type": "browser" })).await;
        log.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// The addresses that pages have asked for since the last question.
    pub async fn requests(&self) -> Vec<String> {
        let log = self.send("/se/log", json!({ "type": "performance" })).await;
        let of_entry = |entry: &Value| {
            let message: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
            let message = &message["message"];
            let is_request = message["method"] == "Network.requestWillBeSent";
            is_request.then(|| message["params"]["request"]["url"].as_str().unwrap().to_owned())
        };
        log.as_array().unwrap().iter().filter_map(of_entry).collect()
    }

    /// Ends it.
    pub async fn quit(self) {
        // Without this the browser outlives its driver.
        let _ = self.client.delete(&self.session).send().await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
