//! Requests to the simulated API and the reasons to reject them, independent of the dialect.

use crate::{Operation, Order};

/// A parsed request. Its texts are not validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    HashtagByName {
        name: String,
    },
    HashtagById {
        id: String,
    },
    Posts {
        id: String,
        region: String,
        page: PageCall,
    },
    SearchHashtags {
        keyword: String,
        page: PageCall,
    },
    SearchPosts {
        keyword: String,
        region: String,
        /// Maximum age of the posts in days; 0 for any.
        days: usize,
        order: Order,
        page: PageCall,
    },
    Regions,
}

/// Which page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageCall {
    /// Maximum items on it, from 1 to the dialect's maximum.
    pub(crate) count: usize,
    /// Its first item; the first of all if this is not a number.
    pub(crate) cursor: String,
}

impl Call {
    pub(crate) fn operation(&self) -> Operation {
        match self {
            Call::HashtagByName { .. } => Operation::HashtagByName,
            Call::HashtagById { .. } => Operation::HashtagById,
            Call::Posts { .. } => Operation::Posts,
            Call::SearchHashtags { .. } => Operation::SearchHashtags,
            Call::SearchPosts { .. } => Operation::SearchPosts,
            Call::Regions => Operation::Regions,
        }
    }

    /// The cursor of the requested page as received; empty if there is none.
    pub(super) fn cursor(&self) -> &str {
        match self {
            Call::Posts { page, .. } | Call::SearchHashtags { page, .. } | Call::SearchPosts { page, .. } => {
                &page.cursor
            }
            _ => "",
        }
    }

    /// The same look-up of another hashtag, to simulate an API that mixes up answers.
    pub(super) fn about_another_hashtag(self) -> Self {
        match self {
            Call::HashtagByName { name } => {
                Call::HashtagByName { name: if name == "viral" { "fyp" } else { "viral" }.to_owned() }
            }
            // The id of a name with one letter.
            Call::HashtagById { id } => {
                Call::HashtagById { id: if id == "12" { "13" } else { "12" }.to_owned() }
            }
            other => other,
        }
    }
}

impl PageCall {
    /// The index of the first item.
    pub(super) fn start(&self) -> usize {
        self.cursor.parse().unwrap_or(0)
    }
}

/// The parameters of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a query string.
    pub(super) fn parse(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// The text of a parameter, trimmed; empty if it is missing.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value.trim())
    }

    /// The number of a parameter; `default` if it is missing or not a number, and never more than `max`.
    pub(crate) fn number(&self, name: &str, default: usize, max: usize) -> usize {
        self.text(name).parse().unwrap_or(default).min(max)
    }
}

/// Why a request is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejection {
    NoKey,
    BadKey,
    NoCredits,
    TooFast,
    /// The same, with HTTP 200.
    TooFastAs200,
    NotFound(Missing),
    BadParameter(Parameter),
    /// There is no such path.
    NoSuchPath,
    /// With this status, 500 to 599.
    ServerError(u16),
}

/// What was not found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    Hashtag,
    /// The posts under a hashtag, or the hashtag itself.
    Posts,
    SearchedHashtags,
    SearchedPosts,
    /// Anything for a keyword that cannot match.
    Keyword,
    /// The requested data.
    Data,
}

/// Which parameter is missing or wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parameter {
    Name,
    Id,
    Keyword,
    Region,
}
