//! The simulated API: is its world what it claims to be, and does it speak the contract?

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use serde_json::Value;
use tiktok_api::Hashtag;
use tiktok_api::fake::{Body, CATALOG, Faults, Kind, NEVER, Reply, Request, Settings, Simulator, World};
use units::{DAY, HOUR, Timestamp, WEEK};

/// 2026-06-03T12:00:00Z, a Wednesday.
const NOW: Timestamp = Timestamp::from_secs(1_780_488_000);
/// 2026-05-25T00:00:00Z, a Monday.
const MONDAY: Timestamp = Timestamp::from_secs(1_779_667_200);

fn hashtag(name: &str) -> Hashtag {
    Hashtag::parse(name).unwrap()
}

fn posts(world: &World, name: &str, at: Timestamp) -> u64 {
    world.totals(&hashtag(name), at).unwrap_or_else(|| panic!("{name} is away")).posts.unwrap()
}

fn views(world: &World, name: &str, at: Timestamp) -> u64 {
    world.totals(&hashtag(name), at).unwrap_or_else(|| panic!("{name} is away")).views.unwrap()
}

/// Posts published in the `span` that begins at `from`.
fn published(world: &World, name: &str, from: Timestamp, span: Duration) -> f64 {
    (posts(world, name, from + span) - posts(world, name, from)) as f64
}

fn names(kind: Kind) -> Vec<&'static str> {
    CATALOG.iter().filter(|listed| listed.kind == kind).map(|listed| listed.name).collect()
}

fn simulator() -> Simulator {
    Simulator::new(Settings { rate_limit_per_minute: u32::MAX, ..Settings::default() })
}

/// Asks with a key.
fn ask(simulator: &Simulator, path: &str, query: &str, now: Timestamp) -> Reply {
    simulator.answer(Request { path, query, key: Some("a key") }, now)
}

fn json(reply: &Reply) -> Value {
    let Body::Whole(text) = &reply.body else { panic!("not whole: {reply:?}") };
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error} in {text}"))
}

fn id_of(simulator: &Simulator, name: &str) -> String {
    let found = json(&ask(simulator, "/challenge-info-name/", &format!("name={name}"), NOW));
    found["id"].as_str().unwrap_or_else(|| panic!("no id in {found}")).to_owned()
}

/// Every post under a hashtag that the API lists at `now`, by id, however its pages come.
fn list(
    simulator: &Simulator,
    id: &str,
    region: &str,
    now: Timestamp,
    until: i64,
) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut cursor = 0_i64;
    for _ in 0..400 {
        let query = format!("challenge_id={id}&count=35&cursor={cursor}&region={region}");
        let page = json(&ask(simulator, "/challenge-posts/", &query, now));
        let videos = page["videos"].as_array().unwrap_or_else(|| panic!("no videos in {page}"));
        let mut oldest = i64::MAX;
        for video in videos {
            oldest = oldest.min(video["create_time"].as_i64().unwrap());
            found.insert(video["video_id"].as_str().unwrap().to_owned(), video.clone());
        }
        if page["hasMore"] == false || (oldest != i64::MAX && oldest < until) {
            return found;
        }
        cursor = page["cursor"].as_i64().unwrap();
    }
    panic!("the listing of {id} never ends");
}

#[test]
fn the_world_is_a_function_of_seed_hashtag_and_time() {
    let (one, same, other) = (World::new(5), World::new(5), World::new(6));
    let times: Vec<Timestamp> = (0..40).map(|n| NOW - HOUR * (n * 37)).collect();
    let forward: Vec<_> = times.iter().map(|at| one.totals(&hashtag("romantasy"), *at)).collect();
    let mut backward: Vec<_> = times.iter().rev().map(|at| same.totals(&hashtag("romantasy"), *at)).collect();
    backward.reverse();
    assert_eq!(forward, backward, "the order of the questions changes the answers");
    assert_ne!(one.totals(&hashtag("romantasy"), NOW), other.totals(&hashtag("romantasy"), NOW));
    assert_ne!(one.totals(&hashtag("romantasy"), NOW), one.totals(&hashtag("bookhaul"), NOW));
}

