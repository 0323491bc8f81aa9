//! The loop: starts what is due, takes results in, remembers and publishes them.
//!
//! It owns the schedule and the book of what is known. Refreshes run beside it, a bounded number
//! at a time; everything else happens here, one thing after the other, so nothing is locked and no
//! result is lost between two configurations.

mod book;
mod intake;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinSet};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::budget::{Admission, Denial, Purpose};
use crate::clock::SharedClock;
use crate::config::duration;
use crate::exposition::Telemetry;
use crate::gateway::{Errand, Gateway};
use crate::ledger::Ledger;
use crate::model::{DAY, Growth, Hashtag, Timestamp};
use crate::pacing::{self, Pacing};
use crate::refresh::{self, Paging, Resolved};
use crate::schedule::{Job, Schedule};
use crate::state::{JobKind, Refresh, Snapshot, State};
use crate::store::{Remembered, Store, StoreError};
use crate::upstream::{Answer, Query};
use crate::watchlist::Watchlist;
use book::{Book, date_anew, last_answer, new_book, past};
use intake::Refreshed;

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

/// What was last known of a watchlist, out of the store.
pub fn last_known(watchlist: &Watchlist, remembered: &Remembered) -> Snapshot {
    Snapshot { hashtags: new_book(watchlist, &Book::new(), remembered).into_values().collect() }
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
    book: Book,
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
        let book = new_book(&plan.watchlist, &Book::new(), &remembered);
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
                    let mut errand = Errand::new(Purpose::Totals, Some(hashtag.clone()));
                    let known = resolved.as_ref();
                    let found = refresh::totals(&gateway, &hashtag, known, now, max_age, &mut errand).await;
                    Refreshed::Totals(found)
                })
            }
            Some(region) => {
                let Some(Resolved { id, .. }) = resolved else { return self.schedule.block(&job) };
                let paging = Paging { pages_max: watched.pages_max, page_size: self.plan.page_size };
                let max_age = fresh_enough(watched.posts_interval);
                let mut errand = Errand::new(Purpose::Posts, Some(job.hashtag.clone()));
                self.refreshes.spawn(async move {
                    let posts = refresh::posts(&gateway, &id, region, paging, max_age, &mut errand).await;
                    Refreshed::Posts(posts)
                })
            }
        };
        self.running.insert(handle.id(), job);
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

fn nap_until(at: Option<Timestamp>, now: Timestamp) -> Duration {
    at.map_or(NAP, |at| at.saturating_since(now)).min(NAP)
}

/// How old an answer may be that a person's look-up has already paid for, to count as a refresh.
fn fresh_enough(interval: Duration) -> Duration {
    interval / 4
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
