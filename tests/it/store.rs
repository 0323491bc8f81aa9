//! The store: what is written is read back, also by the next process; what is broken is reported
//! and costs nothing else.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tiktok_api::{ChallengeId, Hashtag, Post, Region};
use tiktok_exporter::model::{PostSample, RecentValues};
use tiktok_exporter::state::{HashtagState, Outcome, Reading, Refresh, RegionState, Sampled};
use tiktok_exporter::store::{Store, StoreError};
use units::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_123);

fn hashtag_state(name: &str) -> HashtagState {
    let reading =
        |values: &[u64]| Reading { at: NOW, recent: RecentValues::from_newest_first(values.iter().copied()) };
    HashtagState {
        hashtag: Hashtag::parse(name).unwrap(),
        group: Arc::from("g"),
        max_age: Duration::from_secs(60),
        id: ChallengeId::parse("12345678901234567890123456789012").ok(),
        resolved_at: Some(NOW - Duration::from_secs(5)),
        found: Some(true),
        commerce: Some(false),
        posts: Some(reading(&[u64::MAX, 7, 0])),
        views: None,
        refresh: Refresh {
            interval: Duration::from_secs(9),
            last: Some((NOW, Outcome::Failed)),
            last_success: Some(NOW - Duration::from_secs(1)),
            next_due: None,
        },
        regions: Vec::new(),
    }
}

fn post() -> Post {
    Post {
        id: "1".into(),
        author: Some("some.one".into()),
        title: Some("<b>日本</b> \"quoted\"".into()),
        created_at: Some(NOW),
        plays: Some(3),
        likes: Some(1),
        ..Post::default()
    }
}

fn region_state() -> RegionState {
    let sample = PostSample { posts: vec![post()], pages: 1, exhausted: true, ..PostSample::default() };
    RegionState {
        region: Region::parse("US").unwrap(),
        sample: Some(Sampled::new(NOW, &sample.stats(Region::Any, NOW))),
        refresh: Refresh {
            last: Some((NOW, Outcome::Success)),
            last_success: Some(NOW),
            ..Refresh::default()
        },
    }
}

fn fill(store: &Store) -> (HashtagState, RegionState) {
    let (hashtag, region) = (hashtag_state("日本"), region_state());
    store.save_hashtag(&hashtag).unwrap();
    store.save_sample(&hashtag.hashtag, &region, Some(&[post()])).unwrap();
    (hashtag, region)
}

/// What the store remembers of a hashtag that is watched in the US, and how many rows cannot be read.
fn recalled(store: &Store, hashtag: &Hashtag) -> (HashtagState, usize) {
    let region = RegionState { sample: None, refresh: Refresh::default(), ..region_state() };
    let state = HashtagState::unknown(hashtag.clone(), "g".into(), Duration::from_secs(60));
    let mut states = [HashtagState { regions: vec![region], ..state }];
    let unreadable = store.recall(&mut states).unwrap();
    let [state] = states;
    (state, unreadable)
}

#[test]
fn the_next_process_reads_back_what_was_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.sqlite");
    let (hashtag, region) = fill(&Store::open(&path).unwrap());

    let store = Store::open(&path).unwrap();
    // The interval is not the store's business.
    let refresh = Refresh { interval: Duration::ZERO, ..hashtag.refresh };
    let want = HashtagState { refresh, regions: vec![region.clone()], ..hashtag.clone() };
    assert_eq!(recalled(&store, &hashtag.hashtag), (want, 0));
    assert_eq!(store.best_posts(&hashtag.hashtag, region.region).unwrap(), [post()]);
}

