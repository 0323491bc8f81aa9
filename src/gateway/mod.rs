//! The only way to the API, for the poller and for look-ups.
//!
//! ```text
//! ask → cache → breaker → limiter → ledger → transport → read → breaker, telemetry
//!                  ↑_______ retry with back-off ________|
//! ```
//!
//! Every request passes each of these once, so what is counted here is what is spent. Only the part that
//! reserves the credit can use the transport.

mod breaker;
mod cache;
mod kept;
mod limiter;
mod paid;
pub mod refresh;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tiktok_api::{Answer, Class, Error, Provider, Query, RawAnswer, Transport};
use tiktok_api::{Hashtag, HashtagRecord};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use units::{Credits, SharedClock, Timestamp, duration};

pub use breaker::{Admission, Breaker, Pass};
pub use cache::Answered;
pub use limiter::Limiter;

use crate::credits::cost::RETRIES;
use crate::credits::{Denial, Ledger};
use crate::model::{Purpose, Trip};
use crate::state::ApiState;
use crate::store::Store;
use crate::telemetry::Telemetry;
use cache::AnswerCache;
use kept::Kept;
use paid::Paid;

/// The first back-off is drawn from 0 to this.
const BACKOFF_BASE: Duration = Duration::from_secs(1);
/// No back-off is longer.
const BACKOFF_MAX: Duration = Duration::from_secs(30);
/// A refresh does not wait for a longer `Retry-After`.
const RETRY_AFTER_PATIENCE: Duration = Duration::from_secs(60);
/// No server can stop the exporter for longer than this.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);

/// Why requests are sent, and how many more retries they may use together.
#[derive(Debug)]
pub struct RequestContext {
    purpose: Purpose,
    hashtag: Option<Hashtag>,
    retries: u32,
    progress: Arc<RequestProgress>,
}

/// The progress of the requests of one [`RequestContext`]. Can be read while they are under way.
#[derive(Debug, Default)]
pub struct RequestProgress {
    spent: AtomicU64,
    answered: AtomicU64,
}

impl RequestProgress {
    /// The credits that were spent. Responses from the cache cost none.
    pub fn spent(&self) -> Credits {
        Credits::new(self.spent.load(Ordering::Relaxed))
    }

    /// Sets the number of answered queries, as another process counts them.
    pub fn set_answered(&self, answered: u64) {
        self.answered.store(answered, Ordering::Relaxed);
    }

    /// The number of queries that have ended, with a response or an error.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

impl RequestContext {
    /// Requests for `purpose`, about `hashtag` if they concern one. The ledger records both.
    pub fn new(purpose: Purpose, hashtag: Option<Hashtag>) -> Self {
        Self { purpose, hashtag, retries: RETRIES, progress: Arc::default() }
    }

    /// The progress of these requests.
    pub fn progress(&self) -> Arc<RequestProgress> {
        self.progress.clone()
    }

