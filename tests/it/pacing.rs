//! The loop under a budget, under a paused clock: what a short budget is spent on, and when.

use std::sync::Arc;
use std::time::Duration;

use tiktok_api::{Operation, Query};
use tiktok_exporter::store::{LedgerEditor, Store};
use tiktok_exporter::{
    credits::{Balance, Limits, Settlement},
    model::{Expense, Purpose},
};
use tokio::time::sleep;
use units::{Credits, DAY, Date, HOUR, SharedClock, TimerClock, Timestamp};

use crate::support::looped::Loop;
use crate::support::upstream;
use crate::support::upstream::{Received, Reply, Scripted, hashtag_json, well_behaved};

/// A midnight.
fn midnight() -> Timestamp {
    Date::parse("2027-01-15").unwrap().start()
}

impl Loop<Scripted> {
    /// Starts at midnight. Totals hourly, posts every two hours.
    async fn many(hashtags: usize, limits: Limits) -> Self {
        let upstream = Scripted::new(Duration::from_millis(500), |query, _| well_behaved(query));
        Self::many_on(upstream, hashtags, limits).await
    }

    async fn many_on(upstream: Arc<Scripted>, hashtags: usize, limits: Limits) -> Self {
        let clock: SharedClock = Arc::new(TimerClock::starting_at(midnight()));
        Self::many_with(upstream, clock, Store::in_memory().unwrap(), hashtags, limits).await
    }

    async fn many_in(store: Store, hashtags: usize, limits: Limits) -> Self {
        let clock: SharedClock = Arc::new(TimerClock::starting_at(midnight()));
        let upstream = Scripted::new(Duration::from_millis(500), |query, _| well_behaved(query));
        Self::many_with(upstream, clock, store, hashtags, limits).await
    }

    async fn many_with(
        upstream: Arc<Scripted>,
        clock: SharedClock,
        store: Store,
        hashtags: usize,
        limits: Limits,
    ) -> Self {
        Self::run(upstream, clock, Arc::new(store), limits, &watching(hashtags)).await
    }

    /// Requests between two moments after the start, of totals and of posts.
    fn counts(&self, from: Duration, to: Duration) -> (usize, usize) {
        let within = |received: &&Received| (from..to).contains(&received.at);
        let received = self.upstream.received();
        let all = received.iter().filter(within).count();
        let posts = received.iter().filter(within).filter(|r| matches!(r.query, Query::Posts { .. })).count();
        (all - posts, posts)
    }
}

fn watching(hashtags: usize) -> String {
    let names: Vec<String> = (0..hashtags).map(|n| format!("\"t{n}\"")).collect();
    format!(
        "[refresh]\ntotals_interval = \"1h\"\nposts_interval = \"2h\"\nmax_age = \"12h\"\n[posts]\npages_max = 1\n\
         [[watch]]\nhashtags = [{}]",
        names.join(",")
    )
}

