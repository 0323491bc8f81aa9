//! The cost of an answer.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tiktok_api::{Answer, Query};
use tiktok_api::{ChallengeId, Hashtag, Region};
use units::{Credits, Timestamp};

use super::service::{ApiHandle, KnownIds};
use super::{Question, asking};
use crate::credits::cost::Price;
use crate::credits::{Standing, Window};
use crate::gateway::refresh::{Listing, Paging, Sampling};
use crate::model::Purpose;

/// The expected cost of an answer, in credits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quote {
    /// The highest cost includes retries.
    #[serde(flatten)]
    pub price: Price,
    /// The credits left for look-ups, before this one.
    pub left: Left,
    /// Why it would be refused, if so.
    pub denied: Option<String>,
}

/// The credits left for look-ups by window. `None` means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Left {
    /// Until midnight UTC.
    pub day: Option<u64>,
    /// Until the end of the month, UTC.
    pub month: Option<u64>,
    /// On the account, by the last known balance.
    pub balance: Option<u64>,
}

impl Left {
    pub(super) fn of(standing: &Standing) -> Self {
        let left = |window| standing.remaining(window, Purpose::AdHoc).map(Credits::get);
        Self { day: left(Window::Day), month: left(Window::Month), balance: left(Window::Balance) }
    }
}

/// The cost of `question` at `now`. Uses the cache and sends nothing.
pub(super) async fn cost(
    api: &ApiHandle,
    question: &Question,
    known: &KnownIds,
    max_age: Duration,
    now: Timestamp,
) -> Quote {
    let peek = Peek { api, max_age };
    let mut price = Price::FREE;
    if question.region() != Region::Any {
        let listed = Peek { api, max_age: Duration::MAX };
        price += listed.request(&Query::Regions).await;
    }
    let asked = match question {
        Question::Regions => peek.request(&Query::Regions).await,
        Question::Lookup { hashtag } => peek.look_up(hashtag, known, now).await,
        Question::Posts { hashtag, region, .. } => {
            let (found, id) = peek.id(hashtag, known, now).await;
            price += found;
            let mut pages = 0;
            if let Some(id) = id {
                let paging = Paging { pages_max: question.pages(), page_size: api.page_size };
                let listing = Listing::Hashtag(id);
                let mut sampling = Sampling::new(paging);
                // A cached page leads to the next one.
                while let Some(answered) = peek.answer(&sampling.query(&listing, *region)).await {
                    let Ok(page) = answered.posts() else { break };
                    pages += 1;
                    if sampling.take(page, now) {
                        pages = question.pages();
                        break;
                    }
                }
            }
            Price::pages(question.pages().saturating_sub(pages))
        }
        Question::Search { .. } | Question::Videos { .. } => {
            let cached = match asking::first_page(question, api) {
                Some(query) => peek.answer(&query).await.is_some(),
                None => false,
            };
            Price::pages(question.pages() - u32::from(cached))
        }
    };
    price += asked;
    Quote { price: price.with_retries(), ..Quote::default() }
}

/// Looks up responses in the cache.
struct Peek<'a> {
    api: &'a ApiHandle,
    max_age: Duration,
}

impl Peek<'_> {
    async fn answer(&self, query: &Query) -> Option<Answer> {
        self.api.gateway.peek(query, self.max_age).await
    }

    /// One request, unless the response is cached.
    async fn request(&self, query: &Query) -> Price {
        self.unless_cached(query, Price::REQUEST).await
    }

    async fn unless_cached(&self, query: &Query, price: Price) -> Price {
        if self.answer(query).await.is_some() { Price::FREE } else { price }
    }

    /// The id of a hashtag if it is known, otherwise the cost of finding it.
    async fn id(&self, hashtag: &Hashtag, known: &KnownIds, now: Timestamp) -> (Price, Option<ChallengeId>) {
        if let Some(resolved) = asking::trusted(known(hashtag), now) {
            return (Price::FREE, Some(resolved.id));
        }
        let price = self.look_up(hashtag, known, now).await;
        let answer = self.answer(&Query::HashtagByName(hashtag.clone())).await;
        (price, answer.and_then(|answer| Some(answer.hashtag().ok()?.id)))
    }

    async fn look_up(&self, hashtag: &Hashtag, known: &KnownIds, now: Timestamp) -> Price {
        match asking::trusted(known(hashtag), now) {
            Some(resolved) => self.request(&Query::HashtagById(resolved.id)).await,
            None => self.unless_cached(&Query::HashtagByName(hashtag.clone()), Price::LOOK_UP).await,
        }
    }
}
