//! Everything at once: all faults of the simulator, kills, a clock that jumps ahead and back, a full disk, a
//! damaged store, an empty account, reloads. What is on /metrics is compared with the simulated world all
//! the while, and what was spent with what the simulator received.
//!
//! `CHAOS_REQUESTS` sets how many requests are to be sent (400 by default; the full run is 10000),
//! `CHAOS_SEED` what happens when.

mod truth;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::json;
use truth::Truth;
use units::{Clock, SystemClock};

use crate::support::process::{Metrics, Process, Simulator, clock_library, setting};

/// Of every kind, but for those that vanish and those that are dead: what is lost when the API knows no hashtag or
/// no post is not lost by the exporter.
const HASHTAGS: [&str; 16] = [
    "booktok",
    "bookhaul",
    "romantasy",
    "cozyfantasy",
    "日本",
    "moneytok",
    "smallbusinesscheck",
    "café",
    "skincareroutine",
    "fyp",
    "viral",
    "indiebeauty",
    "hairtok",
    "plantparent",
    "2025",
    "no",
];
const REGIONS: [&str; 3] = ["US", "GB", "DE"];
/// Between two looks at the same thing.
const INTERVAL: Duration = Duration::from_secs(2);
/// How long a turmoil lasts.
const TURMOIL: Duration = Duration::from_secs(2);
/// What was under way when a turmoil ended may first have to time out, be waited for and be tried again.
const UNDER_WAY: Duration = Duration::from_secs(6);
/// From the end of a turmoil until everything is as it was: one interval, and what was under way. Several
/// times as much, for a busy machine is no fault of the exporter's.
const PATIENCE: Duration = Duration::from_secs(4 * (INTERVAL.as_secs() + UNDER_WAY.as_secs()));
/// Requests in flight at the most, as `api.concurrency` has it by default.
const IN_FLIGHT: u64 = 8;
/// A clock that is further behind than this stops all spending (in seconds; the ledger says 600).
const TOLERATED: i64 = 580;

/// Every fault there is.
const FAULTS: [&str; 20] = [
    "latency",
    "hang",
    "throttle",
    "throttle_as200",
    "server_error",
    "html",
    "empty",
    "redirect",
    "cut_off",
    "endless",
    "dead_key",
    "no_credits",
    "not_found",
    "wrong_hashtag",
    "array",
    "null_fields",
    "string_counts",
    "negative_counts",
    "numeric_ids",
    "cursor_loop",
];

/// What else goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turmoil {
    Kill,
    ClockAhead,
    ClockBack,
    ClockBehind,
    FullDisk,
    DamagedStore,
    EmptyAccount,
    Reloads,
}

const ALL: [Turmoil; 8] = [
    Turmoil::Kill,
    Turmoil::ClockAhead,
    Turmoil::ClockBack,
    Turmoil::ClockBehind,
    Turmoil::FullDisk,
    Turmoil::DamagedStore,
    Turmoil::EmptyAccount,
    Turmoil::Reloads,
];

