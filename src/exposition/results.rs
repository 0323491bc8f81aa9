//! The snapshot as metric families, built fresh for every scrape.
//!
//! Built fresh, so that a hashtag that is no longer watched, or a value that is too old to be true,
//! is simply not there. Labels that come from outside never enter a metric vector, whose hash can
//! take two series for one.

use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;

use super::families::{self as f, Family};
use super::sheet::{Labels, Sheet, describe};
use crate::clock::SharedClock;
use crate::model::{SampleStats, Timestamp};
use crate::state::{HashtagState, JobKind, Outcome, Reading, Refresh, RegionState, Snapshot, State};

/// Collects the result families from the latest snapshot.
pub(super) struct Results {
    state: State,
    clock: SharedClock,
    descriptions: Vec<Desc>,
}

impl Results {
    pub(super) fn new(state: State, clock: SharedClock) -> prometheus::Result<Self> {
        Ok(Self { state, clock, descriptions: describe(f::ALL)? })
    }
}

impl Collector for Results {
    fn desc(&self) -> Vec<&Desc> {
        self.descriptions.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let snapshot = self.state.snapshot();
        let mut page = Page::new(&snapshot, self.clock.now());
        page.jobs(&JobCounts::new(&snapshot, page.now));
        page.sheet.into_families(f::ALL)
    }
}

/// What `/metrics` tells about the hashtags of a snapshot at `now`, without the exporter's own
/// figures.
pub fn result_families(snapshot: &Snapshot, now: Timestamp) -> Vec<MetricFamily> {
    Page::new(snapshot, now).sheet.into_families(f::ALL)
}

/// The samples of one scrape.
struct Page {
    now: Timestamp,
    sheet: Sheet,
}

impl Page {
    fn new(snapshot: &Snapshot, now: Timestamp) -> Self {
        let mut page = Self { now, sheet: Sheet::default() };
        for hashtag in &snapshot.hashtags {
            page.hashtag(hashtag);
            hashtag.regions.iter().for_each(|region| page.region(hashtag, region));
        }
        page
    }

    fn hashtag(&mut self, state: &HashtagState) {
        let labels: Labels = &[("hashtag", state.hashtag.as_str())];
        self.reading(&f::POSTS, &f::POSTS_RESOLUTION, labels, state, state.posts.as_ref());
        self.reading(&f::VIEWS, &f::VIEWS_RESOLUTION, labels, state, state.views.as_ref());
        self.put(
            &f::INFO,
            &[
                ("challenge_id", state.id.as_ref().map_or("", |id| id.as_str())),
                ("commerce", state.commerce.map_or("unknown", |yes| if yes { "true" } else { "false" })),
                ("group", &state.group),
                ("hashtag", state.hashtag.as_str()),
            ],
            1.0,
        );
        self.refresh(&f::UP, &f::LAST_SUCCESS, &f::REFRESH_INTERVAL, labels, &state.refresh);
        if let Some(found) = state.found {
            self.put(&f::FOUND, labels, flag(found));
        }
    }

    fn region(&mut self, hashtag: &HashtagState, state: &RegionState) {
        let labels: Labels = &[("hashtag", hashtag.hashtag.as_str()), ("region", state.region.as_str())];
        self.refresh(
            &f::SAMPLE_UP,
            &f::SAMPLE_LAST_SUCCESS,
            &f::SAMPLE_REFRESH_INTERVAL,
            labels,
            &state.refresh,
        );
        if let Some(sample) = &state.sample
            && hashtag.is_current(sample.at, self.now)
        {
            self.sample(labels, &sample.stats);
        }
    }

    fn sample(&mut self, labels: Labels<'_>, stats: &SampleStats) {
        self.put(&f::VELOCITY, labels, stats.velocity);
        for (window, posts) in [("24h", stats.posts_24h), ("7d", stats.posts_7d), ("all", stats.posts_all)] {
            let labels = [labels, &[("window", window)]].concat();
            self.put(&f::SAMPLE_POSTS, &labels, posts as f64);
        }
        self.put(&f::SAMPLE_SATURATED, labels, flag(stats.saturated));
        self.put(&f::SAMPLE_PAGES, labels, f64::from(stats.pages));
        let count = |sum: Option<u64>| sum.map(|count| count as f64);
        for (family, value) in [
            (&f::WEIGHTED_VELOCITY, stats.engagement_weighted_velocity),
            (&f::SAMPLE_PLAYS, count(stats.plays)),
            (&f::SAMPLE_LIKES, count(stats.likes)),
            (&f::SAMPLE_COMMENTS, count(stats.comments)),
            (&f::SAMPLE_SHARES, count(stats.shares)),
            (&f::SAMPLE_SAVES, count(stats.saves)),
            (&f::SAMPLE_ENGAGEMENT_RATIO, stats.engagement_ratio),
            (&f::SAMPLE_OLDEST_POST_AGE, stats.oldest_post_age_seconds),
            (&f::SAMPLE_REGION_MATCH_RATIO, stats.region_match_ratio),
        ] {
            if let Some(value) = value {
                self.put(family, labels, value);
            }
        }
    }

    fn reading(
        &mut self,
        count: &Family,
        resolution: &Family,
        labels: Labels<'_>,
        state: &HashtagState,
        reading: Option<&Reading>,
    ) {
        if let Some(reading) = reading
            && state.is_current(reading.at, self.now)
        {
            self.put(count, labels, reading.value() as f64);
            self.put(resolution, labels, reading.resolution() as f64);
        }
    }

    fn refresh(
        &mut self,
        up: &Family,
        last_success: &Family,
        interval: &Family,
        labels: Labels<'_>,
        refresh: &Refresh,
    ) {
        if let Some((_, outcome)) = refresh.last {
            self.put(up, labels, flag(outcome == Outcome::Success));
        }
        if let Some(at) = refresh.last_success {
            self.put(last_success, labels, at.as_secs_f64());
        }
        self.put(interval, labels, refresh.interval.as_secs_f64());
    }

    fn jobs(&mut self, jobs: &JobCounts) {
        for kind in JobKind::ALL {
            let labels: Labels = &[("kind", kind.as_str())];
            let [all, due, overdue] = jobs.0[kind as usize];
            self.put(&f::JOBS, labels, f64::from(all));
            self.put(&f::JOBS_DUE, labels, f64::from(due));
            self.put(&f::JOBS_OVERDUE, labels, f64::from(overdue));
        }
    }

    fn put(&mut self, family: &Family, labels: Labels<'_>, value: f64) {
        self.sheet.put(family, labels, value);
    }
}

/// All, due and overdue jobs by kind.
#[derive(Default)]
struct JobCounts([[u32; 3]; JobKind::ALL.len()]);

impl JobCounts {
    fn new(snapshot: &Snapshot, now: Timestamp) -> Self {
        let mut jobs = Self::default();
        for hashtag in &snapshot.hashtags {
            jobs.count(JobKind::Totals, &hashtag.refresh, now);
            hashtag.regions.iter().for_each(|region| jobs.count(JobKind::Posts, &region.refresh, now));
        }
        jobs
    }

    fn count(&mut self, kind: JobKind, refresh: &Refresh, now: Timestamp) {
        let [all, due, overdue] = &mut self.0[kind as usize];
        *all += 1;
        if let Some(at) = refresh.next_due {
            *due += u32::from(at <= now);
            *overdue += u32::from(at + refresh.interval / 10 < now);
        }
    }
}

fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}
