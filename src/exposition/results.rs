//! The snapshot as samples, family by family, in the order of a page.
//!
//! Taken fresh from the snapshot for every page, so that a hashtag that is no longer watched, or a
//! value that is too old to be true, is simply not there. Labels that come from outside never enter a
//! metric vector, whose hash can take two series for one.

use std::ops::Range;
use std::time::Duration;

use prometheus::proto::MetricFamily;
use units::Timestamp;

use super::families::{self as f, Family};
use super::keywords;
use super::sheet::Sheet;
use super::text;
use crate::model::SampleStats;
use crate::state::{HashtagState, KeywordState, Outcome, Reading, Refresh, RegionState, Sampled, Snapshot};

/// How soon to look again at what is dated ahead: such a clock may be set right at any time.
const A_MINUTE: Duration = Duration::from_secs(60);

/// About as many bytes as the labels of a hashtag in a region take.
const LABELS: usize = 48;

/// So many families are read in one pass over the hashtags, which lie anywhere in memory: fetching
/// them once for each family takes longer than writing the text. More would take more memory.
const AT_ONCE: usize = 13;

/// So many hashtags or regions are read for one family, and then for the next, while they are in the
/// processor's cache.
const BLOCK: usize = 16;

/// Who takes the samples.
pub(super) trait Sink {
    /// The next samples are of this family. Called only for families that have samples.
    fn family(&mut self, family: &'static Family);

    /// A sample. The labels of its subject come first, then `more`.
    fn sample(&mut self, subject: &Subject<'_>, more: &More<'_>, value: f64);
}

/// Labels behind those of a subject.
#[derive(Default)]
pub(super) struct More<'a> {
    pub(super) labels: &'a [(&'static str, &'a str)],
    /// The same as they stand on the page, from the comma before to the space behind.
    pub(super) text: &'a str,
}

/// The windows in which posts are counted. One of five samples has such a label.
pub(super) const DAY: More<'_> = More { labels: &[("window", "24h")], text: ",window=\"24h\"} " };
pub(super) const WEEK: More<'_> = More { labels: &[("window", "7d")], text: ",window=\"7d\"} " };
const ALL_TIME: More<'_> = More { labels: &[("window", "all")], text: ",window=\"all\"} " };
const WINDOWS: [More<'_>; 3] = [DAY, WEEK, ALL_TIME];

/// What a sample is about: a hashtag, a hashtag in a region, or the like.
pub(super) struct Subject<'a> {
    pub(super) label: (&'static str, &'a str),
    pub(super) second: Option<(&'static str, &'a str)>,
    /// These labels as they stand on the page, with braces and the space that follows.
    pub(super) text: &'a str,
}

/// A family and where its values come from.
struct Source {
    family: &'static Family,
    values: Values,
}

enum Values {
    Info,
    Hashtag(fn(&HashtagState, Timestamp) -> Option<f64>),
    Region(fn(&RegionState, Timestamp) -> Option<f64>),
    Sample(fn(&SampleStats) -> Option<f64>),
    /// For each of the [`WINDOWS`].
    Windows(fn(&SampleStats) -> [u64; 3]),
}

