//! A post as this program shows it to others.

use serde::{Deserialize, Serialize};
use tiktok_api::{Post, Region};
use units::{Timestamp, human::utc};

/// A post in JSON and CSV: of `posts`, of `search --videos`, in the brief and in the feed of trends. `null` is
/// "not known". Title and author are text from strangers, on one line and short.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PublicPost {
    /// The platform's id.
    pub id: String,
    /// The time of publication, in seconds since the Unix epoch.
    #[serde(default)]
    pub created_timestamp_seconds: Option<i64>,
    /// The country it was published from: ISO 3166-1 alpha-2.
    pub region: Option<String>,
    /// The author's name, without `@`, at most 40 characters.
    pub author: Option<String>,
    /// The author's text, at most 120 characters.
    pub title: Option<String>,
    /// Plays.
    pub plays: Option<u64>,
    /// Likes.
    pub likes: Option<u64>,
    /// Comments.
    pub comments: Option<u64>,
    /// Shares.
    pub shares: Option<u64>,
    /// Saves.
    pub saves: Option<u64>,
    /// The page of the post. Unknown unless author and id are of the form that the platform uses.
    pub url: Option<String>,
    /// The time of publication: RFC 3339, UTC.
    pub published_at: Option<String>,
    /// The age when it was shown, in seconds. Unknown if it was published after that by the local clock.
    pub age_seconds: Option<u64>,
}

impl PublicPost {
    /// `post` as it is shown at `now`.
    pub fn new(post: &Post, now: Timestamp) -> Self {
        Self {
            id: post.id.clone(),
            created_timestamp_seconds: post.created_at.map(Timestamp::as_secs),
            region: post.region.map(|region: Region| region.to_string()),
            author: post.author.clone(),
            title: post.title.clone(),
            plays: post.plays,
            likes: post.likes,
            comments: post.comments,
            shares: post.shares,
            saves: post.saves,
            url: post.link(),
            published_at: post.created_at.map(utc).filter(|text| !text.is_empty()),
            age_seconds: post.created_at.and_then(|at| at.age(now)).map(|age| age.as_secs()),
        }
    }

    /// The URL, unless it could lead anywhere else than to the platform: a report may come from any server
    /// that claims to be an exporter.
    pub fn safe_url(&self) -> Option<&str> {
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/:@._".contains(&b);
        let is_ours = |url: &&str| url.starts_with("https://www.tiktok.com/@") && url.bytes().all(is_plain);
        self.url.as_deref().filter(is_ours)
    }
}
