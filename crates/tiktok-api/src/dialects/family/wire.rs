//! Hashtags, posts and pages, as loosely as they come.

use crate::reading::{Envelope, Items, Object, Scalar};

/// A hashtag: the answer to a look-up, or an item of a search.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Challenge {
    pub(crate) id: Scalar,
    pub(crate) cha_name: Scalar,
    pub(crate) user_count: Scalar,
    pub(crate) view_count: Scalar,
    pub(crate) desc: Scalar,
    pub(crate) is_commerce: Scalar,
    pub(crate) is_challenge: Scalar,
    pub(crate) is_pgcshow: Scalar,
    pub(crate) is_strong_music: Scalar,
    status: Scalar,
    message: Scalar,
    msg: Scalar,
    code: Scalar,
}

/// A page of posts or of hashtags.
#[derive(Debug, serde::Deserialize)]
#[serde(default, bound = "T: serde::Deserialize<'de>")]
pub(crate) struct Listing<T> {
    #[serde(rename = "videos", alias = "challenge_list")]
    pub(crate) items: Option<Items<T>>,
    pub(crate) cursor: Scalar,
    #[serde(rename = "hasMore")]
    pub(crate) has_more: Scalar,
    status: Scalar,
    message: Scalar,
    msg: Scalar,
    code: Scalar,
}

impl<T> Default for Listing<T> {
    fn default() -> Self {
        let [cursor, has_more, status, message, msg, code] = std::array::from_fn(|_| Scalar::Absent);
        Self { items: None, cursor, has_more, status, message, msg, code }
    }
}

impl Envelope for Challenge {
    fn outcome(&self) -> [&Scalar; 4] {
        [&self.status, &self.message, &self.msg, &self.code]
    }

    fn is_complete(&self) -> bool {
        self.id.text().is_some()
    }
}

impl<T> Envelope for Listing<T> {
    fn outcome(&self) -> [&Scalar; 4] {
        [&self.status, &self.message, &self.msg, &self.code]
    }

    fn is_complete(&self) -> bool {
        self.items.is_some()
    }
}

/// A post.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Video {
    pub(crate) video_id: Scalar,
    pub(crate) aweme_id: Scalar,
    pub(crate) id: Scalar,
    pub(crate) author: Object<Author>,
    pub(crate) title: Scalar,
    pub(crate) region: Scalar,
    pub(crate) create_time: Scalar,
    pub(crate) play_count: Scalar,
    pub(crate) digg_count: Scalar,
    pub(crate) comment_count: Scalar,
    pub(crate) share_count: Scalar,
    pub(crate) collect_count: Scalar,
}

/// Who published a post.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct Author {
    pub(crate) unique_id: Scalar,
}
