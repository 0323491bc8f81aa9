//! Interactive look-ups: what can be asked, and how it is answered.
//!
//! ```text
//! question ──→ service ──→ gateway      in the process that holds the store
//!    ↓            ↑
//! client ──→ HTTP server                from a command, if an exporter runs
//! ```
//!
//! Only one process spends credits from a store. While an exporter runs, a command sends its [`Question`] to
//! the exporter's [`LookupService`], over HTTP on a Unix socket beside the store. So look-ups share the
//! exporter's cache, rate limit, breaker and ledger. If no process holds the store, the command holds it while
//! it runs, with a service of its own.

mod asking;
mod client;
mod finding;
mod question;
mod quote;
mod refusal;
mod server;
mod service;
mod wire;

pub use client::{LookupClient, LookupError};
pub use finding::{Candidate, Candidates, Finding, Looked, Reply, Sample, Videos};
pub use question::{PAGES_MAX, Question};
pub use quote::{Left, Quote};
pub use refusal::{Reason, Refusal};
pub use server::server;
pub use service::{ApiHandle, KnownIds, LookupService};
pub use wire::socket_path;
