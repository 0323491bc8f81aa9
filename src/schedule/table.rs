//! The jobs of a schedule in a compact form: there is one for every pair of hashtag and region, and one for
//! every hashtag.

use std::borrow::Borrow;

use tiktok_api::Region;
use units::Timestamp;

use super::slot::{Place, Sharers, Sharing, Slot};
use super::{Due, Job, Planned, Rhythm, Subject};
use crate::model::JobKind;
use crate::state::Outcome;

/// The index of a job in the sorted table.
pub(super) type Number = u32;

/// All jobs, sorted and unique.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// The subjects of the jobs, sorted and unique.
    subjects: Vec<Subject>,
    sharings: Vec<Sharing>,
    entries: Vec<Entry>,
}

/// A job and its state. Refers to shared data by index.
#[derive(Debug)]
pub(super) struct Entry {
    /// Index of its subject.
    subject: u32,
    region: Option<Region>,
    pub kind: JobKind,
    /// Its place in the configured interval.
    place: Place,
    /// How the budget changes the interval.
    pub rhythm: Rhythm,
    // Times and their tags are separate fields: as pairs they would take a quarter more memory.
    last_at: Option<Timestamp>,
    last_outcome: Outcome,
    /// Whether the API last reported it as not found; failures do not count.
    pub absent: bool,
    phase: Phase,
    due: Due,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    Waiting,
    Running,
    Blocked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryState {
    /// In the queue.
    Waiting(Due),
    /// Running; the due time is kept for [`Schedule::put_back`](super::Schedule::put_back).
    Running(Due),
    /// Posts of a hashtag whose id is unknown.
    Blocked,
}

impl Entry {
    /// When the last refresh ended, and how.
    pub fn last(&self) -> Option<(Timestamp, Outcome)> {
        self.last_at.map(|at| (at, self.last_outcome))
    }

    pub fn set_last(&mut self, (at, outcome): (Timestamp, Outcome)) {
        (self.last_at, self.last_outcome) = (Some(at), outcome);
    }

    pub fn state(&self) -> EntryState {
        match self.phase {
            Phase::Waiting => EntryState::Waiting(self.due),
            Phase::Running => EntryState::Running(self.due),
            Phase::Blocked => EntryState::Blocked,
        }
    }

    pub fn set_state(&mut self, state: EntryState) {
        (self.phase, self.due) = match state {
            EntryState::Waiting(due) => (Phase::Waiting, due),
            EntryState::Running(due) => (Phase::Running, due),
            EntryState::Blocked => (Phase::Blocked, None),
        };
    }
}

impl Table {
    /// All jobs, blocked and without a past. They must be sorted and unique.
    pub fn new(planned: impl IntoIterator<Item: Borrow<Planned>>) -> Self {
        let mut table = Self::default();
        let mut sharers = Sharers::default();
        for planned in planned {
            let Planned { job, kind, interval } = planned.borrow();
            if table.subjects.last() != Some(&job.subject) {
                table.subjects.push(job.subject.clone());
            }
            sharers.add(table.entries.len() as Number, job, *kind, *interval);
            table.entries.push(Entry {
                subject: (table.subjects.len() - 1) as u32,
                region: job.region,
                kind: *kind,
                place: Place::default(),
                rhythm: Rhythm::AS_CONFIGURED,
                last_at: None,
                last_outcome: Outcome::Failed,
                absent: false,
                phase: Phase::Blocked,
                due: None,
            });
        }
        table.sharings = sharers.share(|number, place| table.entries[number as usize].place = place);
        table.subjects.shrink_to_fit();
        table.entries.shrink_to_fit();
        debug_assert!(table.subjects.is_sorted_by(|a, b| a < b));
        debug_assert!(table.entries.is_sorted_by_key(|entry| (entry.subject, entry.region)));
        table
    }

    /// The number of jobs.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// The numbers of all jobs.
    pub fn numbers(&self) -> impl Iterator<Item = Number> + use<> {
        0..self.entries.len() as Number
    }

    /// The number of a job, if it exists.
    pub fn find(&self, job: &Job) -> Option<Number> {
        let subject = self.subjects.binary_search(&job.subject).ok()? as u32;
        let key = (subject, job.region);
        let number = self.entries.binary_search_by_key(&key, |entry| (entry.subject, entry.region)).ok()?;
        Some(number as Number)
    }

    /// The numbers of all jobs about a subject.
    pub fn about(&self, subject: &Subject) -> impl Iterator<Item = Number> + use<> {
        let range = match self.subjects.binary_search(subject) {
            Ok(subject) => {
                let end = |within: u32| self.entries.partition_point(|entry| entry.subject < within);
                end(subject as u32)..end(subject as u32 + 1)
            }
            Err(_) => 0..0,
        };
        range.map(|number| number as Number)
    }

    /// The job with this number.
    pub fn job(&self, number: Number) -> Job {
        let Entry { subject, region, .. } = self.entry(number);
        Job { subject: self.subjects[*subject as usize].clone(), region: *region }
    }

    pub fn entry(&self, number: Number) -> &Entry {
        &self.entries[number as usize]
    }

    pub fn entry_mut(&mut self, number: Number) -> &mut Entry {
        &mut self.entries[number as usize]
    }

    /// The slot of a job in its configured interval.
    pub fn slot(&self, number: Number) -> Slot {
        let Place { sharing, rank } = self.entry(number).place;
        self.sharings[sharing as usize].slot(rank)
    }

    /// The slot of a job in its current interval.
    pub fn current_slot(&self, number: Number) -> Slot {
        let slot = self.slot(number);
        let Slot { interval, offset, .. } = slot;
        match self.entry(number).rhythm {
            Rhythm::AS_CONFIGURED => slot,
            Rhythm::Stretched(factor) => {
                Slot { interval: interval.mul_f64(factor), offset: offset.mul_f64(factor), strict: false }
            }
            Rhythm::After(own) => Slot { interval: own.max(interval), offset, strict: true },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Entry;

    #[test]
    fn an_entry_is_small() {
        assert!(size_of::<Entry>() <= 56, "{} bytes, times a hundred thousand", size_of::<Entry>());
    }
}
