//! Responses of the API to look-ups.

use rusqlite::{Connection, OptionalExtension, Row, params};
use units::{DAY, Timestamp};

use super::{Store, StoreError};

/// Answers are kept up to this size together, the youngest ones.
const KEPT_BYTES: i64 = 8 << 20;
/// A larger answer is not kept.
const LARGEST_BYTES: usize = 1 << 20;

impl Store {
    /// Keeps the answer to a query in place of an older one. Old ones make room.
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub fn keep_answer(&self, query: &str, at: Timestamp, body: &[u8]) -> Result<(), StoreError> {
        self.check_in_place()?;
        if body.len() > LARGEST_BYTES {
            return Ok(());
        }
        let connection = self.connection();
        let keep = || -> rusqlite::Result<()> {
            connection
                .prepare_cached(
                    "INSERT OR REPLACE INTO answer (query, answered_at, body) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![query, at.as_millis(), body])?;
            connection
                .prepare_cached(
                    "DELETE FROM answer WHERE answered_at < ?1 OR query IN (
                         SELECT query FROM (
                             SELECT query, sum(length(body)) OVER (ORDER BY answered_at DESC, query) AS size
                             FROM answer
                         ) WHERE size > ?2
                     )",
                )?
                .execute(params![(at - DAY * 30).as_millis(), KEPT_BYTES])?;
            Ok(())
        };
        keep().map_err(|source| self.failed(source))
    }
}

pub(super) fn load(connection: &Connection, query: &str) -> rusqlite::Result<Option<(Timestamp, Vec<u8>)>> {
    let answer = |row: &Row<'_>| Ok((Timestamp::from_millis(row.get(0)?), row.get(1)?));
    connection
        .prepare_cached("SELECT answered_at, body FROM answer WHERE query = ?1")?
        .query_row([query], answer)
        .optional()
}
