//! One process per store.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::StoreError;

/// An advisory lock on a file beside the store. The system releases it when the process ends,
/// however it ends; the file stays and names its last holder.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the store at `path`, or names who has it.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        // The same file by another name (a link) has the same lock.
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut lock_path = real.into_os_string();
        lock_path.push(".lock");
        let lock_path = PathBuf::from(lock_path);
        let io = |source| StoreError::Io { path: lock_path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(io)?;
        match try_for_a_moment(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let named = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
                let holder = if named { holder.trim().to_owned() } else { "another process".to_owned() };
                return Err(StoreError::InUse { path: path.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        // The name is a courtesy to the next one; on a full disk the lock holds all the same.
        let named = file.set_len(0).and_then(|()| file.rewind());
        if let Err(error) = named.and_then(|()| writeln!(file, "process {}", std::process::id())) {
            tracing::warn!(%error, path = %lock_path.display(), "the lock cannot name this process");
        }
        Ok(Self { _file: file })
    }
}

/// A process that has just ended may hold it for a moment longer, through a child that it was about
/// to start.
fn try_for_a_moment(file: &File) -> Result<(), TryLockError> {
    for _ in 0..4 {
        if !matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    file.try_lock()
}
