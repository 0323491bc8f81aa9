//! What is wrong for a while: clocks, disks, the API. Nothing is shown that is not so meanwhile, and an
//! interval later everything is as it was.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use tiktok_api::Query;
use tiktok_exporter::store::{LedgerEditor, Store};
use tokio::time::sleep;
use units::{Clock, DAY, HOUR, SharedClock, TimerClock, Timestamp};

use crate::polling::{EPOCH, SECOND, is_posts, watch_many};
use crate::support::looped::{COOLDOWN, Loop};
use crate::support::upstream::{Reply, Scripted, posts_json, well_behaved};

/// A clock that can be put back, and right again.
struct PutBack {
    clock: TimerClock,
    seconds: AtomicU64,
}

impl PutBack {
    fn starting_at(epoch: Timestamp) -> Arc<Self> {
        Arc::new(Self { clock: TimerClock::starting_at(epoch), seconds: AtomicU64::new(0) })
    }

    fn by(&self, back: Duration) {
        self.seconds.fetch_add(back.as_secs(), Ordering::Relaxed);
    }

    fn is_right_again(&self) {
        self.seconds.store(0, Ordering::Relaxed);
    }
}

impl Clock for PutBack {
    fn now(&self) -> Timestamp {
        self.clock.now() - Duration::from_secs(self.seconds.load(Ordering::Relaxed))
    }
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_goes_back_stops_nothing_and_makes_nothing_younger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let clock = PutBack::starting_at(EPOCH);
    let watch = "hashtags = [\"a\", \"b\"]";
    let upstream = Scripted::new(SECOND / 10, |query, _| well_behaved(query));
    let store = Arc::new(Store::open(&path).unwrap());
    let looped = Loop::start_on(store, clock.clone(), watch, upstream).await;
    sleep(HOUR * 5).await;
    let read = |name| looped.hashtag(name).views.as_ref().unwrap().at;
    let age = |at| clock.now().saturating_since(at);
    let ages = ["a", "b"].map(|name| age(read(name)));
    clock.by(DAY);
    sleep(SECOND * 40).await;
    for (name, before) in ["a", "b"].into_iter().zip(ages) {
        let now = age(read(name));
        let of_old = before + SECOND * 40;
        assert!(now + SECOND * 40 >= of_old && now <= of_old, "#{name} was {of_old:?} old, now {now:?}");
    }
    // The ledger objects to a clock that is a day behind it, until somebody says that it is right.
    let sent = looped.upstream.count();
    sleep(HOUR * 2).await;
    assert_eq!(looped.upstream.count(), sent);
    let accepted = clock.now();
    LedgerEditor::open(&path).unwrap().edit(|tx| tx.bring_back_to(accepted)).unwrap();
    sleep(HOUR * 4).await;
    let look_ups = looped.upstream.received().iter().skip(sent).filter(|r| !is_posts(&r.query)).count();
    assert!((6..=10).contains(&look_ups), "two an hour: {look_ups}");
    let (last, due) = (read("a"), looped.hashtag("a").refresh.next_due.unwrap());
    assert!(age(last) <= HOUR && due <= clock.now() + HOUR * 3 / 2, "read {last:?}, due {due:?}");
}

#[tokio::test(start_paused = true)]
async fn results_from_a_wrong_future_are_not_shown_and_asked_for_again() {
    let store = Arc::new(Store::in_memory().unwrap());
    let watch = "hashtags = [\"a\"]";
    let ahead: SharedClock = Arc::new(TimerClock::starting_at(EPOCH + DAY));
    let upstream = Scripted::new(SECOND / 10, |query, _| well_behaved(query));
    let first = Loop::start_on(store.clone(), ahead, watch, upstream).await;
    sleep(SECOND * 60).await;
    first.task.abort();
    store.write_ledger(|tx| tx.bring_back_to(EPOCH)).unwrap();

    let clock: SharedClock = Arc::new(TimerClock::starting_at(EPOCH));
    let upstream = Scripted::new(SECOND / 10, |query, _| well_behaved(query));
    let second = Loop::start_on(store, clock.clone(), watch, upstream).await;
    let state = second.hashtag("a");
    assert!(!state.is_current(state.views.as_ref().unwrap().at, clock.now()), "its age is unknown");
    sleep(HOUR * 3 / 2 + SECOND * 60).await;
    let state = second.hashtag("a");
    assert!(state.is_current(state.views.as_ref().unwrap().at, clock.now()), "asked for again by now");
}

