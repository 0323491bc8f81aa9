//! Classifying error messages by their words.

use crate::Class;

const RATE: &[&str] =
    &["per second", "/second", "per minute", "/minute", "too many", "rate limit", "slow down", "throttl"];
const MONEY: &[&str] = &["credit", "balance", "insufficient", "payment", "top up", "subscription"];
const ALLOWANCE: &[&str] = &["quota", "limit"];
const KEY: &[&str] = &[
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
];
const MISSING: &[&str] = &["not found", "not exist", "n't exist", "no such", "no result"];

/// The class of a message, by its words. Rate limits come first: their messages contain "limit" too.
pub(crate) fn class_of(message: &str) -> Option<Class> {
    if contains_any(message, RATE) {
        Some(Class::Throttled)
    } else if speaks_of_money(message) || contains_any(message, ALLOWANCE) {
        Some(Class::CreditsExhausted)
    } else if contains_any(message, KEY) {
        Some(Class::Auth)
    } else if contains_any(message, MISSING) {
        Some(Class::NotFound)
    } else {
        None
    }
}

/// Whether a message is about money.
pub(crate) fn speaks_of_money(message: &str) -> bool {
    contains_any(message, MONEY)
}

fn contains_any(message: &str, words: &[&str]) -> bool {
    let message = message.to_lowercase();
    words.iter().any(|word| message.contains(word))
}
