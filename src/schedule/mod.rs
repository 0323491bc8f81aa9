//! When to ask for what. Pure: the time is told, nothing is awaited or sent.
//!
//! Every job owns a slot in its interval, and the slots of all jobs with the same interval are
//! spread evenly over it. They depend on what is planned alone, so a restart or a reload finds the
//! same slots again and nothing bunches up:
//!
//! * a job that was never asked is due at once (the first look at a new hashtag), before all others;
//! * after a refresh, good or bad, the next one is due at the first slot at least half an interval
//!   later: one shorter or longer wait, then the interval exactly;
//! * what was missed, because the program was down or not allowed to spend, is caught up in the
//!   order latest first, as slowly as it was missed: the usual rate doubles at the most, and no job
//!   waits past its next slot;
//! * a hashtag that the upstream does not know is asked rarely, whether it says so or nothing at all,
//!   and its posts wait until it is known;
//! * a stretched job ([`Rhythm::Stretched`]) has its slot in a stretched interval: jobs of one interval
//!   that are stretched alike are still spread evenly over it, the same after every restart;
//! * a job with an interval of its own ([`Rhythm::After`]) has no slot: it is due that long after its
//!   last refresh.

mod job;
mod rhythm;
mod slot;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::{Hashtag, Timestamp};
use crate::state::{JobKind, Outcome};
use slot::{Slot, caught_up, slots};

pub use job::{Job, Past, Planned, Subject, jobs};
pub use rhythm::Rhythm;

/// All jobs and when they are due.
#[derive(Debug)]
pub struct Schedule {
    not_found_retry: Duration,
    made_at: Timestamp,
    jobs: BTreeMap<Job, Entry>,
    /// The jobs that wait for their time, by kind, in the order in which they are started.
    queues: [BTreeSet<(Due, Job)>; JobKind::ALL.len()],
}

#[derive(Debug)]
struct Entry {
    kind: JobKind,
    /// The slot as configured.
    slot: Slot,
    /// How the budget changes it.
    rhythm: Rhythm,
    /// When the last refresh ended, and how.
    last: Option<(Timestamp, Outcome)>,
    /// Whether the upstream last said that there is no such thing; a failure says neither.
    absent: bool,
    state: EntryState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EntryState {
    /// In the queue.
    Waiting(Due),
    /// Started; its due time is kept for [`Schedule::put_back`].
    Running(Due),
    /// Posts of a hashtag that is not resolved.
    Blocked,
}

/// When a job is due. `None` is "at once": a job that was never asked, before all others.
type Due = Option<Timestamp>;

impl Entry {
    /// The slot as it is kept.
    fn kept_slot(&self) -> Slot {
        let Slot { interval, offset, .. } = self.slot;
        match self.rhythm {
            Rhythm::Stretched(factor) => {
                Slot { interval: interval.mul_f64(factor), offset: offset.mul_f64(factor), strict: false }
            }
            Rhythm::After(own) => Slot { interval: own.max(interval), offset, strict: true },
        }
    }
}

impl Schedule {
    /// A schedule of nothing.
    pub fn empty(now: Timestamp) -> Self {
        Self {
            not_found_retry: Duration::ZERO,
            made_at: now,
            jobs: BTreeMap::new(),
            queues: Default::default(),
        }
    }

    /// Plans all jobs. `past` tells what is remembered of each.
    pub fn new(
        planned: &[Planned],
        not_found_retry: Duration,
        past: impl Fn(&Job) -> Past,
        now: Timestamp,
    ) -> Self {
        let mut schedule = Self { not_found_retry, ..Self::empty(now) };
        let entry = |(Planned { job, kind, .. }, slot): (&Planned, Slot)| {
            let past = past(job);
            // A stored time from the future is a clock that was wrong, then or now.
            let last = past.last.map(|(at, outcome)| (at.min(now), outcome));
            let state = match last {
                _ if job.region.is_some() && !past.resolved => EntryState::Blocked,
                // Never asked: at once.
                None => EntryState::Waiting(None),
                Some((at, outcome)) => {
                    let absent = past.absent || outcome == Outcome::NotFound;
                    let due = schedule.next_due(slot, (at, outcome), absent);
                    EntryState::Waiting(Some(caught_up(slot, due, now)))
                }
            };
            let absent = past.absent || matches!(last, Some((_, Outcome::NotFound)));
            let (kind, rhythm) = (*kind, Rhythm::AS_CONFIGURED);
            (job.clone(), Entry { kind, slot, rhythm, last, absent, state })
        };
        // All at once: trees that are filled one by one are a third larger.
        schedule.jobs = slots(planned).into_iter().map(entry).collect();
        schedule.queues = JobKind::ALL.map(|kind| schedule.waiting(kind).collect());
        schedule
    }

