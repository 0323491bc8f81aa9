//! The `/metrics` page as a scraper reads it: which series stand on it, with which labels and
//! values, and which do not.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus::TextEncoder;
use proptest::prelude::*;
use tiktok_api::{ChallengeId, Hashtag, Post, Region};
use tiktok_api::{Class, Operation};
use tiktok_exporter::discovery::{Candidate, Candidates, KeywordStats, PostCounts, Trial};

use tiktok_exporter::model::{JobKind, Keyword, PostSample, SampleStats};
use tiktok_exporter::page::{Exposition, result_families};
use tiktok_exporter::state::{
    HashtagState, KeywordRegion, KeywordState, Outcome, Refresh, Sampled, Snapshot, State,
};
use tiktok_exporter::store::Store;
use tiktok_exporter::telemetry::Telemetry;
use tiktok_exporter::{
    credits::{Ledger, Limits},
    model::Trip,
};
use units::{DAY, HOUR, Timestamp};

use crate::support::snapshot::{MAX_AGE, NOW, SetClock, known, publish, reading, stats, succeed, unknown};
use crate::support::text_format::{Page, Series};

const MILLISECOND: Duration = Duration::from_millis(1);
const MINUTE: Duration = Duration::from_secs(60);

/// The page with everything it is made from.
struct Shown {
    state: State,
    clock: Arc<SetClock>,
    telemetry: Arc<Telemetry>,
    exposition: Exposition,
}

impl Shown {
    fn new(hashtags: impl IntoIterator<Item = HashtagState>) -> Self {
        let (state, clock) = (State::default(), SetClock::at(NOW));
        let telemetry = Arc::new(Telemetry::new().unwrap());
        let store = Arc::new(Store::in_memory().unwrap());
        let ledger = Arc::new(Ledger::open(store, Limits::default(), NOW).unwrap());
        let exposition = Exposition::new(state.clone(), ledger, clock.clone(), telemetry.clone());
        publish(&state, hashtags);
        Self { state, clock, telemetry, exposition }
    }

    fn text(&self) -> String {
        self.exposition.encode().unwrap()
    }

    fn page(&self) -> Page {
        Page::parse(&self.text()).unwrap()
    }

    /// Every result, by series.
    fn results(&self) -> BTreeMap<String, f64> {
        self.page().starting_with("tiktok_hashtag_")
    }
}

fn expected<const N: usize>(samples: [(&str, f64); N]) -> BTreeMap<String, f64> {
    samples.into_iter().map(|(series, value)| (series.to_owned(), value)).collect()
}

/// Compares line by line, so that a failure shows the lines that differ and no others.
#[track_caller]
fn assert_same(got: &BTreeMap<String, f64>, want: &BTreeMap<String, f64>) {
    let lines = |samples: &BTreeMap<String, f64>| -> BTreeSet<String> {
        samples.iter().map(|(series, value)| format!("{series} {value:?}")).collect()
    };
    let (got, want) = (lines(got), lines(want));
    let only = |one: &BTreeSet<String>, other: &BTreeSet<String>| -> Vec<String> {
        one.difference(other).cloned().collect()
    };
    let (missing, surplus) = (only(&want, &got), only(&got, &want));
    assert!(missing.is_empty() && surplus.is_empty(), "missing: {missing:#?}\nsurplus: {surplus:#?}");
}

fn post(age: Duration, region: Option<&str>, [plays, likes, comments, shares, saves]: [u64; 5]) -> Post {
    Post {
        created_at: Some(NOW - age),
        region: region.map(|code| Region::parse(code).unwrap()),
        plays: Some(plays),
        likes: Some(likes),
        comments: Some(comments),
        shares: Some(shares),
        saves: Some(saves),
        ..Post::default()
    }
}

/// One hashtag of which everything is known, in two regions: a full sample and a saturated one.
fn filled() -> HashtagState {
    let in_us = PostSample {
        posts: vec![
            post(HOUR, Some("US"), [1_000, 100, 10, 10, 5]),
            post(HOUR * 12, Some("US"), [3_000, 200, 20, 10, 5]),
            post(DAY * 2, Some("GB"), [6_000, 300, 30, 15, 10]),
            post(DAY * 6, None, [10_000, 0, 0, 0, 0]),
            post(DAY * 10, Some("US"), [5_000, 400, 40, 25, 20]),
        ],
        pages: 2,
        ..PostSample::default()
    };
    let anywhere = PostSample {
        posts: vec![post(HOUR, Some("US"), [0, 7, 0, 0, 0])],
        pages: 1,
        ..PostSample::default()
    };

    let mut state = unknown("BookTok", "books", &["any", "US"]);
    state.id = ChallengeId::parse("1585692").ok();
    state.found = Some(true);
    state.commerce = Some(false);
    state.posts = Some(reading(NOW - HOUR, &[1_820_000_000, 1_825_300_000, 0]));
    state.views = Some(reading(NOW - HOUR, &[68_000_000_000_001, 68_000_000_000_000]));
    succeed(&mut state.refresh, Timestamp::from_millis(1_799_996_400_250));
    for (region, sample) in state.regions.iter_mut().zip([anywhere, in_us]) {
        region.sample = Some(Sampled::new(NOW - HOUR, &sample.stats(region.region, NOW)));
        succeed(&mut region.refresh, NOW - HOUR * 2);
    }
    state
}

