//! Results of refreshes: entered into the state, the store, the schedule and the snapshot.

use std::collections::HashMap;
use std::sync::Arc;

use tiktok_api::{Class, Error};
use tiktok_api::{Hashtag, Post, Region};
use tokio::task::{Id, JoinError};
use tokio::time::Instant;
use units::Timestamp;

use super::clock_step::ClockStep;
use super::hashtags::{past, refresh_of};
use super::{HOLD, Poller, Running, blocking};
use crate::discovery::Observation;
use crate::gateway::Failure;
use crate::gateway::refresh::{self, Collected, Found, Searched};
use crate::model::{Growth, RecentValues};
use crate::schedule::{Job, Subject};
use crate::state::{HashtagState, Outcome, Reading, Sampled};
use crate::store::{Store, StoreError};

/// The result of a refresh.
pub(super) enum Refreshed {
    Totals(Result<Found, Failure>),
    Posts(Result<Collected, Failure>),
    Search(Result<Searched, Failure>),
}

impl Refreshed {
    /// Why it is incomplete, if it is.
    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Totals(result) => result.as_ref().err(),
            Self::Posts(Ok(collected)) => collected.cut_short.as_ref(),
            Self::Posts(Err(failure)) => Some(failure),
            Self::Search(result) => result.as_ref().err(),
        }
    }

    /// Passes every timestamp to `visit`, which may change it.
    fn visit_timestamps(&mut self, visit: &mut dyn FnMut(&mut Timestamp)) {
        match self {
            Self::Totals(Ok(found)) => {
                visit(&mut found.at);
                visit(&mut found.resolved.at);
            }
            Self::Posts(Ok(collected)) => visit(&mut collected.at),
            Self::Search(Ok(searched)) => visit(&mut searched.at),
            Self::Totals(Err(_)) | Self::Posts(Err(_)) | Self::Search(Err(_)) => {}
        }
    }
}

impl Poller {
    /// Enters the result of a refresh into the state, the store, the schedule and the snapshot.
    pub(super) async fn handle_result(&mut self, done: Result<(Id, Refreshed), JoinError>) {
        // Nothing may be published by a clock that has stepped back.
        self.check_clock_step().await;
        let (id, mut refreshed) = match done {
            Ok((id, refreshed)) => (id, Some(refreshed)),
            Err(error) => {
                tracing::error!(%error, "a refresh panicked; please report this bug");
                (error.id(), None)
            }
        };
        let Some(Running { job, kind, clock_back }) = self.running.remove(&id) else { return };
        let now = self.parts.clock.now();
        if let Some(refreshed) = &mut refreshed {
            let step = ClockStep { now, back: clock_back };
            refreshed.visit_timestamps(&mut |at| step.shift(at));
        }
        let outcome = match refreshed.as_ref().map(Refreshed::failure) {
            Some(None) => Some(Outcome::Success),
            Some(Some(failure)) => judge(&job, failure),
            None => Some(Outcome::Failed),
        };
        if let Some(Failure::Denied(denial)) = refreshed.as_ref().and_then(Refreshed::failure) {
            let wait = denial.until().map_or(HOLD, |until| until.saturating_since(now));
            self.hold_until = Instant::now() + wait.min(HOLD);
            self.pacing.invalidate();
        }
        match outcome {
            Some(outcome) => {
                self.parts.telemetry.refreshed(kind, outcome);
                self.schedule.finished(&job, outcome, now);
            }
            None => {
                self.schedule.put_back(&job);
                // Pages that were paid for are entered nevertheless.
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

    /// Enters a result for a hashtag.
    async fn enter(
        &mut self,
        hashtag: &Hashtag,
        region: Option<Region>,
        refreshed: Option<Refreshed>,
        outcome: Option<Outcome>,
        now: Timestamp,
    ) {
        let Some(known) = self.hashtags.get_mut(hashtag).map(Arc::make_mut) else { return };
        let mut best = None;
        match refreshed {
            Some(Refreshed::Totals(Ok(found))) => {
                if let Some(posts) = found.record.totals.posts {
                    enter_growth(&mut self.growth, hashtag, posts, found.at);
                }
                let seen = Observation { at: found.at, posts: found.record.totals.posts, sample: None };
                self.trials.observe(hashtag, &seen);
                enter_totals(known, found);
            }
            Some(Refreshed::Posts(Ok(collected))) => {
                let at = collected.at;
                best = enter_sample(known, region, collected);
                let taken = sampled(known, region).filter(|sampled| sampled.at == at);
                if let Some(sample) = &taken.map(Sampled::stats) {
                    self.trials.observe(hashtag, &Observation { at, posts: None, sample: Some(sample) });
                }
            }
            // The id may belong to another hashtag now. The next refresh is by name, which costs the same.
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
            self.schedule.resolved(hashtag, resolved, past(&self.hashtags, &self.keywords), now);
        }
        self.save(hashtag, region, best).await;
        if self.trials.contains(hashtag) {
            self.show_trials();
            self.save_trials().await;
        }
    }

    /// Stores a result before it is published, together with the best posts of a new sample, which are only
    /// in the store.
    async fn save(&self, hashtag: &Hashtag, region: Option<Region>, best: Option<Vec<Post>>) {
        let Some(known) = self.hashtags.get(hashtag).cloned() else { return };
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

    /// Writes to the store, and logs a failure.
    pub(super) async fn write(&self, write: impl FnOnce(&Store) -> Result<(), StoreError> + Send + 'static) {
        let store = self.parts.store.clone();
        let (simulated, now) = (self.parts.state.api().is_simulated(), self.parts.clock.now());
        let written = blocking(move || {
            // Marked first, so that a simulated result is never taken for a real one.
            if simulated {
                store.note_simulated(now)?;
            }
            write(&store)
        })
        .await;
        if let Err(error) = written {
            self.parts.telemetry.store_failed();
            tracing::error!(%error, "cannot store a result: it is shown, but requested again after a restart");
        }
    }
}

/// The outcome of a failed refresh. `None` if the failure has nothing to do with the job, which then stays
/// due: no request was sent, or the API rejects the account.
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
            tracing::warn!(hashtag, keyword, region, "the API does not know it: it is retried rarely");
            Some(Outcome::NotFound)
        }
        failure => {
            tracing::warn!(hashtag, keyword, region, error = %failure, "refresh failed: the last value stays");
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

/// Enters a sample. One that was cut short does not replace a complete one that is still current. Returns the
/// best posts if the sample was entered.
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
