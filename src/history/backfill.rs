//! The history of the simulated world, as an exporter would have recorded it.
//!
//! The answers come from the simulator and are read by the same code as live ones; the samples
//! are those that `/metrics` would have had. Totals are refreshed at most once per step, posts
//! at most once per [`Settings::posts_every`]: more would take much longer and add little.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use tiktok_api::{
    self, Answer, Class, Error, Query, RawAnswer,
    fake::{self, Body, Request, Simulator},
};
use tiktok_api::{ChallengeId, Region};
use units::{DAY, Timestamp};

use super::itself::Itself;
use super::openmetrics::{Directory, Samples, Span, WriteError};
use crate::gateway::refresh::{Listing, Paging, Sampling};
use crate::model::{PostSample, RecentValues};
use crate::page::result_families;
use crate::state::{HashtagState, Outcome, Reading, Refresh, RegionState, Sampled, Snapshot};
use crate::watch::{Watched, Watchlist};

/// The exporter's own metrics are written for the last days only, which is the range of its dashboard.
const ITSELF: Duration = Duration::from_secs(8 * DAY.as_secs());
/// Values of a count that an exporter remembers, from which it derives the resolution.
const REMEMBERED: u32 = 8;

/// Which history to write.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The watchlist.
    pub watchlist: Watchlist,
    /// Posts per page, 1 to 35.
    pub page_size: u32,
    /// Selects the simulated world.
    pub seed: u64,
    /// The beginning of the world.
    pub beginning: Timestamp,
    /// The time range and the step.
    pub span: Span,
    /// Posts are sampled at their interval, but not more often than this, because samples take most of the time.
    pub posts_every: Duration,
    /// Also writes the exporter's own metrics of the last days, as if each request had taken this long.
    pub itself: Option<Duration>,
}

