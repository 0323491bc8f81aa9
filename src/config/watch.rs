//! `[watchlist]` and the `[[watch]]` blocks: what is watched.

use std::sync::Arc;

use tiktok_api::{Hashtag, Region};

use super::refresh::{RefreshConfig, read_ages};
use super::section::Section;
use super::{ApiConfig, PostsConfig, posts, value};
use crate::watch::{Block, Terms};

const DEFAULT_GROUP: &str = "default";
const GROUP_CHARS: usize = 64;
const DEFAULT_MAX_PAIRS: usize = 10_000;

/// `watchlist.max_pairs`: maximum pairs of hashtag and region, 1 to 1000000. Default 10000.
pub(super) fn read_max_pairs(mut section: Section) -> usize {
    let max_pairs = section.integer("max_pairs", DEFAULT_MAX_PAIRS, 1..=1_000_000);
    section.finish();
    max_pairs
}

/// One `[[watch]]` block.
pub(super) fn read_block(
    mut section: Section,
    refresh: &RefreshConfig,
    posts: &PostsConfig,
    api: &ApiConfig,
) -> Block {
    let hashtags = read_hashtags(&mut section);
    // Absent or empty means any region.
    let regions = section.texts("regions", value::list, Region::parse);
    let group = section.get("group", DEFAULT_GROUP.into(), group);
    let ages = read_ages(&mut section, refresh, api);
    let pages_max = posts::read_pages_max(&mut section, posts.pages_max);
    section.finish();
    let terms = Terms {
        group,
        regions,
        totals_interval: ages.totals_interval,
        posts_interval: ages.posts_interval,
        max_age: ages.max_age,
        pages_max,
    };
    Block { hashtags, terms }
}

/// `hashtags`: at least one, with or without `#`.
fn read_hashtags(section: &mut Section) -> Vec<Hashtag> {
    if !section.is_set("hashtags") {
        section.problem("hashtags", "is missing (list at least one)");
    }
    section.texts("hashtags", value::filled_list, Hashtag::parse)
}

/// `group`: 1 to 64 characters without control characters, shown as a label. Default `default`.
pub(super) fn group(given: &figment::value::Value) -> Result<Arc<str>, String> {
    let name = value::filled_text(given)?;
    if name.chars().any(char::is_control) {
        return Err(format!("{} contains a control character", value::quote(name)));
    }
    match name.chars().count() {
        ..=GROUP_CHARS => Ok(name.into()),
        length => Err(format!("{} has {length} characters ({GROUP_CHARS} at most)", value::quote(name))),
    }
}
