//! The fake upstream: a deterministic world behind the API's HTTP contract.
//!
//! Three layers, each of which can be used alone: the [`World`] (what is true at a moment), the
//! [`Simulator`] (what the API answers to a request at that moment: keys, credits, limits, faults
//! and pages as irregular as real ones), and [`serve`] (HTTP). Every answer carries the header
//! `X-Simulated`, so that no one takes it for real.
//!
//! What the real API does is known in part only. Where it is not, the simulator takes the likelier
//! or the harsher side: errors come as HTTP 200, and an answer that says "not found" is charged.

mod accounts;
mod catalog;
mod course;
mod dice;
mod endpoints;
mod faults;
mod ids;
mod posts;
mod profile;
mod rate;
mod regions;
mod server;
mod wire;
mod world;

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use crate::{ChallengeId, Hashtag};
use serde::Serialize;
use serde_json::{Value, json};
use units::Timestamp;

use accounts::{Accounts, Refusal, Terms};
use dice::Dice;
use faults::Switchboard;
use ids::Ids;

pub use accounts::{Bill, Charges};
pub use catalog::{CATALOG, Kind, Listed, NEVER};
pub use faults::{Fault, FaultKind, Faults, InvalidFaults};
pub use server::serve;
pub use world::World;

/// Requests that are remembered.
const LOG_MAX: usize = 10_000;

/// What the simulated API is like. The default is the real one's: any key, 200 requests a minute,
/// no end of credits; but no latency.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which world.
    pub seed: u64,
    /// When it began.
    pub beginning: Timestamp,
    /// The mean time an answer takes; single ones take half to one and a half of it.
    pub latency: Duration,
    /// Requests a key may send within any minute.
    pub rate_limit_per_minute: u32,
    /// Credits each key has; `None`: without end.
    pub credits: Option<u64>,
    /// The keys that are accepted; empty: any.
    pub keys: Vec<String>,
    /// What goes wrong from the start.
    pub faults: Faults,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
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

/// A request, taken out of HTTP.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The path, with or without the slash at its end.
    pub path: &'a str,
    /// The query, percent-encoded, without the question mark.
    pub query: &'a str,
    /// The value of `X-Api-Key`.
    pub key: Option<&'a str>,
}

/// What is answered.
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

/// How a body comes.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// As it should.
    Whole(String),
    /// Announced whole, but ended halfway.
    CutOff(String),
    /// It begins like an answer and never ends.
    Endless,
    /// Not even the status line comes.
    Never,
}

/// A request as it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Logged {
    /// When it came, in milliseconds since the Unix epoch.
    pub at_milliseconds: i64,
    /// The endpoint, or the path if it leads nowhere.
    pub endpoint: String,
    /// The query as it came.
    pub query: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// Whether a credit was charged.
    pub charged: bool,
}

/// The fake API without its sockets.
#[derive(Debug)]
pub struct Simulator {
    world: World,
    ids: Ids,
    dice: Dice,
    latency: Duration,
    desk: Mutex<Desk>,
}

/// What changes with every request.
#[derive(Debug)]
struct Desk {
    accounts: Accounts,
    switchboard: Switchboard,
    log: VecDeque<Logged>,
    requests: u64,
}

impl Simulator {
    /// A simulator with nothing charged yet.
    pub fn new(settings: Settings) -> Self {
        let mut switchboard = Switchboard::default();
        switchboard.set(settings.faults);
        let terms = Terms {
            keys: settings.keys,
            per_minute: settings.rate_limit_per_minute,
            credits: settings.credits,
        };
        let dice = Dice::new(settings.seed);
        Self {
            world: World::beginning_at(settings.seed, settings.beginning),
            ids: Ids::new(dice),
            dice: dice.named("simulator"),
            latency: settings.latency,
            desk: Mutex::new(Desk {
                accounts: Accounts::new(terms),
                switchboard,
                log: VecDeque::new(),
                requests: 0,
            }),
        }
    }

    /// The world it tells of.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The id of a hashtag, whether it exists or not.
    pub fn id(&self, hashtag: &Hashtag) -> ChallengeId {
        self.ids.id(hashtag)
    }

    /// The answer to a request that comes at `now`.
    pub fn answer(&self, request: Request<'_>, now: Timestamp) -> Reply {
        let endpoint = request.path.trim_matches('/');
        let (admitted, latency, fault) = {
            let mut desk = self.desk();
            desk.requests += 1;
            let pace = self.dice.named("latency").about(desk.requests).between(0.5, 1.5);
            let (extra, fault) = desk.switchboard.draw(endpoint, self.dice);
            let latency = self.latency.mul_f64(pace) + Duration::from_millis(extra);
            (desk.accounts.admit(request.key, now), latency, fault)
        };
        let reply = match admitted {
            Err(refusal) => Reply::refusal(refusal),
            Ok(()) => self.let_in(endpoint, request.query, fault, now),
        };
        let charged = admitted.is_ok() && is_charged(&reply);
        let mut desk = self.desk();
        if charged {
            desk.accounts.charge(request.key);
        }
        desk.remember(Logged {
            at_milliseconds: now.as_millis(),
            endpoint: endpoint.chars().take(100).collect(),
            query: request.query.chars().take(300).collect(),
            status: reply.status,
            charged,
        });
        Reply { delay: latency, ..reply }
    }