#[test]
fn a_world_that_begins_later_is_the_same_world_later() {
    let days = DAY * 400;
    let beginning_at = |beginning| {
        Simulator::new(Settings { beginning, rate_limit_per_minute: u32::MAX, ..Settings::default() })
    };
    let (before, after) = (beginning_at(World::BEGINNING), beginning_at(World::BEGINNING + days));
    let (world, moved) = (before.world(), after.world());
    for name in ["romantasy", "2025", "restocktok", "smallbusinesscheck", "tag5"] {
        let hashtag = hashtag(name);
        let onsets = world.onsets(&hashtag, NOW - DAY * 90, NOW);
        let later: Vec<Timestamp> = onsets.into_iter().map(|at| at + days).collect();
        assert_eq!(moved.onsets(&hashtag, NOW - DAY * 90 + days, NOW + days), later, "{name}");
        for hours in 0..72 {
            let at = NOW - HOUR * hours;
            assert_eq!(world.totals(&hashtag, at), moved.totals(&hashtag, at + days), "{name} at -{hours} h");
            assert_eq!(world.level(&hashtag, at), moved.level(&hashtag, at + days), "{name} at -{hours} h");
        }
    }
    let ages = |simulator: &Simulator, now: Timestamp| -> BTreeSet<i64> {
        let id = simulator.id(&hashtag("romantasy")).to_string();
        let listed = list(simulator, &id, "", now, (now - DAY).as_secs());
        listed.values().map(|video| now.as_secs() - video["create_time"].as_i64().unwrap()).collect()
    };
    let listed = ages(&before, NOW);
    assert!(listed.len() > 20, "{listed:?}");
    assert_eq!(listed, ages(&after, NOW + days), "ages of the posts that are listed");
}

#[test]
fn moments_before_the_beginning_and_after_the_end_have_answers_too() {
    let world = World::new(1);
    for at in [i64::MIN, -1, 0, 1_640_995_199, 4_102_444_801, i64::MAX / 1_000, i64::MAX] {
        let totals = world.totals(&hashtag("bookhaul"), Timestamp::from_secs(at));
        assert!(totals.is_some(), "at {at}");
    }
}

#[test]
fn the_posts_that_are_listed_are_those_that_are_counted() {
    let simulator = simulator();
    let world = simulator.world();
    for name in ["bookhaul", "2025", "glowup", "café"] {
        // Shuffled pages can hold older posts first: look two days further back.
        let (from, to) = ((NOW - 3 * DAY).as_secs(), NOW.as_secs());
        let listed = list(&simulator, &id_of(&simulator, name), "", NOW, from - 2 * 86_400);
        let times = listed.values().map(|video| video["create_time"].as_i64().unwrap());
        let counted = posts(world, name, NOW) - posts(world, name, NOW - 3 * DAY);
        assert_eq!(times.filter(|time| *time > from && *time <= to).count() as u64, counted, "{name}");
    }
}

#[test]
fn hourly_posts_of_a_steady_hashtag_scatter_as_a_poisson_process_does() {
    let world = World::new(1);
    for name in ["deskmakeover", "no"] {
        // The same hour of many days has the same rate.
        let counts: Vec<f64> = (0..400).map(|day| published(&world, name, NOW - DAY * day, HOUR)).collect();
        let mean = counts.iter().sum::<f64>() / 400.0;
        let variance = counts.iter().map(|count| (count - mean).powi(2)).sum::<f64>() / 399.0;
        // The ratio of a Poisson sample of 400 has a standard error of about 0.07.
        assert!((0.7..1.3).contains(&(variance / mean)), "{name}: mean {mean}, variance {variance}");
    }
}

