//! Reading an answer: which of the API's many ways to fail is this, and if none, what does it say?
//!
//! The order of the questions matters, because the API reports most failures with HTTP 200: the
//! status; is it JSON at all; does it call itself an error; does it hold what was asked for; is it
//! about the thing that was asked for.

use crate::{ChallengeId, Flags, Hashtag, HashtagRecord, Post, Region, Totals};
use serde::de::DeserializeOwned;
use serde_json::Value;
use units::Timestamp;

use super::wire::{Challenge, Envelope, Listing, Object, Outcome, Scalar, Video};
use super::{Answer, Class, Cursor, Error, Page, Query, RawAnswer};

/// The largest answer that is read as a list of regions, of which there are some 250. Its shape is not
/// known, so all of it is held, and that can take eighty times its size.
const REGIONS_MAX_BYTES: usize = 256 << 10;

/// The end of all times that are taken for one, in Unix seconds.
const YEAR_10000: i64 = 253_402_300_800;

/// Reads `raw` as the answer to `query`.
pub fn read(query: &Query, raw: &RawAnswer) -> Result<Answer, Error> {
    read_body(query, raw).map_err(|error| Error { retry_after: raw.retry_after, ..error })
}

fn read_body(query: &Query, raw: &RawAnswer) -> Result<Answer, Error> {
    if !(200..300).contains(&raw.status) {
        return Err(bad_status(raw));
    }
    if raw.body.trim_ascii().is_empty() {
        return Err(Error::transient(format!("HTTP {} with an empty body", raw.status)));
    }
    match query {
        Query::HashtagByName(asked) => {
            let record = lookup(raw)?;
            if record.hashtag == *asked {
                Ok(Answer::Hashtag(record))
            } else {
                Err(Error::malformed(format!("asked for #{asked}, got #{}", record.hashtag)))
            }
        }
        Query::HashtagById(asked) => {
            let record = lookup(raw)?;
            if record.id == *asked {
                Ok(Answer::Hashtag(record))
            } else {
                Err(Error::malformed(format!("asked for id {asked}, got id {}", record.id)))
            }
        }
        Query::Posts { .. } | Query::SearchPosts { .. } => posts(raw).map(Answer::Posts),
        Query::SearchHashtags { .. } => hashtags(raw).map(Answer::Hashtags),
        Query::Regions => regions(raw).map(Answer::Regions),
    }
}

/// The class of an answer outside 2xx. What the body says goes before the status.
fn bad_status(raw: &RawAnswer) -> Error {
    let status = raw.status;
    let said = json::<Object<Outcome>>(raw).ok().and_then(|answer| answer.0?.said());
    let by_status = match status {
        300..=399 => {
            let target = raw.location.as_deref().unwrap_or("nowhere");
            return Error::malformed(format!(
                "HTTP {status}, a redirect to {target}; redirects are not followed (is api.base_url right?)"
            ));
        }
        401 | 403 => Class::Auth,
        402 => Class::CreditsExhausted,
        429 => Class::Throttled,
        408 | 425 | 500.. => Class::Transient,
        _ => Class::Malformed,
    };
    let class = match (status, said.as_deref().and_then(class_of_words)) {
        // A limit that comes with 429 is one of rate, unless the text speaks of money.
        (429, Some(Class::CreditsExhausted)) if !said.as_deref().is_some_and(speaks_of_money) => {
            Class::Throttled
        }
        (400..=499, Some(class)) => class,
        _ => by_status,
    };
    let hint = if status == 404 && class == Class::Malformed { " (is api.base_url right?)" } else { "" };
    Error::new(class, format!("HTTP {status}{hint}: {}", said.as_deref().unwrap_or("no message")))
}

/// Parses the body as an object that holds a `T`, unless it calls itself an error.
fn parse<T: DeserializeOwned + Envelope>(raw: &RawAnswer) -> Result<T, Error> {
    let answer: Object<T> = json(raw)?;
    let Some(answer) = answer.0 else {
        return Err(Error::malformed("the answer is not a JSON object"));
    };
    if answer.admits_error() || answer.has_negative_code() || !answer.is_complete() {
        return Err(refusal(&answer));
    }
    Ok(answer)
}

