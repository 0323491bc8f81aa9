//! What survives a restart: the last good results, when each was last asked for, and the ledger of
//! what was spent.
//!
//! One SQLite file in WAL mode. It holds the latest values only; time series are Prometheus'
//! business. Every write is one durable transaction, so `kill -9` loses nothing that was shown and
//! nothing that was spent.
//!
//! Calls block; the poller and the ledger make them from a blocking thread.

mod beside;
mod ledger;
mod lock;
mod rows;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, params};

use crate::model::{Hashtag, Timestamp};
use crate::state::{HashtagState, RegionState};
use lock::Lock;

pub use beside::Beside;
pub use ledger::{Books, Counted, Line};
pub use rows::{Remembered, StoredHashtag, StoredSample};

/// What makes each version of the schema out of the one before.
const MIGRATIONS: [&str; 2] = [include_str!("schema.sql"), include_str!("ledger.sql")];

/// The version of the schema that this program writes.
const VERSION: i64 = MIGRATIONS.len() as i64;

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
    /// The file was written by an earlier version of this program and not brought up to date yet.
    #[error("{}: written by an older version; start the exporter once, which brings it up to date", path.display())]
    Older {
        /// The store's file.
        path: PathBuf,
    },
    /// The file, or its directory, cannot be used.
    #[error("{}: {source} (the directory must exist and be writable)", path.display())]
    Io {
        /// The store's file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The content of the file is damaged.
    #[error(
        "{}: the store is damaged ({what}); it is left as it is. Restore it from a backup, or move it away \
         together with its -wal and -shm files: then a new one is begun, which knows neither the last values \
         nor what was spent, so lower the budgets by that for now",
        path.display()
    )]
    Damaged {
        /// The store's file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The file that was opened is not in its place any more.
    #[error("{}: was moved, deleted or replaced while it was in use; put it back, or restart", path.display())]
    Gone {
        /// The store's file.
        path: PathBuf,
    },
    /// There is no store.
    #[error("{}: there is no store yet (it is made when the exporter first runs)", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
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
    /// Device and number of the file, to notice when another one takes its place.
    identity: Option<(u64, u64)>,
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
        let what: String = connection
            .pragma_query_value(None, "quick_check", |row| row.get(0))
            .map_err(|source| sqlite(path, source))?;
        if what != "ok" {
            return Err(StoreError::Damaged { path: path.to_owned(), what });
        }
        let identity = lock.as_ref().and_then(|_| identity(path));
        Ok(Self { path: path.to_owned(), connection: Mutex::new(connection), identity, _lock: lock })
    }

    /// Fails when the open file is not the one at its path any more: what is written to it would be
    /// unknown to the next process.
    fn check_in_place(&self) -> Result<(), StoreError> {
        if self.identity.is_some() && identity(&self.path) != self.identity {
            return Err(StoreError::Gone { path: self.path.clone() });
        }
        Ok(())
    }

    fn failed(&self, source: rusqlite::Error) -> StoreError {
        sqlite(&self.path, source)
    }

    /// Everything that is remembered. Rows that cannot be read are left out and counted.
    pub fn load(&self) -> Result<Remembered, StoreError> {
        rows::load(&self.connection()).map_err(|source| self.failed(source))
    }

    /// Remembers the totals of a hashtag and how their refresh went.
    pub fn save_hashtag(&self, state: &HashtagState) -> Result<(), StoreError> {
        rows::save_hashtag(&self.connection(), state).map_err(|source| self.failed(source))
    }

    /// Remembers the sample of a hashtag in a region and how its refresh went.
    pub fn save_sample(&self, hashtag: &Hashtag, state: &RegionState) -> Result<(), StoreError> {
        rows::save_sample(&self.connection(), hashtag, state).map_err(|source| self.failed(source))
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
                .map_err(|source| self.failed(source))?;
        }
        Ok(forgotten)
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // SQLite rolls an interrupted transaction back by itself.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sqlite(path: &Path, source: rusqlite::Error) -> StoreError {
    use rusqlite::ErrorCode;
    match source.sqlite_error_code() {
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Damaged { path: path.to_owned(), what: source.to_string() }
        }
        _ => StoreError::Sqlite { path: path.to_owned(), source },
    }
}

/// What tells the file at `path` from another one that takes its place.
#[cfg(unix)]
fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Sets the connection up, brings the schema up to date, and returns its version.
fn configure(connection: &mut Connection) -> rusqlite::Result<i64> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let found = version(connection)?;
    for (migration, makes) in MIGRATIONS.into_iter().zip(1..) {
        if found < makes {
            let transaction = connection.transaction()?;
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "user_version", makes)?;
            transaction.commit()?;
        }
    }
    version(connection)
}

/// The version of the schema in the file; 0 when it is empty.
fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
