//! Goals 8 and 12: scrapes while the results change all the time, and clients that do not read.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use flate2::Crc;

use crate::client::unpacked;
use crate::exporter::{Exporter, count_results, simulator};
use crate::goals::{Goals, mb, ms};
use crate::timing::{median, ratio};
use crate::world::hashtags_for;

const SCRAPES: usize = 10_000;
const CLIENTS: usize = 4;
const STALLED: usize = 64;

pub fn measure(goals: &mut Goals) {
    let hashtags = hashtags_for(150_000);
    let idle = median(&mut scrapes(&Exporter::idle(hashtags)));
    let (_simulator, api) = simulator();
    let exporter = Exporter::refreshing(hashtags, &api);
    whole(goals, &exporter);
    let during = median(&mut scrapes(&exporter));
    let how = format!("{} against {}", ms(during), ms(idle));
    goals.at_most("8. scrape p50 during refreshes to idle", ratio(during, idle), 3.0, &how);
    stalled(goals, &exporter);
}

/// Scrapes now and then, for ten seconds.
fn scrapes(exporter: &Exporter) -> Vec<Duration> {
    let mut client = exporter.client();
    let scrape = |_| {
        std::thread::sleep(Duration::from_millis(10));
        client.get("/metrics", true).took
    };
    (0..700).map(scrape).collect()
}

/// Every body that differs from those before is unpacked, its checksum checked and its samples
/// counted.
fn whole(goals: &mut Goals, exporter: &Exporter) {
    let (seen, torn) = (Mutex::new(HashSet::new()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..CLIENTS {
            scope.spawn(|| {
                let mut client = exporter.client();
                for _ in 0..SCRAPES / CLIENTS {
                    let body = client.get("/metrics", true).body;
                    let mut crc = Crc::new();
                    crc.update(body);
                    if !seen.lock().unwrap().insert((body.len(), crc.sum())) {
                        continue;
                    }
                    let page = unpacked(body);
                    let results = count_results(&page);
                    if results != exporter.samples() || !page.ends_with('\n') {
                        torn.lock().unwrap().push(results);
                    }
                }
            });
        }
    });
    let (seen, torn) = (seen.into_inner().unwrap().len(), torn.into_inner().unwrap().len());
    let how = format!("{seen} different bodies, each with {} results", exporter.samples());
    goals.at_most(&format!("8. torn bodies in {SCRAPES} scrapes"), torn as f64, 0.0, &how);
}

/// Clients that ask for the large, plain page one after another, over many generations, and read
/// nothing of it.
fn stalled(goals: &mut Goals, exporter: &Exporter) {
    let page = exporter.client().get("/metrics", true).body.len();
    let (before, begun) = (exporter.program.resident(), Instant::now());
    let mut streams = Vec::new();
    let mut most = before;
    while begun.elapsed() < Duration::from_secs(60) {
        if streams.len() < STALLED {
            let mut stream = TcpStream::connect(exporter.program.address).unwrap();
            stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
            streams.push(stream);
        }
        std::thread::sleep(Duration::from_millis(300));
        most = most.max(exporter.program.resident());
    }
    let (mut plain, mut cut_off) = (0, 0);
    for mut stream in streams {
        let (length, read) = rest(&mut stream);
        plain = length;
        cut_off += usize::from(read < length);
    }
    let how = format!(
        "{} to {} at the most; a page is {} plain, {} compressed",
        mb(before),
        mb(most),
        mb(plain as f64),
        mb(page as f64)
    );
    let pages = (most - before) / (plain + page) as f64;
    goals.at_most(&format!("12. pages held for {STALLED} stalled readers"), pages, 2.0, &how);
    let how = "connections that ended before the whole page was read, after a minute";
    goals.at_least("12. stalled readers that are cut off", cut_off as f64, STALLED as f64, how);
}

/// The length that an answer promises, and how much of it is there.
fn rest(stream: &mut TcpStream) -> (usize, usize) {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    let length =
        text.split_once("content-length: ").and_then(|(_, rest)| rest.split_once('\r')?.0.parse().ok());
    (length.unwrap_or(0), answer.len())
}
