//! Where connections come from: TCP or a Unix socket.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::time::sleep;

use crate::PrivateSocket;

/// How much of a response the system may buffer for a client, in bytes; Linux takes twice as much. A page
/// that passes through a small buffer stays in the processor's cache, which is faster than having megabytes
/// buffered, and clients that do not read occupy little. It is the most that Linux allows by default, and
/// enough for some megabytes a second around the world.
const SEND_BUFFER: usize = 208 << 10;

/// The wait after an error of the listener itself, such as too many open files.
const ERROR_DELAY: Duration = Duration::from_secs(1);

/// A source of connections for a [`Server`](crate::Server).
pub enum Listener {
    /// TCP, with TLS if the web configuration has it.
    Tcp(TcpListener),
    /// A Unix socket: plain HTTP, never TLS.
    Unix(PrivateSocket),
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self::Tcp(listener)
    }
}

impl From<PrivateSocket> for Listener {
    fn from(socket: PrivateSocket) -> Self {
        Self::Unix(socket)
    }
}

/// An accepted connection.
pub(super) enum Stream {
    Tcp(TcpStream, IpAddr),
    Unix(UnixStream),
}

impl Stream {
    /// The address of the client.
    pub(super) fn client(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(_, address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl Listener {
    /// The next connection. Errors are logged and waited out.
    pub(super) async fn accept(&self) -> Stream {
        loop {
            let accepted = match self {
                Self::Tcp(listener) => {
                    listener.accept().await.map(|(stream, client)| Stream::Tcp(stream, client.ip()))
                }
                Self::Unix(socket) => socket.accept().await.map(Stream::Unix),
            };
            match accepted {
                Ok(stream) => {
                    if let Stream::Tcp(stream, _) = &stream
                        && let Err(error) = configure(stream)
                    {
                        tracing::debug!(%error, "a connection keeps the system's settings");
                    }
                    return stream;
                }
                Err(error) if is_client_error(&error) => {}
                Err(error) => {
                    tracing::error!(%error, "cannot accept connections; trying again");
                    sleep(ERROR_DELAY).await;
                }
            }
        }
    }
}

/// Sets the options of a connection.
fn configure(stream: &TcpStream) -> io::Result<()> {
    // Otherwise a response in several writes waits for the client's acknowledgements.
    stream.set_nodelay(true)?;
    Ok(sockopt::set_socket_send_buffer_size(stream, SEND_BUFFER)?)
}

/// Whether the client closed the connection before it was accepted.
fn is_client_error(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
