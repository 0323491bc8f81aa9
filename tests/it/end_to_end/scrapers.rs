//! Many scrapers at the same time, for as long as one likes.
//!
//! `SCRAPE_SECONDS` sets how long (5 by default; the full run is 1200), with a release build:
//! `SCRAPE_SECONDS=1200 cargo test --release --test it scrapers -- --nocapture`.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use reqwest::blocking::Client;

use crate::support::process::{Process, Simulator, serve, setting, write_config};

const SCRAPERS: u64 = 64;
/// Between two scrapes of one scraper.
const PAUSE: Duration = Duration::from_secs(1);

#[test]
fn sixty_four_scrapers_are_served_without_an_error() {
    let seconds = setting("SCRAPE_SECONDS", 5);
    let directory = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(&["--rate-limit-per-minute", "6000"]);
    let names: Vec<String> = (0..100).map(|n| format!("\"scraped{n}\"")).collect();
    let watch = format!("hashtags = [{}]\nregions = [\"US\", \"GB\", \"DE\"]", names.join(", "));
    let config = write_config(directory.path(), &simulator, &watch);
    // Each once, then again in an hour: at the interval of the other tests they would never all be there.
    let text = fs::read_to_string(&config).unwrap().replace("_interval = \"1s\"", "_interval = \"1h\"");
    fs::write(&config, text.replace("max_age = \"1h\"", "max_age = \"3h\"")).unwrap();
    let exporter = serve(&config);
    // Some hashtags may be away for the time being.
    exporter.wait_for("values", |metrics| metrics.family("tiktok_hashtag_sample_velocity").len() > 270);
    let url = format!("{}/metrics", exporter.url());
    let before = resident(&exporter);
    let end = Instant::now() + Duration::from_secs(seconds);

    let scrapers: Vec<_> = (0..SCRAPERS)
        .map(|number| {
            thread::spawn({
                let url = url.clone();
                move || scrape(&url, number, end)
            })
        })
        .collect();
    let mut took: Vec<Duration> = scrapers.into_iter().flat_map(|scraper| scraper.join().unwrap()).collect();
    took.sort();
    let percent = |share: usize| took[(took.len() - 1) * share / 100].as_secs_f64() * 1e3;
    let after = resident(&exporter);
    println!(
        "{SCRAPERS} scrapers for {seconds} s: {} scrapes without an error; p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms; \
         resident {:.1} MiB before, {:.1} MiB after",
        took.len(),
        percent(50),
        percent(99),
        percent(100),
        before / 1024.0,
        after / 1024.0,
    );
    assert!(took.len() as u64 >= SCRAPERS, "{} scrapes", took.len());
    // Buffers of 64 connections, and pages that are just being sent: nothing that grows with time.
    assert!(after < before + 48.0 * 1024.0, "{before} kB became {after} kB");
}

/// Scrapes until `end`; each answer must be a whole page.
fn scrape(url: &str, number: u64, end: Instant) -> Vec<Duration> {
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().unwrap();
    let mut took = Vec::new();
    thread::sleep(PAUSE * number as u32 / SCRAPERS as u32);
    loop {
        let started = Instant::now();
        let response = client.get(url).header("Accept-Encoding", "gzip").send().unwrap();
        assert_eq!(response.status(), 200);
        let page = response.bytes().unwrap();
        assert!(page.len() > 1_000, "{} bytes", page.len());
        took.push(started.elapsed());
        if Instant::now() + PAUSE > end {
            return took;
        }
        thread::sleep(PAUSE);
    }
}

/// Resident memory in kB.
fn resident(process: &Process) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