/// Every family of a hashtag, sorted by name.
const SOURCES: &[Source] = {
    use Values::{Hashtag, Info, Region, Sample, Windows};
    &[
        source(&f::WEIGHTED_VELOCITY, Sample(|stats| stats.engagement_weighted_velocity)),
        source(&f::FOUND, Hashtag(|hashtag, _| hashtag.found.map(flag))),
        source(&f::INFO, Info),
        source(&f::LAST_SUCCESS, Hashtag(|hashtag, now| last_success(&hashtag.refresh, now))),
        source(
            &f::POSTS,
            Hashtag(|hashtag, now| Some(current(hashtag, &hashtag.posts, now)?.value() as f64)),
        ),
        source(
            &f::POSTS_RESOLUTION,
            Hashtag(|hashtag, now| Some(current(hashtag, &hashtag.posts, now)?.resolution() as f64)),
        ),
        source(&f::REFRESH_INTERVAL, Hashtag(|hashtag, _| Some(hashtag.refresh.interval.as_secs_f64()))),
        source(&f::SAMPLE_COMMENTS, Sample(|stats| count(stats.comments))),
        source(&f::SAMPLE_ENGAGEMENT_RATIO, Sample(|stats| stats.engagement_ratio)),
        source(&f::SAMPLE_LAST_SUCCESS, Region(|region, now| last_success(&region.refresh, now))),
        source(&f::SAMPLE_LIKES, Sample(|stats| count(stats.likes))),
        source(&f::SAMPLE_OLDEST_POST_AGE, Sample(|stats| stats.oldest_post_age_seconds)),
        source(&f::SAMPLE_PAGES, Sample(|stats| Some(f64::from(stats.pages)))),
        source(&f::SAMPLE_PLAYS, Sample(|stats| count(stats.plays))),
        source(&f::SAMPLE_POSTS, Windows(|stats| [stats.posts_24h, stats.posts_7d, stats.posts_all])),
        source(&f::SAMPLE_REFRESH_INTERVAL, Region(|region, _| Some(region.refresh.interval.as_secs_f64()))),
        source(&f::SAMPLE_REGION_MATCH_RATIO, Sample(|stats| stats.region_match_ratio)),
        source(&f::SAMPLE_SATURATED, Sample(|stats| Some(flag(stats.saturated)))),
        source(&f::SAMPLE_SAVES, Sample(|stats| count(stats.saves))),
        source(&f::SAMPLE_SHARES, Sample(|stats| count(stats.shares))),
        source(&f::SAMPLE_UP, Region(|region, _| up(&region.refresh))),
        source(&f::VELOCITY, Sample(|stats| Some(stats.velocity))),
        source(&f::UP, Hashtag(|hashtag, _| up(&hashtag.refresh))),
        source(
            &f::VIEWS,
            Hashtag(|hashtag, now| Some(current(hashtag, &hashtag.views, now)?.value() as f64)),
        ),
        source(
            &f::VIEWS_RESOLUTION,
            Hashtag(|hashtag, now| Some(current(hashtag, &hashtag.views, now)?.resolution() as f64)),
        ),
    ]
};

const fn source(family: &'static Family, values: Values) -> Source {
    Source { family, values }
}

/// What `/metrics` tells about the hashtags of a snapshot at `now`, without the exporter's own
/// figures.
pub fn result_families(snapshot: &Snapshot, now: Timestamp) -> Vec<MetricFamily> {
    let mut sheet = Sheet::default();
    Directory::new(snapshot, now).walk(&mut sheet);
    sheet.into_families(&[f::ALL, keywords::ALL].concat())
}

/// The subjects of a page at one moment, sorted, and what of them is young enough to be shown.
pub(super) struct Directory<'a> {
    now: Timestamp,
    hashtags: Vec<Whole<'a>>,
    regions: Vec<Regional<'a>>,
    keywords: Vec<&'a KeywordState>,
    /// The labels of all subjects, one after another.
    text: String,
    next_change: Option<Timestamp>,
}

/// A hashtag as a whole.
struct Whole<'a> {
    state: &'a HashtagState,
    /// Here as well, so that a family is written without looking at the state.
    name: &'a str,
    text: Range<usize>,
}

/// A hashtag in a region.
struct Regional<'a> {
    hashtag: &'a str,
    state: &'a RegionState,
    region: &'a str,
    sample: Option<&'a Sampled>,
    text: Range<usize>,
}