/// The class of a 2xx answer that does not hold what was asked for.
fn refusal(answer: &impl Envelope) -> Error {
    let Some(text) = answer.said() else {
        return if answer.admits_error() {
            Error::transient("the server reports an error without saying which")
        } else {
            Error::malformed("the answer lacks a required key")
        };
    };
    // An error the server admits may pass; a text nobody knows is not worth credits.
    let unknown = if answer.admits_error() { Class::Transient } else { Class::Malformed };
    Error::new(class_of_words(&text).unwrap_or(unknown), format!("the server says: {text}"))
}

/// What a message means, by its words. Rate limits are looked for first: they too speak of limits.
fn class_of_words(text: &str) -> Option<Class> {
    let text = text.to_lowercase();
    let speaks_of = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if speaks_of(&[
        "per second",
        "/second",
        "per minute",
        "/minute",
        "too many",
        "rate limit",
        "slow down",
        "throttl",
    ]) {
        Some(Class::Throttled)
    } else if speaks_of_money(&text) || speaks_of(&["quota", "limit"]) {
        Some(Class::CreditsExhausted)
    } else if speaks_of(&[
        "api-key",
        "api key",
        "apikey",
        "sign up",
        "unauthori",
        "unauthenticated",
        "forbidden",
        "api token",
        "access token",
        "invalid token",
    ]) {
        Some(Class::Auth)
    } else if speaks_of(&["not found", "not exist", "n't exist", "no such", "no result"]) {
        Some(Class::NotFound)
    } else {
        None
    }
}

fn speaks_of_money(text: &str) -> bool {
    let text = text.to_lowercase();
    ["credit", "balance", "insufficient", "payment", "top up", "subscription"]
        .iter()
        .any(|word| text.contains(word))
}

/// JSON of the expected shape. No JSON at all is the server's trouble and may pass; JSON of
/// another shape is not.
fn json<T: DeserializeOwned>(raw: &RawAnswer) -> Result<T, Error> {
    serde_json::from_slice(&raw.body).map_err(|error| {
        if error.is_data() {
            Error::malformed(format!("unexpected JSON: {error}"))
        } else {
            let start = String::from_utf8_lossy(&raw.body[..raw.body.len().min(60)]).into_owned();
            Error::transient(format!("HTTP {} with a body that is not JSON: {start}", raw.status))
        }
    })
}

fn lookup(raw: &RawAnswer) -> Result<HashtagRecord, Error> {
    let challenge: Challenge = parse(raw)?;
    hashtag(&challenge).map_err(Error::malformed)
}

/// A hashtag, or what is wrong with it.
fn hashtag(challenge: &Challenge) -> Result<HashtagRecord, &'static str> {
    let id = challenge
        .id
        .text()
        .and_then(|text| ChallengeId::parse(&text).ok())
        .ok_or("the hashtag's id is no number")?;
    let name = challenge.cha_name.text().ok_or("the hashtag has no cha_name")?;
    let hashtag = Hashtag::parse(&name).map_err(|_| "the hashtag's cha_name is not a hashtag")?;
    let views = challenge.view_count.count();
    // Zero posts beside views is a gap in the upstream's data, not a count.
    let posts =
        challenge.user_count.count().filter(|posts| *posts > 0 || views.is_none_or(|views| views == 0));
    if posts.is_none() && views.is_none() {
        return Err("the hashtag has neither a user_count nor a view_count");
    }
    let flags = Flags {
        commerce: challenge.is_commerce.flag(),
        challenge: challenge.is_challenge.flag(),
        pgc_show: challenge.is_pgcshow.flag(),
        strong_music: challenge.is_strong_music.flag(),
    };
    let description = challenge.desc.text();
    Ok(HashtagRecord { id, hashtag, totals: Totals { posts, views }, flags, description })
}

fn hashtags(raw: &RawAnswer) -> Result<Page<HashtagRecord>, Error> {
    page(parse(raw)?, |challenge: &Challenge| hashtag(challenge).ok())
}

