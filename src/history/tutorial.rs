//! Imports the history that the published tutorial collects: its SQLite table
//! `hashtag_snapshot`, one row per hashtag and day.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Row};
use tiktok_api::{Hashtag, Region};
use units::{DAY, Timestamp};

use super::openmetrics::{Directory, Samples, Span, WriteError};
use crate::model::RecentValues;

/// The required columns of the table.
const COLUMNS: [&str; 8] = [
    "captured_at",
    "name",
    "challenge_id",
    "post_count",
    "view_count",
    "velocity",
    "last_24h",
    "daily_avg_7d",
];
/// 2016-09-01: there was no TikTok before.
const EARLIEST: Timestamp = Timestamp::from_secs(1_472_688_000);
/// 2^53: no count is that large, and a sample could not represent it exactly.
const COUNT_END: f64 = 9_007_199_254_740_992.0;
/// Maximum invalid rows that the report quotes; the others are counted.
const QUOTED: usize = 10;

/// How the table is imported.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The group of the hashtags.
    pub group: String,
    /// A reading is valid for this long, or until the next one, as in the exporter.
    pub max_age: Duration,
    /// Time between two samples of a series.
    pub step: Duration,
    /// The time of the import: a later reading is invalid.
    pub now: Timestamp,
}

/// The result of an import.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Rows of the table.
    pub rows: u64,
    /// Rows from which something was imported.
    pub imported: u64,
    /// Numbers of rows and values that were skipped, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// The first skipped ones, with their row numbers.
    pub examples: Vec<String>,
    /// Samples written.
    pub samples: u64,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Not a database, or not one from the tutorial.
    #[error("cannot read {path}: {reason}")]
    Unreadable {
        /// The database.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// One row that can be used.
#[derive(Debug, Clone, PartialEq)]
struct Reading {
    at: Timestamp,
    hashtag: Hashtag,
    id: Option<String>,
    posts: Option<f64>,
    views: Option<f64>,
    velocity: Option<f64>,
    last_24h: Option<f64>,
    daily_avg_7d: Option<f64>,
}

/// Converts the table in `database` into files in `directory`. `progress` is called with the share that is done,
/// 0 to 1.
pub fn import(
    database: &Path,
    directory: &Directory,
    settings: &Settings,
    progress: impl Fn(f64),
) -> Result<Report, ImportError> {
    let mut report = Report::default();
    let readings = read(database, settings, &mut report)?;
    let (Some(first), Some(last)) = (readings.first(), readings.last()) else { return Ok(report) };
    // A reading is valid for max_age, including its end.
    let to = (last.at + settings.max_age + Duration::from_millis(1)).min(settings.now);
    let span = Span { from: first.at, to, step: settings.step };
    let whole = to.saturating_since(first.at).as_secs_f64();
    let mut upcoming = readings.iter().peekable();
    let mut shown: BTreeMap<&Hashtag, Shown> = BTreeMap::new();
    for block in directory.blocks(span) {
        let mut samples = Samples::default();
        for moment in block.moments() {
            while let Some(reading) = upcoming.next_if(|reading| reading.at <= moment) {
                shown.entry(&reading.hashtag).or_insert_with(|| Shown::new(reading)).replace(reading);
            }
            for shown in shown.values() {
                if moment.saturating_since(shown.reading.at) <= settings.max_age {
                    shown.put(moment, settings, &mut samples);
                }
            }
        }
        report.samples += directory.write(block.from, samples)?;
        progress(block.to.saturating_since(first.at).as_secs_f64() / whole);
    }
    Ok(report)
}

/// All valid rows, in order of time.
fn read(database: &Path, settings: &Settings, report: &mut Report) -> Result<Vec<Reading>, ImportError> {
    let unreadable =
        |reason: String| ImportError::Unreadable { path: database.display().to_string(), reason };
    let failed = |error: rusqlite::Error| unreadable(error.to_string());
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(database, flags).map_err(failed)?;
    let mut columns =
        connection.prepare("SELECT name FROM pragma_table_info('hashtag_snapshot')").map_err(failed)?;
    let present: Vec<String> =
        columns.query_map([], |row| row.get(0)).and_then(Iterator::collect).map_err(failed)?;
    let missing: Vec<&str> =
        COLUMNS.into_iter().filter(|name| !present.iter().any(|known| known == name)).collect();
    if present.is_empty() {
        return Err(unreadable("it has no table hashtag_snapshot, as the tutorial makes it".to_owned()));
    }
    if !missing.is_empty() {
        return Err(unreadable(format!("its table hashtag_snapshot has no column {}", missing.join(", "))));
    }
    let mut readings: BTreeMap<(Timestamp, Hashtag), Reading> = BTreeMap::new();
    let mut statement = connection
        .prepare(&format!("SELECT rowid, {} FROM hashtag_snapshot", COLUMNS.join(", ")))
        .map_err(failed)?;
    let mut rows = statement.query([]).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        report.rows += 1;
        let number: i64 = row.get(0).map_err(failed)?;
        let mut complain = |what: &str| report.leave_out(number, what);
        let reading = match reading(row, settings.now, &mut complain) {
            Ok(reading) => reading,
            Err(why) => {
                complain(why);
                continue;
            }
        };
        let key = (reading.at, reading.hashtag.clone());
        match readings.entry(key) {
            Entry::Occupied(_) => complain("a second reading of the same hashtag at the same time"),
            Entry::Vacant(free) => {
                free.insert(reading);
                report.imported += 1;
            }
        }
    }
    Ok(readings.into_values().collect())
}

