//! Answers of the simulator, spoilt. Whatever is still read must stand in the answer, by a reading of
//! its own.

use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;
use tiktok_api::{
    Answer, Class, Cursor, Dialect, Error, Order, Query, RawAnswer, Since,
    fake::{Body, Request, Settings, Simulator},
};
use tiktok_api::{ChallengeId, Hashtag, Post, Region, Totals};
use units::Timestamp;

use crate::wild_input::mutate::mutate;

const CASES: usize = 10_000;
/// 2025-06-01.
const NOW: Timestamp = Timestamp::from_secs(1_748_736_000);

pub fn queries() -> Vec<Query> {
    let simulator_id = |name: &str| {
        let query = Query::HashtagByName(Hashtag::parse(name).unwrap());
        match read(&query, &raw(&ask(&query))) {
            Ok(Answer::Hashtag(record)) => record.id,
            other => panic!("{other:?}"),
        }
    };
    let booktok = simulator_id("booktok");
    vec![
        Query::HashtagByName(Hashtag::parse("booktok").unwrap()),
        Query::HashtagByName(Hashtag::parse("日本").unwrap()),
        Query::HashtagById(simulator_id("fyp")),
        Query::Posts {
            id: booktok,
            region: Region::parse("US").unwrap(),
            count: 35,
            cursor: Cursor::start(),
        },
        Query::SearchHashtags { keyword: "indiebeauty".to_owned(), count: 5, cursor: Cursor::start() },
        Query::SearchPosts {
            keyword: "booktok".to_owned(),
            count: 5,
            cursor: Cursor::start(),
            since: Since::Week,
            order: Order::Date,
            region: Region::Any,
        },
        Query::Regions,
    ]
}

fn read(query: &Query, raw: &RawAnswer) -> Result<Answer, Error> {
    Dialect::default().read(query, raw)
}

/// What the simulator answers.
fn ask(query: &Query) -> String {
    let simulator = Simulator::new(Settings { rate_limit_per_minute: 100_000, ..Settings::default() });
    let sent = Dialect::default().request(query);
    let request = Request { path: sent.path, query: &sent.query, key: Some("k") };
    match simulator.answer(request, NOW).body {
        Body::Whole(text) => text,
        other => panic!("{query:?}: {other:?}"),
    }
}

fn raw(body: &str) -> RawAnswer {
    answer(200, body.as_bytes().to_vec())
}

pub fn answer(status: u16, body: Vec<u8>) -> RawAnswer {
    RawAnswer { status, retry_after: None, location: None, simulated: false, body: body.into() }
}

/// A count as a reader in a hurry would take it: digits, with or without quotes, or a number in
/// floating point that is whole.
fn count(value: Option<&Value>) -> Option<u64> {
    match value? {
        Value::Number(number) if number.is_u64() => number.as_u64(),
        Value::Number(number) => {
            let float =
                number.as_f64().filter(|float| float.fract() == 0.0 && (0.0..9e15).contains(float))?;
            format!("{float:.0}").parse().ok()
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::Number(number) if number.is_u64() => Some(number.to_string()),
        Value::String(text) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
        _ => None,
    }
}

fn has_totals(object: &Value, totals: Totals) {
    for (read, key) in [(totals.posts, "user_count"), (totals.views, "view_count")] {
        if read.is_some() {
            assert_eq!(read, count(object.get(key)), "{key} in {object}");
        }
    }
}

fn is_of(post: &Post, object: &Value) -> bool {
    let ids = ["video_id", "aweme_id", "id"].map(|key| text(object.get(key)));
    let counts = [
        (post.plays, "play_count"),
        (post.likes, "digg_count"),
        (post.comments, "comment_count"),
        (post.shares, "share_count"),
        (post.saves, "collect_count"),
        (post.created_at.map(|at| at.as_secs() as u64), "create_time"),
    ];
    ids.contains(&Some(post.id.clone()))
        && counts.iter().all(|(read, key)| read.is_none() || *read == count(object.get(*key)))
}

fn items<'a>(tree: &'a Value, key: &str) -> &'a [Value] {
    tree.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Every text in a tree, names of fields included.
fn texts<'a>(tree: &'a Value, found: &mut Vec<&'a str>) {
    match tree {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                found.push(name);
                texts(value, found);
            }
        }
        _ => {}
    }
}

