//! The loop from schedule to snapshot, under a paused clock and with a scripted upstream: what is
//! sent when, and what stands in the snapshot afterwards.

mod recovery;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tiktok_api::Query;
use tiktok_exporter::credits::Limits;
use tiktok_exporter::state::{HashtagState, Outcome, RegionState};
use tiktok_exporter::store::Store;
use tokio::time::{Instant, sleep};
use units::{HOUR, SharedClock, TimerClock, Timestamp};

use crate::support::looped::{COOLDOWN, Loop};
use crate::support::upstream::{Reply, Scripted, hashtag_json, id_of, posts_json, well_behaved};

const EPOCH: Timestamp = Timestamp::from_secs(1_800_000_000);
const SECOND: Duration = Duration::from_secs(1);
impl Loop<Scripted> {
    async fn start(watch: &str, upstream: Arc<Scripted>) -> Self {
        let clock: SharedClock = Arc::new(TimerClock::starting_at(EPOCH));
        Self::start_on(Arc::new(Store::in_memory().unwrap()), clock, watch, upstream).await
    }

    async fn start_on(store: Arc<Store>, clock: SharedClock, watch: &str, upstream: Arc<Scripted>) -> Self {
        Self::run(upstream, clock, store, Limits::default(), &watching(watch)).await
    }

    fn hashtag(&self, name: &str) -> Arc<HashtagState> {
        let snapshot = self.state.snapshot();
        let found = snapshot.hashtags.iter().find(|state| state.hashtag.as_str() == name);
        found.unwrap_or_else(|| panic!("#{name} is not in the snapshot")).clone()
    }

    fn views(&self, name: &str) -> Option<u64> {
        self.hashtag(name).views.as_ref().map(|reading| reading.value())
    }
}

/// So many hashtags to watch.
fn watch_many(count: usize) -> String {
    let names: Vec<String> = (0..count).map(|n| format!("\"t{n}\"")).collect();
    format!("hashtags = [{}]", names.join(","))
}

/// A configuration with this `[[watch]]` part; totals hourly, posts every 2 hours.
fn watching(watch: &str) -> String {
    format!(
        "[refresh]\ntotals_interval = \"1h\"\nposts_interval = \"2h\"\nmax_age = \"12h\"\n[[watch]]\n{watch}"
    )
}

fn is_posts(query: &Query) -> bool {
    matches!(query, Query::Posts { .. })
}

