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
    /// The configuration file (TOML) [default: tiktok-exporter.toml if it exists, otherwise the built-in defaults]
    #[arg(long = "config.file", value_name = "FILE")]
    pub(super) config_file: Option<PathBuf>,
    /// Output format
    #[arg(long = "format", value_enum, default_value = "table")]
    pub(super) report_format: Format,
    /// Show the cost and send nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Use a cached response that is not older; 0s bypasses the cache [default: 10m for counts and posts, 1h for
    /// searches, 1w for the list of regions]
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    max_age: Option<Duration>,
    /// Use the embedded simulator: no key, no network, no file; no data is real
    #[arg(long, conflicts_with = "config_file")]
    pub(super) demo: bool,
}

impl Common {
    pub(super) fn max_age(&self) -> Duration {
        self.max_age.unwrap_or(Duration::MAX)
    }
}

/// Output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Format {
    /// For terminals
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
    /// A country code, such as US
    #[arg(long, value_name = "CODE", default_value = "any", value_parser = region)]
    pub(super) region: Region,
    /// Maximum number of pages; each costs a credit
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=i64::from(PAGES_MAX)))]
    pub(super) pages: u32,
    #[command(flatten)]
    pub(super) common: Common,
}

/// Flags of `search`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct SearchArgs {
    /// The keyword, one or more words
    #[arg(value_parser = keyword)]
    pub(super) keyword: Keyword,
    /// Search for posts instead of hashtags
    #[arg(long)]
    pub(super) videos: bool,
    /// Only posts of the last day or week: day, week, or ever
    #[arg(long, value_name = "AGE", default_value = "ever", requires = "videos", value_parser = since)]
    pub(super) since: Since,
    /// Order of the posts: relevance, likes, or date
    #[arg(long, value_name = "ORDER", default_value = "relevance", requires = "videos", value_parser = order)]
    pub(super) sort: Order,
    /// A country code, such as US
    #[arg(long, value_name = "CODE", default_value = "any", requires = "videos", value_parser = region)]
    pub(super) region: Region,
    /// Maximum number of pages; each costs a credit
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
