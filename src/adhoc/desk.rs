//! Where questions are answered: in the process that holds the store.

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
use crate::gateway::{Bill, Errand, Gateway};
use crate::model::Purpose;
use crate::state::ApiState;

/// Tells the id of a hashtag, if it is known.
pub type KnownIds = Box<dyn Fn(&Hashtag) -> Option<Resolved> + Send + Sync>;

/// The road that questions are answered by. A reload may replace it.
#[derive(Clone)]
pub struct Road {
    /// The one road to the upstream.
    pub gateway: Arc<Gateway>,
    /// Where it leads.
    pub api: Url,
    /// Posts per page, 1 to 35.
    pub page_size: u32,
}

/// Answers people's questions.
pub struct Desk {
    road: RwLock<Road>,
    ledger: Arc<Ledger>,
    api: ApiState,
    known: KnownIds,
    clock: SharedClock,
}

impl Desk {
    /// A desk that answers by `road`, pays out of `ledger`, reads from `api` whether answers are simulated, and gets ids from `known`.
    pub fn new(road: Road, ledger: Arc<Ledger>, api: ApiState, known: KnownIds, clock: SharedClock) -> Self {
        Self { road: RwLock::new(road), ledger, api, known, clock }
    }

    /// Answers by another road from now on.
    pub fn road_is(&self, road: Road) {
        // A road is replaced as a whole: a panic elsewhere leaves nothing half-done.
        *self.road.write().unwrap_or_else(PoisonError::into_inner) = road;
    }

    /// Where the road leads at the moment.
    pub fn road(&self) -> Road {
        self.road.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What the answer to `question` would cost, if answers younger than `max_age` will do. Costs
    /// nothing.
    pub async fn quote(&self, question: &Question, max_age: Duration) -> Quote {
        let (road, now) = (self.road(), self.clock.now());
        self.ledger.reload(now).await;
        let cost = quote::cost(&road, question, &self.known, max_age, now).await;
        let left = self.left();
        Quote { denied: self.refusal(cost.price.likely).map(|refusal| refusal.reason), left, ..cost }
    }

    /// Answers `question`; answers younger than `max_age` will do. Returns at once what it will have
    /// cost by the time it is answered.
    pub fn answer(
        &self,
        question: Question,
        max_age: Duration,
    ) -> (Arc<Bill>, impl Future<Output = Reply> + Send) {
        let mut errand = Errand::new(Purpose::AdHoc, question.hashtag().cloned());
        let bill = errand.bill();
        let answer = {
            let bill = bill.clone();
            async move {
                // Half an answer would be paid for and of no use.
                let affordable = self.quote(&question, max_age).await.price.likely;
                let result = match self.refusal(affordable) {
                    Some(refusal) => Err(refusal),
                    None => {
                        let (road, now) = (self.road(), self.clock.now());
                        let mut asking =
                            Asking { road: &road, known: &self.known, max_age, now, errand: &mut errand };
                        asking.answer(&question).await
                    }
                };
                let simulated = self.api.is_simulated();
                Reply { credits: bill.spent().get(), left: self.left(), simulated, result }
            }
        };
        (bill, answer)
    }

    fn left(&self) -> Left {
        Left::of(&self.ledger.standing(self.clock.now()))
    }

    /// Why so many credits would not be granted.
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
