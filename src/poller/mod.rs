//! The loop: starts what is due, takes results in, remembers and publishes them.
//!
//! It owns the schedule and the book of what is known. Refreshes run beside it, a bounded number
//! at a time; everything else happens here, one thing after the other, so nothing is locked and no
//! result is lost between two configurations.

mod book;
mod intake;
mod keywords;
mod start;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tiktok_api::Hashtag;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use units::{DAY, SharedClock, Timestamp, duration};

use crate::config::Config;
use crate::credits::cost;
use crate::credits::{Denial, Ledger, Pacing};
use crate::discovery::{Followed, Trials};
use crate::gateway::Admission;
use crate::gateway::Gateway;
use crate::model::Growth;
use crate::schedule::{Job, Schedule, Subject, jobs};
use crate::state::{HashtagState, JobKind, Refresh, Snapshot, State};
use crate::store::{Discovered, Store, StoreError, StoreReader};
use crate::telemetry::Telemetry;
use crate::watch::Watchlist;
use book::{Book, date_anew, new_entry, past, sorted_out};
use intake::Refreshed;
use keywords::{Keywords, new_keywords};

/// How long requests in flight may take after the program was told to stop.
const DRAIN: Duration = Duration::from_secs(10);
/// The longest sleep, so that a wall clock that jumps is noticed.
const NAP: Duration = Duration::from_secs(30);
/// How long nothing is started after a request was denied: no interval is shorter.
const HOLD: Duration = Duration::from_secs(1);
/// Results that nobody asked for in this long are forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(60 * DAY.as_secs());

/// Hashtags that are taken out of the store at once.
const RECALLED_AT_ONCE: usize = 1_000;

/// What to watch, and how. Replaced as a whole by a reload.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What to watch.
    pub watchlist: Arc<Watchlist>,
    /// Which keywords to follow, each once.
    pub following: Vec<Followed>,
    /// Refreshes in flight at the most.
    pub concurrency: usize,
    /// Posts per page, 1 to 35.
    pub page_size: u32,
    /// How rarely an unknown hashtag is asked for again.
    pub not_found_retry: Duration,
    /// No hashtag is left longer than this while few looks are shared out by chance.
    pub longest_interval: Duration,
}

impl From<Config> for Plan {
    fn from(config: Config) -> Self {
        Self {
            watchlist: config.watchlist.into(),
            following: config.following,
            concurrency: usize::try_from(config.api.concurrency).unwrap_or(1),
            page_size: config.posts.page_size,
            not_found_retry: config.refresh.not_found_retry,
            longest_interval: config.refresh.longest_interval,
        }
    }
}