/// A row, if its time, its name and at least one of its numbers are valid. The error is the reason otherwise.
fn reading(row: &Row<'_>, now: Timestamp, complain: &mut dyn FnMut(&str)) -> Result<Reading, &'static str> {
    let Ok(ValueRef::Integer(seconds)) = row.get_ref("captured_at") else {
        return Err("captured_at is not a whole number of seconds");
    };
    let at = Timestamp::from_secs(seconds);
    if !(EARLIEST..=now).contains(&at) {
        return Err("captured_at lies in the future or before TikTok");
    }
    let name = match row.get_ref("name") {
        Ok(ValueRef::Text(text)) => String::from_utf8_lossy(text).into_owned(),
        _ => String::new(),
    };
    let hashtag = Hashtag::parse(&name).map_err(|_| "name is not a hashtag")?;
    let mut number = |column: &str, accept: fn(f64) -> bool| match row.get_ref(column) {
        Ok(ValueRef::Integer(value)) if accept(value as f64) => Some(value as f64),
        Ok(ValueRef::Real(value)) if accept(value) => Some(value),
        Ok(ValueRef::Null) => {
            complain(&format!("{column} is empty"));
            None
        }
        _ => {
            complain(&format!("{column} is out of range or not a number"));
            None
        }
    };
    let count = |value: f64| (0.0..COUNT_END).contains(&value) && value.fract() == 0.0;
    let [posts, views, last_24h] =
        ["post_count", "view_count", "last_24h"].map(|column| number(column, count));
    let velocity = number("velocity", |value| (0.0..=7.0).contains(&value));
    let daily_avg_7d = number("daily_avg_7d", |value| (0.0..1e9).contains(&value));
    if [posts, views, velocity, last_24h, daily_avg_7d].iter().all(Option::is_none) {
        return Err("no number can be used");
    }
    let id = match row.get_ref("challenge_id") {
        Ok(ValueRef::Text(text)) => Some(String::from_utf8_lossy(text).into_owned()),
        Ok(ValueRef::Integer(number)) => Some(number.to_string()),
        _ => None,
    };
    Ok(Reading { at, hashtag, id, posts, views, velocity, last_24h, daily_avg_7d })
}

/// What the exporter would have known about a hashtag at a moment.
struct Shown<'a> {
    reading: &'a Reading,
    posts: RecentValues,
    views: RecentValues,
}

impl<'a> Shown<'a> {
    fn new(reading: &'a Reading) -> Self {
        Self { reading, posts: RecentValues::default(), views: RecentValues::default() }
    }

    fn replace(&mut self, reading: &'a Reading) {
        self.reading = reading;
        for (recent, value) in [(&mut self.posts, reading.posts), (&mut self.views, reading.views)] {
            if let Some(value) = value {
                recent.push(value as u64);
            }
        }
    }

    /// Adds all samples that the exporter would have had.
    fn put(&self, at: Timestamp, settings: &Settings, samples: &mut Samples) {
        let reading = self.reading;
        let name = reading.hashtag.as_str();
        let mut put = |family: &str, more: &[(&str, &str)], value: Option<f64>| {
            if let Some(value) = value {
                samples.put(family, [("hashtag", name)].into_iter().chain(more.iter().copied()), at, value);
            }
        };
        let any = ("region", Region::Any.as_str());
        put("tiktok_hashtag_posts", &[], reading.posts);
        put("tiktok_hashtag_views", &[], reading.views);
        let step = |recent: &RecentValues| recent.resolution().map(|step| step as f64);
        put("tiktok_hashtag_posts_resolution", &[], step(&self.posts));
        put("tiktok_hashtag_views_resolution", &[], step(&self.views));
        let id = reading.id.as_deref().unwrap_or_default();
        put(
            "tiktok_hashtag_info",
            &[("challenge_id", id), ("commerce", "unknown"), ("group", &settings.group)],
            Some(1.0),
        );
        put("tiktok_hashtag_up", &[], Some(1.0));
        put("tiktok_hashtag_last_success_timestamp_seconds", &[], Some(reading.at.as_secs_f64()));
        put("tiktok_hashtag_refresh_interval_seconds", &[], Some(DAY.as_secs_f64()));
        put("tiktok_hashtag_sample_velocity", &[any], reading.velocity);
        let interval = reading.velocity.map(|_| DAY.as_secs_f64());
        put("tiktok_hashtag_sample_refresh_interval_seconds", &[any], interval);
        put("tiktok_hashtag_sample_posts", &[any, ("window", "24h")], reading.last_24h);
        // The table has the mean, rounded to two digits: the count is the next whole number.
        let of_week = reading.daily_avg_7d.map(|mean| (mean * 7.0).round());
        put("tiktok_hashtag_sample_posts", &[any, ("window", "7d")], of_week);
        put(
            "tiktok_hashtag_sample_last_success_timestamp_seconds",
            &[any],
            reading.velocity.map(|_| reading.at.as_secs_f64()),
        );
    }
}

impl Report {
    fn leave_out(&mut self, row: i64, what: &str) {
        *self.left_out.entry(what.to_owned()).or_default() += 1;
        if self.examples.len() < QUOTED {
            self.examples.push(format!("row {row}: {what}"));
        }
    }
}
