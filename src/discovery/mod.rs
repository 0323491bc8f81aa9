//! Discovery of hashtags that are not listed in the configuration: followed keywords, the candidates that
//! their searches find, and the candidates on trial. Pure: takes the time as an argument and sends nothing.
//!
//! A search costs one credit and returns up to 30 hashtags with their totals. The largest are the candidates.
//! If the configuration allows it, the candidates most likely to take off join the watchlist on trial and
//! leave again if they stay quiet ([`Trials`]).

mod candidates;
mod followed;
mod post_counts;
#[cfg(test)]
mod tests;
mod trials;

pub use candidates::{Candidate, Candidates};
pub use followed::{Followed, KeywordStats, TRIAL_GROUP};
pub use post_counts::PostCounts;
pub use trials::{Change, EndReason, HashtagStatus, Observation, Trial, Trials};
