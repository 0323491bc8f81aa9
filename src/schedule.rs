//! When to ask for what. Pure: the time is told, nothing is awaited or sent.
//!
//! Every job owns a slot in its interval, and the slots of all jobs with the same interval are
//! spread evenly over it. They depend on the watchlist alone, so a restart or a reload finds the
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

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::{Hashtag, Region, Timestamp};
use crate::state::{JobKind, Outcome};
use crate::watchlist::Watchlist;

/// Rhythms that differ by less than this part are taken for the same.
const RHYTHM_TOLERANCE: f64 = 0.05;

/// What the budget makes of a job's interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rhythm {
    /// This factor on the interval, with slots spread evenly: 1 as configured, 2 half as often. Below
    /// 1, infinite, and no number count as 1.
    Stretched(f64),
    /// That long after the last refresh, but no shorter than configured.
    After(Duration),
}

impl Rhythm {
    /// Nothing is changed.
    pub const AS_CONFIGURED: Rhythm = Rhythm::Stretched(1.0);
}

/// One thing to refresh again and again. Ordered: totals before posts of the same hashtag.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Job {
    /// The hashtag.
    pub hashtag: Hashtag,
    /// The region whose posts are refreshed; `None` for the hashtag's totals.
    pub region: Option<Region>,
}

impl Job {
    /// What the job refreshes.
    pub fn kind(&self) -> JobKind {
        if self.region.is_some() { JobKind::Posts } else { JobKind::Totals }
    }
}

/// What is remembered of a job from before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Past {
    /// When its last refresh ended, and how.
    pub last: Option<(Timestamp, Outcome)>,
    /// Whether posts can be asked for: the hashtag's id is known and not reported gone.
    pub resolved: bool,
    /// Whether the upstream last said that there is no such thing, whatever failed since.
    pub absent: bool,
}

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

/// A job's place in its interval: it recurs at `offset`, `offset + interval`, … of the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot {
    interval: Duration,
    offset: Duration,
    /// Due an interval after the last refresh instead.
    strict: bool,
}

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

impl Rhythm {
    /// Out of bounds as little as possible.
    fn sound(self) -> Self {
        match self {
            Self::Stretched(factor) if factor.is_finite() => Self::Stretched(factor.max(1.0)),
            Self::Stretched(_) => Self::AS_CONFIGURED,
            after @ Self::After(_) => after,
        }
    }

    /// Whether the difference is not worth new due times.
    fn is_near(self, other: Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() <= b * RHYTHM_TOLERANCE;
        match (self, other) {
            (Self::Stretched(a), Self::Stretched(b)) => a == b || near(a, b) && (a > 1.0) == (b > 1.0),
            (Self::After(a), Self::After(b)) => near(a.as_secs_f64(), b.as_secs_f64()),
            _ => false,
        }
    }
}