#[test]
fn every_kind_behaves_as_it_is_described() {
    let world = World::new(1);
    for name in names(Kind::Weekly) {
        let weekdays = published(&world, name, MONDAY, 5 * DAY) / 5.0;
        let weekend = published(&world, name, MONDAY + 5 * DAY, 2 * DAY) / 2.0;
        assert!((1.6..2.4).contains(&(weekend / weekdays)), "{name}: {weekend} against {weekdays} a day");
    }
    for name in names(Kind::Growing) {
        let growth = published(&world, name, NOW - 28 * DAY, 4 * WEEK)
            / published(&world, name, NOW - 393 * DAY, 4 * WEEK);
        // 0.15 % a day over a year is a factor of 1.73.
        assert!((1.5..2.0).contains(&growth), "{name}: {growth}");
    }
    for name in names(Kind::Steady) {
        let ratio = published(&world, name, NOW - 28 * DAY, 4 * WEEK)
            / published(&world, name, NOW - 393 * DAY, 4 * WEEK);
        assert!((0.85..1.18).contains(&ratio), "{name}: {ratio}");
    }
    for name in names(Kind::Dead) {
        let in_a_year = published(&world, name, NOW - 365 * DAY, 365 * DAY);
        assert!((1.0..60.0).contains(&in_a_year), "{name}: {in_a_year} posts in a year");
    }
    for name in names(Kind::Ramp) {
        let days: Vec<f64> = (0..60).map(|day| published(&world, name, NOW - DAY * (day + 1), DAY)).collect();
        let week = |n: usize| days[n..n + 7].iter().sum::<f64>() / 7.0;
        let means: Vec<f64> = (0..53).map(week).collect();
        let (low, high) = means.iter().fold((f64::MAX, 0.0_f64), |(l, h), m| (l.min(*m), h.max(*m)));
        assert!((3.5..7.0).contains(&(high / low)), "{name}: from {low} to {high} a day");
    }
    for name in names(Kind::Huge) {
        let totals = world.totals(&hashtag(name), NOW).unwrap();
        for count in [totals.posts.unwrap(), totals.views.unwrap()] {
            let digits = count.to_string();
            assert!(digits.len() > 6 && digits[3..].bytes().all(|digit| digit == b'0'), "{name}: {count}");
        }
    }
}

#[test]
fn a_burst_begins_at_its_onset_and_decays_within_days() {
    let world = World::new(1);
    for name in names(Kind::Burst) {
        let onsets = world.onsets(&hashtag(name), NOW - 90 * DAY, NOW - 14 * DAY);
        assert!(onsets.len() >= 4, "{name}: {} onsets in 76 days", onsets.len());
        for onset in onsets {
            let before = published(&world, name, onset - 2 * DAY, 2 * DAY) / 2.0;
            let first = published(&world, name, onset + HOUR * 4, DAY);
            let later = published(&world, name, onset + 10 * DAY, DAY);
            let usual = before.max(3.0);
            assert!(
                first > 3.0 * usual,
                "{name} at {onset:?}: {before} a day before, {first} on the first day"
            );
            assert!(
                later < first / 3.0,
                "{name} at {onset:?}: {first} on the first day, {later} ten days later"
            );
        }
    }
    assert_eq!(world.onsets(&hashtag("bookhaul"), NOW - 365 * DAY, NOW), []);
}

#[test]
fn totals_grow_and_only_dipping_hashtags_dip() {
    let world = World::new(1);
    for listed in CATALOG {
        let steps =
            (0..2_000).map(|step| world.totals(&hashtag(listed.name), NOW + Duration::from_secs(600 * step)));
        let counts: Vec<[u64; 2]> = steps.flatten().map(|t| [t.posts.unwrap(), t.views.unwrap()]).collect();
        let dips = counts.windows(2).filter(|pair| pair[1][1] < pair[0][1]).count();
        let posts_dip = counts.windows(2).any(|pair| pair[1][0] < pair[0][0]);
        if listed.kind == Kind::Dipping {
            assert!((50..150).contains(&dips), "{} dips {dips} times in 2,000", listed.name);
        } else {
            assert!(dips == 0 && !posts_dip, "{} dips {dips} times", listed.name);
        }
        // Only what is both dead and unlucky gains no view in two weeks.
        assert!(listed.kind == Kind::Dead || counts.last() > counts.first(), "{} stands still", listed.name);
    }
}

