//! The domain types and their formulas. Pure: no clock, no I/O, no API vocabulary.

mod chance;
mod growth;
mod keyword;
mod public_post;
mod resolution;
mod sample;
mod spending;
mod trip;

pub use chance::steady_p_value;
pub use growth::Growth;
pub use keyword::{InvalidKeyword, Keyword};
pub use public_post::PublicPost;
pub use resolution::RecentValues;
pub use sample::{HEATING_UP, PostSample, SampleStats};
pub use spending::{Expense, JobKind, Purpose, Spent};
pub use trip::Trip;
