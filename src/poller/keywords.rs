//! What is known about each followed keyword, and the trials of their candidates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tiktok_api::{Hashtag, Region};
use units::Timestamp;

use super::hashtags::Hashtags;
use super::results::Refreshed;
use super::{Plan, Poller};
use crate::discovery::{Candidate, Candidates, Change, Followed, HashtagStatus, KeywordStats};
use crate::gateway::refresh::Collected;
use crate::model::Keyword;
use crate::schedule::Subject;
use crate::state::{KeywordRegion, KeywordState, Outcome, Refresh};
use crate::store::{Discovered, StoredKeyword};
use crate::watch::Watchlist;

/// What is known about each followed keyword.
pub(super) type Keywords = BTreeMap<Keyword, Arc<KeywordState>>;

/// The keywords of a plan. Known ones are taken from `old`, new ones from the store.
pub(super) fn new_keywords(plan: &Plan, old: &Keywords, remembered: &Discovered) -> Keywords {
    let entry = |followed: &Followed| {
        let old = old.get(&followed.keyword).map(Arc::as_ref);
        let mut state = new_entry(followed, old, remembered);
        state.candidates = chosen(followed, state.found.as_ref(), &plan.watchlist);
        (followed.keyword.clone(), Arc::new(state))
    };
    plan.following.iter().map(entry).collect()
}

fn new_entry(followed: &Followed, old: Option<&KeywordState>, remembered: &Discovered) -> KeywordState {
    let stored = || remembered.keywords.get(&followed.keyword).cloned().unwrap_or_default();
    let (found, last, last_success) = match old {
        Some(old) => (old.found.clone(), old.refresh.last, old.refresh.last_success),
        None => {
            let StoredKeyword { found, last, last_success } = stored();
            (found, last, last_success)
        }
    };
    let region_state = |region: &Region| {
        let old = old.and_then(|old| old.regions.iter().find(|state| state.region == *region));
        let stored = remembered.keyword_posts.get(&(followed.keyword.clone(), *region));
        let (sample, last, last_success) = match (old, stored) {
            (Some(old), _) => (old.sample.clone(), old.refresh.last, old.refresh.last_success),
            (None, Some(stored)) => (stored.sample.clone(), stored.last, stored.last_success),
            (None, None) => (None, None, None),
        };
        let refresh = Refresh { interval: followed.terms.posts_interval, last, last_success, next_due: None };
        KeywordRegion { region: *region, sample, refresh }
    };
    let regions = followed.terms.regions.iter().filter(|_| followed.follow_posts);
    KeywordState {
        keyword: followed.keyword.clone(),
        max_age: followed.terms.max_age,
        found,
        candidates: Vec::new(),
        refresh: Refresh { interval: followed.search_interval, last, last_success, next_due: None },
        regions: regions.map(region_state).collect(),
        trials: Vec::new(),
    }
}

fn chosen(followed: &Followed, found: Option<&Candidates>, listed: &Watchlist) -> Vec<Candidate> {
    found.map_or(Vec::new(), |found| followed.choose(found, |hashtag| listed.get(hashtag).is_some()))
}

/// The status of hashtags, for a review of the trials.
struct Status<'a> {
    listed: &'a Watchlist,
    hashtags: &'a Hashtags,
    busy: BTreeSet<&'a Hashtag>,
}

impl HashtagStatus for Status<'_> {
    fn is_listed(&self, hashtag: &Hashtag) -> bool {
        self.listed.get(hashtag).is_some()
    }

    fn is_gone(&self, hashtag: &Hashtag) -> bool {
        self.hashtags.get(hashtag).is_some_and(|known| known.found == Some(false))
    }

    fn is_busy(&self, hashtag: &Hashtag) -> bool {
        self.busy.contains(hashtag)
    }
}

impl Poller {
    /// Ends trials that are over and fills free places. If the watchlist changes, all refreshes are scheduled
    /// again.
    pub(super) async fn check_trials(&mut self) {
        let now = self.parts.clock.now();
        if self.review_trials(now).await {
            self.update_hashtags_or_log().await;
            self.replan(now).await;
        }
    }

