//! Taking results in: into the book, the store, the schedule and the snapshot.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tiktok_api::{Class, Error};
use tiktok_api::{Hashtag, Post, Region};
use tokio::task::{Id, JoinError};
use units::Timestamp;

use super::book::{move_back, past, refresh_of};
use super::{HOLD, Poller, Running, blocking};
use crate::discovery::Look;
use crate::gateway::Failure;
use crate::gateway::refresh::{self, Collected, Found, Searched};
use crate::model::{Growth, RecentValues};
use crate::schedule::{Job, Subject};
use crate::state::{HashtagState, Outcome, Reading, Sampled};
use crate::store::{Store, StoreError};

/// What a refresh brought.
pub(super) enum Refreshed {
    Totals(Result<Found, Failure>),
    Posts(Result<Collected, Failure>),
    Search(Result<Searched, Failure>),
}

impl Refreshed {
    /// Why it did not bring all that it should have.
    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Totals(result) => result.as_ref().err(),
            Self::Posts(Ok(collected)) => collected.cut_short.as_ref(),
            Self::Posts(Err(failure)) => Some(failure),
            Self::Search(result) => result.as_ref().err(),
        }
    }

    /// Moves what lies after `now` back in time by `back`.
    fn date_anew(&mut self, now: Timestamp, back: Duration) {
        match self {
            Self::Totals(Ok(found)) => {
                move_back(&mut found.at, now, back);
                move_back(&mut found.resolved.at, now, back);
            }
            Self::Posts(Ok(collected)) => move_back(&mut collected.at, now, back),
            Self::Search(Ok(searched)) => move_back(&mut searched.at, now, back),
            Self::Totals(Err(_)) | Self::Posts(Err(_)) | Self::Search(Err(_)) => {}
        }
    }
}

impl Poller {
    /// Takes the end of a refresh in: into the book, the store, the schedule and the snapshot.
    pub(super) async fn take_in(&mut self, done: Result<(Id, Refreshed), JoinError>) {
        // Before anything is published by a clock that has gone back.
        self.mind_the_clock().await;
        let (id, mut refreshed) = match done {
            Ok((id, refreshed)) => (id, Some(refreshed)),
            Err(error) => {
                tracing::error!(%error, "a refresh ended in a panic; please report this");
                (error.id(), None)
            }
        };
        let Some(Running { job, kind, back }) = self.running.remove(&id) else { return };
        let now = self.parts.clock.now();
        if let Some(refreshed) = &mut refreshed {
            refreshed.date_anew(now, back);
        }
        let outcome = match refreshed.as_ref().map(Refreshed::failure) {
            Some(None) => Some(Outcome::Success),
            Some(Some(failure)) => judge(&job, failure),
            None => Some(Outcome::Failed),
        };
        if let Some(Failure::Denied(denial)) = refreshed.as_ref().and_then(Refreshed::failure) {
            self.hold = denial.until().unwrap_or(now + HOLD).min(now + HOLD);
            self.pacing.invalidate();
        }
        match outcome {
            Some(outcome) => {
                self.parts.telemetry.refreshed(kind, outcome);
                self.schedule.finished(&job, outcome, now);
            }
            None => {
                self.schedule.put_back(&job);
                // Pages that were paid for are taken in all the same.
                if !matches!(refreshed, Some(Refreshed::Posts(Ok(_)))) {
                    return;
                }
            }
        }
        match &job.subject {
            Subject::Hashtag(hashtag) => self.enter(hashtag, job.region, refreshed, outcome, now).await,
            Subject::Keyword(keyword) => {
                self.enter_keyword(keyword, job.region, refreshed, outcome, now).await;
            }
        }
        self.show_times(&job.subject);
        self.publish();
    }

    /// Enters what a refresh brought about a hashtag.
    async fn enter(
        &mut self,
        hashtag: &Hashtag,
        region: Option<Region>,
        refreshed: Option<Refreshed>,
        outcome: Option<Outcome>,
        now: Timestamp,
    ) {
        let Some(known) = self.book.get_mut(hashtag).map(Arc::make_mut) else { return };
        let mut best = None;
        match refreshed {
            Some(Refreshed::Totals(Ok(found))) => {
                if let Some(posts) = found.record.totals.posts {
                    enter_growth(&mut self.growth, hashtag, posts, found.at);
                }
                self.trials
                    .look(hashtag, &Look { at: found.at, posts: found.record.totals.posts, sample: None });
                enter_totals(known, found);
            }
            Some(Refreshed::Posts(Ok(collected))) => {
                let at = collected.at;
                best = enter_sample(known, region, collected);
                let taken = sampled(known, region).filter(|sampled| sampled.at == at);
                if let Some(sample) = &taken.map(Sampled::stats) {
                    self.trials.look(hashtag, &Look { at, posts: None, sample: Some(sample) });
                }
            }
            // The id may be another hashtag's by now: the next look is by name, which costs the same.
            Some(Refreshed::Totals(Err(Failure::Upstream(Error { class: Class::Malformed, .. })))) => {
                known.resolved_at = None;
            }
            _ => {}
        }
        if let (Some(outcome), Some(refresh)) = (outcome, refresh_of(known, region)) {
            refresh.ended(outcome, now);
        }
        if region.is_none()
            && let Some(outcome @ (Outcome::Success | Outcome::NotFound)) = outcome
        {
            let resolved = outcome == Outcome::Success;
            known.found = Some(resolved);
            self.schedule.resolved(hashtag, resolved, past(&self.book, &self.keywords), now);
        }
        self.remember(hashtag, region, best).await;
        if self.trials.contains(hashtag) {
            self.show_trials();
            self.remember_trials().await;
        }
    }

