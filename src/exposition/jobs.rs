//! How many jobs are due, answered for any moment without walking the snapshot again.

use prometheus::proto::MetricFamily;
use units::Timestamp;

use super::families::families;
use super::sheet::Sheet;
use crate::state::{JobKind, Refresh, Snapshot};

families! {
    ///Refresh jobs in the schedule by kind: totals (one per listed hashtag), posts (one per listed
    /// hashtag and region), discovery (all searches by keyword, and all that is asked about hashtags on trial).
    ALL_JOBS = "tiktok_exporter_jobs";
    ///Refresh jobs by kind whose time has come and that have not ended yet.
    DUE = "tiktok_exporter_jobs_due";
    ///Refresh jobs by kind that have been due for more than a tenth of their interval.
    OVERDUE = "tiktok_exporter_jobs_overdue";
}

/// All, due and overdue jobs, by kind.
pub(super) type Counts = [[usize; 3]; JobKind::ALL.len()];

/// The times of all jobs of a snapshot.
#[derive(Default)]
pub(super) struct JobTimes([Times; JobKind::ALL.len()]);

/// The times of the jobs of one kind, sorted.
#[derive(Default)]
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
    let mut sheet = Sheet::default();
    for (kind, [all, due, overdue]) in JobKind::ALL.into_iter().zip(*counts) {
        let labels = [("kind", kind.as_str())];
        sheet.put(&ALL_JOBS, &labels, all as f64);
        sheet.put(&DUE, &labels, due as f64);
        sheet.put(&OVERDUE, &labels, overdue as f64);
    }
    sheet.into_families(ALL)
}
