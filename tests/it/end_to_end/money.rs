//! Budgets and the ledger in the real program: what stops spending, and what is still served then.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::support::process::{Metrics, Process, Simulator, clock_library, serve, write_config};

const STOPPED_BY_LEDGER: &str = "tiktok_exporter_spending_stopped{reason=\"ledger\"}";
const SPENT: &str = "tiktok_exporter_credits_spent_total";

fn simulator() -> Simulator {
    Simulator::start(&["--rate-limit-per-minute", "6000"])
}

fn views(metrics: &Metrics) -> Vec<String> {
    metrics.family("tiktok_hashtag_views").iter().map(|(series, _)| (*series).to_owned()).collect()
}

fn add_budget(config: &str, budget: &str) {
    let text = fs::read_to_string(config).unwrap();
    fs::write(config, format!("{text}\n[budget]\n{budget}\n")).unwrap();
}

/// The program that `command` becomes, with `arguments` for `serve`.
fn serve_by(command: &mut Command, config: &str) -> Process {
    command.args([env!("CARGO_BIN_EXE_tiktok-exporter"), "serve", "--config.file", config]);
    match Process::spawn(command.args(["--web.listen-address", "127.0.0.1:0"])) {
        Ok(process) => process,
        Err((status, output)) => panic!("ended with {status}:\n{output}"),
    }
}

#[test]
fn a_balance_is_spent_to_its_last_credit_and_a_new_count_opens_it() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let config = write_config(directory.path(), &simulator, "hashtags = [\"booktok\", \"skincare\"]");
    add_budget(&config, "balance = 12\nbalance_counted_on = \"2020-01-01\"");
    let exporter = serve(&config);
    let stopped = "tiktok_exporter_spending_stopped{reason=\"balance\"}";
    // Results are printed a moment after they came.
    let ended = |metrics: &Metrics| {
        metrics.value(stopped) == 1.0
            && metrics.value("tiktok_exporter_credits_unsettled") == 0.0
            && views(metrics).len() == 2
    };
    let metrics = exporter.wait_for("the end", ended);
    assert_eq!((simulator.requests(), metrics.sum(SPENT)), (12, 12.0));
    assert_eq!(metrics.value("tiktok_exporter_budget_credits{window=\"balance\"}"), 12.0);
    assert_eq!(metrics.value("tiktok_exporter_budget_remaining_credits{window=\"balance\"}"), 0.0);
    assert!(exporter.output().contains("budget.balance are spent"), "{}", exporter.output());

    let counted = Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"))
        .args(["ledger", "reset-balance", "--credits", "5", "--config.file", &config])
        .output()
        .unwrap();
    assert!(counted.status.success(), "{counted:?}");
    exporter.wait_for("five more", |metrics| metrics.sum(SPENT) == 17.0);
    let metrics = exporter.wait_for("the end again", ended);
    assert_eq!((simulator.requests(), metrics.sum(SPENT)), (17, 17.0));
    exporter.kill();
    let exporter = serve(&config);
    assert_eq!(exporter.metrics().sum(SPENT), 17.0, "the counter survives");
    assert_eq!(exporter.metrics().value(stopped), 1.0);
    assert_eq!(simulator.requests(), 17);
}

