//! Basic authentication against the bcrypt hashes of the web configuration file.

use std::collections::{BTreeMap, HashSet};
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bcrypt::HashParts;
use ring::hmac;
use ring::rand::SystemRandom;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// The highest cost of a hash: with more, one check takes seconds.
const COST_MAX: u32 = 16;

/// How many valid credentials are cached. More than there are scrapers.
const CACHE_MAX: usize = 256;

/// How long a request waits while the passwords of other requests are checked.
const QUEUE_TIMEOUT: Duration = Duration::from_secs(10);

/// The result of checking the credentials of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Credentials {
    /// A known user with the right password.
    Valid,
    /// The request has no credentials.
    Missing,
    /// Unknown user, wrong password, or a header that cannot be read. Callers cannot tell which.
    Wrong,
    /// Too many other passwords are being checked.
    Busy,
}

/// The users and their hashes.
pub(super) struct Users {
    hashes: BTreeMap<String, Arc<str>>,
    /// Checked for unknown users, so that they take as long as known ones.
    decoy: Arc<str>,
    /// Keyed hashes of credentials that were valid.
    cache: Mutex<HashSet<[u8; 32]>>,
    /// Random and never stored: without it the cache reveals nothing about a password.
    key: hmac::Key,
    /// A check keeps one processor busy: at most half of them.
    checks: Arc<Semaphore>,
}

/// Checks that `hash` is a usable bcrypt hash. The error completes a sentence that begins with the key.
pub(super) fn check_hash(hash: &str) -> Result<(), String> {
    // The value is not quoted: it may be a password in clear text.
    let parts = HashParts::from_str(hash).map_err(|_| {
        "is not a bcrypt hash ($2y$…); `htpasswd -nBC 10 \"\"` asks for a password and prints its hash"
            .to_owned()
    })?;
    match parts.get_cost() {
        4..=COST_MAX => Ok(()),
        cost => Err(format!("is a bcrypt hash of cost {cost} (allowed: 4 to {COST_MAX})")),
    }
}

impl Users {
    /// Users with their hashes, which have passed [`check_hash`]. `None` if the system has no random
    /// numbers.
    pub(super) fn new(hashes: BTreeMap<String, String>) -> Option<Self> {
        // Unknown users are checked against the most expensive hash; the result is ignored.
        let decoy = hashes.values().max_by_key(|hash| cost(hash)).cloned().unwrap_or_default();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Some(Self {
            hashes: hashes.into_iter().map(|(user, hash)| (user, Arc::from(hash))).collect(),
            decoy: Arc::from(decoy),
            cache: Mutex::default(),
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?,
            checks: Arc::new(Semaphore::new((processors / 2).max(1))),
        })
    }

    /// The number of users.
    pub(super) fn count(&self) -> usize {
        self.hashes.len()
    }

    /// Whether all hashes have the same cost, so that the response time reveals nothing about a user.
    pub(super) fn have_equal_cost(&self) -> bool {
        let mut costs = self.hashes.values().map(|hash| cost(hash));
        let first = costs.next();
        costs.all(|cost| Some(cost) == first)
    }

    /// Checks the value of the header `Authorization`.
    pub(super) async fn check(&self, authorization: Option<&HeaderValue>) -> Credentials {
        let Some(authorization) = authorization else { return Credentials::Missing };
        let Some((user, password)) = parse(authorization) else { return Credentials::Wrong };
        let hash = self.hashes.get(&user).cloned();
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let tag = self.tag(&user, &hash, &password);
        if exists && self.cache().contains(&tag) {
            return Credentials::Valid;
        }
        let permit = timeout(QUEUE_TIMEOUT, self.checks.clone().acquire_owned()).await;
        let Ok(Ok(permit)) = permit else { return Credentials::Busy };
        let matches = spawn_blocking(move || {
            // Held until the work is done, even if the client has gone.
            let _permit = permit;
            bcrypt::verify(password, &hash).unwrap_or(false)
        });
        let matches = matches.await.unwrap_or(false);
        if !(matches && exists) {
            return Credentials::Wrong;
        }
        let mut cache = self.cache();
        if cache.len() >= CACHE_MAX {
            cache.clear();
        }
        cache.insert(tag);
        Credentials::Valid
    }

    fn tag(&self, user: &str, hash: &str, password: &str) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in [user, hash, password] {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut tag = [0; 32];
        tag.copy_from_slice(context.sign().as_ref());
        tag
    }

    fn cache(&self) -> MutexGuard<'_, HashSet<[u8; 32]>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(hash: &str) -> u32 {
    HashParts::from_str(hash).map_or(0, |parts| parts.get_cost())
}

