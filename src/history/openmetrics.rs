//! Historical samples as OpenMetrics text, one file per block.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::time::Duration;

use units::{HOUR, Timestamp};

/// The shortest block of a Prometheus, and the default length of a file.
const SHORTEST_BLOCK: Duration = Duration::from_secs(2 * HOUR.as_secs());

/// A time range in equal steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The start, inclusive.
    pub from: Timestamp,
    /// The end, exclusive.
    pub to: Timestamp,
    /// Time between two samples of a series; not zero.
    pub step: Duration,
}

impl Span {
    /// The part of the span in each block of this length, aligned to the Unix epoch, oldest first.
    /// All moments of all parts are multiples of the step.
    fn blocks(self, length: Duration) -> impl Iterator<Item = Span> {
        let block = (length.as_millis() as i64).max(1);
        let first = self.from.as_millis().div_euclid(block);
        let last = (self.to.as_millis() - 1).div_euclid(block);
        (first..=last).map(move |number| Span {
            from: self.from.max(Timestamp::from_millis(number * block)),
            to: self.to.min(Timestamp::from_millis((number + 1) * block)),
            step: self.step,
        })
    }

    /// Every moment of the span, at multiples of the step.
    pub fn moments(self) -> impl Iterator<Item = Timestamp> {
        let step = (self.step.as_millis() as i64).max(1);
        let first = self.from.as_millis() + (-self.from.as_millis()).rem_euclid(step);
        (first..self.to.as_millis()).step_by(step as usize).map(Timestamp::from_millis)
    }
}

/// The directory of the files.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
    /// `name="value"` pairs that are added to every series, as a scrape does.
    labels: String,
    /// The time that a file spans.
    block: Duration,
}

/// A file cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {source}", path.display())]
pub struct WriteError {
    path: PathBuf,
    source: io::Error,
}

impl Directory {
    /// Creates the directory; it must be empty, so that no history is overwritten or mixed with
    /// another. `labels` are added to every series.
    pub fn create(path: &Path, labels: &[(String, String)]) -> Result<Self, WriteError> {
        let fail = |source| WriteError { path: path.to_owned(), source };
        fs::create_dir_all(path).map_err(fail)?;
        if fs::read_dir(path).map_err(fail)?.next().is_some() {
            return Err(fail(io::Error::new(
                io::ErrorKind::DirectoryNotEmpty,
                "the directory is not empty (choose another, or empty it)",
            )));
        }
        let mut pairs = String::new();
        for (name, value) in labels {
            push_label(&mut pairs, name, value);
        }
        Ok(Self { path: path.to_owned(), labels: pairs, block: SHORTEST_BLOCK })
    }

    /// Sets the time range of a file, and so of a block: 2h times a power of three, as in
    /// Prometheus. Fewer, longer blocks cost promtool and Prometheus less.
    pub fn with_blocks_of(self, block: Duration) -> Self {
        Self { block, ..self }
    }

    /// The part of a span that each file holds, oldest first.
    pub(super) fn blocks(&self, span: Span) -> impl Iterator<Item = Span> {
        span.blocks(self.block)
    }

    /// Writes the samples of one block to a file, if there are any. Returns their number.
    pub(super) fn write(&self, from: Timestamp, samples: Samples) -> Result<u64, WriteError> {
        if samples.count == 0 {
            return Ok(0);
        }
        // From 2001 on, the order of names is that of time.
        let path = self.path.join(format!("{}.om", from.as_secs()));
        let write = || -> io::Result<()> {
            let mut file = BufWriter::new(File::create_new(&path)?);
            samples.write(&self.labels, &mut file)?;
            file.into_inner().map_err(|error| error.into_error())?.sync_all()
        };
        write().map_err(|source| WriteError { path: path.clone(), source })?;
        Ok(samples.count)
    }
}

/// The samples of one block: by family, by series, by time.
#[derive(Debug, Default)]
pub(super) struct Samples {
    families: Vec<(String, Vec<Series>)>,
    /// The position of each series: number of its family, number in the family.
    places: HashMap<String, (usize, usize)>,
    count: u64,
    key: String,
}

#[derive(Debug)]
struct Series {
    labels: String,
    points: Vec<(Timestamp, f64)>,
}

impl Samples {
    /// Adds a sample of a gauge. The samples of a series must be added in order of time.
    pub(super) fn put<'a>(
        &mut self,
        family: &str,
        labels: impl Iterator<Item = (&'a str, &'a str)>,
        at: Timestamp,
        value: f64,
    ) {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        for (name, value) in labels {
            push_label(&mut key, name, value);
        }
        let label_bytes = key.len();
        key.push_str(family);
        let (family, series) = match self.places.get(&key) {
            Some(place) => *place,
            None => self.add_series(&key, label_bytes),
        };
        self.families[family].1[series].points.push((at, value));
        self.count += 1;
        self.key = key;
    }

    fn add_series(&mut self, key: &str, label_bytes: usize) -> (usize, usize) {
        let (labels, name) = key.split_at(label_bytes);
        let family = match self.families.iter().position(|(known, _)| known == name) {
            Some(family) => family,
            None => {
                self.families.push((name.to_owned(), Vec::new()));
                self.families.len() - 1
            }
        };
        let series = &mut self.families[family].1;
        series.push(Series { labels: labels.to_owned(), points: Vec::new() });
        let place = (family, series.len() - 1);
        self.places.insert(key.to_owned(), place);
        place
    }

    fn write(&self, common: &str, file: &mut impl io::Write) -> io::Result<()> {
        for (family, series) in &self.families {
            writeln!(file, "# TYPE {family} gauge")?;
            for Series { labels, points } in series {
                let labels = format!("{labels}{common}");
                let labels = labels.strip_suffix(',').unwrap_or_default();
                for (at, value) in points {
                    let (seconds, milliseconds) = (at.as_secs(), at.as_millis().rem_euclid(1_000));
                    writeln!(file, "{family}{{{labels}}} {value} {seconds}.{milliseconds:03}")?;
                }
            }
        }
        file.write_all(b"# EOF\n")
    }
}

/// Appends `name="value",` with the value escaped.
fn push_label(pairs: &mut String, name: &str, value: &str) {
    pairs.push_str(name);
    pairs.push_str("=\"");
    for c in value.chars() {
        match c {
            '\\' => pairs.push_str("\\\\"),
            '"' => pairs.push_str("\\\""),
            '\n' => pairs.push_str("\\n"),
            c => pairs.push(c),
        }
    }
    pairs.push_str("\",");
}
