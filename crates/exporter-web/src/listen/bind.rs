//! Opens listening sockets.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::net::sockopt;
use tokio::net::{TcpListener, TcpSocket, lookup_host};

use super::address::{Address, ListenAddress};

/// Connections that the system completes before they are accepted; Linux caps it at `net.core.somaxconn`.
const BACKLOG: u32 = 1024;

/// How often a free port is looked for that all addresses of a host name have in common.
const PORT_ATTEMPTS: usize = 16;

/// An address that cannot be listened on.
#[derive(Debug)]
pub struct ListenError {
    /// The address as it was given.
    pub address: ListenAddress,
    /// The address of the host name that failed, if `address` has one and it was resolved.
    pub resolved: Option<SocketAddr>,
    /// The system's error.
    pub source: io::Error,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot listen on {}", self.address)?;
        if let Some(resolved) = self.resolved {
            write!(f, " ({resolved})")?;
        }
        write!(f, ": {}", self.source)
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// All addresses that cannot be listened on. Never empty. Displayed as one per line.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ListenErrors(Vec<ListenError>);

impl ListenErrors {
    /// The errors, in the order of the addresses.
    pub fn as_slice(&self) -> &[ListenError] {
        &self.0
    }
}

/// Listens on all `addresses`. Needs a Tokio runtime.
///
/// `:PORT` listens on IPv6 and IPv4 with one socket, or on IPv4 alone on a system without IPv6. A host
/// name can give several sockets, all with the same port; of its addresses, those that this machine does
/// not have are left out, unless that leaves none.
///
/// # Errors
///
/// If one of the addresses cannot be listened on. All that fail are reported, and none stays open.
pub async fn bind(addresses: &[ListenAddress]) -> Result<Vec<TcpListener>, ListenErrors> {
    let (mut listeners, mut errors) = (Vec::new(), Vec::new());
    for address in addresses {
        match bind_one(address).await {
            Ok(opened) => listeners.extend(opened),
            Err((source, resolved)) => {
                errors.push(ListenError { address: address.clone(), resolved, source });
            }
        }
    }
    if errors.is_empty() { Ok(listeners) } else { Err(ListenErrors(errors)) }
}

/// A system's error, and which address of a host name it is about.
type BindError = (io::Error, Option<SocketAddr>);

async fn bind_one(address: &ListenAddress) -> Result<Vec<TcpListener>, BindError> {
    match &address.0 {
        Address::Any(port) => bind_any(*port).map(|listener| vec![listener]).map_err(|error| (error, None)),
        Address::Ip(address) => {
            listen(*address).map(|listener| vec![listener]).map_err(|error| (error, None))
        }
        Address::Host(host, port) => {
            let found = lookup_host((host.as_str(), *port)).await.map_err(|error| (error, None))?;
            let mut addresses: Vec<SocketAddr> = Vec::new();
            for address in found {
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
            }
            let mut attempts = if *port == 0 { PORT_ATTEMPTS } else { 1 };
            loop {
                attempts -= 1;
                match bind_host(&addresses) {
                    Err((error, _)) if error.kind() == io::ErrorKind::AddrInUse && attempts > 0 => {}
                    result => return result,
                }
            }
        }
    }
}

/// Listens on every address with the port of the first socket.
fn bind_host(addresses: &[SocketAddr]) -> Result<Vec<TcpListener>, BindError> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    let mut unavailable = None;
    for address in addresses {
        let mut address = *address;
        if let Some(Ok(first)) = listeners.first().map(TcpListener::local_addr) {
            address.set_port(first.port());
        }
        match listen(address) {
            Ok(listener) => listeners.push(listener),
            Err(error) if is_unavailable(&error) => {
                tracing::debug!(%error, %address, "an address of the host is not available");
                unavailable = Some((error, Some(address)));
            }
            Err(error) => return Err((error, Some(address))),
        }
    }
    let none = || (io::Error::other("the host name has no address"), None);
    if listeners.is_empty() { Err(unavailable.unwrap_or_else(none)) } else { Ok(listeners) }
}

