//! The book of what is known of each watched hashtag.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::keywords::Keywords;
use crate::model::{ChallengeId, Flags, Hashtag, HashtagRecord, Region, Timestamp, Totals};
use crate::schedule::{Job, Past, Subject};
use crate::state::{HashtagState, Refresh, RegionState};
use crate::store::Remembered;
use crate::watchlist::{Watched, Watchlist};

/// What is known of each watched hashtag.
pub(super) type Book = BTreeMap<Hashtag, Arc<HashtagState>>;

/// The book for a watchlist: entries that stay are taken from the old book, others out of what is
/// remembered, so that memory never holds them twice.
pub(super) fn new_book(watchlist: &Watchlist, old: &Book, mut remembered: Remembered) -> Book {
    let entry = |watched: &Watched| {
        let old = old.get(&watched.hashtag).map(Arc::as_ref);
        (watched.hashtag.clone(), Arc::new(new_entry(watched, old, &mut remembered)))
    };
    watchlist.entries.iter().map(entry).collect()
}

fn new_entry(watched: &Watched, old: Option<&HashtagState>, remembered: &mut Remembered) -> HashtagState {
    let region_state = |region: &Region| {
        let old = old.and_then(|old| old.regions.iter().find(|state| state.region == *region));
        let stored = remembered.samples.remove(&(watched.hashtag.clone(), *region));
        let (sample, last, last_success) = match (old, stored) {
            (Some(old), _) => (old.sample.clone(), old.refresh.last, old.refresh.last_success),
            (None, Some(stored)) => (stored.sample, stored.last, stored.last_success),
            (None, None) => (None, None, None),
        };
        let refresh = Refresh { interval: watched.posts_interval, last, last_success, next_due: None };
        RegionState { region: *region, sample, refresh }
    };
    let mut entry = match (old, remembered.hashtags.remove(&watched.hashtag)) {
        (Some(old), _) => old.clone(),
        (None, stored) => {
            let stored = stored.unwrap_or_default();
            HashtagState {
                hashtag: watched.hashtag.clone(),
                group: watched.group.clone(),
                max_age: watched.max_age,
                id: stored.id,
                resolved_at: stored.resolved_at,
                found: stored.found,
                commerce: stored.commerce,
                posts: stored.posts,
                views: stored.views,
                refresh: Refresh {
                    last: stored.last,
                    last_success: stored.last_success,
                    ..Refresh::default()
                },
                regions: Vec::new(),
            }
        }
    };
    entry.group = watched.group.clone();
    entry.max_age = watched.max_age;
    entry.refresh.interval = watched.totals_interval;
    entry.regions = watched.regions.iter().map(region_state).collect();
    entry
}

/// What the schedule needs to know of each job, out of the books.
pub(super) fn past(book: &Book, keywords: &Keywords) -> impl Fn(&Job) -> Past {
    |job| match &job.subject {
        Subject::Hashtag(hashtag) => {
            let Some(known) = book.get(hashtag) else { return Past::default() };
            let region = |region| known.regions.iter().find(|state| state.region == region);
            let last = match job.region {
                None => known.refresh.last,
                Some(asked) => region(asked).and_then(|state| state.refresh.last),
            };
            let is_gone = known.found == Some(false);
            Past { last, resolved: known.id.is_some() && !is_gone, absent: is_gone && job.region.is_none() }
        }
        Subject::Keyword(keyword) => {
            let known = keywords.get(keyword);
            let last = known.and_then(|known| match job.region {
                None => known.refresh.last,
                Some(asked) => known.regions.iter().find(|state| state.region == asked)?.refresh.last,
            });
            // A keyword has no id to wait for.
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

/// The last answer about a hashtag's totals and when it was given, if both counts came with it.
pub(super) fn last_answer(known: &HashtagState) -> Option<(ChallengeId, Timestamp, HashtagRecord)> {
    let (posts, views) = (known.posts.as_ref()?, known.views.as_ref()?);
    let id = known.id.clone()?;
    let record = HashtagRecord {
        id: id.clone(),
        hashtag: known.hashtag.clone(),
        totals: Totals { posts: Some(posts.value()), views: Some(views.value()) },
        flags: Flags { commerce: known.commerce, ..Flags::default() },
        description: None,
    };
    (posts.at == views.at).then_some((id, posts.at, record))
}

/// Moves what lies after `now` back in time by `back`.
pub(super) fn date_anew(known: &mut HashtagState, now: Timestamp, back: Duration) {
    let readings = [&mut known.posts, &mut known.views].into_iter().flatten().map(|reading| &mut reading.at);
    readings.chain(&mut known.resolved_at).for_each(|at| move_back(at, now, back));
    date_refresh_anew(&mut known.refresh, now, back);
    for region in &mut known.regions {
        date_refresh_anew(&mut region.refresh, now, back);
        region.sample.iter_mut().for_each(|sample| move_back(&mut sample.at, now, back));
    }
}

pub(super) fn date_refresh_anew(refresh: &mut Refresh, now: Timestamp, back: Duration) {
    let last = refresh.last.as_mut().map(|(at, _)| at);
    last.into_iter().chain(&mut refresh.last_success).for_each(|at| move_back(at, now, back));
}

pub(super) fn move_back(at: &mut Timestamp, now: Timestamp, back: Duration) {
    if *at > now {
        *at = *at - back;
    }
}
