//! The place of every job in its interval.

use std::collections::BTreeMap;
use std::time::Duration;

use units::Timestamp;

use super::table::Number;
use super::{Job, Subject};
use crate::state::JobKind;

/// A job's place in its interval: it recurs at `offset`, `offset + interval`, … of the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub interval: Duration,
    pub offset: Duration,
    /// Due an interval after the last refresh instead.
    pub strict: bool,
}

impl Slot {
    /// The first recurrence at `from` or later.
    pub fn next(self, from: Timestamp) -> Timestamp {
        let interval = i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX).max(1);
        let offset = i64::try_from(self.offset.as_millis()).unwrap_or(0);
        let into = from.as_millis().saturating_sub(offset).rem_euclid(interval);
        let wait = if into == 0 { 0 } else { interval - into };
        Timestamp::from_millis(from.as_millis().saturating_add(wait))
    }
}

/// When a missed job is caught up: as long after `now` as it was missed before, but not past its
/// next slot. A due time that is still to come stays, and so does one that has no slot: those who
/// start such jobs space them.
pub(super) fn caught_up(slot: Slot, due: Timestamp, now: Timestamp) -> Timestamp {
    if due >= now || slot.strict { due } else { slot.next(now).min(now + now.saturating_since(due)) }
}

/// An interval, and how many jobs share it evenly.
#[derive(Debug)]
pub(super) struct Sharing {
    interval: Duration,
    jobs: u32,
}

/// Where a job stands among those that share its interval.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// The number of the interval.
    pub sharing: u32,
    /// How many of the others come before.
    pub rank: u32,
}

impl Sharing {
    /// The slot of the job of this rank.
    pub fn slot(&self, rank: u32) -> Slot {
        let (rank, jobs) = (u128::from(rank), u128::from(self.jobs));
        let offset = self.interval.as_millis() * (2 * rank + 1) / (2 * jobs);
        let offset = Duration::from_millis(u64::try_from(offset).unwrap_or(u64::MAX));
        Slot { interval: self.interval, offset, strict: false }
    }
}

/// Jobs by the interval that they share. Discovery shares with nobody: what joins and leaves again moves
/// no other slot.
#[derive(Default)]
pub(super) struct Sharers(BTreeMap<(bool, Duration), Vec<(u64, Number)>>);

impl Sharers {
    /// Jobs have to be added in the order of their numbers.
    pub fn add(&mut self, number: Number, job: &Job, kind: JobKind, interval: Duration) {
        let sharing = (kind == JobKind::Discovery, interval);
        self.0.entry(sharing).or_default().push((shuffle_key(job), number));
    }

    /// Tells the place of each job, in an order that has nothing to do with their names, and returns the
    /// intervals that they are in.
    pub fn share(self, mut tell: impl FnMut(Number, Place)) -> Vec<Sharing> {
        let sharing = |(sharing, ((_, interval), mut jobs)): (u32, (_, Vec<(u64, Number)>))| {
            jobs.sort_unstable();
            for (rank, (_, number)) in (0..).zip(&jobs) {
                tell(*number, Place { sharing, rank });
            }
            Sharing { interval, jobs: jobs.len() as u32 }
        };
        (0..).zip(self.0).map(sharing).collect()
    }
}

/// FNV-1a with a final mix. The standard library's hash may change between releases, and the slots
/// with it.
fn shuffle_key(job: &Job) -> u64 {
    let region = job.region.map_or(String::new(), |region| region.to_string());
    let name = match &job.subject {
        Subject::Hashtag(hashtag) => hashtag.as_str(),
        Subject::Keyword(keyword) => keyword.as_str(),
    };
    let bytes = name.bytes().chain([0]).chain(region.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
