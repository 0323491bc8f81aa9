//! What answers hold.

use crate::{Cursor, Error, HashtagRecord, Post, Region};

/// The content of a good answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// One hashtag.
    Hashtag(HashtagRecord),
    /// A page of hashtags.
    Hashtags(Page<HashtagRecord>),
    /// A page of posts.
    Posts(Page<Post>),
    /// The supported regions, sorted; codes that are no ISO 3166-1 countries are left out.
    Regions(Vec<Region>),
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items that could be read, in the order of the answer.
    pub items: Vec<T>,
    /// The number of items that could not be read and were left out.
    pub unreadable: usize,
    /// Whether the API has more pages. Assumed true when the answer does not say.
    pub more: bool,
    /// Where the next page starts; `None` at the end, or when the answer does not say.
    pub next: Option<Cursor>,
}

impl Answer {
    /// The hashtag of a look-up.
    ///
    /// # Errors
    ///
    /// [`Class::Malformed`](crate::Class::Malformed) when the answer holds something else.
    pub fn hashtag(self) -> Result<HashtagRecord, Error> {
        match self {
            Answer::Hashtag(record) => Ok(record),
            _ => Err(Error::malformed("the answer is not a hashtag")),
        }
    }

    /// The hashtags of a search.
    ///
    /// # Errors
    ///
    /// [`Class::Malformed`](crate::Class::Malformed) when the answer holds something else.
    pub fn hashtags(self) -> Result<Page<HashtagRecord>, Error> {
        match self {
            Answer::Hashtags(page) => Ok(page),
            _ => Err(Error::malformed("the answer is not a list of hashtags")),
        }
    }

    /// The posts of a page.
    ///
    /// # Errors
    ///
    /// [`Class::Malformed`](crate::Class::Malformed) when the answer holds something else.
    pub fn posts(self) -> Result<Page<Post>, Error> {
        match self {
            Answer::Posts(page) => Ok(page),
            _ => Err(Error::malformed("the answer is not a list of posts")),
        }
    }

    /// The supported regions.
    ///
    /// # Errors
    ///
    /// [`Class::Malformed`](crate::Class::Malformed) when the answer holds something else.
    pub fn regions(self) -> Result<Vec<Region>, Error> {
        match self {
            Answer::Regions(regions) => Ok(regions),
            _ => Err(Error::malformed("the answer is not a list of regions")),
        }
    }
}
