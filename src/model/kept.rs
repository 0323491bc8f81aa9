//! Posts that are kept for long.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Post;

/// A few posts, packed: there are some for every pair of a watchlist, and they are read only when
/// somebody asks for a brief. Takes about 120 bytes a post, a third of what [`Post`] takes. Stored as
/// the plain list that it is.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Post>", into = "Vec<Post>")]
pub struct KeptPosts(Box<[u8]>);

impl KeptPosts {
    /// The posts, in the order in which they were given.
    pub fn unpacked(&self) -> Vec<Post> {
        // Nobody else writes these bytes; only no posts at all leave none.
        postcard::from_bytes(&self.0).unwrap_or_default()
    }
}

impl From<Vec<Post>> for KeptPosts {
    fn from(posts: Vec<Post>) -> Self {
        if posts.is_empty() {
            return Self::default();
        }
        // Cannot fail: a list of texts and numbers has a form of known length.
        Self(postcard::to_allocvec(&posts).unwrap_or_default().into())
    }
}

impl From<KeptPosts> for Vec<Post> {
    fn from(kept: KeptPosts) -> Self {
        kept.unpacked()
    }
}

impl fmt::Debug for KeptPosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.unpacked().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{Region, Timestamp};

    fn post() -> impl Strategy<Value = Post> {
        let count = || any::<Option<u64>>();
        let texts = (any::<String>(), any::<Option<String>>(), any::<Option<String>>());
        let counts = (count(), count(), count(), count(), count());
        let region = prop::sample::select(vec![None, Some(Region::Any), Region::parse("US").ok()]);
        (texts, any::<Option<i64>>(), region, counts).prop_map(|(texts, at, region, counts)| {
            let (id, author, title) = texts;
            let (plays, likes, comments, shares, saves) = counts;
            let created_at = at.map(Timestamp::from_millis);
            Post { id, author, title, created_at, region, plays, likes, comments, shares, saves }
        })
    }

    proptest! {
        #[test]
        fn posts_come_back_as_they_were(posts in prop::collection::vec(post(), 0..4)) {
            let kept = KeptPosts::from(posts.clone());
            prop_assert_eq!(&kept.unpacked(), &posts);
            let json = serde_json::to_string(&kept).unwrap();
            prop_assert_eq!(&json, &serde_json::to_string(&posts).unwrap());
            prop_assert_eq!(serde_json::from_str::<KeptPosts>(&json).unwrap(), kept);
        }
    }
}