#[tokio::test(start_paused = true)]
async fn the_first_look_comes_at_once_and_later_ones_evenly_and_by_id() {
    let names: Vec<String> = (0..30).map(|n| format!("\"t{n}\"")).collect();
    let watch = format!("hashtags = [{}]\nregions = [\"US\", \"DE\"]", names.join(","));
    let looped = Loop::start(&watch, Scripted::new(SECOND / 2, |query, _| well_behaved(query))).await;

    sleep(Duration::from_secs(120)).await;
    let first = looped.upstream.received();
    assert_eq!(first.len(), 30 + 60, "one look-up per hashtag, one page per hashtag and region");
    assert_eq!(first.iter().filter(|r| matches!(r.query, Query::HashtagByName(_))).count(), 30);
    assert_eq!(looped.views("t7"), Some(12_345));

    // From the second slot on every hashtag is asked hourly: 30 look-ups, spread over the hour.
    sleep(HOUR * 2 - Duration::from_secs(120)).await;
    let before = looped.upstream.count();
    sleep(HOUR * 2).await;
    let received = looped.upstream.received();
    let later = &received[before..];
    assert_eq!(later.iter().filter(|r| matches!(r.query, Query::HashtagById(_))).count(), 60);
    assert_eq!(later.iter().filter(|r| is_posts(&r.query)).count(), 60, "posts every two hours");
    let busiest = later
        .iter()
        .map(|from| later.iter().filter(|r| r.at >= from.at && r.at < from.at + HOUR / 10).count())
        .max();
    assert!(
        busiest <= Some(9 + 3),
        "a tenth of an hour holds a tenth of the hour's 60 requests, got {busiest:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn passing_trouble_is_retried_twice_with_growing_pauses_and_a_lasting_one_waits_for_its_next_slot() {
    let upstream = Scripted::new(SECOND / 10, |query, number| match number {
        0 => Reply::Broken,
        1 => Reply::Status(502),
        2 => well_behaved(query),
        _ => Reply::Status(531),
    });
    let looped = Loop::start("hashtags = [\"booktok\"]", upstream).await;
    sleep(Duration::from_secs(20)).await;
    assert_eq!(looped.views("booktok"), Some(12_345), "the third try brought it");

    sleep(HOUR * 8).await;
    let state = looped.hashtag("booktok");
    assert_eq!(state.refresh.last.map(|(_, outcome)| outcome), Some(Outcome::Failed));
    assert_eq!(looped.views("booktok"), Some(12_345), "the last good value stays");
    let look_ups = looped.upstream.received().iter().filter(|r| !is_posts(&r.query)).count();
    // Three for the first refresh, three for each of the seven or eight that failed.
    assert!((3 + 3 * 7..=3 + 3 * 8).contains(&look_ups), "{look_ups} look-ups");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_or_helped_is_not_sent_again() {
    let upstream = Scripted::new(SECOND / 10, |query, number| match (query, number) {
        (Query::HashtagByName(_), _) => well_behaved(query),
        (Query::HashtagById(_), _) => Reply::Json("{\"surprise\": true}".to_owned()),
        _ => well_behaved(query),
    });
    let looped = Loop::start("hashtags = [\"booktok\"]", upstream).await;
    sleep(HOUR * 2).await;
    let by_id =
        looped.upstream.received().iter().filter(|r| matches!(r.query, Query::HashtagById(_))).count();
    assert!((1..=2).contains(&by_id), "one request an hour, not more: {by_id}");
    assert_eq!(looped.views("booktok"), Some(12_345));
}

#[tokio::test(start_paused = true)]
async fn a_throttled_request_waits_as_long_as_the_server_says() {
    let upstream = Scripted::new(SECOND / 10, |query, number| match number {
        0 => Reply::RetryAfter(Duration::from_secs(25)),
        _ => well_behaved(query),
    });
    let looped = Loop::start("hashtags = [\"booktok\"]", upstream).await;
    sleep(Duration::from_secs(60)).await;
    let received = looped.upstream.received();
    assert!(received[1].at >= received[0].at + Duration::from_secs(25), "{received:?}");
    assert_eq!(looped.views("booktok"), Some(12_345));
}

#[tokio::test(start_paused = true)]
async fn everybody_waits_as_long_as_the_server_says() {
    let wait = SECOND * 40;
    let upstream = Scripted::new(SECOND / 10, move |query, number| match number {
        20 => Reply::RetryAfter(wait),
        _ => well_behaved(query),
    });
    let looped = Loop::start(&watch_many(100), upstream).await;
    sleep(SECOND * 30).await;
    let received = looped.upstream.received();
    let told = received[20].at + SECOND / 10;
    let late: Vec<_> = received.iter().map(|r| r.at).filter(|at| *at > told).collect();
    assert!(late.is_empty(), "told at {told:?} to wait for {wait:?}, but sent at {late:?}");
    let until = EPOCH + told + wait;
    assert_eq!(looped.metric("tiktok_exporter_upstream_paused_until_timestamp_seconds"), until.as_secs_f64());
    sleep(HOUR / 2).await;
    let again = looped.upstream.received().into_iter().map(|r| r.at).filter(|at| *at > told).min();
    assert!(again.is_some_and(|at| at >= told + wait), "told at {told:?}, sent again at {again:?}");
    assert_eq!(looped.views("t99"), Some(12_345));
}

#[tokio::test(start_paused = true)]
async fn other_settings_of_the_api_end_a_pause_that_the_old_ones_met() {
    let healthy = Scripted::new(SECOND / 10, |query, _| well_behaved(query));
    let watch = watch_many(20);
    let looped = Loop::start(&watch, Scripted::new(SECOND / 10, |_, _| Reply::RetryAfter(HOUR))).await;
    sleep(SECOND * 60).await;
    let before = looped.upstream.count();
    looped.move_to(&healthy, &watching(&watch)).await;
    assert_eq!(looped.metric("tiktok_exporter_upstream_paused_until_timestamp_seconds"), 0.0);
    sleep(SECOND * 60).await;
    // Some look-ups failed before: those are asked again in their slots.
    let known = (0..20).filter(|n| looped.views(&format!("t{n}")).is_some()).count();
    assert_eq!(known, 20 - before, "what waited for the old settings is asked under the new ones");
    assert_eq!(looped.upstream.count(), before, "nothing goes the old way any more");
}

#[tokio::test(start_paused = true)]
async fn all_ways_together_keep_to_the_rate_however_often_they_are_replaced() {
    let ways: Vec<_> = (0..12).map(|_| Scripted::new(SECOND / 10, |query, _| well_behaved(query))).collect();
    let watch = watch_many(600);
    let looped = Loop::start(&watch, ways[0].clone()).await;
    for way in &ways[1..] {
        sleep(SECOND * 4).await;
        looped.move_to(way, &watching(&watch)).await;
    }
    sleep(SECOND * 60).await;
    assert!(ways.iter().all(|way| way.count() > 0), "all were busy");
    let mut sent: Vec<_> = ways.iter().flat_map(|way| way.received()).map(|r| r.at).collect();
    sent.sort();
    let within_a_minute =
        |from: Duration| sent.iter().filter(|at| (from..from + SECOND * 60).contains(*at)).count();
    let most = sent.iter().map(|at| within_a_minute(*at)).max();
    assert!(most <= Some(200), "{most:?} within a minute");
}

#[tokio::test(start_paused = true)]
async fn a_late_refusal_of_a_replaced_key_stops_nothing_and_shows_nowhere() {
    let refusing =
        Scripted::new(SECOND * 5, |_, _| Reply::Json(r#"{"message":"Api-Key is not available"}"#.to_owned()));
    let healthy = Scripted::new(SECOND / 10, |query, _| well_behaved(query));
    let looped = Loop::start("hashtags = [\"booktok\"]", refusing).await;
    sleep(SECOND * 2).await;
    assert_eq!(looped.upstream.count(), 1, "under way when the key is replaced");
    looped.move_to(&healthy, &watching("hashtags = [\"booktok\"]")).await;
    sleep(SECOND * 20).await;
    assert_eq!(looped.state.api().status().stopped, None, "the new key was not refused");
    assert_eq!(looped.views("booktok"), Some(12_345));
}

#[tokio::test(start_paused = true)]
async fn a_refused_key_stops_everything_but_one_request_per_cooldown() {
    let refused_until = 3;
    let upstream = Scripted::new(SECOND / 10, move |query, number| {
        if number < refused_until {
            Reply::Json(r#"{"message":"Api-Key is not available"}"#.to_owned())
        } else {
            well_behaved(query)
        }
    });
    // One at a time, so that no other request is under way when the first refusal comes.
    let names: Vec<String> = (0..20).map(|n| format!("\"t{n}\"")).collect();
    let looped = Loop::start(&format!("hashtags = [{}]", names.join(",")), upstream).await;

    sleep(COOLDOWN - SECOND).await;
    let first = looped.upstream.count();
    assert!((1..=2).contains(&first), "only what was under way: {first}");
    sleep(COOLDOWN).await;
    assert_eq!(looped.upstream.count(), first + 1, "one trial after the first cool-down");
    sleep(COOLDOWN * 3).await;
    for n in 0..20 {
        assert_eq!(
            looped.views(&format!("t{n}")),
            Some(12_345),
            "#t{n} is looked up once the key works again"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_does_not_resolve_is_searched_for_and_only_the_exact_match_counts() {
    let upstream = Scripted::new(SECOND / 10, |query, _| match query {
        Query::HashtagByName(_) => Reply::Json(r#"{"status":"error","message":"Not found"}"#.to_owned()),
        Query::SearchHashtags { keyword, .. } if keyword == "booktok" => Reply::Json(format!(
            r#"{{"challenge_list":[{},{}],"cursor":2,"hasMore":false}}"#,
            hashtag_json("booktoks", 999_999),
            hashtag_json("BookTok", 5),
        )),
        Query::SearchHashtags { .. } => Reply::Json(format!(
            r#"{{"challenge_list":[{}],"cursor":1,"hasMore":false}}"#,
            hashtag_json("somethingelse", 7)
        )),
        Query::HashtagById(id) if id.as_str() == id_of("BookTok") => {
            Reply::Json(hashtag_json("BookTok", 4_321))
        }
        query => well_behaved(query),
    });
    let looped = Loop::start("hashtags = [\"booktok\", \"nowhere\"]", upstream).await;
    sleep(Duration::from_secs(60)).await;
    assert_eq!(looped.views("booktok"), Some(4_321));
    let nowhere = looped.hashtag("nowhere");
    assert_eq!(nowhere.refresh.last.map(|(_, outcome)| outcome), Some(Outcome::NotFound));
    assert_eq!(nowhere.views, None, "not the one that only resembles it");
    let asked_for = |name: &str| {
        let received = looped.upstream.received();
        received.iter().filter(|r| matches!(&r.query, Query::HashtagByName(h) if h.as_str() == name)).count()
    };
    sleep(HOUR * 22).await;
    assert_eq!(asked_for("nowhere"), 1, "remembered for a day");
    assert_eq!(asked_for("booktok"), 1, "the id is kept");
    sleep(HOUR * 3).await;
    assert_eq!(asked_for("nowhere"), 2, "asked again after a day");
}

#[tokio::test(start_paused = true)]
async fn the_numbers_of_another_hashtag_are_never_shown_and_its_id_is_given_up() {
    let moved = Arc::new(AtomicUsize::new(0));
    let script = {
        let moved = moved.clone();
        move |query: &Query, _| match (moved.load(Ordering::Relaxed), query) {
            (0, query) => well_behaved(query),
            (_, Query::HashtagByName(_)) => {
                Reply::Json(r#"{"id":"77","cha_name":"BookTok","user_count":1,"view_count":200}"#.to_owned())
            }
            (_, Query::HashtagById(id)) if id.as_str() == "77" => {
                Reply::Json(r#"{"id":"77","cha_name":"BookTok","user_count":1,"view_count":300}"#.to_owned())
            }
            (_, Query::HashtagById(id)) => Reply::Json(format!(
                r#"{{"id":"{id}","cha_name":"cats","user_count":9,"view_count":999999}}"#
            )),
            (_, query) => well_behaved(query),
        }
    };
    let looped = Loop::start("hashtags = [\"booktok\"]", Scripted::new(SECOND / 10, script)).await;
    sleep(SECOND * 60).await;
    moved.store(1, Ordering::Relaxed);
    let mut seen = Vec::new();
    for _ in 0..60 {
        sleep(HOUR / 12).await;
        let (views, last) = (looped.views("booktok").unwrap(), looped.hashtag("booktok").refresh.last);
        seen.push((views, last.unwrap().1));
    }
    seen.dedup();
    let (good, bad) = (Outcome::Success, Outcome::Failed);
    assert_eq!(
        seen,
        [(12_345, good), (12_345, bad), (200, good), (300, good)],
        "another's views are 999,999"
    );
}

#[tokio::test(start_paused = true)]
async fn a_hashtag_whose_id_is_gone_is_looked_for_by_name() {
    let moved = Arc::new(AtomicUsize::new(0));
    let script = {
        let moved = moved.clone();
        move |query: &Query, _| match (moved.load(Ordering::Relaxed), query) {
            (1, Query::HashtagByName(_)) => {
                Reply::Json(r#"{"id":"77","cha_name":"booktok","user_count":1,"view_count":200}"#.to_owned())
            }
            (1, Query::HashtagById(id)) if id.as_str() == "77" => {
                Reply::Json(r#"{"id":"77","cha_name":"booktok","user_count":1,"view_count":200}"#.to_owned())
            }
            (1, Query::HashtagById(_)) => {
                Reply::Json(r#"{"status":"error","message":"Not found"}"#.to_owned())
            }
            (_, query) => well_behaved(query),
        }
    };
    let looped = Loop::start("hashtags = [\"booktok\"]", Scripted::new(SECOND / 10, script)).await;
    sleep(SECOND * 60).await;
    moved.store(1, Ordering::Relaxed);
    sleep(HOUR * 3).await;
    assert_eq!(looped.hashtag("booktok").found, Some(false));
    sleep(HOUR * 24).await;
    let state = looped.hashtag("booktok");
    assert_eq!((state.found, looped.views("booktok")), (Some(true), Some(200)), "a day later, by name");
    assert_eq!(state.id.as_ref().map(|id| id.as_str()), Some("77"));
}

#[tokio::test(start_paused = true)]
async fn posts_of_a_hashtag_that_is_gone_are_not_asked_for_until_it_is_back() {
    let phase = Arc::new(AtomicUsize::new(0));
    let script = {
        let phase = phase.clone();
        move |query: &Query, _| match (phase.load(Ordering::Relaxed), query) {
            (0, query) => well_behaved(query),
            (1, _) => Reply::Json(r#"{"status":"error","message":"Not found"}"#.to_owned()),
            (_, _) => Reply::Broken,
        }
    };
    let looped = Loop::start("hashtags = [\"booktok\"]", Scripted::new(SECOND / 10, script)).await;
    let posts = || looped.upstream.received().iter().filter(|r| is_posts(&r.query)).count();
    sleep(HOUR).await;
    assert_eq!(looped.hashtag("booktok").found, Some(true));
    phase.store(1, Ordering::Relaxed);
    sleep(HOUR * 4).await;
    assert_eq!(looped.hashtag("booktok").found, Some(false));
    let before = posts();
    // Two days later the look-up fails, which does not say that it is back.
    phase.store(2, Ordering::Relaxed);
    let asked = || looped.upstream.count();
    let before_failing = asked();
    sleep(HOUR * 48).await;
    let state = looped.hashtag("booktok");
    assert_eq!(state.refresh.last.map(|(_, outcome)| outcome), Some(Outcome::Failed));
    assert_eq!((state.found, posts()), (Some(false), before));
    assert_eq!(asked() - before_failing, 2 * 3, "still asked rarely, each time with two retries");
    phase.store(0, Ordering::Relaxed);
    sleep(HOUR * 26).await;
    assert_eq!(looped.hashtag("booktok").found, Some(true));
    assert!(posts() > before, "it is back, and so are its posts");
}

#[tokio::test(start_paused = true)]
async fn paging_stops_when_it_must() {
    const DAYS: i64 = 86_400;
    let now = EPOCH.as_secs();
    let young = move |n: usize| format!("p{n}");
    let old = now - 8 * DAYS;
    for (name, pages, posts, saturated) in [
        ("the_list_ends", 2, 2, false),
        ("the_week_is_covered", 2, 2, false),
        ("the_cursor_stands_still", 1, 1, true),
        ("nothing_new_comes", 2, 1, true),
        ("it_goes_on_for_ever", 3, 3, true),
    ] {
        let upstream = Scripted::new(SECOND / 10, move |query, _| {
            let Query::Posts { cursor, .. } = query else { return well_behaved(query) };
            let page: usize = cursor.to_string().parse().unwrap();
            let next = (page + 1).to_string();
            let id = young(page);
            let fresh = [(id.as_str(), now - 60)];
            Reply::Json(match name {
                "the_list_ends" => posts_json(&fresh, &next, page < 1),
                "the_week_is_covered" => posts_json(&[(&id, if page < 1 { now } else { old })], &next, true),
                "the_cursor_stands_still" => posts_json(&fresh, "0", true),
                "nothing_new_comes" => posts_json(&[("same", now - 60)], &next, true),
                _ => posts_json(&fresh, &next, true),
            })
        });
        let looped = Loop::start("hashtags = [\"booktok\"]\npages_max = 3", upstream).await;
        sleep(Duration::from_secs(60)).await;
        let asked = looped.upstream.received().iter().filter(|r| is_posts(&r.query)).count();
        let sample = looped.hashtag("booktok").regions[0].sample.clone().expect(name);
        assert_eq!((asked, sample.stats().pages as usize), (pages, pages), "{name}");
        assert_eq!(sample.stats().posts_all, posts, "{name}: each post once");
        assert_eq!(sample.stats().saturated, saturated, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_that_came_count_whatever_the_next_one_says() {
    let now = EPOCH.as_secs();
    let not_found = r#"{"status":"error","message":"Not found"}"#;
    for (name, second, posts, saturated, outcome) in [
        ("the list ends", Ok(not_found), 2, false, Outcome::Success),
        ("nothing can be read", Ok("{\"surprise\": true}"), 2, true, Outcome::Failed),
        ("the server is in trouble", Err(502), 2, true, Outcome::Failed),
    ] {
        let upstream = Scripted::new(SECOND / 10, move |query, _| match (query, second) {
            (Query::Posts { cursor, .. }, _) if cursor.to_string() == "0" => {
                Reply::Json(posts_json(&[("a", now - 60), ("b", now - 90)], "1", true))
            }
            (Query::Posts { .. }, Ok(json)) => Reply::Json(json.to_owned()),
            (Query::Posts { .. }, Err(status)) => Reply::Status(status),
            (query, _) => well_behaved(query),
        });
        let looped = Loop::start("hashtags = [\"booktok\"]\npages_max = 3", upstream).await;
        sleep(SECOND * 60).await;
        let region = looped.hashtag("booktok").regions[0].clone();
        let stats = region.sample.unwrap_or_else(|| panic!("{name}: no sample")).stats();
        assert_eq!((stats.posts_all, stats.pages, stats.saturated), (posts, 1, saturated), "{name}");
        assert_eq!(region.refresh.last.map(|(_, outcome)| outcome), Some(outcome), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_sample_cut_short_does_not_take_the_place_of_a_whole_one() {
    let now = EPOCH.as_secs();
    let broken = Arc::new(AtomicUsize::new(0));
    let script = {
        let broken = broken.clone();
        move |query: &Query, _| match (query, broken.load(Ordering::Relaxed)) {
            (Query::Posts { cursor, .. }, _) if cursor.to_string() == "0" => {
                Reply::Json(posts_json(&[("a", now - 60)], "1", true))
            }
            (Query::Posts { .. }, 0) => Reply::Json(posts_json(&[("b", now - 90)], "2", false)),
            (Query::Posts { .. }, _) => Reply::Status(502),
            (query, _) => well_behaved(query),
        }
    };
    let looped =
        Loop::start("hashtags = [\"booktok\"]\npages_max = 3", Scripted::new(SECOND / 10, script)).await;
    sleep(SECOND * 60).await;
    broken.store(1, Ordering::Relaxed);
    sleep(HOUR * 8).await;
    let region = looped.hashtag("booktok").regions[0].clone();
    assert_eq!(region.refresh.last.map(|(_, outcome)| outcome), Some(Outcome::Failed));
    let posts = |region: &RegionState| region.sample.as_ref().map(|sample| sample.stats().posts_all);
    assert_eq!(posts(&region), Some(2), "the whole one is still current");
    sleep(HOUR * 8).await;
    let region = looped.hashtag("booktok").regions[0].clone();
    assert_eq!(posts(&region), Some(1), "after 12 hours it is not, and the part is better than nothing");
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_outlasts_its_interval_is_not_started_twice() {
    let looped =
        Loop::start("hashtags = [\"booktok\"]", Scripted::new(HOUR * 5, |query, _| well_behaved(query)))
            .await;
    sleep(HOUR * 4).await;
    assert_eq!(looped.upstream.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reload_drops_what_left_fetches_what_came_and_loses_nothing_under_way() {
    let upstream = Scripted::new(SECOND * 5, |query, _| well_behaved(query));
    let looped = Loop::start("hashtags = [\"stays\", \"leaves\"]", upstream).await;
    // Both look-ups are under way.
    sleep(SECOND * 2).await;
    assert_eq!(looped.upstream.count(), 2);
    looped.reload(&watching("hashtags = [\"stays\", \"comes\"]")).await;
    let names: Vec<_> = looped.state.snapshot().hashtags.iter().map(|h| h.hashtag.to_string()).collect();
    assert_eq!(names, ["comes", "stays"], "at once");

    sleep(SECOND * 60).await;
    assert_eq!(looped.views("stays"), Some(12_345));
    assert_eq!(looped.views("comes"), Some(12_345));
    let by_name = looped.upstream.received().iter().filter(|r| !is_posts(&r.query)).count();
    assert_eq!(by_name, 3, "nothing under way is repeated");
}

#[tokio::test(start_paused = true)]
async fn what_leaves_and_comes_back_while_it_is_under_way_is_not_asked_twice() {
    let upstream = Scripted::new(SECOND * 5, |query, _| well_behaved(query));
    let looped = Loop::start("hashtags = [\"stays\", \"returns\"]", upstream).await;
    sleep(SECOND * 2).await;
    looped.reload(&watching("hashtags = [\"stays\"]")).await;
    looped.reload(&watching("hashtags = [\"stays\", \"returns\"]")).await;
    sleep(SECOND * 60).await;
    assert_eq!(looped.views("returns"), Some(12_345));
    let look_ups = looped.upstream.received().iter().filter(|r| !is_posts(&r.query)).count();
    assert_eq!(look_ups, 2, "one for each");
    let refreshes = looped.metric(r#"tiktok_exporter_refreshes_total{kind="totals",outcome="success"}"#);
    assert_eq!(refreshes, 2.0, "two refreshes that share an answer are one too many");
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_later_is_as_it_was_and_not_asked_for_anew() {
    let upstream = Scripted::new(SECOND / 10, |query, _| well_behaved(query));
    let both = watching("hashtags = [\"stays\", \"returns\"]");
    let looped = Loop::start("hashtags = [\"stays\", \"returns\"]", upstream).await;
    sleep(SECOND * 60).await;
    let (stays, returns) = (looped.hashtag("stays"), looped.hashtag("returns"));
    assert!(returns.views.is_some() && returns.regions[0].sample.is_some(), "{returns:?}");
    let asked = looped.upstream.count();
    looped.reload(&watching("hashtags = [\"stays\"]")).await;
    looped.reload(&both).await;
    assert_eq!((looped.hashtag("stays"), looped.hashtag("returns")), (stays.clone(), returns.clone()));
    sleep(SECOND * 10).await;
    assert_eq!(looped.upstream.count(), asked, "a hashtag");
    looped.reload(&watching("hashtags = [\"stays\", \"returns\"]\nregions = [\"US\"]")).await;
    looped.reload(&both).await;
    assert_eq!((looped.hashtag("stays"), looped.hashtag("returns")), (stays, returns));
    sleep(SECOND * 10).await;
    assert!(looped.upstream.count() <= asked + 2, "a region, but for what was under way");
}

#[tokio::test(start_paused = true)]
async fn after_the_stop_nothing_is_sent_and_what_is_under_way_is_taken_in() {
    let upstream = Scripted::new(SECOND * 5, |query, _| well_behaved(query));
    let looped =
        Loop::start("hashtags = [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\", \"g\", \"h\", \"i\"]", upstream)
            .await;
    sleep(SECOND).await;
    let sent = looped.upstream.count();
    let asked = Instant::now();
    looped.stopping.cancel();
    looped.task.await.unwrap();
    assert!(asked.elapsed() <= SECOND * 10, "{:?}", asked.elapsed());
    assert_eq!(looped.upstream.count(), sent);
    let known = looped.state.snapshot().hashtags.iter().filter(|h| h.views.is_some()).count();
    assert_eq!(known, sent, "every answer that was paid for is kept");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answers_does_not_hold_the_stop_up() {
    let upstream = Scripted::new(HOUR * 1_000, |query, _| well_behaved(query));
    let looped = Loop::start("hashtags = [\"a\"]", upstream).await;
    sleep(SECOND).await;
    let asked = Instant::now();
    looped.stop().await;
    assert!((SECOND * 10..SECOND * 11).contains(&asked.elapsed()), "{:?}", asked.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_restart_serves_the_old_values_and_asks_for_nothing_before_it_is_due() {
    let store = Arc::new(Store::in_memory().unwrap());
    let clock: SharedClock = Arc::new(TimerClock::starting_at(EPOCH));
    let watch = "hashtags = [\"a\", \"b\", \"c\"]\nregions = [\"US\"]";
    let upstream = Scripted::new(SECOND, |query, _| well_behaved(query));
    let first = Loop::start_on(store.clone(), clock.clone(), watch, upstream).await;
    sleep(SECOND * 60).await;
    let before = first.state.snapshot();
    // As hard as it gets: no drain, no goodbye.
    first.task.abort();

    let upstream = Scripted::new(SECOND, |query, _| well_behaved(query));
    let second = Loop::start_on(store, clock, watch, upstream).await;
    assert_eq!(second.state.snapshot().hashtags, before.hashtags, "values, times and due times are the same");
    let due = before
        .hashtags
        .iter()
        .flat_map(|h| [h.refresh.next_due, h.regions[0].refresh.next_due])
        .min()
        .flatten()
        .unwrap();
    sleep(due.saturating_since(EPOCH + SECOND * 61)).await;
    assert_eq!(second.upstream.count(), 0, "nothing before it is due");
    sleep(HOUR * 3).await;
    assert!(second.upstream.count() >= 3 * 2, "and then as usual");
    assert!(
        second.upstream.received().iter().all(|r| !matches!(r.query, Query::HashtagByName(_))),
        "ids are kept"
    );
}
