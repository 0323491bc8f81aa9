//! The ledger: what is on disk at which moment, what the budgets let through, and what happens when
//! disk or clock cannot be trusted.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;
use tiktok_api::Hashtag;
use tiktok_api::Operation;
use tiktok_exporter::store::{LedgerEditor, Store, StoreError, StoreReader};
use tiktok_exporter::{
    credits::{Balance, Denial, Ledger, Limits, Reservation, Settlement, Window},
    model::{Expense, JobKind, Purpose},
};
use units::{Credits, DAY, Date, HOUR, Timestamp};

/// Noon of the last day but one of a month.
fn noon() -> Timestamp {
    Date::parse("2026-03-30").unwrap().start() + HOUR * 12
}

/// A store on disk whose ledger can be opened again and again.
struct Disk {
    _directory: TempDir,
    path: PathBuf,
}

impl Disk {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.sqlite");
        Self { _directory: directory, path }
    }

    fn open(&self, limits: Limits, now: Timestamp) -> Ledger {
        Ledger::open(Arc::new(Store::open(&self.path).unwrap()), limits, now).unwrap()
    }

    /// One number that another process would read.
    fn read(&self, sql: &str) -> i64 {
        let connection = Connection::open(&self.path).unwrap();
        connection.query_row(sql, [], |row| row.get(0)).unwrap()
    }

    fn spent(&self) -> i64 {
        self.read("SELECT coalesce(sum(credits), 0) FROM spending")
    }

    fn in_flight(&self) -> i64 {
        self.read("SELECT count(*) FROM in_flight")
    }
}

fn expense(purpose: Purpose) -> Expense {
    let hashtag = Hashtag::parse("booktok").ok();
    Expense { operation: Operation::HashtagById, purpose, hashtag }
}

async fn reserve(ledger: &Ledger, now: Timestamp) -> Result<Reservation, Denial> {
    ledger.reserve(expense(Purpose::Job(JobKind::Totals)), now).await
}

/// Spends one credit from reservation to settlement.
async fn spend(ledger: &Ledger, now: Timestamp) -> Result<(), Denial> {
    let reservation = reserve(ledger, now).await?;
    ledger.settle(reservation, Settlement::Spent).await;
    Ok(())
}

async fn spend_all(ledger: &Ledger, now: Timestamp) -> (u64, Denial) {
    let mut spent = 0;
    loop {
        match spend(ledger, now).await {
            Ok(()) => spent += 1,
            Err(denial) => return (spent, denial),
        }
    }
}

fn per_day(credits: u64) -> Limits {
    Limits { per_day: Some(Credits::new(credits)), ..Limits::default() }
}

fn balance(credits: u64, counted_on: &str) -> Limits {
    let counted_on = Date::parse(counted_on).unwrap();
    Limits { balance: Some(Balance { credits: Credits::new(credits), counted_on }), ..Limits::default() }
}

#[tokio::test]
async fn a_balance_counted_on_a_day_to_come_is_not_granted_anew_at_every_start() {
    let disk = Disk::new();
    let mut spent = 0;
    for start in 0..3 {
        let ledger = disk.open(balance(7, "2099-12-31"), noon() + DAY * start);
        spent += spend_all(&ledger, noon() + DAY * start).await.0;
    }
    assert_eq!((spent, disk.spent()), (7, 7));
}

#[tokio::test]
async fn a_credit_is_on_disk_before_the_request_and_settled_after_it() {
    let disk = Disk::new();
    let ledger = disk.open(Limits::default(), noon());
    let reservation = reserve(&ledger, noon()).await.unwrap();
    assert_eq!((disk.spent(), disk.in_flight()), (1, 1), "before anything is sent");
    assert_eq!(ledger.statement(noon()).unsettled, Credits::ONE);
    assert_eq!(ledger.statement(noon()).settled.iter().map(|(_, _, c)| c.get()).sum::<u64>(), 0);

    ledger.settle(reservation, Settlement::Spent).await;
    assert_eq!((disk.spent(), disk.in_flight()), (1, 0));
    let settled: Vec<_> = ledger.statement(noon()).settled.iter().filter(|(_, _, c)| c.get() > 0).collect();
    assert_eq!(settled, [(Operation::HashtagById, Purpose::Job(JobKind::Totals), Credits::ONE)]);
}

