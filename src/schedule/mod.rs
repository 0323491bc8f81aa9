//! When each job is due. Pure: takes the time as an argument, neither waits nor sends.
//!
//! Every job has a slot in its interval, and the slots of all jobs with the same interval are spread evenly
//! over it. Slots depend only on the set of jobs, so they are the same after a restart or a reload:
//!
//! * A job without a past (the first refresh of a new hashtag) is due at once, before all others.
//! * After a refresh, successful or not, the next one is due at the first slot at least half an interval
//!   later: one shorter or longer wait, then exactly the interval.
//! * Jobs that were missed, because the program was down or out of budget, are caught up, the most recently
//!   due first and as slowly as they were missed: the usual rate doubles at most, and no job waits past its
//!   next slot.
//! * A hashtag that the API does not know is refreshed rarely, even if later refreshes fail, and its posts
//!   wait until it is known.
//! * A stretched job ([`Rhythm::Stretched`]) has its slot in the stretched interval: jobs with the same
//!   interval and factor are still spread evenly, and keep their slots after a restart.
//! * A job with an interval of its own ([`Rhythm::After`]) has no slot: it is due that long after its last
//!   refresh.

mod job;
mod rhythm;
mod slot;
mod table;
#[cfg(test)]
mod tests;

use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::JobKind;
use crate::state::Outcome;
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
    /// The waiting jobs by kind, in the order in which they start.
    queues: [BTreeSet<(Due, Number)>; JobKind::ALL.len()],
}

/// When a job is due. `None` is at once, before all others: the first refresh.
type Due = Option<Timestamp>;

impl Schedule {
    /// A schedule without jobs.
    pub fn empty(now: Timestamp) -> Self {
        Self {
            not_found_retry: Duration::ZERO,
            made_at: now,
            jobs: Table::default(),
            queues: Default::default(),
        }
    }

    /// Schedules the jobs, which must be sorted and unique. `past` returns what is known about each.
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
            // A time ahead of the clock is from a store that was written while the clock was wrong. The job
            // must not wait until then.
            let last = past.last.map(|(at, outcome)| (at.min(now), outcome));
            let absent = past.absent || matches!(last, Some((_, Outcome::NotFound)));
            let state = match last {
                _ if job.region.is_some() && !past.resolved => EntryState::Blocked,
                // Never refreshed: at once.
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
        // Built at once: a tree that is filled entry by entry takes a third more memory.
        schedule.queues = JobKind::ALL.map(|kind| schedule.waiting(kind).collect());
        schedule
    }