    /// Replaces the faults in force.
    pub fn set_faults(&self, faults: Faults) {
        self.desk().switchboard.set(faults);
    }

    /// The faults in force.
    pub fn faults(&self) -> Faults {
        self.desk().switchboard.in_force()
    }

    /// What was charged so far.
    pub fn bill(&self) -> Bill {
        self.desk().accounts.bill()
    }

    /// The last requests, oldest first.
    pub fn log(&self) -> Vec<Logged> {
        self.desk().log.iter().cloned().collect()
    }

    fn let_in(&self, endpoint: &str, query: &str, fault: Option<Fault>, now: Timestamp) -> Reply {
        let parameters = endpoints::Parameters::parse(query);
        let answer = |parameters| endpoints::answer(&self.world, &self.ids, endpoint, parameters, now);
        let Some(fault) = fault else { return Reply::of(answer(&parameters)) };
        match fault.kind {
            FaultKind::Latency => Reply::of(answer(&parameters)),
            FaultKind::Hang => Reply { body: Body::Never, ..Reply::json(json!({})) },
            FaultKind::Throttle => {
                Reply { retry_after: fault.retry_after_seconds, ..Reply::refusal(Refusal::TooFast) }
            }
            FaultKind::ThrottleAs200 => {
                Reply::json(json!({"code": -1, "msg": "Free Api Limit: 1 request/second."}))
            }
            FaultKind::ServerError => Reply {
                status: fault.status.unwrap_or(500),
                ..Reply::json(json!({"message": "Internal Server Error"}))
            },
            FaultKind::Html => Reply::text("text/html", "<!doctype html><title>Just a moment…</title>"),
            FaultKind::Empty => Reply::text("application/json", ""),
            FaultKind::Redirect => Reply {
                status: 302,
                location: Some("https://elsewhere.invalid/"),
                ..Reply::text("text/html", "")
            },
            FaultKind::CutOff => {
                let whole = Reply::of(answer(&parameters));
                match whole.body {
                    Body::Whole(body) => Reply { body: Body::CutOff(body), ..whole },
                    _ => whole,
                }
            }
            FaultKind::Endless => Reply { body: Body::Endless, ..Reply::json(json!({})) },
            FaultKind::DeadKey => Reply::refusal(Refusal::BadKey),
            FaultKind::NoCredits => Reply::refusal(Refusal::NoCredits),
            FaultKind::NotFound => Reply::of(Err(endpoints::Unanswered::NotFound("data"))),
            FaultKind::WrongHashtag => Reply::of(answer(&parameters.about_another_hashtag())),
            kind => {
                let spoilt =
                    answer(&parameters).map(|good| faults::spoil(kind, good, parameters.text("cursor")));
                Reply::of(spoilt)
            }
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // Nothing can panic while the lock is held; counts would still be true.
        self.desk.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Desk {
    fn remember(&mut self, request: Logged) {
        if self.log.len() >= LOG_MAX {
            self.log.pop_front();
        }
        self.log.push_back(request);
    }
}

/// Whether an admitted request costs a credit: whatever is answered with HTTP 200, except a refusal
/// of the account.
fn is_charged(reply: &Reply) -> bool {
    let refusals = [Refusal::BadKey, Refusal::NoCredits].map(Reply::refusal);
    reply.status == 200 && !refusals.iter().any(|refusal| refusal.body == reply.body)
}

impl Reply {
    fn of(answer: Result<Value, endpoints::Unanswered>) -> Self {
        match answer {
            Ok(answer) => Self::json(answer),
            Err(endpoints::Unanswered::NotFound(what)) => {
                Self::json(json!({"status": "error", "message": format!("Not found {what}")}))
            }
            Err(endpoints::Unanswered::BadRequest(what)) => {
                Self::json(json!({"status": "error", "message": format!("Parameter {what}")}))
            }
            Err(endpoints::Unanswered::NoSuchEndpoint) => {
                Self { status: 404, ..Self::json(json!({"message": "Operation does not exist"})) }
            }
        }
    }

    fn refusal(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NoKey => Self::json(json!({"message": "Please sign up to tikliveapi.com"})),
            Refusal::BadKey => Self::json(json!({"message": "Api-Key is not available"})),
            Refusal::NoCredits => Self::json(json!({"message": "You have no credits left"})),
            Refusal::TooFast => Self { status: 429, ..Self::json(json!({"message": "Too Many Requests"})) },
        }
    }

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
