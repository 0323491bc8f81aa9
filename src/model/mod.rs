//! The nouns of the product and their maths. Pure: no clock, no I/O, none of the vendor's names.

mod chance;
mod credits;
mod date;
mod growth;
mod hashtag;
mod keyword;
mod post;
mod region;
mod resolution;
mod sample;
mod time;
mod totals;

pub use chance::steady_chance;
pub use credits::Credits;
pub use date::{Date, InvalidDate};
pub use growth::Growth;
pub use hashtag::{ChallengeId, Hashtag, InvalidChallengeId, InvalidHashtag};
pub use keyword::{InvalidKeyword, Keyword};
pub use post::Post;
pub use region::{InvalidRegion, Region};
pub use resolution::RecentValues;
pub use sample::{HEATING_UP, PostSample, SampleStats};
pub use time::{DAY, HOUR, Timestamp, WEEK, per_day};
pub use totals::{Flags, HashtagRecord, Totals};
