//! `[web]`: where the metrics are served.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::section::Section;
use super::value;

pub(super) const KEYS: &[&str] = &["listen_address"];

/// Where the metrics are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WebConfig {
    /// `web.listen_address`: IP address and port; port 0 takes any free one. The command line
    /// overrides it. Default `127.0.0.1:10110`.
    pub listen_address: SocketAddr,
}

impl Default for WebConfig {
    fn default() -> Self {
        Self { listen_address: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 10_110) }
    }
}

pub(super) fn read(mut section: Section) -> WebConfig {
    let default = WebConfig::default().listen_address;
    let listen_address = section.get("listen_address", default, |given| {
        let text = value::text(given)?;
        text.trim().parse().map_err(|_| {
            format!(
                "{} is not an IP address with a port (as 127.0.0.1:10110 or [::]:10110)",
                value::quote(text)
            )
        })
    });
    section.finish();
    WebConfig { listen_address }
}
