//! What a search for hashtags found.

use std::collections::{BTreeMap, BTreeSet};

use tiktok_api::{Hashtag, HashtagRecord};
use units::Timestamp;

use crate::model::Growth;

/// Hashtags kept of one search: as many as a search brings.
const KEPT: usize = 30;

/// A hashtag that a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The hashtag.
    pub hashtag: Hashtag,
    /// Its count of posts, if the search told.
    pub posts: Option<u64>,
    /// Its count of views, if the search told.
    pub views: Option<u64>,
    /// How its count of posts grows, from search to search.
    pub growth: Option<Growth>,
}

/// What the last search for hashtags found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Candidates {
    /// When the answer was given.
    pub at: Timestamp,
    /// The hashtags in the order of the answer, each once, 30 at the most.
    pub all: Vec<Candidate>,
}

impl Candidates {
    /// Takes a search in. What was known of a hashtag that is found again lives on.
    pub fn take(old: Option<&Self>, records: Vec<HashtagRecord>, at: Timestamp) -> Self {
        let known: BTreeMap<&Hashtag, &Candidate> =
            old.iter().flat_map(|old| &old.all).map(|candidate| (&candidate.hashtag, candidate)).collect();
        let mut seen = BTreeSet::new();
        let all = records
            .into_iter()
            .filter(|record| seen.insert(record.hashtag.clone()))
            .take(KEPT)
            .map(|record| {
                let growth = known.get(&record.hashtag).and_then(|candidate| candidate.growth);
                Candidate {
                    growth: grown(growth, record.totals.posts, at),
                    posts: record.totals.posts,
                    views: record.totals.views,
                    hashtag: record.hashtag,
                }
            })
            .collect();
        Self { at, all }
    }
}

fn grown(growth: Option<Growth>, posts: Option<u64>, at: Timestamp) -> Option<Growth> {
    match (growth, posts) {
        (Some(mut growth), Some(posts)) => {
            growth.push(posts, at);
            Some(growth)
        }
        (None, Some(posts)) => Some(Growth::new(posts, at)),
        (growth, None) => growth,
    }
}
