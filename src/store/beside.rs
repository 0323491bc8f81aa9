//! The store of an exporter that may be running, seen from another process.

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use tiktok_api::{Hashtag, Post, Region};

use super::open::{VERSION, check, version};
use super::{Books, Discovered, Store, StoreError};
use crate::state::HashtagState;

/// A store that is looked at, or amended in one short transaction, beside the process that holds
/// it. It spends nothing, so it needs no lock: SQLite keeps readers and the writer apart, and the
/// holder notices what was written before it spends the next credit.
pub struct Beside(Store);

impl Beside {
    /// Opens the store at `path` for reading, and for writing if `amend`.
    ///
    /// # Errors
    ///
    /// When there is none, it cannot be opened, is damaged, or of another version.
    pub fn open(path: &Path, amend: bool) -> Result<Self, StoreError> {
        if !path.exists() {
            return Err(StoreError::Missing { path: path.to_owned() });
        }
        let access = if amend { OpenFlags::SQLITE_OPEN_READ_WRITE } else { OpenFlags::SQLITE_OPEN_READ_ONLY };
        let open = || {
            let connection = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
            connection.busy_timeout(Duration::from_secs(10))?;
            if amend {
                connection.pragma_update(None, "synchronous", "FULL")?;
            }
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
        Ok(Self(Store {
            path: path.to_owned(),
            connection: Mutex::new(connection),
            identity: None,
            read_only: None,
            lock: None,
        }))
    }

    /// [`Store::recall`].
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn recall(&self, hashtags: &mut [HashtagState]) -> Result<usize, StoreError> {
        self.0.recall(hashtags)
    }

    /// [`Store::recall_discovery`].
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn recall_discovery(&self) -> Result<Discovered, StoreError> {
        self.0.recall_discovery()
    }

    /// [`Store::best_posts`].
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn best_posts(&self, hashtag: &Hashtag, region: Region) -> Result<Vec<Post>, StoreError> {
        self.0.best_posts(hashtag, region)
    }

    /// [`Store::holds_simulated`].
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn holds_simulated(&self) -> Result<bool, StoreError> {
        self.0.holds_simulated()
    }

    /// [`Store::read_books`].
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub fn read<T>(&self, work: impl FnOnce(&Books<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        self.0.read_books(work)
    }

    /// [`Store::keep_books`].
    ///
    /// # Errors
    ///
    /// When the store cannot be written.
    pub fn amend<T>(&self, work: impl FnOnce(&Books<'_>) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        self.0.keep_books(work)
    }
}
