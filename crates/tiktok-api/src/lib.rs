#![doc = include_str!("../README.md")]

mod answer;
mod dialect;
mod dialects;
mod error;
pub mod fake;
mod hashtag;
mod operation;
mod post;
mod provider;
mod query;
mod reading;
mod region;
mod totals;
mod transport;

pub use answer::{Answer, Page};
pub use dialect::{Dialect, WireRequest, is_vendor};
pub use error::{Class, Error};
pub use hashtag::{ChallengeId, Hashtag, InvalidChallengeId, InvalidHashtag};
pub use operation::Operation;
pub use post::Post;
pub use provider::Provider;
pub use query::{Cursor, Order, Query, Since};
pub use region::{InvalidRegion, Region};
pub use totals::{Flags, HashtagRecord, Totals};
pub use transport::{
    BoxFuture, HttpSettings, HttpTransport, RawAnswer, SIMULATED_HEADER, SetupError, Transport, is_loopback,
};
