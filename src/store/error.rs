//! Errors of the store.

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
        /// The process that holds it, if known.
        holder: String,
    },
    /// The file belongs to another program.
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
    #[error("{}: written by an older version; start the exporter once to upgrade it", path.display())]
    Older {
        /// The store's file.
        path: PathBuf,
    },
    /// The file, or its directory, cannot be used.
    #[error("{}: {source} (the directory must exist and be writable)", path.display())]
    Io {
        /// The store's file.
        path: PathBuf,
        /// The error of the system.
        source: std::io::Error,
    },
    /// The content of the file is damaged.
    #[error(
        "{}: the store is damaged ({what}); it is left as it is. Restore it from a backup, or move it away \
         together with its -wal and -shm files: then a new one is created, without the last values \
         and the spending so far, so lower the budgets accordingly for now",
        path.display()
    )]
    Damaged {
        /// The store's file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The open file is not at its path any more.
    #[error("{}: was moved, deleted or replaced while it was in use; put it back, or restart", path.display())]
    Gone {
        /// The store's file.
        path: PathBuf,
    },
    /// The store could only be opened for reading.
    #[error("{}: opened read-only ({why}); fix that and restart", path.display())]
    ReadOnly {
        /// The store's file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// There is no store.
    #[error("{}: there is no store yet (the exporter creates it at its first start)", path.display())]
    Missing {
        /// The missing file.
        path: PathBuf,
    },
    /// SQLite failed.
    #[error("{}: {source}", path.display())]
    Sqlite {
        /// The store's file.
        path: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// The error for an error of SQLite on the store at `path`.
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
