//! The poller: starts refreshes that are due, stores their results and publishes them.
//!
//! It owns the schedule and everything known about hashtags and keywords. Refreshes run concurrently, up to a
//! limit. Everything else runs in one loop, so there are no locks, and a reload loses no result.
//!
//! | file | what it does |
//! |---|---|
//! | `start` | starts jobs that are due |
//! | `results` | handles the results of refreshes |
//! | `hashtags`, `keywords` | what is known, kept up to date with the watchlist and the store |
//! | `budget` | keeps the loop within the budget |
//! | `clock_step` | handles steps of the wall clock |
//! | `publish` | publishes snapshots |

mod budget;
mod clock_step;
mod hashtags;
mod keywords;
mod publish;
mod results;
mod start;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tiktok_api::Hashtag;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use units::{DAY, SharedClock, Timestamp};

use crate::config::Config;
use crate::credits::{Ledger, Pacing};
use crate::discovery::{Followed, Trials};
use crate::gateway::Gateway;
use crate::model::{Growth, JobKind};
use crate::schedule::{Job, Schedule, jobs};
use crate::state::{Snapshot, State};
use crate::store::{Store, StoreError, StoreReader};
use crate::telemetry::Telemetry;
use crate::watch::Watchlist;
use clock_step::ClockWatch;
use hashtags::{Hashtags, new_entry, past};
use keywords::{Keywords, new_keywords};
use results::Refreshed;

/// How long a shutdown waits for requests in flight.
const DRAIN: Duration = Duration::from_secs(10);
/// How long nothing is started after a request was denied. No interval is shorter.
const HOLD: Duration = Duration::from_secs(1);
/// Results of hashtags that were not refreshed for this long are deleted from the store.
const RETENTION: Duration = Duration::from_secs(60 * DAY.as_secs());

/// What to watch, and how. A reload replaces it as a whole.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The listed hashtags.
    pub watchlist: Arc<Watchlist>,
    /// The followed keywords, each once.
    pub following: Vec<Followed>,
    /// Maximum number of refreshes in flight.
    pub concurrency: usize,
    /// Posts per page, 1 to 35.
    pub page_size: u32,
    /// Minimum interval for a hashtag that the API does not know.
    pub not_found_retry: Duration,
    /// Maximum interval of totals while few refreshes are distributed by the chance to take off.
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

/// The last results of a watchlist in the store.
///
/// # Errors
///
/// When the store cannot be read.
pub fn last_known(watchlist: &Watchlist, store: &StoreReader) -> Result<Snapshot, StoreError> {
    let mut hashtags: Vec<_> = watchlist.entries.iter().map(|watched| new_entry(watched, None)).collect();
    store.recall(&mut hashtags)?;
    Ok(Snapshot { hashtags: hashtags.into_iter().map(Arc::new).collect(), ..Snapshot::default() })
}

/// A new plan for a running poller.
pub struct Reload {
    /// The plan.
    pub plan: Plan,
    /// The gateway to the API, if it changed.
    pub gateway: Option<Arc<Gateway>>,
    /// Signalled when the plan is in force.
    pub done: oneshot::Sender<()>,
}

/// The components that a poller uses.
#[derive(Clone)]
pub struct Parts {
    /// The gateway to the API.
    pub gateway: Arc<Gateway>,
    /// The ledger of credits.
    pub ledger: Arc<Ledger>,
    /// Where results are stored.
    pub store: Arc<Store>,
    /// Where snapshots are published.
    pub state: State,
    /// The exporter's own metrics.
    pub telemetry: Arc<Telemetry>,
    /// The source of the current time.
    pub clock: SharedClock,
}

/// A refresh in flight.
struct Running {
    job: Job,
    kind: JobKind,
    /// How far the clock stepped back since the start.
    clock_back: Duration,
}

