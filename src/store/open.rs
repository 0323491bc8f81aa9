//! Opening the store's file.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::lock::Lock;
use super::{Store, StoreError, StoreReader};

/// What makes each version of the schema out of the one before.
const MIGRATIONS: [&str; 6] = [
    include_str!("schema.sql"),
    include_str!("ledger.sql"),
    include_str!("growth.sql"),
    include_str!("discovery.sql"),
    include_str!("answers.sql"),
    include_str!("posts.sql"),
];

/// SQLite's `application_id` in a file of this program: "TKEX".
const APPLICATION_ID: i64 = 0x544b_4558;

/// The version of the schema that this program writes.
pub(super) const VERSION: i64 = MIGRATIONS.len() as i64;

impl Store {
    /// Opens the store at `path`, or creates it. On a disk that cannot be written, and when the store
    /// is damaged, what can be read of it is opened for reading: values can be shown, but nothing can
    /// be spent.
    ///
    /// # Errors
    ///
    /// When another process holds it, it is of a newer version or another program's, nothing of it can
    /// be read, or there is none and none can be made.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::open_as(path, true)
    }

    /// As [`open`](Self::open), for a command that ends soon. Other processes wait for it.
    ///
    /// # Errors
    ///
    /// As [`open`](Self::open).
    pub fn open_in_passing(path: &Path) -> Result<Self, StoreError> {
        Self::open_as(path, false)
    }

    fn open_as(path: &Path, stays: bool) -> Result<Self, StoreError> {
        match Self::open_to_write(path, stays) {
            Err(error) if error.is_of_the_disk() || matches!(error, StoreError::Damaged { .. }) => {
                Self::open_to_read(path, &error).ok_or(error)
            }
            opened => opened,
        }
    }

    /// A store that is gone when the process ends.
    ///
    /// # Errors
    ///
    /// None that is known.
    pub fn in_memory() -> Result<Self, StoreError> {
        let path = Path::new(":memory:");
        let connection = Connection::open_in_memory().map_err(|source| StoreError::sqlite(path, source))?;
        Self::prepare(path, connection, None)
    }

    fn open_to_write(path: &Path, stays: bool) -> Result<Self, StoreError> {
        let lock = Lock::take(path, stays)?;
        let connection = Connection::open(path).map_err(|source| StoreError::sqlite(path, source))?;
        if has_other_names(path) {
            return Err(StoreError::Linked { path: path.to_owned() });
        }
        Self::prepare(path, connection, Some(lock))
    }

    fn prepare(path: &Path, mut connection: Connection, lock: Option<Lock>) -> Result<Self, StoreError> {
        if !is_ours(&connection).map_err(|source| StoreError::sqlite(path, source))? {
            return Err(StoreError::Foreign { path: path.to_owned() });
        }
        let found = configure(&connection).map_err(|source| StoreError::sqlite(path, source))?;
        if found > VERSION {
            return Err(StoreError::Newer { path: path.to_owned(), found });
        }
        // First, so that a damaged one of an older version stays as it is, too.
        check(path, &connection)?;
        migrate(&mut connection, found).map_err(|source| StoreError::sqlite(path, source))?;
        Ok(Self {
            reader: StoreReader::new(path, connection),
            identity: lock.as_ref().and_then(|_| identity(path)),
            read_only: None,
            lock,
        })
    }

    /// The store for reading only; `why` is the reason. Spends nothing, so it needs no lock.
    fn open_to_read(path: &Path, why: &StoreError) -> Option<Self> {
        let connection = open_readable(path)?;
        if version(&connection).ok()? != VERSION || !is_ours(&connection).ok()? {
            return None;
        }
        tracing::error!(
            error = %why,
            "the store cannot be used: last values are shown as far as they can be read, and nothing is spent \
             until this is fixed and the program is restarted"
        );
        Some(Self {
            reader: StoreReader::new(path, connection),
            identity: None,
            read_only: Some(why.to_string()),
            lock: None,
        })
    }
}

/// Opens an existing file for reading, also where SQLite cannot make the files it wants beside it:
/// then as it was at its last checkpoint.
fn open_readable(path: &Path) -> Option<Connection> {
    let plain = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).ok();
    if let Some(connection) = plain.filter(|connection| version(connection).is_ok_and(|found| found > 0)) {
        return Some(connection);
    }
    let mut url = url::Url::from_file_path(path.canonicalize().ok()?).ok()?;
    url.set_query(Some("immutable=1"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(url.as_str(), flags).ok()
}

/// Fails when the content is damaged.
pub(super) fn check(path: &Path, connection: &Connection) -> Result<(), StoreError> {
    let found: String = connection
        .pragma_query_value(None, "quick_check", |row| row.get(0))
        .map_err(|source| StoreError::sqlite(path, source))?;
    if found == "ok" { Ok(()) } else { Err(StoreError::Damaged { path: path.to_owned(), what: found }) }
}

/// Identifies the file at `path`: a file that replaces it has another identity.
#[cfg(unix)]
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}

/// Whether the file has several hard links: SQLite keeps its journals, and this program its lock, by
/// the name, so two processes could write under two names.
#[cfg(unix)]
fn has_other_names(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).is_ok_and(|metadata| metadata.nlink() > 1)
}

#[cfg(not(unix))]
fn has_other_names(_: &Path) -> bool {
    false
}

/// Whether the file is empty or was made by this program.
fn is_ours(connection: &Connection) -> rusqlite::Result<bool> {
    let id: i64 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let tables: i64 = connection.query_row("SELECT count(*) FROM sqlite_master", [], |row| row.get(0))?;
    Ok(id == APPLICATION_ID || (id == 0 && tables == 0))
}

/// Sets the connection up, and returns the version of the schema.
fn configure(connection: &Connection) -> rusqlite::Result<i64> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // KiB: rows are written and read one at a time, and the system keeps the file's pages, too.
    connection.pragma_update(None, "cache_size", -256)?;
    version(connection)
}

/// Brings a schema of version `found` up to date.
fn migrate(connection: &mut Connection, found: i64) -> rusqlite::Result<()> {
    for (migration, makes) in MIGRATIONS.into_iter().zip(1..) {
        if found < makes {
            let transaction = connection.transaction()?;
            transaction.execute_batch(migration)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
            transaction.pragma_update(None, "user_version", makes)?;
            transaction.commit()?;
        }
    }
    Ok(())
}

/// The version of the schema in the file; 0 when it is empty.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}
