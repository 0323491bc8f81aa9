//! Files that are read once and then checked for changes.

use std::io::{Error, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Configurations and certificates are small; a larger file is the wrong file.
const MAX_BYTES: u64 = 1 << 20;

/// The files that were read, each with its state just before.
#[derive(Debug, Default)]
pub(super) struct WatchedFiles(Vec<(PathBuf, Stamp)>);

/// What differs when a file was changed: inode, length, modification and change times. `None` if there
/// is no such file. Links are followed, because certificates in a container are links.
type Stamp = Option<(u64, u64, [i64; 4])>;

impl WatchedFiles {
    /// Reads a file, and watches it from now on.
    pub(super) fn read(&mut self, path: &Path) -> Result<Vec<u8>, Error> {
        // In this order: a write after this moment is noticed by the next check.
        self.0.push((path.to_owned(), stamp(path)));
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Error::new(ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
        }
        Ok(bytes)
    }

    /// Whether a file is different from when it was read.
    pub(super) fn have_changed(&self) -> bool {
        self.0.iter().any(|(path, read)| stamp(path) != *read)
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    Some((metadata.ino(), metadata.len(), times))
}

/// Whether users other than the owner and the group can read the file.
pub(super) fn is_world_readable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|metadata| metadata.mode() & 0o004 != 0)
}