#[tokio::test]
async fn what_certainly_never_left_is_given_back_and_what_was_given_up_on_is_not() {
    let disk = Disk::new();
    let ledger = disk.open(per_day(1), noon());
    let reservation = reserve(&ledger, noon()).await.unwrap();
    ledger.settle(reservation, Settlement::NeverSent).await;
    assert_eq!((disk.spent(), disk.in_flight()), (0, 0));

    let reservation = reserve(&ledger, noon()).await.expect("the one credit is there again");
    drop(reservation);
    let denial = reserve(&ledger, noon()).await.err().unwrap();
    assert_eq!(denial.reason(), "day");
    assert_eq!((disk.spent(), disk.in_flight()), (1, 0), "noted as ended with the next one");
}

#[tokio::test]
async fn a_credit_given_back_goes_back_to_the_day_it_was_taken_from() {
    let disk = Disk::new();
    let ledger = disk.open(per_day(2), noon());
    let late = reserve(&ledger, noon()).await.unwrap();
    spend(&ledger, noon()).await.unwrap();
    let tomorrow = noon() + DAY;
    spend(&ledger, tomorrow).await.unwrap();
    ledger.settle(late, Settlement::NeverSent).await;
    assert_eq!(spend_all(&ledger, tomorrow).await.0, 1, "tomorrow's two are tomorrow's");
    assert_eq!(disk.read("SELECT credits FROM spending ORDER BY day LIMIT 1"), 1);
}

#[tokio::test]
async fn what_was_under_way_when_the_process_died_stays_spent_and_is_reported() {
    let disk = Disk::new();
    let ledger = disk.open(per_day(10), noon());
    spend(&ledger, noon()).await.unwrap();
    let under_way = [reserve(&ledger, noon()).await.unwrap(), reserve(&ledger, noon()).await.unwrap()];
    // As hard as it gets: nothing is settled and nothing said.
    std::mem::forget(under_way);
    drop(ledger);

    // The forgotten ones hold the store, and its lock: what is on disk is opened as a copy.
    let copy = Disk::new();
    for ending in ["", "-wal"] {
        std::fs::copy(with_ending(&disk.path, ending), with_ending(&copy.path, ending)).unwrap();
    }
    let ledger = copy.open(per_day(10), noon());
    let statement = ledger.statement(noon());
    assert_eq!(statement.unsettled_at_start, Credits::new(2));
    assert_eq!(statement.unsettled, Credits::ZERO);
    assert_eq!(statement.settled.iter().map(|(_, _, c)| c.get()).sum::<u64>(), 3);
    assert_eq!(spend_all(&ledger, noon()).await.0, 7);
    drop(ledger);
    assert_eq!(copy.open(per_day(10), noon()).statement(noon()).unsettled_at_start, Credits::ZERO);
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_gets_exactly_the_budget() {
    let disk = Disk::new();
    let ledger = Arc::new(disk.open(per_day(50), noon()));
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let ledger = ledger.clone();
            tokio::spawn(async move { spend(&ledger, noon()).await.is_ok() })
        })
        .collect();
    let mut granted = 0;
    for task in tasks {
        granted += u32::from(task.await.unwrap());
    }
    assert_eq!((granted, disk.spent(), disk.in_flight()), (50, 50, 0));
    assert_eq!(ledger.statement(noon()).denied, [150, 0, 0, 0, 0]);
}

