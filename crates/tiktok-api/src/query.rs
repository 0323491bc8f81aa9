//! What can be asked, with parameters.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{ChallengeId, Hashtag, Operation, Region};

/// One request, which costs one credit when it is sent. Equal queries have equal answers for a
/// while, so a query can be the key of a cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Query {
    /// A hashtag by its name. Some hashtags can only be found by their id.
    HashtagByName(Hashtag),
    /// A hashtag by its id.
    HashtagById(ChallengeId),
    /// A page of the posts under a hashtag, in no reliable order.
    Posts {
        /// The hashtag.
        id: ChallengeId,
        /// The market that biases the page; posts from elsewhere are on it too.
        region: Region,
        /// Posts wanted, from 1 to the provider's `posts_page_max`; fewer may come.
        count: u32,
        /// Where the page starts.
        cursor: Cursor,
    },
    /// A page of hashtags that resemble a keyword.
    SearchHashtags {
        /// The keyword.
        keyword: String,
        /// Hashtags wanted, from 1 to the provider's `hashtags_page_max`.
        count: u32,
        /// Where the page starts.
        cursor: Cursor,
    },
    /// A page of posts that match a keyword.
    SearchPosts {
        /// The keyword.
        keyword: String,
        /// The greatest age of the posts.
        since: Since,
        /// The order wanted.
        order: Order,
        /// The market.
        region: Region,
        /// Posts wanted, from 1 to the provider's `posts_page_max`.
        count: u32,
        /// Where the page starts.
        cursor: Cursor,
    },
    /// The regions the API supports.
    Regions,
}

impl Query {
    /// The kind of request.
    pub fn operation(&self) -> Operation {
        match self {
            Query::HashtagByName(_) => Operation::HashtagByName,
            Query::HashtagById(_) => Operation::HashtagById,
            Query::Posts { .. } => Operation::Posts,
            Query::SearchHashtags { .. } => Operation::SearchHashtags,
            Query::SearchPosts { .. } => Operation::SearchPosts,
            Query::Regions => Operation::Regions,
        }
    }
}

/// A position in a paged list, in the API's own spelling.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cursor(String);

impl Cursor {
    /// The beginning of a list.
    pub fn start() -> Self {
        Self("0".to_owned())
    }

    /// A cursor as an answer spells it.
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The greatest age of searched posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Since {
    /// Any age.
    Ever,
    /// The last 24 hours.
    Day,
    /// The last 7 days.
    Week,
}

/// The order of searched posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Best match first.
    Relevance,
    /// Most liked first.
    Likes,
    /// Newest first.
    Date,
}