    /// Plans all jobs while those of `running` are under way: the ones that are planned go on running,
    /// even if they were not planned for a while, and the others keep their time.
    pub fn taking_over<'a>(
        running: impl IntoIterator<Item = &'a Job>,
        planned: &[Planned],
        not_found_retry: Duration,
        past: impl Fn(&Job) -> Past,
        now: Timestamp,
    ) -> Self {
        let mut new = Self::new(planned, not_found_retry, past, now);
        for job in running {
            // It was due when it was started; should it be put back, it still is.
            if let Some(entry) = new.jobs.get(job) {
                let due = entry.last.map(|_| now);
                new.set(job, EntryState::Running(due));
            }
        }
        new
    }

    /// Takes the next job that is due at `now`, of a kind that is `open`, and marks it as running.
    pub fn start_next(&mut self, now: Timestamp, open: impl Fn(JobKind) -> bool) -> Option<(Job, JobKind)> {
        let kinds = JobKind::ALL.into_iter().filter(|kind| open(*kind));
        let (due, job) = kinds.filter_map(|kind| self.queues[kind as usize].first()).min()?.clone();
        if due.is_some_and(|due| due > now) {
            return None;
        }
        self.set(&job, EntryState::Running(due));
        let kind = self.jobs.get(&job)?.kind;
        Some((job, kind))
    }

    /// Gives each job another rhythm. One that differs little from the one in force changes nothing,
    /// so that jobs keep their slots.
    pub fn change(&mut self, rhythm: impl Fn(&Job, JobKind) -> Rhythm, now: Timestamp) {
        let mut moved = Vec::new();
        for (job, entry) in &mut self.jobs {
            let rhythm = rhythm(job, entry.kind).sound();
            if rhythm.is_near(entry.rhythm) {
                continue;
            }
            entry.rhythm = rhythm;
            if let (EntryState::Waiting(Some(_)), Some(last)) = (entry.state, entry.last) {
                moved.push((job.clone(), entry.kept_slot(), last, entry.absent));
            }
        }
        for (job, slot, last, absent) in moved {
            let due = caught_up(slot, self.next_due(slot, last, absent), now);
            self.set(&job, EntryState::Waiting(Some(due)));
        }
    }

    /// A started job ended at `now`: plans its next refresh.
    pub fn finished(&mut self, job: &Job, outcome: Outcome, now: Timestamp) {
        if let Some(entry) = self.jobs.get_mut(job) {
            entry.last = Some((now, outcome));
            entry.absent = match outcome {
                Outcome::Success => false,
                Outcome::NotFound => true,
                Outcome::Failed => entry.absent,
            };
            let (slot, absent) = (entry.kept_slot(), entry.absent);
            let due = self.next_due(slot, (now, outcome), absent);
            self.set(job, EntryState::Waiting(Some(due)));
        }
    }

    /// A started job was not carried out: it stays due.
    pub fn put_back(&mut self, job: &Job) {
        if let Some(Entry { state: EntryState::Running(due), .. }) = self.jobs.get(job) {
            self.set(job, EntryState::Waiting(*due));
        }
    }

    /// A started job could not be carried out for want of its hashtag's id: it waits until that is
    /// known.
    pub fn block(&mut self, job: &Job) {
        self.set(job, EntryState::Blocked);
    }

