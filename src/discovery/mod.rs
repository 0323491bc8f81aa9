//! Hashtags that nobody has listed yet: which keywords are followed, which candidates they lead to, and
//! which of these are watched on trial. Pure: told the time, asks nobody.
//!
//! A search brings up to 30 hashtags with their totals for one credit. The largest of them are the
//! candidates; where the operator allows it, those likeliest to take off join the watchlist for a
//! trial and leave again when they stay quiet ([`Trials`]).

mod candidates;
mod course;
mod followed;
#[cfg(test)]
mod tests;
mod trials;

pub use candidates::{Candidate, Candidates};
pub use course::Course;
pub use followed::{Followed, KeywordStats, TRIAL_GROUP};
pub use trials::{Change, Known, Look, Trial, Trials, Why};