#[tokio::test]
async fn midnight_and_the_first_of_the_month_open_new_windows() {
    let disk = Disk::new();
    let limits = Limits { per_month: Some(Credits::new(5)), ..per_day(3) };
    let ledger = disk.open(limits, noon());
    let (spent, denial) = spend_all(&ledger, noon()).await;
    let midnight = Date::of(noon()).end();
    assert_eq!((spent, denial), (3, Denial::Spent { window: Window::Day, until: Some(midnight) }));

    let (spent, denial) = spend_all(&ledger, midnight).await;
    let april = Date::parse("2026-04-01").unwrap().start();
    assert_eq!((spent, denial), (2, Denial::Spent { window: Window::Month, until: Some(april) }));
    assert_eq!(spend_all(&ledger, april).await.0, 3);
}

#[tokio::test]
async fn a_restart_and_a_reload_know_what_was_spent() {
    let disk = Disk::new();
    let ledger = disk.open(per_day(5), noon());
    assert_eq!(spend_all(&ledger, noon()).await.0, 5);
    drop(ledger);
    let ledger = disk.open(per_day(5), noon() + HOUR);
    assert_eq!(spend_all(&ledger, noon() + HOUR).await.0, 0, "a crash loop gains nothing");
    ledger.set_limits(per_day(7));
    assert_eq!(spend_all(&ledger, noon() + HOUR).await.0, 2);
    ledger.set_limits(per_day(1));
    assert_eq!(spend_all(&ledger, noon() + HOUR).await.0, 0);
    ledger.set_limits(Limits::default());
    spend(&ledger, noon() + HOUR).await.expect("no limit is no limit");
}

#[tokio::test]
async fn a_balance_counts_from_its_day_and_a_later_count_replaces_it() {
    let disk = Disk::new();
    let ledger = disk.open(Limits::default(), noon());
    for _ in 0..4 {
        spend(&ledger, noon()).await.unwrap();
    }
    ledger.set_limits(balance(10, "2026-03-30"));
    let (spent, denial) = spend_all(&ledger, noon()).await;
    assert_eq!(
        (spent, denial),
        (6, Denial::Spent { window: Window::Balance, until: None }),
        "that day counts"
    );
    ledger.set_limits(balance(10, "2026-03-31"));
    assert_eq!(
        ledger.denial(Purpose::Job(JobKind::Totals), Credits::ONE, noon()).map(|d| d.reason()),
        Some("balance")
    );
    let next_day = noon() + DAY;
    ledger.reload(next_day).await;
    assert_eq!(
        ledger.denial(Purpose::Job(JobKind::Totals), Credits::ONE, next_day),
        None,
        "counted after all of it"
    );

    // Counted anew beside the running exporter.
    ledger.set_limits(balance(10, "2026-03-30"));
    let editor = LedgerEditor::open(&disk.path).unwrap();
    editor.edit(|tx| tx.count(Credits::new(3), next_day)).unwrap();
    assert_eq!(spend_all(&ledger, next_day + HOUR).await.0, 3, "noticed by the next reservation");
    drop(ledger);
    let ledger = disk.open(balance(10, "2026-03-30"), next_day + HOUR);
    assert_eq!(spend_all(&ledger, next_day + HOUR).await.0, 0, "and by the next process");
    ledger.set_limits(balance(2, "2026-04-01"));
    assert_eq!(spend_all(&ledger, next_day + DAY).await.0, 2, "until the configuration names a later day");
}

#[tokio::test]
async fn what_another_process_spends_counts() {
    let disk = Disk::new();
    let ledger = disk.open(per_day(10), noon());
    spend(&ledger, noon()).await.unwrap();
    // As if somebody had removed the lock and started a second exporter.
    Connection::open(&disk.path).unwrap().execute("UPDATE spending SET credits = credits + 7", []).unwrap();
    assert_eq!(spend_all(&ledger, noon()).await.0, 2);
}

