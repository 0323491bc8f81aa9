//! Faults that are injected on request.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::dice::Dice;
use crate::dialect::Fields;

/// Which faults occur, how often, and where. Written as JSON, for example
/// `{"faults": [{"kind": "throttle", "retry_after_seconds": 2, "endpoint": "challenge-posts", "times": 3}]}`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Faults {
    /// The first one that occurs decides the answer; `latency` is added to any other.
    #[serde(default)]
    pub faults: Vec<Fault>,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// The operation that it is limited to, such as `challenge-posts`; by default every operation. The names are the
    /// same in every dialect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The probability that it occurs, 0 to 1.
    #[serde(default = "always")]
    pub probability: f64,
    /// How many requests it skips first.
    #[serde(default)]
    pub after: u64,
    /// How often it occurs at most; by default without limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
    /// For `latency`: the additional latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub milliseconds: Option<u64>,
    /// For `throttle`: the `Retry-After` header; by default there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_seconds: Option<u64>,
    /// For `server_error`: the HTTP status, 500 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
}

/// The kinds of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The answer is delayed.
    Latency,
    /// The answer is never sent.
    Hang,
    /// HTTP 429.
    Throttle,
    /// HTTP 200 with a negative code and a message about a rate limit.
    ThrottleAs200,
    /// HTTP 5xx.
    ServerError,
    /// HTTP 200 with a web page.
    Html,
    /// HTTP 200 with an empty body.
    Empty,
    /// HTTP 302 to another host.
    Redirect,
    /// The connection ends in the middle of the body.
    CutOff,
    /// The body never ends.
    Endless,
    /// The key is rejected.
    DeadKey,
    /// The account has no credits left.
    NoCredits,
    /// The hashtag is not found.
    NotFound,
    /// The answer is about another hashtag.
    WrongHashtag,
    /// An array where an object belongs.
    Array,
    /// Everything but ids and lists is null.
    NullFields,
    /// Counts are strings.
    StringCounts,
    /// Counts are negative.
    NegativeCounts,
    /// Ids are numbers.
    NumericIds,
    /// The next cursor is the requested one.
    CursorLoop,
}

/// What is wrong with a description of faults.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("faults: {0}")]
pub struct InvalidFaults(String);

fn always() -> f64 {
    1.0
}

impl Faults {
    /// Reads a JSON description; an empty object is no faults.
    pub fn parse(json: &str) -> Result<Self, InvalidFaults> {
        let faults: Self = serde_json::from_str(json).map_err(|error| InvalidFaults(error.to_string()))?;
        faults.faults.iter().try_for_each(Fault::check)?;
        Ok(faults)
    }
}

impl Fault {
    fn check(&self) -> Result<(), InvalidFaults> {
        let refuse = |what: &str| Err(InvalidFaults(what.to_owned()));
        let is = |kind| self.kind == kind;
        if !(0.0..=1.0).contains(&self.probability) {
            return refuse("probability must be between 0 and 1");
        }
        if self.milliseconds.is_some() != is(FaultKind::Latency) {
            return refuse("milliseconds is required for latency and not allowed elsewhere");
        }
        if self.retry_after_seconds.is_some() && !is(FaultKind::Throttle) {
            return refuse("retry_after_seconds is only allowed for throttle");
        }
        if self.status.is_some() && !is(FaultKind::ServerError) {
            return refuse("status is only allowed for server_error");
        }
        if self.status.is_some_and(|status| !(500..600).contains(&status)) {
            return refuse("status must be between 500 and 599");
        }
        Ok(())
    }
}

/// The faults in force, with their counts.
#[derive(Debug, Default)]
pub(super) struct ActiveFaults {
    faults: Vec<(Fault, Count)>,
    drawn: u64,
}

#[derive(Debug, Default)]
struct Count {
    /// Requests that it applied to.
    requests: u64,
    /// How often it occurred.
    occurred: u64,
}

impl ActiveFaults {
    pub(super) fn set(&mut self, faults: Faults) {
        self.faults = faults.faults.into_iter().map(|fault| (fault, Count::default())).collect();
    }

    pub(super) fn in_force(&self) -> Faults {
        Faults { faults: self.faults.iter().map(|(fault, _)| fault.clone()).collect() }
    }

    /// The additional latency of a request to `endpoint`, and its fault.
    pub(super) fn draw(&mut self, endpoint: &str, dice: Dice) -> (u64, Option<Fault>) {
        self.drawn += 1;
        let dice = dice.named("faults").about(self.drawn);
        let mut latency = 0;
        for (number, (fault, count)) in self.faults.iter_mut().enumerate() {
            if !count.occurs(fault, endpoint, dice.about(number as u64)) {
                continue;
            }
            match fault.milliseconds {
                Some(milliseconds) => latency += milliseconds,
                None => return (latency, Some(fault.clone())),
            }
        }
        (latency, None)
    }
}

impl Count {
    fn occurs(&mut self, fault: &Fault, endpoint: &str, dice: Dice) -> bool {
        if fault.endpoint.as_deref().is_some_and(|only| only.trim_matches('/') != endpoint) {
            return false;
        }
        self.requests += 1;
        let over = fault.times.is_some_and(|times| self.occurred >= times);
        let occurs = self.requests > fault.after && !over && dice.happens(fault.probability);
        self.occurred += u64::from(occurs);
        occurs
    }
}

/// Applies a fault to a successful answer. Faults that do not affect values change nothing.
pub(super) fn spoil(kind: FaultKind, mut answer: Value, fields: &Fields, cursor: &str) -> Value {
    match kind {
        FaultKind::Array => return json!([answer]),
        FaultKind::CursorLoop => {
            if let Some(page) = answer.as_object_mut().filter(|page| page.contains_key(fields.has_more)) {
                page.insert(fields.cursor.to_owned(), json!(cursor));
                page.insert(fields.has_more.to_owned(), json!(true));
            }
        }
        _ => each_object(&mut answer, &|object| spoil_fields(kind, object, fields)),
    }
    answer
}

fn spoil_fields(kind: FaultKind, object: &mut Map<String, Value>, fields: &Fields) {
    for (field, value) in object.iter_mut() {
        let is_id = fields.ids.contains(&field.as_str());
        let count = if fields.counts.contains(&field.as_str()) { value.as_u64() } else { None };
        match (kind, count) {
            (FaultKind::NullFields, _) if !is_id && !value.is_array() && !value.is_object() => {
                *value = Value::Null
            }
            (FaultKind::StringCounts, Some(count)) => *value = json!(count.to_string()),
            (FaultKind::NegativeCounts, Some(count)) => *value = json!(-(count.min(1 << 62) as i64) - 1),
            (FaultKind::NumericIds, _) if is_id => {
                // A JSON number beyond 64 bits would lose digits.
                if let Some(number) = value.as_str().and_then(|id| id.parse::<u64>().ok()) {
                    *value = json!(number);
                }
            }
            _ => {}
        }
    }
}

fn each_object(value: &mut Value, change: &impl Fn(&mut Map<String, Value>)) {
    match value {
        Value::Object(object) => {
            change(object);
            object.values_mut().for_each(|value| each_object(value, change));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_object(item, change)),
        _ => {}
    }
}
