//! The place of every job in its interval.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Job, Planned, Subject};
use crate::model::Timestamp;
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

/// All jobs with their slots: jobs of one interval share it evenly, in an order that has nothing to do
/// with their names. Discovery shares with nobody: what joins and leaves again moves no other slot.
pub(super) fn slots(planned: &[Planned]) -> Vec<(&Planned, Slot)> {
    let mut sharing: BTreeMap<(bool, Duration), Vec<&Planned>> = BTreeMap::new();
    for one in planned {
        sharing.entry((one.kind == JobKind::Discovery, one.interval)).or_default().push(one);
    }
    let mut slots = Vec::new();
    for ((_, interval), mut jobs) in sharing {
        jobs.sort_by_cached_key(|planned| (shuffle_key(&planned.job), planned.job.clone()));
        let count = jobs.len() as u128;
        slots.extend(jobs.into_iter().enumerate().map(|(rank, planned)| {
            let offset = interval.as_millis() * (2 * rank as u128 + 1) / (2 * count);
            let offset = Duration::from_millis(u64::try_from(offset).unwrap_or(u64::MAX));
            (planned, Slot { interval, offset, strict: false })
        }));
    }
    slots
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
