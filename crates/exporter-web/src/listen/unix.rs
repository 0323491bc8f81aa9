//! A Unix socket for the user who runs the program.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Socket paths must be shorter than about 104 bytes; the limit depends on the system.
const PATH_MAX: usize = 100;

/// The permissions of the socket: only its owner can connect.
const MODE: u32 = 0o600;

/// A Unix socket that only its owner and root can use. Other users, other machines and browsers cannot
/// reach it. Its file is removed when this is dropped.
#[derive(Debug)]
pub struct PrivateSocket {
    listener: UnixListener,
    path: PathBuf,
    owner: u32,
}

impl PrivateSocket {
    /// Listens on a socket at `path`. A socket that is already there, left by a process that was killed, is
    /// replaced: the caller makes sure that no other process uses this path. Needs a Tokio runtime.
    ///
    /// # Errors
    ///
    /// If `path` has more than 100 bytes, if there is a file that is not a socket, or if the directory does
    /// not exist or is not writable.
    pub fn bind(path: &Path) -> io::Result<Self> {
        let length = path.as_os_str().len();
        if length > PATH_MAX {
            let why = format!("the path has {length} bytes (at most {PATH_MAX})");
            return Err(io::Error::new(io::ErrorKind::InvalidFilename, why));
        }
        match fs::symlink_metadata(path) {
            Ok(metadata) if metadata.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => {
                return Err(io::Error::new(
                    io::ErrorKind::AlreadyExists,
                    "there is a file that is not a socket",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
        let owner = fs::metadata(path)?.uid();
        Ok(Self { listener, path: path.to_owned(), owner })
    }

    /// The path of the socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection of an allowed user. Others are closed and logged: they can connect in the
    /// moment between the creation of the socket and the change of its permissions.
    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().await?;
            let user = stream.peer_cred()?.uid();
            if is_allowed(user, self.owner) {
                return Ok(stream);
            }
            tracing::warn!(user, socket = %self.path.display(), "refused a connection of another user");
        }
    }
}

/// Whether a process of `user` may use a socket of `owner`.
fn is_allowed(user: u32, owner: u32) -> bool {
    user == owner || user == 0
}

impl Drop for PrivateSocket {
    fn drop(&mut self) {
        // A failure is harmless: nobody listens on the file any more, and the next bind replaces it.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_owner_can_connect_and_the_file_is_removed_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        let socket = PrivateSocket::bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, MODE);
        let (accepted, connected) = tokio::join!(socket.accept(), UnixStream::connect(&path));
        assert!(accepted.is_ok() && connected.is_ok());
        drop(socket);
        assert!(!path.exists());
        for (user, owner, allowed) in
            [(1000, 1000, true), (0, 1000, true), (1001, 1000, false), (1000, 0, false)]
        {
            assert_eq!(is_allowed(user, owner), allowed, "user {user}, owner {owner}");
        }
    }

    #[tokio::test]
    async fn a_left_over_socket_is_replaced_and_another_file_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        // What a killed process leaves: dropping the standard library's listener keeps the file.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let socket = PrivateSocket::bind(&path).unwrap();
        assert!(UnixStream::connect(socket.path()).await.is_ok());

        let file = folder.path().join("b.sock");
        fs::write(&file, "kept").unwrap();
        assert_eq!(PrivateSocket::bind(&file).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
    }

    #[tokio::test]
    async fn a_path_that_is_too_long_or_in_no_directory_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let long = folder.path().join("a".repeat(PATH_MAX));
        let error = PrivateSocket::bind(&long).unwrap_err().to_string();
        assert!(error.ends_with("bytes (at most 100)"), "{error}");
        let error = PrivateSocket::bind(&folder.path().join("none/a.sock")).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
