//! The real program, from the outside: processes, sockets, signals, files.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod access;
mod brief;
#[path = "../support/certificates.rs"]
mod certificates;
mod chaos;
mod demo;
mod discovery;
mod faults;
mod kills;
mod lookups;
mod money;
mod process;
#[path = "../support/prometheus.rs"]
#[allow(dead_code, reason = "no test needs all of it")]
mod prometheus;
mod scrapers;
mod secrets;
mod serve;