#[tokio::test]
async fn a_clock_that_jumps_back_stops_spending_until_it_is_right_again() {
    let disk = Disk::new();
    let ledger = disk.open(per_day(10), noon());
    spend(&ledger, noon()).await.unwrap();

    let back = noon() - DAY;
    let denial = spend(&ledger, back).await.unwrap_err();
    assert_eq!(denial, Denial::Clock { behind: DAY, until: back + Duration::from_secs(1) });
    assert_eq!(ledger.statement(back).stopped.map(|denial| denial.reason()), Some("clock"));
    assert_eq!(disk.spent(), 1);
    spend(&ledger, noon() + HOUR).await.expect("the clock is right again");
    drop(ledger);

    let ledger = disk.open(per_day(10), back);
    assert_eq!(spend(&ledger, back).await.unwrap_err().reason(), "clock", "a restart forgets nothing");
}

#[tokio::test]
async fn a_clock_set_back_by_seconds_over_midnight_counts_on_the_later_day() {
    let disk = Disk::new();
    let midnight = Date::of(noon()).end();
    let ledger = disk.open(per_day(3), noon());
    assert_eq!(spend_all(&ledger, midnight + Duration::from_secs(2)).await.0, 3);
    assert_eq!(spend_all(&ledger, midnight - Duration::from_secs(2)).await.0, 0, "yesterday is over");
}

#[tokio::test]
async fn entries_from_a_wrong_future_are_accepted_as_todays() {
    let disk = Disk::new();
    let ledger = disk.open(per_day(3), noon());
    let wrong = noon() + DAY * 365;
    spend(&ledger, wrong).await.unwrap();
    assert_eq!(spend(&ledger, noon()).await.unwrap_err().reason(), "clock");
    let editor = LedgerEditor::open(&disk.path).unwrap();
    assert_eq!(editor.edit(|tx| tx.bring_back_to(noon())).unwrap(), Credits::ONE);
    assert_eq!(spend_all(&ledger, noon()).await.0, 2, "the one from the future was spent, too");
}

