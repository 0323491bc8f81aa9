//! The watchlist: each hashtag once, with its regions and intervals. Pure: `config` reads the blocks from the
//! file and merges them with [`Watchlist::merge`].

mod shard;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use shard::Shard;
use tiktok_api::{Hashtag, Region};

/// A `[[watch]]` block: hashtags with the same terms. Can contain duplicates. No region means any region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The hashtags.
    pub hashtags: Vec<Hashtag>,
    /// How they are watched.
    pub terms: Terms,
}

/// Regions, intervals and limits for watching a hashtag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The value of the `group` label.
    pub group: Arc<str>,
    /// The regions in which posts are sampled. In a [`Watchlist`] sorted, unique and not empty.
    pub regions: Vec<Region>,
    /// Interval between refreshes of the totals.
    pub totals_interval: Duration,
    /// Interval between samples of posts in a region.
    pub posts_interval: Duration,
    /// Older values are not shown. Longer than both intervals.
    pub max_age: Duration,
    /// Maximum number of pages per sample.
    pub pages_max: u32,
}

/// All watched hashtags.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Watchlist {
    /// One entry per hashtag, sorted.
    pub entries: Vec<Watched>,
}

/// A watched hashtag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The hashtag.
    pub hashtag: Hashtag,
    /// How it is watched. Shared with other hashtags to save memory.
    pub terms: Arc<Terms>,
    /// Whether it is on trial, found by a search and not listed in the configuration.
    pub on_trial: bool,
}

/// A duplicate in the watch blocks. Displays as `key: what happens`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Duplicate {
    /// A hashtag.
    Hashtag {
        /// Index of the block that repeats it.
        block: usize,
        /// Its index in that block.
        index: usize,
        /// The hashtag.
        hashtag: Hashtag,
        /// Index of the block that listed it first.
        first_block: usize,
    },
    /// A region within one block.
    Region {
        /// Index of the block.
        block: usize,
        /// Index of the repetition in that block.
        index: usize,
        /// The region.
        region: Region,
    },
}

/// The size of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The name.
    pub name: Arc<str>,
    /// Number of hashtags.
    pub hashtags: usize,
    /// Number of pairs of hashtag and region.
    pub pairs: usize,
}

impl Watchlist {
    /// Merges blocks. The first block with a hashtag sets its terms; the regions are those of all its blocks.
    /// Returns the duplicates as well.
    pub fn merge(blocks: &[Block]) -> (Self, Vec<Duplicate>) {
        let mut merged: BTreeMap<Hashtag, (usize, Arc<Terms>)> = BTreeMap::new();
        let mut duplicates = Vec::new();
        for (block, listed) in blocks.iter().enumerate() {
            let regions = unique_regions(block, &listed.terms.regions, &mut duplicates);
            let terms = Arc::new(Terms { regions, ..listed.terms.clone() });
            for (index, hashtag) in listed.hashtags.iter().enumerate() {
                if let Some((first_block, known)) = merged.get_mut(hashtag) {
                    let (hashtag, first_block) = (hashtag.clone(), *first_block);
                    duplicates.push(Duplicate::Hashtag { block, index, hashtag, first_block });
                    add_regions(known, &terms.regions);
                } else {
                    merged.insert(hashtag.clone(), (block, terms.clone()));
                }
            }
        }
        let watched = |(hashtag, (_, terms))| Watched { hashtag, terms, on_trial: false };
        (Self { entries: merged.into_iter().map(watched).collect() }, duplicates)
    }

    /// The entry of a hashtag.
    pub fn get(&self, hashtag: &Hashtag) -> Option<&Watched> {
        let index = self.entries.binary_search_by(|entry| entry.hashtag.cmp(hashtag)).ok()?;
        self.entries.get(index)
    }

    /// The number of pairs of hashtag and region.
    pub fn pairs(&self) -> usize {
        self.entries.iter().map(|entry| entry.terms.regions.len()).sum()
    }

    /// All regions, sorted.
    pub fn regions(&self) -> BTreeSet<Region> {
        self.entries.iter().flat_map(|entry| entry.terms.regions.iter().copied()).collect()
    }

    /// All groups, sorted by name.
    pub fn groups(&self) -> Vec<Group> {
        let mut groups: BTreeMap<&Arc<str>, (usize, usize)> = BTreeMap::new();
        for entry in &self.entries {
            let (hashtags, pairs) = groups.entry(&entry.terms.group).or_default();
            *hashtags += 1;
            *pairs += entry.terms.regions.len();
        }
        let group = |(name, (hashtags, pairs)): (&Arc<str>, _)| Group { name: name.clone(), hashtags, pairs };
        groups.into_iter().map(group).collect()
    }
}

