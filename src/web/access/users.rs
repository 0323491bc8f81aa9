//! Basic authentication: who knows a password whose hash the web configuration file holds.

use std::collections::{BTreeMap, HashSet};
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
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

/// The highest cost of a hash: a check takes seconds from there on.
const COST_MAX: u32 = 16;

/// How many passwords that were right are remembered. More than there are scrapers.
const REMEMBERED: usize = 256;

/// How long a request waits for its password to be checked while others' are.
const QUEUE: Duration = Duration::from_secs(10);

/// What the credentials of a request are worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// A user and the right password.
    Known,
    /// There are none.
    Missing,
    /// No such user, another password, or nothing that can be read. Which of them is not told.
    Wrong,
    /// Too many others are being checked.
    Busy,
}

/// The users and their hashes.
pub(super) struct Users {
    hashes: BTreeMap<String, Arc<str>>,
    /// Checked for users who do not exist, so that they take as long as those who do.
    decoy: Arc<str>,
    remembered: Mutex<HashSet<[u8; 32]>>,
    /// Random and only here: what is remembered says nothing about a password without it.
    key: hmac::Key,
    /// Hashing takes whole processors: at most half of them.
    places: Arc<Semaphore>,
}

/// Whether `hash` is a usable bcrypt hash. The error ends a sentence that named the user.
pub(super) fn check_hash(hash: &str) -> Result<(), String> {
    // Not quoted: many a password is put here as it is.
    let parts = HashParts::from_str(hash).map_err(|_| {
        "is not a bcrypt hash ($2y$…); `htpasswd -nBC 10 \"\"` asks for a password and prints one".to_owned()
    })?;
    match parts.get_cost() {
        4..=COST_MAX => Ok(()),
        cost => Err(format!("is a bcrypt hash of cost {cost}; usable are 4 to {COST_MAX}")),
    }
}

