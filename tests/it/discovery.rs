//! Discovery under a paused clock: what it may spend, when it gives way, and who joins on trial.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tiktok_api::Query;
use tiktok_exporter::credits::Limits;
use tiktok_exporter::store::Store;
use tokio::time::sleep;
use units::{Credits, DAY, Date, HOUR, SharedClock, TimerClock, Timestamp};

use crate::support::looped::Loop;
use crate::support::upstream::{Reply, Scripted, hashtag_json, well_behaved};

/// A midnight.
fn midnight() -> Timestamp {
    Date::parse("2027-01-15").unwrap().start()
}

/// Two hashtags with hourly totals and posts: 48 credits a day for each. A keyword that is searched for
/// every two hours, and whose posts are counted as often in two regions: 12 and 24 credits a day.
const FOLLOWED: &str = "keyword = \"deep clean\"\nregions = [\"US\", \"DE\"]\nfollow_posts = true\n\
                        search_interval = \"2h\"\nposts_interval = \"2h\"";

impl Loop<Scripted> {
    /// Starts at midnight.
    async fn discover(upstream: Arc<Scripted>, discover: &str, per_day: Option<u64>) -> Self {
        let clock: SharedClock = Arc::new(TimerClock::starting_at(midnight()));
        Self::discover_on(Arc::new(Store::in_memory().unwrap()), clock, upstream, discover, per_day).await
    }

    async fn discover_on(
        store: Arc<Store>,
        clock: SharedClock,
        upstream: Arc<Scripted>,
        discover: &str,
        per_day: Option<u64>,
    ) -> Self {
        Self::run(upstream, clock, store, limits(per_day), &following(discover)).await
    }

    /// Requests between two moments after the start: for listed hashtags, for those of a search that
    /// are on trial, and searches.
    fn sent_by_kind(&self, from: Duration, to: Duration) -> [usize; 3] {
        let mut counts = [0; 3];
        for received in self.upstream.received().iter().filter(|r| (from..to).contains(&r.at)) {
            let about_found = |text: &str| text.contains("found") || text.starts_with(FOUND_ID);
            let index = match &received.query {
                Query::SearchHashtags { .. } | Query::SearchPosts { .. } => 2,
                Query::HashtagByName(hashtag) => usize::from(about_found(hashtag.as_str())),
                Query::HashtagById(id) | Query::Posts { id, .. } => usize::from(about_found(id.as_str())),
                _ => continue,
            };
            counts[index] += 1;
        }
        counts
    }

    fn on_trial(&self) -> Vec<String> {
        let snapshot = self.state.snapshot();
        snapshot.on_trial().iter().map(ToString::to_string).collect()
    }

    fn watched(&self) -> Vec<String> {
        self.state.snapshot().hashtags.iter().map(|state| state.hashtag.to_string()).collect()
    }
}

fn limits(per_day: Option<u64>) -> Limits {
    Limits { per_day: per_day.map(Credits::new), ..Limits::default() }
}

/// Two hashtags to watch, and what to follow beside them.
fn following(discover: &str) -> String {
    let discover = if discover.is_empty() { String::new() } else { format!("[[discover]]\n{discover}\n") };
    format!(
        "[refresh]\ntotals_interval = \"1h\"\nposts_interval = \"1h\"\nmax_age = \"2d\"\n[posts]\npages_max = 1\n\
         [[watch]]\nhashtags = [\"one\", \"two\"]\n{discover}"
    )
}

/// What the ids of the hashtags that a search finds begin with: "found", as [`upstream::id_of`] has it.
const FOUND_ID: &str = "102111117110100";

