//! Keeping the loop to its budget: what it needs, what it gets, and when which kind of job may start.
//!
//! Told the time; neither sleeps nor sends.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tiktok_api::Hashtag;
use units::{Credits, Timestamp};

use crate::credits::{Candidate, Denial, Ledger, Need, Pace, Pacer, Share, intervals, is_scarce};
use crate::model::Growth;
use crate::model::Purpose;
use crate::schedule::{Job, Rhythm, Subject};
use crate::state::JobKind;
use crate::watch::{Watched, Watchlist};

/// How often the need is compared with what is left.
const MEASURE_EVERY: Duration = Duration::from_secs(60);
/// Factors on intervals that differ by less than this part are not worth new due times.
const TOLERANCE: f64 = 0.05;
/// Weighed intervals are planned for this part of what there is, and of the longest wait: a queue that
/// is always full would be served in turn, and no weight would matter.
const AIM: f64 = 0.9;

/// The loop's share of the budget.
pub struct Pacing {
    ledger: Arc<Ledger>,
    /// What was handed out at the last measurement.
    pace: Pace,
    /// The factors that are in force, by kind; they follow the pace with some slack.
    factors: [f64; JobKind::ALL.len()],
    /// The intervals of totals, by hashtag, while looks are too few for all.
    weighed: HashMap<Hashtag, Duration>,
    pacers: [Pacer; JobKind::ALL.len()],
    measured: Option<Timestamp>,
}

impl Pacing {
    /// Nothing is stretched before the first measurement.
    pub fn new(ledger: Arc<Ledger>) -> Self {
        Self {
            ledger,
            pace: Pace::new(Need::default(), None),
            factors: [1.0; JobKind::ALL.len()],
            weighed: HashMap::new(),
            pacers: Default::default(),
            measured: None,
        }
    }

    /// Forgets when it last measured, because what is needed has changed.
    pub fn invalidate(&mut self) {
        self.measured = None;
    }

    /// Whether it is time to measure again.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        // A clock that went back would make it wait for ever.
        self.measured.is_none_or(|at| now >= at + MEASURE_EVERY || now < at)
    }

    /// Compares `need` with what the budgets have left. Returns whether the factors on the intervals
    /// have changed.
    pub fn measure(&mut self, need: Need, now: Timestamp) -> bool {
        let is_first = self.measured.replace(now).is_none();
        let standing = self.ledger.standing(now);
        self.pace = Pace::new(need, standing.daily_rate(now));
        if is_first {
            self.take_up(now);
        }
        let mut changed = false;
        for kind in JobKind::ALL {
            let (old, new) = (self.factors[kind as usize], self.share(kind).stretch);
            let is_near = (new - old).abs() <= old * TOLERANCE && (new > 1.0) == (old > 1.0);
            // Infinite minus infinite is no number, and not near.
            if new != old && !is_near {
                self.factors[kind as usize] = new;
                changed = true;
                report(kind, old, new);
            }
        }
        changed
    }

    /// Spaces the first starts from what was last spent, by whichever process: a loop of crashes must
    /// not begin anew each time.
    fn take_up(&mut self, now: Timestamp) {
        for kind in JobKind::ALL {
            if let Some(at) = self.ledger.last_entry_for(purpose(kind)) {
                let share = self.share(kind);
                self.pacers[kind as usize].take_up(at.min(now), share);
            }
        }
    }

    /// Shares out the looks at totals by the chance of an onset, if there are fewer than one per
    /// hashtag per day. Returns whether factors may have changed.
    pub fn weigh(
        &mut self,
        watchlist: &Watchlist,
        growth: &HashMap<Hashtag, Growth>,
        longest: Duration,
        now: Timestamp,
    ) -> bool {
        let was_weighed = !self.weighed.is_empty();
        self.weighed.clear();
        let share = self.pace.totals;
        let entries: Vec<&Watched> = watchlist.entries.iter().filter(|entry| !entry.on_trial).collect();
        if share.is_short() && !share.is_paused() && is_scarce(entries.len(), share.per_day) {
            let candidate = |watched: &&Watched| Candidate {
                chance: growth.get(&watched.hashtag).map_or(Growth::UNKNOWN, |growth| growth.chance(now)),
                configured: watched.terms.totals_interval,
            };
            let candidates: Vec<Candidate> = entries.iter().map(candidate).collect();
            let hashtags = entries.iter().map(|watched| watched.hashtag.clone());
            self.weighed =
                hashtags.zip(intervals(&candidates, share.per_day * AIM, longest.mul_f64(AIM))).collect();
        }
        was_weighed || !self.weighed.is_empty()
    }

    /// What was handed out at the last measurement.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// What the budget makes of the interval of a job.
    pub fn rhythm(&self, job: &Job, kind: JobKind) -> Rhythm {
        let weighed = match &job.subject {
            Subject::Hashtag(hashtag) if kind == JobKind::Totals => self.weighed.get(hashtag),
            _ => None,
        };
        weighed.map_or(Rhythm::Stretched(self.factors[kind as usize]), |own| Rhythm::After(*own))
    }

    /// Why nothing at all may be spent at `now`.
    pub fn denial(&self, now: Timestamp) -> Option<Denial> {
        self.ledger.denial(Purpose::Totals, Credits::ONE, now)
    }

    /// When a job of a kind may be started; `None` is at once.
    pub fn opens(&self, kind: JobKind, now: Timestamp) -> Option<Timestamp> {
        let measured_next = || self.measured.unwrap_or(now) + MEASURE_EVERY;
        if self.share(kind).is_paused() {
            return Some(measured_next());
        }
        if let Some(denial) = self.ledger.denial(purpose(kind), Credits::ONE, now) {
            return Some(denial.until().unwrap_or_else(measured_next));
        }
        // Paced only while it is short.
        let next = self.pacers[kind as usize].next();
        (self.share(kind).is_short() && next > now).then_some(next)
    }

    /// A job was started that costs about so many credits.
    pub fn started(&mut self, kind: JobKind, cost: f64, now: Timestamp) {
        let share = self.share(kind);
        self.pacers[kind as usize].started(Credits::estimated(cost), share, now);
    }

    fn share(&self, kind: JobKind) -> Share {
        match kind {
            JobKind::Totals => self.pace.totals,
            JobKind::Posts => self.pace.posts,
            JobKind::Discovery => self.pace.discovery,
        }
    }
}

/// What a kind of job is booked as.
pub fn purpose(kind: JobKind) -> Purpose {
    match kind {
        JobKind::Totals => Purpose::Totals,
        JobKind::Posts => Purpose::Posts,
        JobKind::Discovery => Purpose::Discovery,
    }
}

fn report(kind: JobKind, old: f64, new: f64) {
    let kind = kind.as_str();
    if new == f64::INFINITY {
        tracing::warn!(kind, "the budget is too short: these refreshes are paused");
    } else if new > 1.0 && old == 1.0 {
        tracing::warn!(
            kind,
            factor = format!("{new:.2}"),
            "the budget is short: all intervals of this kind are stretched"
        );
    } else if new == 1.0 {
        tracing::info!(kind, "the budget suffices: intervals are as configured");
    } else {
        tracing::debug!(kind, factor = format!("{new:.2}"), "intervals are stretched by another factor");
    }
}
