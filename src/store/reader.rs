//! The read half of the store.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use tiktok_api::{ChallengeId, Hashtag, Post, Region};

use super::open::{VERSION, check, version};
use super::{Discovered, LedgerTx, StoreError, answers, discovery, posts, rows};
use crate::model::Growth;
use crate::state::HashtagState;
use units::Timestamp;

/// The store as far as it can be read. A process that only reads needs no lock: SQLite isolates readers from
/// the process that writes.
pub struct StoreReader {
    pub(super) path: PathBuf,
    connection: Mutex<Connection>,
}

impl StoreReader {
    pub(super) fn new(path: &Path, connection: Connection) -> Self {
        Self { path: path.to_owned(), connection: Mutex::new(connection) }
    }

    /// Opens the existing store at `path`, which another process may be using, for reading.
    ///
    /// # Errors
    ///
    /// If there is no store, or it cannot be opened, is damaged, or has another version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_existing(path, OpenFlags::SQLITE_OPEN_READ_ONLY)
    }

    pub(super) fn open_existing(path: &Path, access: OpenFlags) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        let open = || {
            let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            let found = version(&connection)?;
            Ok((connection, found))
        };
        let (connection, found) = open().map_err(|source| StoreError::sqlite(path, source))?;
        if found > VERSION {
            return Err(StoreError::Newer { path: path.to_owned(), found });
        }
        if found < VERSION {
            return Err(StoreError::Older { path: path.to_owned() });
        }
        check(path, &connection)?;
        Ok(Self::new(path, connection))
    }

    /// Fills in what is stored about each hashtag and its regions. Values that were refreshed since the
    /// start of the program are newer and stay. Unreadable rows are skipped; returns their number.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn recall(&self, hashtags: &mut [HashtagState]) -> Result<usize, StoreError> {
        rows::recall(&mut self.connection(), hashtags).map_err(|source| self.failed(source))
    }

    /// The name of the hashtag that was last seen with this id.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn name_of(&self, id: &ChallengeId) -> Result<Option<Hashtag>, StoreError> {
        rows::name_of(&self.connection(), id).map_err(|source| self.failed(source))
    }

    /// The growth of the post counts of these hashtags, and the number of unreadable rows, which are skipped.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn recall_growth<'a>(
        &self,
        hashtags: impl IntoIterator<Item = &'a Hashtag>,
    ) -> Result<(HashMap<Hashtag, Growth>, usize), StoreError> {
        rows::recall_growth(&self.connection(), hashtags).map_err(|source| self.failed(source))
    }

    /// The state of discovery. Unreadable rows are skipped and counted.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn recall_discovery(&self) -> Result<Discovered, StoreError> {
        discovery::load(&self.connection()).map_err(|source| self.failed(source))
    }

    /// The best posts of the last good sample of a hashtag in a region. Empty if there was no such sample or
    /// if they cannot be read as posts.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn best_posts(&self, hashtag: &Hashtag, region: Region) -> Result<Vec<Post>, StoreError> {
        posts::load(&self.connection(), hashtag, region).map_err(|source| self.failed(source))
    }

    /// The stored response to a query, and the time of the response.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn kept_answer(&self, query: &str) -> Result<Option<(Timestamp, Vec<u8>)>, StoreError> {
        answers::load(&self.connection(), query).map_err(|source| self.failed(source))
    }

    /// Whether the store contains results of a simulator.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn holds_simulated(&self) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM simulated)";
        self.connection().query_row(sql, [], |row| row.get(0)).map_err(|source| self.failed(source))
    }

    /// Runs `work`, which only reads, on a consistent state of the ledger.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn read_ledger<T>(
        &self,
        work: impl FnOnce(&LedgerTx<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let read = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
            work(&LedgerTx(&transaction))
        };
        read(&mut self.connection()).map_err(|source| self.failed(source))
    }

    /// Runs `work` in one transaction, which is on disk if this succeeds.
    pub(super) fn commit_ledger<T>(
        &self,
        work: impl FnOnce(&LedgerTx<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let commit = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&LedgerTx(&transaction))?;
            transaction.commit()?;
            Ok(result)
        };
        commit(&mut self.connection()).map_err(|source| self.failed(source))
    }

    pub(super) fn connection(&self) -> MutexGuard<'_, Connection> {
        // SQLite rolls an interrupted transaction back by itself.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn failed(&self, source: rusqlite::Error) -> StoreError {
        StoreError::sqlite(&self.path, source)
    }
}
