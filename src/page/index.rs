//! The samples of a snapshot, family by family, in the order of the page.
//!
//! Read from the snapshot for every page, so that a hashtag that is no longer watched, or a value that is
//! too old, is absent. Labels from outside never enter a metric vector, whose hash can
//! merge two series.

use std::ops::Range;
use std::time::Duration;

use metrics_page::{Column, ExtraLabels, LabelArena, SampleWriter, Sink, Source, Subject, extra_labels};
use units::Timestamp;

use super::hashtags::{self, Values, WINDOWS};
use super::keywords;
use crate::model::SampleStats;
use crate::state::{HashtagState, KeywordState, Refresh, RegionState, Sampled, Snapshot};

/// When to check values with a future time again: the clock may be corrected at any time.
const A_MINUTE: Duration = Duration::from_secs(60);

/// About the number of bytes that the labels of a hashtag in a region take.
const LABELS: usize = 48;

/// This many families are read in one pass over the hashtags, which are scattered in memory: fetching them once
/// per family takes longer than writing the text. More families would take more memory.
const AT_ONCE: usize = 13;

/// This many hashtags or regions are read for one family, and then for the next, while they are in the
/// processor's cache.
const BLOCK: usize = 16;

/// The subjects of a page at one moment, sorted, with their samples that are young enough to be shown.
pub(super) struct SampleIndex<'a> {
    now: Timestamp,
    hashtags: Vec<Whole<'a>>,
    regions: Vec<Regional<'a>>,
    keywords: Vec<&'a KeywordState>,
    /// The labels of all subjects.
    text: LabelArena,
    next_change: Option<Timestamp>,
}

/// A hashtag as a whole.
struct Whole<'a> {
    state: &'a HashtagState,
    /// A copy, so that writing a family does not touch the state.
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

impl<'a> SampleIndex<'a> {
    pub(super) fn new(snapshot: &'a Snapshot, now: Timestamp) -> Self {
        let mut hashtags: Vec<&HashtagState> = snapshot.hashtags.iter().map(AsRef::as_ref).collect();
        hashtags.sort_by(|a, b| a.hashtag.cmp(&b.hashtag));
        let regions = hashtags.iter().map(|hashtag| hashtag.regions.len()).sum();
        let mut index = Self {
            now,
            hashtags: Vec::with_capacity(hashtags.len()),
            regions: Vec::with_capacity(regions),
            keywords: snapshot.keywords.iter().map(AsRef::as_ref).collect(),
            text: LabelArena::with_capacity((hashtags.len() + regions) * LABELS),
            next_change: None,
        };
        for hashtag in hashtags {
            index.add(hashtag);
        }
        for keyword in &snapshot.keywords {
            index.expect_changes_of(keyword);
        }
        index
    }

    /// When the page changes without a new snapshot, because a value becomes too old.
    pub(super) fn next_change(&self) -> Option<Timestamp> {
        self.next_change
    }

    /// Passes every sample to `sink`, family by family, each family sorted by hashtag and region.
    pub(super) fn walk(&self, sink: &mut impl Sink) {
        let mut columns: Vec<Column> = (0..AT_ONCE).map(|_| Column::default()).collect();
        let mut info_text = String::new();
        for sources in hashtags::FAMILIES.chunks(AT_ONCE) {
            self.read(sources, &mut columns);
            for (source, column) in sources.iter().zip(&columns) {
                let mut writer = SampleWriter::new(sink, &source.family);
                match source.value {
                    Values::Info => {
                        for (hashtag, subject) in self.hashtags.iter().zip(self.hashtags()) {
                            let labels = hashtags::info(hashtag.state);
                            extra_labels(&mut info_text, &labels);
                            let extra = ExtraLabels { labels: &labels, text: &info_text };
                            writer.put_with(&subject, &extra, Some(1.0));
                        }
                    }
                    Values::Hashtag(_) => {
                        self.hashtags()
                            .zip(column.values())
                            .for_each(|(subject, value)| writer.put(&subject, value));
                    }
                    Values::Region(_) | Values::Sample(_) => {
                        self.regions()
                            .zip(column.values())
                            .for_each(|(subject, value)| writer.put(&subject, value));
                    }
                    Values::Windows(_) => {
                        let mut values = column.values();
                        for subject in self.regions() {
                            for (window, value) in WINDOWS.iter().zip(values.by_ref()) {
                                writer.put_with(&subject, window, value);
                            }
                        }
                    }
                }
            }
        }
        keywords::walk(&self.keywords, self.now, sink);
    }

    /// Reads the values of several families, each into its column.
    fn read(&self, sources: &[Source<Values>], columns: &mut [Column]) {
        for (source, column) in sources.iter().zip(&mut *columns) {
            column.begin(match source.value {
                Values::Info => 0,
                Values::Hashtag(_) => self.hashtags.len(),
                Values::Region(_) | Values::Sample(_) => self.regions.len(),
                Values::Windows(_) => self.regions.len() * WINDOWS.len(),
            });
        }
        for hashtags in self.hashtags.chunks(BLOCK) {
            for (source, column) in sources.iter().zip(&mut *columns) {
                if let Values::Hashtag(value) = source.value {
                    column.extend(hashtags.iter().map(|hashtag| value(hashtag.state, self.now)));
                }
            }
        }
        let mut stats = Vec::with_capacity(BLOCK);
        for regions in self.regions.chunks(BLOCK) {
            stats.clear();
            stats.extend(regions.iter().map(|regional| regional.sample.map(Sampled::stats)));
            for (source, column) in sources.iter().zip(&mut *columns) {
                match source.value {
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
            text: self.text.get(text.clone()),
        })
    }

    fn regions(&self) -> impl Iterator<Item = Subject<'_>> {
        self.regions.iter().map(|Regional { hashtag, region, text, .. }| {
            let second = Some(("region", *region));
            Subject { label: ("hashtag", hashtag), second, text: self.text.get(text.clone()) }
        })
    }

    fn add(&mut self, hashtag: &'a HashtagState) {
        let name = hashtag.hashtag.as_str();
        let text = self.text.add(None, ("hashtag", name));
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
            let text = self.text.add(Some(text.clone()), ("region", code));
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

    /// A value read at `at` changes the page when it becomes too old, or when its time is no longer in the future.
    fn shown_until(&mut self, at: Timestamp, max_age: Duration) {
        if at.age(self.now).is_none() {
            self.changes_at(self.now + A_MINUTE);
        } else if at + max_age >= self.now {
            self.changes_at(at + max_age + Duration::from_millis(1));
        }
    }

    fn ahead(&mut self, refresh: &Refresh) {
        if refresh.last_success.is_some_and(|at| at.age(self.now).is_none()) {
            self.changes_at(self.now + A_MINUTE);
        }
    }

    fn changes_at(&mut self, at: Timestamp) {
        self.next_change = Some(self.next_change.map_or(at, |next| next.min(at)));
    }
}