    /// Reviews the trials and stores them if they changed. Returns whether they did.
    pub(super) async fn review_trials(&mut self, now: Timestamp) -> bool {
        let busy = self.running.values().filter_map(|running| match &running.job.subject {
            Subject::Hashtag(hashtag) => Some(hashtag),
            Subject::Keyword(_) => None,
        });
        let status = Status { listed: &self.plan.watchlist, hashtags: &self.hashtags, busy: busy.collect() };
        let candidates = |followed: &Followed| {
            let known = self.keywords.get(&followed.keyword);
            let current = known
                .filter(|known| known.found.as_ref().is_some_and(|found| known.is_current(found.at, now)));
            current.map_or(&[][..], |known| &known.candidates)
        };
        let changes = self.trials.review(&self.plan.following, candidates, now, &status);
        for change in &changes {
            match change {
                Change::Joined(keyword, hashtag) => {
                    tracing::info!(%keyword, %hashtag, "a candidate joins the watchlist on trial");
                }
                Change::Left(keyword, hashtag, reason) => {
                    tracing::info!(%keyword, %hashtag, "a trial has ended: {}", reason.as_str());
                }
            }
        }
        if !changes.is_empty() {
            self.save_trials().await;
        }
        !changes.is_empty()
    }

    pub(super) async fn save_trials(&self) {
        let trials = self.trials.clone();
        self.write(move |store| store.save_trials(&trials)).await;
    }

    /// Copies the trials into the state of their keywords.
    pub(super) fn show_trials(&mut self) {
        for followed in &self.plan.following {
            let Some(known) = self.keywords.get_mut(&followed.keyword) else { continue };
            let running = self.trials.of(&followed.keyword);
            let trials = running.map(|trial| (trial.clone(), trial.ends(followed.trial))).collect();
            if known.trials != trials {
                Arc::make_mut(known).trials = trials;
            }
        }
    }

    /// Enters the result of a search.
    pub(super) async fn enter_keyword(
        &mut self,
        keyword: &Keyword,
        region: Option<Region>,
        refreshed: Option<Refreshed>,
        outcome: Option<Outcome>,
        now: Timestamp,
    ) {
        let followed = self.plan.following.iter().find(|followed| followed.keyword == *keyword);
        let known = self.keywords.get_mut(keyword).map(Arc::make_mut);
        let (Some(followed), Some(known)) = (followed, known) else { return };
        match refreshed {
            Some(Refreshed::Search(Ok(searched))) => {
                let found = Candidates::update(known.found.as_ref(), searched.records, searched.at);
                known.candidates = chosen(followed, Some(&found), &self.plan.watchlist);
                known.found = Some(found);
            }
            Some(Refreshed::Posts(Ok(collected))) => enter_posts(known, region, &collected),
            _ => {}
        }
        let refresh = match region {
            None => Some(&mut known.refresh),
            Some(region) => {
                known.regions.iter_mut().find(|state| state.region == region).map(|state| &mut state.refresh)
            }
        };
        if let (Some(outcome), Some(refresh)) = (outcome, refresh) {
            refresh.ended(outcome, now);
        }
        let known = known.clone();
        self.write(move |store| match region {
            None => store.save_keyword(&known),
            Some(region) => match known.regions.iter().find(|state| state.region == region) {
                Some(state) => store.save_keyword_posts(&known.keyword, state),
                None => Ok(()),
            },
        })
        .await;
    }
}

/// Enters figures. As with hashtags, an incomplete sample does not replace a complete one that is still
/// current.
fn enter_posts(known: &mut KeywordState, region: Option<Region>, collected: &Collected) {
    let at = collected.at;
    let max_age = known.max_age;
    let Some(state) = known.regions.iter_mut().find(|state| Some(state.region) == region) else { return };
    let is_better =
        |(old, stats): &(Timestamp, KeywordStats)| !stats.saturated && at.saturating_since(*old) <= max_age;
    if collected.cut_short.is_none() || !state.sample.as_ref().is_some_and(is_better) {
        state.sample = Some((at, KeywordStats::new(&collected.sample, at)));
    }
}
