//! What survives a restart: the last good results, when each was last refreshed, and the ledger.
//!
//! One SQLite file in WAL mode. It holds the latest values only; time series are Prometheus'
//! business. Every write is one durable transaction, so `kill -9` loses nothing that was shown and
//! nothing that was spent.
//!
//! Calls block; the poller and the ledger make them from a blocking thread.

mod answers;
mod discovery;
mod error;
mod ledger;
mod lock;
mod open;
mod posts;
mod reader;
mod rows;

use std::ops::Deref;

use rusqlite::{Connection, params};
use tiktok_api::{Hashtag, Post};
use units::Timestamp;

use crate::discovery::Trials;
use crate::model::{Growth, Keyword};
use crate::state::{HashtagState, KeywordRegion, KeywordState, RegionState};
use lock::Lock;
use open::identity;

pub use discovery::{Discovered, StoredKeyword, StoredKeywordPosts};
pub use error::StoreError;
pub use ledger::{Counted, LedgerEditor, LedgerTx, Line};
pub use reader::StoreReader;

/// The open store. One per process and file.
pub struct Store {
    reader: StoreReader,
    /// Device and number of the file, to notice when another one takes its place.
    identity: Option<(u64, u64)>,
    /// Why it can only be read, if that is so.
    read_only: Option<String>,
    lock: Option<Lock>,
}

impl Deref for Store {
    type Target = StoreReader;

    fn deref(&self) -> &StoreReader {
        &self.reader
    }
}

impl Store {
    /// Fails if another file is at the path of the open one: the next process would not find what is written.
    fn check_in_place(&self) -> Result<(), StoreError> {
        if let Some(why) = &self.read_only {
            return Err(StoreError::ReadOnly { path: self.path.clone(), why: why.clone() });
        }
        if self.identity.is_some() && identity(&self.path) != self.identity {
            return Err(StoreError::Gone { path: self.path.clone() });
        }
        Ok(())
    }

    /// Whether no other process may spend from it. One that is open for reading, or in memory, holds
    /// nothing.
    pub fn is_held(&self) -> bool {
        self.lock.is_some()
    }

    /// Remembers the totals of a hashtag and how their refresh went.
    pub fn save_hashtag(&self, state: &HashtagState) -> Result<(), StoreError> {
        rows::save_hashtag(&self.connection(), state).map_err(|source| self.failed(source))
    }

    /// Remembers the sample of a hashtag in a region and how its refresh went, and of a sample that is
    /// new its best posts.
    pub fn save_sample(
        &self,
        hashtag: &Hashtag,
        state: &RegionState,
        best: Option<&[Post]>,
    ) -> Result<(), StoreError> {
        let save = |connection: &mut Connection| {
            let transaction = connection.transaction()?;
            rows::save_sample(&transaction, hashtag, state)?;
            if let Some(best) = best {
                posts::save(&transaction, hashtag, state.region, best)?;
            }
            transaction.commit()
        };
        save(&mut self.connection()).map_err(|source| self.failed(source))
    }

    /// Notes that results of a simulator are among what is remembered. It cannot be taken back.
    pub fn note_simulated(&self, at: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO simulated (at) SELECT ?1 WHERE NOT EXISTS (SELECT 1 FROM simulated)";
        let noted = self.connection().prepare_cached(sql).and_then(|mut note| note.execute([at.as_millis()]));
        noted.map(|_| ()).map_err(|source| self.failed(source))
    }

    /// Remembers how a hashtag's count of posts grows.
    pub fn save_growth(&self, hashtag: &Hashtag, growth: &Growth) -> Result<(), StoreError> {
        rows::save_growth(&self.connection(), hashtag, growth).map_err(|source| self.failed(source))
    }

    /// Remembers what a keyword leads to and how the search for it went.
    pub fn save_keyword(&self, state: &KeywordState) -> Result<(), StoreError> {
        discovery::save_keyword(&mut self.connection(), state).map_err(|source| self.failed(source))
    }

    /// Remembers the posts of a keyword in a region and how the search for them went.
    pub fn save_keyword_posts(&self, keyword: &Keyword, state: &KeywordRegion) -> Result<(), StoreError> {
        discovery::save_posts(&self.connection(), keyword, state).map_err(|source| self.failed(source))
    }

    /// Remembers who is on trial, and who rests after one.
    pub fn save_trials(&self, trials: &Trials) -> Result<(), StoreError> {
        discovery::save_trials(&mut self.connection(), trials).map_err(|source| self.failed(source))
    }

    /// Forgets what was last asked for before `before`, so that the store does not grow with
    /// every hashtag that was ever watched. Returns how many rows went.
    pub fn forget_before(&self, before: Timestamp) -> Result<usize, StoreError> {
        let connection = self.connection();
        let mut forgotten = 0;
        for table in ["hashtag", "sample"] {
            let sql = format!("DELETE FROM {table} WHERE refreshed_at < ?1");
            forgotten += connection
                .execute(&sql, params![before.as_millis()])
                .map_err(|source| self.failed(source))?;
        }
        for orphans in [
            "DELETE FROM growth WHERE hashtag NOT IN (SELECT name FROM hashtag)",
            "DELETE FROM best_posts WHERE (hashtag, region) NOT IN (SELECT hashtag, region FROM sample)",
        ] {
            connection.execute(orphans, []).map_err(|source| self.failed(source))?;
        }
        let keywords = discovery::forget_before(&connection, before).map_err(|source| self.failed(source))?;
        Ok(forgotten + keywords)
    }
}
