//! Keeping the loop within the budget.

use std::sync::Arc;

use super::Poller;
use crate::credits::{Denial, cost};

impl Poller {
    /// Once a minute, compares what the jobs need with what the budget has left, and stretches the intervals
    /// accordingly.
    pub(super) async fn check_budget(&mut self) {
        let now = self.parts.clock.now();
        let is_due = self.pacing.is_stale(now);
        if is_due || self.pacing.denial(now).is_some() {
            // Another process may have set the balance, or repaired what stopped spending.
            self.parts.ledger.reload(now).await;
        }
        if !is_due {
            return;
        }
        let retry = self.plan.not_found_retry;
        let hashtags = self.watchlist.entries.iter().flat_map(|watched| {
            cost::hashtag_tasks(watched, self.hashtags.get(&watched.hashtag).map(Arc::as_ref), retry)
        });
        let keywords = self.plan.following.iter().flat_map(|followed| {
            cost::keyword_tasks(followed, self.keywords.get(&followed.keyword).map(Arc::as_ref))
        });
        let need = hashtags.chain(keywords).collect();
        let is_stretched = self.pacing.measure(need, now);
        let longest = self.plan.longest_interval;
        let is_weighted = self.pacing.weight_totals(&self.watchlist, &self.growth, longest, now);
        if is_stretched || is_weighted {
            let pacing = &self.pacing;
            self.schedule.change(|job, kind| pacing.rhythm(job, kind), now);
            self.publish_all();
        }
        self.parts.state.api().set_pace(self.pacing.planned());
    }

    /// Logs when spending stops and when it resumes.
    pub(super) fn log_denial(&mut self, denial: Option<Denial>) {
        let reason = denial.as_ref().map(Denial::reason);
        if reason == self.denied {
            return;
        }
        match denial {
            Some(denial) => {
                tracing::error!(reason, "spending has stopped, the last values stay: {denial}");
            }
            None => tracing::info!("spending has resumed"),
        }
        self.denied = reason;
    }
}
