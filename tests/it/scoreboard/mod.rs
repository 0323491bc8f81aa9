//! Scores every alert on the simulated world, where it is known when hashtags take off and what goes wrong:
//!
//! ```text
//! cargo test --release --test it scoreboard -- --ignored --nocapture
//! SCOREBOARD='--hashtags 200 --seeds 1,2,3 --days 60' cargo test --release --test it scoreboard -- --ignored --nocapture
//! ```
//!
//! Trends: the past of the hashtags is written as `backfill` writes it, totals read hourly and posts every
//! six hours. Operations: the exporter itself runs through thirty days of trouble at known times. Over both, a
//! real Prometheus records the rules of `alerts/`, as they are shipped, and is then asked step by step
//! for which series the condition of each alert holds; waiting times are counted from that. Needs
//! `prometheus` and `promtool` in the path.
//!
//! docs/rules.md says what counts as a trend, and what the figures were.

mod judge;
mod operations;
mod trends;

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser;
use judge::Score;
use trends::Worlds;

use crate::support::history;

/// Scores every alert on simulated worlds with known onsets and known trouble.
#[derive(Debug, Parser)]
#[command(name = "SCOREBOARD", no_binary_name = true)]
struct Args {
    /// Hashtags of each world
    #[arg(long, default_value_t = 100)]
    hashtags: u32,
    /// Worlds, by their seeds
    #[arg(long, value_delimiter = ',', default_values_t = [1, 2, 3, 4, 5])]
    seeds: Vec<u64>,
    /// Days that are judged, after 24 of history
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(i64).range(15..=365))]
    days: i64,
    /// Also name every false alarm, and everything that was missed
    #[arg(long)]
    verbose: bool,
}

#[test]
fn every_alert_is_scored() {
    let scored: BTreeSet<String> =
        trends::alerts().into_iter().chain(operations::alerts()).map(|rule| rule.name).collect();
    let alerts = history::rules().into_iter().filter(|rule| rule.is_alert);
    let left_out: Vec<String> = alerts.map(|rule| rule.name).filter(|name| !scored.contains(name)).collect();
    assert!(left_out.is_empty(), "add {left_out:?} to TELLS in operations.rs");
}

#[test]
#[ignore = "takes minutes, and is read by people: prints how well each alert does"]
fn scoreboard() {
    let options = std::env::var("SCOREBOARD").unwrap_or_default();
    let args = Args::try_parse_from(options.split_whitespace()).unwrap_or_else(|error| panic!("{error}"));
    let folder = tempfile::tempdir().unwrap();
    let worlds = Worlds::new(&args.seeds, args.hashtags, args.days);

    eprintln!("trends: {} days of {} hashtags", args.days, args.hashtags as usize * args.seeds.len());
    let trends = worlds.scores(folder.path());
    eprintln!("operations: {} days of trouble", args.days);
    let operations = operations::scores(args.days, folder.path());

    print("trends, and the reference rules (precision, recall and delay of onsets)", &trends, args.days);
    print("operations (precision, recall and delay of trouble)", &operations, args.days);
    if args.verbose {
        for (alert, score) in trends.iter().chain(&operations) {
            println!("\n{alert}");
            score.remarks.iter().for_each(|remark| println!("  {remark}"));
        }
    }
}

fn print(title: &str, scores: &[(String, Score)], days: i64) {
    println!(
        "\n{title}\n\n{:<30}{:>8}{:>10}{:>8}{:>9}{:>9}{:>8}{:>7}{:>18}{:>15}  false alarms by kind",
        "alert",
        "events",
        "precision",
        "recall",
        "delay",
        "90 %",
        "alarms",
        "false",
        "per series-month",
        "per 500 series",
    );
    for (alert, score) in scores {
        let months = score.series as f64 * days as f64 / 30.0;
        let false_alarms = score.false_alarms.values().sum::<usize>();
        println!(
            "{alert:<30}{:>8}{:>10}{:>8}{:>9}{:>9}{:>8}{false_alarms:>7}{:>18.4}{:>15.1}  {}",
            score.events(),
            share(score.right, score.right + false_alarms),
            share(score.delays.len(), score.events()),
            time(score.delay(0.5)),
            time(score.delay(0.9)),
            score.right + false_alarms,
            false_alarms as f64 / months,
            500.0 * false_alarms as f64 / months,
            by_kind(&score.false_alarms),
        );
    }
}

fn share(part: usize, whole: usize) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.3}", part as f64 / whole as f64) }
}

fn time(delay: Option<i64>) -> String {
    match delay {
        None => "-".to_owned(),
        Some(seconds) if seconds < 7_200 => format!("{} min", seconds / 60),
        Some(seconds) => format!("{} h", seconds / 3_600),
    }
}

fn by_kind(counts: &BTreeMap<String, usize>) -> String {
    let counts: Vec<String> = counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    counts.join(", ")
}