fn posts(raw: &RawAnswer) -> Result<Page<Post>, Error> {
    let page = page(parse(raw)?, post)?;
    // One post may lack anything. If all lack what velocity and engagement are made of, the answer is
    // broken, and figures made of it would be zeros that nobody counted.
    let lacks = |said: fn(&Post) -> bool| !page.items.is_empty() && !page.items.iter().any(said);
    if lacks(|post| post.created_at.is_some()) {
        return Err(Error::malformed("no post on the page has a create_time"));
    }
    if lacks(|post| post.plays.is_some()) {
        return Err(Error::malformed("no post on the page has a play_count"));
    }
    Ok(page)
}

fn page<W, T>(listing: Listing<W>, read: impl Fn(&W) -> Option<T>) -> Result<Page<T>, Error> {
    let found = listing.items.map(|items| items.0).unwrap_or_default();
    let items: Vec<T> = found.iter().filter_map(|object| object.0.as_ref().and_then(&read)).collect();
    if items.is_empty() && !found.is_empty() {
        return Err(Error::malformed(format!("none of the {} items can be read", found.len())));
    }
    let more = listing.has_more.flag().unwrap_or(true);
    let next = listing.cursor.text().filter(|_| more).map(Cursor::new);
    Ok(Page { unreadable: found.len() - items.len(), items, more, next })
}

/// A post; one without an id cannot be told from its copies on other pages and is left out.
fn post(video: &Video) -> Option<Post> {
    let id = [&video.video_id, &video.aweme_id, &video.id].into_iter().find_map(Scalar::text)?;
    let created_at = video
        .create_time
        .count()
        .and_then(|secs| i64::try_from(secs).ok())
        .filter(|secs| (1..YEAR_10000).contains(secs));
    Some(Post {
        id,
        author: video.author.0.as_ref().and_then(|author| Post::author(&author.unique_id.text()?)),
        title: video.title.text().and_then(|title| Post::title(&title)),
        created_at: created_at.map(Timestamp::from_secs),
        region: video.region.text().and_then(|code| Region::parse(&code).ok()),
        plays: video.play_count.count(),
        likes: video.digg_count.count(),
        comments: video.comment_count.count(),
        shares: video.share_count.count(),
        saves: video.collect_count.count(),
    })
}

/// The codes of a list whose shape is not documented: a map from code to name, an array of codes,
/// or an array of objects; at the top or one level down.
fn regions(raw: &RawAnswer) -> Result<Vec<Region>, Error> {
    if raw.body.len() > REGIONS_MAX_BYTES {
        return Err(Error::malformed(format!("a list of regions of {} bytes", raw.body.len())));
    }
    let value: Value = json(raw)?;
    let mut codes = region_codes(&value);
    if codes.is_empty() {
        codes =
            value.as_object().into_iter().flat_map(|fields| fields.values()).flat_map(region_codes).collect();
    }
    if codes.is_empty() {
        let outcome: Object<Outcome> = json(raw)?;
        return Err(refusal(&outcome.0.unwrap_or_default()));
    }
    codes.sort_unstable();
    codes.dedup();
    Ok(codes)
}

fn region_codes(value: &Value) -> Vec<Region> {
    let code = |text: &str| Region::parse(text).ok();
    match value {
        Value::Object(fields) => fields.keys().filter_map(|key| code(key)).collect(),
        Value::Array(items) => items
            .iter()
            .filter_map(|item| match item {
                Value::String(text) => code(text),
                Value::Object(fields) => fields.values().filter_map(Value::as_str).find_map(code),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
                assert_eq!(
                    class(&query, &raw(status, body)),
                    Some(want),
                    "HTTP {status} {body:?} to {query:?}"
                );
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
            assert_eq!(
                read(&by_name("booktok"), &raw(200, body)),
                Ok(Answer::Hashtag(want.clone())),
                "{body}"
            );
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
                prop::collection::hash_map(key.clone(), inner, 0..8).prop_map(|fields| fields
                    .into_iter()
                    .map(|(key, value)| (key.to_owned(), value))
                    .collect()),
            ]
        })
    }
}