/// The other tests lean on this: what the reader accepts, a scraper reads in one way only.
#[test]
fn the_reader_refuses_what_a_scraper_might_drop_or_misread() {
    let head = "# HELP a Help.\n# TYPE a gauge\n";
    for (samples, problem) in [
        ("a 1 1800000000000\n", "not one number"),
        ("a 1", "no end"),
        ("a  1\n", "not one number"),
        ("a{b=\"c\"} 1\na{b=\"c\"} 2\n", "on the page already"),
        ("a{b=\"c\",b=\"d\"} 1\n", "twice"),
        ("a{b=\"c\"d\"} 1\n", "neither , nor }"),
        ("a{b=\"c\nd\"} 1\n", "without an end"),
        ("a{b=\"c\\d\"} 1\n", "unknown escape"),
        ("a{1=\"c\"} 1\n", "not the name of a label"),
        ("b 1\n", "among those of a"),
        ("a_sum 1\n", "among those of a"),
        ("# TYPE b gauge\n", "without HELP"),
        ("# HELP a Help.\n# TYPE a gauge\n", "second declaration"),
    ] {
        let said = Page::parse(&format!("{head}{samples}")).unwrap_err();
        assert!(said.contains(problem), "{samples:?}: {said}");
    }
    let page = Page::parse(&format!("{head}a{{b=\"\\\"\\\\\\n,}}\"}} +Inf\n")).unwrap();
    let (series, value) = page.samples().next().unwrap();
    assert_eq!((series.label("b"), *value), ("\"\\\n,}", f64::INFINITY));
}

