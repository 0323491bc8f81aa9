//! API keys: which are accepted, their rate limit, and the credits charged.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;
use units::Timestamp;

use super::call::Rejection;

/// Maximum requests of one key per second, unless its rate limit is higher.
const PER_SECOND: u32 = 50;
/// Maximum number of different keys.
const KEYS_MAX: usize = 1_000;

/// The conditions of the API.
#[derive(Debug, Clone)]
pub(super) struct Terms {
    /// The accepted keys; empty accepts any.
    pub(super) keys: Vec<String>,
    /// Maximum requests of a key within any minute.
    pub(super) per_minute: u32,
    /// Credits of each key; `None` is unlimited.
    pub(super) credits: Option<u64>,
}

/// All keys seen so far.
#[derive(Debug)]
pub(super) struct Accounts {
    terms: Terms,
    accounts: BTreeMap<String, Account>,
}

#[derive(Debug, Default)]
struct Account {
    charges: Charges,
    /// The times of the requests of the last minute, in milliseconds.
    recent: VecDeque<i64>,
}

/// What was charged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Bill {
    /// All keys together.
    pub total: Charges,
    /// Each key, in the order of the keys. The keys themselves are not shown.
    pub keys: Vec<Charges>,
}

/// The requests and credits of a key, or of all keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Charges {
    /// Requests with this key.
    pub requests: u64,
    /// Those that were rejected with HTTP 429.
    pub throttled: u64,
    /// Credits charged.
    pub credits: u64,
}

impl Accounts {
    pub(super) fn new(terms: Terms) -> Self {
        Self { terms, accounts: BTreeMap::new() }
    }

    /// Admits or rejects a request. A rejected request costs nothing.
    pub(super) fn admit(&mut self, key: Option<&str>, now: Timestamp) -> Result<(), Rejection> {
        let key = key.filter(|key| !key.is_empty()).ok_or(Rejection::NoKey)?;
        let accepted = self.terms.keys.is_empty() || self.terms.keys.iter().any(|good| good == key);
        let known = self.accounts.contains_key(key) || self.accounts.len() < KEYS_MAX;
        if !accepted || !known {
            return Err(Rejection::BadKey);
        }
        let account = self.accounts.entry(key.to_owned()).or_default();
        account.charges.requests += 1;
        if !account.is_within(self.terms.per_minute, now) {
            account.charges.throttled += 1;
            return Err(Rejection::TooFast);
        }
        if self.terms.credits.is_some_and(|credits| account.charges.credits >= credits) {
            return Err(Rejection::NoCredits);
        }
        Ok(())
    }

    /// Charges one credit for an answer.
    pub(super) fn charge(&mut self, key: Option<&str>) {
        if let Some(account) = key.and_then(|key| self.accounts.get_mut(key)) {
            account.charges.credits += 1;
        }
    }

    pub(super) fn bill(&self) -> Bill {
        let keys: Vec<Charges> = self.accounts.values().map(|account| account.charges).collect();
        let total = keys.iter().fold(Charges::default(), |sum, key| Charges {
            requests: sum.requests + key.requests,
            throttled: sum.throttled + key.throttled,
            credits: sum.credits + key.credits,
        });
        Bill { total, keys }
    }
}

impl Account {
    /// Whether one more request is within the limits; counts it if so.
    fn is_within(&mut self, per_minute: u32, now: Timestamp) -> bool {
        let now = now.as_millis();
        while self.recent.front().is_some_and(|at| now - at >= 60_000) {
            self.recent.pop_front();
        }
        let last_second = self.recent.iter().rev().take_while(|at| now - **at < 1_000).count();
        let within =
            self.recent.len() < per_minute as usize && last_second < PER_SECOND.max(per_minute / 60) as usize;
        if within {
            self.recent.push_back(now);
        }
        within
    }
}
