//! The simulator: a deterministic world behind the HTTP contract of a provider, in any dialect.
//!
//! Three layers, each of which can be used alone: the [`World`] (what is true at a moment), the [`Simulator`] (what
//! the API answers to a request at that moment: keys, credits, limits, faults, and pages as irregular as real ones),
//! and [`serve`] (HTTP). Every answer has the header `X-Simulated`, so that it cannot be mistaken for real data.
//!
//! The behaviour of the real APIs is only partly known. Otherwise the simulator does what is likelier or harsher:
//! errors come with HTTP 200, and a "not found" costs a credit.

mod accounts;
mod answers;
mod call;
mod catalog;
mod content;
mod dice;
mod faults;
mod ids;
mod posts;
mod profile;
mod rate;
mod regions;
mod server;
mod sums;
mod world;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use units::Timestamp;

use crate::{ChallengeId, Dialect, Hashtag};

use accounts::{Accounts, Terms};
use dice::Dice;
use faults::ActiveFaults;
use ids::Ids;

pub(crate) use call::{Call, Missing, PageCall, Parameter, Parameters, Rejection};
pub(crate) use content::{Content, FakeHashtag, FakePost, List};

pub use accounts::{Bill, Charges};
pub use catalog::{CATALOG, Kind, Listed, NEVER};
pub use faults::{Fault, FaultKind, Faults, InvalidFaults};
pub use server::serve;
pub use world::World;

/// Maximum requests in the log.
const LOG_MAX: usize = 10_000;

/// The properties of the simulated API. The defaults are those of the real one: any key, 200 requests per minute,
/// unlimited credits; but no latency.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The dialect of requests and answers.
    pub dialect: Dialect,
    /// Selects the world.
    pub seed: u64,
    /// The beginning of the world.
    pub beginning: Timestamp,
    /// The mean latency of an answer; each takes 0.5 to 1.5 times as long.
    pub latency: Duration,
    /// Maximum requests of a key within any minute.
    pub rate_limit_per_minute: u32,
    /// Credits of each key; `None` is unlimited.
    pub credits: Option<u64>,
    /// The accepted keys; empty accepts any.
    pub keys: Vec<String>,
    /// The faults in force at the start.
    pub faults: Faults,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dialect: Dialect::default(),
            seed: 1,
            beginning: World::BEGINNING,
            latency: Duration::ZERO,
            rate_limit_per_minute: 200,
            credits: None,
            keys: Vec::new(),
            faults: Faults::default(),
        }
    }
}

/// A request, independent of HTTP.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The path, with or without a trailing slash.
    pub path: &'a str,
    /// The query, percent-encoded, without the question mark.
    pub query: &'a str,
    /// The value of the dialect's key header.
    pub key: Option<&'a str>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The media type.
    pub content_type: &'static str,
    /// The `Retry-After` in seconds.
    pub retry_after: Option<u64>,
    /// The `Location`.
    pub location: Option<&'static str>,
    /// The body.
    pub body: Body,
    /// How long to wait before answering.
    pub delay: Duration,
}

/// How a body is sent.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Completely.
    Whole(String),
    /// With the full length announced, but ended halfway.
    CutOff(String),
    /// It starts like an answer and never ends.
    Endless,
    /// Not even the status line is sent.
    Never,
}

/// A request in the log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Logged {
    /// When it arrived, in milliseconds since the Unix epoch.
    pub at_milliseconds: i64,
    /// The name of the operation, or the path if there is no such operation.
    pub endpoint: String,
    /// The query as received.
    pub query: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// Whether a credit was charged.
    pub charged: bool,
}

/// The fake API without its sockets.
#[derive(Debug)]
pub struct Simulator {
    dialect: Dialect,
    world: World,
    ids: Ids,
    dice: Dice,
    latency: Duration,
    session: Mutex<Session>,
}

/// What changes with every request.
#[derive(Debug)]
struct Session {
    accounts: Accounts,
    faults: ActiveFaults,
    log: VecDeque<Logged>,
    requests: u64,
}

impl Simulator {
    /// A simulator with nothing charged yet.
    pub fn new(settings: Settings) -> Self {
        let mut faults = ActiveFaults::default();
        faults.set(settings.faults);
        let terms = Terms {
            keys: settings.keys,
            per_minute: settings.rate_limit_per_minute,
            credits: settings.credits,
        };
        let dice = Dice::new(settings.seed);
        Self {
            dialect: settings.dialect,
            world: World::beginning_at(settings.seed, settings.beginning),
            ids: Ids::new(dice),
            dice: dice.named("simulator"),
            latency: settings.latency,
            session: Mutex::new(Session {
                accounts: Accounts::new(terms),
                faults,
                log: VecDeque::new(),
                requests: 0,
            }),
        }
    }

    /// The dialect of requests and answers.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// The simulated world.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The id of a hashtag, whether it exists or not.
    pub fn id(&self, hashtag: &Hashtag) -> ChallengeId {
        self.ids.id(hashtag)
    }

