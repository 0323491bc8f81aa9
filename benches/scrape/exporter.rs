//! The exporter with a store that somebody has filled.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use units::{Clock, SystemClock};

use crate::client::Client;
use crate::process::{Program, directory, exporter, free_address};
use crate::world::{self, LONG};

/// A running exporter and its files.
pub struct Exporter {
    pub program: Program,
    files: TempDir,
    hashtags: usize,
}

impl Exporter {
    /// Knows everything about so many hashtags already, and will not ask for them again for weeks.
    pub fn idle(hashtags: usize) -> Self {
        Self::start(hashtags, "http://127.0.0.1:9", LONG, LONG)
    }

    /// Asks the API at `api` again and again.
    pub fn refreshing(hashtags: usize, api: &str) -> Self {
        let often = Duration::from_secs(hashtags as u64 / 4);
        Self::start(hashtags, api, often.max(Duration::from_secs(1)), LONG)
    }

    fn start(hashtags: usize, api: &str, totals: Duration, posts: Duration) -> Self {
        let files = directory();
        let store = files.path().join("store");
        world::fill_store(&store, hashtags, SystemClock.now());
        let configuration = world::configuration(hashtags, api, &store, totals, posts);
        std::fs::write(files.path().join("configuration.toml"), configuration).unwrap();
        let address = free_address();
        let program = Program::start(&mut serve(&files, address.to_string()), address);
        Self { program, files, hashtags }
    }

    /// Ends it and starts it anew.
    pub fn restart(&mut self) {
        let address = free_address();
        let mut command = serve(&self.files, address.to_string());
        // The old one must have given the store back.
        self.program.end();
        self.program = Program::start(&mut command, address);
    }

    pub fn client(&self) -> Client {
        Client::new(self.program.address)
    }

    /// The page in both forms.
    pub fn page(&self) -> (Vec<u8>, Vec<u8>) {
        let mut client = self.client();
        let plain = client.get("/metrics", false).body.to_vec();
        (plain, client.get("/metrics", true).body.to_vec())
    }

    /// Samples of the results on its page.
    pub fn samples(&self) -> usize {
        self.hashtags * world::SAMPLES
    }

    /// Its configuration file.
    pub fn configuration(&self) -> PathBuf {
        self.files.path().join("configuration.toml")
    }
}

fn serve(files: &TempDir, address: String) -> Command {
    let mut command = exporter();
    command.args(["serve", "--web.enable-lifecycle", "--web.listen-address", &address, "--config.file"]);
    command.arg(files.path().join("configuration.toml")).env("TIKLIVE_API_KEY", "any");
    command
}

/// Starts one with so many samples and leaves it running for who wants to look at it with other tools.
pub fn hold(samples: usize) {
    let exporter = Exporter::idle(world::hashtags_for(samples));
    println!("http://{}/metrics, process {}", exporter.program.address, exporter.program.id());
    loop {
        std::thread::park();
    }
}

/// The simulator of the API, without limits that matter.
pub fn simulator() -> (Program, String) {
    let address = free_address();
    let mut command = exporter();
    command.args(["simulate", "--rate-limit-per-minute", "100000", "--web.listen-address"]);
    let program = Program::start(command.arg(address.to_string()), address);
    (program, format!("http://{address}"))
}

/// Results on a page.
pub fn count_results(page: &str) -> usize {
    page.lines().filter(|line| line.starts_with("tiktok_hashtag_")).count()
}
