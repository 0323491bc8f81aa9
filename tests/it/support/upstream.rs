//! A stand-in for the way to the API, under tokio's paused clock: answers come from a script,
//! every request is written down with its time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tiktok_api::{BoxFuture, Dialect, Error, Query, RawAnswer, Transport};
use tokio::time::{Instant, sleep};

/// What the script says to one request.
pub enum Reply {
    /// HTTP 200 with this body.
    Json(String),
    /// This status with an empty body.
    Status(u16),
    /// 429 with `Retry-After`.
    RetryAfter(Duration),
    /// The connection broke.
    Broken,
}

/// Decides on a reply by the query and its number, counted from 0 over all requests.
type Script = dyn FnMut(&Query, usize) -> Reply + Send;

/// One request as it was received.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Time since the start of the test.
    pub at: Duration,
    /// What was asked.
    pub query: Query,
}

/// The scripted way to the API.
pub struct Scripted {
    script: Mutex<Box<Script>>,
    started: Instant,
    latency: Duration,
    received: Mutex<Vec<Received>>,
}

impl Scripted {
    pub fn new(latency: Duration, script: impl FnMut(&Query, usize) -> Reply + Send + 'static) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(Box::new(script)),
            started: Instant::now(),
            latency,
            received: Mutex::default(),
        })
    }

    /// Every request so far.
    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// How many requests so far.
    pub fn count(&self) -> usize {
        self.received.lock().unwrap().len()
    }
}

impl Transport for Scripted {
    fn send<'a>(&'a self, query: &'a Query) -> BoxFuture<'a, Result<RawAnswer, Error>> {
        Box::pin(async move {
            let number = {
                let mut received = self.received.lock().unwrap();
                received.push(Received { at: self.started.elapsed(), query: query.clone() });
                received.len() - 1
            };
            let reply = (self.script.lock().unwrap())(query, number);
            sleep(self.latency).await;
            let answer = |status, retry_after, body: String| RawAnswer {
                status,
                retry_after,
                location: None,
                simulated: false,
                body: body.into(),
            };
            match reply {
                Reply::Json(body) => Ok(answer(200, None, body)),
                Reply::Status(status) => Ok(answer(status, None, String::new())),
                Reply::RetryAfter(wait) => Ok(answer(429, Some(wait), String::new())),
                Reply::Broken => Err(Error::transient("the connection broke")),
            }
        })
    }

    fn dialect(&self) -> Dialect {
        Dialect::default()
    }
}

/// The answer to a look-up of `name` with the given views; its id is made from the name.
pub fn hashtag_json(name: &str, views: u64) -> String {
    let id = id_of(name);
    format!(r#"{{"id":"{id}","cha_name":"{name}","user_count":{},"view_count":{views}}}"#, views / 100)
}

/// A made-up but stable id.
pub fn id_of(name: &str) -> String {
    let digits: String = name.bytes().map(|byte| format!("{byte:03}")).collect();
    digits[..digits.len().min(30)].to_owned()
}

/// A page of posts: (id, Unix seconds).
pub fn posts_json(posts: &[(&str, i64)], cursor: &str, more: bool) -> String {
    let items: Vec<String> = posts
        .iter()
        .map(|(id, at)| format!(r#"{{"video_id":"{id}","create_time":{at},"play_count":100}}"#))
        .collect();
    format!(r#"{{"videos":[{}],"cursor":"{cursor}","hasMore":{more}}}"#, items.join(","))
}

/// A well-behaved API: every name exists, every page is the last one.
pub fn well_behaved(query: &Query) -> Reply {
    match query {
        Query::HashtagByName(hashtag) => Reply::Json(hashtag_json(hashtag.as_str(), 12_345)),
        Query::HashtagById(id) => {
            let name: String = id
                .as_str()
                .as_bytes()
                .chunks(3)
                .map(|digits| char::from(std::str::from_utf8(digits).unwrap().parse::<u8>().unwrap()))
                .collect();
            Reply::Json(hashtag_json(&name, 12_400))
        }
        Query::Posts { .. } => Reply::Json(posts_json(&[("a", 1_799_990_000)], "35", false)),
        _ => Reply::Json(r#"{"status":"error","message":"Not found"}"#.to_owned()),
    }
}