#[test]
fn nothing_untrue_is_shown_and_nothing_overspent_whatever_happens() {
    let wanted: u64 = setting("CHAOS_REQUESTS", 400);
    let seed: u64 = setting("CHAOS_SEED", 1);
    let mut chaos = Chaos::start(seed);
    chaos.calm("the start");
    let mut rounds = 0;
    let mut recoveries: Vec<(Duration, Turmoil)> = Vec::new();
    while rounds < ALL.len() || chaos.simulator.requests() < wanted {
        let turmoil = ALL[if rounds < ALL.len() { rounds } else { chaos.random.usize(..ALL.len()) }];
        chaos.set_faults();
        chaos.suffer(turmoil);
        chaos.simulator.faults("{}");
        recoveries.push((chaos.calm(&format!("round {rounds}, {turmoil:?}")), turmoil));
        rounds += 1;
    }
    chaos.settle();
    let (spent, received) = (chaos.spent(), chaos.simulator.requests());
    recoveries.sort_by_key(|(took, _)| *took);
    let late = recoveries.iter().filter(|(took, _)| *took > INTERVAL + UNDER_WAY).count();
    let (slowest, after) = recoveries[recoveries.len() - 1];
    let Truth { pages, counts, samples, .. } = chaos.truth;
    println!(
        "seed {seed}: {received} requests, {spent} credits booked, {rounds} rounds with {} kills;\n\
         {pages} pages: {counts} pairs of counts and {samples} samples compared with the world, all true;\n\
         recovery: median {:.1} s, 9 of 10 within {:.1} s, slowest {:.1} s (after {after:?}); \
         {late} beyond the interval of {} s and {} s for what was under way",
        chaos.kills,
        recoveries[recoveries.len() / 2].0.as_secs_f64(),
        recoveries[recoveries.len() * 9 / 10].0.as_secs_f64(),
        slowest.as_secs_f64(),
        INTERVAL.as_secs(),
        UNDER_WAY.as_secs(),
    );
    assert!(spent >= received, "{received} requests came, but only {spent} are booked");
    let lost = spent - received;
    assert!(
        lost <= chaos.kills * IN_FLIGHT,
        "{lost} credits for requests that never came, {} kills",
        chaos.kills
    );
    assert!(counts > 100 && samples > 100, "{counts} counts and {samples} samples were compared");
}

struct Chaos {
    directory: tempfile::TempDir,
    simulator: Simulator,
    exporter: Option<Process>,
    config: String,
    truth: Truth,
    random: Rng,
    /// Seconds by which the exporter's clock is ahead, and was at the most.
    clock: i64,
    furthest: i64,
    /// The series that must be on every page.
    expected: BTreeSet<String>,
    kills: u64,
}

