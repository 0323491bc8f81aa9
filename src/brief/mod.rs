//! From a signal to a decision: which hashtags to post under now, why, and what works there.
//!
//! A report is composed of the snapshot, of the posts that the store keeps and, where there is one, of
//! the evidence of a Prometheus. It is made on request, never during a scrape, and costs no
//! credits. The brief for creators and the feed of trends are the same report, asked differently.

mod compose;
mod evidence;
mod markdown;
mod question;
mod report;
mod service;
mod words;

pub use compose::compose;
pub use evidence::{Evidence, Facts, Thresholds};
pub use markdown::markdown;
pub use question::{BadQuestion, Kind, Question};
pub use report::{
    Asked, Certainty, Check, Comparison, Level, Measure, PostingWindow, Ranking, Report, Signal, Totals,
    Trend, Velocity, WindowState,
};
pub use service::{BestPosts, BriefService};
pub(crate) use words::{checks, counts};
