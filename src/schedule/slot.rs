//! The slot of each job in its interval.

use std::collections::BTreeMap;
use std::time::Duration;

use units::Timestamp;

use super::table::Number;
use super::{Job, Subject};
use crate::model::JobKind;

/// A job is due at `offset`, `offset + interval`, … since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub interval: Duration,
    pub offset: Duration,
    /// Due an interval after the last refresh instead, whatever the offset.
    pub strict: bool,
}

impl Slot {
    /// The first due time at `from` or later.
    pub fn next(self, from: Timestamp) -> Timestamp {
        let interval = i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX).max(1);
        let offset = i64::try_from(self.offset.as_millis()).unwrap_or(0);
        let into = from.as_millis().saturating_sub(offset).rem_euclid(interval);
        let wait = if into == 0 { 0 } else { interval - into };
        Timestamp::from_millis(from.as_millis().saturating_add(wait))
    }
}

/// When an overdue job is caught up: as long after `now` as it has been overdue, but not past its next slot.
/// A due time in the future stays. So does that of a strict slot: such jobs are spaced when they start.
pub(super) fn caught_up(slot: Slot, due: Timestamp, now: Timestamp) -> Timestamp {
    if due >= now || slot.strict { due } else { slot.next(now).min(now + now.saturating_since(due)) }
}

/// An interval, and the number of jobs spread over it.
#[derive(Debug)]
pub(super) struct Sharing {
    interval: Duration,
    jobs: u32,
}

/// The position of a job among those with the same interval.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Place {
    /// The index of the [`Sharing`].
    pub sharing: u32,
    /// The number of jobs before it.
    pub rank: u32,
}

impl Sharing {
    /// The slot of the job with this rank.
    pub fn slot(&self, rank: u32) -> Slot {
        let (rank, jobs) = (u128::from(rank), u128::from(self.jobs));
        let offset = self.interval.as_millis() * (2 * rank + 1) / (2 * jobs);
        let offset = Duration::from_millis(u64::try_from(offset).unwrap_or(u64::MAX));
        Slot { interval: self.interval, offset, strict: false }
    }
}

/// Jobs by interval. Discovery jobs are spread separately, so that trials that come and go do not move the
/// slots of others.
#[derive(Default)]
pub(super) struct Sharers(BTreeMap<(bool, Duration), Vec<(u64, Number)>>);

impl Sharers {
    /// Adds a job. Jobs must be added in the order of their numbers.
    pub fn add(&mut self, number: Number, job: &Job, kind: JobKind, interval: Duration) {
        let sharing = (kind == JobKind::Discovery, interval);
        self.0.entry(sharing).or_default().push((shuffle_key(job), number));
    }

    /// Passes the place of each job to `set_place`, in an order independent of the names, and returns the
    /// intervals.
    pub fn share(self, mut set_place: impl FnMut(Number, Place)) -> Vec<Sharing> {
        let sharing = |(sharing, ((_, interval), mut jobs)): (u32, (_, Vec<(u64, Number)>))| {
            jobs.sort_unstable();
            for (rank, (_, number)) in (0..).zip(&jobs) {
                set_place(*number, Place { sharing, rank });
            }
            Sharing { interval, jobs: jobs.len() as u32 }
        };
        (0..).zip(self.0).map(sharing).collect()
    }
}

/// FNV-1a with a final mix. The hash of the standard library may change between releases, which would move
/// the slots.
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
