//! What people can ask.

use std::fmt::Display;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tiktok_api::{Hashtag, Region};
use tiktok_api::{Order, Since};

use crate::model::Keyword;

/// Most pages that one question may ask for.
pub const PAGES_MAX: u32 = 50;

/// What somebody wants to know. Pages are 1 to [`PAGES_MAX`]; each costs a credit.
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
        /// The market.
        region: Region,
        /// Pages at the most.
        pages: u32,
    },
    /// Hashtags that resemble a keyword.
    Search {
        /// The keyword.
        #[serde(serialize_with = "text", deserialize_with = "keyword")]
        keyword: Keyword,
        /// Pages at the most.
        pages: u32,
    },
    /// Posts that match a keyword.
    Videos {
        /// The keyword.
        #[serde(serialize_with = "text", deserialize_with = "keyword")]
        keyword: Keyword,
        /// How young they are to be.
        since: Since,
        /// Their order.
        sort: Order,
        /// The market.
        region: Region,
        /// Pages at the most.
        pages: u32,
    },
    /// The regions the API supports.
    Regions,
}

impl Question {
    /// The hashtag it is about, if it is about one: so it is booked.
    pub fn hashtag(&self) -> Option<&Hashtag> {
        match self {
            Self::Lookup { hashtag } | Self::Posts { hashtag, .. } => Some(hashtag),
            Self::Search { .. } | Self::Videos { .. } | Self::Regions => None,
        }
    }

    /// The market it is about.
    pub fn region(&self) -> Region {
        match self {
            Self::Posts { region, .. } | Self::Videos { region, .. } => *region,
            _ => Region::Any,
        }
    }

    /// How many pages may be asked for.
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
