//! The contents of a report: the public JSON. `docs/api.md` documents every field.

use serde::{Deserialize, Serialize};

use crate::model::PublicPost;

/// The version of the JSON.
pub const VERSION: u32 = 1;

/// The hashtags that are worth a look, the most worthwhile first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The version of this shape: 1. Fields may be added within one; none goes or changes its meaning.
    pub version: u32,
    /// When it was made: RFC 3339, UTC.
    pub generated_at: String,
    /// Whether nothing in it is real.
    pub simulated: bool,
    /// What was asked.
    pub asked: Asked,
    /// How the trends are ranked.
    pub ranking: Ranking,
    /// The trends, best first.
    pub trends: Vec<Trend>,
}

/// What was asked; `None` for no filter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// The watch group.
    pub group: Option<String>,
    /// The region, `any` for samples without one.
    pub region: Option<String>,
    /// The hashtag, without `#`.
    pub hashtag: Option<String>,
    /// The maximum number of trends.
    pub limit: usize,
    /// The time whose highest velocity counts, instead of that of now.
    pub since_seconds: Option<u64>,
}

/// How the trends are ranked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ranking {
    /// What most scores are.
    pub by: Measure,
    /// What a reader has to know about it, such as that a Prometheus does not answer.
    pub notes: Vec<String>,
}

/// What a score is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The growth of the count of posts, now.
    CounterVelocity,
    /// The highest of it within the time that was asked for.
    CounterVelocityPeak,
    /// Counted in the region's sample of posts.
    SampleVelocity,
}

/// A hashtag in a region.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Trend {
    /// Its place, from 1.
    pub rank: usize,
    /// The hashtag, without `#`.
    pub hashtag: String,
    /// Its watch group.
    pub group: String,
    /// The region of sample and posts: ISO 3166-1 alpha-2, or `any`.
    pub region: String,
    /// What it is ranked by; `None` when nothing that is known can be trusted.
    pub score: Option<f64>,
    /// What the score is.
    pub score_is: Option<Measure>,
    /// All velocities that are known.
    pub velocity: Velocity,
    /// What the thresholds make of it; empty when it is steady.
    pub signals: Vec<Signal>,
    /// The numbers against their thresholds.
    pub why: Vec<Check>,
    /// The worldwide counts.
    pub totals: Totals,
    /// Whether the platform flags it as commercial.
    pub commerce: Option<bool>,
    /// How sure this is.
    pub certainty: Certainty,
    /// Whether it is time to post.
    pub posting_window: PostingWindow,
    /// The best recent posts of the region's sample, by plays; at most three.
    pub posts: Vec<PublicPost>,
}

/// 1 is steady, 2 is twice as fast as on the mean day of the week.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Velocity {
    /// Of the growth of the count of posts, from Prometheus.
    pub counter: Option<f64>,
    /// Its highest value within the time that was asked for.
    pub counter_peak: Option<f64>,
    /// Its mean over that time.
    pub counter_mean: Option<f64>,
    /// Of the region's sample of posts, 0 to 7.
    pub sample: Option<f64>,
    /// The sample's, times the mean plays of the posts of the last 24 hours.
    pub engagement_weighted: Option<f64>,
}

/// What the thresholds make of a hashtag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// Views stand far above their last 14 days.
    Trending,
    /// Posts come at least three times as fast.
    TrendCandidate,
    /// Posts come at least one and a half times as fast.
    HeatingUp,
}

/// A number against its threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What is compared.
    pub name: String,
    /// The number, if it is known.
    pub value: Option<f64>,
    /// How it is compared.
    pub needs: Comparison,
    /// With what.
    pub threshold: f64,
    /// Whether it holds; not when the number is unknown.
    pub met: bool,
}

/// How a number is compared with its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Not less than it.
    AtLeast,
    /// Not more than it.
    AtMost,
}

/// The worldwide counts.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Posts.
    pub posts: Option<u64>,
    /// Views of all posts.
    pub views: Option<u64>,
    /// How long ago they were read.
    pub age_seconds: Option<u64>,
}

/// How sure a report is of a trend.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Certainty {
    /// The verdict.
    pub level: Level,
    /// What speaks against it, in words; empty for [`Level::High`].
    pub doubts: Vec<String>,
    /// Upper bound on the probability that a steady stream of posts produces this (p-value), 0 to 1. `None` if it
    /// is not faster than steady.
    pub chance: Option<f64>,
    /// Posts in the sample.
    pub sample_posts: Option<u64>,
    /// Of these, from the last 24 hours.
    pub sample_posts_24h: Option<u64>,
    /// Of these, from the last 7 days.
    pub sample_posts_7d: Option<u64>,
    /// Whether the sample does not reach back 7 days.
    pub saturated: Option<bool>,
    /// How long ago the sample was taken.
    pub sample_age_seconds: Option<u64>,
    /// Whether sample and totals are no older than twice the time between two looks.
    pub fresh: bool,
    /// Share of the sampled posts that are from the region, 0 to 1.
    pub region_match_ratio: Option<f64>,
}

/// How sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// More than one doubt.
    #[default]
    Low,
    /// One doubt.
    Medium,
    /// No doubt.
    High,
}

/// Whether it is time to post.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PostingWindow {
    /// The verdict.
    pub state: WindowState,
    /// Where it comes from.
    pub note: String,
}

/// Whether it is time to post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowState {
    /// Post now.
    Open,
    /// Between the thresholds, without a memory of the last state: go on as before.
    Hold,
    /// Do not push it.
    Closed,
    /// Nothing that can be trusted is known.
    #[default]
    Unknown,
}
