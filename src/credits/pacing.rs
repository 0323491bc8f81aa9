//! Keeps the loop within the budget: what it needs, what it gets, and when each kind of job may start.
//!
//! Takes the time as an argument; neither waits nor sends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tiktok_api::Hashtag;
use units::{Credits, Timestamp};

use super::attention::{Weight, is_scarce, weighted_intervals};
use crate::credits::{Denial, Ledger, Need, Pace, Pacer, Share};
use crate::model::{Growth, JobKind, Purpose};
use crate::schedule::{Job, Rhythm, Subject};
use crate::state::PlannedPace;
use crate::watch::{Watched, Watchlist};

/// How often the need is compared with the budget.
const MEASURE_EVERY: Duration = Duration::from_secs(60);
/// Relative difference below which a factor is not changed, so that due times stay.
const TOLERANCE: f64 = 0.05;
/// Weighted intervals use this part of the budget and of the longest interval. If they used all of it, jobs
/// would always wait and start in turn, and weights would have no effect.
const UTILIZATION: f64 = 0.9;

/// The budget of the loop.
pub struct Pacing {
    ledger: Arc<Ledger>,
    /// The shares at the last measurement.
    pace: Pace,
    /// The current factors on the intervals, by kind. Small changes of the shares do not change them.
    factors: [f64; JobKind::ALL.len()],
    /// The intervals of totals by hashtag, while there is less than one refresh per hashtag per day.
    weighted: HashMap<Hashtag, Duration>,
    pacers: [Pacer; JobKind::ALL.len()],
    measured: Option<Timestamp>,
}

impl Pacing {
    /// Intervals are as configured until the first measurement.
    pub fn new(ledger: Arc<Ledger>) -> Self {
        Self {
            ledger,
            pace: Pace::new(Need::default(), None),
            factors: [1.0; JobKind::ALL.len()],
            weighted: HashMap::new(),
            pacers: Default::default(),
            measured: None,
        }
    }

    /// Makes a new measurement due.
    pub fn invalidate(&mut self) {
        self.measured = None;
    }

    /// Whether a new measurement is due.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.measured.is_none_or(|at| now.saturating_since(at) >= MEASURE_EVERY)
    }

    /// Compares `need` with what is left of the budgets. Returns whether the factors on the intervals have
    /// changed.
    pub fn measure(&mut self, need: Need, now: Timestamp) -> bool {
        let is_first = self.measured.replace(now).is_none();
        let standing = self.ledger.standing(now);
        self.pace = Pace::new(need, standing.daily_rate(now));
        if is_first {
            self.resume(now);
        }
        let mut changed = false;
        for kind in JobKind::ALL {
            let (old, new) = (self.factors[kind as usize], self.share(kind).stretch);
            let is_near = (new - old).abs() <= old * TOLERANCE && (new > 1.0) == (old > 1.0);
            // Infinity minus infinity is NaN, which is not near.
            if new != old && !is_near {
                self.factors[kind as usize] = new;
                changed = true;
                log_change(kind, old, new);
            }
        }
        changed
    }

    /// Spaces the first jobs from the last entries of the ledger: a program that crashes repeatedly must not
    /// start over each time.
    fn resume(&mut self, now: Timestamp) {
        for kind in JobKind::ALL {
            if let Some(at) = self.ledger.last_entry_for(Purpose::Job(kind)) {
                let share = self.share(kind);
                // The ledger accepts entries ahead of the clock. They must not delay the jobs further.
                self.pacers[kind as usize].resume(at.min(now), share);
            }
        }
    }

    /// Weights the intervals of totals by the chance to take off if there is less than one refresh per
    /// hashtag per day. Returns whether intervals may have changed.
    pub fn weight_totals(
        &mut self,
        watchlist: &Watchlist,
        growth: &HashMap<Hashtag, Growth>,
        longest: Duration,
        now: Timestamp,
    ) -> bool {
        let was_weighted = !self.weighted.is_empty();
        self.weighted.clear();
        let share = self.pace.totals;
        let entries: Vec<&Watched> = watchlist.entries.iter().filter(|entry| !entry.on_trial).collect();
        if share.is_short() && !share.is_paused() && is_scarce(entries.len(), share.per_day) {
            let weight = |watched: &&Watched| Weight {
                chance: growth.get(&watched.hashtag).map_or(Growth::UNKNOWN, |growth| growth.chance(now)),
                configured: watched.terms.totals_interval,
            };
            let weights: Vec<Weight> = entries.iter().map(weight).collect();
            let hashtags = entries.iter().map(|watched| watched.hashtag.clone());
            self.weighted = hashtags
                .zip(weighted_intervals(&weights, share.per_day * UTILIZATION, longest.mul_f64(UTILIZATION)))
                .collect();
        }
        was_weighted || !self.weighted.is_empty()
    }

    /// How the budget changes the interval of a job.
    pub fn rhythm(&self, job: &Job, kind: JobKind) -> Rhythm {
        let weighted = match &job.subject {
            Subject::Hashtag(hashtag) if kind == JobKind::Totals => self.weighted.get(hashtag),
            _ => None,
        };
        weighted.map_or(Rhythm::Stretched(self.factors[kind as usize]), |own| Rhythm::After(*own))
    }

    /// Why no job at all may start at `now`.
    pub fn denial(&self, now: Timestamp) -> Option<Denial> {
        self.ledger.denial(Purpose::Job(JobKind::Totals), Credits::ONE, now)
    }

    /// When the next job of a kind may start. `None` is now.
    pub fn opens_at(&self, kind: JobKind, now: Timestamp) -> Option<Timestamp> {
        let measured_next = || self.measured.unwrap_or(now) + MEASURE_EVERY;
        if self.share(kind).is_paused() {
            return Some(measured_next());
        }
        if let Some(denial) = self.ledger.denial(Purpose::Job(kind), Credits::ONE, now) {
            return Some(denial.until().unwrap_or_else(measured_next));
        }
        // Jobs are spaced only while the budget is short.
        let next = self.pacers[kind as usize].next();
        (self.share(kind).is_short() && next > now).then_some(next)
    }

    /// A job was started with this likely cost in credits.
    pub fn started(&mut self, kind: JobKind, cost: f64, now: Timestamp) {
        let share = self.share(kind);
        self.pacers[kind as usize].started(Credits::estimated(cost), share, now);
    }

    /// The pace since the last measurement, for the metrics page.
    pub fn planned(&self) -> PlannedPace {
        let stretch = JobKind::ALL.map(|kind| self.share(kind).stretch);
        PlannedPace { stretch, per_day: self.pace.per_day() }
    }

    fn share(&self, kind: JobKind) -> Share {
        match kind {
            JobKind::Totals => self.pace.totals,
            JobKind::Posts => self.pace.posts,
            JobKind::Discovery => self.pace.discovery,
        }
    }
}

fn log_change(kind: JobKind, old: f64, new: f64) {
    let kind = kind.as_str();
    if new == f64::INFINITY {
        tracing::warn!(kind, "the budget is too small: these refreshes are paused");
    } else if new > 1.0 && old == 1.0 {
        tracing::warn!(
            kind,
            factor = format!("{new:.2}"),
            "the budget is short: all intervals of this kind are longer"
        );
    } else if new == 1.0 {
        tracing::info!(kind, "the budget is sufficient: intervals are as configured");
    } else {
        tracing::debug!(kind, factor = format!("{new:.2}"), "the factor on the intervals has changed");
    }
}
