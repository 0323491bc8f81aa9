//! `[posts]`: how large a sample of posts is.

use tiktok_api::Dialect;

use super::ApiConfig;
use super::section::Section;

/// Maximum pages of a sample: the API lists no more.
const PAGES_MAX: u64 = 150;

/// How large a sample of posts is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostsConfig {
    /// `posts.pages_max`: maximum pages per sample, one credit each, 1 to 150. A watch block can override it.
    /// Default 3.
    pub pages_max: u32,
    /// `posts.page_size`: posts per page, from 1 to the provider's maximum (35). Default: the maximum.
    pub page_size: u32,
}

impl Default for PostsConfig {
    fn default() -> Self {
        Self { pages_max: 3, page_size: Dialect::default().provider().posts_page_max }
    }
}

pub(super) fn read(mut section: Section, api: &ApiConfig) -> PostsConfig {
    let page_max = api.provider().posts_page_max;
    let config = PostsConfig {
        pages_max: read_pages_max(&mut section, PostsConfig::default().pages_max),
        page_size: section.integer("page_size", page_max, 1..=page_max.into()),
    };
    section.finish();
    config
}

/// The setting that a block can override.
pub(super) fn read_pages_max(section: &mut Section, inherited: u32) -> u32 {
    section.integer("pages_max", inherited, 1..=PAGES_MAX)
}