#[test]
fn a_full_disk_stops_spending_and_nothing_else_until_there_is_room_again() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let config = write_config(directory.path(), &simulator, "hashtags = [\"booktok\", \"skincare\"]");
    // A limit on the size of files stands for the full disk: it needs no rights and no disk. Whoever
    // exceeds it is killed unless the signal is ignored.
    let mut shell = Command::new("sh");
    let exporter = serve_by(shell.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]), &config);
    exporter.wait_for("values", |metrics| views(metrics).len() == 2);
    limit_files(&exporter, "1:unlimited");

    let stopped = exporter.wait_for("the stop", |metrics| metrics.value(STOPPED_BY_LEDGER) == 1.0);
    assert_eq!(views(&stopped).len(), 2, "last values are shown");
    assert!(exporter.output().contains("the ledger cannot be written"), "{}", exporter.output());
    let received = simulator.receives_nothing("nothing is sent that cannot be booked");
    let spent = exporter.metrics().sum(SPENT) + exporter.metrics().value("tiktok_exporter_credits_unsettled");
    assert!(spent >= received as f64, "{spent} of {received}");

    limit_files(&exporter, "unlimited:unlimited");
    exporter.wait_for("spending again", |metrics| {
        metrics.value(STOPPED_BY_LEDGER) == 0.0 && metrics.sum(SPENT) > spent + 2.0
    });
    let (status, output) = exporter.terminate();
    assert_eq!(status.code(), Some(0), "{output}");
    let again = serve(&config);
    assert!(again.metrics().sum(SPENT) > spent, "nothing stored is lost");
    assert_eq!(views(&again.metrics()).len(), 2);
}

fn limit_files(exporter: &Process, limits: &str) {
    let pid = exporter.id().to_string();
    let status =
        Command::new("prlimit").args(["--pid", &pid, &format!("--fsize={limits}")]).status().unwrap();
    assert!(status.success(), "prlimit {limits}");
}

#[test]
fn a_read_only_disk_at_the_start_shows_last_values_and_spends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let config = write_config(directory.path(), &simulator, "hashtags = [\"booktok\", \"skincare\"]");
    let exporter = serve(&config);
    let before = exporter.wait_for("values", |metrics| views(metrics).len() == 2);
    let (status, output) = exporter.terminate();
    assert_eq!(status.code(), Some(0), "{output}");
    let received = simulator.requests();

    set_mode(directory.path(), 0o555);
    for file in fs::read_dir(directory.path()).unwrap() {
        set_mode(&file.unwrap().path(), 0o444);
    }
    // For root nothing is read-only: go on as nobody.
    let root = Command::new("id").arg("-u").output().unwrap().stdout == b"0\n";
    let mut command = Command::new(if root { "setpriv" } else { "env" });
    if root {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    let exporter = serve_by(&mut command, &config);
    let metrics = exporter.metrics();
    assert_eq!(views(&metrics), views(&before));
    assert_eq!(metrics.value(STOPPED_BY_LEDGER), 1.0);
    assert!(metrics.sum(SPENT) > 0.0, "what was spent is known");
    assert!(exporter.output().contains("the store cannot be used"), "{}", exporter.output());
    assert_eq!(simulator.receives_nothing("a store that cannot be used"), received);
    drop(exporter);
    set_mode(directory.path(), 0o755);
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_damaged_store_stops_spending_shows_what_can_be_read_and_is_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let names: Vec<String> = (0..60).map(|n| format!("\"damaged{n}\"")).collect();
    let config = write_config(directory.path(), &simulator, &format!("hashtags = [{}]", names.join(",")));
    let exporter = serve(&config);
    let before = exporter.wait_for("values", |metrics| {
        views(metrics).len() == 60 && metrics.family("tiktok_hashtag_sample_velocity").len() == 60
    });
    exporter.terminate();
    let store = directory.path().join("exporter.sqlite");
    let received = simulator.requests();

    let mut bytes = fs::read(&store).unwrap();
    for table in ["spending", "sample"] {
        let connection =
            rusqlite::Connection::open_with_flags(&store, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
        let root: u32 = connection
            .unwrap()
            .query_row("SELECT rootpage FROM sqlite_master WHERE name = ?1", [table], |row| row.get(0))
            .unwrap();
        bytes[(root as usize - 1) * 4096..root as usize * 4096].fill(0xA5);
    }
    fs::write(&store, &bytes).unwrap();

    let exporter = serve(&config);
    let metrics = exporter.wait_for("the stop", |metrics| metrics.value(STOPPED_BY_LEDGER) == 1.0);
    assert_eq!(views(&metrics), views(&before), "what can be read is shown");
    assert!(metrics.family("tiktok_hashtag_sample_velocity").is_empty(), "what cannot be read is absent");
    for family in [SPENT, "tiktok_exporter_budget_spent_credits", "tiktok_exporter_forecast_day_credits"] {
        assert!(metrics.family(family).is_empty(), "{family}: nothing is known, and that is not 0");
    }
    let output = exporter.output();
    assert!(
        output.contains("the store is damaged") && output.contains("Restore it from a backup"),
        "{output}"
    );
    let ledger = Command::new(env!("CARGO_BIN_EXE_tiktok-exporter"))
        .args(["ledger", "--config.file", &config])
        .output()
        .unwrap();
    assert_eq!(ledger.status.code(), Some(1), "{ledger:?}");
    assert!(String::from_utf8_lossy(&ledger.stderr).contains("damaged"), "{ledger:?}");
    let (status, output) = exporter.terminate();
    assert_eq!(status.code(), Some(0), "{output}");
    assert!(fs::read(&store).unwrap() == bytes, "left as it is");
    assert_eq!(simulator.requests(), received);

    // Nothing at all can be read: then there is nothing to show.
    fs::write(&store, vec![0xA5; 40_960]).unwrap();
    let arguments = ["serve", "--config.file", &config, "--web.listen-address", "127.0.0.1:0"];
    let Err((status, output)) = Process::try_start(&arguments) else { panic!("started on nothing") };
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(output.contains("Restore it from a backup"), "{output}");
}

#[test]
fn damage_while_it_runs_stops_spending_and_the_last_values_stay() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let config = write_config(directory.path(), &simulator, "hashtags = [\"booktok\", \"skincare\"]");
    let exporter = serve(&config);
    exporter.wait_for("values", |metrics| views(metrics).len() == 2);
    let store = directory.path().join("exporter.sqlite");
    damage(&store);

    let stopped = exporter.wait_for("the stop", |metrics| metrics.value(STOPPED_BY_LEDGER) == 1.0);
    assert_eq!(views(&stopped).len(), 2, "last values are shown");
    assert!(stopped.sum(SPENT) >= 2.0, "what is known to be spent is still known");
    exporter.wait_for_output("spending has stopped, the last values stay");
    simulator.receives_nothing("nothing is sent that cannot be booked");
    let (status, output) = exporter.terminate();
    assert_eq!(status.code(), Some(0), "{output}");
}

