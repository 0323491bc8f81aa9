use proptest::prelude::*;
use tiktok_api::Region;
use units::{DAY, HOUR};

use super::*;
use crate::watch::{Block, Terms, Watchlist};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const RETRY: Duration = DAY;

/// `count` hashtags, each in two regions, totals and posts every hour.
fn watchlist(count: usize) -> Vec<Planned> {
    let block = Block {
        hashtags: (0..count).map(|n| Hashtag::parse(&format!("tag{n}")).unwrap()).collect(),
        terms: Terms {
            regions: ["US", "DE"].iter().map(|code| Region::parse(code).unwrap()).collect(),
            group: "default".into(),
            totals_interval: HOUR,
            posts_interval: HOUR,
            max_age: DAY,
            pages_max: 1,
        },
    };
    jobs(&Watchlist::merge(&[block]).0, &[]).collect()
}

fn never(_: &Job) -> Past {
    Past::default()
}

/// Successfully refreshed at `at`.
fn refreshed(at: Timestamp) -> impl Fn(&Job) -> Past {
    move |_| Past { last: Some((at, Outcome::Success)), resolved: true, absent: false }
}

fn name(job: &Job) -> Hashtag {
    match &job.subject {
        Subject::Hashtag(hashtag) => hashtag.clone(),
        Subject::Keyword(keyword) => panic!("{keyword} is no hashtag"),
    }
}

fn start_all(schedule: &mut Schedule, now: Timestamp) -> Vec<Job> {
    std::iter::from_fn(|| schedule.start_next(now, |_| true).map(|(job, _)| job)).collect()
}

fn first_due(schedule: &Schedule) -> Timestamp {
    JobKind::ALL.into_iter().filter_map(|kind| schedule.next_wake(kind)).min().unwrap()
}

/// The due times of all jobs, sorted.
fn dues(schedule: &Schedule) -> Vec<Timestamp> {
    let mut dues: Vec<_> =
        schedule.jobs.numbers().filter_map(|number| schedule.due(&schedule.jobs.job(number))).collect();
    dues.sort();
    dues
}

#[test]
fn totals_of_new_hashtags_are_due_at_once_and_posts_wait_for_the_id() {
    let mut schedule = Schedule::new(watchlist(3), RETRY, never, NOW);
    let started = start_all(&mut schedule, NOW);
    assert_eq!(started.len(), 3);
    assert!(started.iter().all(|job| job.region.is_none()), "{started:?}");

    schedule.finished(&started[0], Outcome::Success, NOW);
    schedule.resolved(&name(&started[0]), true, never, NOW);
    let posts = start_all(&mut schedule, NOW);
    assert_eq!(posts.len(), 2, "one per region: {posts:?}");
    assert!(posts.iter().all(|job| job.subject == started[0].subject));
}

#[test]
fn a_running_job_is_not_started_twice() {
    let mut schedule = Schedule::new(watchlist(1), RETRY, never, NOW);
    assert_eq!(start_all(&mut schedule, NOW).len(), 1);
    assert_eq!(schedule.start_next(NOW + DAY, |_| true), None);
}

#[test]
fn after_the_first_cycle_jobs_are_spread_evenly_over_the_interval() {
    let count = 100;
    let schedule = Schedule::new(watchlist(count), RETRY, refreshed(NOW), NOW);
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
    let mut schedule = Schedule::new(watchlist(7), RETRY, refreshed(NOW), NOW);
    let due = first_due(&schedule);
    let job = schedule.start_next(due, |_| true).unwrap().0;
    // The answer takes a moment; that does not move the slot.
    schedule.finished(&job, Outcome::Failed, due + Duration::from_secs(3));
    assert_eq!(schedule.due(&job), Some(due + HOUR));
}

#[test]
fn a_restart_finds_the_same_due_times() {
    let before = Schedule::new(watchlist(20), RETRY, refreshed(NOW), NOW);
    let after = Schedule::new(watchlist(20), RETRY, refreshed(NOW), NOW + HOUR / 4);
    assert_eq!(dues(&before), dues(&after));
}

#[test]
fn what_was_missed_is_caught_up_at_no_more_than_twice_the_usual_rate() {
    for outage in [HOUR / 10, HOUR / 2, DAY] {
        let last = NOW - outage - HOUR;
        let schedule = Schedule::new(watchlist(100), RETRY, refreshed(last), NOW);
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
        assert!(dues.iter().all(in_time), "nothing stays overdue, no job waits longer than an interval");
    }
}

#[test]
fn an_unknown_hashtag_is_asked_rarely_and_its_posts_not_at_all() {
    let mut schedule = Schedule::new(watchlist(1), RETRY, refreshed(NOW - HOUR), NOW);
    let job = Job::of_hashtag(&Hashtag::parse("tag0").unwrap(), None);
    schedule.finished(&job, Outcome::NotFound, NOW);
    schedule.resolved(&name(&job), false, never, NOW);
    assert_eq!(first_due(&schedule), NOW + RETRY);
    assert_eq!(dues(&schedule), [NOW + RETRY]);

    let later = NOW + RETRY;
    assert_eq!(schedule.start_next(later, |_| true), Some((job.clone(), JobKind::Totals)));
    schedule.finished(&job, Outcome::Success, later);
    schedule.resolved(&name(&job), true, refreshed(NOW), later);
    let dues = dues(&schedule);
    assert_eq!(dues.len(), 3);
    assert!(dues.iter().all(|due| *due >= later && *due <= later + HOUR * 3 / 2), "{dues:?}");
}

