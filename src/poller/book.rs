//! The book of what is known of each watched hashtag.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tiktok_api::{Hashtag, Region};
use units::Timestamp;

use super::keywords::Keywords;
use crate::schedule::{Job, Past, Subject};
use crate::state::{HashtagState, Refresh, RegionState};
use crate::watch::{Watched, Watchlist};

/// What is known of each watched hashtag.
pub(super) type Book = BTreeMap<Hashtag, Arc<HashtagState>>;

/// An entry of a watchlist, and what the book said of it so far.
type Other<'a> = (&'a Watched, Option<Arc<HashtagState>>);

/// Whatever of the book stays as it is with a watchlist, and the others: hashtags that are new, or that
/// are to be watched otherwise.
pub(super) fn sorted_out(
    watchlist: &Watchlist,
    mut old: Book,
) -> (Vec<(Hashtag, Arc<HashtagState>)>, Vec<Other<'_>>) {
    let (mut stays, mut others) = (Vec::new(), Vec::new());
    for watched in &watchlist.entries {
        match old.remove(&watched.hashtag) {
            Some(known) if is_watched_so(&known, watched) => stays.push((watched.hashtag.clone(), known)),
            known => others.push((watched, known)),
        }
    }
    (stays, others)
}

fn is_watched_so(known: &HashtagState, watched: &Watched) -> bool {
    known.group == watched.terms.group
        && known.max_age == watched.terms.max_age
        && known.regions.iter().map(|state| &state.region).eq(&watched.terms.regions)
}

/// An entry with what is known in the old one. Of what is new in it nothing is known.
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