/// An API whose search finds five hashtags, one of which is listed, and the two smallest of which grow
/// faster from search to search. It also finds as many posts as `posts` says, all of them an hour old.
fn with_search(posts: usize) -> Arc<Scripted> {
    let started = Arc::new(AtomicU64::new(0));
    Scripted::new(Duration::from_millis(500), move |query, _| match query {
        Query::SearchHashtags { .. } => {
            let nth = started.fetch_add(1, Ordering::Relaxed);
            let names = ["founda", "foundb", "one", "foundc", "foundd"];
            let records: Vec<String> = names
                .iter()
                .zip([(500, 0), (400, 0), (300, 0), (200, 1), (100, 1)])
                .map(|(name, (size, grows))| hashtag_json(name, size * 1_000 + grows * 1_000 * nth * nth))
                .collect();
            Reply::Json(format!(r#"{{"challenge_list":[{}],"cursor":5,"hasMore":false}}"#, records.join(",")))
        }
        Query::SearchPosts { .. } if posts == 0 => {
            Reply::Json(r#"{"status":"error","message":"Not found videos"}"#.to_owned())
        }
        Query::SearchPosts { .. } => {
            let at = midnight().as_secs() - 3_600;
            let items: Vec<String> = (0..posts)
                .map(|n| format!(r#"{{"video_id":"{n}","create_time":{at},"play_count":100}}"#))
                .collect();
            Reply::Json(format!(r#"{{"videos":[{}],"cursor":"0","hasMore":false}}"#, items.join(",")))
        }
        other => well_behaved(other),
    })
}

const STRETCH: &str = "tiktok_exporter_stretch_factor";

#[tokio::test(start_paused = true)]
async fn discovery_lives_on_what_totals_and_posts_leave() {
    // 48 for totals, 48 for posts, and 36 for discovery are needed a day.
    for (per_day, stretches, searches) in [
        (None, [1.0, 1.0, 1.0], 36..=39_usize),
        (Some(200), [1.0, 1.0, 1.0], 36..=39),
        (Some(114), [1.0, 1.0, 2.0], 15..=21),
        (Some(72), [1.0, 2.0, f64::INFINITY], 0..=0),
    ] {
        let looped = Loop::discover(with_search(3), FOLLOWED, per_day).await;
        sleep(Duration::from_secs(60)).await;
        for (purpose, want) in ["totals", "posts", "discovery"].into_iter().zip(stretches) {
            let found = looped.metric(&format!("{STRETCH}{{purpose=\"{purpose}\"}}"));
            let near = found == want || (found / want - 1.0).abs() < 0.05;
            assert!(near, "{purpose} with {per_day:?} credits: {found}, not {want}");
        }
        sleep(DAY).await;
        // What is left over in the last hours of the day goes to whoever is next.
        let until = if *searches.end() == 0 { HOUR * 20 } else { DAY };
        let [_, _, searched] = looped.sent_by_kind(Duration::ZERO, until);
        let [listed, trials, _] = looped.sent_by_kind(Duration::ZERO, DAY);
        assert_eq!(trials, 0, "nobody is to be promoted");
        // The first look comes beside those of the slots, or in the place of one.
        assert!(
            searches.contains(&searched),
            "{searched} searches with {per_day:?} credits, not {searches:?}"
        );
        let spent = looped.sent_by_kind(Duration::ZERO, DAY).iter().sum::<usize>() as u64;
        assert!(per_day.is_none_or(|budget| spent <= budget), "{spent} of {per_day:?}");
        let wanted = per_day.map_or(96, |budget| budget.min(96));
        assert!(listed as u64 + 4 >= wanted, "{listed} looks at who is listed, of {wanted}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_on_trial_gives_way_before_anybody_listed() {
    let promoting = format!("{FOLLOWED}\npromote = 2\ntrial = \"30d\"");
    let looped = Loop::discover(with_search(3), &promoting, None).await;
    sleep(HOUR * 12).await;
    assert_eq!(looped.on_trial(), ["founda", "foundb"], "the largest that is not listed");
    let [listed, trials, searched] = looped.sent_by_kind(HOUR * 6, HOUR * 12);
    // Totals hourly, and posts every two hours in two regions: that is as the keyword says.
    assert_eq!([listed, trials, searched], [2 * 2 * 6, 2 * 6 + 2 * 2 * 3, 3 + 6]);

    // Those who are listed need 48 for the rest of the day: 24 for totals, and as many for posts.
    let spent = looped.upstream.count() as u64;
    looped.ledger.set_limits(limits(Some(spent + 32)));
    sleep(HOUR).await;
    let before = looped.sent_by_kind(Duration::ZERO, DAY);
    sleep(HOUR * 6).await;
    let after = looped.sent_by_kind(Duration::ZERO, DAY);
    assert_eq!(after[1..], before[1..], "no search, and no look at who is on trial");
    let listed = after[0] - before[0];
    assert!(
        (14..=18).contains(&listed),
        "{listed} looks at who is listed in six hours: all totals, some posts"
    );
    assert_eq!(looped.watched(), ["founda", "foundb", "one", "two"], "what is known is still shown");
}

#[tokio::test(start_paused = true)]
async fn trials_end_when_they_are_quiet_and_outlive_a_restart_until_then() {
    let promoting = format!("{FOLLOWED}\npromote = 2\ntrial = \"1d\"\ntop = 4");
    let store = Arc::new(Store::in_memory().unwrap());
    let clock: SharedClock = Arc::new(TimerClock::starting_at(midnight()));
    let upstream = with_search(3);
    let start = || Loop::discover_on(store.clone(), clock.clone(), upstream.clone(), &promoting, None);
    let looped = start().await;
    sleep(HOUR * 12).await;
    assert_eq!(looped.on_trial(), ["founda", "foundb"]);
    let since = "tiktok_keyword_trial_start_timestamp_seconds{keyword=\"deep clean\",hashtag=\"founda\"}";
    let until = "tiktok_keyword_trial_end_timestamp_seconds{keyword=\"deep clean\",hashtag=\"founda\"}";
    let joined = looped.metric(since);
    assert_eq!(looped.metric(until) - joined, 86_400.0);
    looped.stop().await;

    let asked = upstream.count();
    let looped = start().await;
    assert_eq!(looped.on_trial(), ["founda", "foundb"], "at once");
    assert_eq!(looped.metric(since), joined);
    sleep(Duration::from_secs(60)).await;
    assert!(upstream.count() <= asked + 1, "and nothing is asked for anew");

    sleep(HOUR * 13).await;
    assert_eq!(looped.on_trial(), ["foundc", "foundd"], "others have their turn");
    assert_eq!(looped.watched(), ["foundc", "foundd", "one", "two"]);
    sleep(HOUR * 26).await;
    assert_eq!(looped.on_trial(), [""; 0], "and now all have had it");
    let [_, trials, _] = looped.sent_by_kind(HOUR * 54, HOUR * 90);
    assert_eq!(trials, 0, "nothing is spent on who has left");
    sleep(DAY * 4).await;
    assert!(!looped.on_trial().is_empty(), "after a rest of four periods they may try again");
}

#[tokio::test(start_paused = true)]
async fn a_reload_changes_what_is_followed_at_once() {
    let promoting = |promote: u32| format!("{FOLLOWED}\npromote = {promote}\ntop = 3");
    let looped = Loop::discover(with_search(0), &promoting(3), None).await;
    sleep(HOUR).await;
    assert_eq!(looped.on_trial(), ["founda", "foundb", "foundc"]);
    let posts =
        |region| format!("tiktok_keyword_posts{{keyword=\"deep clean\",region=\"{region}\",window=\"24h\"}}");
    assert_eq!(looped.metric(&posts("DE")), 0.0, "that there are none is an answer");

    looped.reload(&following(&promoting(1))).await;
    assert_eq!(looped.on_trial(), ["founda"], "the others have no place any more");
    assert_eq!(looped.watched(), ["founda", "one", "two"]);

    let spent = looped.sent_by_kind(Duration::ZERO, DAY)[1..].iter().sum::<usize>();
    looped.reload(&following("")).await;
    assert_eq!(looped.watched(), ["one", "two"]);
    assert!(!looped.exposition.encode().unwrap().contains("tiktok_keyword_"));
    sleep(HOUR * 12).await;
    let after = looped.sent_by_kind(Duration::ZERO, DAY)[1..].iter().sum::<usize>();
    assert_eq!(after, spent, "nothing is spent on what is not followed");
}
