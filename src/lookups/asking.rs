//! The requests that answer one question.

use std::collections::HashSet;
use std::time::Duration;

use tiktok_api::{Class, Cursor, Error, Order, Page, Provider, Query, Since};
use tiktok_api::{Hashtag, Region};
use units::Timestamp;

use super::finding::{Candidate, Candidates, Finding, Looked, Sample, Videos};
use super::service::{ApiHandle, KnownIds};
use super::{Question, Reason, Refusal};
use crate::gateway::refresh::{self, Found, Listing, Paging, RESOLUTION_TRUSTED_FOR, Resolved};
use crate::gateway::{Answered, Failure, RequestContext};
use crate::model::{Keyword, PostSample, PublicPost};

/// One question that is being answered.
pub(super) struct Asking<'a> {
    pub(super) api: &'a ApiHandle,
    pub(super) known: &'a KnownIds,
    pub(super) max_age: Duration,
    pub(super) now: Timestamp,
    pub(super) context: &'a mut RequestContext,
}

/// The known id, if it was seen recently enough.
pub(super) fn trusted(known: Option<Resolved>, now: Timestamp) -> Option<Resolved> {
    known.filter(|known| known.at.age(now).is_some_and(|age| age < RESOLUTION_TRUSTED_FOR))
}

/// The first request of a search.
pub(super) fn first_page(question: &Question, api: &ApiHandle) -> Option<Query> {
    match question {
        Question::Search { keyword, .. } => {
            Some(hashtags_page(keyword, api.gateway.provider(), Cursor::start()))
        }
        Question::Videos { keyword, since, sort, region, .. } => {
            Some(videos_page(keyword, *since, *sort, *region, api.page_size, Cursor::start()))
        }
        _ => None,
    }
}