impl<'a> Directory<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, now: Timestamp) -> Self {
        let mut hashtags: Vec<&HashtagState> = snapshot.hashtags.iter().map(AsRef::as_ref).collect();
        hashtags.sort_by(|a, b| a.hashtag.cmp(&b.hashtag));
        let regions = hashtags.iter().map(|hashtag| hashtag.regions.len()).sum();
        let mut directory = Self {
            now,
            hashtags: Vec::with_capacity(hashtags.len()),
            regions: Vec::with_capacity(regions),
            keywords: snapshot.keywords.iter().map(AsRef::as_ref).collect(),
            text: String::with_capacity((hashtags.len() + regions) * LABELS),
            next_change: None,
        };
        for hashtag in hashtags {
            directory.add(hashtag);
        }
        for keyword in &snapshot.keywords {
            directory.expect_changes_of(keyword);
        }
        directory
    }

    /// When the page will look different though nothing new is known: a value grows too old.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        self.next_change
    }

    /// Hands every sample to `sink`, family by family, each family sorted by hashtag and region.
    pub(super) fn walk(&self, sink: &mut impl Sink) {
        let mut columns: Vec<Column> = (0..AT_ONCE).map(|_| Column::default()).collect();
        let mut info = String::new();
        for sources in SOURCES.chunks(AT_ONCE) {
            self.read(sources, &mut columns);
            for (source, column) in sources.iter().zip(&columns) {
                let mut taker = Taker { sink, family: Some(source.family) };
                match source.values {
                    Values::Info => self
                        .hashtags
                        .iter()
                        .zip(self.hashtags())
                        .for_each(|(hashtag, subject)| taker.info(hashtag.state, &subject, &mut info)),
                    Values::Hashtag(_) => {
                        self.hashtags()
                            .zip(column.values())
                            .for_each(|(subject, value)| taker.take(&subject, value));
                    }
                    Values::Region(_) | Values::Sample(_) => {
                        self.regions()
                            .zip(column.values())
                            .for_each(|(subject, value)| taker.take(&subject, value));
                    }
                    Values::Windows(_) => {
                        let mut values = column.values();
                        for subject in self.regions() {
                            for (window, value) in WINDOWS.iter().zip(values.by_ref()) {
                                taker.take_more(&subject, window, value);
                            }
                        }
                    }
                }
            }
        }
        keywords::walk(&self.keywords, self.now, sink);
    }

    /// Reads the values of several families, each into its column.
    fn read(&self, sources: &[Source], columns: &mut [Column]) {
        for (source, column) in sources.iter().zip(&mut *columns) {
            column.begin(match source.values {
                Values::Info => 0,
                Values::Hashtag(_) => self.hashtags.len(),
                Values::Region(_) | Values::Sample(_) => self.regions.len(),
                Values::Windows(_) => self.regions.len() * WINDOWS.len(),
            });
        }
        for hashtags in self.hashtags.chunks(BLOCK) {
            for (source, column) in sources.iter().zip(&mut *columns) {
                if let Values::Hashtag(value) = source.values {
                    column.extend(hashtags.iter().map(|hashtag| value(hashtag.state, self.now)));
                }
            }
        }
        let mut stats = Vec::with_capacity(BLOCK);
        for regions in self.regions.chunks(BLOCK) {
            stats.clear();
            stats.extend(regions.iter().map(|regional| regional.sample.map(Sampled::stats)));
            for (source, column) in sources.iter().zip(&mut *columns) {
                match source.values {
                    Values::Region(value) => {
                        column.extend(regions.iter().map(|regional| value(regional.state, self.now)));
                    }
                    Values::Sample(value) => {
                        column.extend(stats.iter().map(|stats| stats.as_ref().and_then(value)));
                    }
                    Values::Windows(values) => {
                        let all = |stats: &Option<SampleStats>| {
                            let posts = stats.as_ref().map(values);
                            posts.map_or([None; 3], |posts| posts.map(|posts| Some(posts as f64)))
                        };
                        column.extend(stats.iter().flat_map(all));
                    }
                    Values::Info | Values::Hashtag(_) => {}
                }
            }
        }
    }

    fn hashtags(&self) -> impl Iterator<Item = Subject<'_>> {
        self.hashtags.iter().map(|Whole { name, text, .. }| Subject {
            label: ("hashtag", name),
            second: None,
            text: &self.text[text.clone()],
        })
    }

    fn regions(&self) -> impl Iterator<Item = Subject<'_>> {
        self.regions.iter().map(|Regional { hashtag, region, text, .. }| {
            let second = Some(("region", *region));
            Subject { label: ("hashtag", hashtag), second, text: &self.text[text.clone()] }
        })
    }

    fn add(&mut self, hashtag: &'a HashtagState) {
        let name = hashtag.hashtag.as_str();
        let text = self.labels(None, ("hashtag", name));
        for reading in [&hashtag.posts, &hashtag.views].into_iter().flatten() {
            self.shown_until(reading.at, hashtag.max_age);
        }
        self.ahead(&hashtag.refresh);
        let first = self.regions.len();
        for region in &hashtag.regions {
            if let Some(sample) = &region.sample {
                self.shown_until(sample.at, hashtag.max_age);
            }
            self.ahead(&region.refresh);
            let sample = region.sample.as_ref().filter(|sample| hashtag.is_current(sample.at, self.now));
            let code = region.region.as_str();
            let text = self.labels(Some(text.clone()), ("region", code));
            self.regions.push(Regional { hashtag: name, state: region, region: code, sample, text });
        }
        self.regions[first..].sort_by_key(|regional| regional.state.region);
        self.hashtags.push(Whole { state: hashtag, name, text });
    }

    fn expect_changes_of(&mut self, keyword: &KeywordState) {
        let times = keyword.regions.iter().filter_map(|state| Some(state.sample.as_ref()?.0));
        for at in times.chain(keyword.found.as_ref().map(|found| found.at)) {
            self.shown_until(at, keyword.max_age);
        }
        keyword.refreshes().for_each(|refresh| self.ahead(refresh));
    }

    /// Notes the text of a label, behind those that stand in `first`, and where it stands.
    fn labels(&mut self, first: Option<Range<usize>>, last: (&str, &str)) -> Range<usize> {
        let start = self.text.len();
        text::labels(&mut self.text, first, last);
        start..self.text.len()
    }

    /// Something read at `at` changes what the page shows when it grows too old, or when it is no
    /// longer dated ahead.
    fn shown_until(&mut self, at: Timestamp, max_age: Duration) {
        if at.is_ahead_of(self.now) {
            self.changes_at(self.now + A_MINUTE);
        } else if at + max_age >= self.now {
            self.changes_at(at + max_age + Duration::from_millis(1));
        }
    }

    fn ahead(&mut self, refresh: &Refresh) {
        if refresh.last_success.is_some_and(|at| at.is_ahead_of(self.now)) {
            self.changes_at(self.now + A_MINUTE);
        }
    }

    fn changes_at(&mut self, at: Timestamp) {
        self.next_change = Some(self.next_change.map_or(at, |next| next.min(at)));
    }
}

