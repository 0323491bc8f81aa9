#![doc = include_str!("../README.md")]

mod hashtag;
mod post;
mod region;
mod totals;

pub use hashtag::{ChallengeId, Hashtag, InvalidChallengeId, InvalidHashtag};
pub use post::Post;
pub use region::{InvalidRegion, Region};
pub use totals::{Flags, HashtagRecord, Totals};
