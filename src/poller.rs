//! The loop: starts what is due, takes results in, remembers and publishes them.
//!
//! It owns the schedule and the book of what is known. Refreshes run beside it, a bounded number
//! at a time; everything else happens here, one thing after the other, so nothing is locked and no
//! result is lost between two configurations.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::budget::{Admission, Denial};
use crate::clock::SharedClock;
use crate::config::duration;
use crate::exposition::Telemetry;
use crate::gateway::{Failure, Gateway};
use crate::ledger::Ledger;
use crate::model::{
    ChallengeId, DAY, Growth, Hashtag, HashtagRecord, RecentValues, Region, Timestamp, Totals,
};
use crate::pacing::{self, Pacing};
use crate::refresh::{self, Collected, Found, Paging, Resolved};
use crate::schedule::{Job, Past, Schedule};
use crate::state::{HashtagState, JobKind, Outcome, Reading, Refresh, RegionState, Sampled, Snapshot, State};
use crate::store::{Remembered, Store, StoreError};
use crate::upstream::{Answer, Class, Error, Query};
use crate::watchlist::{Watched, Watchlist};

/// How long requests in flight may take after the program was told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// The longest sleep, so that a wall clock that jumps is noticed.
const NAP: Duration = Duration::from_secs(30);
/// Results that nobody asked for in this long are forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(60 * DAY.as_secs());

/// What to watch, and how. Replaced as a whole by a reload.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What to watch.
    pub watchlist: Watchlist,
    /// Refreshes in flight at the most.
    pub concurrency: usize,
    /// Posts per page, 1 to 35.
    pub page_size: u32,
    /// How rarely an unknown hashtag is asked for again.
    pub not_found_retry: Duration,
    /// No hashtag is left longer than this while few looks are shared out by chance.
    pub longest_interval: Duration,
}

/// A new plan for a running poller; the sender is told once it is in force.
pub struct Reload {
    /// The plan.
    pub plan: Plan,
    /// The road to the upstream, if it changed.
    pub gateway: Option<Arc<Gateway>>,
    /// Told when the plan is in force.
    pub done: oneshot::Sender<()>,
}

/// The parts a poller works with.
#[derive(Clone)]
pub struct Parts {
    /// The road to the upstream.
    pub gateway: Arc<Gateway>,
    /// What may be spent.
    pub ledger: Arc<Ledger>,
    /// Where results are remembered.
    pub store: Arc<Store>,
    /// Where results are published.
    pub state: State,
    /// What is counted.
    pub telemetry: Arc<Telemetry>,
    /// The time.
    pub clock: SharedClock,
}

/// The loop and what it knows.
pub struct Poller {
    parts: Parts,
    plan: Plan,
    schedule: Schedule,
    book: BTreeMap<Hashtag, Arc<HashtagState>>,
    refreshes: JoinSet<Refreshed>,
    running: HashMap<Id, Job>,
    /// How counts of posts grow; what is no longer watched stays until the next start.
    growth: HashMap<Hashtag, Growth>,
    /// The loop's share of the budget.
    pacing: Pacing,
    /// Whether requests were stopped when last looked, so that the end of it is noticed.
    stopped: bool,
    /// Why the budget stopped them when last looked, so that it is logged once.
    denied: Option<&'static str>,
    /// Nothing is started before this: a request was just denied.
    hold: Timestamp,
    /// The latest time that the clock showed since it last went back.
    latest: Timestamp,
}

/// What a refresh brought.
enum Refreshed {
    Totals(Result<Found, Failure>),
    Posts(Result<Collected, Failure>),
}

impl Refreshed {
    /// Why it did not bring all that it should have.
    fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Totals(result) => result.as_ref().err(),
            Self::Posts(Ok(collected)) => collected.cut_short.as_ref(),
            Self::Posts(Err(failure)) => Some(failure),
        }
    }
}