impl fmt::Display for Duplicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hashtag { block, index, hashtag, first_block } if block == first_block => {
                write!(f, "watch[{block}].hashtags[{index}]: #{hashtag} is already listed in this block")
            }
            Self::Hashtag { block, index, hashtag, first_block } => write!(
                f,
                "watch[{block}].hashtags[{index}]: #{hashtag} is already listed in watch[{first_block}], whose \
                 group and intervals hold; the regions of both are watched"
            ),
            Self::Region { block, index, region } => {
                write!(f, "watch[{block}].regions[{index}]: {region} is already listed in this block")
            }
        }
    }
}

fn unique_regions(block: usize, listed: &[Region], duplicates: &mut Vec<Duplicate>) -> Vec<Region> {
    let mut regions = BTreeSet::new();
    for (index, region) in listed.iter().copied().enumerate() {
        if !regions.insert(region) {
            duplicates.push(Duplicate::Region { block, index, region });
        }
    }
    if regions.is_empty() {
        regions.insert(Region::Any);
    }
    regions.into_iter().collect()
}

/// Adds regions. Terms that have them all already stay shared.
fn add_regions(terms: &mut Arc<Terms>, more: &[Region]) {
    if more.iter().any(|region| !terms.regions.contains(region)) {
        let regions = &mut Arc::make_mut(terms).regions;
        regions.extend(more);
        regions.sort();
        regions.dedup();
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use units::{DAY, HOUR};

    fn block(hashtags: &[&str], regions: &[&str]) -> Block {
        Block {
            hashtags: hashtags.iter().map(|text| Hashtag::parse(text).unwrap()).collect(),
            terms: Terms {
                regions: regions.iter().map(|text| Region::parse(text).unwrap()).collect(),
                group: "default".into(),
                totals_interval: 6 * HOUR,
                posts_interval: DAY,
                max_age: 2 * DAY,
                pages_max: 3,
            },
        }
    }

    #[test]
    fn the_first_block_sets_the_terms_and_regions_are_merged() {
        let mut first = block(&["b", "a"], &["US"]);
        (first.terms.group, first.terms.pages_max) = ("first".into(), 1);
        let mut second = block(&["#A", "c"], &[]);
        second.terms.group = "second".into();
        let (watchlist, duplicates) = Watchlist::merge(&[first, second]);
        let shown: Vec<String> = watchlist
            .entries
            .iter()
            .map(|entry| {
                format!(
                    "{:?} {} {:?} {}",
                    entry.hashtag, entry.terms.group, entry.terms.regions, entry.terms.pages_max
                )
            })
            .collect();
        assert_eq!(
            shown,
            ["#a first [Any, Country([85, 83])] 1", "#b first [Country([85, 83])] 1", "#c second [Any] 3"]
        );
        assert_eq!(duplicates.len(), 1);
        assert_eq!(watchlist.pairs(), 4);
        let groups = watchlist.groups();
        assert_eq!(
            groups.iter().map(|g| (&*g.name, g.hashtags, g.pairs)).collect::<Vec<_>>(),
            [("first", 2, 3), ("second", 1, 1)]
        );
    }

    fn blocks() -> impl Strategy<Value = Vec<Block>> {
        let names = prop::collection::vec(prop::sample::select(vec!["a", "A", "#b", "é", "日本"]), 0..6);
        let regions = prop::collection::vec(prop::sample::select(vec!["US", "us", "GB", "DE"]), 0..4);
        prop::collection::vec((names, regions).prop_map(|(names, regions)| block(&names, &regions)), 0..6)
    }

    proptest! {
        #[test]
        fn nothing_is_watched_twice(blocks in blocks()) {
            let (watchlist, duplicates) = Watchlist::merge(&blocks);
            prop_assert!(watchlist.entries.is_sorted_by(|a, b| a.hashtag < b.hashtag));
            for entry in &watchlist.entries {
                prop_assert!(!entry.terms.regions.is_empty());
                prop_assert!(entry.terms.regions.is_sorted_by(|a, b| a < b));
            }
            let listed: usize = blocks.iter().map(|block| block.hashtags.len()).sum();
            let repeated = duplicates.iter().filter(|found| matches!(found, Duplicate::Hashtag { .. })).count();
            prop_assert_eq!(watchlist.entries.len() + repeated, listed);
        }

        #[test]
        fn the_order_of_equal_blocks_and_of_hashtags_does_not_matter(
            blocks in blocks().prop_shuffle(),
        ) {
            let mut turned = blocks.clone();
            turned.reverse();
            for block in &mut turned {
                block.hashtags.reverse();
                block.terms.regions.reverse();
            }
            prop_assert_eq!(Watchlist::merge(&blocks).0, Watchlist::merge(&turned).0);
        }
    }
}
