//! Asking a Prometheus for values.
//!
//! Whoever asks has something else to fall back on, so an answer is bounded in time and size, and a
//! failure is a typed reason, never a guess. Nothing here runs during a scrape.

mod answer;
mod client;
mod error;

pub use answer::Sample;
pub use client::Client;
pub use error::QueryError;
