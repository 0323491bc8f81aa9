//! The value of `--web.listen-address`.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// An address to listen on, as Prometheus programs take it:
///
/// * `:9100`: all addresses of this machine, IPv6 and IPv4
/// * `localhost:9100`: all addresses of a host name
/// * `127.0.0.1:9100`, `[::1]:9100`: one address; `0.0.0.0:9100` is every IPv4 address
///
/// Port 0 takes a free port. Displayed in the form in which it was given.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListenAddress(pub(super) Address);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Address {
    /// `:port`
    Any(u16),
    /// `host:port`
    Host(String, u16),
    /// `ip:port`
    Ip(SocketAddr),
}

/// Why a text is not an address to listen on.
///
/// Displayed so that it completes a sentence that begins with the text: `has no port (allowed: …)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidListenAddress {
    /// The port is missing.
    #[error("has no port ({ALLOWED})")]
    NoPort,
    /// The port is not a number from 0 to 65535.
    #[error("has no valid port: a number from 0 to 65535 ({ALLOWED})")]
    Port,
    /// The host is an IPv6 address without brackets.
    #[error("is an IPv6 address without brackets ({ALLOWED})")]
    NoBrackets,
    /// The host is neither an IP address nor a host name.
    #[error("has no valid host ({ALLOWED})")]
    Host,
}

const ALLOWED: &str = "allowed: :PORT, HOST:PORT, IPv4:PORT, [IPv6]:PORT";

impl FromStr for ListenAddress {
    type Err = InvalidListenAddress;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Ok(address) = text.parse() {
            return Ok(Self(Address::Ip(address)));
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(InvalidListenAddress::NoBrackets);
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, port),
            _ => return Err(InvalidListenAddress::NoPort),
        };
        if port.is_empty() {
            return Err(InvalidListenAddress::NoPort);
        }
        if host.parse::<Ipv6Addr>().is_ok() {
            return Err(InvalidListenAddress::NoBrackets);
        }
        // `u16::from_str` alone would take a sign.
        let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|_| is_number).ok_or(InvalidListenAddress::Port)?;
        match host {
            "" => Ok(Self(Address::Any(port))),
            host if is_host_name(host) => Ok(Self(Address::Host(host.to_owned(), port))),
            _ => Err(InvalidListenAddress::Host),
        }
    }
}

/// Whether `host` has the form of a host name. What looks like an IPv4 address is not one.
fn is_host_name(host: &str) -> bool {
    let is_label = |label: &str| {
        let has_valid_length = (1..=63).contains(&label.len());
        let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        has_valid_length && label.bytes().all(is_valid) && !label.starts_with('-') && !label.ends_with('-')
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    let ends_in_number = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    name.len() <= 253 && name.split('.').all(is_label) && !ends_in_number
}

impl ListenAddress {
    /// Where a client on this machine reaches a server that listens here, as the authority of a URL:
    /// `127.0.0.1:9100` for `:9100`, `0.0.0.0:9100` and `[::]:9100`, otherwise the address itself.
    pub fn local_authority(&self) -> String {
        match &self.0 {
            Address::Any(port) => SocketAddr::from((Ipv4Addr::LOCALHOST, *port)).to_string(),
            Address::Host(host, port) => format!("{host}:{port}"),
            // A socket on `[::]` takes IPv4 too, and IPv6 can be off on the loopback interface alone.
            Address::Ip(address) if address.ip().is_unspecified() => {
                SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())).to_string()
            }
            Address::Ip(address) => address.to_string(),
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self(Address::Ip(address))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Any(port) => write!(f, ":{port}"),
            Address::Host(host, port) => write!(f, "{host}:{port}"),
            Address::Ip(address) => address.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_shown_as_given() {
        for (text, local) in [
            (":10110", "127.0.0.1:10110"),
            (":0", "127.0.0.1:0"),
            ("localhost:10110", "localhost:10110"),
            ("exporter-1.example.:1", "exporter-1.example.:1"),
            ("my_host:80", "my_host:80"),
            ("127.0.0.1:10110", "127.0.0.1:10110"),
            ("0.0.0.0:10110", "127.0.0.1:10110"),
            ("192.0.2.7:1", "192.0.2.7:1"),
            ("[::1]:10110", "[::1]:10110"),
            ("[::]:10110", "127.0.0.1:10110"),
            ("[2001:db8::1]:65535", "[2001:db8::1]:65535"),
        ] {
            let address: ListenAddress = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((address.to_string().as_str(), address.local_authority().as_str()), (text, local));
        }
        assert_eq!(" :1 ".parse(), ":1".parse::<ListenAddress>());
    }

    #[test]
    fn other_texts_are_refused_with_the_reason() {
        use InvalidListenAddress::{Host, NoBrackets, NoPort, Port};
        let long = format!("{}:1", "a.".repeat(130));
        for (text, error) in [
            ("", NoPort),
            ("nowhere", NoPort),
            ("127.0.0.1", NoPort),
            ("[::1]", NoPort),
            ("localhost:", NoPort),
            (":", NoPort),
            (":http", Port),
            (":65536", Port),
            (":-1", Port),
            (":+1", Port),
            ("localhost:1 0", Port),
            ("::1", NoBrackets),
            ("::1:10110", NoBrackets),
            ("2001:db8::1", NoBrackets),
            ("http://localhost:10110", Host),
            ("127.0.0.256:1", Host),
            ("1:1", Host),
            ("[localhost]:1", Host),
            ("a b:1", Host),
            ("-a:1", Host),
            ("a..b:1", Host),
            ("*:1", Host),
            ("ünï:1", Host),
            (&long, Host),
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(error), "{text}");
            assert!(error.to_string().ends_with("(allowed: :PORT, HOST:PORT, IPv4:PORT, [IPv6]:PORT)"));
        }
    }
}
