//! How answers of the default dialect are read and classified.

use proptest::prelude::*;
use serde_json::Value;
use units::Timestamp;

use crate::{
    Answer, ChallengeId, Class, Cursor, Dialect, Error, Flags, Hashtag, HashtagRecord, Query, RawAnswer,
    Region, Totals,
};

fn read(query: &Query, raw: &RawAnswer) -> Result<Answer, Error> {
    Dialect::default().read(query, raw)
}

fn raw(status: u16, body: &str) -> RawAnswer {
    RawAnswer {
        status,
        retry_after: None,
        location: None,
        simulated: false,
        body: body.as_bytes().to_vec().into(),
    }
}

fn by_name(name: &str) -> Query {
    Query::HashtagByName(Hashtag::parse(name).unwrap())
}

fn by_id(id: &str) -> Query {
    Query::HashtagById(ChallengeId::parse(id).unwrap())
}

fn posts_query() -> Query {
    Query::Posts {
        id: ChallengeId::parse("1").unwrap(),
        region: Region::Any,
        count: 35,
        cursor: Cursor::start(),
    }
}

fn class(query: &Query, raw: &RawAnswer) -> Option<Class> {
    read(query, raw).err().map(|error| error.class)
}

#[test]
fn failures_are_classified_by_what_the_caller_does_next() {
    use Class::*;
    let html = "<html><body>Bad gateway</body></html>";
    for (status, body, want) in [
        // As seen in the wild, all with HTTP 200.
        (200, r#"{"message":"Please sign up to tikliveapi.com"}"#, Auth),
        (200, r#"{"message":"Api-Key is not available"}"#, Auth),
        (200, r#"{"status":"error","message":"Not found posts"}"#, NotFound),
        (200, r#"{"code":-1,"msg":"Free Api Limit: 1 request/second."}"#, Throttled),
        (200, html, Transient),
        (200, "", Transient),
        (200, " \n", Transient),
        (200, r#"{"id":"12","cha_name":"x","user_cou"#, Transient),
        // Guesses of what may come.
        (200, r#"{"message":"You have no credits left"}"#, CreditsExhausted),
        (200, r#"{"message":"Insufficient balance"}"#, CreditsExhausted),
        (200, r#"{"message":"Monthly quota reached"}"#, CreditsExhausted),
        (200, r#"{"code":-1,"msg":"Free Api Limit: 5000 requests a day."}"#, CreditsExhausted),
        (200, r#"{"status":"error","message":"Something went wrong"}"#, Transient),
        (200, r#"{"status":"error"}"#, Transient),
        (200, r#"{"message":"Sunny today"}"#, Malformed),
        (200, "{}", Malformed),
        (200, "[]", Malformed),
        (200, "null", Malformed),
        (200, "42", Malformed),
        (200, r#"["12","booktok",5,6]"#, Malformed),
        // Statuses.
        (302, "", Malformed),
        (400, "", Malformed),
        (401, "", Auth),
        (402, "", CreditsExhausted),
        (403, html, Auth),
        (403, r#"{"message":"credit limit reached"}"#, CreditsExhausted),
        (404, html, Malformed),
        (404, r#"{"message":"Hashtag not found"}"#, NotFound),
        (408, "", Transient),
        (422, r#"{"detail":"bad name"}"#, Malformed),
        (429, "", Throttled),
        (429, r#"{"message":"limit reached"}"#, Throttled),
        (429, r#"{"message":"no credits left"}"#, CreditsExhausted),
        (500, html, Transient),
        (503, r#"{"message":"Not found"}"#, Transient),
        (531, "", Transient),
    ] {
        for query in [by_name("booktok"), by_id("12"), posts_query()] {
            assert_eq!(class(&query, &raw(status, body)), Some(want), "HTTP {status} {body:?} to {query:?}");
        }
    }
}

#[test]
fn a_lookup_is_read_whatever_types_its_values_have() {
    let want = HashtagRecord {
        id: ChallengeId::parse("1585692").unwrap(),
        hashtag: Hashtag::parse("booktok").unwrap(),
        totals: Totals { posts: Some(52_000_000), views: Some(68_000_000_000_000) },
        flags: Flags { commerce: Some(true), ..Flags::default() },
        description: None,
    };
    for body in [
        r#"{"id":"1585692","cha_name":"BookTok","user_count":52000000,"view_count":68000000000000,"is_commerce":true}"#,
        r#"{"id":1585692,"cha_name":"booktok","user_count":"52000000","view_count":"68000000000000","is_commerce":1}"#,
        r#"{"id":"1585692","cha_name":"booktok","user_count":5.2e7,"view_count":6.8e13,"is_commerce":"1","desc":null,"cover":{},"type":[1]}"#,
    ] {
        assert_eq!(read(&by_name("booktok"), &raw(200, body)), Ok(Answer::Hashtag(want.clone())), "{body}");
    }
}

#[test]
fn counts_that_are_no_counts_are_not_said_rather_than_zero() {
    for (posts, views, want) in [
        ("null", "7", (None, Some(7))),
        ("-3", "7", (None, Some(7))),
        (r#""-3""#, "7", (None, Some(7))),
        ("2.5", "7", (None, Some(7))),
        (r#""many""#, "7", (None, Some(7))),
        ("1e300", "7", (None, Some(7))),
        ("[1]", "7", (None, Some(7))),
        ("true", "7", (None, Some(7))),
        ("5", "null", (Some(5), None)),
        ("0", "0", (Some(0), Some(0))),
        // Zero posts cannot have views.
        ("0", "9000000", (None, Some(9_000_000))),
    ] {
        let body = format!(r#"{{"id":"1","cha_name":"x","user_count":{posts},"view_count":{views}}}"#);
        let Ok(Answer::Hashtag(record)) = read(&by_name("x"), &raw(200, &body)) else {
            panic!("{body} is not read");
        };
        assert_eq!((record.totals.posts, record.totals.views), want, "{body}");
    }
    let neither = r#"{"id":"1","cha_name":"x","user_count":null,"view_count":-1}"#;
    assert_eq!(class(&by_name("x"), &raw(200, neither)), Some(Class::Malformed));
}

#[test]
fn another_hashtag_than_the_one_asked_for_is_refused() {
    let body = r#"{"id":"7","cha_name":"other","user_count":1,"view_count":2}"#;
    assert_eq!(class(&by_name("booktok"), &raw(200, body)), Some(Class::Malformed));
    assert_eq!(class(&by_id("8"), &raw(200, body)), Some(Class::Malformed));
    assert_eq!(class(&by_name("#Other"), &raw(200, body)), None);
    assert_eq!(class(&by_id("7"), &raw(200, body)), None);
}

#[test]
fn a_page_of_posts_keeps_what_can_be_read() {
    let body = r#"{"videos":[
        {"video_id":"a","create_time":1700000000,"play_count":10,"digg_count":"2","title":null,"region":"us",
         "author":{"unique_id":"@some.one","nickname":"<b>"}},
        {"aweme_id":77,"create_time":"1700000001","play_count":null,"author":null,"region":"Mars","title":" two\n lines "},
        {"id":"c","create_time":-5,"author":["x"],"title":["x"]},
        {"title":"no id"}, null, "text", [1]
    ],"cursor":35,"hasMore":1}"#;
    let Ok(Answer::Posts(page)) = read(&posts_query(), &raw(200, body)) else { panic!("not read") };
    let ids: Vec<_> = page.items.iter().map(|post| post.id.as_str()).collect();
    assert_eq!(ids, ["a", "77", "c"]);
    assert_eq!(page.unreadable, 4);
    assert_eq!(page.next.map(|cursor| cursor.to_string()).as_deref(), Some("35"));
    assert_eq!(page.items[0].likes, Some(2));
    let texts: Vec<_> =
        page.items.iter().map(|post| (post.author.as_deref(), post.title.as_deref())).collect();
    assert_eq!(texts, [(Some("some.one"), None), (None, Some("two lines")), (None, None)]);
    assert_eq!(page.items[0].region, Region::parse("US").ok());
    assert_eq!(page.items[1].created_at, Some(Timestamp::from_secs(1_700_000_001)));
    assert_eq!((page.items[1].plays, page.items[1].region, page.items[2].created_at), (None, None, None));
}

#[test]
fn the_end_of_a_list_is_told_from_its_middle() {
    for (body, more, next) in [
        (r#"{"videos":[],"cursor":"35","hasMore":true}"#, true, Some("35")),
        (r#"{"videos":[],"cursor":"35","hasMore":0}"#, false, None),
        (r#"{"videos":[],"cursor":null,"hasMore":true}"#, true, None),
        (r#"{"videos":[],"cursor":7}"#, true, Some("7")),
    ] {
        let Ok(Answer::Posts(page)) = read(&posts_query(), &raw(200, body)) else { panic!("{body}") };
        assert_eq!(
            (page.more, page.next.map(|cursor| cursor.to_string()).as_deref()),
            (more, next),
            "{body}"
        );
    }
    for garbage in [
        r#"{"videos":[{"title":"x"},{"title":"y"}],"hasMore":false}"#,
        r#"{"videos":[{"id":"1","create_time":null,"play_count":5}],"hasMore":false}"#,
        r#"{"videos":[{"id":"1","create_time":1700000000,"play_count":-5}],"hasMore":false}"#,
    ] {
        assert_eq!(class(&posts_query(), &raw(200, garbage)), Some(Class::Malformed), "{garbage}");
    }
}

#[test]
fn regions_are_read_from_every_likely_shape() {
    let want: Vec<_> = ["DE", "US"].iter().map(|code| Region::parse(code).unwrap()).collect();
    for body in [
        r#"{"US":"United States","DE":"Germany"}"#,
        r#"["US","DE","US"]"#,
        r#"[{"code":"US","name":"United States"},{"code":"de","name":"Germany"}]"#,
        r#"{"regions":["US","DE"]}"#,
        r#"{"data":{"US":"United States","DE":"Germany"}}"#,
    ] {
        assert_eq!(read(&Query::Regions, &raw(200, body)), Ok(Answer::Regions(want.clone())), "{body}");
    }
    let refused = raw(200, r#"{"message":"Api-Key is not available"}"#);
    assert_eq!(class(&Query::Regions, &refused), Some(Class::Auth));
}

#[test]
fn an_error_never_quotes_more_than_a_line() {
    let body = format!(r#"{{"message":"{}"}}"#, "bad\\n".repeat(10_000));
    let error = read(&by_name("x"), &raw(200, &body)).unwrap_err();
    assert!(error.detail.chars().count() <= 200 && !error.detail.contains('\n'), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Whatever comes, reading ends without a panic, and a count it brings was in the answer.
    #[test]
    fn no_answer_can_break_the_reader(status in 100_u16..600, body in any::<Vec<u8>>()) {
        let raw = RawAnswer { body: body.into(), ..raw(status, "") };
        for query in [by_name("x"), by_id("1"), posts_query(), Query::Regions] {
            let _ = read(&query, &raw);
        }
    }

    #[test]
    fn no_json_can_break_the_reader(value in wild_json()) {
        let raw = raw(200, &value.to_string());
        for query in [by_name("x"), by_id("1"), posts_query(), Query::Regions] {
            if let Ok(Answer::Hashtag(record)) = read(&query, &raw) {
                prop_assert!(record.totals.posts.or(record.totals.views).is_some());
            }
        }
    }
}

/// Objects that use the API's keys with values of every type.
fn wild_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[0-9]{1,25}".prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    let key = prop::sample::select(vec![
        "id",
        "cha_name",
        "user_count",
        "view_count",
        "is_commerce",
        "videos",
        "challenge_list",
        "cursor",
        "hasMore",
        "status",
        "message",
        "msg",
        "code",
        "video_id",
        "create_time",
        "play_count",
        "region",
    ]);
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(key.clone(), inner, 0..8)
                .prop_map(|fields| fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()),
        ]
    })
}