    /// As [`new`](Self::new), while the jobs of `running` are running. Those that are still scheduled stay in
    /// that state.
    pub fn taking_over<'a>(
        running: impl IntoIterator<Item = &'a Job>,
        planned: impl IntoIterator<Item: Borrow<Planned>>,
        not_found_retry: Duration,
        past: impl Fn(&Job) -> Past,
        now: Timestamp,
    ) -> Self {
        let mut new = Self::new(planned, not_found_retry, past, now);
        for job in running {
            // It was due when it started, and is due again if it is put back.
            if let Some(number) = new.jobs.find(job) {
                let due = new.jobs.entry(number).last().map(|_| now);
                new.set(number, EntryState::Running(due));
            }
        }
        new
    }

    /// Marks the next job that is due at `now` as running, and returns it. Only kinds that are `open` count.
    pub fn start_next(&mut self, now: Timestamp, open: impl Fn(JobKind) -> bool) -> Option<(Job, JobKind)> {
        let kinds = JobKind::ALL.into_iter().filter(|kind| open(*kind));
        let (due, number) = *kinds.filter_map(|kind| self.queues[kind as usize].first()).min()?;
        if due.is_some_and(|due| due > now) {
            return None;
        }
        self.set(number, EntryState::Running(due));
        Some((self.jobs.job(number), self.jobs.entry(number).kind))
    }

    /// Changes the rhythm of all jobs. Small changes are ignored, so that jobs keep their slots.
    pub fn change(&mut self, rhythm: impl Fn(&Job, JobKind) -> Rhythm, now: Timestamp) {
        for number in self.jobs.numbers() {
            let entry = self.jobs.entry(number);
            let rhythm = rhythm(&self.jobs.job(number), entry.kind).clamped();
            if rhythm.is_near(entry.rhythm) {
                continue;
            }
            let (state, last, absent) = (entry.state(), entry.last(), entry.absent);
            self.jobs.entry_mut(number).rhythm = rhythm;
            if let (EntryState::Waiting(Some(_)), Some(last)) = (state, last) {
                let slot = self.jobs.current_slot(number);
                let due = caught_up(slot, self.next_due(slot, last, absent), now);
                self.set(number, EntryState::Waiting(Some(due)));
            }
        }
    }

    /// A running job ended at `now`: schedules its next refresh.
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
            let due = self.next_due(self.jobs.current_slot(number), (now, outcome), absent);
            self.set(number, EntryState::Waiting(Some(due)));
        }
    }

    /// A running job was not carried out: it stays due.
    pub fn put_back(&mut self, job: &Job) {
        if let Some(number) = self.jobs.find(job)
            && let EntryState::Running(due) = self.jobs.entry(number).state()
        {
            self.set(number, EntryState::Waiting(due));
        }
    }

    /// A running job could not be carried out because the id of its hashtag is unknown: it waits for the id.
    pub fn block(&mut self, job: &Job) {
        if let Some(number) = self.jobs.find(job) {
            self.set(number, EntryState::Blocked);
        }
    }

    /// The id of a hashtag has become known, or is not known any more: its posts are scheduled, or blocked.
    /// `past` returns what is known about each job.
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
                    let slot = self.jobs.current_slot(number);
                    // What was missed while the hashtag was not found is due now.
                    let due = past(&job).last.map(|last| self.next_due(slot, last, entry.absent).max(now));
                    self.set(number, EntryState::Waiting(due));
                }
                (EntryState::Waiting(_), false) => self.set(number, EntryState::Blocked),
                _ => {}
            }
        }
    }

    /// Spreads overdue jobs after a time in which nothing could be sent.
    pub fn catch_up(&mut self, now: Timestamp) {
        let overdue: Vec<(Timestamp, Number)> = self
            .queues
            .iter()
            .flatten()
            .filter_map(|(due, number)| Some((due.filter(|due| *due < now)?, *number)))
            .collect();
        for (due, number) in overdue {
            let due = caught_up(self.jobs.current_slot(number), due, now);
            self.set(number, EntryState::Waiting(Some(due)));
        }
    }

    /// When the next waiting job of a kind is due. Can be in the past.
    pub fn next_wake(&self, kind: JobKind) -> Option<Timestamp> {
        let (due, _) = self.queues[kind as usize].first()?;
        Some(due.unwrap_or(self.made_at))
    }

    /// When a job is due. `None` if it waits for the id of its hashtag, or does not exist.
    pub fn due(&self, job: &Job) -> Option<Timestamp> {
        match self.jobs.entry(self.jobs.find(job)?).state() {
            EntryState::Waiting(due) | EntryState::Running(due) => Some(due.unwrap_or(self.made_at)),
            EntryState::Blocked => None,
        }
    }

    /// The current interval of a job, as the budget allows. `None` if it does not exist.
    pub fn interval(&self, job: &Job) -> Option<Duration> {
        self.jobs.find(job).map(|number| self.jobs.current_slot(number).interval)
    }

    /// The number of jobs.
    pub fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Whether there are no jobs.
    pub fn is_empty(&self) -> bool {
        self.jobs.len() == 0
    }

    fn next_due(&self, slot: Slot, (at, outcome): (Timestamp, Outcome), absent: bool) -> Timestamp {
        if absent {
            at + self.not_found_retry.max(slot.interval)
        } else if slot.strict {
            at + slot.interval
        } else if outcome == Outcome::Failed {
            // The very next slot, however late the last refresh failed: there is no new value.
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
