//! The results of look-ups: also the documented shapes of `--format json`.

use serde::{Deserialize, Serialize};
use tiktok_api::HashtagRecord;
use units::Timestamp;

use super::{Left, Refusal};
use crate::gateway::refresh::Route;
use crate::model::{PublicPost, SampleStats};

/// The result of one question, and its cost.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// Credits that were spent on it.
    pub credits: u64,
    /// The credits left for look-ups, after this one.
    pub left: Left,
    /// Whether the data are simulated.
    pub simulated: bool,
    /// The answer.
    pub result: Result<Finding, Refusal>,
}

/// An answer. Times are seconds since the Unix epoch; `null` means that the API did not provide
/// the value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// To a look-up.
    Hashtag(Looked),
    /// To a question for posts.
    Sample(Box<Sample>),
    /// To a search for hashtags.
    Candidates(Candidates),
    /// To a search for posts.
    Videos(Videos),
    /// The codes of the supported regions.
    Regions(Vec<String>),
}

impl Finding {
    /// Restrictions of the result, in words.
    pub fn notes(&self) -> &[String] {
        match self {
            Self::Sample(sample) => &sample.notes,
            Self::Candidates(candidates) => &candidates.notes,
            Self::Videos(videos) => &videos.notes,
            Self::Hashtag(_) | Self::Regions(_) => &[],
        }
    }
}

/// A hashtag as it was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Looked {
    /// The name, without `#`.
    pub hashtag: String,
    /// The platform's id.
    pub challenge_id: String,
    /// Posts worldwide.
    pub posts: Option<u64>,
    /// Views worldwide.
    pub views: Option<u64>,
    /// Whether it is flagged as commercial.
    pub commerce: Option<bool>,
    /// Whether it is flagged as a challenge in the narrow sense.
    pub challenge: Option<bool>,
    /// Whether it is flagged as of professionally made content.
    pub pgc_show: Option<bool>,
    /// Whether it is flagged as tied to a piece of music.
    pub strong_music: Option<bool>,
    /// The platform's description.
    pub description: Option<String>,
    /// How it was found.
    pub route: Route,
    /// The time of the response.
    pub answered_timestamp_seconds: i64,
}

/// A sample of posts, and how far to trust it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// The name, without `#`.
    pub hashtag: String,
    /// The platform's id.
    pub challenge_id: String,
    /// A country, or `any`.
    pub region: String,
    /// The time of the first page.
    pub answered_timestamp_seconds: i64,
    /// Posts on all pages, including duplicates.
    pub posts_seen: u64,
    /// Posts, each counted once.
    pub posts_unique: u64,
    /// The figures, as on `/metrics`.
    pub figures: SampleStats,
    /// Velocity from the growth of the total, as Prometheus has recorded it.
    pub counter_velocity: Option<f64>,
    /// Restrictions of these figures, in words.
    pub notes: Vec<String>,
    /// The posts, in the order of the answers.
    pub posts: Vec<PublicPost>,
}

/// Hashtags that resemble a keyword, in the order of the answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidates {
    /// The keyword.
    pub keyword: String,
    /// The time of the first page.
    pub answered_timestamp_seconds: i64,
    /// Restrictions of the result, in words.
    pub notes: Vec<String>,
    /// The hashtags, each once.
    pub hashtags: Vec<Candidate>,
}

/// A hashtag that a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// The name, without `#`.
    pub hashtag: String,
    /// The platform's id.
    pub challenge_id: String,
    /// Posts worldwide.
    pub posts: Option<u64>,
    /// Views worldwide.
    pub views: Option<u64>,
    /// Whether it is flagged as commercial.
    pub commerce: Option<bool>,
}

/// Posts that match a keyword, in the order of the answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Videos {
    /// The keyword.
    pub keyword: String,
    /// A country, or `any`.
    pub region: String,
    /// The time of the first page.
    pub answered_timestamp_seconds: i64,
    /// Posts of the last 24 hours among them.
    pub posts_24h: u64,
    /// Posts of the last 7 days among them.
    pub posts_7d: u64,
    /// Plays of all of them.
    pub plays: Option<u64>,
    /// Restrictions of the result, in words.
    pub notes: Vec<String>,
    /// The posts, each once.
    pub posts: Vec<PublicPost>,
}

impl Looked {
    pub(super) fn new(record: &HashtagRecord, at: Timestamp, route: Route) -> Self {
        Self {
            hashtag: record.hashtag.to_string(),
            challenge_id: record.id.to_string(),
            posts: record.totals.posts,
            views: record.totals.views,
            commerce: record.flags.commerce,
            challenge: record.flags.challenge,
            pgc_show: record.flags.pgc_show,
            strong_music: record.flags.strong_music,
            description: record.description.as_deref().map(one_line),
            route,
            answered_timestamp_seconds: at.as_secs(),
        }
    }
}

/// Text without control characters.
fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl From<&HashtagRecord> for Candidate {
    fn from(record: &HashtagRecord) -> Self {
        Self {
            hashtag: record.hashtag.to_string(),
            challenge_id: record.id.to_string(),
            posts: record.totals.posts,
            views: record.totals.views,
            commerce: record.flags.commerce,
        }
    }
}
