//! What can be asked, and what the answers hold.

use std::fmt;

use crate::{ChallengeId, Hashtag, HashtagRecord, Post, Region};
use serde::{Deserialize, Serialize};

use super::{Error, Operation};

/// Most posts the API returns on one page.
pub const PAGE_SIZE_MAX: u32 = 35;
/// Most hashtags the API returns on one page of a search.
pub const SEARCH_SIZE_MAX: u32 = 30;

/// One request, which costs one credit when it is sent. Equal queries have equal answers for a
/// while, so a query is also the key of the cache.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Query {
    /// A hashtag by its name. Some hashtags answer to their id alone.
    HashtagByName(Hashtag),
    /// A hashtag by its id.
    HashtagById(ChallengeId),
    /// A page of posts under a hashtag, in no reliable order.
    Posts {
        /// The hashtag.
        id: ChallengeId,
        /// The market that biases the page; posts from elsewhere are among them all the same.
        region: Region,
        /// Posts wanted, 1 to [`PAGE_SIZE_MAX`]; fewer may come.
        count: u32,
        /// Where the page starts.
        cursor: Cursor,
    },
    /// A page of hashtags that resemble a keyword.
    SearchHashtags {
        /// The keyword.
        keyword: String,
        /// Hashtags wanted, 1 to [`SEARCH_SIZE_MAX`].
        count: u32,
        /// Where the page starts.
        cursor: Cursor,
    },
    /// A page of posts that match a keyword.
    SearchPosts {
        /// The keyword.
        keyword: String,
        /// How young the posts are to be.
        since: Since,
        /// The order wanted.
        order: Order,
        /// The market.
        region: Region,
        /// Posts wanted, 1 to [`PAGE_SIZE_MAX`].
        count: u32,
        /// Where the page starts.
        cursor: Cursor,
    },
    /// The regions the API supports.
    Regions,
}

/// A position in a paged list, as the API names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cursor(String);

/// How young searched posts are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Since {
    /// Of any age.
    Ever,
    /// Of the last 24 hours.
    Day,
    /// Of the last 7 days.
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

/// What an answer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// One hashtag.
    Hashtag(HashtagRecord),
    /// Some hashtags.
    Hashtags(Page<HashtagRecord>),
    /// Some posts.
    Posts(Page<Post>),
    /// Regions, those this program knows as countries.
    Regions(Vec<Region>),
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items that could be read.
    pub items: Vec<T>,
    /// How many items could not be read and were left out.
    pub unreadable: usize,
    /// Whether the API says that there is more. Assumed when it does not say.
    pub more: bool,
    /// Where the next page starts, if there is more and the API says where.
    pub next: Option<Cursor>,
}

impl Query {
    /// What kind of request it is.
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

    /// Operation and parameters, as in the address of the request: what the answer is kept under.
    pub fn key(&self) -> String {
        let mut parameters = url::form_urlencoded::Serializer::new(String::new());
        parameters.extend_pairs(self.parameters());
        format!("{}?{}", self.operation().as_str(), parameters.finish())
    }

    /// The parameters of the request, not yet percent-encoded.
    pub fn parameters(&self) -> Vec<(&'static str, String)> {
        match self {
            Query::HashtagByName(hashtag) => vec![("name", hashtag.to_string())],
            Query::HashtagById(id) => vec![("id", id.to_string())],
            Query::Posts { id, region, count, cursor } => {
                let mut parameters = vec![
                    ("challenge_id", id.to_string()),
                    ("count", count.to_string()),
                    ("cursor", cursor.to_string()),
                ];
                parameters.extend(region_parameter(*region));
                parameters
            }
            Query::SearchHashtags { keyword, count, cursor } => {
                vec![
                    ("keyword", keyword.clone()),
                    ("count", count.to_string()),
                    ("cursor", cursor.to_string()),
                ]
            }
            Query::SearchPosts { keyword, since, order, region, count, cursor } => {
                let mut parameters = vec![
                    ("keyword", keyword.clone()),
                    ("count", count.to_string()),
                    ("cursor", cursor.to_string()),
                    ("publish_time", since.code().to_string()),
                    ("sort_by", order.code().to_string()),
                ];
                parameters.extend(region_parameter(*region));
                parameters
            }
            Query::Regions => Vec::new(),
        }
    }
}

fn region_parameter(region: Region) -> Option<(&'static str, String)> {
    match region {
        Region::Any => None,
        Region::Country(_) => Some(("region", region.to_string())),
    }
}

impl Since {
    fn code(self) -> u8 {
        match self {
            Since::Ever => 0,
            Since::Day => 1,
            Since::Week => 7,
        }
    }
}

impl Order {
    fn code(self) -> u8 {
        match self {
            Order::Relevance => 0,
            Order::Likes => 1,
            Order::Date => 2,
        }
    }
}

impl Cursor {
    /// The beginning of a list.
    pub fn start() -> Self {
        Self("0".to_owned())
    }

    /// A cursor as an answer spells it.
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Answer {
    /// The one hashtag of a look-up.
    pub fn hashtag(self) -> Result<HashtagRecord, Error> {
        match self {
            Answer::Hashtag(record) => Ok(record),
            _ => Err(Error::malformed("the answer is not a hashtag")),
        }
    }

    /// The hashtags of a search.
    pub fn hashtags(self) -> Result<Page<HashtagRecord>, Error> {
        match self {
            Answer::Hashtags(page) => Ok(page),
            _ => Err(Error::malformed("the answer is not a list of hashtags")),
        }
    }

    /// The supported regions.
    pub fn regions(self) -> Result<Vec<Region>, Error> {
        match self {
            Answer::Regions(regions) => Ok(regions),
            _ => Err(Error::malformed("the answer is not a list of regions")),
        }
    }

    /// The posts of a page.
    pub fn posts(self) -> Result<Page<Post>, Error> {
        match self {
            Answer::Posts(page) => Ok(page),
            _ => Err(Error::malformed("the answer is not a list of posts")),
        }
    }
}
