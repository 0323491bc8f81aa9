//! What a scrape costs, as ratios to what is measured beside it in the same run: nginx with the same
//! bytes, the usual program of `GaugeVec`s, a bare server, and a real Prometheus.
//!
//! `cargo bench --bench scrape` measures all; `cargo bench --bench scrape -- scraping starting` only
//! these parts. Needs nginx and prometheus on the PATH. `SCRAPE_LOG=1` shows what the programs say.

#![allow(clippy::unwrap_used, reason = "a bench may stop at what it did not expect")]

mod client;
mod exporter;
mod goals;
mod inside;
mod peers;
mod process;
mod prometheus;
mod refreshing;
mod scraping;
mod starting;
mod timing;
mod world;

use std::process::ExitCode;

use goals::Goals;

type Part = (&'static str, fn(&mut Goals));

const PARTS: [Part; 5] = [
    ("inside", inside::measure),
    ("scraping", scraping::measure),
    ("refreshing", refreshing::measure),
    ("prometheus", prometheus::measure),
    ("starting", starting::measure),
];

fn main() -> ExitCode {
    // Cargo adds --bench.
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["gauge-vec", hashtags, level, address] => {
            let (hashtags, level) = (hashtags.parse().unwrap(), level.parse().unwrap());
            peers::gauge_vec_program(hashtags, level, address.parse().unwrap());
        }
        ["hold", samples] => exporter::hold(samples.parse().unwrap()),
        ["bare", file, address] => peers::bare_program(file, address.parse().unwrap()),
        _ => return measure(&arguments),
    }
    ExitCode::SUCCESS
}

fn measure(wanted: &[String]) -> ExitCode {
    let mut goals = Goals::default();
    Goals::head();
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            part(&mut goals);
        }
    }
    match goals.missed() {
        [] => ExitCode::SUCCESS,
        missed => {
            println!("\nmissed: {}", missed.join("; "));
            ExitCode::FAILURE
        }
    }
}
