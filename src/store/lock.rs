//! One process per store.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::StoreError;

/// The suffix of a holder that ends soon.
const PASSING: &str = " (a command that will soon have ended)";
/// How long such a holder is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// An advisory lock on a file beside the store. The system releases it when the process ends,
/// however it ends; the file stays and names its last holder.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the store at `path` as a process that `stays` or that will soon have ended, or
    /// names who has it. One that will soon have ended is waited for.
    pub(super) fn take(path: &Path, stays: bool) -> Result<Self, StoreError> {
        // The same file by another name (a link) has the same lock.
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut lock_path = real.into_os_string();
        lock_path.push(".lock");
        let lock_path = PathBuf::from(lock_path);
        let started = Instant::now();
        let io = |source| StoreError::Io { path: lock_path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&lock_path)
            .map_err(io)?;
        loop {
            match try_for_a_moment(&file) {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) => {
                    let holder = holder(&mut file);
                    let waited = started.elapsed();
                    if holder.ends_with(PASSING) && waited < PATIENCE {
                        continue;
                    }
                    return Err(StoreError::InUse { path: path.to_owned(), holder });
                }
                Err(TryLockError::Error(source)) => return Err(io(source)),
            }
        }
        // The name is a courtesy to the next one; on a full disk the lock holds all the same.
        let named = file.set_len(0).and_then(|()| file.rewind());
        let role = if stays { "" } else { PASSING };
        if let Err(error) = named.and_then(|()| writeln!(file, "process {}{role}", std::process::id())) {
            tracing::warn!(%error, path = %lock_path.display(), "the lock cannot name this process");
        }
        Ok(Self { _file: file })
    }
}

/// The holder of the lock, as recorded in the file.
fn holder(file: &mut File) -> String {
    let mut holder = String::new();
    let read = file.rewind().and_then(|()| file.read_to_string(&mut holder));
    match holder.trim() {
        named if read.is_ok() && !named.is_empty() => named.to_owned(),
        _ => "another process".to_owned(),
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