impl Asking<'_> {
    pub(super) async fn answer(&mut self, question: &Question) -> Result<Finding, Refusal> {
        let notes = self.check_region(question.region()).await?;
        match question {
            Question::Lookup { hashtag } => {
                let found = self.look_up(hashtag).await?;
                Ok(Finding::Hashtag(Looked::new(&found.record, found.at, found.route)))
            }
            Question::Posts { hashtag, region, .. } => {
                let sample = self.posts(hashtag, *region, question.pages(), notes).await?;
                Ok(Finding::Sample(Box::new(sample)))
            }
            Question::Search { keyword, .. } => {
                self.search(keyword, question.pages()).await.map(Finding::Candidates)
            }
            Question::Videos { keyword, region, .. } => {
                self.videos(question, keyword, *region, notes).await.map(Finding::Videos)
            }
            Question::Regions => {
                let answered = self.ask(&Query::Regions).await;
                let regions = answered
                    .and_then(|answered| Ok(answered.answer.regions()?))
                    .map_err(|failure| self.refusal(failure))?;
                Ok(Finding::Regions(regions.iter().map(Region::to_string).collect()))
            }
        }
    }

    fn provider(&self) -> &'static Provider {
        self.api.gateway.provider()
    }

    fn refusal(&self, failure: Failure) -> Refusal {
        Refusal::of(failure, self.provider())
    }

    async fn ask(&mut self, query: &Query) -> Result<Answered, Failure> {
        self.api.gateway.ask(query, self.max_age, self.context).await
    }

    fn shown(&self, sample: &PostSample) -> Vec<PublicPost> {
        sample.posts.iter().map(|post| PublicPost::new(post, self.now)).collect()
    }

    /// Refuses a region that the API does not support: its response would be undefined. The list is cached for a
    /// long time. If it cannot be read, a note says so.
    async fn check_region(&mut self, region: Region) -> Result<Vec<String>, Refusal> {
        if region == Region::Any {
            return Ok(Vec::new());
        }
        // The list hardly ever changes, so the requested age does not apply to it.
        let listed = self.api.gateway.ask(&Query::Regions, Duration::MAX, self.context).await;
        match listed.and_then(|answered| Ok(answered.answer.regions()?)) {
            Ok(regions) if regions.contains(&region) => Ok(Vec::new()),
            Ok(regions) => {
                let count = regions.len();
                let reason = format!(
                    "region {region}: is not among the {count} regions that the API supports (the `regions` command lists them)"
                );
                Err(Refusal::new(Reason::Region, reason))
            }
            Err(Failure::Upstream(error))
                if !matches!(error.class, Class::Auth | Class::CreditsExhausted) =>
            {
                Ok(vec![format!("whether the API supports {region} could not be checked: {error}")])
            }
            Err(failure) => Err(self.refusal(failure)),
        }
    }

    async fn look_up(&mut self, hashtag: &Hashtag) -> Result<Found, Refusal> {
        let known = (self.known)(hashtag);
        let gateway = &self.api.gateway;
        let found =
            refresh::totals(gateway, hashtag, known.as_ref(), self.now, self.max_age, self.context).await;
        let led_astray = |failure: &Failure| {
            matches!(failure, Failure::Upstream(Error { class: Class::NotFound | Class::Malformed, .. }))
        };
        match found {
            // The name may lead to another id now.
            Err(failure) if led_astray(&failure) && trusted(known, self.now).is_some() => {
                refresh::totals(gateway, hashtag, None, self.now, self.max_age, self.context).await
            }
            found => found,
        }
        .map_err(|failure| match failure {
            failure if refresh::is_not_found(&failure) => Refusal::new(
                Reason::NotFound,
                format!("#{hashtag}: the API knows no such hashtag, neither by name nor through a search"),
            ),
            failure => self.refusal(failure),
        })
    }

    async fn posts(
        &mut self,
        hashtag: &Hashtag,
        region: Region,
        pages_max: u32,
        mut notes: Vec<String>,
    ) -> Result<Sample, Refusal> {
        let id = match trusted((self.known)(hashtag), self.now) {
            Some(resolved) => resolved.id,
            None => self.look_up(hashtag).await?.resolved.id,
        };
        let paging = Paging { pages_max, page_size: self.api.page_size };
        let listing = Listing::Hashtag(id.clone());
        let collected =
            refresh::posts(&self.api.gateway, &listing, region, paging, self.max_age, self.context).await;
        let collected = collected.map_err(|failure| self.refusal(failure))?;
        if let Some(failure) = &collected.cut_short {
            notes.push(format!("the sample was cut short: {failure}"));
        }
        let (sample, figures) = (&collected.sample, collected.sample.stats(region, collected.at));
        if figures.saturated {
            let note = "the sample does not reach back 7 days: its velocity reflects the size of the sample, not a trend";
            notes.push(note.to_owned());
        }
        Ok(Sample {
            hashtag: hashtag.to_string(),
            challenge_id: id.to_string(),
            region: region.to_string(),
            answered_timestamp_seconds: collected.at.as_secs(),
            posts_seen: sample.seen,
            posts_unique: sample.posts.len() as u64,
            posts: self.shown(sample),
            figures,
            counter_velocity: None,
            notes,
        })
    }

    async fn search(&mut self, keyword: &Keyword, pages: u32) -> Result<Candidates, Refusal> {
        let mut known = HashSet::new();
        let mut hashtags = Vec::new();
        let mut pager = Pager::new(self.provider());
        while let Some(cursor) = pager.next(pages) {
            let answered = self.ask(&hashtags_page(keyword, self.provider(), cursor)).await;
            let page = answered.and_then(|answered| Ok((answered.at, answered.answer.hashtags()?)));
            let Some(page) = pager.turn(page)? else { break };
            let before = hashtags.len();
            let new = page.items.iter().filter(|record| known.insert(record.hashtag.clone()));
            hashtags.extend(new.map(Candidate::from));
            pager.saw(hashtags.len() > before);
        }
        if hashtags.is_empty() {
            return Err(nothing_matches("hashtag", keyword));
        }
        let (keyword, at) = (keyword.to_string(), pager.at.as_secs());
        Ok(Candidates { keyword, answered_timestamp_seconds: at, notes: pager.notes, hashtags })
    }

    async fn videos(
        &mut self,
        question: &Question,
        keyword: &Keyword,
        region: Region,
        mut notes: Vec<String>,
    ) -> Result<Videos, Refusal> {
        let Question::Videos { since, sort, .. } = question else {
            return Err(Refusal::new(Reason::Settings, "is no search for posts"));
        };
        let mut known = HashSet::new();
        let mut sample = PostSample::default();
        let mut pager = Pager::new(self.provider());
        while let Some(cursor) = pager.next(question.pages()) {
            let query = videos_page(keyword, *since, *sort, region, self.api.page_size, cursor);
            let answered = self.ask(&query).await;
            let page = answered.and_then(|answered| Ok((answered.at, answered.answer.posts()?)));
            let Some(page) = pager.turn(page)? else { break };
            let before = sample.posts.len();
            sample.posts.extend(page.items.into_iter().filter(|post| known.insert(post.id.clone())));
            pager.saw(sample.posts.len() > before);
        }
        if sample.posts.is_empty() {
            return Err(nothing_matches("post", keyword));
        }
        let figures = sample.stats(region, pager.at);
        notes.append(&mut pager.notes);
        Ok(Videos {
            keyword: keyword.to_string(),
            region: region.to_string(),
            answered_timestamp_seconds: pager.at.as_secs(),
            posts_24h: figures.posts_24h,
            posts_7d: figures.posts_7d,
            plays: figures.plays,
            notes,
            posts: self.shown(&sample),
        })
    }
}