#[tokio::test(start_paused = true)]
async fn what_was_under_way_when_the_clock_went_back_is_dated_by_the_new_one() {
    let clock = PutBack::starting_at(EPOCH);
    // Three pages, 20 seconds each: the first comes before the clock goes back.
    let upstream = Scripted::new(SECOND * 20, |query, number| match query {
        Query::Posts { .. } => {
            let at = EPOCH.as_secs() - number as i64 * 3_600;
            Reply::Json(posts_json(&[(&format!("p{number}"), at)], &format!("{number}"), true))
        }
        query => well_behaved(query),
    });
    let store = Arc::new(Store::in_memory().unwrap());
    let watch = "hashtags = [\"a\"]\npages_max = 3";
    let looped = Loop::start_on(store, clock.clone(), watch, upstream).await;
    // The name first, then the pages.
    sleep(SECOND * 50).await;
    assert_eq!(looped.upstream.count(), 3, "the first page has come, the second has not");
    // As far as the ledger puts up with, which has two more pages to book.
    clock.by(SECOND * 300);
    sleep(SECOND * 60).await;
    let state = looped.hashtag("a");
    let sample = state.regions[0].sample.as_ref().expect("a sample of three pages");
    assert_eq!(sample.stats().pages, 3);
    // The first page came 40 seconds after the start, and its age is shown as it is.
    let age = clock.now().saturating_since(sample.at);
    assert!(state.is_current(sample.at, clock.now()), "dated {age:?} ago, and hidden");
    let true_age = SECOND * (50 + 60 - 40);
    assert!(true_age.abs_diff(age) < SECOND * 2, "{true_age:?} old, but dated {age:?} ago");
    assert_eq!(looped.metric("tiktok_hashtag_sample_pages{hashtag=\"a\",region=\"any\"}"), 3.0);
}

#[tokio::test(start_paused = true)]
async fn until_a_clock_that_went_back_is_noticed_the_last_values_are_shown() {
    let clock = PutBack::starting_at(EPOCH);
    let upstream = Scripted::new(SECOND / 10, |query, _| well_behaved(query));
    let store = Arc::new(Store::in_memory().unwrap());
    let looped = Loop::start_on(store, clock.clone(), "hashtags = [\"a\"]", upstream).await;
    sleep(SECOND * 10).await;
    clock.by(DAY);
    for _ in 0..60 {
        assert_eq!(looped.metric("tiktok_hashtag_views{hashtag=\"a\"}"), 12_345.0);
        sleep(SECOND).await;
    }
}

/// What goes wrong for a while.
#[derive(Debug, Clone, Copy)]
enum Trouble {
    Answer(fn() -> Reply),
    FullDisk,
    ClockBehind,
}

/// Has every write of the ledger fail, as on a full disk.
fn fill(store: &Path, full: bool) {
    let change = match full {
        true => {
            "CREATE TRIGGER full BEFORE INSERT ON in_flight BEGIN SELECT RAISE(ABORT, 'no space left'); END"
        }
        false => "DROP TRIGGER full",
    };
    Connection::open(store).unwrap().execute_batch(change).unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_interval_after_any_trouble_everything_has_been_refreshed() {
    use Trouble::{Answer, ClockBehind, FullDisk};
    const HASHTAGS: usize = 10;
    const REFUSED: &str = r#"{"message":"Api-Key is not available"}"#;
    for (name, trouble, beyond) in [
        ("an API that is down", Answer(|| Reply::Status(503)), Duration::ZERO),
        ("an API that says nothing", Answer(|| Reply::Broken), Duration::ZERO),
        ("an API that says nonsense", Answer(|| Reply::Json("[]".to_owned())), Duration::ZERO),
        ("an API that throttles", Answer(|| Reply::Status(429)), Duration::ZERO),
        ("a refused key", Answer(|| Reply::Json(REFUSED.to_owned())), COOLDOWN),
        ("a full disk", FullDisk, Duration::ZERO),
        ("a clock that is behind", ClockBehind, Duration::ZERO),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let clock = PutBack::starting_at(EPOCH);
        let is_down = Arc::new(AtomicBool::new(false));
        let script = {
            let is_down = is_down.clone();
            move |query: &Query, _| match trouble {
                Answer(reply) if is_down.load(Ordering::Relaxed) => reply(),
                _ => well_behaved(query),
            }
        };
        let store = Arc::new(Store::open(&path).unwrap());
        let upstream = Scripted::new(SECOND / 2, script);
        let looped = Loop::start_on(store, clock.clone(), &watch_many(HASHTAGS), upstream).await;
        // Every look is in its slot by then.
        sleep(HOUR * 4).await;
        // Ends at a moment that is no full hour.
        let lasts = HOUR + SECOND * 1_234;
        match trouble {
            Answer(_) => is_down.store(true, Ordering::Relaxed),
            FullDisk => fill(&path, true),
            ClockBehind => clock.by(HOUR * 2),
        }
        let before = looped.upstream.count();
        sleep(lasts).await;
        let during = looped.upstream.received().split_off(before).len();
        if !matches!(trouble, Answer(_)) {
            assert!(during <= 1, "{name}: {during} requests that nobody could book");
        }
        match trouble {
            Answer(_) => is_down.store(false, Ordering::Relaxed),
            FullDisk => fill(&path, false),
            ClockBehind => clock.is_right_again(),
        }
        let over = clock.now();
        // The retry that is just waiting, and one second for whoever looks again.
        let grace = SECOND * 35;
        for (what, interval) in [("totals", HOUR), ("posts", HOUR * 2)] {
            let due = over + interval + beyond + grace;
            sleep(due.saturating_since(clock.now())).await;
            for number in 0..HASHTAGS {
                let state = looped.hashtag(&format!("t{number}"));
                let refresh = if what == "totals" { state.refresh } else { state.regions[0].refresh };
                let last = refresh.last_success.unwrap();
                assert!(
                    last >= over,
                    "{name}: {what} of #t{number} are {:?} old",
                    due.saturating_since(last)
                );
            }
        }
        looped.stop().await;
    }
}
