//! What an answer would cost.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tiktok_api::{Answer, Query};
use tiktok_api::{ChallengeId, Hashtag, Region};
use units::{Credits, Timestamp};

use super::desk::{KnownIds, Road};
use super::{Question, asking};
use crate::budget::{Purpose, Standing, Window};
use crate::gateway::RETRIES;
use crate::refresh::{Listing, Paging, Sampling};

/// Requests that it takes to find a hashtag in the worst case: by name, by search, by id.
const LOOK_UP_MOST: u64 = 3;

/// What an answer would cost, in credits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Quote {
    /// If nothing fails and every hashtag answers to its name. Pages of which there may be fewer are
    /// all counted.
    pub likely: u64,
    /// If names do not resolve and requests must be sent again.
    pub most: u64,
    /// What is left for people before it.
    pub left: Left,
    /// Why it would be refused, if it would.
    pub denied: Option<String>,
}

/// Credits that people may still spend by window; `None` is without limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Left {
    /// Until midnight UTC.
    pub day: Option<u64>,
    /// Until the end of the month, UTC.
    pub month: Option<u64>,
    /// On the account, as it was last counted.
    pub balance: Option<u64>,
}

impl Left {
    pub(super) fn of(standing: &Standing) -> Self {
        let left = |window| standing.remaining(window, Purpose::AdHoc).map(Credits::get);
        Self { day: left(Window::Day), month: left(Window::Month), balance: left(Window::Balance) }
    }
}

/// What `question` would cost at `now`. Asks the cache and nobody else.
pub(super) async fn cost(
    road: &Road,
    question: &Question,
    known: &KnownIds,
    max_age: Duration,
    now: Timestamp,
) -> Quote {
    let peek = Peek { road, max_age };
    let mut quote = Quote::default();
    if question.region() != Region::Any {
        let listed = Peek { road, max_age: Duration::MAX };
        quote.add(listed.missing(&Query::Regions).await, 1);
    }
    match question {
        Question::Regions => quote.add(peek.missing(&Query::Regions).await, 1),
        Question::Lookup { hashtag } => peek.look_up(&mut quote, hashtag, known, now).await,
        Question::Posts { hashtag, region, .. } => {
            let id = peek.id(&mut quote, hashtag, known, now).await;
            let mut pages = 0;
            if let Some(id) = id {
                let paging = Paging { pages_max: question.pages(), page_size: road.page_size };
                let listing = Listing::Hashtag(id);
                let mut sampling = Sampling::new(paging);
                // Pages that are remembered lead to the next one.
                while let Some(answered) = peek.look(&sampling.query(&listing, *region)).await {
                    let Ok(page) = answered.posts() else { break };
                    pages += 1;
                    if sampling.take(page, now) {
                        pages = question.pages();
                        break;
                    }
                }
            }
            quote.add(true, u64::from(question.pages().saturating_sub(pages)));
        }
        Question::Search { .. } | Question::Videos { .. } => {
            let remembered = match asking::first_page(question, road) {
                Some(query) => !peek.missing(&query).await,
                None => false,
            };
            let pages = u64::from(question.pages()) - u64::from(remembered);
            quote.add(pages > 0, pages);
        }
    }
    if quote.most > 0 {
        quote.most += u64::from(RETRIES);
    }
    quote
}

impl Quote {
    fn add(&mut self, is_missing: bool, credits: u64) {
        if is_missing {
            self.likely += credits;
            self.most += credits;
        }
    }
}

/// Looks at what is remembered.
struct Peek<'a> {
    road: &'a Road,
    max_age: Duration,
}

impl Peek<'_> {
    async fn look(&self, query: &Query) -> Option<Answer> {
        self.road.gateway.peek(query, self.max_age).await
    }

    async fn missing(&self, query: &Query) -> bool {
        self.look(query).await.is_none()
    }

    /// The id of a hashtag, if it is remembered; else what it takes to learn it is added.
    async fn id(
        &self,
        quote: &mut Quote,
        hashtag: &Hashtag,
        known: &KnownIds,
        now: Timestamp,
    ) -> Option<ChallengeId> {
        if let Some(resolved) = asking::trusted(known(hashtag), now) {
            return Some(resolved.id);
        }
        self.look_up(quote, hashtag, known, now).await;
        let answer = self.look(&Query::HashtagByName(hashtag.clone())).await?;
        Some(answer.hashtag().ok()?.id)
    }

    async fn look_up(&self, quote: &mut Quote, hashtag: &Hashtag, known: &KnownIds, now: Timestamp) {
        match asking::trusted(known(hashtag), now) {
            Some(resolved) => quote.add(self.missing(&Query::HashtagById(resolved.id)).await, 1),
            None => {
                if self.missing(&Query::HashtagByName(hashtag.clone())).await {
                    quote.add(true, 1);
                    quote.most += LOOK_UP_MOST - 1;
                }
            }
        }
    }
}