    /// The answer to a request at `now`.
    pub fn answer(&self, request: Request<'_>, now: Timestamp) -> Reply {
        let path = request.path.trim_matches('/');
        let call = self.dialect.language().parse(path, &Parameters::parse(request.query));
        let endpoint = call.as_ref().map_or(path, |call| call.operation().as_str());
        let (admitted, latency, fault) = {
            let mut session = self.session();
            session.requests += 1;
            let pace = self.dice.named("latency").about(session.requests).between(0.5, 1.5);
            let (extra, fault) = session.faults.draw(endpoint, self.dice);
            let latency = self.latency.mul_f64(pace) + Duration::from_millis(extra);
            (session.accounts.admit(request.key, now), latency, fault)
        };
        let endpoint = endpoint.chars().take(100).collect();
        let (reply, charged) = match admitted {
            Err(rejection) => (self.reject(rejection, None), false),
            Ok(()) => match self.answer_admitted(call, fault, now) {
                Ok(reply) => (reply, true),
                Err((rejection, retry_after)) => {
                    // An answer with HTTP 200 costs a credit, even if it is an error, unless the account cannot
                    // pay.
                    let pays = !matches!(rejection, Rejection::BadKey | Rejection::NoCredits);
                    (self.reject(rejection, retry_after), pays)
                }
            },
        };
        let charged = charged && reply.status == 200;
        let mut session = self.session();
        if charged {
            session.accounts.charge(request.key);
        }
        session.remember(Logged {
            at_milliseconds: now.as_millis(),
            endpoint,
            query: request.query.chars().take(300).collect(),
            status: reply.status,
            charged,
        });
        Reply { delay: latency, ..reply }
    }

    /// Replaces the faults in force.
    pub fn set_faults(&self, faults: Faults) {
        self.session().faults.set(faults);
    }

    /// The faults in force.
    pub fn faults(&self) -> Faults {
        self.session().faults.in_force()
    }

    /// The credits charged so far.
    pub fn bill(&self) -> Bill {
        self.session().accounts.bill()
    }

    /// The last requests, oldest first.
    pub fn log(&self) -> Vec<Logged> {
        self.session().log.iter().cloned().collect()
    }

    /// The answer to a request whose key was accepted.
    fn answer_admitted(
        &self,
        call: Option<Call>,
        fault: Option<Fault>,
        now: Timestamp,
    ) -> Result<Reply, (Rejection, Option<u64>)> {
        let language = self.dialect.language();
        let rejected = |rejection| (rejection, None);
        let content = |call: Option<Call>| {
            let call = call.ok_or(rejected(Rejection::NoSuchPath))?;
            answers::answer(&self.world, &self.ids, &call, now).map_err(rejected)
        };
        let good = |call| Ok(Reply::json(language.wrap(language.write(&content(call)?))));
        let Some(fault) = fault else { return good(call) };
        match fault.kind {
            FaultKind::Latency => good(call),
            FaultKind::Hang => Ok(Reply { body: Body::Never, ..Reply::json(json!({})) }),
            FaultKind::Throttle => Err((Rejection::TooFast, fault.retry_after_seconds)),
            FaultKind::ThrottleAs200 => Err(rejected(Rejection::TooFastAs200)),
            FaultKind::ServerError => Err(rejected(Rejection::ServerError(fault.status.unwrap_or(500)))),
            FaultKind::Html => Ok(Reply::text("text/html", "<!doctype html><title>Just a moment…</title>")),
            FaultKind::Empty => Ok(Reply::text("application/json", "")),
            FaultKind::Redirect => Ok(Reply {
                status: 302,
                location: Some("https://elsewhere.invalid/"),
                ..Reply::text("text/html", "")
            }),
            FaultKind::CutOff => {
                let whole = good(call).unwrap_or_else(|(rejection, _)| self.reject(rejection, None));
                match whole.body {
                    Body::Whole(body) => Ok(Reply { body: Body::CutOff(body), ..whole }),
                    _ => Ok(whole),
                }
            }
            FaultKind::Endless => Ok(Reply { body: Body::Endless, ..Reply::json(json!({})) }),
            FaultKind::DeadKey => Err(rejected(Rejection::BadKey)),
            FaultKind::NoCredits => Err(rejected(Rejection::NoCredits)),
            FaultKind::NotFound => Err(rejected(Rejection::NotFound(Missing::Data))),
            FaultKind::WrongHashtag => good(call.map(Call::about_another_hashtag)),
            kind => {
                let cursor = call.as_ref().map_or("", Call::cursor).to_owned();
                let value = language.write(&content(call)?);
                Ok(Reply::json(language.wrap(faults::spoil(kind, value, language.fields(), &cursor))))
            }
        }
    }

    /// The answer that reports an error.
    fn reject(&self, rejection: Rejection, retry_after: Option<u64>) -> Reply {
        let (status, body) = self.dialect.language().reject(rejection);
        Reply { status, retry_after, ..Reply::json(body) }
    }

    fn session(&self) -> MutexGuard<'_, Session> {
        // Nothing can panic while the lock is held; the counts would still be correct.
        self.session.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Session {
    fn remember(&mut self, request: Logged) {
        if self.log.len() >= LOG_MAX {
            self.log.pop_front();
        }
        self.log.push_back(request);
    }
}

impl Reply {
    fn json(value: Value) -> Self {
        Self::text("application/json", value.to_string())
    }

    fn text(content_type: &'static str, text: impl Into<String>) -> Self {
        Self {
            status: 200,
            content_type,
            retry_after: None,
            location: None,
            body: Body::Whole(text.into()),
            delay: Duration::ZERO,
        }
    }
}
