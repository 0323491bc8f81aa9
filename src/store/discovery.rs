//! The rows of followed keywords, their candidates and trials.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, Row, params};
use tiktok_api::{Hashtag, Region};
use units::Timestamp;

use super::rows::{last, load_rows, time};
use crate::discovery::{Candidate, Candidates, KeywordStats, Trial, Trials};
use crate::model::Keyword;
use crate::state::{KeywordRegion, KeywordState, Outcome};

/// A keyword as it is remembered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredKeyword {
    /// What the last good search found.
    pub found: Option<Candidates>,
    /// When the last search ended, and how.
    pub last: Option<(Timestamp, Outcome)>,
    /// When a search last succeeded.
    pub last_success: Option<Timestamp>,
}

/// The posts of a keyword in a region as they are remembered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct StoredKeywordPosts {
    /// The last good figures, and when they were taken.
    pub sample: Option<(Timestamp, KeywordStats)>,
    /// When the last search ended, and how.
    pub last: Option<(Timestamp, Outcome)>,
    /// When a search last succeeded.
    pub last_success: Option<Timestamp>,
}

/// A row of `trial`.
enum StoredTrial {
    Running(Trial),
    Resting(Timestamp),
}

/// What the store remembers of discovery.
#[derive(Debug, Default)]
pub struct Discovered {
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

pub(super) fn load(connection: &Connection) -> rusqlite::Result<Discovered> {
    let mut discovered = Discovered::default();
    let Discovered { keywords, keyword_posts, trials, resting, unreadable } = &mut discovered;
    let sql = "SELECT name, found_at, refreshed_at, outcome, succeeded_at FROM keyword";
    *unreadable += load_rows(connection, sql, keywords, read_keyword)?;
    let sql = "SELECT keyword, place, hashtag, posts, views, growth FROM candidate";
    let mut candidates: HashMap<(Keyword, i64), Candidate> = HashMap::new();
    *unreadable += load_rows(connection, sql, &mut candidates, read_candidate)?;
    let mut in_order: Vec<_> = candidates.into_iter().collect();
    in_order.sort_by(|(a, _), (b, _)| a.cmp(b));
    for ((keyword, _), candidate) in in_order {
        let found = keywords.get_mut(&keyword).and_then(|stored| stored.found.as_mut());
        found.into_iter().for_each(|found| found.all.push(candidate.clone()));
    }
    let sql =
        "SELECT keyword, region, stats, taken_at, refreshed_at, outcome, succeeded_at FROM keyword_posts";
    *unreadable += load_rows(connection, sql, keyword_posts, read_posts)?;
    let sql = "SELECT hashtag, keyword, since, seen_at, lively_at, course, rests_until FROM trial";
    let mut stored = HashMap::new();
    *unreadable += load_rows(connection, sql, &mut stored, read_trial)?;
    for (hashtag, trial) in stored {
        match trial {
            StoredTrial::Running(trial) => trials.push(trial),
            StoredTrial::Resting(until) => _ = resting.insert(hashtag, until),
        }
    }
    Ok(discovered)
}

pub(super) fn save_keyword(connection: &mut Connection, state: &KeywordState) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let keyword = state.keyword.as_str();
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO keyword (name, found_at, refreshed_at, outcome, succeeded_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            keyword,
            state.found.as_ref().map(|found| found.at.as_millis()),
            state.refresh.last.map(|(at, _)| at.as_millis()),
            state.refresh.last.map(|(_, outcome)| outcome.as_str()),
            state.refresh.last_success.map(Timestamp::as_millis),
        ])?;
    transaction.prepare_cached("DELETE FROM candidate WHERE keyword = ?1")?.execute([keyword])?;
    for (place, candidate) in state.found.iter().flat_map(|found| &found.all).enumerate() {
        let growth = candidate.growth.map(|growth| json(&growth)).transpose()?;
        transaction
            .prepare_cached(
                "INSERT INTO candidate (keyword, place, hashtag, posts, views, growth)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                keyword,
                i64::try_from(place).unwrap_or(i64::MAX),
                candidate.hashtag.as_str(),
                candidate.posts.map(|posts| posts.to_string()),
                candidate.views.map(|views| views.to_string()),
                growth,
            ])?;
    }
    transaction.commit()
}

