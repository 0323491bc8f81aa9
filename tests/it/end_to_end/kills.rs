//! The ledger against `kill -9`: the real program is killed at random moments, again and again, and
//! what it says it spent is compared with what the simulator received.
//!
//! `KILLS` sets how often (25 by default; the full run is 200), `KILL_SEED` the moments.

use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use rusqlite::Connection;

use crate::support::process::{KEY, Simulator, serve, setting, write_config};

/// Requests in flight at the most, as `api.concurrency` has it by default.
const IN_FLIGHT: u64 = 8;
/// What the last run may spend when all kills are over.
const REST: u64 = 60;

#[test]
fn no_moment_to_be_killed_loses_a_credit() {
    let kills: u64 = setting("KILLS", 25);
    let seed: u64 = setting("KILL_SEED", 1);
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = tempfile::tempdir().unwrap();
    let simulator = Simulator::start(&["--rate-limit-per-minute", "6000", "--latency", "40ms"]);
    let config = write_config(directory.path(), &simulator, WATCH);
    let store = directory.path().join("exporter.sqlite");
    let with_balance = |credits: u64| {
        let text = std::fs::read_to_string(&config).unwrap();
        let text = text.split("[budget]").next().unwrap().to_owned();
        let budget = format!("[budget]\nbalance = {credits}\nbalance_counted_on = \"2020-01-01\"\n");
        std::fs::write(&config, text + &budget).unwrap();
    };

    with_balance(kills * 40);
    for _ in 0..kills {
        live_for(&config, Duration::from_millis(random.u64(0..500)));
    }
    let (spent, received) = (spent(&store), simulator.requests());
    println!(
        "{kills} kills with seed {seed}: {received} received, {spent} spent, {} too many",
        spent - received
    );
    assert!(received > kills, "the kills came too early to mean anything: {received} requests");
    assert!(spent >= received, "{received} requests came, but only {spent} are booked");
    let lost = spent - received;
    assert!(lost <= kills * IN_FLIGHT, "{lost} credits for requests that never came, after {kills} kills");
    assert!(spent <= kills * 40, "the balance was overrun: {spent}");

    // The rest of the balance is spent to the last credit and not beyond.
    let balance = spent + REST;
    with_balance(balance);
    let exporter = serve(&config);
    let stopped = exporter.wait_for("the end of the balance", |metrics| {
        metrics.value("tiktok_exporter_spending_stopped{reason=\"balance\"}") == 1.0
            && metrics.value("tiktok_exporter_credits_unsettled") == 0.0
    });
    assert_eq!(stopped.sum("tiktok_exporter_credits_spent_total") as u64, balance);
    assert!(simulator.requests() <= balance - lost, "{} of {balance}", simulator.requests());
}

const WATCH: &str = r#"
    hashtags = ["booktok", "indiebeauty", "日本", "capybara", "skincare", "fyp"]
    regions = ["US", "GB", "DE"]
"#;

/// Runs the exporter until it is killed.
fn live_for(config: &str, life: Duration) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"))
        .args(["serve", "--config.file", config, "--web.listen-address", "127.0.0.1:0"])
        .env("TIKLIVE_API_KEY", KEY)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    // The first request leaves some time after the start: most kills come while requests fly.
    thread::sleep(Duration::from_millis(30) + life);
    child.kill().unwrap();
    child.wait().unwrap();
}

fn spent(store: &Path) -> u64 {
    let connection = Connection::open(store).unwrap();
    let spent: i64 = connection.query_row("SELECT sum(credits) FROM spending", [], |row| row.get(0)).unwrap();
    u64::try_from(spent).unwrap()
}