impl Users {
    /// `hashes` have passed [`check_hash`]. `None` when the system has no random numbers.
    pub(super) fn new(hashes: BTreeMap<String, String>) -> Option<Self> {
        let dearest = hashes.values().max_by_key(|hash| cost(hash)).cloned().unwrap_or_default();
        // A user who does not exist gets the dearest hash, and whatever comes of it does not count.
        let decoy = Arc::from(dearest);
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        Some(Self {
            hashes: hashes.into_iter().map(|(user, hash)| (user, Arc::from(hash))).collect(),
            decoy,
            remembered: Mutex::default(),
            key: hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).ok()?,
            places: Arc::new(Semaphore::new((processors / 2).max(1))),
        })
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.hashes.len()
    }

    /// Whether all hashes cost the same, so that time tells nothing about a user.
    pub(super) fn cost_the_same(&self) -> bool {
        let mut costs = self.hashes.values().map(|hash| cost(hash));
        let first = costs.next();
        costs.all(|cost| Some(cost) == first)
    }

    /// Judges the value of the header `Authorization`.
    pub(super) async fn judge(&self, authorization: Option<&HeaderValue>) -> Verdict {
        let Some(authorization) = authorization else { return Verdict::Missing };
        let Some((user, password)) = credentials(authorization) else { return Verdict::Wrong };
        let hash = self.hashes.get(&user).cloned();
        let exists = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        let tag = self.tag(&user, &hash, &password);
        if exists && self.lock().contains(&tag) {
            return Verdict::Known;
        }
        let place = timeout(QUEUE, self.places.clone().acquire_owned()).await;
        let Ok(Ok(place)) = place else { return Verdict::Busy };
        let fits = spawn_blocking(move || {
            // Kept until the work is done, also when nobody waits for it any more.
            let _place = place;
            bcrypt::verify(password, &hash).unwrap_or(false)
        });
        let fits = fits.await.unwrap_or(false);
        if !(fits && exists) {
            return Verdict::Wrong;
        }
        let mut remembered = self.lock();
        if remembered.len() >= REMEMBERED {
            remembered.clear();
        }
        remembered.insert(tag);
        Verdict::Known
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

    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<[u8; 32]>> {
        self.remembered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cost(hash: &str) -> u32 {
    HashParts::from_str(hash).map_or(0, |parts| parts.get_cost())
}

/// User and password of a header as RFC 7617 has it.
fn credentials(authorization: &HeaderValue) -> Option<(String, String)> {
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
    async fn only_a_user_with_the_right_password_is_known() {
        let users = users(&[("alice", "wonder", 4), ("bob", "a:b", 4), ("ünï", "päss", 4)]);
        for (header, want) in [
            (None, Verdict::Missing),
            (Some(basic("alice:wonder")), Verdict::Known),
            (Some(basic("bob:a:b")), Verdict::Known),
            (Some(basic("ünï:päss")), Verdict::Known),
            (Some(basic("alice:wonder")), Verdict::Known),
            (Some(basic("alice:Wonder")), Verdict::Wrong),
            (Some(basic("alice:")), Verdict::Wrong),
            (Some(basic("alice")), Verdict::Wrong),
            (Some(basic("bob:wonder")), Verdict::Wrong),
            (Some(basic("mallory:wonder")), Verdict::Wrong),
            (Some(basic(":")), Verdict::Wrong),
            (Some("Bearer wonder".parse().unwrap()), Verdict::Wrong),
            (Some("Basic ???".parse().unwrap()), Verdict::Wrong),
            (Some("Basic".parse().unwrap()), Verdict::Wrong),
            (Some("".parse().unwrap()), Verdict::Wrong),
        ] {
            assert_eq!(users.judge(header.as_ref()).await, want, "{header:?}");
        }
    }

    #[tokio::test]
    async fn whoever_fits_the_decoy_is_still_nobody() {
        let users = users(&[("alice", "wonder", 4)]);
        assert_eq!(users.judge(Some(&basic("mallory:wonder"))).await, Verdict::Wrong);
        assert_eq!(users.judge(Some(&basic("alice:wonder"))).await, Verdict::Known);
        assert_eq!(users.judge(Some(&basic("mallory:wonder"))).await, Verdict::Wrong, "nor from memory");
    }

    #[tokio::test]
    async fn a_user_who_does_not_exist_takes_as_long_as_one_who_does() {
        let users = users(&[("alice", "wonder", 10)]);
        // The shortest of several: what the machine does beside can only lengthen it.
        let shortest = async |text: &str| {
            let mut shortest = Duration::MAX;
            for _ in 0..3 {
                let started = Instant::now();
                assert_eq!(users.judge(Some(&basic(text))).await, Verdict::Wrong);
                shortest = shortest.min(started.elapsed());
            }
            shortest.as_secs_f64()
        };
        let (known, unknown) = (shortest("alice:wrong").await, shortest("mallory:wrong").await);
        assert!(unknown > known / 4.0 && known > unknown / 4.0, "{unknown} s and {known} s");
    }

    #[tokio::test]
    async fn what_was_right_once_is_not_hashed_again() {
        let users = users(&[("alice", "wonder", 11)]);
        let took = async || {
            let started = Instant::now();
            assert_eq!(users.judge(Some(&basic("alice:wonder"))).await, Verdict::Known);
            started.elapsed()
        };
        let (first, again) = (took().await, took().await);
        assert!(again < first / 5, "{again:?} after {first:?}");
        assert_eq!(users.lock().len(), 1);
    }

    #[test]
    fn a_hash_that_no_password_could_fit_is_refused() {
        let good = bcrypt::hash("x", 5).unwrap();
        assert_eq!(check_hash(&good), Ok(()));
        for version in ["$2a$", "$2y$"] {
            assert_eq!(check_hash(&good.replacen("$2b$", version, 1)), Ok(()), "{version}");
        }
        let damaged = good[..59].to_owned() + "!";
        let dear = good.replacen("$05$", "$31$", 1);
        for (hash, says) in [
            ("", "not a bcrypt hash"),
            ("hunter2", "not a bcrypt hash"),
            ("$apr1$abc$def", "not a bcrypt hash"),
            (&good[..50], "not a bcrypt hash"),
            (&damaged, "not a bcrypt hash"),
            (&dear, "cost 31"),
        ] {
            let error = check_hash(hash).unwrap_err();
            assert!(error.contains(says), "{hash}: {error}");
            assert!(hash.is_empty() || !error.contains(hash), "{error}");
        }
    }
}
