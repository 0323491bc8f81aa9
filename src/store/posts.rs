//! The best posts of each sample. They are read for a brief, so that memory need not
//! hold them for every pair of a watchlist.

use rusqlite::{Connection, OptionalExtension, params};
use tiktok_api::{Hashtag, Post, Region};

pub(super) fn load(
    connection: &Connection,
    hashtag: &Hashtag,
    region: Region,
) -> rusqlite::Result<Vec<Post>> {
    let json: Option<String> = connection
        .prepare_cached("SELECT posts FROM best_posts WHERE hashtag = ?1 AND region = ?2")?
        .query_row([hashtag.as_str(), region.as_str()], |row| row.get(0))
        .optional()?;
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default())
}

pub(super) fn save(
    connection: &Connection,
    hashtag: &Hashtag,
    region: Region,
    posts: &[Post],
) -> rusqlite::Result<()> {
    let posts = serde_json::to_string(posts)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
    connection
        .prepare_cached("INSERT OR REPLACE INTO best_posts (hashtag, region, posts) VALUES (?1, ?2, ?3)")?
        .execute(params![hashtag.as_str(), region.as_str(), posts])
        .map(|_| ())
}
