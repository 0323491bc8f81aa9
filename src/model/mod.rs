//! The nouns of the product and their maths. Pure: no clock, no I/O, none of the vendor's names.

mod chance;
mod growth;
mod keyword;
mod public_post;
mod resolution;
mod sample;
mod spending;
mod trip;

pub use chance::steady_chance;
pub use growth::Growth;
pub use keyword::{InvalidKeyword, Keyword};
pub use public_post::PublicPost;
pub use resolution::RecentValues;
pub use sample::{HEATING_UP, PostSample, SampleStats};
pub use spending::{Expense, Purpose, Spent};
pub use trip::Trip;
