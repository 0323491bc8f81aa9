//! The snapshot as samples, family by family, in the order of a page.
//!
//! Taken fresh from the snapshot for every page, so that a hashtag that is no longer watched, or a
//! value that is too old to be true, is simply not there. Labels that come from outside never enter a
//! metric vector, whose hash can take two series for one.

use std::ops::Range;
use std::time::Duration;

use prometheus::proto::MetricFamily;

use super::families::{self as f, Family};
use super::keywords;
use super::sheet::Sheet;
use super::text;
use crate::model::{SampleStats, Timestamp};
use crate::state::{HashtagState, KeywordState, Outcome, Reading, Refresh, RegionState, Sampled, Snapshot};

/// How soon to look again at what is dated ahead: such a clock may be set right at any time.
const A_MINUTE: Duration = Duration::from_secs(60);

/// So many families are read in one pass over the hashtags, which lie anywhere in memory: fetching
/// them once for each family takes longer than writing the text.
const AT_ONCE: usize = 9;

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
    Windows,
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
        source(&f::SAMPLE_POSTS, Windows),
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
    hashtags: Vec<(&'a HashtagState, Range<usize>)>,
    regions: Vec<Regional<'a>>,
    keywords: Vec<&'a KeywordState>,
    /// The labels of all subjects, one after another.
    text: String,
    next_change: Option<Timestamp>,
}

struct Regional<'a> {
    hashtag: &'a HashtagState,
    region: &'a RegionState,
    /// Its label.
    name: &'a str,
    sample: Option<&'a Sampled>,
    text: Range<usize>,
}

impl<'a> Directory<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, now: Timestamp) -> Self {
        let mut directory = Self {
            now,
            hashtags: Vec::with_capacity(snapshot.hashtags.len()),
            regions: Vec::with_capacity(snapshot.hashtags.iter().map(|hashtag| hashtag.regions.len()).sum()),
            keywords: snapshot.keywords.iter().map(AsRef::as_ref).collect(),
            text: String::new(),
            next_change: None,
        };
        for hashtag in &snapshot.hashtags {
            directory.add(hashtag);
        }
        for keyword in &snapshot.keywords {
            directory.expect_changes_of(keyword);
        }
        directory.hashtags.sort_by(|(a, _), (b, _)| a.hashtag.cmp(&b.hashtag));
        directory.regions.sort_by(|a, b| {
            (&a.hashtag.hashtag, a.region.region).cmp(&(&b.hashtag.hashtag, b.region.region))
        });
        directory
    }

    /// When the page will look different though nothing new is known: a value grows too old.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        self.next_change
    }

    /// Hands every sample to `sink`, family by family, each family sorted by hashtag and region.
    pub(super) fn walk(&self, sink: &mut impl Sink) {
        let longest = self.regions.len().max(self.hashtags.len());
        let mut columns: Vec<Vec<Option<f64>>> = (0..AT_ONCE).map(|_| Vec::with_capacity(longest)).collect();
        for sources in SOURCES.chunks(AT_ONCE) {
            self.read(sources, &mut columns);
            for (source, column) in sources.iter().zip(&columns) {
                let mut taker = Taker { sink, family: Some(source.family) };
                match source.values {
                    Values::Info => {
                        self.hashtags().for_each(|(hashtag, subject)| taker.info(hashtag, &subject));
                    }
                    Values::Hashtag(_) => {
                        self.hashtags()
                            .zip(column)
                            .for_each(|((_, subject), value)| taker.take(&subject, *value));
                    }
                    Values::Region(_) | Values::Sample(_) => {
                        self.regions()
                            .zip(column)
                            .for_each(|((_, subject), value)| taker.take(&subject, *value));
                    }
                    Values::Windows => {
                        for (regional, subject) in self.regions() {
                            regional
                                .sample
                                .into_iter()
                                .for_each(|sample| taker.windows(&subject, &sample.stats()));
                        }
                    }
                }
            }
        }
        keywords::walk(&self.keywords, self.now, sink);
    }

    /// Reads the values of several families, each into its column.
    fn read(&self, sources: &[Source], columns: &mut [Vec<Option<f64>>]) {
        columns.iter_mut().for_each(Vec::clear);
        for (hashtag, _) in &self.hashtags {
            for (source, column) in sources.iter().zip(&mut *columns) {
                if let Values::Hashtag(value) = source.values {
                    column.push(value(hashtag, self.now));
                }
            }
        }
        for Regional { region, sample, .. } in &self.regions {
            let stats = sample.map(Sampled::stats);
            for (source, column) in sources.iter().zip(&mut *columns) {
                match source.values {
                    Values::Region(value) => column.push(value(region, self.now)),
                    Values::Sample(value) => column.push(stats.as_ref().and_then(value)),
                    Values::Info | Values::Hashtag(_) | Values::Windows => {}
                }
            }
        }
    }

    fn hashtags(&self) -> impl Iterator<Item = (&'a HashtagState, Subject<'_>)> {
        self.hashtags.iter().map(|(hashtag, text)| {
            let label = ("hashtag", hashtag.hashtag.as_str());
            (*hashtag, Subject { label, second: None, text: &self.text[text.clone()] })
        })
    }

    fn regions(&self) -> impl Iterator<Item = (&Regional<'a>, Subject<'_>)> {
        self.regions.iter().map(|regional| {
            let label = ("hashtag", regional.hashtag.hashtag.as_str());
            let second = Some(("region", regional.name));
            (regional, Subject { label, second, text: &self.text[regional.text.clone()] })
        })
    }

    fn add(&mut self, hashtag: &'a HashtagState) {
        let name = self.labels(None, ("hashtag", hashtag.hashtag.as_str()));
        self.hashtags.push((hashtag, name.clone()));
        for reading in [&hashtag.posts, &hashtag.views].into_iter().flatten() {
            self.shown_until(reading.at, hashtag.max_age);
        }
        self.ahead(&hashtag.refresh);
        for region in &hashtag.regions {
            if let Some(sample) = &region.sample {
                self.shown_until(sample.at, hashtag.max_age);
            }
            self.ahead(&region.refresh);
            let sample = region.sample.as_ref().filter(|sample| hashtag.is_current(sample.at, self.now));
            let code = region.region.as_str();
            let text = self.labels(Some(name.clone()), ("region", code));
            self.regions.push(Regional { hashtag, region, name: code, sample, text });
        }
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

/// Announces a family with its first sample.
pub(super) struct Taker<'s, S> {
    pub(super) sink: &'s mut S,
    pub(super) family: Option<&'static Family>,
}

impl<S: Sink> Taker<'_, S> {
    pub(super) fn take(&mut self, subject: &Subject<'_>, value: Option<f64>) {
        if let Some(value) = value {
            self.put(subject, &More::default(), value);
        }
    }

    fn windows(&mut self, subject: &Subject<'_>, stats: &SampleStats) {
        for (window, posts) in [(DAY, stats.posts_24h), (WEEK, stats.posts_7d), (ALL_TIME, stats.posts_all)] {
            self.put(subject, &window, posts as f64);
        }
    }

    fn info(&mut self, state: &HashtagState, subject: &Subject<'_>) {
        let labels = [
            ("challenge_id", state.id.as_ref().map_or("", |id| id.as_str())),
            ("commerce", state.commerce.map_or("unknown", |yes| if yes { "true" } else { "false" })),
            ("group", &*state.group),
        ];
        self.put(subject, &More { labels: &labels, text: &text::more(&labels) }, 1.0);
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