/// Values of one family, some of which may be absent. Half as large as with `Option`: with a million
/// samples that is megabytes.
#[derive(Default)]
struct Column(Vec<u64>);

/// The bits that stand for no value. They are those of a NaN that no arithmetic yields.
const ABSENT: u64 = u64::MAX;

impl Column {
    /// Empties it, with room for so many values.
    fn begin(&mut self, values: usize) {
        self.0.clear();
        self.0.reserve_exact(values);
    }

    fn extend(&mut self, values: impl Iterator<Item = Option<f64>>) {
        self.0.extend(values.map(|value| value.map_or(ABSENT, f64::to_bits)));
    }

    fn values(&self) -> impl Iterator<Item = Option<f64>> {
        self.0.iter().map(|bits| (*bits != ABSENT).then(|| f64::from_bits(*bits)))
    }
}

/// Announces a family with its first sample.
pub(super) struct Taker<'s, S> {
    pub(super) sink: &'s mut S,
    pub(super) family: Option<&'static Family>,
}

impl<S: Sink> Taker<'_, S> {
    pub(super) fn take(&mut self, subject: &Subject<'_>, value: Option<f64>) {
        self.take_more(subject, &More::default(), value);
    }

    pub(super) fn take_more(&mut self, subject: &Subject<'_>, more: &More<'_>, value: Option<f64>) {
        if let Some(value) = value {
            self.put(subject, more, value);
        }
    }

    /// `text` is a place for the labels.
    fn info(&mut self, state: &HashtagState, subject: &Subject<'_>, text: &mut String) {
        let labels = [
            ("challenge_id", state.id.as_ref().map_or("", |id| id.as_str())),
            ("commerce", state.commerce.map_or("unknown", |yes| if yes { "true" } else { "false" })),
            ("group", &*state.group),
        ];
        text::more(text, &labels);
        self.put(subject, &More { labels: &labels, text }, 1.0);
    }

    pub(super) fn put(&mut self, subject: &Subject<'_>, more: &More<'_>, value: f64) {
        if let Some(family) = self.family.take() {
            self.sink.family(family);
        }
        self.sink.sample(subject, more, value);
    }
}

fn current<'a>(hashtag: &HashtagState, reading: &'a Option<Reading>, now: Timestamp) -> Option<&'a Reading> {
    reading.as_ref().filter(|reading| hashtag.is_current(reading.at, now))
}

pub(super) fn up(refresh: &Refresh) -> Option<f64> {
    refresh.last.map(|(_, outcome)| flag(outcome == Outcome::Success))
}

pub(super) fn last_success(refresh: &Refresh, now: Timestamp) -> Option<f64> {
    refresh.last_success.filter(|at| !at.is_ahead_of(now)).map(Timestamp::as_secs_f64)
}

pub(super) fn count(sum: Option<u64>) -> Option<f64> {
    sum.map(|count| count as f64)
}

pub(super) fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}
