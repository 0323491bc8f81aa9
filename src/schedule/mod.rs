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
mod table;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::state::{JobKind, Outcome};
use slot::{Slot, caught_up};
use table::{EntryState, Number, Table};
use tiktok_api::Hashtag;
use units::Timestamp;

pub use job::{Job, Past, Planned, Subject, jobs};
pub use rhythm::Rhythm;

/// All jobs and when they are due.
#[derive(Debug)]
pub struct Schedule {
    not_found_retry: Duration,
    made_at: Timestamp,
    jobs: Table,
    /// The jobs that wait for their time, by kind, in the order in which they are started.
    queues: [BTreeSet<(Due, Number)>; JobKind::ALL.len()],
}

/// When a job is due. `None` is "at once": a job that was never asked, before all others.
type Due = Option<Timestamp>;

impl Schedule {
    /// A schedule of nothing.
    pub fn empty(now: Timestamp) -> Self {
        Self {
            not_found_retry: Duration::ZERO,
            made_at: now,
            jobs: Table::default(),
            queues: Default::default(),
        }
    }

    /// Plans all jobs, which must be sorted, each once. `past` tells what is remembered of each.
    pub fn new(
        planned: impl IntoIterator<Item: Borrow<Planned>>,
        not_found_retry: Duration,
        past: impl Fn(&Job) -> Past,
        now: Timestamp,
    ) -> Self {
        let mut schedule = Self { not_found_retry, jobs: Table::new(planned), ..Self::empty(now) };
        for number in schedule.jobs.numbers() {
            let job = schedule.jobs.job(number);
            let past = past(&job);
            // A stored time from the future is a clock that was wrong, then or now.
            let last = past.last.map(|(at, outcome)| (at.min(now), outcome));
            let absent = past.absent || matches!(last, Some((_, Outcome::NotFound)));
            let state = match last {
                _ if job.region.is_some() && !past.resolved => EntryState::Blocked,
                // Never asked: at once.
                None => EntryState::Waiting(None),
                Some(last) => {
                    let slot = schedule.jobs.slot(number);
                    EntryState::Waiting(Some(caught_up(slot, schedule.next_due(slot, last, absent), now)))
                }
            };
            let entry = schedule.jobs.entry_mut(number);
            last.into_iter().for_each(|last| entry.set_last(last));
            entry.absent = absent;
            entry.set_state(state);
        }
        // All at once: trees that are filled one by one are a third larger.
        schedule.queues = JobKind::ALL.map(|kind| schedule.waiting(kind).collect());
        schedule
    }