    fn take_retry(&mut self) -> bool {
        let left = self.retries > 0;
        self.retries = self.retries.saturating_sub(1);
        left
    }
}

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The request was sent, and failed.
    #[error(transparent)]
    Upstream(#[from] Error),
    /// Nothing was sent: spending has stopped.
    #[error("not sent: all requests are stopped ({})", .0.as_str())]
    Stopped(Trip),
    /// Nothing was sent: there is no credit for it.
    #[error("not sent: {0}")]
    Denied(#[from] Denial),
    /// Nothing was sent: another gateway has taken this one's place.
    #[error("not sent: the settings of the API were replaced")]
    Retired,
    /// Nothing was sent: the program ends.
    #[error("not sent: the program is shutting down")]
    ShuttingDown,
}

/// The parts a gateway works with.
#[derive(Clone)]
pub struct Parts {
    /// What pays for each request.
    pub ledger: Arc<Ledger>,
    /// The time.
    pub clock: SharedClock,
    /// Counts requests.
    pub telemetry: Arc<Telemetry>,
    /// Where the breaker, pauses and simulated answers are published.
    pub api: ApiState,
    /// No request is sent once this is cancelled.
    pub stopping: CancellationToken,
}

/// The only way to the API. Shared by all callers.
pub struct Gateway {
    paid: Paid,
    cache: AnswerCache,
    /// Where responses to look-ups outlive the process.
    kept: Option<Kept>,
    breaker: Breaker,
    limiter: Limiter,
    clock: SharedClock,
    telemetry: Arc<Telemetry>,
    stopping: CancellationToken,
    /// Cancelled when another gateway takes over.
    retired: CancellationToken,
    api: ApiState,
    /// Whether this gateway's state is the one that is published. Held while it is written there, so
    /// that a replaced gateway cannot write over its successor.
    is_shown: Mutex<bool>,
}

impl Gateway {
    /// A gateway over `transport` that sends at most `per_minute` requests a minute, and for `cooldown`
    /// none after a refused key or exhausted credits.
    pub fn new(transport: Arc<dyn Transport>, parts: Parts, per_minute: u32, cooldown: Duration) -> Self {
        let Parts { ledger, clock, telemetry, api, stopping } = parts;
        Self {
            paid: Paid::new(transport, ledger, clock.clone()),
            cache: AnswerCache::default(),
            kept: None,
            breaker: Breaker::new(cooldown),
            limiter: Limiter::new(per_minute),
            clock,
            telemetry,
            api,
            stopping,
            retired: CancellationToken::new(),
            is_shown: Mutex::new(false),
        }
    }

    /// Keeps the responses to look-ups in `store`. A look-up uses them, and the poller's last totals, before it
    /// pays for a new response.
    #[must_use]
    pub fn keeping(self, store: Arc<Store>) -> Self {
        Self { kept: Some(Kept { store, dialect: self.paid.dialect() }), ..self }
    }

    /// Takes over from `predecessor`, if there is one: from now on this gateway's state is the published
    /// one. Callers that wait in the predecessor get [`Failure::Retired`] at once, however long its pause
    /// would have been. Requests that it has already sent are finished.
    ///
    /// The predecessor grants nothing any more and this limiter starts empty, so the two together send
    /// no more a minute than one of them may.
    pub fn take_over(&self, predecessor: Option<&Gateway>) {
        if let Some(old) = predecessor {
            *old.shown() = false;
            old.retired.cancel();
        }
        // Earned since it was made, for which the predecessor may have sent in the meantime.
        self.limiter.pause(Duration::ZERO);
        *self.shown() = true;
        self.api.set_paused_until(None);
        self.show_breaker();
    }

    /// The provider of the API.
    pub fn provider(&self) -> &'static Provider {
        self.paid.dialect().provider()
    }

    /// Whether requests would be let through now.
    pub fn admission(&self) -> Admission {
        self.breaker.admission(self.clock.now())
    }

    /// The answer to `query` that would be given without a request, if it is not older than `max_age`.
    pub async fn peek(&self, query: &Query, max_age: Duration) -> Option<Answer> {
        self.recall(query, max_age).await;
        self.cache.peek(query, max_age, self.clock.now()).await
    }

    /// Copies the stored response to `query`, of a look-up or of the poller, whichever is newer, to the cache
    /// unless the cache has a fresh one.
    async fn recall(&self, query: &Query, max_age: Duration) {
        let Some(kept) = &self.kept else { return };
        let now = self.clock.now();
        if self.cache.peek(query, max_age, now).await.is_some() {
            return;
        }
        let kept = [kept.recall(query).await, kept.last_totals(query).await];
        for (at, answer) in kept.into_iter().flatten() {
            if AnswerCache::is_fresh(query, at, now) {
                self.cache.put_younger(query, at, answer).await;
            }
        }
    }

    /// The answer to `query`, not older than `max_age`. Costs one credit per request that is sent. `context`
    /// says how the ledger records them and bounds the retries.
    ///
    /// # Errors
    ///
    /// If no request may be sent, or the last one failed.
    pub async fn ask(
        &self,
        query: &Query,
        max_age: Duration,
        context: &mut RequestContext,
    ) -> Result<Answered, Failure> {
        if context.purpose == Purpose::AdHoc {
            self.recall(query, max_age).await;
        }
        let fetch = async {
            let result = self.fetch(query, &mut *context).await;
            (self.clock.now(), result)
        };
        let result = self.cache.get_or_fetch(query, max_age, self.clock.now(), fetch).await;
        context.progress.answered.fetch_add(1, Ordering::Relaxed);
        if let Ok(Answered { at, answer: Answer::Hashtag(record), cached: false }) = &result {
            self.remember_twin(query, *at, record).await;
        }
        let hit = result.as_ref().is_ok_and(|answered| answered.cached);
        self.telemetry.cache_queried(query.operation(), hit);
        result
    }

    /// Name and id lead to the same hashtag, so a query by the other one need not be paid for.
    async fn remember_twin(&self, query: &Query, at: Timestamp, record: &HashtagRecord) {
        let twin = match query {
            Query::HashtagByName(_) => Query::HashtagById(record.id.clone()),
            _ => Query::HashtagByName(record.hashtag.clone()),
        };
        self.cache.put_younger(&twin, at, Answer::Hashtag(record.clone())).await;
    }

    /// Sends the request, again where that can help.
    async fn fetch(&self, query: &Query, context: &mut RequestContext) -> Result<Answer, Failure> {
        let mut ceiling = BACKOFF_BASE;
        loop {
            let pass = self.leave_to_send().await?;
            let error = match self.send(query, context, pass).await? {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let in_time = error.retry_after.is_none_or(|wait| wait <= RETRY_AFTER_PATIENCE);
            if !error.class.is_retryable() || pass.is_trial() || !in_time || !context.take_retry() {
                return Err(error.into());
            }
            tracing::debug!(endpoint = query.operation().as_str(), %error, "request failed, trying again");
            self.telemetry.request_retried(query.operation());
            // Full jitter: those who failed together do not come back together.
            let backoff = ceiling.mul_f64(fastrand::f64()).max(error.retry_after.unwrap_or_default());
            ceiling = (ceiling * 2).min(BACKOFF_MAX);
            tokio::select! {
                () = sleep(backoff) => {}
                failure = self.ended() => return Err(failure),
            }
        }
    }

    /// Waits until this gateway may send nothing more, and returns the reason.
    async fn ended(&self) -> Failure {
        tokio::select! {
            biased;
            () = self.stopping.cancelled() => Failure::ShuttingDown,
            () = self.retired.cancelled() => Failure::Retired,
        }
    }

    /// Waits until one request may leave.
    async fn leave_to_send(&self) -> Result<Pass, Failure> {
        if let Admission::Nothing(trip, _) = self.admission()
            && !self.retired.is_cancelled()
        {
            return Err(Failure::Stopped(trip));
        }
        tokio::select! {
            biased;
            failure = self.ended() => return Err(failure),
            () = self.limiter.acquire() => {}
        }
        // The wait may have been long: the key can have been refused meanwhile.
        self.breaker.pass(self.clock.now()).map_err(Failure::Stopped)
    }

    /// Sends one request and records its outcome in breaker, telemetry and state. The outer error means that
    /// nothing was sent.
    async fn send(
        &self,
        query: &Query,
        context: &RequestContext,
        pass: Pass,
    ) -> Result<Result<Answer, Error>, Denial> {
        let started = Instant::now();
        let raw = match self.paid.send(query, context).await {
            Ok(raw) => raw,
            Err(denial) => {
                self.breaker.unclear(pass, self.clock.now());
                return Err(denial);
            }
        };
        if raw.as_ref().is_ok_and(|raw: &RawAnswer| raw.simulated) {
            self.api.set_simulated();
        }
        let body = raw.as_ref().map(|raw| raw.body.clone()).unwrap_or_default();
        let result = raw.and_then(|raw| self.paid.dialect().read(query, &raw));
        if let (Some(kept), Purpose::AdHoc, Ok(_)) = (&self.kept, context.purpose, &result) {
            kept.keep(query, self.clock.now(), body, self.api.is_simulated()).await;
        }
        let outcome = result.as_ref().map(|_| ()).map_err(|error| error.class);
        self.telemetry.request_finished(query.operation(), outcome, started.elapsed());
        self.judge(pass, outcome);
        if let Err(error @ Error { class: Class::Throttled, .. }) = &result {
            self.pause(error.retry_after.unwrap_or(BACKOFF_BASE).min(PAUSE_MAX));
        }
        Ok(result)
    }

    /// Sends nothing for `pause`, and logs it.
    fn pause(&self, pause: Duration) {
        if !self.limiter.pause(pause) {
            return;
        }
        let shown = self.shown();
        if *shown {
            tracing::warn!("the API is throttling: no requests for {}", duration::show(pause));
            self.api.set_paused_until(Some(self.clock.now() + pause));
        }
    }

    /// Updates the breaker with what the outcome means for the key.
    fn judge(&self, pass: Pass, outcome: Result<(), Class>) {
        let now = self.clock.now();
        match outcome {
            Err(Class::Auth) => self.trip(pass, Trip::Auth),
            Err(Class::CreditsExhausted) => self.trip(pass, Trip::CreditsExhausted),
            Err(Class::Transient | Class::Malformed) => self.breaker.unclear(pass, now),
            Ok(()) | Err(Class::NotFound | Class::Throttled) => {
                if pass.is_trial() {
                    tracing::info!("the trial request succeeded: requests are sent again");
                }
                self.breaker.answered(pass);
            }
        }
        self.show_breaker();
    }

    /// Publishes the state of the breaker, unless that of another gateway is published.
    fn show_breaker(&self) {
        let shown = self.shown();
        if *shown {
            self.api.set_stopped(match self.admission() {
                Admission::All => None,
                Admission::Trial(trip) | Admission::Nothing(trip, _) => Some(trip),
            });
        }
    }

    fn shown(&self) -> MutexGuard<'_, bool> {
        // A single flag: a panic elsewhere leaves nothing half-done.
        self.is_shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trip(&self, pass: Pass, trip: Trip) {
        let variable = self.provider().key_variable;
        let advice = match trip {
            Trip::Auth => format!("the API refuses the key: check {variable} or api.key_file, then reload"),
            Trip::CreditsExhausted => {
                "the account has no credits left: buy some, then reload or wait".to_owned()
            }
        };
        // A replaced gateway's key does not matter any more.
        if *self.shown() {
            tracing::error!(reason = trip.as_str(), "all requests are stopped: {advice}");
        }
        self.breaker.tripped(pass, trip, self.clock.now());
    }
}
