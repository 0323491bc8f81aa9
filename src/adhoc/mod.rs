//! What people ask for by hand, and how it is answered.
//!
//! ```text
//! question → desk ──→ gateway          in the process that holds the store
//!    ↓         ↑
//! socket ──────┘                       from a command beside it
//! ```
//!
//! There is one spender per store. While an exporter runs, a command brings its [`Question`] to that
//! exporter's [`Desk`], through a socket beside the store; so it meets the same cache, the same pace,
//! the same stop after a refused key, and the same ledger as the loop. When nobody holds the store, the
//! command holds it for as long as it takes, with a desk of its own.

mod asking;
mod desk;
mod finding;
mod question;
mod quote;
mod refusal;
pub mod socket;

pub use desk::{Desk, KnownIds, Road};
pub use finding::{Candidate, Candidates, Finding, Looked, Reply, RouteTaken, Sample, ShownPost, Videos};
pub use question::{PAGES_MAX, Question};
pub use quote::{Left, Quote};
pub use refusal::{Reason, Refusal};
