//! How many jobs are due, for any moment, without walking the snapshot again.

use metrics_page::{collect, families};
use prometheus::proto::MetricFamily;
use units::Timestamp;

use crate::model::JobKind;
use crate::state::{Refresh, Snapshot};

families! {
    /// The families of the schedule; the value is the index in [`Counts`].
    pub(super) const FAMILIES: usize = "the schedule";

    /// Scheduled refresh jobs by kind: totals (one per listed hashtag), posts (one per listed hashtag and region),
    /// discovery (all keyword searches, and all refreshes of hashtags on trial).
    gauge "tiktok_exporter_jobs" [kind] => 0;
    /// Refresh jobs by kind that are due and have not ended yet.
    gauge "tiktok_exporter_jobs_due" [kind] => 1;
    /// Refresh jobs by kind that have been due for more than a tenth of their interval.
    gauge "tiktok_exporter_jobs_overdue" [kind] => 2;
}

/// All, due and overdue jobs, by kind.
pub(super) type Counts = [[usize; 3]; JobKind::ALL.len()];

/// The times of all jobs of a snapshot.
#[derive(Debug, Default)]
pub(super) struct JobTimes([Times; JobKind::ALL.len()]);

/// The times of the jobs of one kind, sorted.
#[derive(Debug, Default)]
struct Times {
    all: usize,
    due: Vec<Timestamp>,
    overdue: Vec<Timestamp>,
}

impl JobTimes {
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let on_trial = snapshot.on_trial();
        let (trials, listed): (Vec<_>, Vec<_>) =
            snapshot.hashtags.iter().partition(|state| on_trial.contains(&state.hashtag));
        let totals = listed.iter().map(|hashtag| &hashtag.refresh);
        let posts = listed.iter().flat_map(|hashtag| &hashtag.regions).map(|region| &region.refresh);
        let trials = trials.into_iter().flat_map(|state| state.refreshes());
        let discovery = trials.chain(snapshot.keywords.iter().flat_map(|state| state.refreshes()));
        Self([Times::of(totals), Times::of(posts), Times::of(discovery)])
    }

    pub(super) fn counts(&self, now: Timestamp) -> Counts {
        self.0.each_ref().map(|times| {
            let past = |times: &[Timestamp]| times.partition_point(|at| *at <= now);
            [times.all, past(&times.due), times.overdue.partition_point(|at| *at < now)]
        })
    }
}

impl Times {
    fn of<'a>(refreshes: impl Iterator<Item = &'a Refresh>) -> Self {
        let mut times = Self::default();
        for refresh in refreshes {
            times.all += 1;
            if let Some(at) = refresh.next_due {
                times.due.push(at);
                times.overdue.push(at + refresh.interval / 10);
            }
        }
        for times in [&mut times.due, &mut times.overdue] {
            times.sort_unstable();
            times.shrink_to_fit();
        }
        times
    }
}

/// Counts as metric families.
pub(super) fn families(counts: &Counts) -> Vec<MetricFamily> {
    collect(FAMILIES, |place, family| {
        for (kind, counts) in JobKind::ALL.into_iter().zip(counts) {
            family.put(&[kind.as_str()], counts[*place] as f64);
        }
    })
}
