//! Start-up and reload of a large watchlist, the demo, and the binary.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::client::{Client, unpacked};
use crate::exporter::{Exporter, count_results};
use crate::goals::{Goals, mb, ms};
use crate::process::{Program, exporter, free_address};
use crate::timing::median;
use crate::world::REGIONS;

const PAIRS: usize = 10_000;

pub fn measure(goals: &mut Goals) {
    let mut exporter = Exporter::idle(PAIRS.div_ceil(REGIONS.len()));
    start(goals, &mut exporter);
    reload(goals, &exporter);
    drop(exporter);
    demo(goals);
    binary(goals);
}

fn start(goals: &mut Goals, exporter: &mut Exporter) {
    let mut times = Vec::new();
    for _ in 0..5 {
        exporter.restart();
        let mut client = exporter.client();
        let page = client.get("/metrics", true);
        times.push(exporter.program.begun.elapsed());
        assert_eq!(count_results(&unpacked(page.body)), exporter.samples());
    }
    let how = format!("from the start of the process to the end of a page with all of {PAIRS} pairs");
    goals.at_most("start-up, p50 of 5, ms", millis(median(&mut times)), 500.0, &how);
}

fn reload(goals: &mut Goals, exporter: &Exporter) {
    let file = exporter.configuration();
    let configuration = fs::read_to_string(&file).unwrap();
    let enough = AtomicBool::new(false);
    let (mut reloads, longest) = std::thread::scope(|scope| {
        let scraping = scope.spawn(|| {
            let (mut client, mut longest) = (exporter.client(), Duration::ZERO);
            while !enough.load(Ordering::Relaxed) {
                longest = longest.max(client.get("/metrics", true).took);
                std::thread::sleep(Duration::from_millis(2));
            }
            longest
        });
        let mut client = exporter.client();
        let reload = |number| {
            // Every second one takes a hashtag away, which the next one brings back.
            let text = if number % 2 == 0 {
                configuration.replacen("\"bookbook\", ", "", 1)
            } else {
                configuration.clone()
            };
            fs::write(&file, text).unwrap();
            client.post("/-/reload").took
        };
        let reloads: Vec<Duration> = (0..10).map(reload).collect();
        enough.store(true, Ordering::Relaxed);
        (reloads, scraping.join().unwrap())
    });
    let how = format!("the answer to POST /-/reload, {PAIRS} pairs, one hashtag more or less");
    goals.at_most("reload, p50 of 10, ms", millis(median(&mut reloads)), 200.0, &how);
    let how = format!(
        "of all scrapes during these reloads; the longest reload took {}",
        ms(*reloads.last().unwrap())
    );
    goals.at_most("longest scrape beside a reload, ms", millis(longest), 50.0, &how);
}

fn demo(goals: &mut Goals) {
    let address = free_address();
    let demo =
        Program::start(exporter().args(["demo", "--web.listen-address", &address.to_string()]), address);
    let mut client = Client::new(address);
    let filled = |page: &str| page.matches("\ntiktok_hashtag_sample_velocity{").count() == 36;
    while !filled(&unpacked(client.get("/metrics", true).body)) {
        assert!(demo.begun.elapsed() < Duration::from_secs(60), "the demo stays empty");
        std::thread::sleep(Duration::from_millis(100));
    }
    // Everything has been refreshed a few times.
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(100));
        client.get("/metrics", true);
    }
    let how = format!("resident 10 s after all values stood; peak {}", mb(demo.peak()));
    goals.at_most("6. the demo's memory, MB", demo.resident() / 1e6, 25.0, &how);
}

fn binary(goals: &mut Goals) {
    let size = fs::metadata(env!("CARGO_BIN_EXE_tiktok-exporter")).unwrap().len();
    goals.at_most("binary, MB", size as f64 / 1e6, 20.0, "stripped");
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