#[test]
fn a_vanishing_hashtag_is_away_for_some_hours_and_comes_back() {
    let simulator = simulator();
    let hours: Vec<bool> = (0..40 * 24)
        .map(|hour| simulator.world().totals(&hashtag("restocktok"), NOW + HOUR * hour).is_none())
        .collect();
    let absences: Vec<usize> = hours.split(|away| !away).map(<[bool]>::len).filter(|len| *len > 0).collect();
    assert!((8..=11).contains(&absences.len()), "{absences:?}");
    assert!(absences.iter().all(|hours| (3..=10).contains(hours)), "{absences:?}");
    let away = NOW + HOUR * hours.iter().position(|away| *away).unwrap() as u32;
    let id = {
        let there = NOW + HOUR * hours.iter().position(|away| !away).unwrap() as u32;
        json(&ask(&simulator, "challenge-info-name", "name=restocktok", there))["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    for (path, query) in [
        ("challenge-info-name", "name=restocktok".to_owned()),
        ("challenge-info-id", format!("id={id}")),
        ("challenge-posts", format!("challenge_id={id}")),
    ] {
        assert_eq!(json(&ask(&simulator, path, &query, away))["status"], "error", "{path}");
    }
}

#[test]
fn a_post_gathers_plays_and_keeps_everything_else() {
    let simulator = simulator();
    let id = id_of(&simulator, "bookhaul");
    let early = list(&simulator, &id, "", NOW, (NOW - WEEK).as_secs());
    let late = list(&simulator, &id, "", NOW + DAY, (NOW - WEEK).as_secs());
    let (mut grown, mut seen) = (0, 0);
    for (id, before) in
        early.iter().filter(|(_, video)| video["create_time"].as_i64() > Some((NOW - 2 * DAY).as_secs()))
    {
        let after = late.get(id).unwrap_or_else(|| panic!("post {id} is gone a day later"));
        for fixed in ["region", "title", "create_time", "author", "duration", "music_info"] {
            assert_eq!(before[fixed], after[fixed], "{fixed} of {id}");
        }
        for count in ["play_count", "digg_count", "comment_count", "share_count", "download_count"] {
            assert!(after[count].as_u64() >= before[count].as_u64(), "{count} of {id} fell");
        }
        seen += 1;
        grown += u32::from(after["play_count"].as_u64() > before["play_count"].as_u64());
    }
    assert!(seen >= 10 && grown * 10 >= seen * 9, "{grown} of {seen} posts were played on");
}

#[test]
fn views_are_what_the_posts_are_played() {
    // Over 60 days the plays of the posts are, on average, the growth of the views.
    let simulator = simulator();
    let (from, to) = (NOW - 60 * DAY, NOW);
    let listed = list(&simulator, &id_of(&simulator, "deskmakeover"), "", to, (from - 2 * DAY).as_secs());
    let young = listed.values().filter(|video| video["create_time"].as_i64() > Some(from.as_secs()));
    let plays: u64 = young.map(|video| video["play_count"].as_u64().unwrap()).sum();
    let world = simulator.world();
    let growth = views(world, "deskmakeover", to) - views(world, "deskmakeover", from);
    let ratio = plays as f64 / growth as f64;
    assert!((0.7..1.4).contains(&ratio), "posts have {plays} plays, the views grew by {growth}");
}

#[test]
fn pages_are_as_irregular_as_real_ones() {
    let simulator = simulator();
    let id = id_of(&simulator, "booktok");
    let (mut short, mut empty, mut overlapping, mut unordered, mut pages) = (0, 0, 0, 0, 0);
    for step in 0..60_u32 {
        let now = NOW + HOUR * step;
        let mut seen = BTreeSet::new();
        let mut cursor = 0;
        for _ in 0..4 {
            let query = format!("challenge_id={id}&count=30&cursor={cursor}");
            let page = json(&ask(&simulator, "challenge-posts", &query, now));
            let videos = page["videos"].as_array().unwrap();
            let times: Vec<i64> = videos.iter().map(|video| video["create_time"].as_i64().unwrap()).collect();
            pages += 1;
            short += u32::from((1..25).contains(&videos.len()));
            empty += u32::from(videos.is_empty());
            unordered += u32::from(!times.is_sorted_by(|a, b| a >= b));
            let ids: Vec<_> =
                videos.iter().map(|video| video["video_id"].as_str().unwrap().to_owned()).collect();
            overlapping += u32::from(ids.iter().any(|id| seen.contains(id)));
            seen.extend(ids);
            assert_eq!(page["hasMore"], true);
            cursor = page["cursor"].as_u64().unwrap();
        }
    }
    for (what, count, low, high) in [
        ("short", short, 0.15, 0.4),
        ("empty", empty, 0.001, 0.1),
        ("overlapping", overlapping, 0.2, 0.8),
        ("not newest first", unordered, 0.8, 1.0),
    ] {
        let share = f64::from(count) / f64::from(pages);
        assert!((low..=high).contains(&share), "{share} of the pages are {what}");
    }
}

#[test]
fn a_region_biases_a_page_and_does_not_filter_it() {
    let simulator = simulator();
    let id = id_of(&simulator, "2025");
    let everywhere = list(&simulator, &id, "", NOW, (NOW - 4 * DAY).as_secs());
    for region in ["US", "GB", "DE"] {
        let listed = list(&simulator, &id, region, NOW, (NOW - 30 * DAY).as_secs());
        let own =
            listed.values().filter(|video| video["region"] == region).count() as f64 / listed.len() as f64;
        assert!((0.7..0.9).contains(&own), "{region}: {own} of {} are from there", listed.len());
    }
    let regions: BTreeSet<&str> = everywhere.values().filter_map(|video| video["region"].as_str()).collect();
    assert!(regions.len() > 10, "{regions:?}");
    let nowhere = json(&ask(&simulator, "challenge-posts", &format!("challenge_id={id}&region=AQ"), NOW));
    assert_eq!(nowhere["status"], "error", "nobody posts in Antarctica");
}

#[test]
fn a_listing_ends_after_800_to_5000_posts() {
    let simulator = simulator();
    for name in ["fyp", "booktok"] {
        let id = id_of(&simulator, name);
        let listed = list(&simulator, &id, "", NOW, i64::MIN).len();
        assert!((800..=5_000).contains(&listed), "{name}: {listed}");
    }
}

#[test]
fn answers_carry_the_fields_of_the_contract() {
    let simulator = simulator();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let challenge = set(&[
        "id",
        "cha_name",
        "desc",
        "cover",
        "user_count",
        "view_count",
        "is_commerce",
        "is_challenge",
        "is_pgcshow",
        "is_strong_music",
        "type",
    ]);
    let video = set(&[
        "video_id",
        "region",
        "title",
        "cover",
        "duration",
        "play",
        "play_count",
        "digg_count",
        "comment_count",
        "share_count",
        "collect_count",
        "download_count",
        "create_time",
        "author",
        "music_info",
    ]);
    let id = id_of(&simulator, "booktok");
    for (path, query) in
        [("/challenge-info-name/", "name=booktok".to_owned()), ("/challenge-info-id/", format!("id={id}"))]
    {
        let answer = json(&ask(&simulator, path, &query, NOW));
        assert_eq!(keys(&answer), challenge, "{path}");
        assert_eq!(answer["id"], id.as_str());
        assert!(answer["cha_name"].as_str().unwrap().eq_ignore_ascii_case("booktok"));
        assert_eq!(
            answer,
            json(&ask(&simulator, path.trim_end_matches('/'), &query, NOW)),
            "without the slash"
        );
    }
    for (path, query) in [
        ("/challenge-posts/", format!("challenge_id={id}&count=10&cursor=0")),
        ("/search-video/", "keyword=booktok&count=10&publish_time=7&sort_by=1&region=US".to_owned()),
    ] {
        let page = json(&ask(&simulator, path, &query, NOW));
        assert_eq!(keys(&page), set(&["videos", "cursor", "hasMore"]), "{path}");
        assert_eq!(keys(&page["videos"][0]), video, "{path}");
        assert_eq!(keys(&page["videos"][0]["author"]), set(&["id", "unique_id", "nickname"]));
    }
    let found = json(&ask(&simulator, "/search-challenge/", "keyword=booktok&count=5", NOW));
    assert_eq!(keys(&found), set(&["challenge_list", "cursor", "hasMore"]));
    assert_eq!(found["challenge_list"].as_array().unwrap().len(), 5);
    assert_eq!(keys(&found["challenge_list"][0]), challenge);
    assert_eq!(json(&ask(&simulator, "/region-list/", "", NOW))["GB"], "United Kingdom");
}

#[test]
fn requests_that_have_no_answer_are_told_why_with_http_200() {
    let keyed = Some("k");
    for (path, query, key, status, said) in [
        (
            "challenge-info-name",
            "name=booktok",
            None,
            200,
            r#"{"message":"Please sign up to tikliveapi.com"}"#,
        ),
        (
            "challenge-info-name",
            "name=booktok",
            Some(""),
            200,
            r#"{"message":"Please sign up to tikliveapi.com"}"#,
        ),
        (
            "challenge-info-name",
            "name=booktok",
            Some("wrong"),
            200,
            r#"{"message":"Api-Key is not available"}"#,
        ),
        (
            "challenge-info-name",
            "name=nosuchthing",
            keyed,
            200,
            r#"{"message":"Not found challenge","status":"error"}"#,
        ),
        (
            "challenge-info-name",
            "name=indiebeauty",
            keyed,
            200,
            r#"{"message":"Not found challenge","status":"error"}"#,
        ),
        (
            "challenge-info-name",
            "name=two%20words",
            keyed,
            200,
            r#"{"message":"Not found challenge","status":"error"}"#,
        ),
        (
            "challenge-info-name",
            "",
            keyed,
            200,
            r#"{"message":"Parameter name is required","status":"error"}"#,
        ),
        (
            "challenge-info-id",
            "id=92345678901",
            keyed,
            200,
            r#"{"message":"Not found challenge","status":"error"}"#,
        ),
        ("challenge-info-id", "id=abc", keyed, 200, r#"{"message":"Not found challenge","status":"error"}"#),
        (
            "challenge-posts",
            "challenge_id=0",
            keyed,
            200,
            r#"{"message":"Not found posts","status":"error"}"#,
        ),
        ("challenge-posts", "", keyed, 200, r#"{"message":"Parameter id is required","status":"error"}"#),
        (
            "search-challenge",
            "keyword=nosuchthing",
            keyed,
            200,
            r#"{"message":"Not found challenges","status":"error"}"#,
        ),
        (
            "search-challenge",
            "keyword=",
            keyed,
            200,
            r#"{"message":"Parameter keyword is required","status":"error"}"#,
        ),
        (
            "search-video",
            "keyword=nosuchthing",
            keyed,
            200,
            r#"{"message":"Not found videos","status":"error"}"#,
        ),
        ("elsewhere", "", keyed, 404, r#"{"message":"Endpoint does not exist"}"#),
    ] {
        let simulator = Simulator::new(Settings { keys: vec!["k".to_owned()], ..Settings::default() });
        let reply = simulator.answer(Request { path, query, key }, NOW);
        assert_eq!(
            (reply.status, reply.body),
            (status, Body::Whole(said.to_owned())),
            "{path}?{query} with {key:?}"
        );
    }
    assert!(NEVER.starts_with("nosuch"));
}

#[test]
fn a_hashtag_that_answers_to_its_id_alone_is_found_by_a_search_but_not_first() {
    let simulator = simulator();
    let found = json(&ask(&simulator, "search-challenge", "keyword=IndieBeauty&count=30", NOW));
    let list = found["challenge_list"].as_array().unwrap();
    let exact = |item: &Value| item["cha_name"].as_str().unwrap().eq_ignore_ascii_case("indiebeauty");
    let place = list.iter().position(exact).expect("the hashtag is among what is found");
    assert!((1..5).contains(&place), "at place {place}");
    let by_id = json(&ask(
        &simulator,
        "challenge-info-id",
        &format!("id={}", list[place]["id"].as_str().unwrap()),
        NOW,
    ));
    assert_eq!(by_id, list[place]);
}

#[test]
fn names_of_any_script_are_known_and_so_are_numbers() {
    let simulator = simulator();
    for name in ["%E6%97%A5%E6%9C%AC", "caf%C3%A9", "cafe%CC%81", "CAFÉ", "2025", "no", "%23booktok"] {
        let answer = json(&ask(&simulator, "challenge-info-name", &format!("name={name}"), NOW));
        assert!(answer["view_count"].is_u64(), "{name}: {answer}");
    }
}

#[test]
fn searches_for_posts_keep_to_age_and_order() {
    let simulator = simulator();
    let videos = |query: &str| {
        let page =
            json(&ask(&simulator, "search-video", &format!("keyword=book%20tok&count=35&{query}"), NOW));
        page["videos"].as_array().unwrap().clone()
    };
    let all = |videos: Vec<Value>, field: &str| {
        videos.iter().map(|v| v[field].as_i64().unwrap()).collect::<Vec<_>>()
    };
    let day = all(videos("publish_time=1&sort_by=0"), "create_time");
    assert!(day.iter().all(|time| *time >= NOW.as_secs() - 86_400), "{day:?}");
    assert!(all(videos("sort_by=1"), "digg_count").is_sorted_by(|a, b| a >= b));
    assert!(all(videos("sort_by=2"), "create_time").is_sorted_by(|a, b| a >= b));
}

#[test]
fn a_key_may_send_its_rate_and_no_more() {
    let simulator = Simulator::new(Settings::default());
    let send = |milliseconds: u64, key| {
        let request = Request { path: "region-list", query: "", key: Some(key) };
        simulator.answer(request, NOW + Duration::from_millis(milliseconds)).status
    };
    let within_a_second = (0..51).map(|_| send(0, "fast")).filter(|status| *status == 200).count();
    assert_eq!(within_a_second, 50, "in one second");
    // 50 of the 200 are used; the next 150 come at 10 a second.
    let statuses: Vec<u16> = (0..151).map(|n| send(1_000 + n * 100, "fast")).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 150);
    assert_eq!(statuses.last(), Some(&429));
    assert_eq!(send(20_000, "other"), 200, "another key has its own allowance");
    assert_eq!(send(59_999, "fast"), 429);
    assert_eq!(send(60_000, "fast"), 200, "the first 50 are a minute old");
    let total = simulator.bill().total;
    assert_eq!((total.requests, total.throttled, total.credits), (205, 3, 202), "a 429 costs nothing");
}

#[test]
fn credits_end_where_they_were_set_to_end() {
    let simulator = Simulator::new(Settings { credits: Some(3), ..Settings::default() });
    let answers: Vec<Value> = (0..5).map(|_| json(&ask(&simulator, "region-list", "", NOW))).collect();
    assert!(answers[2]["US"].is_string());
    assert_eq!(answers[3]["message"], "You have no credits left");
    assert_eq!(simulator.bill().total.credits, 3);
    assert_eq!(
        simulator.log().iter().map(|logged| logged.charged).collect::<Vec<_>>(),
        [true, true, true, false, false]
    );
}

#[test]
fn descriptions_of_faults_that_cannot_be_meant_are_refused() {
    for (description, complaint) in [
        ("", "EOF"),
        (r#"{"fault": []}"#, "unknown field `fault`"),
        (r#"{"faults": [{"kind": "sulk"}]}"#, "unknown variant `sulk`, expected one of `latency`"),
        (r#"{"faults": [{"kind": "html", "probabilty": 1}]}"#, "unknown field `probabilty`"),
        (r#"{"faults": [{"kind": "html", "probability": 1.5}]}"#, "probability must be between 0 and 1"),
        (r#"{"faults": [{"kind": "latency"}]}"#, "milliseconds is required for latency"),
        (r#"{"faults": [{"kind": "html", "milliseconds": 5}]}"#, "milliseconds is required for latency"),
        (r#"{"faults": [{"kind": "html", "status": 500}]}"#, "status is only allowed for server_error"),
        (r#"{"faults": [{"kind": "server_error", "status": 404}]}"#, "between 500 and 599"),
        (r#"{"faults": [{"kind": "html", "retry_after_seconds": 1}]}"#, "only allowed for throttle"),
    ] {
        let error = Faults::parse(description).expect_err(description).to_string();
        assert!(error.contains(complaint), "{description}: {error}");
    }
}

#[test]
fn a_fault_strikes_where_after_and_as_often_as_it_says() {
    let faults = r#"{"faults": [{"kind": "html", "endpoint": "/region-list/", "after": 2, "times": 3}]}"#;
    let simulator =
        Simulator::new(Settings { faults: Faults::parse(faults).unwrap(), ..Settings::default() });
    let struck: Vec<bool> =
        (0..7).map(|_| ask(&simulator, "region-list", "", NOW).content_type == "text/html").collect();
    assert_eq!(struck, [false, false, true, true, true, false, false]);
    assert_eq!(ask(&simulator, "challenge-info-name", "name=no", NOW).content_type, "application/json");

    let often = Faults::parse(r#"{"faults": [{"kind": "empty", "probability": 0.3}]}"#).unwrap();
    let count = |seed| {
        let settings =
            Settings { seed, faults: often.clone(), rate_limit_per_minute: u32::MAX, ..Settings::default() };
        let simulator = Simulator::new(settings);
        let at = |n: u64| NOW + Duration::from_millis(n * 100);
        (0..1_000)
            .filter(|n| ask(&simulator, "region-list", "", at(*n)).body == Body::Whole(String::new()))
            .count()
    };
    assert!((240..360).contains(&count(1)), "{} of 1,000", count(1));
    assert_eq!(count(1), count(1), "the same seed is the same luck");
}

proptest! {
    #[test]
    fn no_request_breaks_the_simulator(path in "[a-z-/]{0,30}", query in "\\PC{0,80}", key in proptest::option::of("\\PC{0,20}"), at in any::<i64>()) {
        let reply = simulator().answer(Request { path: &path, query: &query, key: key.as_deref() }, Timestamp::from_millis(at));
        prop_assert!(matches!(reply.body, Body::Whole(_)));
    }

}

proptest! {
    // Every case walks the way of up to 40 hashtags.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_parameter_breaks_an_endpoint(
        endpoint in prop_oneof![Just("challenge-posts"), Just("search-challenge"), Just("search-video"), Just("challenge-info-id")],
        id in "[0-9]{0,40}", cursor in any::<i64>(), count in any::<i64>(), keyword in "\\PC{0,20}", region in "[A-Za-z]{0,3}",
    ) {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in [("id", &id), ("challenge_id", &id), ("keyword", &keyword), ("region", &region)] {
            query.append_pair(name, value);
        }
        query.append_pair("cursor", &cursor.to_string()).append_pair("count", &count.to_string());
        let reply = ask(&simulator(), endpoint, &query.finish(), NOW);
        prop_assert!(json(&reply).is_object());
    }
}
