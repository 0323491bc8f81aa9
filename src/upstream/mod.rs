//! The upstream API: what can be asked, the way there, and how answers are read.
//!
//! A [`Query`] goes through a [`Transport`] and comes back as a [`RawAnswer`]; [`read`] turns that
//! into an [`Answer`] or a classified [`Error`]. Most failures of this API come with HTTP 200, so
//! nothing here trusts the status line. The vendor's JSON names stay in this folder.
//!
//! Nothing here retries, waits, or knows what a credit costs: one [`Transport::send`] is one
//! request.

mod error;
mod query;
mod read;
mod transport;
mod wire;

pub use error::{Class, Error};
pub use query::{Answer, Cursor, Order, PAGE_SIZE_MAX, Page, Query, SEARCH_SIZE_MAX, Since};
pub use read::read;
pub use transport::{
    BoxFuture, HttpSettings, HttpTransport, RawAnswer, SIMULATED_HEADER, SetupError, Transport, is_loopback,
};

/// The endpoints this program asks, named as the API names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// One hashtag by its name.
    ChallengeInfoName,
    /// One hashtag by its id.
    ChallengeInfoId,
    /// Posts of one hashtag.
    ChallengePosts,
    /// Hashtags by keyword.
    SearchChallenge,
    /// Posts by keyword.
    SearchVideo,
    /// Supported regions.
    RegionList,
}

impl Endpoint {
    /// Every endpoint.
    pub const ALL: [Endpoint; 6] = [
        Endpoint::ChallengeInfoName,
        Endpoint::ChallengeInfoId,
        Endpoint::ChallengePosts,
        Endpoint::SearchChallenge,
        Endpoint::SearchVideo,
        Endpoint::RegionList,
    ];

    /// The endpoint's path segment, without slashes.
    pub fn as_str(self) -> &'static str {
        match self {
            Endpoint::ChallengeInfoName => "challenge-info-name",
            Endpoint::ChallengeInfoId => "challenge-info-id",
            Endpoint::ChallengePosts => "challenge-posts",
            Endpoint::SearchChallenge => "search-challenge",
            Endpoint::SearchVideo => "search-video",
            Endpoint::RegionList => "region-list",
        }
    }

    /// The endpoint that [`as_str`](Self::as_str) spells so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.as_str() == text)
    }
}