/// Schema 5 had the posts among the figures of their sample, and schema 4 had none.
#[test]
fn posts_that_an_older_version_wrote_are_found_again() {
    let broken = "INSERT INTO sample (hashtag, region, stats) VALUES ('x', 'US', '{')";
    for (stats, want) in
        [("json_set(stats, '$.best', json((SELECT posts FROM best_posts)))", vec![post()]), ("stats", vec![])]
    {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let (hashtag, region) = fill(&Store::open(&path).unwrap());
        tamper(
            &path,
            &format!(
                "UPDATE sample SET stats = {stats}; DROP TABLE best_posts; {broken}; PRAGMA user_version = 5"
            ),
        );
        let store = Store::open(&path).unwrap();
        assert_eq!(store.best_posts(&hashtag.hashtag, region.region).unwrap(), want, "{stats}");
        assert_eq!(recalled(&store, &hashtag.hashtag).0.regions, [region], "{stats}");
    }
}

#[test]
fn a_damaged_store_of_an_older_version_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    fill(&Store::open(&path).unwrap());
    tamper(&path, "DROP TABLE best_posts; PRAGMA user_version = 5");
    let connection = Connection::open(&path).unwrap();
    let sql = "SELECT rootpage FROM sqlite_master WHERE name = 'spending'";
    let root = connection.query_row(sql, [], |row| row.get::<_, u32>(0)).unwrap() as usize;
    drop(connection);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[(root - 1) * 4096..root * 4096].fill(0xA5);
    std::fs::write(&path, &bytes).unwrap();
    let Err(error) = Store::open(&path) else { panic!("opened") };
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(std::fs::read(&path).unwrap() == bytes, "it was written to");
}

#[test]
fn posts_stay_until_there_is_another_sample() {
    let store = Store::in_memory().unwrap();
    let (HashtagState { hashtag, .. }, mut region) = fill(&store);
    let posts = || store.best_posts(&hashtag, region.region).unwrap();
    region.refresh.last = Some((NOW + Duration::from_secs(1), Outcome::Failed));
    store.save_sample(&hashtag, &region, None).unwrap();
    assert_eq!(posts(), [post()], "after a refresh that failed");
    store.save_sample(&hashtag, &region, Some(&[])).unwrap();
    assert_eq!(posts(), [], "after a sample without posts");
    assert_eq!(store.best_posts(&hashtag, Region::Any).unwrap(), [], "of a region that nobody watches");
}

#[test]
fn saving_again_replaces() {
    let store = Store::in_memory().unwrap();
    let (mut hashtag, _) = fill(&store);
    hashtag.refresh.last = Some((NOW + Duration::from_secs(1), Outcome::NotFound));
    store.save_hashtag(&hashtag).unwrap();
    assert_eq!(recalled(&store, &hashtag.hashtag).0.refresh.last, hashtag.refresh.last);
}

#[test]
fn what_was_refreshed_since_the_start_is_not_recalled() {
    let store = Store::in_memory().unwrap();
    let (hashtag, region) = fill(&store);
    let newer = Refresh { last: Some((NOW + Duration::from_secs(1), Outcome::Failed)), ..Refresh::default() };
    let unknown = || HashtagState::unknown(hashtag.hashtag.clone(), "g".into(), Duration::ZERO);
    let asked = RegionState { sample: None, refresh: newer, ..region.clone() };
    let never = RegionState { sample: None, refresh: Refresh::default(), ..region.clone() };
    let mut states = [
        HashtagState { refresh: newer, regions: vec![never], ..unknown() },
        HashtagState { regions: vec![asked.clone()], ..unknown() },
    ];
    store.recall(&mut states).unwrap();
    let [totals, posts] = states;
    assert_eq!((totals.refresh, &totals.posts, &totals.regions[0]), (newer, &None, &region));
    assert_eq!((&posts.posts, &posts.regions[0]), (&hashtag.posts, &asked));
}

#[test]
fn what_nobody_asked_for_in_long_is_forgotten() {
    let store = Store::in_memory().unwrap();
    let (hashtag, region) = fill(&store);
    assert_eq!(store.forget_before(NOW).unwrap(), 0);
    assert_eq!(store.forget_before(NOW + Duration::from_millis(1)).unwrap(), 2);
    let (state, _) = recalled(&store, &hashtag.hashtag);
    assert_eq!((state.refresh.last, &state.regions[0].sample), (None, &None));
    assert_eq!(store.best_posts(&hashtag.hashtag, region.region).unwrap(), []);
}

