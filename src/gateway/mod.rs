//! The one road to the upstream. Whoever wants an answer, the loop or a person, asks here.
//!
//! ```text
//! ask → cache → breaker → limiter → ledger → transport → read → breaker, telemetry
//!                  ↑_______ retry with back-off ________|
//! ```
//!
//! Every request passes each of these once, so what is counted here is what is spent. The transport
//! belongs to the part that reserves the credit: there is no way around it.

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
/// A server that asks for a longer wait is not waited for within a refresh.
const RETRY_AFTER_PATIENCE: Duration = Duration::from_secs(60);
/// No server can stop the exporter for longer than this.
const PAUSE_MAX: Duration = Duration::from_secs(3_600);

/// What requests are sent for, and how many more retries they may spend together.
#[derive(Debug)]
pub struct Errand {
    purpose: Purpose,
    hashtag: Option<Hashtag>,
    retries: u32,
    bill: Arc<Bill>,
}

/// What an errand has come to so far. Can be looked at while it is on its way.
#[derive(Debug, Default)]
pub struct Bill {
    spent: AtomicU64,
    answered: AtomicU64,
}

impl Bill {
    /// What its requests have cost. What others have paid for already is not among it.
    pub fn spent(&self) -> Credits {
        Credits::new(self.spent.load(Ordering::Relaxed))
    }

    /// Takes over from another bill how far the errand is.
    pub fn has_answered(&self, answered: u64) {
        self.answered.store(answered, Ordering::Relaxed);
    }

    /// Questions that have got an answer, be it a bad one.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }
}

impl Errand {
    /// An errand for `purpose`, about `hashtag` if it is about one. Booked so in the ledger.
    pub fn new(purpose: Purpose, hashtag: Option<Hashtag>) -> Self {
        Self { purpose, hashtag, retries: RETRIES, bill: Arc::default() }
    }

    /// What it comes to.
    pub fn bill(&self) -> Arc<Bill> {
        self.bill.clone()
    }

    fn take_retry(&mut self) -> bool {
        let left = self.retries > 0;
        self.retries = self.retries.saturating_sub(1);
        left
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The request was sent, and failed.
    #[error(transparent)]
    Upstream(#[from] Error),
    /// Nothing was sent: spending has stopped.
    #[error("not asked: all requests are stopped ({})", .0.as_str())]
    Stopped(Trip),
    /// Nothing was sent: there is no credit for it.
    #[error("not asked: {0}")]
    Denied(#[from] Denial),
    /// Nothing was sent: another gateway has taken this one's place.
    #[error("not asked: the settings of the API were replaced")]
    Retired,
    /// Nothing was sent: the program ends.
    #[error("not asked: the program is shutting down")]
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

/// The road. Shared by all who ask.
pub struct Gateway {
    paid: Paid,
    cache: AnswerCache,
    /// Where people's answers outlive the process.
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

    /// Keeps people's answers in `store`, and looks there, also for what the loop was answered, before it
    /// pays for one.
    #[must_use]
    pub fn keeping(self, store: Arc<Store>) -> Self {
        Self { kept: Some(Kept { store, dialect: self.paid.dialect() }), ..self }
    }

    /// Takes over from `predecessor`, if there is one: from now on this gateway's state is the published
    /// one. Those who wait in the predecessor are told [`Failure::Retired`] at once, however long
    /// its pause would have been; what it has sent already is waited for.
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

    /// Whose API it leads to.
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

    /// Takes the answer to `query` over from the disk, unless a fresh one is in memory: what a person was
    /// answered, or the loop, whichever is younger.
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

    /// The answer to `query`, not older than `max_age`. Costs a credit per request that is really
    /// sent, booked as `errand` says, which also bounds the retries.
    pub async fn ask(
        &self,
        query: &Query,
        max_age: Duration,
        errand: &mut Errand,
    ) -> Result<Answered, Failure> {
        if errand.purpose == Purpose::AdHoc {
            self.recall(query, max_age).await;
        }
        let fetch = async {
            let result = self.fetch(query, &mut *errand).await;
            (self.clock.now(), result)
        };
        let result = self.cache.get_or_fetch(query, max_age, self.clock.now(), fetch).await;
        errand.bill.answered.fetch_add(1, Ordering::Relaxed);
        if let Ok(Answered { at, answer: Answer::Hashtag(record), cached: false }) = &result {
            self.remember_twin(query, *at, record).await;
        }
        let hit = result.as_ref().is_ok_and(|answered| answered.cached);
        self.telemetry.cache_queried(query.operation(), hit);
        result
    }

    /// By name or by id, a hashtag is the same: whoever asks the other way does not pay again.
    async fn remember_twin(&self, query: &Query, at: Timestamp, record: &HashtagRecord) {
        let twin = match query {
            Query::HashtagByName(_) => Query::HashtagById(record.id.clone()),
            _ => Query::HashtagByName(record.hashtag.clone()),
        };
        self.cache.put_younger(&twin, at, Answer::Hashtag(record.clone())).await;
    }

    /// Sends the request, again where that can help.
    async fn fetch(&self, query: &Query, errand: &mut Errand) -> Result<Answer, Failure> {
        let mut ceiling = BACKOFF_BASE;
        loop {
            let pass = self.leave_to_send().await?;
            let error = match self.send(query, errand, pass).await? {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let in_time = error.retry_after.is_none_or(|wait| wait <= RETRY_AFTER_PATIENCE);
            if !error.class.is_retryable() || pass.is_trial() || !in_time || !errand.take_retry() {
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

    /// Waits until nothing more is to be sent this way, and tells why.
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

    /// Sends one request and tells everyone who counts what became of it. The outer error says that
    /// nothing was sent.
    async fn send(
        &self,
        query: &Query,
        errand: &Errand,
        pass: Pass,
    ) -> Result<Result<Answer, Error>, Denial> {
        let started = Instant::now();
        let raw = match self.paid.send(query, errand).await {
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
        if let (Some(kept), Purpose::AdHoc, Ok(_)) = (&self.kept, errand.purpose, &result) {
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

    /// Sends nothing for `pause`, and says so.
    fn pause(&self, pause: Duration) {
        if !self.limiter.pause(pause) {
            return;
        }
        let shown = self.shown();
        if *shown {
            tracing::warn!("the API asks to slow down: nothing is sent for {}", duration::show(pause));
            self.api.set_paused_until(Some(self.clock.now() + pause));
        }
    }

    /// Tells the breaker what the outcome says about the key.
    fn judge(&self, pass: Pass, outcome: Result<(), Class>) {
        let now = self.clock.now();
        match outcome {
            Err(Class::Auth) => self.trip(pass, Trip::Auth),
            Err(Class::CreditsExhausted) => self.trip(pass, Trip::CreditsExhausted),
            Err(Class::Transient | Class::Malformed) => self.breaker.unclear(pass, now),
            Ok(()) | Err(Class::NotFound | Class::Throttled) => {
                if pass.is_trial() {
                    tracing::info!("the trial request was answered: requests are sent again");
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
        // What a replaced key cannot do is nobody's trouble any more.
        if *self.shown() {
            tracing::error!(reason = trip.as_str(), "all requests are stopped: {advice}");
        }
        self.breaker.tripped(pass, trip, self.clock.now());
    }
}
