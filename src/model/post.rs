//! One post under a hashtag.

use super::{Region, Timestamp};

/// A post with its counters at the moment of the answer. `None` is "the answer did not say".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// The platform's id, as text.
    pub id: String,
    /// When it was published.
    pub created_at: Option<Timestamp>,
    /// The country it was published from.
    pub region: Option<Region>,
    /// How often it was played ("views" of a single post).
    pub plays: Option<u64>,
    /// Likes.
    pub likes: Option<u64>,
    /// Comments.
    pub comments: Option<u64>,
    /// Shares.
    pub shares: Option<u64>,
    /// Saves into a collection.
    pub saves: Option<u64>,
}