/// Overwrites all pages but the first behind the back of SQLite, while nobody writes.
fn damage(store: &Path) {
    let other = rusqlite::Connection::open(store).unwrap();
    other.busy_timeout(std::time::Duration::from_secs(20)).unwrap();
    other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let pages = fs::metadata(store).unwrap().len() / 4096;
    assert!(pages > 4, "{pages} pages");
    let file = fs::OpenOptions::new().write(true).open(store).unwrap();
    for page in 1..pages {
        std::os::unix::fs::FileExt::write_all_at(&file, &[0xA5; 4096], page * 4096).unwrap();
    }
    // What the other process holds in memory it reads again once somebody else has written.
    let version: i64 = other.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    other.pragma_update(None, "user_version", version).unwrap();
}

#[test]
fn a_disk_that_turns_read_only_while_it_runs_stops_spending_and_the_last_values_stay() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let (sound, broken) = (directory.path().join("sound"), directory.path().join("broken"));
    fs::create_dir(&sound).unwrap();
    let link = directory.path().join("disk");
    std::os::unix::fs::symlink(&sound, &link).unwrap();
    let config = write_config(&link, &simulator, "hashtags = [\"booktok\", \"skincare\"]");
    // Whatever is written to files that are in the broken place by now fails as on a disk that the
    // kernel has made read-only. The program itself is the child; the tracer stands beside it.
    let calls = "pwrite64,fsync,fdatasync,ftruncate";
    let mut traced = Command::new("strace");
    traced.args(["-D", "-f", "-qq", "-o", "/dev/null", "-e", &format!("trace={calls}")]);
    traced.args(["-e", &format!("inject={calls}:error=EROFS")]);
    for file in ["exporter.sqlite", "exporter.sqlite-wal"] {
        traced.arg("-P").arg(broken.join(file));
    }
    let exporter = serve_by(&mut traced, &config);
    exporter.wait_for("values", |metrics| views(metrics).len() == 2);

    fs::rename(&sound, &broken).unwrap();
    fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&broken, &link).unwrap();
    let stopped = exporter.wait_for("the stop", |metrics| metrics.value(STOPPED_BY_LEDGER) == 1.0);
    assert_eq!(views(&stopped).len(), 2, "last values are shown");
    exporter.wait_for_output("the ledger cannot be written");
    let received = simulator.receives_nothing("nothing is sent that cannot be booked");
    let spent = exporter.metrics().sum(SPENT) + exporter.metrics().value("tiktok_exporter_credits_unsettled");
    assert!(spent >= received as f64, "{spent} of {received}");
    exporter.kill();

    // The disk is sound again: nothing that was stored is lost.
    let again = serve(&config);
    let metrics = again.metrics();
    assert_eq!(views(&metrics).len(), 2);
    assert!(metrics.sum(SPENT) >= received as f64, "{} of {received}", metrics.sum(SPENT));
}

