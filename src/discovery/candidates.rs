//! The results of a search for hashtags.

use std::collections::{BTreeMap, BTreeSet};

use tiktok_api::{Hashtag, HashtagRecord};
use units::Timestamp;

use crate::model::Growth;

/// Hashtags kept per search, as many as one search returns.
const KEPT: usize = 30;

/// A hashtag that a search found.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The hashtag.
    pub hashtag: Hashtag,
    /// Number of posts, if the search returned it.
    pub posts: Option<u64>,
    /// Number of views, if the search returned it.
    pub views: Option<u64>,
    /// Growth of the number of posts from search to search.
    pub growth: Option<Growth>,
}

/// The results of the last search for hashtags.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Candidates {
    /// When the API answered.
    pub at: Timestamp,
    /// The hashtags in the order of the answer, each once, at most 30.
    pub all: Vec<Candidate>,
}

impl Candidate {
    /// Passes every stored timestamp to `visit`, which may change it.
    pub(crate) fn visit_timestamps(&mut self, visit: &mut dyn FnMut(&mut Timestamp)) {
        self.growth.iter_mut().for_each(|growth| growth.visit_timestamps(visit));
    }
}

impl Candidates {
    /// The results of a new search. Hashtags that the `old` search had found keep their growth.
    pub fn update(old: Option<&Self>, records: Vec<HashtagRecord>, at: Timestamp) -> Self {
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

    /// Passes every stored timestamp to `visit`, which may change it.
    pub(crate) fn visit_timestamps(&mut self, visit: &mut dyn FnMut(&mut Timestamp)) {
        visit(&mut self.at);
        self.all.iter_mut().for_each(|candidate| candidate.visit_timestamps(visit));
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
