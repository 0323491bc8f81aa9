//! `[posts]`: how large a sample of posts is.

use tiktok_api::Dialect;

use super::ApiConfig;
use super::section::Section;

pub(super) const KEYS: &[&str] = &["pages_max", "page_size"];

/// The most pages a sample may have; the upstream's depth ends there.
const PAGES_MAX: u32 = 150;

/// How large a sample of posts is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PostsConfig {
    /// `posts.pages_max`: pages asked for per sample at most, one credit each, 1 to 150, unless a
    /// watch block says otherwise. Default 3.
    pub pages_max: u32,
    /// `posts.page_size`: posts asked for per page, from 1 to the most that the provider has on a page (35). Default:
    /// the most.
    pub page_size: u32,
}

impl Default for PostsConfig {
    fn default() -> Self {
        Self { pages_max: 3, page_size: Dialect::default().provider().posts_page_max }
    }
}

pub(super) fn read(mut section: Section, api: &ApiConfig) -> PostsConfig {
    let default = PostsConfig::default();
    let page_max = api.provider().posts_page_max;
    let config = PostsConfig {
        pages_max: read_pages_max(&mut section, default.pages_max),
        page_size: section.small_integer("page_size", page_max, 1..=page_max),
    };
    section.finish();
    config
}

/// The setting that a watch block may set as well.
pub(super) fn read_pages_max(section: &mut Section, inherited: u32) -> u32 {
    section.small_integer("pages_max", inherited, 1..=PAGES_MAX)
}
