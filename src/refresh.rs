//! The conversations with the upstream that refresh one thing: which requests, in which order, and
//! when to stop. What they cost is decided here; when they happen is not.

use std::collections::HashSet;
use std::time::Duration;

use crate::budget::Purpose;
use crate::gateway::{Errand, Failure, Gateway};
use crate::model::{ChallengeId, DAY, Hashtag, HashtagRecord, Post, PostSample, Region, Timestamp};
use crate::upstream::{Class, Cursor, Error, Page, Query, SEARCH_SIZE_MAX};

/// Name and id stay together for good, as far as is known; after this long it is verified all the
/// same, at no extra cost: a look-up by name also brings the totals.
const RESOLUTION_TRUSTED_FOR: Duration = Duration::from_secs(30 * DAY.as_secs());

/// What is known of a hashtag's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The id.
    pub id: ChallengeId,
    /// When name and id were last seen together.
    pub at: Timestamp,
}

/// A hashtag as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// When the answer was given.
    pub at: Timestamp,
    /// The answer.
    pub record: HashtagRecord,
    /// Id, and when name and id were last seen together.
    pub resolved: Resolved,
}

/// Looks a hashtag up: by id once that is known, else by name, else through a search. One request
/// as a rule, three at the most (and retries).
pub async fn totals(
    gateway: &Gateway,
    hashtag: &Hashtag,
    known: Option<&Resolved>,
    now: Timestamp,
    max_age: Duration,
) -> Result<Found, Failure> {
    let mut look_up =
        LookUp { gateway, max_age, errand: Errand::new(Purpose::Totals, Some(hashtag.clone())) };
    let trusted = known.filter(|known| now.saturating_since(known.at) < RESOLUTION_TRUSTED_FOR);
    if let Some(known) = trusted {
        return look_up.by_id(known.clone()).await;
    }
    match (look_up.by_name(hashtag).await, known) {
        (Err(failure), Some(known)) if is_not_found(&failure) => look_up.by_id(known.clone()).await,
        (Err(failure), None) if is_not_found(&failure) => {
            let found = look_up.by_search(hashtag).await?;
            look_up.by_id(found).await
        }
        (result, _) => result,
    }
}

struct LookUp<'a> {
    gateway: &'a Gateway,
    max_age: Duration,
    errand: Errand,
}

impl LookUp<'_> {
    async fn by_id(&mut self, resolved: Resolved) -> Result<Found, Failure> {
        let query = Query::HashtagById(resolved.id.clone());
        let answered = self.gateway.ask(&query, self.max_age, &mut self.errand).await?;
        Ok(Found { at: answered.at, record: answered.answer.hashtag()?, resolved })
    }

    async fn by_name(&mut self, hashtag: &Hashtag) -> Result<Found, Failure> {
        let query = Query::HashtagByName(hashtag.clone());
        let answered = self.gateway.ask(&query, self.max_age, &mut self.errand).await?;
        let record = answered.answer.hashtag()?;
        let resolved = Resolved { id: record.id.clone(), at: answered.at };
        Ok(Found { at: answered.at, record, resolved })
    }

    /// Some hashtags answer to their id alone; a search tells it. Only the hashtag itself counts,
    /// however well others resemble it.
    async fn by_search(&mut self, hashtag: &Hashtag) -> Result<Resolved, Failure> {
        let query = Query::SearchHashtags {
            keyword: hashtag.to_string(),
            count: SEARCH_SIZE_MAX,
            cursor: Cursor::start(),
        };
        let answered = self.gateway.ask(&query, self.max_age, &mut self.errand).await?;
        let page = answered.answer.hashtags()?;
        match page.items.into_iter().find(|record| record.hashtag == *hashtag) {
            Some(record) => Ok(Resolved { id: record.id, at: answered.at }),
            None => Err(Error::new(Class::NotFound, "neither its name nor a search leads to it").into()),
        }
    }
}

/// Whether the upstream says that there is no such thing.
pub fn is_not_found(failure: &Failure) -> bool {
    matches!(failure, Failure::Upstream(Error { class: Class::NotFound, .. }))
}

/// How to page through posts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// Pages asked for at the most, and so credits (before retries).
    pub pages_max: u32,
    /// Posts wanted on a page, 1 to 35.
    pub page_size: u32,
}

/// A sample of posts on the way, page by page: what to ask for next, and when to stop.
#[derive(Debug)]
pub struct Sampling {
    paging: Paging,
    sample: PostSample,
    seen: HashSet<String>,
    cursor: Cursor,
}

impl Sampling {
    /// Nothing was asked for yet.
    pub fn new(paging: Paging) -> Self {
        Self { paging, sample: PostSample::default(), seen: HashSet::new(), cursor: Cursor::start() }
    }

    /// The page to ask for next.
    pub fn query(&self, id: &ChallengeId, region: Region) -> Query {
        Query::Posts { id: id.clone(), region, count: self.paging.page_size, cursor: self.cursor.clone() }
    }

    /// Takes a page in. Returns whether that is enough: the week before `now` is covered, the list
    /// has ended, or it stops making sense.
    pub fn take(&mut self, page: Page<Post>, now: Timestamp) -> bool {
        self.sample.pages += 1;
        self.sample.exhausted = !page.more;
        // Pages overlap, so every post is counted by its id, once.
        let known = self.seen.len();
        self.sample.posts.extend(page.items.into_iter().filter(|post| self.seen.insert(post.id.clone())));
        let nothing_new = self.seen.len() == known;
        let stands_still = page.next.as_ref().is_none_or(|next| *next == self.cursor);
        self.cursor = page.next.unwrap_or_else(Cursor::start);
        stands_still
            || nothing_new
            || self.sample.pages >= self.paging.pages_max
            || self.sample.reaches_back_a_week(now)
    }

    /// The sample.
    pub fn finish(self) -> Result<PostSample, Error> {
        if self.sample.posts.is_empty() && !self.sample.exhausted {
            // A velocity of 0 would be a claim that nobody made.
            return Err(Error::transient("no posts, although there are said to be more"));
        }
        Ok(self.sample)
    }
}

/// Collects posts of a hashtag. Returns the sample and when its first page was given.
pub async fn posts(
    gateway: &Gateway,
    hashtag: &Hashtag,
    id: &ChallengeId,
    region: Region,
    paging: Paging,
    max_age: Duration,
) -> Result<(Timestamp, PostSample), Failure> {
    let mut errand = Errand::new(Purpose::Posts, Some(hashtag.clone()));
    let mut sampling = Sampling::new(paging);
    let mut taken_at = None;
    loop {
        let answered = gateway.ask(&sampling.query(id, region), max_age, &mut errand).await?;
        let now = *taken_at.get_or_insert(answered.at);
        if sampling.take(answered.answer.posts()?, now) {
            return Ok((now, sampling.finish()?));
        }
    }
}