#[test]
fn one_store_has_one_holder_and_the_second_learns_who() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.sqlite");
    let first = Store::open(&path).unwrap();
    let Err(error) = Store::open(&path) else { panic!("a second holder got in") };
    let told = error.to_string();
    assert!(told.contains(&format!("in use by process {}", std::process::id())), "{told}");
    drop(first);
    Store::open(&path).expect("free again");
}

/// Changes the file behind the program's back.
fn tamper(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[test]
fn broken_rows_are_counted_and_leave_the_others_alone() {
    for breakage in [
        "UPDATE hashtag SET posts = 'seven'",
        "UPDATE hashtag SET posts = '[]'",
        "UPDATE hashtag SET posts = '[-1]'",
        "UPDATE hashtag SET posts_at = NULL",
        "UPDATE hashtag SET challenge_id = 'abc'",
        "UPDATE hashtag SET outcome = 'superb'",
        "UPDATE sample SET stats = '{}'",
        "UPDATE sample SET region = 'Mars'",
    ] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store.sqlite");
        let (hashtag, _) = fill(&Store::open(&path).unwrap());
        tamper(&path, breakage);
        let (state, unreadable) = recalled(&Store::open(&path).unwrap(), &hashtag.hashtag);
        let read = usize::from(state.id.is_some()) + usize::from(state.regions[0].sample.is_some());
        assert_eq!((unreadable, read), (1, 1), "{breakage}");
    }
}

#[test]
fn files_that_are_no_store_of_ours_are_refused_and_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.sqlite");

    let text = "this is somebody's letter, and it is long enough to be no empty file".repeat(20);
    std::fs::write(&path, &text).unwrap();
    assert!(matches!(Store::open(&path), Err(StoreError::Damaged { .. })));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);

    std::fs::remove_file(&path).unwrap();
    fill(&Store::open(&path).unwrap());
    tamper(&path, "PRAGMA user_version = 99");
    let Err(error) = Store::open(&path) else { panic!("opened a store from the future") };
    assert!(matches!(error, StoreError::Newer { found: 99, .. }), "{error}");

    let Err(error) = Store::open(&directory.path().join("missing/store.sqlite")) else { panic!("opened") };
    assert!(error.to_string().contains("the directory must exist"), "{error}");
}

#[test]
fn a_database_of_another_program_is_refused_and_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    for (name, sql) in [
        ("tables of its own", "CREATE TABLE accounts (id INTEGER)"),
        ("a version of its own", "CREATE TABLE hashtag (id INTEGER); PRAGMA user_version = 1"),
        ("an identity of its own", "PRAGMA application_id = 7"),
    ] {
        let path = directory.path().join(name);
        Connection::open(&path).unwrap().execute_batch(sql).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = Store::open(&path).err().unwrap_or_else(|| panic!("{name}: taken over"));
        assert!(matches!(error, StoreError::Foreign { .. }), "{name}: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), before, "{name}: was changed");
    }
}

#[test]
fn a_store_under_two_names_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (path, hard, soft) = (
        directory.path().join("a.sqlite"),
        directory.path().join("b.sqlite"),
        directory.path().join("c.sqlite"),
    );
    drop(Store::open(&path).unwrap());
    std::os::unix::fs::symlink(&path, &soft).unwrap();
    let open = Store::open(&path).unwrap();
    assert!(matches!(Store::open(&soft), Err(StoreError::InUse { .. })), "a link is the same store");
    drop(open);
    std::fs::hard_link(&path, &hard).unwrap();
    for name in [&path, &hard] {
        assert!(matches!(Store::open(name), Err(StoreError::Linked { .. })), "{}", name.display());
    }
}

#[test]
fn that_results_are_simulated_is_remembered() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.sqlite");
    let store = Store::open(&path).unwrap();
    assert!(!store.holds_simulated().unwrap());
    store.note_simulated(NOW).unwrap();
    store.note_simulated(NOW).unwrap();
    drop(store);
    assert!(Store::open(&path).unwrap().holds_simulated().unwrap());
}
