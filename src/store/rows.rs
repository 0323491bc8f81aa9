//! The store's rows, to and from the state.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use rusqlite::{Connection, ErrorCode, Row, params};

use super::discovery::{self, StoredKeyword, StoredKeywordPosts};
use crate::discovery::Trial;
use crate::model::{ChallengeId, Growth, Hashtag, Keyword, RecentValues, Region, SampleStats, Timestamp};
use crate::state::{HashtagState, Outcome, Reading, RegionState, Sampled};

/// Everything the store remembers.
#[derive(Debug, Default)]
pub struct Remembered {
    /// Totals by hashtag.
    pub hashtags: HashMap<Hashtag, StoredHashtag>,
    /// Samples by hashtag and region.
    pub samples: HashMap<(Hashtag, Region), StoredSample>,
    /// How counts of posts grow.
    pub growth: HashMap<Hashtag, Growth>,
    /// What followed keywords lead to.
    pub keywords: HashMap<Keyword, StoredKeyword>,
    /// The posts of keywords by region.
    pub keyword_posts: HashMap<(Keyword, Region), StoredKeywordPosts>,
    /// Who is on trial.
    pub trials: Vec<Trial>,
    /// Who rests after a trial, and until when.
    pub resting: BTreeMap<Hashtag, Timestamp>,
    /// Rows that could not be read.
    pub unreadable: usize,
}

/// A hashtag as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredHashtag {
    /// The platform's id.
    pub id: Option<ChallengeId>,
    /// When name and id were last seen together.
    pub resolved_at: Option<Timestamp>,
    /// Whether the upstream last said that there is such a hashtag.
    pub found: Option<bool>,
    /// Whether the platform flags it as commercial.
    pub commerce: Option<bool>,
    /// Count of posts.
    pub posts: Option<Reading>,
    /// Count of views.
    pub views: Option<Reading>,
    /// When the last refresh ended, and how.
    pub last: Option<(Timestamp, Outcome)>,
    /// When a refresh last succeeded.
    pub last_success: Option<Timestamp>,
}

/// A sample as it is remembered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredSample {
    /// The last good sample.
    pub sample: Option<Sampled>,
    /// When the last refresh ended, and how.
    pub last: Option<(Timestamp, Outcome)>,
    /// When a refresh last succeeded.
    pub last_success: Option<Timestamp>,
}

pub(super) fn load(connection: &Connection) -> rusqlite::Result<Remembered> {
    let mut remembered = Remembered::default();
    let Remembered { hashtags, samples, growth, unreadable, .. } = &mut remembered;
    let sql = "SELECT name, challenge_id, resolved_at, found, commerce, posts, posts_at, views, views_at,
                      refreshed_at, outcome, succeeded_at
               FROM hashtag";
    *unreadable += load_rows(connection, sql, hashtags, read_hashtag)?;
    let sql = "SELECT hashtag, region, stats, taken_at, refreshed_at, outcome, succeeded_at FROM sample";
    *unreadable += load_rows(connection, sql, samples, read_sample)?;
    *unreadable += load_rows(connection, "SELECT hashtag, course FROM growth", growth, read_growth)?;
    discovery::load(connection, &mut remembered)?;
    Ok(remembered)
}

/// Reads the rows of a table; returns how many cannot be read. Where the table is damaged, all rows
/// from there on count as one.
pub(super) fn load_rows<K: Eq + Hash, V>(
    connection: &Connection,
    sql: &str,
    into: &mut HashMap<K, V>,
    read: fn(&Row<'_>) -> Option<(K, V)>,
) -> rusqlite::Result<usize> {
    let mut unreadable = 0;
    let mut load = || -> rusqlite::Result<()> {
        let mut statement = connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            match read(row) {
                Some((key, value)) => _ = into.insert(key, value),
                None => unreadable += 1,
            }
        }
        Ok(())
    };
    match load() {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Ok(unreadable + 1),
        loaded => loaded.map(|()| unreadable),
    }
}

pub(super) fn save_growth(
    connection: &Connection,
    hashtag: &Hashtag,
    growth: &Growth,
) -> rusqlite::Result<()> {
    let course = serde_json::to_string(growth)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO growth (hashtag, course) VALUES (?1, ?2)")?
        .execute(params![hashtag.as_str(), course])
        .map(|_| ())
}

