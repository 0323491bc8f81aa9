//! What can be wrong with the store.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

use super::open::VERSION;

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
    /// The file is somebody else's.
    #[error("{}: is a database of another program; it is left as it is (choose another store.path)", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file has several hard links.
    #[error(
        "{}: has a second name (a hard link), under which another process could use it (remove that name, or copy the file instead)",
        path.display()
    )]
    Linked {
        /// The store's file.
        path: PathBuf,
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
    /// The store could only be opened for reading.
    #[error("{}: can only be read since the start ({why}); mend that and restart", path.display())]
    ReadOnly {
        /// The store's file.
        path: PathBuf,
        /// What was in the way.
        why: String,
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

impl StoreError {
    /// What SQLite says about the store at `path`.
    pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path: path.to_owned(), what: source.to_string() }
            }
            _ => Self::Sqlite { path: path.to_owned(), source },
        }
    }

    /// Whether the disk cannot be written, while what is on it may be sound.
    pub(super) fn is_of_the_disk(&self) -> bool {
        match self {
            Self::Io { source, .. } => matches!(
                source.kind(),
                ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem | ErrorKind::StorageFull
            ),
            Self::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(
                    ErrorCode::ReadOnly
                        | ErrorCode::CannotOpen
                        | ErrorCode::DiskFull
                        | ErrorCode::SystemIoFailure
                        | ErrorCode::PermissionDenied
                )
            ),
            _ => false,
        }
    }
}
