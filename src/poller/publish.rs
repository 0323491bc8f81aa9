//! Publishing snapshots.

use std::sync::Arc;

use super::Poller;
use crate::schedule::{Job, Subject};
use crate::state::{Refresh, Snapshot};

impl Poller {
    /// Copies intervals and due times of a subject's jobs from the schedule. Entries that do not change stay
    /// shared with the last snapshot.
    pub(super) fn show_times(&mut self, subject: &Subject) {
        let timed = |region, refresh: &Refresh| {
            let job = Job { subject: subject.clone(), region };
            let interval = self.schedule.interval(&job).unwrap_or(refresh.interval);
            Refresh { interval, next_due: self.schedule.due(&job), ..*refresh }
        };
        match subject {
            Subject::Hashtag(hashtag) => {
                let Some(known) = self.hashtags.get_mut(hashtag) else { return };
                let totals = timed(None, &known.refresh);
                let regions: Vec<Refresh> =
                    known.regions.iter().map(|state| timed(Some(state.region), &state.refresh)).collect();
                let is_same = known.regions.iter().map(|state| &state.refresh).eq(&regions);
                if totals != known.refresh || !is_same {
                    let known = Arc::make_mut(known);
                    known.refresh = totals;
                    let states = known.regions.iter_mut().zip(regions);
                    states.for_each(|(state, refresh)| state.refresh = refresh);
                }
            }
            // There are only a few keywords.
            Subject::Keyword(keyword) => {
                let Some(known) = self.keywords.get_mut(keyword).map(Arc::make_mut) else { return };
                known.refresh = timed(None, &known.refresh);
                for state in &mut known.regions {
                    state.refresh = timed(Some(state.region), &state.refresh);
                }
            }
        }
    }

    /// Publishes a snapshot with the intervals and due times of all jobs.
    pub(super) fn publish_all(&mut self) {
        let hashtags = self.hashtags.keys().cloned().map(Subject::Hashtag);
        let subjects: Vec<Subject> =
            hashtags.chain(self.keywords.keys().cloned().map(Subject::Keyword)).collect();
        subjects.iter().for_each(|subject| self.show_times(subject));
        self.publish();
    }

    pub(super) fn publish(&self) {
        self.parts.state.publish(Snapshot {
            made_at: self.clock_watch.latest(),
            hashtags: self.hashtags.values().cloned().collect(),
            keywords: self.keywords.values().cloned().collect(),
        });
    }
}