/// Checks that an answer says what stands in the body.
pub fn is_said(query: &Query, body: &[u8], answer: &Answer) {
    // Half a character in a caption that nobody reads does no harm to the rest.
    let whole = String::from_utf8_lossy(body);
    let tree: Value = serde_json::from_str(&whole)
        .or_else(|_| serde_json::from_str(&whole.replace("\\u", "u")))
        .unwrap_or_else(|error| panic!("{answer:?} was read from what is no JSON: {error}: {whole}"));
    match answer {
        Answer::Hashtag(record) => {
            has_totals(&tree, record.totals);
            let (id, name) = (text(tree.get("id")), text(tree.get("cha_name")));
            assert_eq!(id.and_then(|id| ChallengeId::parse(&id).ok()), Some(record.id.clone()), "{tree}");
            assert_eq!(name.and_then(|name| Hashtag::parse(&name).ok()), Some(record.hashtag.clone()));
            match query {
                Query::HashtagByName(asked) => assert_eq!(record.hashtag, *asked, "an answer about another"),
                Query::HashtagById(asked) => assert_eq!(record.id, *asked, "an answer about another"),
                other => panic!("a hashtag is no answer to {other:?}"),
            }
        }
        Answer::Hashtags(page) => {
            for record in &page.items {
                let object =
                    items(&tree, "challenge_list").iter().chain(items(&tree, "videos")).find(|object| {
                        text(object.get("id")).and_then(|id| ChallengeId::parse(&id).ok())
                            == Some(record.id.clone())
                            && text(object.get("cha_name")).and_then(|name| Hashtag::parse(&name).ok())
                                == Some(record.hashtag.clone())
                            && (record.totals.posts.is_none()
                                || record.totals.posts == count(object.get("user_count")))
                    });
                has_totals(object.unwrap_or_else(|| panic!("{record:?} is not in {tree}")), record.totals);
            }
        }
        Answer::Posts(page) => {
            for post in &page.items {
                let is_there = items(&tree, "videos")
                    .iter()
                    .chain(items(&tree, "challenge_list"))
                    .any(|object| is_of(post, object));
                assert!(is_there, "{post:?} is not in {tree}");
            }
        }
        Answer::Regions(regions) => {
            let mut said = Vec::new();
            texts(&tree, &mut said);
            for region in regions {
                let is_said = said.iter().any(|text| text.trim().eq_ignore_ascii_case(region.as_str()));
                assert!(is_said, "{region:?} is not in {tree}");
            }
        }
    }
}

#[test]
fn what_is_read_from_a_spoilt_answer_stands_in_it() {
    let queries = queries();
    let good: Vec<String> = queries.iter().map(ask).collect();
    let mut random = Rng::with_seed(8);
    let (mut read_all, mut refused) = (0, 0);
    for case in 0..CASES {
        let index = case % good.len();
        let body = mutate(good[index].as_bytes(), &mut random);
        // Sometimes an answer to another question.
        let query = &queries[if random.u8(..8) == 0 { random.usize(..queries.len()) } else { index }];
        let status = if random.u8(..8) == 0 { random.u16(100..600) } else { 200 };
        match read(query, &answer(status, body.clone())) {
            Ok(found) => {
                assert!((200..300).contains(&status), "HTTP {status} is taken for an answer");
                is_said(query, &body, &found);
                read_all += 1;
            }
            Err(error) => {
                assert!(error.detail.chars().count() <= 200 && !error.detail.contains('\n'), "{error:?}");
                refused += 1;
            }
        }
    }
    // Both happen often, or the cases are none.
    assert!(read_all > CASES / 20 && refused > CASES / 20, "{read_all} were read, {refused} refused");
}

#[test]
fn the_answers_that_are_spoilt_are_good_ones() {
    for query in queries() {
        let body = ask(&query);
        is_said(&query, body.as_bytes(), &read(&query, &raw(&body)).unwrap());
    }
}

#[test]
fn an_answer_that_swells_in_memory_is_refused_before_it_does() {
    // Each item takes some 300 bytes once it is read: 3 MB would become 300.
    let many = format!("[{}]", vec!["{}"; 1_000_000].join(","));
    let regions = format!("[{}]", vec!["{\"a\":{}}"; 400_000].join(","));
    for (query, body) in [
        (&queries()[3], format!("{{\"videos\":{many}}}")),
        (&queries()[4], format!("{{\"challenge_list\":{many}}}")),
        (&Query::Regions, regions),
        (&queries()[0], "[".repeat(1 << 20)),
        (&Query::Regions, "[".repeat(1 << 17)),
    ] {
        let class = read(query, &raw(&body)).unwrap_err().class;
        assert!(matches!(class, Class::Malformed | Class::Transient), "{query:?}: {class:?}");
    }
}

#[test]
fn a_wait_that_the_server_asks_for_comes_with_the_error() {
    let raw = RawAnswer { retry_after: Some(Duration::MAX), ..answer(429, Vec::new()) };
    assert_eq!(read(&Query::Regions, &raw).unwrap_err().retry_after, Some(Duration::MAX));
}
