//! The store's rows, to and from the state.

use std::collections::HashMap;
use std::hash::Hash;

use rusqlite::{Connection, ErrorCode, OptionalExtension, Params, Row, Statement, params};
use tiktok_api::{ChallengeId, Hashtag, Region};
use units::Timestamp;

use crate::model::{Growth, RecentValues, SampleStats};
use crate::state::{HashtagState, Outcome, Reading, Refresh, RegionState, Sampled};

/// Enters into each hashtag what is remembered of it, but for what was refreshed since. Returns how many
/// rows cannot be read.
pub(super) fn recall(connection: &mut Connection, hashtags: &mut [HashtagState]) -> rusqlite::Result<usize> {
    let connection = connection.transaction()?;
    let mut totals = connection.prepare(
        "SELECT challenge_id, resolved_at, found, commerce, posts, posts_at, views, views_at, refreshed_at,
                outcome, succeeded_at
         FROM hashtag WHERE name = ?1",
    )?;
    let mut samples = connection.prepare(
        "SELECT region, stats, taken_at, refreshed_at, outcome, succeeded_at FROM sample WHERE hashtag = ?1",
    )?;
    let mut unreadable = 0;
    for state in hashtags {
        let name = state.hashtag.clone();
        if state.refresh.last.is_none() {
            unreadable += read_rows(&mut totals, [name.as_str()], |row| enter_hashtag(row, state))?;
        }
        unreadable += read_rows(&mut samples, [name.as_str()], |row| enter_sample(row, &mut state.regions))?;
    }
    Ok(unreadable)
}

/// The name that goes with an id. Looks at all rows, which is quick enough for a person.
pub(super) fn name_of(connection: &Connection, id: &ChallengeId) -> rusqlite::Result<Option<Hashtag>> {
    let name: Option<String> = connection
        .prepare_cached("SELECT name FROM hashtag WHERE challenge_id = ?1 ORDER BY resolved_at DESC LIMIT 1")?
        .query_row([id.as_str()], |row| row.get(0))
        .optional()?;
    Ok(name.and_then(|name| Hashtag::parse(&name).ok()))
}

/// How the counts of posts of these hashtags grow, and how many rows cannot be read.
pub(super) fn recall_growth<'a>(
    connection: &Connection,
    hashtags: impl IntoIterator<Item = &'a Hashtag>,
) -> rusqlite::Result<(HashMap<Hashtag, Growth>, usize)> {
    let mut courses = connection.prepare("SELECT course FROM growth WHERE hashtag = ?1")?;
    let (mut growth, mut unreadable) = (HashMap::new(), 0);
    for hashtag in hashtags {
        unreadable += read_rows(&mut courses, [hashtag.as_str()], |row| {
            let course = serde_json::from_str(&row.get::<_, String>("course").ok()?).ok()?;
            growth.insert(hashtag.clone(), course);
            Some(())
        })?;
    }
    growth.shrink_to_fit();
    Ok((growth, unreadable))
}

/// Reads the rows of a table into a map; returns how many cannot be read.
pub(super) fn load_rows<K: Eq + Hash, V>(
    connection: &Connection,
    sql: &str,
    into: &mut HashMap<K, V>,
    read: fn(&Row<'_>) -> Option<(K, V)>,
) -> rusqlite::Result<usize> {
    read_rows(&mut connection.prepare(sql)?, [], |row| {
        let (key, value) = read(row)?;
        into.insert(key, value);
        Some(())
    })
}

/// Reads the rows that a query finds; returns how many cannot be read. Where the table is damaged, all
/// rows from there on count as one.
fn read_rows(
    query: &mut Statement<'_>,
    parameters: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Option<()>,
) -> rusqlite::Result<usize> {
    let mut unreadable = 0;
    let read_all = || -> rusqlite::Result<()> {
        let mut rows = query.query(parameters)?;
        while let Some(row) = rows.next()? {
            unreadable += usize::from(read(row).is_none());
        }
        Ok(())
    };
    match read_all() {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => Ok(unreadable + 1),
        read => read.map(|()| unreadable),
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
    let stats = state.sample.as_ref().map(|sampled| serde_json::to_string(&sampled.stats()));
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

// Each of these is `None` and changes nothing if the row is broken: another program may have written to
// the file.

fn enter_hashtag(row: &Row<'_>, state: &mut HashtagState) -> Option<()> {
    let id = match row.get::<_, Option<String>>("challenge_id").ok()? {
        Some(text) => Some(ChallengeId::parse(&text).ok()?),
        None => None,
    };
    let (posts, views) = (reading(row, "posts", "posts_at")?, reading(row, "views", "views_at")?);
    let (found, commerce) = (row.get("found").ok()?, row.get("commerce").ok()?);
    let (resolved_at, last, last_success) =
        (time(row, "resolved_at")?, last(row)?, time(row, "succeeded_at")?);
    let refresh = Refresh { last, last_success, ..state.refresh };
    *state = HashtagState {
        id,
        resolved_at,
        found,
        commerce,
        posts,
        views,
        refresh,
        hashtag: state.hashtag.clone(),
        group: state.group.clone(),
        max_age: state.max_age,
        regions: std::mem::take(&mut state.regions),
    };
    Some(())
}

fn enter_sample(row: &Row<'_>, regions: &mut [RegionState]) -> Option<()> {
    let region = Region::parse_label(row.get_ref("region").ok()?.as_str().ok()?).ok()?;
    let known = regions.iter_mut().find(|state| state.region == region && state.refresh.last.is_none());
    // Of a region that is not watched any more.
    let Some(state) = known else { return Some(()) };
    let sample = match (row.get_ref("stats").ok()?.as_str_or_null().ok()?, time(row, "taken_at")?) {
        (Some(json), Some(at)) => Some(Sampled::new(at, &serde_json::from_str::<SampleStats>(json).ok()?)),
        _ => None,
    };
    let (last, last_success) = (last(row)?, time(row, "succeeded_at")?);
    state.sample = sample;
    state.refresh = Refresh { last, last_success, ..state.refresh };
    Some(())
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
