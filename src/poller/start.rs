//! Starting what is due.

use std::time::Duration;

use tiktok_api::{Hashtag, Region};
use tokio::task::AbortHandle;
use units::Timestamp;

use super::intake::Refreshed;
use super::{Poller, Running};
use crate::credits::{self, cost};
use crate::gateway::RequestContext;
use crate::gateway::refresh::{self, Listing, Paging, Resolved};
use crate::model::Keyword;
use crate::model::Purpose;
use crate::schedule::{Job, Subject};
use crate::state::JobKind;

impl Poller {
    pub(super) fn start(&mut self, job: Job, kind: JobKind, now: Timestamp) {
        let started = match &job.subject {
            Subject::Hashtag(hashtag) => self.start_hashtag(&job, hashtag, kind, now),
            Subject::Keyword(keyword) => self.start_keyword(keyword, job.region, now),
        };
        if let Some((handle, cost)) = started {
            self.pacing.started(kind, cost, now);
            self.running.insert(handle.id(), Running { job, kind, back: Duration::ZERO });
        }
    }

    /// Asks for the totals or the posts of a hashtag. Returns what it is likely to cost.
    fn start_hashtag(
        &mut self,
        job: &Job,
        hashtag: &Hashtag,
        kind: JobKind,
        now: Timestamp,
    ) -> Option<(AbortHandle, f64)> {
        let known = self.book.get(hashtag)?;
        let watched = self.watchlist.get(hashtag)?;
        let cost = cost::hashtag(watched, Some(known), job.region);
        let resolved = known.id.clone().map(|id| Resolved { id, at: known.resolved_at.unwrap_or_default() });
        let gateway = self.parts.gateway.clone();
        let mut errand = RequestContext::new(credits::purpose(kind), Some(hashtag.clone()));
        let Some(region) = job.region else {
            let max_age = fresh_enough(watched.terms.totals_interval);
            // An id that led nowhere may have a successor, which only the name leads to.
            let resolved = resolved.filter(|_| known.found != Some(false));
            let hashtag = hashtag.clone();
            let handle = self.refreshes.spawn(async move {
                let known = resolved.as_ref();
                let found = refresh::totals(&gateway, &hashtag, known, now, max_age, &mut errand).await;
                Refreshed::Totals(found)
            });
            return Some((handle, cost));
        };
        let Some(Resolved { id, .. }) = resolved else {
            self.schedule.block(job);
            return None;
        };
        let paging = Paging { pages_max: watched.terms.pages_max, page_size: self.plan.page_size };
        let max_age = fresh_enough(watched.terms.posts_interval);
        let listing = Listing::Hashtag(id);
        let handle = self.refreshes.spawn(async move {
            let posts = refresh::posts(&gateway, &listing, region, paging, max_age, &mut errand).await;
            Refreshed::Posts(posts)
        });
        Some((handle, cost))
    }

    /// Searches for the hashtags or the posts of a keyword. Returns what it is likely to cost.
    fn start_keyword(
        &mut self,
        keyword: &Keyword,
        region: Option<Region>,
        now: Timestamp,
    ) -> Option<(AbortHandle, f64)> {
        let followed = self.plan.following.iter().find(|followed| followed.keyword == *keyword)?;
        let known = self.keywords.get(keyword).map(AsRef::as_ref);
        let cost = cost::keyword(followed, known, region);
        let (gateway, keyword) = (self.parts.gateway.clone(), keyword.clone());
        let mut errand = RequestContext::new(Purpose::Discovery, None);
        let handle = match region {
            None => {
                let max_age = fresh_enough(followed.search_interval);
                self.refreshes.spawn(async move {
                    Refreshed::Search(refresh::search(&gateway, &keyword, max_age, &mut errand).await)
                })
            }
            Some(region) => {
                let paging = Paging { pages_max: followed.terms.pages_max, page_size: self.plan.page_size };
                let max_age = fresh_enough(followed.terms.posts_interval);
                self.refreshes.spawn(async move {
                    let errand = &mut errand;
                    let posts =
                        refresh::keyword_posts(&gateway, &keyword, region, paging, now, max_age, errand);
                    Refreshed::Posts(posts.await)
                })
            }
        };
        Some((handle, cost))
    }
}

/// How old an answer may be that a person's look-up has already paid for, to count as a refresh.
fn fresh_enough(interval: Duration) -> Duration {
    interval / 4
}