#[test]
fn a_job_put_back_stays_due_until_the_backlog_is_spread() {
    let mut schedule = Schedule::new(watchlist(10), RETRY, refreshed(NOW - DAY), NOW);
    let due = first_due(&schedule);
    let job = schedule.start_next(due, |_| true).unwrap().0;
    schedule.put_back(&job);
    assert_eq!(schedule.due(&job), Some(due));

    let end_of_stop = NOW + HOUR * 3;
    schedule.catch_up(end_of_stop);
    assert!(dues(&schedule).iter().all(|due| *due >= end_of_stop));
}

#[test]
fn a_reload_keeps_what_runs_and_what_is_due_and_starts_what_is_new() {
    let mut schedule = Schedule::new(watchlist(2), RETRY, refreshed(NOW), NOW);
    let running = schedule.start_next(NOW + HOUR * 2, |_| true).unwrap().0;
    let past = |job: &Job| if name(job).as_str() == "tag2" { never(job) } else { refreshed(NOW)(job) };
    let mut schedule = Schedule::taking_over([&running], watchlist(3), RETRY, past, NOW);
    assert_eq!(schedule.len(), 9);
    let started = start_all(&mut schedule, NOW);
    assert_eq!(started.len(), 1, "only the new one: {started:?}");
    assert_eq!(name(&started[0]).as_str(), "tag2");
    let all = start_all(&mut schedule, NOW + DAY);
    assert!(!all.contains(&running), "{running:?} is still running");
}

#[test]
fn what_was_unwatched_for_a_while_under_way_is_not_started_twice() {
    let mut schedule = Schedule::new(watchlist(2), RETRY, never, NOW);
    let running = start_all(&mut schedule, NOW);
    let gone = Schedule::taking_over(&running, watchlist(1), RETRY, never, NOW);
    assert_eq!(gone.len(), 3);
    let mut back = Schedule::taking_over(&running, watchlist(2), RETRY, never, NOW);
    assert_eq!(back.start_next(NOW + DAY, |_| true), None, "{running:?} are still running");
    back.put_back(&running[1]);
    assert_eq!(
        back.start_next(NOW, |_| true).map(|(job, _)| job).as_ref(),
        Some(&running[1]),
        "put back, it is due"
    );
}

#[test]
fn a_failure_does_not_make_an_absent_hashtag_worth_asking_often() {
    let job = Job::of_hashtag(&Hashtag::parse("tag0").unwrap(), None);
    let mut schedule = Schedule::new(watchlist(1), RETRY, refreshed(NOW - HOUR), NOW);
    schedule.finished(&job, Outcome::NotFound, NOW);
    schedule.finished(&job, Outcome::Failed, NOW + DAY);
    assert_eq!(schedule.due(&job), Some(NOW + DAY + RETRY));
    schedule.change(|_, _| Rhythm::Stretched(2.0), NOW + DAY);
    assert_eq!(schedule.due(&job), Some(NOW + DAY + RETRY), "stretched");

    let past = |_: &Job| Past { last: Some((NOW, Outcome::Failed)), resolved: false, absent: true };
    let restarted = Schedule::new(watchlist(1), RETRY, past, NOW + HOUR);
    assert_eq!(restarted.due(&job), Some(NOW + RETRY), "after a restart");

    schedule.finished(&job, Outcome::Success, NOW + DAY);
    schedule.finished(&job, Outcome::Failed, NOW + DAY);
    assert!(schedule.due(&job) <= Some(NOW + DAY + HOUR * 3), "a failure after a success is retried soon");
}

#[test]
fn a_time_stored_in_the_future_does_not_silence_a_job() {
    let schedule = Schedule::new(watchlist(1), RETRY, refreshed(NOW + DAY * 30), NOW);
    assert!(dues(&schedule).iter().all(|due| *due <= NOW + HOUR * 3 / 2), "{:?}", dues(&schedule));
}

/// Runs `schedule` for `span`, in which refreshes take no time; returns when jobs were started.
fn run(schedule: &mut Schedule, from: Timestamp, span: Duration) -> Vec<(Timestamp, Job)> {
    let mut started = Vec::new();
    while first_due(schedule) < from + span {
        let now = first_due(schedule).max(from);
        let job = schedule.start_next(now, |_| true).unwrap().0;
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
            let mut schedule = Schedule::new(watchlist(count), RETRY, refreshed(last), NOW);
            schedule.change(|_, _| Rhythm::Stretched(factor), NOW);
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
    let mut schedule = Schedule::new(watchlist(1), RETRY, refreshed(NOW), NOW);
    schedule.change(|_, _| Rhythm::After(HOUR * 5), NOW);
    assert_eq!(dues(&schedule), [NOW + HOUR * 5; 3]);
    schedule.change(|_, _| Rhythm::After(HOUR * 5 + HOUR / 10), NOW);
    assert_eq!(dues(&schedule), [NOW + HOUR * 5; 3], "as good as the same");
    schedule.change(|_, _| Rhythm::After(HOUR / 2), NOW);
    assert_eq!(dues(&schedule), [NOW + HOUR; 3], "not more often than configured");
    schedule.change(|_, _| Rhythm::Stretched(f64::INFINITY), NOW);
    assert!(dues(&schedule).iter().all(|due| *due <= NOW + HOUR * 3 / 2), "as configured again");
}