#[test]
fn a_clock_that_jumps_back_a_day_stops_spending_until_it_is_right_again() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let config = write_config(directory.path(), &simulator, "hashtags = [\"booktok\", \"skincare\"]");
    let offset = directory.path().join("offset");
    fs::write(&offset, "+0").unwrap();
    let mut faked = Command::new("env");
    faked
        .env("LD_PRELOAD", clock_library())
        .env("FAKETIME_TIMESTAMP_FILE", &offset)
        .env("FAKETIME_NO_CACHE", "1")
        // Only the clock on the wall jumps.
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    let exporter = serve_by(&mut faked, &config);
    exporter.wait_for("values", |metrics| views(metrics).len() == 2);
    let by_clock = "tiktok_exporter_spending_stopped{reason=\"clock\"}";

    fs::write(&offset, "-1d").unwrap();
    let stopped = exporter.wait_for("the stop", |metrics| metrics.value(by_clock) == 1.0);
    assert_eq!(views(&stopped).len(), 2, "last values are shown");
    exporter.wait_for_output("behind the last entry of the ledger");
    simulator.receives_nothing("yesterday's budget is not spent again");

    fs::write(&offset, "+0").unwrap();
    exporter.wait_for("spending again", |metrics| {
        metrics.value(by_clock) == 0.0 && metrics.sum(SPENT) > stopped.sum(SPENT) + 2.0
    });
}

#[test]
fn a_second_exporter_on_one_store_names_the_first_and_spends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let simulator = simulator();
    let config = write_config(directory.path(), &simulator, "hashtags = [\"booktok\"]");
    add_budget(&config, "balance = 2\nbalance_counted_on = \"2020-01-01\"");
    let first = serve(&config);
    first.wait_for("the end", |metrics| metrics.sum(SPENT) == 2.0);
    let arguments = ["serve", "--config.file", &config, "--web.listen-address", "127.0.0.1:0"];
    let Err((status, output)) = Process::try_start(&arguments) else { panic!("two spenders on one store") };
    assert_eq!(status.code(), Some(1), "{output}");
    assert!(output.contains(&format!("in use by process {}", first.id())), "{output}");
    assert_eq!(simulator.requests(), 2);
}

#[test]
fn a_server_that_is_not_there_costs_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let gone = Simulator::start(&[]);
    let config = write_config(directory.path(), &gone, "hashtags = [\"booktok\"]");
    drop(gone);
    let exporter = serve(&config);
    let metrics = exporter.wait_for("failures", |metrics| metrics.requests("transient") >= 3.0);
    assert_eq!(metrics.sum(SPENT), 0.0);
}
