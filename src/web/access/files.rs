//! Files that are read once and looked at often.

use std::io::{Error, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Configuration and certificates are small; a larger file is another one.
const MAX_BYTES: u64 = 1 << 20;

/// Files that were read, each as it was just before.
#[derive(Debug, Default)]
pub(super) struct Files(Vec<(PathBuf, Stamp)>);

/// What changes when a file does: inode, length, and when it was written and moved. `None` when
/// there is no such file. Links are followed, as certificates in a container come by them.
type Stamp = Option<(u64, u64, [i64; 4])>;

impl Files {
    /// Reads one more.
    pub(super) fn read(&mut self, path: &Path) -> Result<Vec<u8>, Error> {
        // In this order: what is written after the look is seen at the next one.
        self.0.push((path.to_owned(), stamp(path)));
        let mut bytes = Vec::new();
        std::fs::File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_BYTES {
            return Err(Error::new(ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
        }
        Ok(bytes)
    }

    /// Whether any of them is another now.
    pub(super) fn have_changed(&self) -> bool {
        self.0.iter().any(|(path, read)| stamp(path) != *read)
    }
}

fn stamp(path: &Path) -> Stamp {
    let metadata = std::fs::metadata(path).ok()?;
    let times = [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()];
    Some((metadata.ino(), metadata.len(), times))
}
