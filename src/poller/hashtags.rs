//! What is known about each watched hashtag.

use std::collections::BTreeMap;
use std::sync::Arc;

use tiktok_api::{Hashtag, Region};

use super::keywords::Keywords;
use super::{Poller, blocking, log_unreadable};
use crate::schedule::{Job, Past, Subject};
use crate::state::{HashtagState, Refresh, RegionState};
use crate::store::{Discovered, StoreError};
use crate::watch::{Watched, Watchlist};

/// What is known about each watched hashtag.
pub(super) type Hashtags = BTreeMap<Hashtag, Arc<HashtagState>>;

/// Hashtags that are loaded from the store in one call.
const BATCH: usize = 1_000;

/// An entry of a watchlist, and what was known about it so far.
type Changed<'a> = (&'a Watched, Option<Arc<HashtagState>>);

/// Splits a watchlist into the entries that stay as they are, and those that are new or watched by other
/// terms.
fn split_changed(
    watchlist: &Watchlist,
    mut old: Hashtags,
) -> (Vec<(Hashtag, Arc<HashtagState>)>, Vec<Changed<'_>>) {
    let (mut same, mut changed) = (Vec::new(), Vec::new());
    for watched in &watchlist.entries {
        match old.remove(&watched.hashtag) {
            Some(known) if has_same_terms(&known, watched) => same.push((watched.hashtag.clone(), known)),
            known => changed.push((watched, known)),
        }
    }
    (same, changed)
}

fn has_same_terms(known: &HashtagState, watched: &Watched) -> bool {
    known.group == watched.terms.group
        && known.max_age == watched.terms.max_age
        && known.regions.iter().map(|state| &state.region).eq(&watched.terms.regions)
}

/// An entry with everything known from the old one. New regions are unknown.
pub(super) fn new_entry(watched: &Watched, old: Option<&HashtagState>) -> HashtagState {
    let region_state = |region: &Region| {
        let old = old.and_then(|old| old.regions.iter().find(|state| state.region == *region));
        old.cloned().unwrap_or_else(|| RegionState {
            region: *region,
            sample: None,
            refresh: Refresh { interval: watched.terms.posts_interval, ..Refresh::default() },
        })
    };
    let unknown = || {
        let state = HashtagState::unknown(
            watched.hashtag.clone(),
            watched.terms.group.clone(),
            watched.terms.max_age,
        );
        HashtagState {
            refresh: Refresh { interval: watched.terms.totals_interval, ..state.refresh },
            ..state
        }
    };
    HashtagState {
        group: watched.terms.group.clone(),
        max_age: watched.terms.max_age,
        regions: watched.terms.regions.iter().map(region_state).collect(),
        ..old.map_or_else(unknown, HashtagState::clone)
    }
}

/// What the schedule needs to know about each job.
pub(super) fn past(hashtags: &Hashtags, keywords: &Keywords) -> impl Fn(&Job) -> Past {
    |job| match &job.subject {
        Subject::Hashtag(hashtag) => {
            let Some(known) = hashtags.get(hashtag) else { return Past::default() };
            let region = |region| known.regions.iter().find(|state| state.region == region);
            let last = match job.region {
                None => known.refresh.last,
                Some(wanted) => region(wanted).and_then(|state| state.refresh.last),
            };
            let is_gone = known.found == Some(false);
            Past { last, resolved: known.id.is_some() && !is_gone, absent: is_gone && job.region.is_none() }
        }
        Subject::Keyword(keyword) => {
            let known = keywords.get(keyword);
            let last = known.and_then(|known| match job.region {
                None => known.refresh.last,
                Some(wanted) => known.regions.iter().find(|state| state.region == wanted)?.refresh.last,
            });
            // A keyword needs no id.
            Past { last, resolved: true, absent: false }
        }
    }
}

pub(super) fn refresh_of(known: &mut HashtagState, region: Option<Region>) -> Option<&mut Refresh> {
    match region {
        None => Some(&mut known.refresh),
        Some(region) => {
            known.regions.iter_mut().find(|state| state.region == region).map(|state| &mut state.refresh)
        }
    }
}

impl Poller {
    /// The stored state of discovery, or none if the store cannot be read.
    pub(super) async fn recall_discovery(&self) -> Discovered {
        let store = self.parts.store.clone();
        blocking(move || store.recall_discovery()).await.unwrap_or_else(|error| {
            self.log_store_error(&error);
            Discovered::default()
        })
    }

    /// Updates the watchlist and the entries to the listed hashtags and those on trial. New entries are
    /// loaded from the store.
    ///
    /// # Errors
    ///
    /// When the store cannot be read. All entries are there nevertheless.
    pub(super) async fn update_hashtags(&mut self) -> Result<(), StoreError> {
        let listed = &self.plan.watchlist;
        self.watchlist = match self.trials.running().next() {
            None => listed.clone(),
            Some(_) => listed.with_trials(&self.trials, &self.plan.following).into(),
        };
        let watchlist = self.watchlist.clone();
        let (mut entries, changed) = split_changed(&watchlist, std::mem::take(&mut self.hashtags));
        let mut recalled = Ok(0);
        // In batches, to keep allocations small and to let others use the store in between.
        for batch in changed.chunks(BATCH) {
            let states = batch.iter().map(|(watched, old)| new_entry(watched, old.as_deref())).collect();
            let (states, unreadable) = self.recall(states).await;
            entries.extend(states.into_iter().map(|state| (state.hashtag.clone(), Arc::new(state))));
            recalled = recalled.and_then(|sum| Ok(sum + unreadable?));
        }
        // Built at once: a tree that is filled entry by entry takes a third more memory.
        self.hashtags = entries.into_iter().collect();
        self.growth.shrink_to_fit();
        self.show_trials();
        recalled.map(log_unreadable)
    }

    /// Loads the stored results of these hashtags. Returns them with the number of rows that cannot be read.
    async fn recall(
        &mut self,
        mut states: Vec<HashtagState>,
    ) -> (Vec<HashtagState>, Result<usize, StoreError>) {
        let hashtags = states.iter().map(|state| &state.hashtag);
        let new: Vec<Hashtag> =
            hashtags.filter(|hashtag| !self.growth.contains_key(*hashtag)).cloned().collect();
        let store = self.parts.store.clone();
        let (states, recalled) = blocking(move || {
            let recalled = store.recall(&mut states);
            let recalled = recalled.and_then(|unreadable| Ok((unreadable, store.recall_growth(&new)?)));
            (states, recalled)
        })
        .await;
        let recalled = recalled.map(|(unreadable, (growth, more))| {
            self.growth.extend(growth);
            unreadable + more
        });
        (states, recalled)
    }

    /// As [`update_hashtags`](Self::update_hashtags), but logs the error.
    pub(super) async fn update_hashtags_or_log(&mut self) {
        if let Err(error) = self.update_hashtags().await {
            self.log_store_error(&error);
        }
    }

    fn log_store_error(&self, error: &StoreError) {
        self.parts.telemetry.store_failed();
        tracing::error!(%error, "cannot read the store: new hashtags are refreshed at once, even if they are in it");
    }
}