    /// The hashtag's id is known (again, or no longer): its posts start, or stop, waiting for
    /// their time. `asked` tells when posts of a job were last asked for.
    pub fn resolved(
        &mut self,
        hashtag: &Hashtag,
        resolved: bool,
        past: impl Fn(&Job) -> Past,
        now: Timestamp,
    ) {
        let first = Job::of_hashtag(hashtag, None);
        let posts: Vec<Job> = self
            .jobs
            .range(&first..)
            .map(|(job, _)| job)
            .take_while(|job| job.subject == first.subject)
            .filter(|job| job.region.is_some())
            .cloned()
            .collect();
        for job in posts {
            let Some(entry) = self.jobs.get(&job) else { continue };
            match (entry.state, resolved) {
                (EntryState::Blocked, true) => {
                    let slot = entry.kept_slot();
                    // What was missed while the hashtag was gone comes at once.
                    let due = past(&job).last.map(|last| self.next_due(slot, last, entry.absent).max(now));
                    self.set(&job, EntryState::Waiting(due));
                }
                (EntryState::Waiting(_), false) => self.set(&job, EntryState::Blocked),
                _ => {}
            }
        }
    }

    /// Spreads what is overdue, after a time in which nothing could be sent.
    pub fn catch_up(&mut self, now: Timestamp) {
        let overdue: Vec<(Timestamp, Job)> = self
            .queues
            .iter()
            .flatten()
            .filter_map(|(due, job)| Some((due.filter(|due| *due < now)?, job.clone())))
            .collect();
        for (due, job) in overdue {
            let Some(entry) = self.jobs.get(&job) else { continue };
            let due = caught_up(entry.kept_slot(), due, now);
            self.set(&job, EntryState::Waiting(Some(due)));
        }
    }

    /// When the next waiting job of a kind is due; it may be overdue.
    pub fn next_wake(&self, kind: JobKind) -> Option<Timestamp> {
        let (due, _) = self.queues[kind as usize].first()?;
        Some(due.unwrap_or(self.made_at))
    }

    /// When a job is due; `None` while it waits for its hashtag to be resolved, or is unknown.
    pub fn due(&self, job: &Job) -> Option<Timestamp> {
        match self.jobs.get(job)?.state {
            EntryState::Waiting(due) | EntryState::Running(due) => Some(due.unwrap_or(self.made_at)),
            EntryState::Blocked => None,
        }
    }

    /// How often a job is refreshed as the budget allows it; `None` if it is unknown.
    pub fn interval(&self, job: &Job) -> Option<Duration> {
        self.jobs.get(job).map(|entry| entry.kept_slot().interval)
    }

    /// How many jobs there are.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether there is nothing to do, ever.
    pub fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    fn next_due(&self, slot: Slot, (at, outcome): (Timestamp, Outcome), absent: bool) -> Timestamp {
        if absent {
            at + self.not_found_retry.max(slot.interval)
        } else if slot.strict {
            at + slot.interval
        } else if outcome == Outcome::Failed {
            // Nothing was learnt, so the very next slot counts, however late the last look failed.
            slot.next(at + Duration::from_millis(1))
        } else {
            slot.next(at + slot.interval / 2)
        }
    }

    fn waiting(&self, kind: JobKind) -> impl Iterator<Item = (Due, Job)> {
        self.jobs.iter().filter(move |(_, entry)| entry.kind == kind).filter_map(|(job, entry)| {
            match entry.state {
                EntryState::Waiting(due) => Some((due, job.clone())),
                EntryState::Running(_) | EntryState::Blocked => None,
            }
        })
    }

    fn set(&mut self, job: &Job, state: EntryState) {
        let Some(entry) = self.jobs.get_mut(job) else { return };
        if let EntryState::Waiting(due) = entry.state {
            self.queues[entry.kind as usize].remove(&(due, job.clone()));
        }
        entry.state = state;
        if let EntryState::Waiting(due) = state {
            self.queues[entry.kind as usize].insert((due, job.clone()));
        }
    }
}