pub(super) fn save_hashtag(connection: &Connection, state: &HashtagState) -> rusqlite::Result<()> {
    let (posts, posts_at) = reading_columns(state.posts.as_ref());
    let (views, views_at) = reading_columns(state.views.as_ref());
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO hashtag (name, challenge_id, resolved_at, found, commerce, posts, posts_at,
                                             views, views_at, refreshed_at, outcome, succeeded_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            state.hashtag.as_str(),
            state.id.as_ref().map(ChallengeId::as_str),
            state.resolved_at.map(Timestamp::as_millis),
            state.found,
            state.commerce,
            posts,
            posts_at,
            views,
            views_at,
            state.refresh.last.map(|(at, _)| at.as_millis()),
            state.refresh.last.map(|(_, outcome)| outcome.as_str()),
            state.refresh.last_success.map(Timestamp::as_millis),
        ])
        .map(|_| ())
}

pub(super) fn save_sample(
    connection: &Connection,
    hashtag: &Hashtag,
    state: &RegionState,
) -> rusqlite::Result<()> {
    let stats = state.sample.as_ref().map(|sampled| serde_json::to_string(&sampled.stats));
    let stats = stats.transpose().map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO sample (hashtag, region, stats, taken_at, refreshed_at, outcome, succeeded_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            hashtag.as_str(),
            state.region.as_str(),
            stats,
            state.sample.as_ref().map(|sampled| sampled.at.as_millis()),
            state.refresh.last.map(|(at, _)| at.as_millis()),
            state.refresh.last.map(|(_, outcome)| outcome.as_str()),
            state.refresh.last_success.map(Timestamp::as_millis),
        ])
        .map(|_| ())
}

fn reading_columns(reading: Option<&Reading>) -> (Option<String>, Option<i64>) {
    let values = reading.map(|reading| format!("{:?}", reading.recent.as_slice()));
    (values, reading.map(|reading| reading.at.as_millis()))
}

/// A row of `hashtag`, unless the row is broken: somebody else may have written into the file.
fn read_hashtag(row: &Row<'_>) -> Option<(Hashtag, StoredHashtag)> {
    let hashtag = Hashtag::parse(&row.get::<_, String>("name").ok()?).ok()?;
    let id = match row.get::<_, Option<String>>("challenge_id").ok()? {
        Some(text) => Some(ChallengeId::parse(&text).ok()?),
        None => None,
    };
    let stored = StoredHashtag {
        id,
        resolved_at: time(row, "resolved_at")?,
        found: row.get("found").ok()?,
        commerce: row.get("commerce").ok()?,
        posts: reading(row, "posts", "posts_at")?,
        views: reading(row, "views", "views_at")?,
        last: last(row)?,
        last_success: time(row, "succeeded_at")?,
    };
    Some((hashtag, stored))
}

/// A row of `growth`, unless it is broken.
fn read_growth(row: &Row<'_>) -> Option<(Hashtag, Growth)> {
    let hashtag = Hashtag::parse(&row.get::<_, String>("hashtag").ok()?).ok()?;
    Some((hashtag, serde_json::from_str(&row.get::<_, String>("course").ok()?).ok()?))
}

/// A row of `sample`, unless it is broken.
fn read_sample(row: &Row<'_>) -> Option<((Hashtag, Region), StoredSample)> {
    let hashtag = Hashtag::parse(&row.get::<_, String>("hashtag").ok()?).ok()?;
    let region = Region::parse_label(&row.get::<_, String>("region").ok()?).ok()?;
    let sample = match (row.get::<_, Option<String>>("stats").ok()?, time(row, "taken_at")?) {
        (Some(json), Some(at)) => {
            Some(Sampled { at, stats: serde_json::from_str::<SampleStats>(&json).ok()? })
        }
        _ => None,
    };
    Some((
        (hashtag, region),
        StoredSample { sample, last: last(row)?, last_success: time(row, "succeeded_at")? },
    ))
}

// The outer `Option` of these is "readable", the inner one SQL's NULL.

pub(super) fn time(row: &Row<'_>, column: &str) -> Option<Option<Timestamp>> {
    Some(row.get::<_, Option<i64>>(column).ok()?.map(Timestamp::from_millis))
}

pub(super) fn last(row: &Row<'_>) -> Option<Option<(Timestamp, Outcome)>> {
    let at = time(row, "refreshed_at")?;
    match row.get::<_, Option<String>>("outcome").ok()? {
        Some(text) => Some(Some((at?, Outcome::parse(&text)?))),
        None => Some(None),
    }
}

fn reading(row: &Row<'_>, values: &str, at: &str) -> Option<Option<Reading>> {
    let at = time(row, at)?;
    match row.get::<_, Option<String>>(values).ok()? {
        Some(json) => {
            let recent = RecentValues::from_newest_first(serde_json::from_str::<Vec<u64>>(&json).ok()?);
            recent.latest()?;
            Some(Some(Reading { at: at?, recent }))
        }
        None => Some(None),
    }
}