impl Chaos {
    fn start(seed: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let simulator = Simulator::start(&[
            "--rate-limit-per-minute",
            "6000",
            "--latency",
            "20ms",
            "--seed",
            &seed.to_string(),
        ]);
        let config = directory.path().join("exporter.toml").display().to_string();
        let mut chaos = Self {
            directory,
            simulator,
            exporter: None,
            config,
            truth: Truth::of(seed),
            random: Rng::with_seed(seed),
            clock: 0,
            furthest: 0,
            expected: BTreeSet::new(),
            kills: 0,
        };
        chaos.set_clock(0);
        chaos.set_balance(1_000_000);
        chaos.run();
        chaos
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Starts the exporter, under a clock that can be set.
    fn run(&mut self) {
        let mut command = Command::new("sh");
        // Whoever exceeds a limit of file sizes, which stands for the full disk, is not to be killed.
        command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_tiktok-exporter")]);
        command.args(["serve", "--config.file", &self.config, "--web.listen-address", "127.0.0.1:0"]);
        command.env("LD_PRELOAD", clock_library()).env("FAKETIME_TIMESTAMP_FILE", self.path("clock"));
        command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        match Process::spawn(&mut command) {
            Ok(process) => self.exporter = Some(process),
            Err((status, output)) => panic!("ended with {status}:\n{output}"),
        }
    }

    fn exporter(&self) -> &Process {
        self.exporter.as_ref().unwrap()
    }

    fn set_clock(&mut self, ahead: i64) {
        // At once, for it is read all the time.
        fs::write(self.path("next"), format!("{ahead:+}\n")).unwrap();
        fs::rename(self.path("next"), self.path("clock")).unwrap();
        self.clock = ahead;
        self.furthest = self.furthest.max(ahead);
        self.truth.clock_is(ahead);
    }

    fn set_balance(&self, credits: u64) {
        let toml = format!(
            "[api]\nbase_url = \"{}\"\ntimeout = \"2s\"\nconnect_timeout = \"1s\"\nrate_limit_per_minute = 3000\n\
             max_body_bytes = 262144\nbreaker_cooldown = \"1s\"\n\
             [refresh]\ntotals_interval = \"{interval}s\"\nposts_interval = \"{interval}s\"\nmax_age = \"2d\"\n\
             not_found_retry = \"{interval}s\"\n[posts]\npages_max = 1\n\
             [budget]\nbalance = {credits}\nbalance_counted_on = \"2020-01-01\"\n[store]\npath = \"{}\"\n\
             [[watch]]\nhashtags = {HASHTAGS:?}\nregions = {REGIONS:?}\n",
            self.simulator.0.url(),
            self.path("exporter.sqlite").display(),
            interval = INTERVAL.as_secs(),
        );
        fs::write(&self.config, toml).unwrap();
    }

    /// All faults at once, each of them now and then.
    fn set_faults(&mut self) {
        let faults = FAULTS.map(|kind| {
            let stops_everything = matches!(kind, "dead_key" | "no_credits" | "throttle" | "hang");
            let most = if stops_everything { 0.01 } else { 0.06 };
            let mut fault = json!({"kind": kind, "probability": self.random.f64() * most});
            match kind {
                "latency" => fault["milliseconds"] = json!(self.random.u64(1..1_000)),
                "throttle" => fault["retry_after_seconds"] = json!(1),
                "server_error" => fault["status"] = json!(self.random.u16(500..600)),
                _ => {}
            }
            fault
        });
        self.simulator.faults(&json!({"faults": faults}).to_string());
    }

    fn suffer(&mut self, turmoil: Turmoil) {
        match turmoil {
            Turmoil::Kill => {
                let while_it_runs = Duration::from_millis(self.random.u64(..1_000));
                self.watch(while_it_runs);
                self.kill();
                self.run();
                self.watch(TURMOIL);
            }
            Turmoil::ClockAhead => {
                // Not as far as values are shown for.
                let ahead = self.clock + self.random.i64(60..7_200);
                self.set_clock(ahead);
                self.watch(TURMOIL);
            }
            Turmoil::ClockBack => {
                // Not further than the ledger puts up with; it remembers the latest clock.
                let behind = self.furthest - self.clock;
                let back = self.random.i64(61..=TOLERATED).min(TOLERATED - behind);
                self.set_clock(self.clock - back.max(0));
                self.watch(TURMOIL);
            }
            Turmoil::ClockBehind => {
                let right = self.clock;
                let wrong = self.furthest - self.random.i64(1_000..7_200);
                self.set_clock(wrong);
                self.exporter().wait_for("the stop", |metrics| {
                    metrics.value("tiktok_exporter_spending_stopped{reason=\"clock\"}") == 1.0
                        && metrics.value("tiktok_exporter_credits_unsettled") == 0.0
                });
                let received = self.simulator.requests();
                self.watch(TURMOIL);
                assert_eq!(self.simulator.requests(), received, "spent by a clock that is behind");
                self.set_clock(right);
            }
            Turmoil::FullDisk => {
                self.limit_files("1:unlimited");
                self.watch(TURMOIL);
                self.limit_files("unlimited:unlimited");
            }
            Turmoil::DamagedStore => self.damage(),
            Turmoil::EmptyAccount => {
                // Enough for what is sent until the reload has come through.
                let left = self.spent() + self.random.u64(150..250);
                self.set_balance(left);
                self.exporter().signal("HUP");
                self.exporter().wait_for("the end of the balance", |metrics| {
                    metrics.value("tiktok_exporter_spending_stopped{reason=\"balance\"}") == 1.0
                });
                self.watch(TURMOIL);
                let (spent, received) = (self.spent(), self.simulator.requests());
                assert!(spent <= left && received <= left, "{spent} spent, {received} received of {left}");
                self.set_balance(1_000_000);
                self.exporter().signal("HUP");
            }
            Turmoil::Reloads => {
                for _ in 0..10 {
                    self.exporter().signal("HUP");
                    let pause = Duration::from_millis(self.random.u64(..300));
                    self.watch(pause);
                }
            }
        }
    }

    /// The ledger's table is destroyed while the exporter is stopped; then the backup comes back.
    fn damage(&mut self) {
        let (status, output) = self.exporter.take().unwrap().terminate();
        assert_eq!(status.code(), Some(0), "{output}");
        let store = self.path("exporter.sqlite");
        let good = fs::read(&store).unwrap();
        let received = self.simulator.requests();
        let mut bytes = good.clone();
        let root = root_page(&store, "spending");
        bytes[(root - 1) * 4096..root * 4096].fill(0xA5);
        fs::write(&store, &bytes).unwrap();
        self.run();
        self.watch(TURMOIL);
        assert_eq!(self.simulator.requests(), received, "spent on a damaged ledger");
        self.kill();
        fs::write(&store, &good).unwrap();
        for beside in ["exporter.sqlite-wal", "exporter.sqlite-shm"] {
            let _ = fs::remove_file(self.path(beside));
        }
        self.run();
    }

    fn kill(&mut self) {
        self.exporter.take().unwrap().kill();
        self.kills += 1;
    }

    fn limit_files(&self, limits: &str) {
        let pid = self.exporter().id().to_string();
        let arguments = ["--pid", &pid, &format!("--fsize={limits}")];
        assert!(Command::new("prlimit").args(arguments).status().unwrap().success(), "prlimit {limits}");
    }

    /// Looks at /metrics for a while.
    fn watch(&mut self, time: Duration) {
        let started = Instant::now();
        loop {
            let metrics = self.exporter().metrics();
            self.is_true(&metrics);
            if started.elapsed() >= time {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Waits until everything has been refreshed since now, and tells how long it took.
    fn calm(&mut self, what: &str) -> Duration {
        let (started, since) = (Instant::now(), unix_seconds() + self.clock);
        loop {
            let metrics = self.exporter().metrics();
            self.is_true(&metrics);
            if is_fresh(&metrics, since) {
                self.expected = results(&metrics);
                return started.elapsed();
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{what}: no recovery\n{}\n{}",
                metrics.text,
                self.exporter().output()
            );
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until no request is under way.
    fn settle(&self) {
        self.set_balance(self.spent());
        self.exporter().signal("HUP");
        self.exporter().wait_for("rest", |metrics| {
            metrics.value("tiktok_exporter_credits_unsettled") == 0.0
                && metrics.value("tiktok_exporter_spending_stopped{reason=\"balance\"}") == 1.0
        });
    }

    fn spent(&self) -> u64 {
        self.exporter().metrics().sum("tiktok_exporter_credits_spent_total") as u64
    }

    /// Checks that a page has everything, and against the world.
    fn is_true(&mut self, metrics: &Metrics) {
        let shown = results(metrics);
        let lost: Vec<_> = self.expected.difference(&shown).collect();
        assert!(lost.is_empty(), "lost: {lost:?}\n{}", self.exporter().output());
        self.truth.has(metrics);
    }
}

/// The series of results, without those that come and go with what posts say.
fn results(metrics: &Metrics) -> BTreeSet<String> {
    let families = [
        "tiktok_hashtag_posts",
        "tiktok_hashtag_views",
        "tiktok_hashtag_up",
        "tiktok_hashtag_last_success_timestamp_seconds",
        "tiktok_hashtag_sample_velocity",
        "tiktok_hashtag_sample_up",
        "tiktok_hashtag_sample_posts",
        "tiktok_hashtag_sample_plays",
        "tiktok_hashtag_sample_last_success_timestamp_seconds",
    ];
    families.iter().flat_map(|name| metrics.family(name)).map(|(series, _)| series.to_owned()).collect()
}

fn is_fresh(metrics: &Metrics, since: i64) -> bool {
    let all = |family: &str, number: usize, since: i64| {
        let series = metrics.family(family);
        series.len() == number && series.iter().all(|(_, value)| *value >= since as f64)
    };
    let pairs = HASHTAGS.len() * REGIONS.len();
    all("tiktok_hashtag_up", HASHTAGS.len(), 1)
        && all("tiktok_hashtag_last_success_timestamp_seconds", HASHTAGS.len(), since)
        && all("tiktok_hashtag_sample_up", pairs, 1)
        && all("tiktok_hashtag_sample_last_success_timestamp_seconds", pairs, since)
}

fn unix_seconds() -> i64 {
    SystemClock.now().as_secs()
}

fn root_page(store: &Path, table: &str) -> usize {
    let connection = rusqlite::Connection::open_with_flags(store, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
    let query = "SELECT rootpage FROM sqlite_master WHERE name = ?1";
    connection.unwrap().query_row(query, [table], |row| row.get::<_, i64>(0)).unwrap() as usize
}