pub(super) fn save_posts(
    connection: &Connection,
    keyword: &Keyword,
    state: &KeywordRegion,
) -> rusqlite::Result<()> {
    let stats = state.sample.as_ref().map(|(_, stats)| json(stats)).transpose()?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO keyword_posts
                 (keyword, region, stats, taken_at, refreshed_at, outcome, succeeded_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            keyword.as_str(),
            state.region.as_str(),
            stats,
            state.sample.as_ref().map(|(at, _)| at.as_millis()),
            state.refresh.last.map(|(at, _)| at.as_millis()),
            state.refresh.last.map(|(_, outcome)| outcome.as_str()),
            state.refresh.last_success.map(Timestamp::as_millis),
        ])
        .map(|_| ())
}

/// Replaces all trials: there are few.
pub(super) fn save_trials(connection: &mut Connection, trials: &Trials) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute("DELETE FROM trial", [])?;
    for trial in trials.running() {
        transaction
            .prepare_cached(
                "INSERT INTO trial (hashtag, keyword, since, seen_at, lively_at, course)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                trial.hashtag.as_str(),
                trial.keyword.as_str(),
                trial.since.as_millis(),
                trial.refreshed_at.map(Timestamp::as_millis),
                trial.active_at.map(Timestamp::as_millis),
                json(&trial.post_counts)?,
            ])?;
    }
    for (hashtag, until) in trials.resting() {
        transaction
            .prepare_cached("INSERT INTO trial (hashtag, rests_until) VALUES (?1, ?2)")?
            .execute(params![hashtag.as_str(), until.as_millis()])?;
    }
    transaction.commit()
}

/// Forgets keywords that were last searched for before `before`; returns how many rows went.
pub(super) fn forget_before(connection: &Connection, before: Timestamp) -> rusqlite::Result<usize> {
    let mut forgotten = 0;
    for table in ["keyword", "keyword_posts"] {
        let sql = format!("DELETE FROM {table} WHERE refreshed_at < ?1");
        forgotten += connection.execute(&sql, params![before.as_millis()])?;
    }
    connection.execute("DELETE FROM candidate WHERE keyword NOT IN (SELECT name FROM keyword)", [])?;
    Ok(forgotten)
}

fn json(value: &impl serde::Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

// A row is `None` if it is broken: another program may have written to the file.

fn read_keyword(row: &Row<'_>) -> Option<(Keyword, StoredKeyword)> {
    let found = time(row, "found_at")?.map(|at| Candidates { at, all: Vec::new() });
    let stored = StoredKeyword { found, last: last(row)?, last_success: time(row, "succeeded_at")? };
    Some((keyword(row, "name")?, stored))
}

fn read_candidate(row: &Row<'_>) -> Option<((Keyword, i64), Candidate)> {
    let count = |column| match row.get::<_, Option<String>>(column).ok()? {
        Some(text) => Some(Some(text.parse::<u64>().ok()?)),
        None => Some(None),
    };
    let growth = match row.get::<_, Option<String>>("growth").ok()? {
        Some(text) => Some(serde_json::from_str(&text).ok()?),
        None => None,
    };
    let candidate =
        Candidate { hashtag: hashtag(row)?, posts: count("posts")?, views: count("views")?, growth };
    Some(((keyword(row, "keyword")?, row.get("place").ok()?), candidate))
}

fn read_posts(row: &Row<'_>) -> Option<((Keyword, Region), StoredKeywordPosts)> {
    let region = Region::parse_label(&row.get::<_, String>("region").ok()?).ok()?;
    let sample = match (row.get::<_, Option<String>>("stats").ok()?, time(row, "taken_at")?) {
        (Some(text), Some(at)) => Some((at, serde_json::from_str(&text).ok()?)),
        _ => None,
    };
    let stored = StoredKeywordPosts { sample, last: last(row)?, last_success: time(row, "succeeded_at")? };
    Some(((keyword(row, "keyword")?, region), stored))
}

fn read_trial(row: &Row<'_>) -> Option<(Hashtag, StoredTrial)> {
    let hashtag = hashtag(row)?;
    if let Some(until) = time(row, "rests_until")? {
        return Some((hashtag, StoredTrial::Resting(until)));
    }
    let trial = Trial {
        keyword: keyword(row, "keyword")?,
        hashtag: hashtag.clone(),
        since: time(row, "since")??,
        refreshed_at: time(row, "seen_at")?,
        active_at: time(row, "lively_at")?,
        post_counts: serde_json::from_str(&row.get::<_, String>("course").ok()?).ok()?,
    };
    Some((hashtag, StoredTrial::Running(trial)))
}

fn keyword(row: &Row<'_>, column: &str) -> Option<Keyword> {
    Keyword::parse(&row.get::<_, String>(column).ok()?).ok()
}

fn hashtag(row: &Row<'_>) -> Option<Hashtag> {
    Hashtag::parse(&row.get::<_, String>("hashtag").ok()?).ok()
}