/// The loop and its state.
pub struct Poller {
    parts: Parts,
    plan: Plan,
    /// The hashtags on trial.
    trials: Trials,
    /// The listed hashtags and those on trial. Shared with the plan while none is on trial.
    watchlist: Arc<Watchlist>,
    schedule: Schedule,
    hashtags: Hashtags,
    keywords: Keywords,
    refreshes: JoinSet<Refreshed>,
    running: HashMap<Id, Running>,
    /// Growth of the number of posts. Hashtags that are no longer watched stay until the next start.
    growth: HashMap<Hashtag, Growth>,
    /// Keeps the loop within the budget.
    pacing: Pacing,
    /// Whether requests were stopped at the last check, to notice when they resume.
    stopped: bool,
    /// Why spending was stopped at the last check, so that each reason is logged once.
    denied: Option<&'static str>,
    /// Nothing is started before this, because a request was just denied.
    hold_until: Instant,
    clock_watch: ClockWatch,
}

impl Poller {
    /// Loads the results in the store and publishes them. Starts no refresh yet.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn new(parts: Parts, plan: Plan) -> Result<Self, StoreError> {
        let now = parts.clock.now();
        let store = parts.store.clone();
        let remembered = blocking(move || {
            match store.forget_before(now - RETENTION) {
                Ok(0) => {}
                Ok(rows) => tracing::info!(rows, "deleted results that were not refreshed for 60 days"),
                // A store that cannot be written can still be read.
                Err(error) => tracing::warn!(%error, "cannot delete old results"),
            }
            store.recall_discovery()
        })
        .await?;
        log_unreadable(remembered.unreadable);
        parts.gateway.take_over(None);
        let mut poller = Self {
            pacing: Pacing::new(parts.ledger.clone()),
            growth: HashMap::new(),
            trials: Trials::from_parts(remembered.trials.clone(), remembered.resting.clone(), now),
            watchlist: Arc::default(),
            schedule: Schedule::empty(now),
            hashtags: Hashtags::new(),
            keywords: new_keywords(&plan, &Keywords::new(), &remembered),
            hold_until: Instant::now(),
            clock_watch: ClockWatch::new(now),
            parts,
            plan,
            refreshes: JoinSet::new(),
            running: HashMap::new(),
            stopped: false,
            denied: None,
        };
        poller.review_trials(now).await;
        poller.update_hashtags().await?;
        let planned = jobs(&poller.watchlist, &poller.plan.following);
        let past = past(&poller.hashtags, &poller.keywords);
        poller.schedule = Schedule::new(planned, poller.plan.not_found_retry, past, now);
        poller.publish_all();
        Ok(poller)
    }

    /// Runs until `stopping` is cancelled, then waits up to ten seconds for requests in flight.
    pub async fn run(mut self, mut reloads: mpsc::Receiver<Reload>, stopping: CancellationToken) {
        loop {
            self.check_clock_step().await;
            self.check_trials().await;
            self.check_budget().await;
            let wait = self.start_due();
            tokio::select! {
                () = stopping.cancelled() => break,
                Some(reload) = reloads.recv() => self.reload(reload).await,
                Some(done) = self.refreshes.join_next_with_id() => self.handle_result(done).await,
                () = sleep(wait) => {}
            }
        }
        if !self.refreshes.is_empty() {
            tracing::info!(in_flight = self.refreshes.len(), "waiting for requests in flight");
        }
        let drained = timeout(DRAIN, async {
            while let Some(done) = self.refreshes.join_next_with_id().await {
                self.handle_result(done).await;
            }
        });
        if drained.await.is_err() {
            tracing::warn!(abandoned = self.refreshes.len(), "requests in flight did not finish in time");
        }
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
        self.update_hashtags_or_log().await;
        self.parts.ledger.reload(now).await;
        self.replan(now).await;
        // The plan is in force even if the receiver is gone.
        let _ = reload.done.send(());
    }

    /// Makes a new schedule from the watchlist, the keywords and what is known about them.
    async fn replan(&mut self, now: Timestamp) {
        self.schedule = Schedule::taking_over(
            self.running.values().map(|running| &running.job),
            jobs(&self.watchlist, &self.plan.following),
            self.plan.not_found_retry,
            past(&self.hashtags, &self.keywords),
            now,
        );
        // The new schedule has the configured intervals.
        self.pacing = Pacing::new(self.parts.ledger.clone());
        self.check_budget().await;
        self.publish_all();
    }
}

fn log_unreadable(rows: usize) {
    if rows > 0 {
        tracing::warn!(rows, "ignoring rows of the store that cannot be read");
    }
}

/// Runs a blocking call to the store on a thread for blocking work.
async fn blocking<T: Send + 'static>(call: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(call).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
