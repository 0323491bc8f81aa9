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
    let terms = read_terms(&mut section, DEFAULT_GROUP, refresh, posts, api);
    section.finish();
    Block { hashtags, terms }
}

/// The settings that `[[watch]]` and `[[discover]]` blocks share. Without regions, any is meant.
pub(super) fn read_terms(
    section: &mut Section,
    default_group: &str,
    refresh: &RefreshConfig,
    posts: &PostsConfig,
    api: &ApiConfig,
) -> Terms {
    let regions = section.texts("regions", value::list, Region::parse);
    let group = section.get("group", default_group.into(), group);
    let RefreshConfig { totals_interval, posts_interval, max_age, .. } = read_ages(section, refresh, api);
    let pages_max = posts::read_pages_max(section, posts.pages_max);
    Terms { group, regions, totals_interval, posts_interval, max_age, pages_max }
}

/// `hashtags`: at least one, with or without `#`.
fn read_hashtags(section: &mut Section) -> Vec<Hashtag> {
    if !section.is_set("hashtags") {
        section.problem("hashtags", "is missing (list at least one)");
    }
    section.texts("hashtags", value::filled_list, Hashtag::parse)
}

/// `group`: 1 to 64 characters without control characters, shown as a label. Default `default`.
fn group(given: &figment::value::Value) -> Result<Arc<str>, String> {
    let name = value::filled_text(given)?;
    if name.chars().any(char::is_control) {
        return Err(format!("{} contains a control character", value::quote(name)));
    }
    match name.chars().count() {
        ..=GROUP_CHARS => Ok(name.into()),
        length => Err(format!("{} has {length} characters ({GROUP_CHARS} at most)", value::quote(name))),
    }
}