impl Poller {
    /// Takes up what the store remembers and publishes it. Nothing is asked for yet.
    pub async fn new(parts: Parts, plan: Plan) -> Result<Self, StoreError> {
        let now = parts.clock.now();
        let store = parts.store.clone();
        let remembered = blocking(move || {
            match store.forget_before(now - FORGET_AFTER) {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "forgot results that nobody asked for in 60 days"),
                // What cannot be written can still be shown.
                Err(error) => tracing::warn!(%error, "old results could not be forgotten"),
            }
            store.load()
        })
        .await?;
        report_unreadable(&remembered);
        let book = new_book(&plan.watchlist, &BTreeMap::new(), &remembered);
        let schedule = Schedule::new(&plan.watchlist, plan.not_found_retry, past(&book), now);
        parts.gateway.take_over(None);
        let mut poller = Self {
            pacing: Pacing::new(parts.ledger.clone()),
            growth: remembered.growth,
            hold: Timestamp::default(),
            latest: now,
            parts,
            plan,
            schedule,
            book,
            refreshes: JoinSet::new(),
            running: HashMap::new(),
            stopped: false,
            denied: None,
        };
        poller.publish_all();
        poller.warm_cache().await;
        Ok(poller)
    }

    /// Puts the last totals into the gateway's cache, by name and by id. Samples of posts are stored
    /// as figures, which no page of posts can be made of.
    async fn warm_cache(&self) {
        for known in self.book.values() {
            let Some((id, at, record)) = last_answer(known) else { continue };
            for query in [Query::HashtagById(id), Query::HashtagByName(known.hashtag.clone())] {
                self.parts.gateway.remember(query, at, Answer::Hashtag(record.clone())).await;
            }
        }
    }

    /// Polls until `stopping`, then waits up to ten seconds for what is in flight.
    pub async fn run(mut self, mut reloads: mpsc::Receiver<Reload>, stopping: CancellationToken) {
        loop {
            self.mind_the_clock().await;
            self.mind_the_budget().await;
            let wait = self.start_due();
            tokio::select! {
                () = stopping.cancelled() => break,
                Some(reload) = reloads.recv() => self.reload(reload).await,
                Some(done) = self.refreshes.join_next_with_id() => self.take_in(done).await,
                () = sleep(wait) => {}
            }
        }
        if !self.refreshes.is_empty() {
            tracing::info!(in_flight = self.refreshes.len(), "waiting for requests in flight");
        }
        let drained = timeout(DRAIN, async {
            while let Some(done) = self.refreshes.join_next_with_id().await {
                self.take_in(done).await;
            }
        });
        if drained.await.is_err() {
            tracing::warn!(abandoned = self.refreshes.len(), "requests in flight did not end in time");
        }
    }

    /// Notices that the wall clock went back by more than a minute, which would put off whatever is due
    /// by as much. The program knows how old its results are all the same: what is dated after the new
    /// time keeps its age, and everything is planned anew. What lies before it stays as it is, for it
    /// was the time in between that was wrong.
    async fn mind_the_clock(&mut self) {
        let now = self.parts.clock.now();
        if !self.latest.is_ahead_of(now) {
            self.latest = self.latest.max(now);
            return;
        }
        let back = self.latest.saturating_since(now);
        tracing::warn!("the clock went back by {}: refreshes are planned anew", duration::show(back));
        self.latest = now;
        for known in self.book.values_mut() {
            date_anew(Arc::make_mut(known), now, back);
        }
        self.plan_anew(now).await;
    }

    /// Measures what is left against what is needed, and stretches intervals by it.
    async fn mind_the_budget(&mut self) {
        let now = self.parts.clock.now();
        let is_stale = self.pacing.is_stale(now);
        if is_stale || self.pacing.denial(now).is_some() {
            // Somebody may have counted the balance anew, or mended what stopped spending.
            self.parts.ledger.look(now).await;
        }
        if !is_stale {
            return;
        }
        let need = pacing::need(&self.plan.watchlist, &self.book, self.plan.not_found_retry);
        let changed = self.pacing.measure(need, now);
        let longest = self.plan.longest_interval;
        let weighed = self.pacing.weigh(&self.plan.watchlist, &self.growth, longest, now);
        if changed || weighed {
            let pacing = &self.pacing;
            self.schedule.change(|job| pacing.rhythm(job), now);
            self.publish_all();
        }
        self.parts.telemetry.pace_is(self.pacing.pace());
    }

    /// Logs that spending has stopped, or goes on.
    fn report(&mut self, denial: Option<Denial>) {
        let reason = denial.as_ref().map(Denial::reason);
        if reason == self.denied {
            return;
        }
        match denial {
            Some(denial) => {
                tracing::error!(reason, "no credits are spent, last values are still shown: {denial}");
            }
            None => tracing::info!("credits are spent again"),
        }
        self.denied = reason;
    }

    /// Starts what is due and may run; returns how long there is nothing to start.
    fn start_due(&mut self) -> Duration {
        let now = self.parts.clock.now();
        let admission = self.parts.gateway.admission();
        let denial = self.pacing.denial(now);
        let denied = denial.is_some();
        self.report(denial);
        if self.stopped && admission == Admission::All && !denied {
            self.schedule.catch_up(now);
            self.publish_all();
        }
        self.stopped = admission != Admission::All || denied;
        // A clock that went back must not make the hold longer.
        if self.hold > now && self.hold <= now + NAP {
            return self.hold.saturating_since(now);
        }
        let room = match admission {
            Admission::All => self.plan.concurrency.saturating_sub(self.running.len()),
            Admission::Trial(_) => usize::from(self.running.is_empty()),
            Admission::Nothing(_, opens) => return nap_until(opens, now),
        };
        for started in 0..=room {
            if started == room {
                // Full: the next refresh that ends makes room.
                return NAP;
            }
            let opens = JobKind::ALL.map(|kind| self.pacing.opens(kind, now));
            let Some(job) = self.schedule.start_next(now, |kind| opens[kind as usize].is_none()) else {
                break;
            };
            self.start(job, now);
        }
        let wakes = JobKind::ALL.into_iter().filter_map(|kind| {
            let due = self.schedule.next_wake(kind)?;
            Some(self.pacing.opens(kind, now).map_or(due, |opens| due.max(opens)))
        });
        nap_until(wakes.min(), now)
    }

    fn start(&mut self, job: Job, now: Timestamp) {
        let Some(known) = self.book.get(&job.hashtag) else { return };
        let Some(watched) = self.plan.watchlist.get(&job.hashtag) else { return };
        self.pacing.started(job.kind(), pacing::cost(&job, watched, Some(known)), now);
        let resolved = known.id.clone().map(|id| Resolved { id, at: known.resolved_at.unwrap_or_default() });
        let gateway = self.parts.gateway.clone();
        let handle = match job.region {
            None => {
                let hashtag = job.hashtag.clone();
                let max_age = fresh_enough(watched.totals_interval);
                // An id that led nowhere may have a successor, which only the name leads to.
                let resolved = resolved.filter(|_| known.found != Some(false));
                self.refreshes.spawn(async move {
                    let found = refresh::totals(&gateway, &hashtag, resolved.as_ref(), now, max_age).await;
                    Refreshed::Totals(found)
                })
            }
            Some(region) => {
                let Some(Resolved { id, .. }) = resolved else { return self.schedule.block(&job) };
                let paging = Paging { pages_max: watched.pages_max, page_size: self.plan.page_size };
                let max_age = fresh_enough(watched.posts_interval);
                let hashtag = job.hashtag.clone();
                self.refreshes.spawn(async move {
                    Refreshed::Posts(refresh::posts(&gateway, &hashtag, &id, region, paging, max_age).await)
                })
            }
        };
        self.running.insert(handle.id(), job);
    }

    /// Takes the end of a refresh in: into the book, the store, the schedule and the snapshot.
    async fn take_in(&mut self, done: Result<(Id, Refreshed), JoinError>) {
        let (id, refreshed) = match done {
            Ok((id, refreshed)) => (id, Some(refreshed)),
            Err(error) => {
                tracing::error!(%error, "a refresh ended in a panic; please report this");
                (error.id(), None)
            }
        };
        let Some(job) = self.running.remove(&id) else { return };
        let now = self.parts.clock.now();
        self.latest = self.latest.max(now);
        let outcome = match refreshed.as_ref().map(Refreshed::failure) {
            Some(None) => Some(Outcome::Success),
            Some(Some(failure)) => judge(&job, failure),
            None => Some(Outcome::Failed),
        };
        if let Some(Failure::Denied(denial)) = refreshed.as_ref().and_then(Refreshed::failure) {
            self.hold = denial.until().unwrap_or(now + NAP).min(now + NAP);
            self.pacing.invalidate();
        }
        match outcome {
            Some(outcome) => {
                self.parts.telemetry.refreshed(job.kind(), outcome);
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
        let Some(known) = self.book.get_mut(&job.hashtag) else { return };
        let known = Arc::make_mut(known);
        match refreshed {
            Some(Refreshed::Totals(Ok(found))) => {
                if let Some(posts) = found.record.totals.posts {
                    enter_growth(&mut self.growth, &job.hashtag, posts, found.at);
                }
                enter_totals(known, found);
            }
            Some(Refreshed::Posts(Ok(collected))) => enter_sample(known, job.region, collected),
            // The id may be another hashtag's by now: the next look is by name, which costs the same.
            Some(Refreshed::Totals(Err(Failure::Upstream(Error { class: Class::Malformed, .. })))) => {
                known.resolved_at = None;
            }
            _ => {}
        }
        if let (Some(outcome), Some(refresh)) = (outcome, refresh_of(known, &job)) {
            refresh.last = Some((now, outcome));
            refresh.last_success = if outcome == Outcome::Success { Some(now) } else { refresh.last_success };
        }
        if job.region.is_none()
            && let Some(outcome @ (Outcome::Success | Outcome::NotFound)) = outcome
        {
            let resolved = outcome == Outcome::Success;
            known.found = Some(resolved);
            self.schedule.resolved(&job.hashtag, resolved, past(&self.book), now);
        }
        self.remember(&job).await;
        self.show_times(&job.hashtag);
        self.publish();
    }

    /// Makes the result durable before it is shown.
    async fn remember(&self, job: &Job) {
        let Some(known) = self.book.get(&job.hashtag).cloned() else { return };
        let (store, region) = (self.parts.store.clone(), job.region);
        let growth = self.growth.get(&job.hashtag).copied();
        let (simulated, now) = (self.parts.telemetry.is_simulated(), self.parts.clock.now());
        let saved = blocking(move || {
            // First, so that no such result is ever taken for a real one.
            if simulated {
                store.note_simulated(now)?;
            }
            match region {
                None => {
                    store.save_hashtag(&known)?;
                    growth.map_or(Ok(()), |growth| store.save_growth(&known.hashtag, &growth))
                }
                Some(region) => match known.regions.iter().find(|state| state.region == region) {
                    Some(state) => store.save_sample(&known.hashtag, state),
                    None => Ok(()),
                },
            }
        })
        .await;
        if let Err(error) = saved {
            self.parts.telemetry.store_failed();
            tracing::error!(%error, "a result could not be remembered; it is shown, but a restart will ask for it again");
        }
    }

    async fn reload(&mut self, reload: Reload) {
        let store = self.parts.store.clone();
        let remembered = blocking(move || store.load()).await.unwrap_or_else(|error| {
            self.parts.telemetry.store_failed();
            tracing::error!(%error, "cannot read the store; new hashtags are asked for even if they are in it");
            Remembered::default()
        });
        let now = self.parts.clock.now();
        self.plan = reload.plan;
        if let Some(gateway) = reload.gateway {
            gateway.take_over(Some(&self.parts.gateway));
            self.parts.gateway = gateway;
            self.warm_cache().await;
        }
        self.book = new_book(&self.plan.watchlist, &self.book, &remembered);
        self.parts.ledger.look(now).await;
        self.plan_anew(now).await;
        // The asker may have gone; the plan is in force all the same.
        let _ = reload.done.send(());
    }

    /// Makes a new schedule out of the watchlist and the book.
    async fn plan_anew(&mut self, now: Timestamp) {
        self.schedule = Schedule::taking_over(
            self.running.values(),
            &self.plan.watchlist,
            self.plan.not_found_retry,
            past(&self.book),
            now,
        );
        // The new schedule is not stretched yet.
        self.pacing = Pacing::new(self.parts.ledger.clone());
        self.mind_the_budget().await;
        self.publish_all();
    }

    /// Copies the rhythm and the due times of a hashtag's jobs from the schedule into the book.
    fn show_times(&mut self, hashtag: &Hashtag) {
        let Some(known) = self.book.get_mut(hashtag) else { return };
        let known = Arc::make_mut(known);
        let copy = |region, refresh: &mut Refresh| {
            let job = Job { hashtag: hashtag.clone(), region };
            refresh.next_due = self.schedule.due(&job);
            refresh.interval = self.schedule.interval(&job).unwrap_or(refresh.interval);
        };
        copy(None, &mut known.refresh);
        for region in &mut known.regions {
            copy(Some(region.region), &mut region.refresh);
        }
    }

    fn publish_all(&mut self) {
        let hashtags: Vec<Hashtag> = self.book.keys().cloned().collect();
        hashtags.iter().for_each(|hashtag| self.show_times(hashtag));
        self.publish();
    }

    fn publish(&self) {
        self.parts.state.publish(Snapshot { hashtags: self.book.values().cloned().collect() });
    }
}

/// What a failure makes of a refresh; `None` if it says nothing about the hashtag, which then stays
/// due: nothing was asked, or the account was refused whatever was asked.
fn judge(job: &Job, failure: &Failure) -> Option<Outcome> {
    let region = job.region.map(|region| region.to_string());
    match failure {
        Failure::Stopped(_) | Failure::Denied(_) | Failure::Retired | Failure::ShuttingDown => None,
        Failure::Upstream(error) if matches!(error.class, Class::Auth | Class::CreditsExhausted) => None,
        failure if refresh::is_not_found(failure) => {
            tracing::warn!(hashtag = %job.hashtag, region, "the upstream does not know it; asked again rarely");
            Some(Outcome::NotFound)
        }
        failure => {
            tracing::warn!(hashtag = %job.hashtag, region, error = %failure, "refresh failed; the last good value stays");
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
    known.commerce = found.record.commerce.or(known.commerce);
    known.resolved_at = Some(found.resolved.at);
    known.id = Some(found.resolved.id);
}

fn enter_growth(growth: &mut HashMap<Hashtag, Growth>, hashtag: &Hashtag, posts: u64, at: Timestamp) {
    match growth.get_mut(hashtag) {
        Some(known) => _ = known.push(posts, at),
        None => _ = growth.insert(hashtag.clone(), Growth::new(posts, at)),
    }
}

/// A sample that was cut short is entered only where nothing better is shown.
fn enter_sample(known: &mut HashtagState, region: Option<Region>, collected: Collected) {
    let Collected { at, sample, cut_short } = collected;
    let Some(index) = known.regions.iter().position(|state| Some(state.region) == region) else { return };
    let is_better = |old: &Sampled| !old.stats.saturated && known.is_current(old.at, at);
    let old = known.regions[index].sample.as_ref();
    if cut_short.is_none() || !old.is_some_and(is_better) {
        let state = &mut known.regions[index];
        state.sample = Some(Sampled { at, stats: sample.stats(state.region, at) });
    }
}

/// The last answer about a hashtag's totals and when it was given, if both counts came with it.
fn last_answer(known: &HashtagState) -> Option<(ChallengeId, Timestamp, HashtagRecord)> {
    let (posts, views) = (known.posts.as_ref()?, known.views.as_ref()?);
    let id = known.id.clone()?;
    let record = HashtagRecord {
        id: id.clone(),
        hashtag: known.hashtag.clone(),
        totals: Totals { posts: Some(posts.value()), views: Some(views.value()) },
        commerce: known.commerce,
    };
    (posts.at == views.at).then_some((id, posts.at, record))
}

/// Moves what lies after `now` back in time by `back`.
fn date_anew(known: &mut HashtagState, now: Timestamp, back: Duration) {
    let refresh = |refresh: &mut Refresh| {
        let last = refresh.last.as_mut().map(|(at, _)| at);
        last.into_iter().chain(&mut refresh.last_success).for_each(|at| move_back(at, now, back));
    };
    let readings = [&mut known.posts, &mut known.views].into_iter().flatten().map(|reading| &mut reading.at);
    readings.chain(&mut known.resolved_at).for_each(|at| move_back(at, now, back));
    refresh(&mut known.refresh);
    for region in &mut known.regions {
        refresh(&mut region.refresh);
        region.sample.iter_mut().for_each(|sample| move_back(&mut sample.at, now, back));
    }
}

fn move_back(at: &mut Timestamp, now: Timestamp, back: Duration) {
    if *at > now {
        *at = *at - back;
    }
}

fn refresh_of<'a>(known: &'a mut HashtagState, job: &Job) -> Option<&'a mut Refresh> {
    match job.region {
        None => Some(&mut known.refresh),
        Some(region) => {
            known.regions.iter_mut().find(|state| state.region == region).map(|state| &mut state.refresh)
        }
    }
}

fn nap_until(at: Option<Timestamp>, now: Timestamp) -> Duration {
    at.map_or(NAP, |at| at.saturating_since(now)).min(NAP)
}

/// How old an answer may be that a person's look-up has already paid for, to count as a refresh.
fn fresh_enough(interval: Duration) -> Duration {
    interval / 4
}

/// What the schedule needs to know of each job, out of the book.
fn past(book: &BTreeMap<Hashtag, Arc<HashtagState>>) -> impl Fn(&Job) -> Past {
    |job| {
        let Some(known) = book.get(&job.hashtag) else { return Past::default() };
        let last = match job.region {
            None => known.refresh.last,
            Some(region) => {
                known.regions.iter().find(|state| state.region == region).and_then(|state| state.refresh.last)
            }
        };
        let is_gone = known.found == Some(false);
        Past { last, resolved: known.id.is_some() && !is_gone, absent: is_gone && job.region.is_none() }
    }
}

/// The book for a watchlist: entries that stay are taken from the old book, others from the store.
fn new_book(
    watchlist: &Watchlist,
    old: &BTreeMap<Hashtag, Arc<HashtagState>>,
    remembered: &Remembered,
) -> BTreeMap<Hashtag, Arc<HashtagState>> {
    let entry = |watched: &Watched| {
        let old = old.get(&watched.hashtag).map(Arc::as_ref);
        (watched.hashtag.clone(), Arc::new(new_entry(watched, old, remembered)))
    };
    watchlist.entries.iter().map(entry).collect()
}

fn new_entry(watched: &Watched, old: Option<&HashtagState>, remembered: &Remembered) -> HashtagState {
    let region_state = |region: &Region| {
        let old = old.and_then(|old| old.regions.iter().find(|state| state.region == *region));
        let stored = remembered.samples.get(&(watched.hashtag.clone(), *region));
        let (sample, last, last_success) = match (old, stored) {
            (Some(old), _) => (old.sample.clone(), old.refresh.last, old.refresh.last_success),
            (None, Some(stored)) => (stored.sample.clone(), stored.last, stored.last_success),
            (None, None) => (None, None, None),
        };
        let refresh = Refresh { interval: watched.posts_interval, last, last_success, next_due: None };
        RegionState { region: *region, sample, refresh }
    };
    let mut entry = match (old, remembered.hashtags.get(&watched.hashtag)) {
        (Some(old), _) => old.clone(),
        (None, stored) => {
            let stored = stored.cloned().unwrap_or_default();
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

fn report_unreadable(remembered: &Remembered) {
    if remembered.unreadable > 0 {
        tracing::warn!(rows = remembered.unreadable, "rows of the store could not be read and are ignored");
    }
}

/// Runs a blocking call of the store away from the async workers.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(call).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