#[tokio::test]
async fn a_store_that_is_moved_away_or_replaced_stops_spending() {
    let disk = Disk::new();
    let ledger = disk.open(per_day(10), noon());
    spend(&ledger, noon()).await.unwrap();
    let elsewhere = with_ending(&disk.path, ".away");
    std::fs::rename(&disk.path, &elsewhere).unwrap();
    let denial = spend(&ledger, noon()).await.unwrap_err();
    assert!(denial.to_string().contains("was moved, deleted or replaced"), "{denial}");
    std::fs::copy(&elsewhere, &disk.path).unwrap();
    let later = noon() + Duration::from_secs(31);
    assert_eq!(spend(&ledger, later).await.unwrap_err().reason(), "ledger", "a copy is another file");
    std::fs::rename(&elsewhere, &disk.path).unwrap();
    spend(&ledger, later + Duration::from_secs(31)).await.expect("it is back");
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_tried_again_and_recovers() {
    let disk = Disk::new();
    let ledger = disk.open(per_day(10), noon());
    spend(&ledger, noon()).await.unwrap();
    let open = reserve(&ledger, noon()).await.unwrap();
    let breakage = Connection::open(&disk.path).unwrap();
    breakage
        .execute_batch(
            "CREATE TRIGGER i BEFORE UPDATE ON spending BEGIN SELECT RAISE(ABORT, 'no space left'); END;
             CREATE TRIGGER d BEFORE DELETE ON in_flight BEGIN SELECT RAISE(ABORT, 'no space left'); END;",
        )
        .unwrap();
    let denial = spend(&ledger, noon()).await.unwrap_err();
    assert!(denial.to_string().contains("no space left"), "{denial}");
    ledger.settle(open, Settlement::Spent).await;
    assert_eq!((disk.spent(), disk.in_flight()), (2, 1), "nothing of it is half-written");

    breakage.execute_batch("DROP TRIGGER i; DROP TRIGGER d").unwrap();
    let soon = noon() + Duration::from_millis(999);
    assert_eq!(spend(&ledger, soon).await.unwrap_err().reason(), "ledger", "not asked all the time");
    spend(&ledger, noon() + Duration::from_secs(1)).await.expect("mended");
    assert_eq!((disk.spent(), disk.in_flight()), (3, 0), "what was to be settled is settled");
    assert_eq!(ledger.statement(noon()).denied, [0, 0, 0, 2, 0]);
}

#[tokio::test]
async fn from_a_damaged_store_nothing_is_spent_and_it_is_left_as_it_is() {
    let disk = Disk::new();
    let ledger = disk.open(per_day(10), noon());
    spend(&ledger, noon()).await.unwrap();
    drop(ledger);
    let root = disk.read("SELECT rootpage FROM sqlite_master WHERE name = 'spending'") as usize;
    let mut bytes = std::fs::read(&disk.path).unwrap();
    let page = 4096;
    bytes[(root - 1) * page..root * page].fill(0xA5);
    std::fs::write(&disk.path, &bytes).unwrap();
    let ledger = disk.open(per_day(10), noon());
    let statement = ledger.statement(noon());
    assert!(!statement.known, "nothing is not zero");
    assert_eq!(statement.stopped.map(|denial| denial.reason()), Some("ledger"));
    for later in [Duration::ZERO, HOUR, DAY * 40] {
        let denial = spend(&ledger, noon() + later).await.unwrap_err().to_string();
        assert!(denial.contains("Restore it from a backup"), "{denial}");
    }
    assert_eq!(std::fs::read(&disk.path).unwrap(), bytes);
    let Err(error) = StoreReader::open(&disk.path) else { panic!("read as if nothing were wrong") };
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn damage_while_it_runs_stops_spending() {
    let disk = Disk::new();
    let ledger = disk.open(per_day(1_000), noon());
    spend(&ledger, noon()).await.unwrap();
    // All but the first page, behind the back of SQLite.
    let other = rusqlite::Connection::open(&disk.path).unwrap();
    other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
    let mut bytes = std::fs::read(&disk.path).unwrap();
    bytes[4096..].fill(0xA5);
    std::fs::write(&disk.path, &bytes).unwrap();
    // Pages that it holds in memory are read again once somebody else has written.
    other.execute_batch("PRAGMA user_version = 3").unwrap();
    let mut refused = None;
    for second in 0..3 {
        if let Err(denial) = spend(&ledger, noon() + Duration::from_secs(second)).await {
            refused = Some(denial);
            break;
        }
    }
    let denial = refused.expect("spent on from a damaged store");
    assert_eq!(denial.reason(), "ledger", "{denial}");
    assert!(denial.to_string().contains("damaged"), "{denial}");
}

#[tokio::test]
async fn hashtags_of_old_days_are_put_together_and_nothing_is_lost() {
    let disk = Disk::new();
    let ledger = disk.open(Limits::default(), noon());
    for name in ["a", "b", "c"] {
        let expense = Expense { hashtag: Hashtag::parse(name).ok(), ..expense(Purpose::Job(JobKind::Posts)) };
        let reservation = ledger.reserve(expense, noon()).await.unwrap();
        ledger.settle(reservation, Settlement::Spent).await;
    }
    spend(&ledger, noon() + DAY * 90).await.unwrap();
    assert_eq!(disk.read("SELECT count(*) FROM spending"), 4, "90 days are kept in full");
    spend(&ledger, noon() + DAY * 91).await.unwrap();
    assert_eq!(disk.read("SELECT count(*) FROM spending"), 3);
    assert_eq!(disk.read("SELECT credits FROM spending WHERE hashtag = ''"), 3);
    assert_eq!(disk.spent(), 5);
}

#[test]
fn a_link_to_the_store_is_the_same_store() {
    let disk = Disk::new();
    let _held = Store::open(&disk.path).unwrap();
    let link = with_ending(&disk.path, ".link");
    std::os::unix::fs::symlink(&disk.path, &link).unwrap();
    let Err(error) = Store::open(&link) else { panic!("a second spender by another name") };
    assert!(error.to_string().contains(&format!("in use by process {}", std::process::id())), "{error}");
}
