//! The requests that refresh one thing: which ones, in which order, and when to stop. This decides what a
//! refresh costs, not when it happens.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tiktok_api::{ChallengeId, Hashtag, HashtagRecord, Post, Region};
use tiktok_api::{Class, Cursor, Error, Order, Page, Query, Since};
use units::{DAY, Timestamp};

use crate::gateway::{Failure, Gateway, RequestContext};
use crate::model::{Keyword, PostSample};

/// Name and id stay together for good, as far as is known; after this long it is verified all the
/// same, at no extra cost: a look-up by name also brings the totals.
pub const RESOLUTION_TRUSTED_FOR: Duration = Duration::from_secs(30 * DAY.as_secs());

/// What is known of a hashtag's id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The id.
    pub id: ChallengeId,
    /// When name and id were last seen together.
    pub at: Timestamp,
}

/// How a hashtag was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// By its known id.
    Id,
    /// By its name.
    Name,
    /// Its name leads nowhere, but its id was known.
    NameThenId,
    /// Its name leads nowhere; a search found its id.
    SearchThenId,
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
    /// How it was found.
    pub route: Route,
}

/// Looks a hashtag up: by id once that is known, else by name, else through a search. One request
/// as a rule, three at the most (and retries). If
/// `known` has led nowhere, leave it out: the hashtag may have another id now.
///
/// # Errors
///
/// `NotFound` when no way leads to the hashtag; `Malformed` among others when the id is another
/// hashtag's.
pub async fn totals(
    gateway: &Gateway,
    hashtag: &Hashtag,
    known: Option<&Resolved>,
    now: Timestamp,
    max_age: Duration,
    context: &mut RequestContext,
) -> Result<Found, Failure> {
    let mut look_up = LookUp { gateway, max_age, context };
    let is_recent = |at: Timestamp| at.age(now).is_some_and(|age| age < RESOLUTION_TRUSTED_FOR);
    let trusted = known.filter(|known| is_recent(known.at));
    if let Some(known) = trusted {
        return look_up.by_id(hashtag, known.clone()).await;
    }
    match (look_up.by_name(hashtag).await, known) {
        (Err(failure), Some(known)) if is_not_found(&failure) => {
            let found = look_up.by_id(hashtag, known.clone()).await?;
            // It answers to its id alone: asking by name every time would cost twice as much.
            let resolved = Resolved { at: found.at, ..found.resolved };
            Ok(Found { resolved, route: Route::NameThenId, ..found })
        }
        (Err(failure), None) if is_not_found(&failure) => {
            let resolved = look_up.by_search(hashtag).await?;
            let found = look_up.by_id(hashtag, resolved).await?;
            Ok(Found { route: Route::SearchThenId, ..found })
        }
        (result, _) => result,
    }
}

struct LookUp<'a> {
    gateway: &'a Gateway,
    max_age: Duration,
    context: &'a mut RequestContext,
}

impl LookUp<'_> {
    async fn by_id(&mut self, hashtag: &Hashtag, resolved: Resolved) -> Result<Found, Failure> {
        let query = Query::HashtagById(resolved.id.clone());
        let answered = self.gateway.ask(&query, self.max_age, self.context).await?;
        let record = answered.answer.hashtag()?;
        if record.hashtag != *hashtag {
            let detail = format!("id {} is no longer #{hashtag}'s but #{}'s", resolved.id, record.hashtag);
            return Err(Error::malformed(detail).into());
        }
        Ok(Found { at: answered.at, record, resolved, route: Route::Id })
    }

    async fn by_name(&mut self, hashtag: &Hashtag) -> Result<Found, Failure> {
        let query = Query::HashtagByName(hashtag.clone());
        let answered = self.gateway.ask(&query, self.max_age, self.context).await?;
        let record = answered.answer.hashtag()?;
        let resolved = Resolved { id: record.id.clone(), at: answered.at };
        Ok(Found { at: answered.at, record, resolved, route: Route::Name })
    }

    /// Some hashtags are found only by their id, which a search returns. Only the hashtag itself counts, not
    /// similar ones.
    async fn by_search(&mut self, hashtag: &Hashtag) -> Result<Resolved, Failure> {
        let query = Query::SearchHashtags {
            keyword: hashtag.to_string(),
            count: self.gateway.provider().hashtags_page_max,
            cursor: Cursor::start(),
        };
        let answered = self.gateway.ask(&query, self.max_age, self.context).await?;
        let page = answered.answer.hashtags()?;
        match page.items.into_iter().find(|record| record.hashtag == *hashtag) {
            Some(record) => Ok(Resolved { id: record.id, at: answered.at }),
            None => Err(Error::new(Class::NotFound, "neither its name nor a search leads to it").into()),
        }
    }
}

/// Whether the API reports that it does not exist.
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

/// A list of posts that can be paged through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// The posts under a hashtag.
    Hashtag(ChallengeId),
    /// The posts of the last week that match a keyword, newest first.
    Keyword(Keyword),
}

