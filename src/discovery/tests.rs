use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tiktok_api::{ChallengeId, Flags, Hashtag, HashtagRecord, Post, Region, Totals};
use units::{DAY, HOUR, Timestamp};

use super::*;
use crate::model::{Keyword, PostSample, SampleStats};
use crate::watch::{Block, Terms, Watchlist};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
const TRIAL: Duration = DAY;

fn tag(name: &str) -> Hashtag {
    Hashtag::parse(name).unwrap()
}

fn word(text: &str) -> Keyword {
    Keyword::parse(text).unwrap()
}

/// A keyword with two regions and `promote` places on trial, for a day each.
fn followed(keyword: &str, promote: usize) -> Followed {
    Followed {
        keyword: word(keyword),
        top: 10,
        min_views: 0,
        promote,
        trial: TRIAL,
        search_interval: DAY,
        follow_posts: true,
        terms: Arc::new(Terms {
            group: TRIAL_GROUP.into(),
            regions: vec![Region::Any, Region::parse("US").unwrap()],
            totals_interval: HOUR * 6,
            posts_interval: DAY,
            max_age: DAY * 2,
            pages_max: 3,
        }),
        watched_elsewhere: Arc::default(),
    }
}

fn record(name: &str, posts: u64, views: u64) -> HashtagRecord {
    HashtagRecord {
        id: ChallengeId::parse("1").unwrap(),
        hashtag: tag(name),
        totals: Totals { posts: Some(posts), views: Some(views) },
        flags: Flags::default(),
        description: None,
    }
}

/// The candidates of a first search, the largest first.
fn found(names: &[&str]) -> Vec<Candidate> {
    let records =
        names.iter().zip((1..=1_000).rev()).map(|(name, size)| record(name, size, size * 1_000)).collect();
    Candidates::update(None, records, NOW).all
}

/// The status of hashtags, by name.
#[derive(Default)]
struct Knows {
    listed: BTreeSet<Hashtag>,
    gone: BTreeSet<Hashtag>,
    busy: BTreeSet<Hashtag>,
}

impl HashtagStatus for Knows {
    fn is_listed(&self, hashtag: &Hashtag) -> bool {
        self.listed.contains(hashtag)
    }

    fn is_gone(&self, hashtag: &Hashtag) -> bool {
        self.gone.contains(hashtag)
    }

    fn is_busy(&self, hashtag: &Hashtag) -> bool {
        self.busy.contains(hashtag)
    }
}

fn names(trials: &Trials) -> Vec<String> {
    trials.running().map(|trial| trial.hashtag.to_string()).collect()
}

fn quiet(at: Timestamp) -> Observation<'static> {
    Observation { at, posts: Some(1_000), sample: None }
}

