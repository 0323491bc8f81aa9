//! What can be looked up.

use std::fmt::Display;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tiktok_api::{Hashtag, Region};
use tiktok_api::{Order, Since};

use crate::model::Keyword;

/// The maximum number of pages of one question.
pub const PAGES_MAX: u32 = 50;

/// What is looked up. Pages are 1 to [`PAGES_MAX`]; each costs a credit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// A hashtag's totals, id and flags.
    Lookup {
        /// The hashtag.
        #[serde(serialize_with = "text", deserialize_with = "hashtag")]
        hashtag: Hashtag,
    },
    /// A sample of a hashtag's posts.
    Posts {
        /// The hashtag.
        #[serde(serialize_with = "text", deserialize_with = "hashtag")]
        hashtag: Hashtag,
        /// The region.
        region: Region,
        /// The maximum number of pages.
        pages: u32,
    },
    /// Hashtags that resemble a keyword.
    Search {
        /// The keyword.
        #[serde(serialize_with = "text", deserialize_with = "keyword")]
        keyword: Keyword,
        /// The maximum number of pages.
        pages: u32,
    },
    /// Posts that match a keyword.
    Videos {
        /// The keyword.
        #[serde(serialize_with = "text", deserialize_with = "keyword")]
        keyword: Keyword,
        /// Their maximum age.
        since: Since,
        /// Their order.
        sort: Order,
        /// The region.
        region: Region,
        /// The maximum number of pages.
        pages: u32,
    },
    /// The regions the API supports.
    Regions,
}

impl Question {
    /// The hashtag, if it concerns one. The ledger records it.
    pub fn hashtag(&self) -> Option<&Hashtag> {
        match self {
            Self::Lookup { hashtag } | Self::Posts { hashtag, .. } => Some(hashtag),
            Self::Search { .. } | Self::Videos { .. } | Self::Regions => None,
        }
    }

    /// The region.
    pub fn region(&self) -> Region {
        match self {
            Self::Posts { region, .. } | Self::Videos { region, .. } => *region,
            _ => Region::Any,
        }
    }

    /// The maximum number of pages, within the limits.
    pub fn pages(&self) -> u32 {
        match self {
            Self::Posts { pages, .. } | Self::Search { pages, .. } | Self::Videos { pages, .. } => {
                (*pages).clamp(1, PAGES_MAX)
            }
            Self::Lookup { .. } | Self::Regions => 1,
        }
    }
}

fn text<S: Serializer>(shown: &impl Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(shown)
}

fn hashtag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hashtag, D::Error> {
    Hashtag::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

fn keyword<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Keyword, D::Error> {
    Keyword::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}
