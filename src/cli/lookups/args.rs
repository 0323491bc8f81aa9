//! The flags.

use std::path::PathBuf;
use std::time::Duration;

use tiktok_api::{Hashtag, Region};
use tiktok_api::{Order, Since};

use crate::lookups::PAGES_MAX;
use crate::model::Keyword;

/// Flags of every look-up.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Common {
    /// The configuration file (TOML); without it tiktok-exporter.toml if there is one, else the defaults
    #[arg(long = "config.file", value_name = "FILE")]
    pub(super) config_file: Option<PathBuf>,
    /// How the answer looks
    #[arg(long = "format", value_enum, default_value = "table")]
    pub(super) report_format: Format,
    /// Say what it would cost and ask nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Pay for a new answer if the last one is older; 0s asks anew. Without it, counts are good for 10
    /// minutes, searches for an hour, the list of regions for a week
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    max_age: Option<Duration>,
    /// Ask a simulated API: no key, no network, no file; nothing that it says is real
    #[arg(long, conflicts_with = "config_file")]
    pub(super) demo: bool,
}

impl Common {
    pub(super) fn max_age(&self) -> Duration {
        self.max_age.unwrap_or(Duration::MAX)
    }
}

/// How an answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
    /// For spreadsheets
    Csv,
}

/// Flags of `lookup`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct LookupArgs {
    /// Hashtags, with or without #
    #[arg(required = true, value_name = "HASHTAG", value_parser = hashtag)]
    pub(super) hashtags: Vec<Hashtag>,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Flags of `posts`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct PostsArgs {
    /// A hashtag, with or without #
    #[arg(value_parser = hashtag)]
    pub(super) hashtag: Hashtag,
    /// The country that is asked for, such as US; without it, any
    #[arg(long, value_name = "CODE", default_value = "any", value_parser = region)]
    pub(super) region: Region,
    /// Pages at the most; each costs a credit
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGES_MAX)))]
    pub(super) pages: u32,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Flags of `search`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct SearchArgs {
    /// What to search for, one or more words
    #[arg(value_parser = keyword)]
    pub(super) keyword: Keyword,
    /// Search for posts instead of hashtags
    #[arg(long)]
    pub(super) videos: bool,
    /// How young the posts are to be: day, week, or ever
    #[arg(long, value_name = "AGE", default_value = "ever", requires = "videos", value_parser = since)]
    pub(super) since: Since,
    /// Which posts come first: relevance, likes, or date
    #[arg(long, value_name = "ORDER", default_value = "relevance", requires = "videos", value_parser = order)]
    pub(super) sort: Order,
    /// The country that posts are asked for from, such as US; without it, any
    #[arg(long, value_name = "CODE", default_value = "any", requires = "videos", value_parser = region)]
    pub(super) region: Region,
    /// Pages at the most; each costs a credit
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGES_MAX)))]
    pub(super) pages: u32,
    /// Print the hashtags as a [[watch]] block for the configuration
    #[arg(long, conflicts_with_all = ["videos", "report_format"])]
    pub(super) toml: bool,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Flags of `regions`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct RegionsArgs {
    #[command(flatten)]
    pub(super) common: Common,
}

fn hashtag(text: &str) -> Result<Hashtag, String> {
    Hashtag::parse(text).map_err(|why| why.to_string())
}

fn keyword(text: &str) -> Result<Keyword, String> {
    Keyword::parse(text).map_err(|why| why.to_string())
}

fn region(text: &str) -> Result<Region, String> {
    Region::parse_label(text).map_err(|why| why.to_string())
}

fn since(text: &str) -> Result<Since, String> {
    match text {
        "ever" => Ok(Since::Ever),
        "day" => Ok(Since::Day),
        "week" => Ok(Since::Week),
        _ => Err("is none of day, week and ever".to_owned()),
    }
}

fn order(text: &str) -> Result<Order, String> {
    match text {
        "relevance" => Ok(Order::Relevance),
        "likes" => Ok(Order::Likes),
        "date" => Ok(Order::Date),
        _ => Err("is none of relevance, likes and date".to_owned()),
    }
}
