//! `[store]`: where the ledger and the latest values are stored.

use std::path::PathBuf;

use super::section::Section;
use super::value;

/// Where the ledger and the latest values are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreConfig {
    /// `store.path`: the SQLite file, created if it does not exist; a relative path starts at the
    /// working directory. Default `tiktok-exporter.sqlite`.
    pub path: PathBuf,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self { path: "tiktok-exporter.sqlite".into() }
    }
}

pub(super) fn read(mut section: Section) -> StoreConfig {
    let path =
        section.get("path", StoreConfig::default().path, |given| Ok(value::filled_text(given)?.into()));
    section.finish();
    StoreConfig { path }
}
