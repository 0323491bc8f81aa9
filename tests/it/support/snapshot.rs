//! Snapshots made by hand, and a clock that stands where it is put.

#![allow(dead_code, reason = "no test needs all of it")]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tiktok_api::{Hashtag, Region};
use tiktok_exporter::model::{RecentValues, SampleStats};
use tiktok_exporter::state::{
    HashtagState, Outcome, Reading, Refresh, RegionState, Sampled, Snapshot, State,
};
use units::{Clock, DAY, HOUR, Timestamp};

/// 2027-01-15T08:00:00Z, the moment at which every test starts.
pub const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// A value older than this is not to be shown.
pub const MAX_AGE: Duration = Duration::from_secs(48 * 3_600);

/// A clock that moves only when told.
pub struct SetClock(AtomicI64);

impl SetClock {
    pub fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(now.as_millis())))
    }

    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A hashtag of which nothing is known yet.
pub fn unknown(name: &str, group: &str, regions: &[&str]) -> HashtagState {
    let region = |code: &&str| RegionState {
        region: Region::parse_label(code).unwrap(),
        sample: None,
        refresh: Refresh { interval: DAY, ..Refresh::default() },
    };
    HashtagState {
        refresh: Refresh { interval: HOUR * 6, ..Refresh::default() },
        regions: regions.iter().map(region).collect(),
        ..HashtagState::unknown(Hashtag::parse(name).unwrap(), group.into(), MAX_AGE)
    }
}

/// A hashtag whose refreshes all succeeded at `at`, with these views, a hundredth of them as
/// posts, and [`stats`] in every region.
pub fn known(name: &str, group: &str, regions: &[&str], views: u64, at: Timestamp) -> HashtagState {
    let mut state = unknown(name, group, regions);
    state.posts = Some(reading(at, &[views / 100]));
    state.views = Some(reading(at, &[views]));
    succeed(&mut state.refresh, at);
    state.found = Some(true);
    for region in &mut state.regions {
        region.sample = Some(Sampled::new(at, &stats()));
        succeed(&mut region.refresh, at);
    }
    state
}

/// A refresh that succeeded at `at` and is due again an interval later.
pub fn succeed(refresh: &mut Refresh, at: Timestamp) {
    refresh.last = Some((at, Outcome::Success));
    refresh.last_success = Some(at);
    refresh.next_due = Some(at + refresh.interval);
}

/// Counts read at `at`, newest first.
pub fn reading(at: Timestamp, newest_first: &[u64]) -> Reading {
    Reading { at, recent: RecentValues::from_newest_first(newest_first.iter().copied()) }
}

/// Figures of an ordinary sample.
pub fn stats() -> SampleStats {
    SampleStats {
        posts_24h: 3,
        posts_7d: 14,
        posts_all: 20,
        velocity: 1.5,
        engagement_weighted_velocity: Some(300.0),
        plays: Some(4_000),
        likes: Some(400),
        comments: Some(40),
        shares: Some(30),
        saves: Some(30),
        engagement_ratio: Some(0.125),
        saturated: false,
        oldest_post_age_seconds: Some(700_000.0),
        pages: 2,
        region_match_ratio: Some(0.75),
    }
}

/// Changes the figures of a sample.
pub fn restate(region: &mut RegionState, change: impl FnOnce(&mut SampleStats)) {
    let sample = region.sample.as_mut().unwrap();
    let mut stats = sample.stats();
    change(&mut stats);
    *sample = Sampled::new(sample.at, &stats);
}

/// Makes these hashtags the latest results.
pub fn publish(state: &State, hashtags: impl IntoIterator<Item = HashtagState>) {
    state.publish(Snapshot { hashtags: hashtags.into_iter().map(Arc::new).collect(), ..Snapshot::default() });
}