/// Writes the files. `progress` is called with the share that is done, 0 to 1, from several threads.
/// Returns the number of samples.
pub fn backfill(
    settings: &Settings,
    directory: &Directory,
    progress: &(dyn Fn(f64) + Sync),
) -> Result<u64, WriteError> {
    let blocks: Vec<Span> = directory.blocks(settings.span).collect();
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let done = AtomicU64::new(0);
    let finished = || {
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        progress(done as f64 / blocks.len() as f64);
    };
    // Each thread has its own time range and its own world: worlds of the same seed are equal.
    let ranges = blocks.chunks(blocks.len().div_ceil(threads).max(1));
    thread::scope(|scope| {
        let threads: Vec<_> =
            ranges.map(|blocks| scope.spawn(|| write(settings, blocks, directory, &finished))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .sum()
    })
}

fn write(
    settings: &Settings,
    blocks: &[Span],
    directory: &Directory,
    finished: &dyn Fn(),
) -> Result<u64, WriteError> {
    let Some(first) = blocks.first() else { return Ok(0) };
    let mut observer = Observer::new(settings, first.from);
    // Its counters start at 0 in each range, as after a restart.
    let mut itself = settings.itself.and_then(|latency| Itself::new(latency, first.from).ok());
    let mut count = 0;
    for block in blocks {
        let mut samples = Samples::default();
        for moment in block.moments() {
            observer.refresh(moment);
            observer.show(moment, &mut samples);
            if let Some(itself) = &mut itself {
                let states = observer.watched.iter().map(|target| &*target.state);
                itself.pass(settings.watchlist.entries.iter().zip(states), settings.span.step, moment);
                if moment >= settings.span.to - ITSELF {
                    itself.show(moment, &mut samples);
                }
            }
        }
        count += directory.write(block.from, samples)?;
        finished();
    }
    Ok(count)
}

/// An exporter without the loop: it refreshes when it is called.
struct Observer {
    simulator: Simulator,
    step: Duration,
    watched: Vec<Target>,
}

struct Target {
    id: ChallengeId,
    paging: Paging,
    state: Arc<HashtagState>,
}

impl Observer {
    /// An observer that has watched for long enough before `start` to have all values.
    fn new(settings: &Settings, start: Timestamp) -> Self {
        let simulator = Simulator::new(fake::Settings {
            seed: settings.seed,
            beginning: settings.beginning,
            rate_limit_per_minute: u32::MAX,
            ..fake::Settings::default()
        });
        let target = |watched: &Watched| Target {
            id: simulator.id(&watched.hashtag),
            paging: Paging { pages_max: watched.terms.pages_max, page_size: settings.page_size },
            state: Arc::new(blank(watched, settings)),
        };
        let watched = settings.watchlist.entries.iter().map(target).collect();
        let mut observer = Self { simulator, step: settings.span.step, watched };
        observer.warm_up(start);
        observer
    }

    fn warm_up(&mut self, start: Timestamp) {
        let longest =
            self.watched.iter().map(|target| target.state.refresh.interval).max().unwrap_or_default();
        let span = Span { from: start - longest * REMEMBERED, to: start, step: longest.max(self.step) };
        span.moments().for_each(|moment| self.refresh_totals(moment));
        let posts = self
            .watched
            .iter()
            .flat_map(|target| &target.state.regions)
            .map(|region| region.refresh.interval)
            .max()
            .unwrap_or_default();
        self.refresh_posts(start - posts / 2);
    }

    /// Refreshes what is due.
    fn refresh(&mut self, now: Timestamp) {
        self.refresh_totals(now);
        self.refresh_posts(now);
    }

    fn refresh_totals(&mut self, now: Timestamp) {
        for number in 0..self.watched.len() {
            let target = &self.watched[number];
            if !is_due(&target.state.refresh, now) {
                continue;
            }
            let answer = answer(&self.simulator, &Query::HashtagById(target.id.clone()), now)
                .and_then(Answer::hashtag);
            let state = Arc::make_mut(&mut self.watched[number].state);
            let outcome = outcome_of(&answer);
            if let Ok(record) = answer {
                read(&mut state.posts, record.totals.posts, now);
                read(&mut state.views, record.totals.views, now);
                state.commerce = record.flags.commerce;
                state.id = Some(record.id);
            }
            if outcome != Outcome::Failed {
                state.found = Some(outcome == Outcome::Success);
            }
            record(&mut state.refresh, now, outcome);
        }
    }

    fn refresh_posts(&mut self, now: Timestamp) {
        for number in 0..self.watched.len() {
            let target = &self.watched[number];
            for place in 0..target.state.regions.len() {
                let target = &self.watched[number];
                let region = &target.state.regions[place];
                if !is_due(&region.refresh, now) {
                    continue;
                }
                let sample = sample(&self.simulator, target, region.region, now);
                let state = &mut Arc::make_mut(&mut self.watched[number].state).regions[place];
                record(&mut state.refresh, now, outcome_of(&sample));
                if let Ok(sample) = sample {
                    state.sample = Some(Sampled::new(now, &sample.stats(state.region, now)));
                }
            }
        }
    }

    /// Adds all samples of the hashtags that `/metrics` would have had.
    fn show(&self, now: Timestamp, samples: &mut Samples) {
        let snapshot = Snapshot {
            hashtags: self.watched.iter().map(|target| target.state.clone()).collect(),
            ..Snapshot::default()
        };
        for family in result_families(&snapshot, now) {
            for metric in family.get_metric() {
                let labels = metric.get_label().iter().map(|label| (label.name(), label.value()));
                samples.put(family.name(), labels, now, metric.get_gauge().get_value());
            }
        }
    }
}

/// One request to the simulator, read as the exporter reads the API.
fn answer(simulator: &Simulator, query: &Query, now: Timestamp) -> Result<Answer, Error> {
    let dialect = simulator.dialect();
    let sent = dialect.request(query);
    let request = Request { path: sent.path, query: &sent.query, key: Some("history") };
    let reply = simulator.answer(request, now);
    let Body::Whole(body) = reply.body else { return Err(Error::transient("incomplete answer")) };
    let raw = RawAnswer {
        status: reply.status,
        retry_after: None,
        location: None,
        simulated: true,
        body: body.into(),
    };
    dialect.read(query, &raw)
}

fn sample(
    simulator: &Simulator,
    target: &Target,
    region: Region,
    now: Timestamp,
) -> Result<PostSample, Error> {
    let listing = Listing::Hashtag(target.id.clone());
    let mut sampling = Sampling::new(target.paging);
    let mut pages = 0;
    loop {
        match answer(simulator, &sampling.query(&listing, region), now).and_then(Answer::posts) {
            Ok(page) => {
                pages += 1;
                if sampling.take(page, now) {
                    return sampling.finish();
                }
            }
            // As live: "not found" after the last page is not an error.
            Err(error) if error.class == Class::NotFound && pages > 0 => {
                sampling.end();
                return sampling.finish();
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether a new interval has begun since the last refresh.
fn is_due(refresh: &Refresh, now: Timestamp) -> bool {
    let number = |at: Timestamp| at.as_millis().div_euclid((refresh.interval.as_millis() as i64).max(1));
    refresh.last.is_none_or(|(at, _)| number(at) < number(now))
}

fn outcome_of<T>(result: &Result<T, Error>) -> Outcome {
    match result {
        Ok(_) => Outcome::Success,
        Err(error) if error.class == Class::NotFound => Outcome::NotFound,
        Err(_) => Outcome::Failed,
    }
}

fn record(refresh: &mut Refresh, now: Timestamp, outcome: Outcome) {
    refresh.last = Some((now, outcome));
    if outcome == Outcome::Success {
        refresh.last_success = Some(now);
    }
}

fn read(reading: &mut Option<Reading>, value: Option<u64>, at: Timestamp) {
    if let Some(value) = value {
        let mut recent = reading.take().map_or_else(RecentValues::default, |reading| reading.recent);
        recent.push(value);
        *reading = Some(Reading { at, recent });
    }
}

/// A hashtag without values, with the intervals of the history.
fn blank(watched: &Watched, settings: &Settings) -> HashtagState {
    let refresh = |interval| Refresh { interval, ..Refresh::default() };
    let region = |region: &Region| RegionState {
        region: *region,
        sample: None,
        refresh: refresh(watched.terms.posts_interval.max(settings.span.step).max(settings.posts_every)),
    };
    // Refreshed less often than live, so values are shown for longer.
    let max_age = watched.terms.max_age.max(settings.posts_every * 2);
    HashtagState {
        refresh: refresh(watched.terms.totals_interval.max(settings.span.step)),
        regions: watched.terms.regions.iter().map(region).collect(),
        ..HashtagState::unknown(watched.hashtag.clone(), watched.terms.group.clone(), max_age)
    }
}