/// Collects a sample page by page: what to request next, and when to stop.
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

    /// The query for the next page.
    pub fn query(&self, listing: &Listing, region: Region) -> Query {
        let (count, cursor) = (self.paging.page_size, self.cursor.clone());
        match listing {
            Listing::Hashtag(id) => Query::Posts { id: id.clone(), region, count, cursor },
            Listing::Keyword(keyword) => Query::SearchPosts {
                keyword: keyword.to_string(),
                since: Since::Week,
                order: Order::Date,
                region,
                count,
                cursor,
            },
        }
    }

    /// Takes a page in. Returns whether that is enough: the week before `now` is covered, the list
    /// has ended, or it stops making sense.
    pub fn take(&mut self, page: Page<Post>, now: Timestamp) -> bool {
        self.sample.pages += 1;
        self.sample.seen += page.items.len() as u64;
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

    /// There is no next page after all.
    pub fn end(&mut self) {
        self.sample.exhausted = true;
    }

    /// The sample.
    ///
    /// # Errors
    ///
    /// If it is empty although the API claims that there are posts.
    pub fn finish(self) -> Result<PostSample, Error> {
        if self.sample.posts.is_empty() && !self.sample.exhausted {
            // A velocity of 0 would be an invented value.
            return Err(Error::transient("no posts, although there are said to be more"));
        }
        Ok(self.sample)
    }
}

/// Posts as far as they were collected.
#[derive(Debug)]
pub struct Collected {
    /// When the first page was given.
    pub at: Timestamp,
    /// The posts of all pages that came.
    pub sample: PostSample,
    /// Why no more pages came, although there are more and the week is not covered.
    pub cut_short: Option<Failure>,
}

/// Collects the posts of a listing, page by page.
///
/// "Not found" on a later page is the end of the list. Any other failure there cuts the sample short:
/// it is then known to miss posts, so its figures are marked as saturated, and its velocity reflects how
/// far the collecting got and nothing about the hashtag. Better than nothing, not better than a whole
/// sample that is still current.
///
/// # Errors
///
/// When not even one page came.
pub async fn posts(
    gateway: &Gateway,
    listing: &Listing,
    region: Region,
    paging: Paging,
    max_age: Duration,
    context: &mut RequestContext,
) -> Result<Collected, Failure> {
    let mut sampling = Sampling::new(paging);
    let mut taken_at = None;
    loop {
        let answered = gateway.ask(&sampling.query(listing, region), max_age, context).await;
        let page = answered.and_then(|answered| Ok((answered.at, answered.answer.posts()?)));
        let cut_short = match (page, taken_at) {
            (Ok((at, page)), _) => {
                let now = *taken_at.get_or_insert(at);
                if !sampling.take(page, now) {
                    continue;
                }
                None
            }
            (Err(failure), None) => return Err(failure),
            (Err(failure), Some(_)) if is_not_found(&failure) => {
                sampling.end();
                None
            }
            (Err(failure), Some(_)) => Some(failure),
        };
        // Without a page the loop has ended above.
        let at = taken_at.unwrap_or_default();
        return Ok(Collected { at, sample: sampling.finish()?, cut_short });
    }
}

/// Hashtags that a search found.
#[derive(Debug)]
pub struct Searched {
    /// When the answer was given.
    pub at: Timestamp,
    /// The hashtags, best match first.
    pub records: Vec<HashtagRecord>,
}

/// Searches for hashtags that resemble a keyword: one request, one page.
///
/// # Errors
///
/// `NotFound` among others when there are none.
pub async fn search(
    gateway: &Gateway,
    keyword: &Keyword,
    max_age: Duration,
    context: &mut RequestContext,
) -> Result<Searched, Failure> {
    let query = Query::SearchHashtags {
        keyword: keyword.to_string(),
        count: gateway.provider().hashtags_page_max,
        cursor: Cursor::start(),
    };
    let answered = gateway.ask(&query, max_age, context).await?;
    Ok(Searched { at: answered.at, records: answered.answer.hashtags()?.items })
}

/// Searches for the posts of the last week that match a keyword. None at all is an answer, too.
///
/// # Errors
///
/// As [`posts`], but for `NotFound`.
pub async fn keyword_posts(
    gateway: &Gateway,
    keyword: &Keyword,
    region: Region,
    paging: Paging,
    now: Timestamp,
    max_age: Duration,
    context: &mut RequestContext,
) -> Result<Collected, Failure> {
    let listing = Listing::Keyword(keyword.clone());
    match posts(gateway, &listing, region, paging, max_age, context).await {
        Err(failure) if is_not_found(&failure) => {
            let sample = PostSample { pages: 1, exhausted: true, ..PostSample::default() };
            Ok(Collected { at: now, sample, cut_short: None })
        }
        collected => collected,
    }
}