fn nothing_matches(what: &str, keyword: &Keyword) -> Refusal {
    Refusal::new(Reason::NotFound, format!("no {what} matches {:?}", keyword.as_str()))
}

fn hashtags_page(keyword: &Keyword, provider: &Provider, cursor: Cursor) -> Query {
    Query::SearchHashtags { keyword: keyword.to_string(), count: provider.hashtags_page_max, cursor }
}

fn videos_page(
    keyword: &Keyword,
    since: Since,
    order: Order,
    region: Region,
    count: u32,
    cursor: Cursor,
) -> Query {
    Query::SearchPosts { keyword: keyword.to_string(), since, order, region, count, cursor }
}

/// The pages of a search.
struct Pager {
    provider: &'static Provider,
    /// The time of the first page.
    at: Timestamp,
    turned: u32,
    /// Where the next page begins. `None` before the first page and after the last.
    cursor: Option<Cursor>,
    ended: bool,
    notes: Vec<String>,
}

impl Pager {
    fn new(provider: &'static Provider) -> Self {
        Self { provider, at: Timestamp::default(), turned: 0, cursor: None, ended: false, notes: Vec::new() }
    }

    /// Where the next page begins, unless this is the end.
    fn next(&mut self, pages: u32) -> Option<Cursor> {
        if self.ended || self.turned >= pages {
            return None;
        }
        Some(self.cursor.clone().unwrap_or_else(Cursor::start))
    }

    /// Takes a page or its failure. `None` is the end.
    fn turn<T>(&mut self, page: Result<(Timestamp, Page<T>), Failure>) -> Result<Option<Page<T>>, Refusal> {
        let is_first = self.turned == 0;
        self.turned += 1;
        match page {
            Ok((at, page)) => {
                self.at = if is_first { at } else { self.at };
                let stands_still = page.next.is_none() || page.next == self.cursor;
                self.ended = !page.more || stands_still;
                self.cursor = page.next.clone();
                Ok(Some(page))
            }
            Err(failure) if refresh::is_not_found(&failure) => Ok(None),
            Err(failure) if is_first => Err(Refusal::of(failure, self.provider)),
            Err(failure) => {
                self.notes.push(format!("there may be more: {failure}"));
                Ok(None)
            }
        }
    }

    /// A page without anything new is the end, even if it claims that there are more.
    fn saw(&mut self, anything_new: bool) {
        self.ended |= !anything_new;
    }
}