/// User and password of a header in the form of RFC 7617.
fn parse(authorization: &HeaderValue) -> Option<(String, String)> {
    let (scheme, encoded) = authorization.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn basic(text: &str) -> HeaderValue {
        format!("Basic {}", STANDARD.encode(text)).parse().unwrap()
    }

    fn users(list: &[(&str, &str, u32)]) -> Users {
        let hashes = list
            .iter()
            .map(|(user, password, cost)| ((*user).to_owned(), bcrypt::hash(password, *cost).unwrap()));
        Users::new(hashes.collect()).unwrap()
    }

    #[tokio::test]
    async fn only_a_user_with_the_right_password_is_valid() {
        let users = users(&[("alice", "wonder", 4), ("bob", "a:b", 4), ("ünï", "päss", 4)]);
        for (header, want) in [
            (None, Credentials::Missing),
            (Some(basic("alice:wonder")), Credentials::Valid),
            (Some(basic("bob:a:b")), Credentials::Valid),
            (Some(basic("ünï:päss")), Credentials::Valid),
            (Some(basic("alice:wonder")), Credentials::Valid),
            (Some(basic("alice:Wonder")), Credentials::Wrong),
            (Some(basic("alice:")), Credentials::Wrong),
            (Some(basic("alice")), Credentials::Wrong),
            (Some(basic("bob:wonder")), Credentials::Wrong),
            (Some(basic("mallory:wonder")), Credentials::Wrong),
            (Some(basic(":")), Credentials::Wrong),
            (Some("Bearer wonder".parse().unwrap()), Credentials::Wrong),
            (Some("Basic ???".parse().unwrap()), Credentials::Wrong),
            (Some("Basic".parse().unwrap()), Credentials::Wrong),
            (Some("".parse().unwrap()), Credentials::Wrong),
        ] {
            assert_eq!(users.check(header.as_ref()).await, want, "{header:?}");
        }
    }

    #[tokio::test]
    async fn an_unknown_user_with_the_password_of_the_decoy_is_refused() {
        let users = users(&[("alice", "wonder", 4)]);
        assert_eq!(users.check(Some(&basic("mallory:wonder"))).await, Credentials::Wrong);
        assert_eq!(users.check(Some(&basic("alice:wonder"))).await, Credentials::Valid);
        assert_eq!(
            users.check(Some(&basic("mallory:wonder"))).await,
            Credentials::Wrong,
            "also not from the cache"
        );
    }

    #[tokio::test]
    async fn an_unknown_user_takes_as_long_as_a_known_one() {
        let users = users(&[("alice", "wonder", 10)]);
        // The shortest of several: other work on the machine can only add time.
        let shortest = async |text: &str| {
            let mut shortest = Duration::MAX;
            for _ in 0..3 {
                let started = Instant::now();
                assert_eq!(users.check(Some(&basic(text))).await, Credentials::Wrong);
                shortest = shortest.min(started.elapsed());
            }
            shortest.as_secs_f64()
        };
        let (known, unknown) = (shortest("alice:wrong").await, shortest("mallory:wrong").await);
        assert!(unknown > known / 4.0 && known > unknown / 4.0, "{unknown} s and {known} s");
    }

    #[tokio::test]
    async fn valid_credentials_are_not_hashed_twice() {
        let users = users(&[("alice", "wonder", 11)]);
        let took = async || {
            let started = Instant::now();
            assert_eq!(users.check(Some(&basic("alice:wonder"))).await, Credentials::Valid);
            started.elapsed()
        };
        let (first, again) = (took().await, took().await);
        assert!(again < first / 5, "{again:?} after {first:?}");
        assert_eq!(users.cache().len(), 1);
    }

    #[test]
    fn a_hash_that_no_password_can_match_is_refused() {
        let good = bcrypt::hash("x", 5).unwrap();
        assert_eq!(check_hash(&good), Ok(()));
        for version in ["$2a$", "$2y$"] {
            assert_eq!(check_hash(&good.replacen("$2b$", version, 1)), Ok(()), "{version}");
        }
        let damaged = good[..59].to_owned() + "!";
        let expensive = good.replacen("$05$", "$31$", 1);
        for (hash, expected) in [
            ("", "not a bcrypt hash"),
            ("hunter2", "not a bcrypt hash"),
            ("$apr1$abc$def", "not a bcrypt hash"),
            (&good[..50], "not a bcrypt hash"),
            (&damaged, "not a bcrypt hash"),
            (&expensive, "cost 31"),
        ] {
            let error = check_hash(hash).unwrap_err();
            assert!(error.contains(expected), "{hash}: {error}");
            assert!(hash.is_empty() || !error.contains(hash), "{error}");
        }
    }
}