fn bind_any(port: u16) -> io::Result<TcpListener> {
    match listen((Ipv6Addr::UNSPECIFIED, port).into()) {
        Err(error) if is_unavailable(&error) => listen((Ipv4Addr::UNSPECIFIED, port).into()),
        listener => listener,
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    if address.is_ipv6() && address.ip().is_unspecified() {
        // The default depends on the system.
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    // A restart need not wait until old connections have timed out.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Whether this machine has no such address, or no IPv6 at all.
fn is_unavailable(error: &io::Error) -> bool {
    let no_family = rustix::io::Errno::AFNOSUPPORT.raw_os_error();
    error.kind() == io::ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(no_family)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use tokio::net::TcpStream;

    use super::*;

    fn addresses(texts: &[&str]) -> Vec<ListenAddress> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    /// Whether `listener` accepts a connection to `address`.
    async fn is_reached(listener: &TcpListener, address: SocketAddr) -> bool {
        let (connected, accepted) = tokio::join!(TcpStream::connect(address), async {
            tokio::time::timeout(std::time::Duration::from_secs(10), listener.accept()).await
        });
        connected.is_ok() && matches!(accepted, Ok(Ok(_)))
    }

    fn has_ipv6() -> bool {
        std::net::TcpListener::bind("[::1]:0").is_ok()
    }

    #[tokio::test]
    async fn a_port_alone_listens_on_ipv4_and_ipv6_with_one_socket() {
        let listeners = bind(&addresses(&[":0"])).await.unwrap();
        assert_eq!(listeners.len(), 1);
        let port = listeners[0].local_addr().unwrap().port();
        assert!(is_reached(&listeners[0], (Ipv4Addr::LOCALHOST, port).into()).await, "IPv4");
        if has_ipv6() {
            assert!(is_reached(&listeners[0], (Ipv6Addr::LOCALHOST, port).into()).await, "IPv6");
        }
        let other = listen((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
        assert!(other.local_addr().unwrap().is_ipv4(), "as on a system without IPv6");
    }

    #[tokio::test]
    async fn a_host_name_listens_on_all_its_addresses_with_one_port() {
        let listeners = bind(&addresses(&["localhost:0"])).await.unwrap();
        let bound: Vec<SocketAddr> = listeners.iter().map(|l| l.local_addr().unwrap()).collect();
        assert!(bound.iter().all(|address| address.ip().is_loopback()), "{bound:?}");
        assert_eq!(bound.iter().map(SocketAddr::port).collect::<BTreeSet<_>>().len(), 1, "{bound:?}");
        for (listener, address) in listeners.iter().zip(bound) {
            assert!(is_reached(listener, address).await, "{address}");
        }
    }

    #[tokio::test]
    async fn an_address_that_the_machine_does_not_have_is_left_out_unless_it_is_the_only_one() {
        let absent: SocketAddr = "192.0.2.1:0".parse().unwrap();
        let listeners = bind_host(&[absent, "127.0.0.1:0".parse().unwrap()]).unwrap();
        assert_eq!(listeners.len(), 1);
        let (error, resolved) = bind_host(&[absent]).unwrap_err();
        assert_eq!((error.kind(), resolved), (io::ErrorKind::AddrNotAvailable, Some(absent)));
        assert!(bind_host(&[]).is_err());
    }

    #[tokio::test]
    async fn several_addresses_are_listened_on_and_all_that_fail_are_reported() {
        let listeners = bind(&addresses(&["127.0.0.1:0", "127.0.0.2:0"])).await.unwrap();
        assert_eq!(listeners.len(), 2);
        let taken = listeners[0].local_addr().unwrap().to_string();
        let errors = bind(&addresses(&[&taken, "127.0.0.1:0", "192.0.2.1:1", "no-such-host.invalid:1"]))
            .await
            .unwrap_err();
        let lines = errors.to_string();
        let lines: Vec<&str> = lines.lines().collect();
        let expected = [
            format!("cannot listen on {taken}: Address already in use"),
            "cannot listen on 192.0.2.1:1: Cannot assign requested address".to_owned(),
            "cannot listen on no-such-host.invalid:1: ".to_owned(),
        ];
        assert_eq!(lines.len(), expected.len(), "{lines:?}");
        for (line, start) in lines.iter().zip(expected) {
            assert!(line.starts_with(&start), "{line}");
        }
    }
}