    /// Makes the result durable before it is shown, and with it the best posts of a new sample, which
    /// only the store keeps.
    async fn remember(&self, hashtag: &Hashtag, region: Option<Region>, best: Option<Vec<Post>>) {
        let Some(known) = self.book.get(hashtag).cloned() else { return };
        let growth = self.growth.get(hashtag).copied();
        self.write(move |store| match region {
            None => {
                store.save_hashtag(&known)?;
                growth.map_or(Ok(()), |growth| store.save_growth(&known.hashtag, &growth))
            }
            Some(region) => match known.regions.iter().find(|state| state.region == region) {
                Some(state) => store.save_sample(&known.hashtag, state, best.as_deref()),
                None => Ok(()),
            },
        })
        .await;
    }

    /// Writes into the store, and says so if that cannot be done.
    pub(super) async fn write(&self, write: impl FnOnce(&Store) -> Result<(), StoreError> + Send + 'static) {
        let store = self.parts.store.clone();
        let (simulated, now) = (self.parts.state.api().is_simulated(), self.parts.clock.now());
        let written = blocking(move || {
            // First, so that no such result is ever taken for a real one.
            if simulated {
                store.note_simulated(now)?;
            }
            write(&store)
        })
        .await;
        if let Err(error) = written {
            self.parts.telemetry.store_failed();
            tracing::error!(%error, "a result could not be remembered; it is shown, but a restart will ask for it again");
        }
    }
}

/// What a failure makes of a refresh; `None` if it says nothing about the hashtag, which then stays
/// due: nothing was asked, or the account was refused whatever was asked.
fn judge(job: &Job, failure: &Failure) -> Option<Outcome> {
    let region = job.region.map(|region| region.to_string());
    let (hashtag, keyword) = match &job.subject {
        Subject::Hashtag(hashtag) => (Some(hashtag.as_str()), None),
        Subject::Keyword(keyword) => (None, Some(keyword.as_str())),
    };
    match failure {
        Failure::Stopped(_) | Failure::Denied(_) | Failure::Retired | Failure::ShuttingDown => None,
        Failure::Upstream(error) if matches!(error.class, Class::Auth | Class::CreditsExhausted) => None,
        failure if refresh::is_not_found(failure) => {
            tracing::warn!(hashtag, keyword, region, "the upstream does not know it; asked again rarely");
            Some(Outcome::NotFound)
        }
        failure => {
            tracing::warn!(hashtag, keyword, region, error = %failure, "refresh failed; the last good value stays");
            Some(Outcome::Failed)
        }
    }
}

fn enter_totals(known: &mut HashtagState, found: Found) {
    let read = |old: Option<Reading>, value: Option<u64>| match value {
        None => old,
        Some(value) => {
            let mut recent = old.map_or_else(RecentValues::default, |reading| reading.recent);
            recent.push(value);
            Some(Reading { at: found.at, recent })
        }
    };
    known.posts = read(known.posts.take(), found.record.totals.posts);
    known.views = read(known.views.take(), found.record.totals.views);
    known.commerce = found.record.flags.commerce.or(known.commerce);
    known.resolved_at = Some(found.resolved.at);
    known.id = Some(found.resolved.id);
}

fn enter_growth(growth: &mut HashMap<Hashtag, Growth>, hashtag: &Hashtag, posts: u64, at: Timestamp) {
    match growth.get_mut(hashtag) {
        Some(known) => _ = known.push(posts, at),
        None => _ = growth.insert(hashtag.clone(), Growth::new(posts, at)),
    }
}

fn sampled(known: &HashtagState, region: Option<Region>) -> Option<&Sampled> {
    known.regions.iter().find(|state| Some(state.region) == region)?.sample.as_ref()
}

/// A sample that was cut short is entered only where nothing better is shown. Returns the best posts of
/// the one that was entered.
fn enter_sample(known: &mut HashtagState, region: Option<Region>, collected: Collected) -> Option<Vec<Post>> {
    let Collected { at, sample, cut_short } = collected;
    let index = known.regions.iter().position(|state| Some(state.region) == region)?;
    let is_better = |old: &Sampled| !old.stats().saturated && known.is_current(old.at, at);
    let old = known.regions[index].sample.as_ref();
    if cut_short.is_some() && old.is_some_and(is_better) {
        return None;
    }
    let state = &mut known.regions[index];
    state.sample = Some(Sampled::new(at, &sample.stats(state.region, at)));
    Some(sample.best(at))
}
