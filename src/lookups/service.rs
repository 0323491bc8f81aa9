//! Answers look-ups in the process that holds the store.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tiktok_api::Hashtag;
use units::{Credits, SharedClock};
use url::Url;

use super::asking::Asking;
use super::quote::{self, Left, Quote};
use super::{Question, Refusal, Reply};
use crate::credits::Ledger;
use crate::gateway::refresh::Resolved;
use crate::gateway::{Gateway, RequestContext, RequestProgress};
use crate::model::Purpose;
use crate::state::ApiState;

/// The known id of a hashtag, if there is one. May block on the store.
pub type KnownIds = Box<dyn Fn(&Hashtag) -> Option<Resolved> + Send + Sync>;

/// The only way to the API, and the settings that belong to it.
#[derive(Clone)]
pub struct ApiHandle {
    /// Sends the requests.
    pub gateway: Arc<Gateway>,
    /// `api.base_url`.
    pub base_url: Url,
    /// Posts per page, 1 to 35.
    pub page_size: u32,
}

/// Answers look-ups. A reload may replace its [`ApiHandle`].
pub struct LookupService {
    api: RwLock<ApiHandle>,
    ledger: Arc<Ledger>,
    status: ApiState,
    known: KnownIds,
    clock: SharedClock,
}

impl LookupService {
    /// A service that sends requests through `api` and pays from `ledger`. `status` knows whether responses
    /// are simulated; `known` saves requests for ids.
    pub fn new(
        api: ApiHandle,
        ledger: Arc<Ledger>,
        status: ApiState,
        known: KnownIds,
        clock: SharedClock,
    ) -> Self {
        Self { api: RwLock::new(api), ledger, status, known, clock }
    }

    /// Replaces the way to the API.
    pub fn set_api(&self, api: ApiHandle) {
        // It is replaced as a whole: a panic elsewhere leaves nothing half-done.
        *self.api.write().unwrap_or_else(PoisonError::into_inner) = api;
    }

    /// The current way to the API.
    pub fn api(&self) -> ApiHandle {
        self.api.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The cost of the answer to `question` if cached responses up to `max_age` old are used. Sends nothing.
    pub async fn quote(&self, question: &Question, max_age: Duration) -> Quote {
        let (api, now) = (self.api(), self.clock.now());
        self.ledger.reload(now).await;
        let cost = quote::cost(&api, question, &self.known, max_age, now).await;
        let left = self.left();
        Quote { denied: self.refusal(cost.price.likely).map(|refusal| refusal.reason), left, ..cost }
    }

    /// Answers `question` with cached responses up to `max_age` old, or new ones. The progress is updated
    /// while the future runs. Nothing is sent before the future is polled or after it is dropped.
    pub fn answer(
        self: Arc<Self>,
        question: Question,
        max_age: Duration,
    ) -> (Arc<RequestProgress>, impl Future<Output = Reply> + Send) {
        let mut context = RequestContext::new(Purpose::AdHoc, question.hashtag().cloned());
        let progress = context.progress();
        let answer = {
            let progress = progress.clone();
            async move {
                // Half an answer would cost credits and be of no use.
                let affordable = self.quote(&question, max_age).await.price.likely;
                let result = match self.refusal(affordable) {
                    Some(refusal) => Err(refusal),
                    None => {
                        let (api, now) = (self.api(), self.clock.now());
                        let mut asking =
                            Asking { api: &api, known: &self.known, max_age, now, context: &mut context };
                        asking.answer(&question).await
                    }
                };
                let simulated = self.status.is_simulated();
                Reply { credits: progress.spent().get(), left: self.left(), simulated, result }
            }
        };
        (progress, answer)
    }

    fn left(&self) -> Left {
        Left::of(&self.ledger.standing(self.clock.now()))
    }

    /// Why the ledger would refuse this number of credits, if it would.
    fn refusal(&self, credits: u64) -> Option<Refusal> {
        let cost = Credits::new(credits).max(Credits::ONE);
        let denial = self.ledger.denial(Purpose::AdHoc, cost, self.clock.now()).filter(|_| credits > 0)?;
        let refusal = Refusal::from(denial);
        let first = self.ledger.denial(Purpose::AdHoc, Credits::ONE, self.clock.now());
        Some(match first {
            Some(_) => refusal,
            None => Refusal {
                reason: format!("it may take {cost} credits, more than are left (ask for fewer pages)"),
                ..refusal
            },
        })
    }
}