fn per_day(credits: u64) -> Limits {
    Limits { per_day: Some(Credits::new(credits)), ..Limits::default() }
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_everything_comes_as_configured() {
    let looped = Loop::many(20, Limits::default()).await;
    sleep(DAY * 2).await;
    assert_eq!(looped.counts(DAY, DAY * 2), (20 * 24, 20 * 12));
    assert_eq!(looped.metric("tiktok_exporter_stretch_factor{purpose=\"totals\"}"), 1.0);
}

#[tokio::test(start_paused = true)]
async fn the_intervals_on_the_page_are_those_in_force() {
    // 480 credits for totals, 240 for posts are needed.
    for (credits, totals, posts) in [(10_000, 1.0, 2.0), (600, 1.0, 4.0), (240, 2.0, 2.0)] {
        let looped = Loop::many(20, per_day(credits)).await;
        sleep(HOUR * 3).await;
        for (series, hours) in [
            ("tiktok_hashtag_refresh_interval_seconds{hashtag=\"t7\"}", totals),
            ("tiktok_hashtag_sample_refresh_interval_seconds{hashtag=\"t7\",region=\"any\"}", posts),
        ] {
            let found = looped.metric(series) / 3_600.0;
            assert!(
                (found / hours - 1.0_f64).abs() < 0.15,
                "{series} is {found} h on {credits} credits a day"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_balance_that_is_counted_anew_is_seen_without_a_request() {
    let balance = Balance { credits: Credits::new(1_000), counted_on: Date::parse("2027-01-01").unwrap() };
    let limits = Limits { balance: Some(balance), ..Limits::default() };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.sqlite");
    let looped = Loop::many_in(Store::open(&path).unwrap(), 1, limits).await;
    sleep(Duration::from_secs(100)).await;
    let count = |credits| {
        let editor = LedgerEditor::open(&path).unwrap();
        editor.edit(|tx| tx.count(Credits::new(credits), looped.clock.now())).unwrap();
    };
    count(77_000);
    let received = looped.upstream.received().len();
    sleep(Duration::from_secs(120)).await;
    assert_eq!(looped.upstream.received().len(), received, "the next look is in an hour");
    assert_eq!(looped.metric("tiktok_exporter_budget_credits{window=\"balance\"}"), 77_000.0);
}

#[tokio::test(start_paused = true)]
async fn a_loop_of_crashes_spends_no_faster_than_the_budget_allows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.sqlite");
    let clock: SharedClock = Arc::new(TimerClock::starting_at(midnight()));
    let upstream = Scripted::new(Duration::from_millis(500), |query, _| well_behaved(query));
    // Four hours of a process every ten seconds that lives for five, and forgets whatever it learned.
    for _ in 0..4 * 360 {
        let store = Store::open(&path).unwrap();
        let looped = Loop::many_with(upstream.clone(), clock.clone(), store, 40, per_day(240)).await;
        sleep(Duration::from_secs(5)).await;
        looped.kill().await;
        sleep(Duration::from_secs(5)).await;
        forget_results(&path);
    }
    let spent = upstream.received().len();
    assert!((30..=60).contains(&spent), "{spent} credits in four hours, of 240 for the day");
}

/// What a process would have written that was killed before its answers came.
fn forget_results(path: &std::path::Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("DELETE FROM hashtag; DELETE FROM sample; DELETE FROM growth").unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_short_budget_stretches_posts_first_and_evenly_over_the_day() {
    // Needed: 480 for totals, 240 for posts.
    let looped = Loop::many(20, per_day(600)).await;
    sleep(DAY + DAY / 2).await;
    let stretch = looped.metric("tiktok_exporter_stretch_factor{purpose=\"posts\"}");
    assert!((1.8..2.2).contains(&stretch), "{stretch}");
    sleep(DAY / 2).await;
    let (totals, posts) = looped.counts(DAY, DAY * 2);
    assert!((470..=490).contains(&totals), "totals come as configured: {totals}");
    assert!(totals + posts <= 600 && posts >= 105, "the rest is for posts: {posts}");
    for quarter in 0..4 {
        let from = DAY + HOUR * 6 * quarter;
        let (_, posts) = looped.counts(from, from + HOUR * 6);
        assert!((20..=40).contains(&posts), "some 30 in every quarter of the day: {posts} in {quarter}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_very_short_budget_pauses_posts_and_stretches_totals() {
    let looped = Loop::many(20, per_day(240)).await;
    sleep(DAY).await;
    // The second day, when the first looks are behind.
    sleep(DAY / 2).await;
    assert_eq!(looped.metric("tiktok_exporter_stretch_factor{purpose=\"posts\"}"), f64::INFINITY);
    assert_eq!(looped.metric("tiktok_exporter_budget_credits{window=\"day\"}"), 240.0);
    let remaining = looped.metric("tiktok_exporter_budget_remaining_credits{window=\"day\"}");
    assert!((100.0..140.0).contains(&remaining), "half of the day is left: {remaining}");
    let forecast = looped.metric("tiktok_exporter_forecast_day_credits");
    assert!((230.0..=240.5).contains(&forecast), "{forecast}");
    sleep(DAY / 2).await;
    let (totals, posts) = looped.counts(DAY, DAY * 2);
    assert_eq!(posts, 0);
    assert!((225..=240).contains(&totals), "{totals}");
    for quarter in 0..4 {
        let from = DAY + HOUR * 6 * quarter;
        let (totals, _) = looped.counts(from, from + HOUR * 6);
        assert!((48..=72).contains(&totals), "some 60 in every quarter of the day: {totals} in {quarter}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_first_look_at_a_long_watchlist_does_not_spend_the_day_at_once() {
    let looped = Loop::many(400, per_day(200)).await;
    sleep(HOUR).await;
    let (first_hour, _) = looped.counts(Duration::ZERO, HOUR);
    assert!(first_hour <= 200 / 24 * 2, "{first_hour} in the first hour");
    sleep(DAY - HOUR).await;
    let (totals, posts) = looped.counts(Duration::ZERO, DAY);
    assert!((185..=200).contains(&(totals + posts)), "{totals} and {posts}");
    let (afternoon, _) = looped.counts(DAY / 2, DAY);
    assert!(afternoon >= 75, "the day's credits reach its end: {afternoon} in the second half");
}

#[tokio::test(start_paused = true)]
async fn a_spent_budget_stops_the_loop_until_midnight_and_people_may_use_the_reserve() {
    let limits = Limits { reserve: Credits::new(5), ..per_day(10_000) };
    let looped = Loop::many(5, limits).await;
    sleep(HOUR * 6).await;
    let before = looped.upstream.count();
    // Less than was already spent.
    looped.ledger.set_limits(Limits { reserve: Credits::new(5), ..per_day(before as u64 + 5) });
    sleep(HOUR * 12).await;
    assert_eq!(looped.upstream.count(), before, "nothing for the loop");
    assert_eq!(looped.metric("tiktok_exporter_spending_stopped{reason=\"day\"}"), 1.0);
    let expense = Expense { operation: Operation::SearchHashtags, purpose: Purpose::AdHoc, hashtag: None };
    for _ in 0..5 {
        let reservation = looped.ledger.reserve(expense.clone(), looped.clock.now()).await.unwrap();
        looped.ledger.settle(reservation, Settlement::Spent).await;
    }
    let denied = || looped.metric("tiktok_exporter_budget_denied_requests_total{reason=\"day\"}");
    let before_it = denied();
    assert!(looped.ledger.reserve(expense, looped.clock.now()).await.is_err(), "the reserve is spent, too");
    assert_eq!(denied(), before_it + 1.0);
    let series = "tiktok_exporter_credits_spent_total{endpoint=\"search-challenge\",purpose=\"ad_hoc\"}";
    assert_eq!(looped.metric(series), 5.0);

    sleep(HOUR * 7).await;
    let (totals, _) = looped.counts(DAY, DAY + HOUR);
    assert!((1..=10).contains(&totals), "on with the new day, without a burst: {totals}");
    assert_eq!(looped.metric("tiktok_exporter_spending_stopped{reason=\"day\"}"), 0.0);
}

#[tokio::test(start_paused = true)]
async fn few_looks_go_to_what_may_take_off_and_nobody_is_forgotten() {
    let started = tokio::time::Instant::now();
    // All gain 20 posts a day; t0 and t1 leap by 3,000 every six days.
    let upstream = Scripted::new(Duration::from_millis(500), move |query, _| {
        let days = started.elapsed().as_secs_f64() / DAY.as_secs_f64();
        let leaps = (days / 6.0).floor() * 3_000.0;
        let (name, id) = match query {
            Query::HashtagByName(hashtag) => (hashtag.to_string(), upstream::id_of(hashtag.as_str())),
            Query::HashtagById(id) => (String::new(), id.to_string()),
            query => return well_behaved(query),
        };
        let is_moody = [upstream::id_of("t0"), upstream::id_of("t1")].contains(&id);
        let posts = 1_000.0 + 20.0 * days + if is_moody { leaps } else { 0.0 };
        let name = if name.is_empty() { named(&id) } else { name };
        Reply::Json(hashtag_json(&name, (posts * 100.0) as u64))
    });
    let looped = Loop::many_on(upstream, 20, per_day(10)).await;
    sleep(DAY * 30).await;
    let before = looped.upstream.count();
    sleep(DAY * 30).await;
    let received = looped.upstream.received();
    let looks = |name: &str| -> Vec<Duration> {
        let id = upstream::id_of(name);
        // Once a month it is looked up by name.
        let about = |query: &Query| match query {
            Query::HashtagById(known) => known.as_str() == id,
            Query::HashtagByName(known) => known.as_str() == name,
            _ => false,
        };
        received[before..].iter().filter(|r| about(&r.query)).map(|r| r.at).collect()
    };
    let moody = (looks("t0").len() + looks("t1").len()) as f64 / 2.0;
    let calm = (2..20).map(|n| looks(&format!("t{n}")).len()).sum::<usize>() as f64 / 18.0;
    println!("{moody} looks at what leaps, {calm} at what does not");
    assert!(moody > 2.0 * calm, "{moody} looks at what leaps, {calm} at what does not");
    for n in 2..20 {
        let longest = looks(&format!("t{n}")).windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(longest <= DAY * 7, "#t{n} was left for {longest:?}");
    }
}

/// The name that an id of `id_of` was made from.
fn named(id: &str) -> String {
    let digits = id.as_bytes().chunks(3);
    digits.map(|three| char::from(std::str::from_utf8(three).unwrap().parse::<u8>().unwrap())).collect()
}
