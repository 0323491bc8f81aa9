//! What can be asked of the API.

/// One kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Look up one hashtag by its name.
    HashtagByName,
    /// Look up one hashtag by its id.
    HashtagById,
    /// Get one page of the posts under a hashtag.
    Posts,
    /// Search hashtags by keyword.
    SearchHashtags,
    /// Search posts by keyword.
    SearchPosts,
    /// List the regions that posts can be asked for.
    Regions,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Operation; 6] = [
        Operation::HashtagByName,
        Operation::HashtagById,
        Operation::Posts,
        Operation::SearchHashtags,
        Operation::SearchPosts,
        Operation::Regions,
    ];

    /// The name of the operation in metric labels, ledgers and fault descriptions. These names are older than the
    /// dialects: they are the paths of the first provider, and they stay the same for every provider, so that
    /// ledgers and dashboards go on.
    pub fn as_str(self) -> &'static str {
        match self {
            Operation::HashtagByName => "challenge-info-name",
            Operation::HashtagById => "challenge-info-id",
            Operation::Posts => "challenge-posts",
            Operation::SearchHashtags => "search-challenge",
            Operation::SearchPosts => "search-video",
            Operation::Regions => "region-list",
        }
    }

    /// The operation with this name; the reverse of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == text)
    }
}