    /// Plans all jobs while those of `running` are under way: the ones that are planned go on running,
    /// even if they were not planned for a while, and the others keep their time.
    pub fn taking_over<'a>(
        running: impl IntoIterator<Item = &'a Job>,
        planned: impl IntoIterator<Item: Borrow<Planned>>,
        not_found_retry: Duration,
        past: impl Fn(&Job) -> Past,
        now: Timestamp,
    ) -> Self {
        let mut new = Self::new(planned, not_found_retry, past, now);
        for job in running {
            // It was due when it was started; should it be put back, it still is.
            if let Some(number) = new.jobs.find(job) {
                let due = new.jobs.entry(number).last().map(|_| now);
                new.set(number, EntryState::Running(due));
            }
        }
        new
    }

    /// Takes the next job that is due at `now`, of a kind that is `open`, and marks it as running.
    pub fn start_next(&mut self, now: Timestamp, open: impl Fn(JobKind) -> bool) -> Option<(Job, JobKind)> {
        let kinds = JobKind::ALL.into_iter().filter(|kind| open(*kind));
        let (due, number) = *kinds.filter_map(|kind| self.queues[kind as usize].first()).min()?;
        if due.is_some_and(|due| due > now) {
            return None;
        }
        self.set(number, EntryState::Running(due));
        Some((self.jobs.job(number), self.jobs.entry(number).kind))
    }

    /// Gives each job another rhythm. One that differs little from the one in force changes nothing,
    /// so that jobs keep their slots.
    pub fn change(&mut self, rhythm: impl Fn(&Job, JobKind) -> Rhythm, now: Timestamp) {
        for number in self.jobs.numbers() {
            let entry = self.jobs.entry(number);
            let rhythm = rhythm(&self.jobs.job(number), entry.kind).sound();
            if rhythm.is_near(entry.rhythm) {
                continue;
            }
            let (state, last, absent) = (entry.state(), entry.last(), entry.absent);
            self.jobs.entry_mut(number).rhythm = rhythm;
            if let (EntryState::Waiting(Some(_)), Some(last)) = (state, last) {
                let slot = self.jobs.kept_slot(number);
                let due = caught_up(slot, self.next_due(slot, last, absent), now);
                self.set(number, EntryState::Waiting(Some(due)));
            }
        }
    }

    /// A started job ended at `now`: plans its next refresh.
    pub fn finished(&mut self, job: &Job, outcome: Outcome, now: Timestamp) {
        if let Some(number) = self.jobs.find(job) {
            let entry = self.jobs.entry_mut(number);
            entry.set_last((now, outcome));
            entry.absent = match outcome {
                Outcome::Success => false,
                Outcome::NotFound => true,
                Outcome::Failed => entry.absent,
            };
            let absent = entry.absent;
            let due = self.next_due(self.jobs.kept_slot(number), (now, outcome), absent);
            self.set(number, EntryState::Waiting(Some(due)));
        }
    }

    /// A started job was not carried out: it stays due.
    pub fn put_back(&mut self, job: &Job) {
        if let Some(number) = self.jobs.find(job)
            && let EntryState::Running(due) = self.jobs.entry(number).state()
        {
            self.set(number, EntryState::Waiting(due));
        }
    }

    /// A started job could not be carried out for want of its hashtag's id: it waits until that is
    /// known.
    pub fn block(&mut self, job: &Job) {
        if let Some(number) = self.jobs.find(job) {
            self.set(number, EntryState::Blocked);
        }
    }

    /// The hashtag's id is known (again, or no longer): its posts start, or stop, waiting for
    /// their time. `past` tells what is remembered of each.
    pub fn resolved(
        &mut self,
        hashtag: &Hashtag,
        resolved: bool,
        past: impl Fn(&Job) -> Past,
        now: Timestamp,
    ) {
        for number in self.jobs.about(&Subject::Hashtag(hashtag.clone())) {
            let job = self.jobs.job(number);
            if job.region.is_none() {
                continue;
            }
            let entry = self.jobs.entry(number);
            match (entry.state(), resolved) {
                (EntryState::Blocked, true) => {
                    let slot = self.jobs.kept_slot(number);
                    // What was missed while the hashtag was gone comes at once.
                    let due = past(&job).last.map(|last| self.next_due(slot, last, entry.absent).max(now));
                    self.set(number, EntryState::Waiting(due));
                }
                (EntryState::Waiting(_), false) => self.set(number, EntryState::Blocked),
                _ => {}
            }
        }
    }

    /// Spreads what is overdue, after a time in which nothing could be sent.
    pub fn catch_up(&mut self, now: Timestamp) {
        let overdue: Vec<(Timestamp, Number)> = self
            .queues
            .iter()
            .flatten()
            .filter_map(|(due, number)| Some((due.filter(|due| *due < now)?, *number)))
            .collect();
        for (due, number) in overdue {
            let due = caught_up(self.jobs.kept_slot(number), due, now);
            self.set(number, EntryState::Waiting(Some(due)));
        }
    }

    /// When the next waiting job of a kind is due; it may be overdue.
    pub fn next_wake(&self, kind: JobKind) -> Option<Timestamp> {
        let (due, _) = self.queues[kind as usize].first()?;
        Some(due.unwrap_or(self.made_at))
    }

    /// When a job is due; `None` while it waits for its hashtag to be resolved, or is unknown.
    pub fn due(&self, job: &Job) -> Option<Timestamp> {
        match self.jobs.entry(self.jobs.find(job)?).state() {
            EntryState::Waiting(due) | EntryState::Running(due) => Some(due.unwrap_or(self.made_at)),
            EntryState::Blocked => None,
        }
    }

    /// How often a job is refreshed as the budget allows it; `None` if it is unknown.
    pub fn interval(&self, job: &Job) -> Option<Duration> {
        self.jobs.find(job).map(|number| self.jobs.kept_slot(number).interval)
    }

    /// How many jobs there are.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether there is nothing to do, ever.
    pub fn is_empty(&self) -> bool {
        self.jobs.len() == 0
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

    fn waiting(&self, kind: JobKind) -> impl Iterator<Item = (Due, Number)> {
        self.jobs.numbers().filter_map(move |number| {
            let entry = self.jobs.entry(number);
            match entry.state() {
                EntryState::Waiting(due) if entry.kind == kind => Some((due, number)),
                _ => None,
            }
        })
    }

    fn set(&mut self, number: Number, state: EntryState) {
        let entry = self.jobs.entry_mut(number);
        let (kind, old) = (entry.kind, entry.state());
        entry.set_state(state);
        let queue = &mut self.queues[kind as usize];
        if let EntryState::Waiting(due) = old {
            queue.remove(&(due, number));
        }
        if let EntryState::Waiting(due) = state {
            queue.insert((due, number));
        }
    }
}