#[test]
fn everything_known_is_shown_with_its_labels_and_exact_values() {
    // Steps: 1,820,000,000 and 1,825,300,000 share a step of 100,000 (a zero tells nothing);
    // 68,000,000,000,001 is exact.
    // US: 2 posts within 24 hours, 4 within 7 days, 5 in all. Velocity 2 ÷ (4 ÷ 7) = 3.5; mean plays of
    // the two 2,000, so weighted 7,000. Plays 1,000 + 3,000 + 6,000 + 10,000 + 5,000 = 25,000; likes
    // 1,000, comments 100, shares 60, saves 40, together 1,200; 1,200 ÷ 25,000 = 0.048. Oldest post ten
    // days = 864,000 s. Three of five posts are from the US.
    // any: its single post makes 1 ÷ (1 ÷ 7) = 7; no plays, so no ratio and a weight of 0; there is
    // more and an hour is not seven days, so it is saturated; no region was asked for.
    let want = expected([
        (r#"tiktok_hashtag_posts{hashtag="booktok"}"#, 1_820_000_000.0),
        (r#"tiktok_hashtag_posts_resolution{hashtag="booktok"}"#, 100_000.0),
        (r#"tiktok_hashtag_views{hashtag="booktok"}"#, 68_000_000_000_001.0),
        (r#"tiktok_hashtag_views_resolution{hashtag="booktok"}"#, 1.0),
        (
            r#"tiktok_hashtag_info{challenge_id="1585692",commerce="false",group="books",hashtag="booktok"}"#,
            1.0,
        ),
        (r#"tiktok_hashtag_up{hashtag="booktok"}"#, 1.0),
        (r#"tiktok_hashtag_found{hashtag="booktok"}"#, 1.0),
        (r#"tiktok_hashtag_last_success_timestamp_seconds{hashtag="booktok"}"#, 1_799_996_400.25),
        (r#"tiktok_hashtag_refresh_interval_seconds{hashtag="booktok"}"#, 21_600.0),
        (r#"tiktok_hashtag_sample_velocity{hashtag="booktok",region="US"}"#, 3.5),
        (r#"tiktok_hashtag_engagement_weighted_velocity{hashtag="booktok",region="US"}"#, 7_000.0),
        (r#"tiktok_hashtag_sample_posts{hashtag="booktok",region="US",window="24h"}"#, 2.0),
        (r#"tiktok_hashtag_sample_posts{hashtag="booktok",region="US",window="7d"}"#, 4.0),
        (r#"tiktok_hashtag_sample_posts{hashtag="booktok",region="US",window="all"}"#, 5.0),
        (r#"tiktok_hashtag_sample_plays{hashtag="booktok",region="US"}"#, 25_000.0),
        (r#"tiktok_hashtag_sample_likes{hashtag="booktok",region="US"}"#, 1_000.0),
        (r#"tiktok_hashtag_sample_comments{hashtag="booktok",region="US"}"#, 100.0),
        (r#"tiktok_hashtag_sample_shares{hashtag="booktok",region="US"}"#, 60.0),
        (r#"tiktok_hashtag_sample_saves{hashtag="booktok",region="US"}"#, 40.0),
        (r#"tiktok_hashtag_sample_engagement_ratio{hashtag="booktok",region="US"}"#, 0.048),
        (r#"tiktok_hashtag_sample_saturated{hashtag="booktok",region="US"}"#, 0.0),
        (r#"tiktok_hashtag_sample_oldest_post_age_seconds{hashtag="booktok",region="US"}"#, 864_000.0),
        (r#"tiktok_hashtag_sample_pages{hashtag="booktok",region="US"}"#, 2.0),
        (r#"tiktok_hashtag_sample_region_match_ratio{hashtag="booktok",region="US"}"#, 0.6),
        (r#"tiktok_hashtag_sample_up{hashtag="booktok",region="US"}"#, 1.0),
        (
            r#"tiktok_hashtag_sample_last_success_timestamp_seconds{hashtag="booktok",region="US"}"#,
            1_799_992_800.0,
        ),
        (r#"tiktok_hashtag_sample_refresh_interval_seconds{hashtag="booktok",region="US"}"#, 86_400.0),
        (r#"tiktok_hashtag_sample_velocity{hashtag="booktok",region="any"}"#, 7.0),
        (r#"tiktok_hashtag_engagement_weighted_velocity{hashtag="booktok",region="any"}"#, 0.0),
        (r#"tiktok_hashtag_sample_posts{hashtag="booktok",region="any",window="24h"}"#, 1.0),
        (r#"tiktok_hashtag_sample_posts{hashtag="booktok",region="any",window="7d"}"#, 1.0),
        (r#"tiktok_hashtag_sample_posts{hashtag="booktok",region="any",window="all"}"#, 1.0),
        (r#"tiktok_hashtag_sample_plays{hashtag="booktok",region="any"}"#, 0.0),
        (r#"tiktok_hashtag_sample_likes{hashtag="booktok",region="any"}"#, 7.0),
        (r#"tiktok_hashtag_sample_comments{hashtag="booktok",region="any"}"#, 0.0),
        (r#"tiktok_hashtag_sample_shares{hashtag="booktok",region="any"}"#, 0.0),
        (r#"tiktok_hashtag_sample_saves{hashtag="booktok",region="any"}"#, 0.0),
        (r#"tiktok_hashtag_sample_saturated{hashtag="booktok",region="any"}"#, 1.0),
        (r#"tiktok_hashtag_sample_oldest_post_age_seconds{hashtag="booktok",region="any"}"#, 3_600.0),
        (r#"tiktok_hashtag_sample_pages{hashtag="booktok",region="any"}"#, 1.0),
        (r#"tiktok_hashtag_sample_up{hashtag="booktok",region="any"}"#, 1.0),
        (
            r#"tiktok_hashtag_sample_last_success_timestamp_seconds{hashtag="booktok",region="any"}"#,
            1_799_992_800.0,
        ),
        (r#"tiktok_hashtag_sample_refresh_interval_seconds{hashtag="booktok",region="any"}"#, 86_400.0),
    ]);
    assert_same(&Shown::new([filled()]).results(), &want);
}

#[test]
fn what_is_not_known_is_absent_and_never_zero() {
    let failed =
        |outcome| Refresh { interval: HOUR * 6, last: Some((NOW - HOUR, outcome)), ..Refresh::default() };
    for (note, totals, posts, more) in [
        (
            "before the first look",
            Refresh { interval: HOUR * 6, ..Refresh::default() },
            Refresh::default(),
            vec![],
        ),
        (
            "after failures alone",
            failed(Outcome::Failed),
            failed(Outcome::Failed),
            vec![("tiktok_hashtag_up", ""), ("tiktok_hashtag_sample_up", r#",region="US""#)],
        ),
        (
            "never found",
            failed(Outcome::NotFound),
            Refresh::default(),
            vec![("tiktok_hashtag_up", ""), ("tiktok_hashtag_found", "")],
        ),
    ] {
        let mut state = unknown("quiet", "default", &["US"]);
        let posts_interval = posts.interval.as_secs_f64();
        (state.refresh, state.regions[0].refresh) = (totals, posts);
        state.found = (note == "never found").then_some(false);
        let mut want = expected([
            (
                r#"tiktok_hashtag_info{challenge_id="",commerce="unknown",group="default",hashtag="quiet"}"#,
                1.0,
            ),
            (r#"tiktok_hashtag_refresh_interval_seconds{hashtag="quiet"}"#, 21_600.0),
            (
                r#"tiktok_hashtag_sample_refresh_interval_seconds{hashtag="quiet",region="US"}"#,
                posts_interval,
            ),
        ]);
        for (name, region) in more {
            want.insert(format!(r#"{name}{{hashtag="quiet"{region}}}"#), 0.0);
        }
        println!("{note}");
        assert_same(&Shown::new([state]).results(), &want);
    }
}

#[test]
fn figures_that_no_post_gives_are_absent_and_never_zero() {
    let silent = Post { plays: None, saves: None, ..post(HOUR, None, [0, 100, 10, 0, 0]) };
    for (posts, absent) in [
        (
            vec![silent],
            ["sample_plays", "sample_saves", "sample_engagement_ratio", "engagement_weighted_velocity"]
                .as_slice(),
        ),
        (vec![], &["sample_engagement_ratio", "sample_oldest_post_age_seconds", "sample_region_match_ratio"]),
    ] {
        let mut state = filled();
        let all: BTreeSet<String> = Shown::new([state.clone()]).results().into_keys().collect();
        let sample = PostSample { posts, pages: 1, exhausted: true, ..PostSample::default() };
        let us = &mut state.regions[1];
        us.sample = Some(Sampled::new(NOW, &sample.stats(us.region, NOW)));
        let left: BTreeSet<String> = Shown::new([state]).results().into_keys().collect();
        let gone: BTreeSet<String> = all.difference(&left).cloned().collect();
        let series = |name: &&str| format!(r#"tiktok_hashtag_{name}{{hashtag="booktok",region="US"}}"#);
        assert_eq!(gone, absent.iter().map(series).collect());
    }
}

#[test]
fn a_failure_leaves_the_last_good_values_and_says_so() {
    let good = filled();
    let mut failing = good.clone();
    failing.refresh.last = Some((NOW, Outcome::Failed));
    failing.regions[1].refresh.last = Some((NOW, Outcome::Failed));

    let mut want = Shown::new([good]).results();
    want.insert(r#"tiktok_hashtag_up{hashtag="booktok"}"#.to_owned(), 0.0);
    want.insert(r#"tiktok_hashtag_sample_up{hashtag="booktok",region="US"}"#.to_owned(), 0.0);
    assert_eq!(
        want.get(r#"tiktok_hashtag_found{hashtag="booktok"}"#),
        Some(&1.0),
        "a failure is not an absence"
    );
    assert_same(&Shown::new([failing]).results(), &want);
}

#[test]
fn a_hashtag_that_is_gone_is_not_found() {
    let mut gone = filled();
    gone.found = Some(false);
    // A failure after that says nothing new.
    for outcome in [Outcome::NotFound, Outcome::Failed] {
        gone.refresh.last = Some((NOW, outcome));
        let results = Shown::new([gone.clone()]).results();
        for name in ["tiktok_hashtag_found", "tiktok_hashtag_up"] {
            assert_eq!(
                results.get(&format!(r#"{name}{{hashtag="booktok"}}"#)),
                Some(&0.0),
                "{name}, {outcome:?}"
            );
        }
    }
}

#[test]
fn a_value_stays_until_it_is_exactly_too_old() {
    let series = |at: Timestamp, posts_at: Timestamp| -> BTreeSet<String> {
        let mut state = known("old", "default", &["US"], 500, at);
        state.posts = Some(reading(posts_at, &[5]));
        Shown::new([state]).results().into_keys().collect()
    };
    let all = series(NOW, NOW);
    let lasting: BTreeSet<String> = [
        r#"tiktok_hashtag_info{challenge_id="",commerce="unknown",group="default",hashtag="old"}"#,
        r#"tiktok_hashtag_up{hashtag="old"}"#,
        r#"tiktok_hashtag_found{hashtag="old"}"#,
        r#"tiktok_hashtag_last_success_timestamp_seconds{hashtag="old"}"#,
        r#"tiktok_hashtag_refresh_interval_seconds{hashtag="old"}"#,
        r#"tiktok_hashtag_sample_up{hashtag="old",region="US"}"#,
        r#"tiktok_hashtag_sample_last_success_timestamp_seconds{hashtag="old",region="US"}"#,
        r#"tiktok_hashtag_sample_refresh_interval_seconds{hashtag="old",region="US"}"#,
    ]
    .map(str::to_owned)
    .into();
    let mut all_but_posts = all.clone();
    all_but_posts.retain(|series| !series.starts_with("tiktok_hashtag_posts"));
    assert_eq!(all_but_posts.len(), all.len() - 2, "the posts and their resolution");

    let mut undated = lasting.clone();
    undated.retain(|series| !series.contains("last_success"));
    assert_eq!(undated.len(), lasting.len() - 2, "when it succeeded, of the totals and of the posts");

    let limit = NOW - MAX_AGE;
    let older = limit - MILLISECOND;
    for (note, at, posts_at, want) in [
        ("as old as may be", limit, limit, &all),
        ("a millisecond older", older, older, &lasting),
        ("only the posts too old", limit, older, &all_but_posts),
        ("by a clock a minute ahead", NOW + MINUTE, NOW + MINUTE, &all),
        ("of unknown age", NOW + MINUTE + MILLISECOND, NOW + MINUTE + MILLISECOND, &undated),
    ] {
        assert_eq!(series(at, posts_at), *want, "{note}");
    }
}

#[test]
fn a_value_grows_too_old_between_two_looks_without_a_new_snapshot() {
    let shown = Shown::new([known("old", "default", &["US"], 500, NOW)]);
    let views = r#"tiktok_hashtag_views{hashtag="old"}"#;
    let velocity = r#"tiktok_hashtag_sample_velocity{hashtag="old",region="US"}"#;
    for (later, there) in [(Duration::ZERO, true), (MAX_AGE, true), (MAX_AGE + MILLISECOND, false)] {
        shown.clock.set(NOW + later);
        let results = shown.results();
        for series in [views, velocity] {
            assert_eq!(results.contains_key(series), there, "{series} after {later:?}");
        }
    }
}

#[test]
fn what_is_no_longer_watched_is_gone_with_the_next_snapshot() {
    let known = |name, regions: &[&str]| known(name, "default", regions, 500, NOW);
    let shown = Shown::new([known("leaves", &["US"]), known("stays", &["GB", "US"])]);
    publish(&shown.state, [known("stays", &["GB"])]);
    let page = shown.page();
    let left: Vec<String> = page
        .samples()
        .map(|(series, _)| series)
        .filter(|series| series.label("hashtag") == "leaves" || series.label("region") == "US")
        .map(Series::to_string)
        .collect();
    assert_eq!(left, Vec::<String>::new());
    assert_eq!(shown.results().get(r#"tiktok_hashtag_views{hashtag="stays"}"#), Some(&500.0));
    assert_eq!(page.starting_with("tiktok_exporter_jobs{").values().sum::<f64>(), 2.0);
}

#[test]
fn a_page_is_of_one_generation() {
    const HASHTAGS: u64 = 100;
    let generation =
        |number: u64| (0..HASHTAGS).map(move |n| known(&format!("t{n}"), "default", &[], 100 * number, NOW));
    let shown = Shown::new(generation(1));
    let enough = AtomicBool::new(false);
    let pages: Vec<Page> = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 1;
            while !enough.load(Ordering::Relaxed) {
                number += 1;
                publish(&shown.state, generation(number));
            }
        });
        let pages = (0..50).map(|_| shown.page()).collect();
        enough.store(true, Ordering::Relaxed);
        pages
    });
    for page in pages {
        // Views are a hundred times the posts, and the posts are the number of the generation.
        let mut numbers: BTreeSet<u64> = BTreeSet::new();
        numbers.extend(page.starting_with("tiktok_hashtag_posts{").values().map(|posts| *posts as u64));
        numbers.extend(page.starting_with("tiktok_hashtag_views{").values().map(|views| *views as u64 / 100));
        assert_eq!(numbers.len(), 1, "generations {numbers:?} on one page");
    }
}

/// Hashtags with these names, each with its group and a count of views.
fn named(names: &[(Hashtag, String, u64)]) -> Vec<HashtagState> {
    let state = |(hashtag, group, views): &(Hashtag, String, u64)| {
        let mut state = known("x", group, &["US"], *views, NOW);
        state.hashtag = hashtag.clone();
        state
    };
    names.iter().map(state).collect()
}

/// Fails unless the page says exactly these names, groups and views, each once.
fn check_round_trip(names: &[(Hashtag, String, u64)]) -> Result<(), String> {
    let page = Page::parse(&Shown::new(named(names)).text())?;
    let labels =
        |family: &str, read: &dyn Fn(&Series, f64) -> (String, String)| -> BTreeSet<(String, String)> {
            page.family(family).map_or_else(BTreeSet::new, |family| {
                family.samples.iter().map(|(series, value)| read(series, *value)).collect()
            })
        };
    let hashtag = |series: &Series| series.label("hashtag").to_owned();
    let text = |hashtag: &Hashtag| hashtag.as_str().to_owned();
    for (family, got, want) in [
        (
            "info",
            labels("tiktok_hashtag_info", &|series, _| (hashtag(series), series.label("group").to_owned())),
            names.iter().map(|(name, group, _)| (text(name), group.clone())).collect::<BTreeSet<_>>(),
        ),
        (
            "views",
            labels("tiktok_hashtag_views", &|series, value| (hashtag(series), value.to_string())),
            names.iter().map(|(name, _, views)| (text(name), (*views as f64).to_string())).collect(),
        ),
        (
            "velocity",
            labels("tiktok_hashtag_sample_velocity", &|series, value| (hashtag(series), value.to_string())),
            names.iter().map(|(name, ..)| (text(name), "1.5".to_owned())).collect(),
        ),
    ] {
        if got != want {
            return Err(format!("{family}: {got:?} instead of {want:?}"));
        }
    }
    Ok(())
}

#[test]
fn labels_from_outside_come_back_as_they_were() {
    let texts = [
        r#"quo"ted"#,
        r"back\slash",
        r#"both\""#,
        r"ends\",
        r"\n",
        "two\nlines",
        "carriage\rreturn",
        "</script><script>alert(1)</script>",
        r#"x"}_1"#,
        r#"a="b",c="d"} 5"#,
        "🔥👩‍👩‍👧",
        "日本",
        "مرحبا",
        "{}",
        "# TYPE x counter",
        "",
    ];
    let mut names: Vec<(Hashtag, String, u64)> = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        let hashtag = Hashtag::parse(text).or_else(|_| Hashtag::parse(&format!("plain{number}")));
        names.push((hashtag.unwrap(), (*text).to_owned(), number as u64));
    }
    check_round_trip(&names).unwrap();
}

#[test]
fn label_values_that_look_alike_when_run_together_stay_two_series() {
    let mut states = Vec::new();
    for (name, id) in [("dance1", "234567"), ("dance", "1234567")] {
        let mut state = known(name, "", &[], 700, NOW);
        state.id = ChallengeId::parse(id).ok();
        states.push(state);
    }
    let info: Vec<String> =
        Shown::new(states).page().starting_with("tiktok_hashtag_info").into_keys().collect();
    assert_eq!(
        info,
        [
            r#"tiktok_hashtag_info{challenge_id="1234567",commerce="unknown",group="",hashtag="dance"}"#,
            r#"tiktok_hashtag_info{challenge_id="234567",commerce="unknown",group="",hashtag="dance1"}"#,
        ]
    );
}

/// Any text, with the characters that could break out of a label far more often than by chance.
fn wild_text() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        3 => any::<char>(),
        3 => prop::sample::select(vec!['"', '\\', '\n', '\r', '{', '}', ',', '=', ' ', '#', '<', 'n', '🔥', '\u{202E}']),
        1 => prop::char::range('a', 'e'),
    ];
    prop::collection::vec(character, 0..12).prop_map(String::from_iter)
}

fn wild_name() -> impl Strategy<Value = (Hashtag, String, u64)> {
    let hashtag = wild_text().prop_filter_map("not a hashtag", |text| Hashtag::parse(&text).ok());
    (hashtag, wild_text(), any::<u64>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Whatever a hashtag or a group is called, the page can be read, says every one of them once,
    /// and puts the right value to it. (The reader refuses a series that comes twice.)
    #[test]
    fn any_label_round_trips(names in prop::collection::vec(wild_name(), 1..6)) {
        let distinct: BTreeMap<Hashtag, (Hashtag, String, u64)> =
            names.into_iter().map(|entry| (entry.0.clone(), entry)).collect();
        let names: Vec<_> = distinct.into_values().collect();
        prop_assert_eq!(check_round_trip(&names), Ok(()));
    }
}

/// Hashtags with wild names, groups, ids and figures.
fn wild_state() -> impl Strategy<Value = HashtagState> {
    let number = prop_oneof![any::<f64>(), 0.0..7.0, Just(f64::INFINITY), Just(-0.0), 1e-12..1e-3];
    let count = prop_oneof![Just(None), any::<u64>().prop_map(Some), (0..10_000_u64).prop_map(Some)];
    let id = prop::option::of(any::<u64>().prop_map(|id| ChallengeId::parse(&id.to_string()).unwrap()));
    (wild_name(), id, number, count, -200_000_i64..200_000).prop_map(
        |((hashtag, group, views), id, number, count, age)| {
            let mut state = known("x", &group, &["US", "any", "DE"], views, NOW);
            (state.hashtag, state.id) = (hashtag, id);
            state.views = Some(reading(NOW - Duration::from_secs(age.unsigned_abs()), &[views]));
            state.refresh.last_success = Some(Timestamp::from_millis(NOW.as_millis() + age));
            let sample = SampleStats {
                velocity: number,
                plays: count,
                engagement_ratio: count.map(|_| number),
                ..stats()
            };
            state.regions[0].sample = Some(Sampled::new(NOW, &sample));
            state
        },
    )
}

/// Keywords with wild names, candidates, trials and figures.
fn wild_keyword() -> impl Strategy<Value = KeywordState> {
    let keyword = wild_text().prop_filter_map("not a keyword", |text| Keyword::parse(&text).ok());
    let count = || prop_oneof![any::<Option<u64>>(), (0..10_000_u64).prop_map(Some)];
    let candidates =
        prop::collection::btree_map(wild_name().prop_map(|(name, ..)| name), (count(), count()), 0..4);
    let age = || -200_000_i64..200_000;
    (keyword, candidates, (count(), count(), any::<bool>()), (age(), age(), age())).prop_map(
        |(keyword, found, (plays_24h, plays_7d, saturated), (found_at, taken_at, since))| {
            let at = |age: i64| NOW - HOUR + Duration::from_secs(age.unsigned_abs());
            let trial = |hashtag: &Hashtag| Trial {
                keyword: keyword.clone(),
                hashtag: hashtag.clone(),
                since: at(since),
                refreshed_at: None,
                active_at: None,
                post_counts: PostCounts::default(),
            };
            let trials = found.keys().take(2).map(|hashtag| (trial(hashtag), at(taken_at))).collect();
            let candidate = |(hashtag, (posts, views))| Candidate { hashtag, posts, views, growth: None };
            let candidates: Vec<Candidate> = found.into_iter().map(candidate).collect();
            let mut refresh = Refresh { interval: HOUR, ..Refresh::default() };
            succeed(&mut refresh, at(found_at));
            let stats =
                KeywordStats { posts_24h: 3, posts_7d: u64::MAX, plays_24h, plays_7d, saturated, pages: 1 };
            let region = |code| KeywordRegion {
                region: Region::parse_label(code).unwrap(),
                sample: Some((at(taken_at), stats.clone())),
                refresh,
            };
            KeywordState {
                max_age: MAX_AGE,
                found: Some(Candidates { at: at(found_at), all: candidates.clone() }),
                // The largest first: not in the order of the page.
                candidates: candidates.into_iter().rev().collect(),
                refresh,
                regions: ["any", "DE", "US"].map(region).into(),
                trials,
                keyword,
            }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// The reference is the prometheus crate's own encoder. What a real Prometheus makes of such a page
    /// is tested with the scrape.
    #[test]
    fn the_page_is_written_as_the_reference_writes_it(
        states in prop::collection::vec(wild_state(), 0..5),
        keywords in prop::collection::vec(wild_keyword(), 0..3),
    ) {
        let hashtags: BTreeMap<Hashtag, HashtagState> =
            states.into_iter().map(|state| (state.hashtag.clone(), state)).collect();
        let keywords: BTreeMap<Keyword, KeywordState> =
            keywords.into_iter().map(|state| (state.keyword.clone(), state)).collect();
        // As the poller publishes them.
        let sorted = |mut state: HashtagState| {
            state.regions.sort_by_key(|region| region.region);
            Arc::new(state)
        };
        let snapshot = Snapshot {
            made_at: NOW,
            hashtags: hashtags.into_values().map(sorted).collect(),
            keywords: keywords.into_values().map(Arc::new).collect(),
        };
        let mut families = result_families(&snapshot, NOW);
        families.sort_by(|a, b| a.name().cmp(b.name()));
        let want = TextEncoder::new().encode_to_string(&families).unwrap();

        let shown = Shown::new([]);
        shown.state.publish(snapshot);
        let page = shown.text();
        let results = ["# HELP tiktok_hashtag_", "# HELP tiktok_keyword_"].map(|first| page.find(first));
        let results = results.into_iter().flatten().min().unwrap_or(page.len());
        prop_assert_eq!(&page[results..], want);
    }
}

#[test]
fn numbers_at_their_extremes_come_back() {
    for count in [0, 1, (1 << 53) + 1, u64::MAX - 1, u64::MAX] {
        for number in [0.0, 5e-324, 1e-300, 0.1 + 0.2, 1e21, f64::MAX] {
            let mut state = known("far", "default", &["US"], 0, NOW);
            state.posts = Some(reading(NOW, &[count]));
            let sample = SampleStats {
                velocity: number,
                engagement_weighted_velocity: Some(number),
                plays: Some(count),
                engagement_ratio: Some(number),
                pages: u32::MAX,
                ..stats()
            };
            state.regions[0].sample = Some(Sampled::new(NOW, &sample));
            let results = Shown::new([state]).results();
            let of_region = r#"{hashtag="far",region="US"}"#;
            for (series, want) in [
                (r#"tiktok_hashtag_posts{hashtag="far"}"#.to_owned(), count as f64),
                (format!("tiktok_hashtag_sample_plays{of_region}"), count as f64),
                (format!("tiktok_hashtag_sample_velocity{of_region}"), number),
                (format!("tiktok_hashtag_engagement_weighted_velocity{of_region}"), number),
                (format!("tiktok_hashtag_sample_engagement_ratio{of_region}"), number),
                (format!("tiktok_hashtag_sample_pages{of_region}"), 4_294_967_295.0),
            ] {
                assert_eq!(results.get(&series), Some(&want), "{series}");
            }
        }
    }
}

#[test]
fn jobs_are_counted_by_kind_and_by_how_late_they_are() {
    // Totals run every 6 hours, so they are overdue after 36 minutes; posts daily: after 144.
    let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
    for (note, totals_due, posts_due, [totals_due_count, totals_overdue, posts_due_count, posts_overdue]) in [
        ("waits for something else than time", None, None, [0.0; 4]),
        ("not yet", Some(NOW + MILLISECOND), Some(NOW + DAY), [0.0; 4]),
        ("now", Some(NOW), Some(NOW), [1.0, 0.0, 1.0, 0.0]),
        ("a tenth late", Some(NOW - minutes(36)), Some(NOW - minutes(144)), [1.0, 0.0, 1.0, 0.0]),
        ("later", Some(NOW - minutes(36) - MILLISECOND), Some(NOW - minutes(144)), [1.0, 1.0, 1.0, 0.0]),
        ("all late", Some(NOW - DAY), Some(NOW - minutes(144) - MILLISECOND), [1.0, 1.0, 1.0, 1.0]),
    ] {
        let mut state = unknown("due", "default", &["US"]);
        state.refresh.next_due = totals_due;
        state.regions[0].refresh.next_due = posts_due;
        let idle = unknown("idle", "default", &["GB", "US"]);
        println!("{note}");
        assert_same(
            &Shown::new([state, idle]).page().starting_with("tiktok_exporter_jobs"),
            &expected([
                (r#"tiktok_exporter_jobs{kind="totals"}"#, 2.0),
                (r#"tiktok_exporter_jobs{kind="posts"}"#, 3.0),
                (r#"tiktok_exporter_jobs_due{kind="totals"}"#, totals_due_count),
                (r#"tiktok_exporter_jobs_due{kind="posts"}"#, posts_due_count),
                (r#"tiktok_exporter_jobs_overdue{kind="totals"}"#, totals_overdue),
                (r#"tiktok_exporter_jobs_overdue{kind="posts"}"#, posts_overdue),
                (r#"tiktok_exporter_jobs{kind="discovery"}"#, 0.0),
                (r#"tiktok_exporter_jobs_due{kind="discovery"}"#, 0.0),
                (r#"tiktok_exporter_jobs_overdue{kind="discovery"}"#, 0.0),
            ]),
        );
    }
}

const ENDPOINTS: [&str; 6] = [
    "challenge-info-name",
    "challenge-info-id",
    "challenge-posts",
    "search-challenge",
    "search-video",
    "region-list",
];

#[test]
fn every_label_value_that_is_known_beforehand_starts_at_zero() {
    let outcomes =
        ["success", "auth", "credits_exhausted", "throttled", "not_found", "transient", "malformed"];
    let mut want = BTreeMap::new();
    let mut zero = |series: String| want.insert(series, 0.0);
    for endpoint in ENDPOINTS {
        for outcome in outcomes {
            zero(format!(
                r#"tiktok_exporter_upstream_requests_total{{endpoint="{endpoint}",outcome="{outcome}"}}"#
            ));
        }
        for name in ["upstream_retries_total", "cache_queries_total", "cache_hits_total"] {
            zero(format!(r#"tiktok_exporter_{name}{{endpoint="{endpoint}"}}"#));
        }
        let duration = "tiktok_exporter_upstream_request_duration_seconds";
        for part in ["sum", "count"] {
            zero(format!(r#"{duration}_{part}{{endpoint="{endpoint}"}}"#));
        }
        for le in ["0.05", "0.1", "0.25", "0.5", "0.75", "1", "1.5", "2.5", "5", "15", "+Inf"] {
            zero(format!(r#"{duration}_bucket{{endpoint="{endpoint}",le="{le}"}}"#));
        }
    }
    for reason in ["auth", "credits_exhausted"] {
        zero(format!(r#"tiktok_exporter_upstream_breaker_open{{reason="{reason}"}}"#));
    }
    for kind in ["totals", "posts", "discovery"] {
        for outcome in ["success", "not_found", "failed"] {
            zero(format!(r#"tiktok_exporter_refreshes_total{{kind="{kind}",outcome="{outcome}"}}"#));
        }
        for name in ["jobs", "jobs_due", "jobs_overdue"] {
            zero(format!(r#"tiktok_exporter_{name}{{kind="{kind}"}}"#));
        }
    }
    for endpoint in ENDPOINTS {
        for purpose in ["ad_hoc", "totals", "posts", "discovery"] {
            zero(format!(
                r#"tiktok_exporter_credits_spent_total{{endpoint="{endpoint}",purpose="{purpose}"}}"#
            ));
        }
    }
    for reason in ["day", "month", "balance", "ledger", "clock"] {
        for name in ["budget_denied_requests_total", "spending_stopped"] {
            zero(format!(r#"tiktok_exporter_{name}{{reason="{reason}"}}"#));
        }
    }
    for reason in [
        "too_many_clients",
        "too_many_requests",
        "rate_limit",
        "plain_http",
        "tls_handshake",
        "client_certificate",
        "no_credentials",
        "wrong_credentials",
        "cross_site",
        "too_large",
    ] {
        zero(format!(r#"tiktok_exporter_web_refused_total{{reason="{reason}"}}"#));
    }
    for window in ["day", "month", "balance"] {
        zero(format!(r#"tiktok_exporter_budget_spent_credits{{window="{window}"}}"#));
    }
    for name in [
        "budget_reserve_credits",
        "credits_unsettled",
        "credits_unsettled_at_start",
        "forecast_day_credits",
        "store_errors_total",
        "upstream_paused_until_timestamp_seconds",
        "simulated_data",
        "config_last_reload_successful",
        "config_last_reload_success_timestamp_seconds",
    ] {
        zero(format!("tiktok_exporter_{name}{{}}"));
    }
    // No web configuration file is used, so what is in force is as it should be.
    want.insert("tiktok_exporter_web_config_last_reload_successful{}".to_owned(), 1.0);
    let mut got = Shown::new([]).page().starting_with("tiktok_exporter_");
    let build: Vec<_> =
        got.extract_if(.., |series, _| series.starts_with("tiktok_exporter_build_info")).collect();
    let stretch: Vec<_> =
        got.extract_if(.., |series, _| series.starts_with("tiktok_exporter_stretch_factor")).collect();
    assert_eq!(stretch.len(), 3, "{stretch:?}");
    assert!(stretch.iter().all(|(_, factor)| *factor == 1.0), "nothing is stretched yet: {stretch:?}");
    assert_same(&got, &want);
    let [(series, 1.0)] = build.as_slice() else { panic!("build_info: {build:?}") };
    for label in ["arch", "os", "version"] {
        assert!(series.contains(&format!("{label}=\"")), "{series} lacks {label}");
    }
}

#[test]
fn what_happened_is_counted_where_it_happened() {
    let shown = Shown::new([]);
    let before = shown.page().starting_with("tiktok_exporter_");
    let (telemetry, api) = (&shown.telemetry, shown.state.api());
    let half = Duration::from_millis(500);
    telemetry.request_finished(Operation::Posts, Ok(()), half);
    telemetry.request_finished(Operation::Posts, Ok(()), half * 4);
    telemetry.request_finished(Operation::Posts, Err(Class::Throttled), half * 60);
    telemetry.request_retried(Operation::Posts);
    telemetry.cache_queried(Operation::HashtagById, true);
    telemetry.cache_queried(Operation::HashtagById, false);
    api.set_stopped(Some(Trip::CreditsExhausted));
    api.set_paused_until(Some(NOW + half * 80));
    telemetry.refreshed(JobKind::Posts, Outcome::NotFound);
    telemetry.store_failed();
    telemetry.reloaded(NOW + half);
    api.set_simulated();

    let mut changed = shown.page().starting_with("tiktok_exporter_");
    changed.retain(|series, value| before.get(series) != Some(value));
    let mut want = expected([
        (r#"tiktok_exporter_upstream_requests_total{endpoint="challenge-posts",outcome="success"}"#, 2.0),
        (r#"tiktok_exporter_upstream_requests_total{endpoint="challenge-posts",outcome="throttled"}"#, 1.0),
        (r#"tiktok_exporter_upstream_request_duration_seconds_sum{endpoint="challenge-posts"}"#, 32.5),
        (r#"tiktok_exporter_upstream_request_duration_seconds_count{endpoint="challenge-posts"}"#, 3.0),
        (r#"tiktok_exporter_upstream_retries_total{endpoint="challenge-posts"}"#, 1.0),
        (r#"tiktok_exporter_cache_queries_total{endpoint="challenge-info-id"}"#, 2.0),
        (r#"tiktok_exporter_cache_hits_total{endpoint="challenge-info-id"}"#, 1.0),
        (r#"tiktok_exporter_upstream_breaker_open{reason="credits_exhausted"}"#, 1.0),
        ("tiktok_exporter_upstream_paused_until_timestamp_seconds{}", 1_800_000_040.0),
        (r#"tiktok_exporter_refreshes_total{kind="posts",outcome="not_found"}"#, 1.0),
        ("tiktok_exporter_store_errors_total{}", 1.0),
        ("tiktok_exporter_config_last_reload_successful{}", 1.0),
        ("tiktok_exporter_config_last_reload_success_timestamp_seconds{}", 1_800_000_000.5),
        ("tiktok_exporter_simulated_data{}", 1.0),
    ]);
    // 0.5 s lies on the border of its bucket and belongs to it; 2 s is below 2.5; 30 s is beyond all.
    for (le, requests) in [
        ("0.5", 1.0),
        ("0.75", 1.0),
        ("1", 1.0),
        ("1.5", 1.0),
        ("2.5", 2.0),
        ("5", 2.0),
        ("15", 2.0),
        ("+Inf", 3.0),
    ] {
        let bucket = "tiktok_exporter_upstream_request_duration_seconds_bucket";
        want.insert(format!(r#"{bucket}{{endpoint="challenge-posts",le="{le}"}}"#), requests);
    }
    assert_same(&changed, &want);

    api.set_stopped(None);
    api.set_paused_until(None);
    telemetry.reload_failed();
    let later = shown.page().starting_with("tiktok_exporter_");
    for (series, want) in [
        (r#"tiktok_exporter_upstream_breaker_open{reason="credits_exhausted"}"#, 0.0),
        ("tiktok_exporter_upstream_paused_until_timestamp_seconds{}", 0.0),
        ("tiktok_exporter_config_last_reload_successful{}", 0.0),
        ("tiktok_exporter_config_last_reload_success_timestamp_seconds{}", 1_800_000_000.5),
    ] {
        assert_eq!(later.get(series), Some(&want), "{series}");
    }
}

#[test]
fn the_process_shows_itself() {
    let process = Shown::new([]).page().starting_with("process_");
    for name in ["cpu_seconds_total", "open_fds", "max_fds", "resident_memory_bytes", "start_time_seconds"] {
        let value = process.get(&format!("process_{name}{{}}"));
        assert!(value.is_some_and(|value| *value >= 0.0), "process_{name} is {value:?}");
    }
}

#[test]
fn nobody_finds_fault_with_the_page() {
    let mut wild = known("wi\"ld\\", "<b>\n\"", &["any"], u64::MAX, NOW);
    wild.commerce = Some(true);
    // What the text format spells in words, and what it spells out to the last digit.
    for (number, region) in
        [f64::INFINITY, f64::NAN, f64::MAX, 5e-324].into_iter().zip(["US", "GB", "DE", "FR"])
    {
        let mut extreme = known("x", "default", &[region], 7, NOW).regions.remove(0);
        extreme.sample = Some(Sampled::new(NOW, &SampleStats { velocity: number, ..stats() }));
        wild.regions.push(extreme);
    }
    let shown = Shown::new([filled(), wild, unknown("quiet", "default", &["US"])]);
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is needed (Debian package prometheus)");
    promtool.stdin.take().unwrap().write_all(shown.text().as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""));
}

#[test]
fn every_family_says_what_it_is() {
    let page = Shown::new([filled()]).page();
    for family in &page.families {
        let want = match family.name.as_str() {
            "tiktok_exporter_upstream_request_duration_seconds" => "histogram",
            name if name.ends_with("_total") => "counter",
            _ => "gauge",
        };
        assert_eq!(family.kind, want, "{}", family.name);
        assert!(family.help.ends_with('.'), "{}: {:?} is no sentence", family.name, family.help);
        assert!(!family.help.contains("  "), "{}: {:?} has a gap", family.name, family.help);
        assert!(!family.samples.is_empty(), "{} is declared without a sample", family.name);
    }
}

#[test]
fn the_order_is_the_same_whatever_the_order_of_the_snapshot() {
    let hashtags = |names: [&str; 3]| names.map(|name| known(name, "default", &["any", "US"], 7, NOW));
    let order =
        |shown: &Shown| -> Vec<Series> { shown.page().samples().map(|(series, _)| series.clone()).collect() };
    let shown = Shown::new(hashtags(["b", "c", "a"]));
    let first = order(&shown);
    assert_eq!(order(&shown), first, "two looks at one snapshot");
    assert_eq!(order(&Shown::new(hashtags(["a", "b", "c"]))), first, "the snapshot in another order");
    let page = shown.page();
    let names: Vec<&str> = page.families.iter().map(|family| family.name.as_str()).collect();
    assert!(names.is_sorted(), "{names:?}");
    let views = page.family("tiktok_hashtag_views").unwrap();
    let hashtags: Vec<&str> = views.samples.iter().map(|(series, _)| series.label("hashtag")).collect();
    assert_eq!(hashtags, ["a", "b", "c"]);
}
