//! A client of the Prometheus query API.
//!
//! Callers have something else to fall back on, so a response is bounded in time and size, and a failure is a
//! typed reason. Nothing here runs during a scrape.

mod answer;
mod client;
mod error;

pub use answer::Sample;
pub use client::Client;
pub use error::QueryError;
