#![doc = include_str!("../README.md")]

mod error;
pub mod fake;
mod hashtag;
mod operation;
mod post;
mod query;
mod read;
mod region;
mod totals;
mod transport;
mod wire;

pub use error::{Class, Error};
pub use hashtag::{ChallengeId, Hashtag, InvalidChallengeId, InvalidHashtag};
pub use operation::Operation;
pub use post::Post;
pub use query::{Answer, Cursor, Order, PAGE_SIZE_MAX, Page, Query, SEARCH_SIZE_MAX, Since};
pub use read::read;
pub use region::{InvalidRegion, Region};
pub use totals::{Flags, HashtagRecord, Totals};
pub use transport::{
    BoxFuture, HttpSettings, HttpTransport, RawAnswer, SIMULATED_HEADER, SetupError, Transport, is_loopback,
};