/// What was last known of a watchlist, out of the store.
///
/// # Errors
///
/// When the store cannot be read.
pub fn last_known(watchlist: &Watchlist, store: &StoreReader) -> Result<Snapshot, StoreError> {
    let mut hashtags: Vec<_> = watchlist.entries.iter().map(|watched| new_entry(watched, None)).collect();
    store.recall(&mut hashtags)?;
    Ok(Snapshot { hashtags: hashtags.into_iter().map(Arc::new).collect(), ..Snapshot::default() })
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

/// A refresh that is under way.
struct Running {
    job: Job,
    kind: JobKind,
    /// How far the clock went back meanwhile.
    back: Duration,
}

/// The loop and what it knows.
pub struct Poller {
    parts: Parts,
    plan: Plan,
    /// Who is on trial.
    trials: Trials,
    /// What the plan lists, and who is on trial. The plan's own while nobody is.
    watchlist: Arc<Watchlist>,
    schedule: Schedule,
    book: Book,
    keywords: Keywords,
    refreshes: JoinSet<Refreshed>,
    running: HashMap<Id, Running>,
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
    /// The latest time that the clock showed since it last went back, and when it did.
    latest: (Timestamp, Instant),
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
            store.recall_discovery()
        })
        .await?;
        report_unreadable(remembered.unreadable);
        parts.gateway.take_over(None);
        let mut poller = Self {
            pacing: Pacing::new(parts.ledger.clone()),
            growth: HashMap::new(),
            trials: Trials::from_parts(remembered.trials.clone(), remembered.resting.clone(), now),
            watchlist: Arc::default(),
            schedule: Schedule::empty(now),
            book: Book::new(),
            keywords: new_keywords(&plan, &Keywords::new(), &remembered),
            hold: Timestamp::default(),
            latest: (now, Instant::now()),
            parts,
            plan,
            refreshes: JoinSet::new(),
            running: HashMap::new(),
            stopped: false,
            denied: None,
        };
        poller.review_trials(now).await;
        poller.rebook().await?;
        let planned = jobs(&poller.watchlist, &poller.plan.following);
        let past = past(&poller.book, &poller.keywords);
        poller.schedule = Schedule::new(planned, poller.plan.not_found_retry, past, now);
        poller.publish_all();
        Ok(poller)
    }

    /// Polls until `stopping`, then waits up to ten seconds for what is in flight.
    pub async fn run(mut self, mut reloads: mpsc::Receiver<Reload>, stopping: CancellationToken) {
        loop {
            self.mind_the_clock().await;
            self.mind_the_trials().await;
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
        let (shown, when) = self.latest;
        let expected = shown + when.elapsed();
        let went_back = expected.is_ahead_of(now);
        // A few seconds behind it may fall further: the latest time is kept for that.
        if went_back || now >= shown {
            self.latest = (now, Instant::now());
        }
        if !went_back {
            return;
        }
        let back = expected.saturating_since(now);
        tracing::warn!(
            "the clock went back by {}: refreshes are planned anew",
            duration::show(Duration::from_secs(back.as_secs()))
        );
        for known in self.book.values_mut() {
            date_anew(Arc::make_mut(known), now, back);
        }
        self.date_keywords_anew(now, back);
        // What they bring was dated by the old clock, too, if it came before this.
        self.running.values_mut().for_each(|running| running.back += back);
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
        let retry = self.plan.not_found_retry;
        let hashtags = self.watchlist.entries.iter().flat_map(|watched| {
            cost::hashtag_tasks(watched, self.book.get(&watched.hashtag).map(Arc::as_ref), retry)
        });
        let keywords = self.plan.following.iter().flat_map(|followed| {
            cost::keyword_tasks(followed, self.keywords.get(&followed.keyword).map(Arc::as_ref))
        });
        let need = hashtags.chain(keywords).collect();
        let changed = self.pacing.measure(need, now);
        let longest = self.plan.longest_interval;
        let weighed = self.pacing.weigh(&self.watchlist, &self.growth, longest, now);
        if changed || weighed {
            let pacing = &self.pacing;
            self.schedule.change(|job, kind| pacing.rhythm(job, kind), now);
            self.publish_all();
        }
        self.parts.state.api().set_pace(self.pacing.planned());
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
        // A store in trouble is tried again by a single request, as is a key.
        let trouble = self.parts.ledger.trouble();
        let is_troubled = trouble.is_some();
        let denial = self.pacing.denial(now).or(trouble);
        let denied = denial.is_some();
        self.report(denial);
        if self.stopped && admission == Admission::All && !denied {
            self.schedule.catch_up(now);
            self.publish_all();
        }
        self.stopped = admission != Admission::All || denied;
        // A clock that went back must not make the hold longer.
        if self.hold > now && self.hold <= now + HOLD {
            return self.hold.saturating_since(now);
        }
        let room = match admission {
            Admission::All if is_troubled => usize::from(self.running.is_empty()),
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
            let is_open = |kind: JobKind| opens[kind as usize].is_none();
            let Some((job, kind)) = self.schedule.start_next(now, is_open) else { break };
            self.start(job, kind, now);
        }
        let wakes = JobKind::ALL.into_iter().filter_map(|kind| {
            let due = self.schedule.next_wake(kind)?;
            Some(self.pacing.opens(kind, now).map_or(due, |opens| due.max(opens)))
        });
        nap_until(wakes.min(), now)
    }

    async fn reload(&mut self, reload: Reload) {
        let remembered = self.recall_discovery().await;
        let now = self.parts.clock.now();
        self.plan = reload.plan;
        if let Some(gateway) = reload.gateway {
            gateway.take_over(Some(&self.parts.gateway));
            self.parts.gateway = gateway;
        }
        self.keywords = new_keywords(&self.plan, &self.keywords, &remembered);
        self.review_trials(now).await;
        self.rebook_or_report().await;
        self.parts.ledger.look(now).await;
        self.plan_anew(now).await;
        // The asker may have gone; the plan is in force all the same.
        let _ = reload.done.send(());
    }

    /// What the store remembers of discovery, or nothing if it cannot be read.
    async fn recall_discovery(&self) -> Discovered {
        let store = self.parts.store.clone();
        blocking(move || store.recall_discovery()).await.unwrap_or_else(|error| {
            self.cannot_recall(&error);
            Discovered::default()
        })
    }

    /// Makes a new book for those who are listed and those who are on trial. Who is new is taken out of
    /// the store straight into the book, so that memory never holds anything twice.
    ///
    /// # Errors
    ///
    /// When the store cannot be read; the book is whole all the same.
    async fn rebook(&mut self) -> Result<(), StoreError> {
        let listed = &self.plan.watchlist;
        self.watchlist = match self.trials.running().next() {
            None => listed.clone(),
            Some(_) => listed.joined_by(&self.trials, &self.plan.following).into(),
        };
        let watchlist = self.watchlist.clone();
        let (mut entries, others) = sorted_out(&watchlist, std::mem::take(&mut self.book));
        let mut recalled = Ok(0);
        // Some at a time, so that so many new entries are never moved about in one piece of memory, and
        // others can reach the store in between.
        for others in others.chunks(RECALLED_AT_ONCE) {
            let states = others.iter().map(|(watched, old)| new_entry(watched, old.as_deref())).collect();
            let (states, of_these) = self.recall(states).await;
            entries.extend(states.into_iter().map(|state| (state.hashtag.clone(), Arc::new(state))));
            recalled = recalled.and_then(|unreadable| Ok(unreadable + of_these?));
        }
        // All at once: trees that are filled one by one are a third larger.
        self.book = entries.into_iter().collect();
        self.growth.shrink_to_fit();
        self.show_trials();
        recalled.map(report_unreadable)
    }

    /// Enters into these what the store remembers of them. Tells how many rows cannot be read.
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

    /// As [`rebook`](Self::rebook), for a loop that runs already.
    async fn rebook_or_report(&mut self) {
        if let Err(error) = self.rebook().await {
            self.cannot_recall(&error);
        }
    }

    fn cannot_recall(&self, error: &StoreError) {
        self.parts.telemetry.store_failed();
        tracing::error!(%error, "cannot read the store; new hashtags are asked for even if they are in it");
    }

    /// Makes a new schedule out of the watchlist, the keywords and the books.
    async fn plan_anew(&mut self, now: Timestamp) {
        self.schedule = Schedule::taking_over(
            self.running.values().map(|running| &running.job),
            jobs(&self.watchlist, &self.plan.following),
            self.plan.not_found_retry,
            past(&self.book, &self.keywords),
            now,
        );
        // The new schedule is not stretched yet.
        self.pacing = Pacing::new(self.parts.ledger.clone());
        self.mind_the_budget().await;
        self.publish_all();
    }

    /// Copies the rhythm and the due times of a subject's jobs from the schedule into the book. An
    /// entry that says so already stays the one that the snapshot shares.
    fn show_times(&mut self, subject: &Subject) {
        let timed = |region, refresh: &Refresh| {
            let job = Job { subject: subject.clone(), region };
            let interval = self.schedule.interval(&job).unwrap_or(refresh.interval);
            Refresh { interval, next_due: self.schedule.due(&job), ..*refresh }
        };
        match subject {
            Subject::Hashtag(hashtag) => {
                let Some(known) = self.book.get_mut(hashtag) else { return };
                let own = timed(None, &known.refresh);
                let regions: Vec<Refresh> =
                    known.regions.iter().map(|state| timed(Some(state.region), &state.refresh)).collect();
                if own != known.refresh || !known.regions.iter().map(|state| &state.refresh).eq(&regions) {
                    let known = Arc::make_mut(known);
                    known.refresh = own;
                    let states = known.regions.iter_mut().zip(regions);
                    states.for_each(|(state, refresh)| state.refresh = refresh);
                }
            }
            // There are few of them.
            Subject::Keyword(keyword) => {
                let Some(known) = self.keywords.get_mut(keyword).map(Arc::make_mut) else { return };
                known.refresh = timed(None, &known.refresh);
                for state in &mut known.regions {
                    state.refresh = timed(Some(state.region), &state.refresh);
                }
            }
        }
    }

    fn publish_all(&mut self) {
        let hashtags = self.book.keys().cloned().map(Subject::Hashtag);
        let subjects: Vec<Subject> =
            hashtags.chain(self.keywords.keys().cloned().map(Subject::Keyword)).collect();
        subjects.iter().for_each(|subject| self.show_times(subject));
        self.publish();
    }

    fn publish(&self) {
        self.parts.state.publish(Snapshot {
            made_at: self.latest.0,
            hashtags: self.book.values().cloned().collect(),
            keywords: self.keywords.values().cloned().collect(),
        });
    }
}

fn nap_until(at: Option<Timestamp>, now: Timestamp) -> Duration {
    at.map_or(NAP, |at| at.saturating_since(now)).min(NAP)
}

fn report_unreadable(rows: usize) {
    if rows > 0 {
        tracing::warn!(rows, "rows of the store could not be read and are ignored");
    }
}

/// Runs a blocking call of the store away from the async workers.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(call).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
