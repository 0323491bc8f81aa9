//! Goals 10 and 11: a real Prometheus.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::exporter::Exporter;
use crate::goals::{Goals, ms};
use crate::process::{Program, directory, free_address};
use crate::timing::ratio;
use crate::world::hashtags_for;

/// Time for ten scrapes.
const WINDOW: Duration = Duration::from_secs(20);

pub fn measure(goals: &mut Goals) {
    let exporter = Exporter::idle(hashtags_for(150_000));
    let (files, address) = (directory(), free_address());
    let configuration = format!(
        "global: {{scrape_interval: 2s, scrape_timeout: 2s}}\n\
         scrape_configs: [{{job_name: tiktok, static_configs: [{{targets: ['{}']}}]}}]\n",
        exporter.program.address
    );
    let file = files.path().join("prometheus.yml");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new("prometheus");
    command.arg(format!("--config.file={}", file.display()));
    command.arg(format!("--storage.tsdb.path={}", files.path().join("data").display()));
    command.arg(format!("--web.listen-address={address}"));
    let prometheus = Program::start(&mut command, address);
    wait_until_ready(address);
    wait_until(address, "scrape_samples_scraped", |samples| samples >= exporter.samples() as f64);
    // The first scrape makes the series; what follows is the rule.
    wait_until(address, "scrape_series_added", |added| added == 0.0);

    let before = (exporter.program.cpu(), prometheus.cpu());
    std::thread::sleep(WINDOW);
    let own = exporter.program.cpu() - before.0;
    let both = own + prometheus.cpu() - before.1;
    let how = format!("{} of {} in {} s of a scrape every 2 s", ms(own), ms(both), WINDOW.as_secs());
    goals.at_most("10. the exporter's share of the CPU, %", ratio(own, both) * 100.0, 1.0, &how);

    let window = WINDOW.as_secs() - 2;
    let ask = |query: String| value(address, &query).unwrap();
    let scrapes = ask(format!("count_over_time(up[{window}s])"));
    assert_eq!(ask(format!("min_over_time(up[{window}s])")), 1.0, "a scrape failed");
    let added = ask(format!("max_over_time(scrape_series_added[{window}s])"));
    goals.at_most("11. scrape_series_added", added, 0.0, &format!("the most in {scrapes} scrapes"));
}

/// It listens before it answers queries.
fn wait_until_ready(address: SocketAddr) {
    let is_ready = || -> std::io::Result<bool> {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /-/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    while !is_ready().unwrap_or(false) {
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn wait_until(address: SocketAddr, query: &str, is_so: impl Fn(f64) -> bool) {
    let begun = Instant::now();
    while !value(address, query).is_some_and(&is_so) {
        assert!(begun.elapsed() < Duration::from_secs(60), "{query} never comes true");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The value of the only series.
fn value(address: SocketAddr, query: &str) -> Option<f64> {
    let path = format!("/api/v1/query?query={query}");
    let answer: serde_json::Value =
        serde_json::from_slice(Client::new(address).get(&path, false).body).unwrap();
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}
