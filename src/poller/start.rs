//! Starting jobs that are due.

use std::time::Duration;

use tiktok_api::{Hashtag, Region};
use tokio::task::AbortHandle;
use tokio::time::Instant;
use units::Timestamp;

use super::results::Refreshed;
use super::{Poller, Running};
use crate::credits::cost;
use crate::gateway::refresh::{self, Listing, Paging, Resolved};
use crate::gateway::{Admission, RequestContext};
use crate::model::{JobKind, Keyword, Purpose};
use crate::schedule::{Job, Subject};

/// The longest sleep of the loop, so that a step of the wall clock is noticed.
const MAX_WAIT: Duration = Duration::from_secs(30);

impl Poller {
    /// Starts the jobs that are due and may run. Returns how long to wait for the next one.
    pub(super) fn start_due(&mut self) -> Duration {
        let now = self.parts.clock.now();
        let admission = self.parts.gateway.admission();
        // A store that failed is tried with a single request, as is a key that was rejected.
        let failure = self.parts.ledger.write_failure();
        let has_failed = failure.is_some();
        let denial = self.pacing.denial(now).or(failure);
        let denied = denial.is_some();
        self.log_denial(denial);
        if self.stopped && admission == Admission::All && !denied {
            self.schedule.catch_up(now);
            self.publish_all();
        }
        self.stopped = admission != Admission::All || denied;
        let hold = self.hold_until.saturating_duration_since(Instant::now());
        if !hold.is_zero() {
            return hold;
        }
        let room = match admission {
            Admission::All if has_failed => usize::from(self.running.is_empty()),
            Admission::All => self.plan.concurrency.saturating_sub(self.running.len()),
            Admission::Trial(_) => usize::from(self.running.is_empty()),
            Admission::Nothing(_, opens) => return wait_until(opens, now),
        };
        for started in 0..=room {
            if started == room {
                // No room until a refresh ends, which wakes the loop.
                return MAX_WAIT;
            }
            let opens = JobKind::ALL.map(|kind| self.pacing.opens_at(kind, now));
            let is_open = |kind: JobKind| opens[kind as usize].is_none();
            let Some((job, kind)) = self.schedule.start_next(now, is_open) else { break };
            self.start(job, kind, now);
        }
        let wakes = JobKind::ALL.into_iter().filter_map(|kind| {
            let due = self.schedule.next_wake(kind)?;
            Some(self.pacing.opens_at(kind, now).map_or(due, |opens| due.max(opens)))
        });
        wait_until(wakes.min(), now)
    }

    fn start(&mut self, job: Job, kind: JobKind, now: Timestamp) {
        let started = match &job.subject {
            Subject::Hashtag(hashtag) => self.start_hashtag(&job, hashtag, kind, now),
            Subject::Keyword(keyword) => self.start_keyword(keyword, job.region, now),
        };
        if let Some((handle, cost)) = started {
            self.pacing.started(kind, cost, now);
            self.running.insert(handle.id(), Running { job, kind, clock_back: Duration::ZERO });
        }
    }

    /// Requests the totals or the posts of a hashtag. Returns the likely cost in credits.
    fn start_hashtag(
        &mut self,
        job: &Job,
        hashtag: &Hashtag,
        kind: JobKind,
        now: Timestamp,
    ) -> Option<(AbortHandle, f64)> {
        let known = self.hashtags.get(hashtag)?;
        let watched = self.watchlist.get(hashtag)?;
        let cost = cost::hashtag(watched, Some(known), job.region);
        let resolved = known.id.clone().map(|id| Resolved { id, at: known.resolved_at.unwrap_or_default() });
        let gateway = self.parts.gateway.clone();
        let mut context = RequestContext::new(Purpose::Job(kind), Some(hashtag.clone()));
        let Some(region) = job.region else {
            let max_age = fresh_enough(watched.terms.totals_interval);
            // If the id was not found, the hashtag may have a new one, which only its name leads to.
            let resolved = resolved.filter(|_| known.found != Some(false));
            let hashtag = hashtag.clone();
            let handle = self.refreshes.spawn(async move {
                let known = resolved.as_ref();
                let found = refresh::totals(&gateway, &hashtag, known, now, max_age, &mut context).await;
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
            let posts = refresh::posts(&gateway, &listing, region, paging, max_age, &mut context).await;
            Refreshed::Posts(posts)
        });
        Some((handle, cost))
    }

    /// Searches for the hashtags or the posts of a keyword. Returns the likely cost in credits.
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
        let mut context = RequestContext::new(Purpose::Job(JobKind::Discovery), None);
        let handle = match region {
            None => {
                let max_age = fresh_enough(followed.search_interval);
                self.refreshes.spawn(async move {
                    Refreshed::Search(refresh::search(&gateway, &keyword, max_age, &mut context).await)
                })
            }
            Some(region) => {
                let paging = Paging { pages_max: followed.terms.pages_max, page_size: self.plan.page_size };
                let max_age = fresh_enough(followed.terms.posts_interval);
                self.refreshes.spawn(async move {
                    let context = &mut context;
                    let posts =
                        refresh::keyword_posts(&gateway, &keyword, region, paging, now, max_age, context);
                    Refreshed::Posts(posts.await)
                })
            }
        };
        Some((handle, cost))
    }
}

fn wait_until(at: Option<Timestamp>, now: Timestamp) -> Duration {
    at.map_or(MAX_WAIT, |at| at.saturating_since(now)).min(MAX_WAIT)
}

/// Maximum age of an answer in the cache, paid for by a look-up, that counts as a refresh.
fn fresh_enough(interval: Duration) -> Duration {
    interval / 4
}