impl Slot {
    /// The first recurrence at `from` or later.
    fn next(self, from: Timestamp) -> Timestamp {
        let interval = i64::try_from(self.interval.as_millis()).unwrap_or(i64::MAX).max(1);
        let offset = i64::try_from(self.offset.as_millis()).unwrap_or(0);
        let into = from.as_millis().saturating_sub(offset).rem_euclid(interval);
        let wait = if into == 0 { 0 } else { interval - into };
        Timestamp::from_millis(from.as_millis().saturating_add(wait))
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

    /// Plans the whole watchlist. `past` tells what is remembered of each job.
    pub fn new(
        watchlist: &Watchlist,
        not_found_retry: Duration,
        past: impl Fn(&Job) -> Past,
        now: Timestamp,
    ) -> Self {
        let mut schedule = Self { not_found_retry, ..Self::empty(now) };
        for (job, slot) in slots(watchlist) {
            let past = past(&job);
            // A stored time from the future is a clock that was wrong, then or now.
            let last = past.last.map(|(at, outcome)| (at.min(now), outcome));
            let state = match last {
                _ if job.region.is_some() && !past.resolved => EntryState::Blocked,
                // Never asked: at once.
                None => EntryState::Waiting(None),
                Some((at, outcome)) => {
                    let absent = past.absent || outcome == Outcome::NotFound;
                    let due = schedule.next_due(slot, at, absent);
                    EntryState::Waiting(Some(caught_up(slot, due, now)))
                }
            };
            let absent = past.absent || matches!(last, Some((_, Outcome::NotFound)));
            schedule.insert(job, Entry { slot, rhythm: Rhythm::AS_CONFIGURED, last, absent, state });
        }
        schedule
    }

    /// Plans a watchlist while the jobs of `running` are under way: those that are watched go on
    /// running, even if they were not watched for a while, and the others keep their time.
    pub fn taking_over<'a>(
        running: impl IntoIterator<Item = &'a Job>,
        watchlist: &Watchlist,
        not_found_retry: Duration,
        past: impl Fn(&Job) -> Past,
        now: Timestamp,
    ) -> Self {
        let mut new = Self::new(watchlist, not_found_retry, past, now);
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
    pub fn start_next(&mut self, now: Timestamp, open: impl Fn(JobKind) -> bool) -> Option<Job> {
        let kinds = JobKind::ALL.into_iter().filter(|kind| open(*kind));
        let (due, job) = kinds.filter_map(|kind| self.queues[kind as usize].first()).min()?.clone();
        if due.is_some_and(|due| due > now) {
            return None;
        }
        self.set(&job, EntryState::Running(due));
        Some(job)
    }

    /// Gives each job another rhythm. One that differs little from the one in force changes nothing,
    /// so that jobs keep their slots.
    pub fn change(&mut self, rhythm: impl Fn(&Job) -> Rhythm, now: Timestamp) {
        let mut moved = Vec::new();
        for (job, entry) in &mut self.jobs {
            let rhythm = rhythm(job).sound();
            if rhythm.is_near(entry.rhythm) {
                continue;
            }
            entry.rhythm = rhythm;
            if let (EntryState::Waiting(Some(_)), Some((at, _))) = (entry.state, entry.last) {
                moved.push((job.clone(), entry.kept_slot(), at, entry.absent));
            }
        }
        for (job, slot, at, absent) in moved {
            let due = caught_up(slot, self.next_due(slot, at, absent), now);
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
            let due = self.next_due(slot, now, absent);
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
        let first = Job { hashtag: hashtag.clone(), region: None };
        let posts: Vec<Job> = self
            .jobs
            .range(first..)
            .map(|(job, _)| job)
            .take_while(|job| job.hashtag == *hashtag)
            .filter(|job| job.region.is_some())
            .cloned()
            .collect();
        for job in posts {
            let Some(entry) = self.jobs.get(&job) else { continue };
            match (entry.state, resolved) {
                (EntryState::Blocked, true) => {
                    let due = past(&job).last.map(|_| entry.kept_slot().next(now));
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

    fn next_due(&self, slot: Slot, last: Timestamp, absent: bool) -> Timestamp {
        if absent {
            last + self.not_found_retry.max(slot.interval)
        } else if slot.strict {
            last + slot.interval
        } else {
            slot.next(last + slot.interval / 2)
        }
    }

    fn insert(&mut self, job: Job, entry: Entry) {
        if let EntryState::Waiting(due) = entry.state {
            self.queues[job.kind() as usize].insert((due, job.clone()));
        }
        self.jobs.insert(job, entry);
    }

    fn set(&mut self, job: &Job, state: EntryState) {
        let Some(entry) = self.jobs.get_mut(job) else { return };
        if let EntryState::Waiting(due) = entry.state {
            self.queues[job.kind() as usize].remove(&(due, job.clone()));
        }
        entry.state = state;
        if let EntryState::Waiting(due) = state {
            self.queues[job.kind() as usize].insert((due, job.clone()));
        }
    }
}

/// When a missed job is caught up: as long after `now` as it was missed before, but not past its
/// next slot. A due time that is still to come stays, and so does one that has no slot: those who
/// start such jobs space them.
fn caught_up(slot: Slot, due: Timestamp, now: Timestamp) -> Timestamp {
    if due >= now || slot.strict { due } else { slot.next(now).min(now + now.saturating_since(due)) }
}

/// All jobs of the watchlist with their slots: jobs of one interval share it evenly, in an order
/// that has nothing to do with their names.
fn slots(watchlist: &Watchlist) -> Vec<(Job, Slot)> {
    let mut by_interval: BTreeMap<Duration, Vec<Job>> = BTreeMap::new();
    for watched in &watchlist.entries {
        let job = |region| Job { hashtag: watched.hashtag.clone(), region };
        by_interval.entry(watched.totals_interval).or_default().push(job(None));
        let posts = watched.regions.iter().map(|region| job(Some(*region)));
        by_interval.entry(watched.posts_interval).or_default().extend(posts);
    }
    let mut slots = Vec::new();
    for (interval, mut jobs) in by_interval {
        jobs.sort_by_cached_key(|job| (shuffle_key(job), job.clone()));
        let count = jobs.len() as u128;
        slots.extend(jobs.into_iter().enumerate().map(|(rank, job)| {
            let offset = interval.as_millis() * (2 * rank as u128 + 1) / (2 * count);
            (
                job,
                Slot {
                    interval,
                    offset: Duration::from_millis(u64::try_from(offset).unwrap_or(u64::MAX)),
                    strict: false,
                },
            )
        }));
    }
    slots
}

/// FNV-1a with a final mix. The standard library's hash may change between releases, and the slots
/// with it.
fn shuffle_key(job: &Job) -> u64 {
    let region = job.region.map_or(String::new(), |region| region.to_string());
    let bytes = job.hashtag.as_str().bytes().chain([0]).chain(region.bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::{DAY, HOUR};
    use crate::watchlist::Block;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const RETRY: Duration = DAY;

    /// `count` hashtags, each in two regions, totals and posts every hour.
    fn watchlist(count: usize) -> Watchlist {
        let block = Block {
            hashtags: (0..count).map(|n| Hashtag::parse(&format!("tag{n}")).unwrap()).collect(),
            regions: ["US", "DE"].iter().map(|code| Region::parse(code).unwrap()).collect(),
            group: "default".into(),
            totals_interval: HOUR,
            posts_interval: HOUR,
            max_age: DAY,
            pages_max: 1,
        };
        Watchlist::merge(&[block]).0
    }

    fn never(_: &Job) -> Past {
        Past::default()
    }

    /// Asked with success at `at`.
    fn asked(at: Timestamp) -> impl Fn(&Job) -> Past {
        move |_| Past { last: Some((at, Outcome::Success)), resolved: true, absent: false }
    }

    fn start_all(schedule: &mut Schedule, now: Timestamp) -> Vec<Job> {
        std::iter::from_fn(|| schedule.start_next(now, |_| true)).collect()
    }

    fn first_due(schedule: &Schedule) -> Timestamp {
        JobKind::ALL.into_iter().filter_map(|kind| schedule.next_wake(kind)).min().unwrap()
    }

    /// The due times of all jobs, sorted.
    fn dues(schedule: &Schedule) -> Vec<Timestamp> {
        let mut dues: Vec<_> = schedule.jobs.keys().filter_map(|job| schedule.due(job)).collect();
        dues.sort();
        dues
    }

    #[test]
    fn totals_of_new_hashtags_are_due_at_once_and_posts_wait_for_the_id() {
        let mut schedule = Schedule::new(&watchlist(3), RETRY, never, NOW);
        let started = start_all(&mut schedule, NOW);
        assert_eq!(started.len(), 3);
        assert!(started.iter().all(|job| job.kind() == JobKind::Totals), "{started:?}");

        schedule.finished(&started[0], Outcome::Success, NOW);
        schedule.resolved(&started[0].hashtag, true, never, NOW);
        let posts = start_all(&mut schedule, NOW);
        assert_eq!(posts.len(), 2, "one per region: {posts:?}");
        assert!(posts.iter().all(|job| job.hashtag == started[0].hashtag));
    }

    #[test]
    fn a_running_job_is_not_started_twice() {
        let mut schedule = Schedule::new(&watchlist(1), RETRY, never, NOW);
        assert_eq!(start_all(&mut schedule, NOW).len(), 1);
        assert_eq!(schedule.start_next(NOW + DAY, |_| true), None);
    }

    #[test]
    fn after_the_first_cycle_jobs_are_spread_evenly_over_the_interval() {
        let count = 100;
        let schedule = Schedule::new(&watchlist(count), RETRY, asked(NOW), NOW);
        let dues = dues(&schedule);
        assert_eq!(dues.len(), 3 * count);
        let step = HOUR / (3 * count as u32);
        for pair in dues.windows(2) {
            let gap = pair[1].saturating_since(pair[0]);
            assert!(gap <= step + Duration::from_millis(1), "a gap of {gap:?}, not {step:?}");
        }
        let first = dues[0].saturating_since(NOW);
        let last = dues[dues.len() - 1].saturating_since(NOW);
        assert!(first >= HOUR / 2 && last <= HOUR * 3 / 2, "from {first:?} to {last:?}");
    }

    #[test]
    fn a_job_that_ran_in_its_slot_runs_again_exactly_one_interval_later() {
        let mut schedule = Schedule::new(&watchlist(7), RETRY, asked(NOW), NOW);
        let due = first_due(&schedule);
        let job = schedule.start_next(due, |_| true).unwrap();
        // The answer takes a moment; that does not move the slot.
        schedule.finished(&job, Outcome::Failed, due + Duration::from_secs(3));
        assert_eq!(schedule.due(&job), Some(due + HOUR));
    }

    #[test]
    fn a_restart_finds_the_same_due_times() {
        let before = Schedule::new(&watchlist(20), RETRY, asked(NOW), NOW);
        let after = Schedule::new(&watchlist(20), RETRY, asked(NOW), NOW + HOUR / 4);
        assert_eq!(dues(&before), dues(&after));
    }

    #[test]
    fn what_was_missed_is_caught_up_at_no_more_than_twice_the_usual_rate() {
        for outage in [HOUR / 10, HOUR / 2, DAY] {
            let last = NOW - outage - HOUR;
            let schedule = Schedule::new(&watchlist(100), RETRY, asked(last), NOW);
            let dues = dues(&schedule);
            let window = HOUR / 20;
            let most = dues
                .iter()
                .map(|from| dues.iter().filter(|due| *due >= from && **due < *from + window).count())
                .max()
                .unwrap();
            let usual = 300 / 20;
            assert!(most <= 2 * usual + 2, "{most} within {window:?} after {outage:?}, usually {usual}");
            let in_time = |due: &Timestamp| (NOW..=NOW + HOUR).contains(due);
            assert!(dues.iter().all(in_time), "nothing stays overdue, nobody waits longer than an interval");
        }
    }

    #[test]
    fn an_unknown_hashtag_is_asked_rarely_and_its_posts_not_at_all() {
        let mut schedule = Schedule::new(&watchlist(1), RETRY, asked(NOW - HOUR), NOW);
        let job = Job { hashtag: Hashtag::parse("tag0").unwrap(), region: None };
        schedule.finished(&job, Outcome::NotFound, NOW);
        schedule.resolved(&job.hashtag, false, never, NOW);
        assert_eq!(first_due(&schedule), NOW + RETRY);
        assert_eq!(dues(&schedule), [NOW + RETRY]);

        let later = NOW + RETRY;
        assert_eq!(schedule.start_next(later, |_| true), Some(job.clone()));
        schedule.finished(&job, Outcome::Success, later);
        schedule.resolved(&job.hashtag, true, asked(NOW), later);
        let dues = dues(&schedule);
        assert_eq!(dues.len(), 3);
        assert!(dues.iter().all(|due| *due >= later && *due <= later + HOUR * 3 / 2), "{dues:?}");
    }

    #[test]
    fn a_job_put_back_stays_due_until_the_backlog_is_spread() {
        let mut schedule = Schedule::new(&watchlist(10), RETRY, asked(NOW - DAY), NOW);
        let due = first_due(&schedule);
        let job = schedule.start_next(due, |_| true).unwrap();
        schedule.put_back(&job);
        assert_eq!(schedule.due(&job), Some(due));

        let end_of_stop = NOW + HOUR * 3;
        schedule.catch_up(end_of_stop);
        assert!(dues(&schedule).iter().all(|due| *due >= end_of_stop));
    }

    #[test]
    fn a_reload_keeps_what_runs_and_what_is_due_and_starts_what_is_new() {
        let mut schedule = Schedule::new(&watchlist(2), RETRY, asked(NOW), NOW);
        let running = schedule.start_next(NOW + HOUR * 2, |_| true).unwrap();
        let past = |job: &Job| if job.hashtag.as_str() == "tag2" { never(job) } else { asked(NOW)(job) };
        let mut schedule = Schedule::taking_over([&running], &watchlist(3), RETRY, past, NOW);
        assert_eq!(schedule.len(), 9);
        let started = start_all(&mut schedule, NOW);
        assert_eq!(started.len(), 1, "only the new one: {started:?}");
        assert_eq!(started[0].hashtag.as_str(), "tag2");
        let all = start_all(&mut schedule, NOW + DAY);
        assert!(!all.contains(&running), "{running:?} is still under way");
    }

    #[test]
    fn what_was_unwatched_for_a_while_under_way_is_not_started_twice() {
        let mut schedule = Schedule::new(&watchlist(2), RETRY, never, NOW);
        let running = start_all(&mut schedule, NOW);
        let gone = Schedule::taking_over(&running, &watchlist(1), RETRY, never, NOW);
        assert_eq!(gone.len(), 3);
        let mut back = Schedule::taking_over(&running, &watchlist(2), RETRY, never, NOW);
        assert_eq!(back.start_next(NOW + DAY, |_| true), None, "{running:?} are still under way");
        back.put_back(&running[1]);
        assert_eq!(back.start_next(NOW, |_| true).as_ref(), Some(&running[1]), "put back, it is due");
    }

    #[test]
    fn a_failure_does_not_make_an_absent_hashtag_worth_asking_often() {
        let job = Job { hashtag: Hashtag::parse("tag0").unwrap(), region: None };
        let mut schedule = Schedule::new(&watchlist(1), RETRY, asked(NOW - HOUR), NOW);
        schedule.finished(&job, Outcome::NotFound, NOW);
        schedule.finished(&job, Outcome::Failed, NOW + DAY);
        assert_eq!(schedule.due(&job), Some(NOW + DAY + RETRY));
        schedule.change(|_| Rhythm::Stretched(2.0), NOW + DAY);
        assert_eq!(schedule.due(&job), Some(NOW + DAY + RETRY), "stretched");

        let past = |_: &Job| Past { last: Some((NOW, Outcome::Failed)), resolved: false, absent: true };
        let restarted = Schedule::new(&watchlist(1), RETRY, past, NOW + HOUR);
        assert_eq!(restarted.due(&job), Some(NOW + RETRY), "after a restart");

        schedule.finished(&job, Outcome::Success, NOW + DAY);
        schedule.finished(&job, Outcome::Failed, NOW + DAY);
        assert!(
            schedule.due(&job) <= Some(NOW + DAY + HOUR * 3),
            "a failure after an answer is asked again soon"
        );
    }

    #[test]
    fn a_time_stored_in_the_future_does_not_silence_a_job() {
        let schedule = Schedule::new(&watchlist(1), RETRY, asked(NOW + DAY * 30), NOW);
        assert!(dues(&schedule).iter().all(|due| *due <= NOW + HOUR * 3 / 2), "{:?}", dues(&schedule));
    }

    /// Runs `schedule` for `span`, in which refreshes take no time; returns when jobs were started.
    fn run(schedule: &mut Schedule, from: Timestamp, span: Duration) -> Vec<(Timestamp, Job)> {
        let mut started = Vec::new();
        while first_due(schedule) < from + span {
            let now = first_due(schedule).max(from);
            let job = schedule.start_next(now, |_| true).unwrap();
            schedule.finished(&job, Outcome::Success, now);
            started.push((now, job));
        }
        started
    }

    proptest! {
        #[test]
        fn stretched_jobs_stay_evenly_spread_and_the_same_every_time(
            factor in 1.0..9.0_f64, count in 5_usize..40, since in 0_u64..7_200,
        ) {
            let stretched = || {
                let last = NOW - Duration::from_secs(since);
                let mut schedule = Schedule::new(&watchlist(count), RETRY, asked(last), NOW);
                schedule.change(|_| Rhythm::Stretched(factor), NOW);
                // The first round may be shorter or longer for each.
                run(&mut schedule, NOW, HOUR * 20);
                run(&mut schedule, NOW + HOUR * 20, HOUR.mul_f64(factor * 4.0))
            };
            let started = stretched();
            let jobs = 3 * count;
            prop_assert!((4 * jobs - 1..=4 * jobs + 1).contains(&started.len()), "{} of {jobs}", started.len());
            // No fifth of a round holds more than its fifth.
            let fifth = HOUR.mul_f64(factor / 5.0);
            for (at, _) in &started {
                let held = started.iter().filter(|(other, _)| (*at..*at + fifth).contains(other)).count();
                prop_assert!(held <= jobs.div_ceil(5) + 1, "{held} of {jobs}");
            }
            prop_assert_eq!(stretched(), started);
        }
    }

    #[test]
    fn a_rhythm_of_its_own_runs_from_the_last_refresh() {
        let mut schedule = Schedule::new(&watchlist(1), RETRY, asked(NOW), NOW);
        schedule.change(|_| Rhythm::After(HOUR * 5), NOW);
        assert_eq!(dues(&schedule), [NOW + HOUR * 5; 3]);
        schedule.change(|_| Rhythm::After(HOUR * 5 + HOUR / 10), NOW);
        assert_eq!(dues(&schedule), [NOW + HOUR * 5; 3], "as good as the same");
        schedule.change(|_| Rhythm::After(HOUR / 2), NOW);
        assert_eq!(dues(&schedule), [NOW + HOUR; 3], "not more often than configured");
        schedule.change(|_| Rhythm::Stretched(f64::INFINITY), NOW);
        assert!(dues(&schedule).iter().all(|due| *due <= NOW + HOUR * 3 / 2), "as configured again");
    }
}
