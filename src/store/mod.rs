//! What survives a restart: the last good results and when each was last asked for.
//!
//! One SQLite file in WAL mode. It holds the latest values only; time series are Prometheus'
//! business. Every write is one durable transaction, so `kill -9` loses nothing that was shown.
//!
//! Calls block; the poller makes them from a blocking thread.

mod lock;
mod rows;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, params};

use crate::model::{Hashtag, Timestamp};
use crate::state::{HashtagState, RegionState};
use lock::Lock;

pub use rows::{Remembered, StoredHashtag, StoredSample};

/// The version of the schema that this program writes.
const VERSION: i64 = 1;

/// The store cannot be used, or one operation failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds it.
    #[error(
        "{}: in use by {holder}; two exporters on one store would spend twice (stop the other one, or give this one its own store.path)",
        path.display()
    )]
    InUse {
        /// The store's file.
        path: PathBuf,
        /// The process that holds it, as far as it can be told.
        holder: String,
    },
    /// The file belongs to a later version of this program.
    #[error("{}: written by a newer version (schema {found}, this one knows {VERSION}); upgrade, or use another store.path", path.display())]
    Newer {
        /// The store's file.
        path: PathBuf,
        /// The schema version found.
        found: i64,
    },
    /// The file, or its directory, cannot be used.
    #[error("{}: {source} (the directory must exist and be writable)", path.display())]
    Io {
        /// The store's file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// SQLite refuses.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The store's file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

/// The open store. One per process and file.
pub struct Store {
    path: PathBuf,
    connection: Mutex<Connection>,
    _lock: Option<Lock>,
}

impl Store {
    /// Opens the store at `path`, or creates it. Fails if another process holds it.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock = Lock::take(path)?;
        let connection = Connection::open(path).map_err(|source| sqlite(path, source))?;
        Self::prepare(path, connection, Some(lock))
    }

    /// A store that is gone when the process ends.
    pub fn in_memory() -> Result<Self, StoreError> {
        let path = Path::new(":memory:");
        let connection = Connection::open_in_memory().map_err(|source| sqlite(path, source))?;
        Self::prepare(path, connection, None)
    }

    fn prepare(path: &Path, mut connection: Connection, lock: Option<Lock>) -> Result<Self, StoreError> {
        let found = configure(&mut connection).map_err(|source| sqlite(path, source))?;
        if found > VERSION {
            return Err(StoreError::Newer { path: path.to_owned(), found });
        }
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection), _lock: lock })
    }

    /// Everything that is remembered. Rows that cannot be read are left out and counted.
    pub fn load(&self) -> Result<Remembered, StoreError> {
        rows::load(&self.connection()).map_err(|source| sqlite(&self.path, source))
    }

    /// Remembers the totals of a hashtag and how their refresh went.
    pub fn save_hashtag(&self, state: &HashtagState) -> Result<(), StoreError> {
        rows::save_hashtag(&self.connection(), state).map_err(|source| sqlite(&self.path, source))
    }

    /// Remembers the sample of a hashtag in a region and how its refresh went.
    pub fn save_sample(&self, hashtag: &Hashtag, state: &RegionState) -> Result<(), StoreError> {
        rows::save_sample(&self.connection(), hashtag, state).map_err(|source| sqlite(&self.path, source))
    }

    /// Forgets what was last asked for before `before`, so that the store does not grow with
    /// every hashtag that was ever watched. Returns how many rows went.
    pub fn forget_before(&self, before: Timestamp) -> Result<usize, StoreError> {
        let connection = self.connection();
        let mut forgotten = 0;
        for table in ["hashtag", "sample"] {
            let sql = format!("DELETE FROM {table} WHERE coalesce(refreshed_at, 0) < ?1");
            forgotten += connection
                .execute(&sql, params![before.as_millis()])
                .map_err(|source| sqlite(&self.path, source))?;
        }
        Ok(forgotten)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // SQLite rolls an interrupted transaction back by itself.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sqlite(path: &Path, source: rusqlite::Error) -> StoreError {
    StoreError::Sqlite { path: path.to_owned(), source }
}

/// Sets the connection up, creates the schema if there is none, and returns the schema's version.
fn configure(connection: &mut Connection) -> rusqlite::Result<i64> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let version =
        |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get(0));
    let found: i64 = version(connection)?;
    if found > 0 {
        return Ok(found);
    }
    let transaction = connection.transaction()?;
    transaction.execute_batch(include_str!("schema.sql"))?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()?;
    version(connection)
}
