//! What can be asked of the API.

/// Makes the enum, the list of its variants and their names from one line each, so that none can be left out.
macro_rules! operations {
    ($(#[doc = $doc:literal] $variant:ident = $name:literal,)+) => {
        /// One kind of request.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Operation {
            $(#[doc = $doc] $variant,)+
        }

        impl Operation {
            /// Every operation, in the order of their declaration.
            pub const ALL: [Operation; [$($name),+].len()] = [$(Operation::$variant),+];

            /// The name of the operation in metric labels, ledgers and fault descriptions. These names are older
            /// than the dialects: they are the paths of the first provider, and they stay the same for every
            /// provider, so that ledgers and dashboards go on.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Operation::$variant => $name,)+
                }
            }
        }
    };
}

operations! {
    /// Look up one hashtag by its name.
    HashtagByName = "challenge-info-name",
    /// Look up one hashtag by its id.
    HashtagById = "challenge-info-id",
    /// Get one page of the posts under a hashtag.
    Posts = "challenge-posts",
    /// Search hashtags by keyword.
    SearchHashtags = "search-challenge",
    /// Search posts by keyword.
    SearchPosts = "search-video",
    /// List the regions that posts can be asked for.
    Regions = "region-list",
}

impl Operation {
    /// The operation with this name; the reverse of [`as_str`](Self::as_str).
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|operation| operation.as_str() == text)
    }
}
