//! A second dialect, for tests alone: proof that a dialect is one place and one line. It has other paths, parameter
//! names, codes, page sizes and error messages, wraps its answers, and takes its key in another header.

use serde_json::{Value, json};

use super::family::{self, Challenge, Listing, Video};
use crate::dialect::{Fields, Language};
use crate::fake::{Call, Content, Missing, PageCall, Parameters, Rejection};
use crate::provider::Provider;
use crate::reading::{self, Envelope, Object, Scalar, parse};
use crate::{Answer, Class, Dialect, Error, Operation, Order, Query, RawAnswer, Since};

static PROVIDER: Provider = Provider {
    name: "Second API",
    dialect: "second",
    base_url: "https://api.second.invalid/v1/",
    domains: &["second.invalid"],
    key_variable: "SECOND_API_KEY",
    key_header: "x-second-key",
    posts_page_max: 20,
    hashtags_page_max: 10,
    requests_per_minute: 60,
    requests_per_minute_max: 60,
    usd_per_100_000: 25.0,
    posts_take_region: false,
    lists_regions: false,
};

const SECOND: Dialect = Dialect::new(&Second);

#[derive(Debug)]
struct Second;

/// `{"code": 0, "msg": "success", "data": …}`.
#[derive(Debug, serde::Deserialize)]
#[serde(default, bound = "T: serde::Deserialize<'de>")]
struct Wrapped<T> {
    code: Scalar,
    msg: Scalar,
    data: Object<T>,
}

impl<T> Default for Wrapped<T> {
    fn default() -> Self {
        Self { code: Scalar::Absent, msg: Scalar::Absent, data: Object(None) }
    }
}

impl<T: Envelope> Envelope for Wrapped<T> {
    fn outcome(&self) -> [&Scalar; 4] {
        static ABSENT: Scalar = Scalar::Absent;
        [&ABSENT, &ABSENT, &self.msg, &self.code]
    }

    fn is_complete(&self) -> bool {
        self.data.0.as_ref().is_some_and(Envelope::is_complete)
    }
}

fn unwrap<T: Envelope + serde::de::DeserializeOwned>(raw: &RawAnswer) -> Result<T, Error> {
    let wrapped: Wrapped<T> = parse(&Second, raw)?;
    wrapped.data.0.ok_or_else(|| Error::malformed("no data"))
}

impl Language for Second {
    fn provider(&self) -> &'static Provider {
        &PROVIDER
    }

    fn request(&self, query: &Query) -> (&'static str, Vec<(&'static str, String)>) {
        match query {
            Query::HashtagByName(name) => ("challenge/info", vec![("challenge_name", name.to_string())]),
            Query::HashtagById(id) => ("challenge/info", vec![("challenge_id", id.to_string())]),
            Query::Posts { id, count, cursor, .. } => (
                "challenge/posts",
                vec![
                    ("challenge_id", id.to_string()),
                    ("limit", count.to_string()),
                    ("from", cursor.to_string()),
                ],
            ),
            Query::SearchHashtags { keyword, count, cursor } => (
                "challenge/search",
                vec![
                    ("keywords", keyword.clone()),
                    ("limit", count.to_string()),
                    ("from", cursor.to_string()),
                ],
            ),
            Query::SearchPosts { keyword, since, order, count, cursor, .. } => {
                let days = match since {
                    Since::Ever => "0",
                    Since::Day => "1",
                    Since::Week => "7",
                };
                let order = match order {
                    Order::Relevance => "0",
                    Order::Likes => "1",
                    Order::Date => "3",
                };
                let parameters = vec![
                    ("keywords", keyword.clone()),
                    ("limit", count.to_string()),
                    ("from", cursor.to_string()),
                    ("publish_time", days.to_owned()),
                    ("sort_type", order.to_owned()),
                ];
                ("feed/search", parameters)
            }
            Query::Regions => ("regions", Vec::new()),
        }
    }

    fn read(&self, query: &Query, raw: &RawAnswer) -> Result<Answer, Error> {
        match query.operation() {
            Operation::HashtagByName | Operation::HashtagById => {
                family::hashtag(&unwrap::<Challenge>(raw)?).map(Answer::Hashtag)
            }
            Operation::Posts | Operation::SearchPosts => {
                family::posts(unwrap::<Listing<Video>>(raw)?).map(Answer::Posts)
            }
            Operation::SearchHashtags => {
                family::hashtags(unwrap::<Listing<Challenge>>(raw)?).map(Answer::Hashtags)
            }
            Operation::Regions => family::region_codes(raw).map(Answer::Regions),
        }
    }

    fn classify(&self, message: &str) -> Option<Class> {
        if message.contains("is failed! Please check") {
            Some(Class::NotFound)
        } else {
            reading::class_of(message)
        }
    }

    fn parse(&self, path: &str, parameters: &Parameters) -> Option<Call> {
        let text = |name| parameters.text(name).to_owned();
        let page = |max| PageCall { count: parameters.number("limit", 5, max).max(1), cursor: text("from") };
        Some(match path {
            "v1/challenge/info" if !parameters.text("challenge_name").is_empty() => {
                Call::HashtagByName { name: text("challenge_name") }
            }
            "v1/challenge/info" => Call::HashtagById { id: text("challenge_id") },
            "v1/challenge/posts" => {
                Call::Posts { id: text("challenge_id"), region: String::new(), page: page(20) }
            }
            "v1/challenge/search" => Call::SearchHashtags { keyword: text("keywords"), page: page(10) },
            "v1/feed/search" => Call::SearchPosts {
                keyword: text("keywords"),
                region: String::new(),
                days: parameters.number("publish_time", 0, 180),
                order: match parameters.text("sort_type") {
                    "1" => Order::Likes,
                    "3" => Order::Date,
                    _ => Order::Relevance,
                },
                page: page(20),
            },
            "v1/regions" => Call::Regions,
            _ => return None,
        })
    }

    fn write(&self, content: &Content) -> Value {
        family::content(content)
    }

    fn wrap(&self, content: Value) -> Value {
        json!({"code": 0, "msg": "success", "processed_time": 0.3, "data": content})
    }

    fn reject(&self, rejection: Rejection) -> (u16, Value) {
        let failed = |msg: &str| json!({"code": -1, "msg": msg});
        match rejection {
            Rejection::NoKey | Rejection::BadKey => (403, json!({"message": "Unauthorized access token"})),
            Rejection::NoCredits => (200, failed("the balance is used up")),
            Rejection::TooFast => (429, failed("5 requests per second")),
            Rejection::TooFastAs200 => (200, failed("Free Api Limit: 1 request/second.")),
            Rejection::NotFound(Missing::Hashtag) => {
                (200, failed("challenge is failed! Please check challenge_name or challenge_id."))
            }
            Rejection::NotFound(_) => (200, failed("no such thing: not found")),
            Rejection::BadParameter(_) => (200, failed("check your parameters")),
            Rejection::NoSuchPath => (404, json!({})),
            Rejection::ServerError(status) => (status, failed("oops")),
        }
    }

    fn fields(&self) -> &'static Fields {
        &family::FIELDS
    }
}

mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use secrecy::SecretString;
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;
    use units::{SystemClock, Timestamp};

    use super::*;
    use crate::fake::{Body, FaultKind, Faults, Request, Settings, Simulator, serve};
    use crate::{Cursor, Hashtag, HttpSettings, HttpTransport, Region, Transport};

    const NOW: Timestamp = Timestamp::from_secs(1_780_488_000);

    fn simulator(dialect: Dialect) -> Simulator {
        let settings = Settings { dialect, keys: vec!["good key".to_owned()], ..Settings::default() };
        Simulator::new(Settings { rate_limit_per_minute: 10_000, ..settings })
    }

    fn queries() -> Vec<Query> {
        let booktok = Hashtag::parse("booktok").unwrap();
        let id = simulator(SECOND).id(&booktok);
        let (region, count, cursor) = (Region::Any, 10, Cursor::start());
        let keyword = "deep clean".to_owned();
        vec![
            Query::HashtagByName(booktok),
            Query::HashtagByName(Hashtag::parse("日本").unwrap()),
            Query::HashtagByName(Hashtag::parse("nosuchthing").unwrap()),
            Query::HashtagById(id.clone()),
            Query::Posts { id, region, count, cursor: cursor.clone() },
            Query::SearchHashtags { keyword: keyword.clone(), count, cursor: cursor.clone() },
            Query::SearchPosts {
                keyword: keyword.clone(),
                since: Since::Week,
                order: Order::Date,
                region,
                count,
                cursor: cursor.clone(),
            },
            Query::SearchPosts {
                keyword,
                since: Since::Ever,
                order: Order::Likes,
                region,
                count,
                cursor: Cursor::new("10".to_owned()),
            },
            Query::Regions,
        ]
    }

    /// What the client reads from the simulator, both in this dialect; no answer is an error of class transient.
    fn ask(simulator: &Simulator, query: &Query) -> Result<Answer, Class> {
        let dialect = simulator.dialect();
        let base = dialect.provider().default_base_url();
        let request = dialect.request(query);
        let path = format!("{}{}", base.path(), request.path);
        let reply =
            simulator.answer(Request { path: &path, query: &request.query, key: Some("good key") }, NOW);
        let Body::Whole(body) = reply.body else { return Err(Class::Transient) };
        let raw = RawAnswer {
            status: reply.status,
            retry_after: None,
            location: None,
            simulated: true,
            body: body.into(),
        };
        dialect.read(query, &raw).map_err(|error| error.class)
    }

    #[test]
    fn every_operation_is_tried() {
        let tried: Vec<Operation> = queries().iter().map(Query::operation).collect();
        let missing: Vec<_> = Operation::ALL.into_iter().filter(|it| !tried.contains(it)).collect();
        assert!(missing.is_empty(), "queries() has no {missing:?}");
    }

    #[test]
    fn one_world_answers_alike_in_both_dialects() {
        let (first, second) = (simulator(Dialect::default()), simulator(SECOND));
        for query in queries() {
            let answer = ask(&second, &query);
            assert_eq!(answer, ask(&first, &query), "{query:?}");
            let is_missing = matches!(&query, Query::HashtagByName(name) if name.as_str() == "nosuchthing");
            assert_eq!(answer.is_err_and(|class| class == Class::NotFound), is_missing, "{query:?}");
        }
        assert_eq!(first.bill(), second.bill());
        let names = |simulator: &Simulator| -> Vec<String> {
            simulator.log().into_iter().map(|request| request.endpoint).collect()
        };
        assert_eq!(names(&first), names(&second), "operations have one name in every dialect");
    }

    #[test]
    fn faults_strike_alike_in_both_dialects() {
        let kinds = [
            FaultKind::Throttle,
            FaultKind::ThrottleAs200,
            FaultKind::ServerError,
            FaultKind::Html,
            FaultKind::Empty,
            FaultKind::Redirect,
            FaultKind::CutOff,
            FaultKind::DeadKey,
            FaultKind::NoCredits,
            FaultKind::NotFound,
            FaultKind::WrongHashtag,
            FaultKind::Array,
            FaultKind::NullFields,
            FaultKind::StringCounts,
            FaultKind::NegativeCounts,
            FaultKind::NumericIds,
            FaultKind::CursorLoop,
        ];
        for kind in kinds {
            let name = serde_json::to_string(&kind).unwrap();
            let faults = Faults::parse(&format!(r#"{{"faults": [{{"kind": {name}}}]}}"#)).unwrap();
            let [first, second] = [Dialect::default(), SECOND].map(|dialect| {
                let simulator = simulator(dialect);
                simulator.set_faults(faults.clone());
                // How a list of regions is read does not depend on its fields.
                let queries = queries().into_iter().filter(|query| *query != Query::Regions);
                queries.map(|query| ask(&simulator, &query)).collect::<Vec<_>>()
            });
            assert_eq!(second, first, "{name}");
        }
    }

    #[test]
    fn a_page_is_as_large_as_the_dialect_allows() {
        let [Query::Posts { id, region, cursor, .. }] = &queries()[4..5] else { panic!("no posts") };
        let wide = Query::Posts { id: id.clone(), region: *region, count: 35, cursor: cursor.clone() };
        let most = |dialect| {
            let simulator = simulator(dialect);
            let page = ask(&simulator, &wide).unwrap().posts().unwrap();
            page.items.len()
        };
        assert_eq!(most(SECOND), 20);
        assert!(most(Dialect::default()) > 20);
    }

    #[test]
    fn stored_answers_of_two_dialects_do_not_mix() {
        let query = &queries()[0];
        assert_eq!(Dialect::default().answer_key(query), "challenge-info-name?name=booktok");
        assert_eq!(SECOND.answer_key(query), "second:challenge/info?challenge_name=booktok");
    }

    #[tokio::test]
    async fn the_client_and_the_simulator_speak_it_over_http() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base_url = format!("http://{}/v1/", listener.local_addr().unwrap());
        let stopping = CancellationToken::new();
        let serving = serve(listener, Arc::new(simulator(SECOND)), Arc::new(SystemClock), stopping.clone());
        let serving = tokio::spawn(serving);
        let transport = |key: &str| {
            let settings = HttpSettings {
                dialect: SECOND,
                base_url: base_url.parse().unwrap(),
                user_agent: "a test".to_owned(),
                key: Some(SecretString::from(key)),
                timeout: Duration::from_secs(10),
                connect_timeout: Duration::from_secs(10),
                max_body_bytes: 1 << 20,
            };
            HttpTransport::new(settings, Arc::new(SystemClock)).unwrap()
        };
        let good = transport("good key");
        for query in queries() {
            let raw = good.send(&query).await.unwrap();
            assert!(raw.simulated);
            let class = good.dialect().read(&query, &raw).err().map(|error| error.class);
            assert!(matches!(class, None | Some(Class::NotFound)), "{query:?}: {class:?}");
        }
        let raw = transport("bad key").send(&queries()[0]).await.unwrap();
        assert_eq!(SECOND.read(&queries()[0], &raw).unwrap_err().class, Class::Auth);
        stopping.cancel();
        serving.await.unwrap().unwrap();
    }
}