#[test]
fn the_largest_unlisted_hashtags_are_the_candidates() {
    let records = vec![
        record("small", 1, 10),
        record("large", 2, 9_000),
        record("larger", 3, 10_000),
        record("listed", 4, 90_000),
        record("large", 5, 1),
        HashtagRecord { totals: Totals::default(), ..record("silent", 0, 0) },
    ];
    let found = Candidates::update(None, records, NOW);
    assert_eq!(found.all.len(), 5, "each once");
    let chosen = |top, min_views| {
        let followed = Followed { top, min_views, ..followed("k", 0) };
        let chosen = followed.choose(&found, |hashtag| hashtag.as_str() == "listed");
        chosen.iter().map(|candidate| candidate.hashtag.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(chosen(10, 0), ["larger", "large", "small", "silent"]);
    assert_eq!(chosen(10, 11), ["larger", "large"], "silence is not size");
    assert_eq!(chosen(1, 0), ["larger"]);
    let others = Arc::new(BTreeSet::from([tag("larger")]));
    let shared = Followed { watched_elsewhere: others, ..followed("k", 0) };
    assert_eq!(shared.choose(&found, |_| false).len(), 4, "another exporter watches the fifth");
}

#[test]
fn places_go_to_rising_hashtags_then_to_unknown_ones_and_never_to_dormant_ones() {
    let day = |n: u32| NOW + DAY * n;
    let mut found = Candidates::default();
    let search = |found: &Candidates, n: u32, posts: [u64; 2]| {
        let [still, rising] = posts;
        let records = vec![record("still", still, 900), record("rising", rising, 10)];
        let records = if n == 4 { [records, vec![record("new", 5, 500)]].concat() } else { records };
        Candidates::update(Some(found), records, day(n))
    };
    for (n, posts) in [(0, [100, 100]), (1, [100, 110]), (2, [100, 120]), (3, [100, 130]), (4, [100, 900])] {
        found = search(&found, n, posts);
    }
    let mut trials = Trials::default();
    for (places, want) in [(1, vec!["rising"]), (2, vec!["new", "rising"]), (3, vec!["new", "rising"])] {
        let following = [followed("k", places)];
        trials.review(&following, |_| &found.all, day(4), &Knows::default());
        assert_eq!(names(&trials), want, "{places} places");
    }
}

#[test]
fn a_quiet_trial_ends_after_its_period_and_its_place_goes_to_another() {
    let following = [followed("k", 2)];
    let candidates = found(&["a", "b", "c"]);
    let mut trials = Trials::default();
    let review =
        |trials: &mut Trials, now| trials.review(&following, |_| &candidates, now, &Knows::default());
    let joined = |name: &str| Change::Joined(word("k"), tag(name));
    assert_eq!(review(&mut trials, NOW), [joined("a"), joined("b")]);
    assert_eq!(review(&mut trials, NOW), [], "nothing changes by itself");

    trials.observe(&tag("a"), &quiet(NOW + HOUR));
    assert_eq!(review(&mut trials, NOW + TRIAL - HOUR), [], "not before its time");
    let left = Change::Left(word("k"), tag("a"), EndReason::Quiet);
    assert_eq!(review(&mut trials, NOW + TRIAL), [left, joined("c")]);
    assert_eq!(names(&trials), ["b", "c"], "b was never refreshed, so it may not have been quiet");
    for name in ["b", "c"] {
        trials.observe(&tag(name), &quiet(NOW + TRIAL));
    }
    review(&mut trials, NOW + TRIAL * 3);
    assert_eq!(names(&trials), [""; 0], "hashtags that have left rest");
    review(&mut trials, NOW + TRIAL * 5 + HOUR);
    assert_eq!(names(&trials), ["a"], "until they may join again");
}

#[test]
fn activity_prolongs_a_trial() {
    let sample = |posts: u64, pages: bool| {
        let post = |n| Post { id: format!("{n}"), created_at: Some(NOW - HOUR), ..Post::default() };
        let sample =
            PostSample { posts: (0..posts).map(post).collect(), exhausted: pages, ..PostSample::default() };
        sample.stats(Region::Any, NOW)
    };
    let at = NOW + HOUR * 20;
    let looks: [(&str, Option<SampleStats>, bool); 4] = [
        ("four posts today and none before", Some(sample(4, true)), true),
        ("two posts are a coincidence", Some(sample(2, true)), false),
        ("a sample that does not cover the week is ignored", Some(sample(35, false)), false),
        ("a count is not enough on the first day", None, false),
    ];
    for (note, sample, lively) in looks {
        let following = [followed("k", 1)];
        let candidates = found(&["a"]);
        let mut trials = Trials::default();
        trials.review(&following, |_| &candidates, NOW, &Knows::default());
        trials.observe(&tag("a"), &Observation { at, posts: Some(99), sample: sample.as_ref() });
        trials.review(&following, |_| &[], NOW + TRIAL, &Knows::default());
        assert_eq!(names(&trials).len(), usize::from(lively), "{note}");
        trials.review(&following, |_| &[], at + TRIAL, &Knows::default());
        assert_eq!(names(&trials).len(), 0, "{note}: quiet since");
    }
}

#[test]
fn a_jump_of_the_total_is_activity() {
    let period = Followed { trial: DAY * 3, ..followed("k", 1) };
    let following = [period];
    let candidates = found(&["a"]);
    let mut trials = Trials::default();
    trials.review(&following, |_| &candidates, NOW, &Knows::default());
    let mut posts = 1_000;
    for day in 1..=3_u32 {
        posts += if day == 3 { 300 } else { 10 };
        trials.observe(&tag("a"), &Observation { at: NOW + DAY * day, posts: Some(posts), sample: None });
    }
    let trial = trials.running().next().unwrap();
    assert_eq!(trial.active_at, Some(NOW + DAY * 3));
    assert_eq!(trial.ends(DAY * 3), NOW + DAY * 6);
}

#[test]
fn changes_of_the_configuration_end_trials_without_a_rest() {
    let candidates = found(&["a", "b", "c"]);
    let both = [followed("k", 2), followed("l", 1)];
    let started = || {
        let mut trials = Trials::default();
        trials.review(&both, |_| &candidates, NOW, &Knows::default());
        trials
    };
    assert_eq!(names(&started()), ["a", "b", "c"]);
    let knows = |listed: &[&str], gone: &[&str], busy: &[&str]| {
        let set = |names: &[&str]| names.iter().map(|name| tag(name)).collect();
        Knows { listed: set(listed), gone: set(gone), busy: set(busy) }
    };
    for (note, following, knows, want) in [
        ("nothing", both.to_vec(), knows(&[], &[], &[]), vec!["a", "b", "c"]),
        ("a is listed", both.to_vec(), knows(&["a"], &[], &[]), vec!["b", "c"]),
        ("b is gone", both.to_vec(), knows(&[], &["b"], &[]), vec!["a", "c"]),
        ("one place less", vec![followed("k", 1), both[1].clone()], knows(&[], &[], &[]), vec!["a", "c"]),
        ("k is not followed", vec![both[1].clone()], knows(&[], &[], &[]), vec!["c"]),
        ("a has a request in flight", vec![], knows(&[], &[], &["a"]), vec!["a"]),
    ] {
        let mut trials = started();
        trials.review(&following, |_| &[], NOW, &knows);
        assert_eq!(names(&trials), want, "{note}");
        let rests = trials.resting().count();
        assert_eq!(rests, usize::from(note == "b is gone"), "{note}");
    }
}

#[test]
fn hashtags_on_trial_are_watched_by_the_terms_of_the_keyword_and_listed_ones_by_their_own() {
    let listed = Block {
        hashtags: vec![tag("b"), tag("z")],
        terms: Terms {
            regions: vec![],
            group: "mine".into(),
            totals_interval: HOUR,
            posts_interval: HOUR,
            max_age: DAY,
            pages_max: 1,
        },
    };
    let (listed, _) = Watchlist::merge(&[listed]);
    let following = [followed("k", 3)];
    let candidates = found(&["a", "b", "c"]);
    let mut trials = Trials::default();
    trials.review(&following, |_| &candidates, NOW, &Knows::default());
    let watched = listed.with_trials(&trials, &following);
    let shown: Vec<_> = watched
        .entries
        .iter()
        .map(|entry| {
            (entry.hashtag.to_string(), &*entry.terms.group, entry.terms.regions.len(), entry.on_trial)
        })
        .collect();
    let want = [
        ("a", TRIAL_GROUP, 2, true),
        ("b", "mine", 1, false),
        ("c", TRIAL_GROUP, 2, true),
        ("z", "mine", 1, false),
    ];
    assert_eq!(shown, want.map(|(name, group, regions, trial)| (name.to_owned(), group, regions, trial)));
    assert_eq!(listed.with_trials(&trials, &[]), listed, "without the keyword they leave at once");
}

#[test]
fn posts_of_a_keyword_are_counted_by_day_and_week() {
    let post = |hours: u64, plays| Post {
        id: format!("{hours}"),
        created_at: Some(NOW - HOUR * u32::try_from(hours).unwrap()),
        plays,
        ..Post::default()
    };
    let sample =
        |posts: Vec<Post>, exhausted| PostSample { posts, exhausted, pages: 2, ..PostSample::default() };
    let posts = vec![post(1, Some(10)), post(2, None), post(30, Some(100)), post(200, Some(1_000))];
    let stats = KeywordStats::new(&sample(posts, true), NOW);
    assert_eq!((stats.posts_24h, stats.posts_7d), (2, 3));
    assert_eq!((stats.plays_24h, stats.plays_7d), (Some(10), Some(110)));
    assert!(!stats.saturated);
    let silent = KeywordStats::new(&sample(vec![post(1, None)], false), NOW);
    assert_eq!((silent.posts_24h, silent.plays_24h, silent.saturated), (1, None, true));
    let none = KeywordStats::new(&sample(vec![], true), NOW);
    assert_eq!((none.posts_7d, none.plays_7d, none.saturated), (0, Some(0), false), "no posts, no plays");
}

/// One step in the life of the trials.
#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Observation { tag: usize, posts: u64, lively: bool },
    Places(usize, usize),
    List(usize),
    Lose(usize),
    Busy(usize, bool),
}

const TAGS: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

fn step() -> impl Strategy<Value = Step> {
    let tag = 0..TAGS.len();
    prop_oneof![
        4 => (1_u64..200_000).prop_map(Step::Wait),
        4 => (tag.clone(), any::<u64>(), any::<bool>())
            .prop_map(|(tag, posts, lively)| Step::Observation { tag, posts, lively }),
        1 => (0_usize..2, 0_usize..5).prop_map(|(keyword, places)| Step::Places(keyword, places)),
        1 => tag.clone().prop_map(Step::List),
        1 => tag.clone().prop_map(Step::Lose),
        2 => (tag, any::<bool>()).prop_map(|(tag, busy)| Step::Busy(tag, busy)),
    ]
}

proptest! {
    /// There are never more trials than places, except for requests in flight. Hashtags that are listed or
    /// not found leave, quiet ones leave in time and rest, active ones stay.
    #[test]
    fn trials_keep_to_their_cap_and_end_in_time(
        steps in prop::collection::vec(step(), 1..80),
        places in (0_usize..5, 0_usize..5),
    ) {
        let candidates = found(&TAGS);
        let mut following = vec![followed("k", places.0), followed("l", places.1)];
        let (mut trials, mut knows, mut now) = (Trials::default(), Knows::default(), NOW);
        let posts = (0..9)
            .map(|n| Post { id: format!("{n}"), created_at: Some(NOW), ..Post::default() })
            .collect();
        let lively = PostSample { posts, exhausted: true, ..PostSample::default() };
        let lively = lively.stats(Region::Any, NOW);
        let mut left_quiet: BTreeMap<Hashtag, Timestamp> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Wait(seconds) => now = now + Duration::from_secs(seconds),
                Step::Observation { tag: n, posts, lively: alive } => {
                    let sample = alive.then_some(&lively);
                    trials.observe(&tag(TAGS[n]), &Observation { at: now, posts: Some(posts), sample });
                }
                Step::Places(keyword, places) => following[keyword].promote = places,
                Step::List(n) => _ = knows.listed.insert(tag(TAGS[n])),
                Step::Lose(n) => _ = knows.gone.insert(tag(TAGS[n])),
                Step::Busy(n, true) => _ = knows.busy.insert(tag(TAGS[n])),
                Step::Busy(n, false) => _ = knows.busy.remove(&tag(TAGS[n])),
            }
            let before: BTreeMap<Hashtag, Trial> =
                trials.running().map(|trial| (trial.hashtag.clone(), trial.clone())).collect();
            let changes = trials.review(&following, |_| &candidates, now, &knows);
            for followed in &following {
                let running: Vec<&Trial> = trials.of(&followed.keyword).collect();
                let idle = running.iter().filter(|trial| !knows.busy.contains(&trial.hashtag)).count();
                prop_assert!(idle <= followed.promote, "{idle} of {}", followed.promote);
                let grew = running.iter().any(|trial| !before.contains_key(&trial.hashtag));
                prop_assert!(!grew || running.len() <= followed.promote, "joined beyond the cap");
            }
            for trial in trials.running() {
                let name = &trial.hashtag;
                let must_go = knows.listed.contains(name) || knows.gone.contains(name);
                prop_assert!(!must_go || knows.busy.contains(name), "{name} should have left");
                let is_over = trial.refreshed_at.is_some() && trial.ends(TRIAL) <= now;
                prop_assert!(!is_over || knows.busy.contains(name), "{name} was quiet for too long");
            }
            for change in changes {
                match change {
                    Change::Left(_, name, why) => {
                        let was = &before[&name];
                        prop_assert!(!knows.busy.contains(&name), "{name} has a request in flight");
                        if why == EndReason::Quiet {
                            prop_assert!(was.active_at.is_none_or(|at| at + TRIAL <= now), "{name} was alive");
                            prop_assert!(was.since + TRIAL <= now && was.refreshed_at.is_some(), "{name}: too soon");
                            left_quiet.insert(name, now);
                        }
                    }
                    Change::Joined(_, name) => {
                        let rested = left_quiet.get(&name).is_none_or(|left| *left + TRIAL * 4 <= now);
                        prop_assert!(rested, "{name} had left only at {:?}", left_quiet.get(&name));
                        prop_assert!(!knows.listed.contains(&name) && !knows.gone.contains(&name));
                    }
                }
            }
            let again = trials.review(&following, |_| &candidates, now, &knows);
            prop_assert_eq!(again, vec![], "a second review at once changes nothing");
            let resting: BTreeMap<_, _> = trials.resting().map(|(tag, until)| (tag.clone(), until)).collect();
            let stored = trials.running().cloned().collect();
            prop_assert_eq!(&Trials::from_parts(stored, resting, now), &trials, "as a restart finds them");
        }
    }
}
