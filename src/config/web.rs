//! `[web]`: where the metrics are served.

use std::net::{Ipv4Addr, SocketAddr};

use exporter_web::ListenAddress;

use super::section::Section;
use super::value;

/// Where the metrics are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebConfig {
    /// `web.listen_address`: one address or a list of addresses, never empty. The command line overrides
    /// it. Default `127.0.0.1:10110`.
    pub listen_address: Vec<ListenAddress>,
}

impl WebConfig {
    /// The URL of an exporter with this configuration for clients on this machine, without TLS, ending in a
    /// slash. Of several addresses, the first.
    pub fn local_url(&self) -> String {
        let authority = self.listen_address.first().map(ListenAddress::local_authority);
        format!("http://{}/", authority.unwrap_or_default())
    }
}

impl Default for WebConfig {
    fn default() -> Self {
        Self { listen_address: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 10_110)).into()] }
    }
}

pub(super) fn read(mut section: Section) -> WebConfig {
    let default = WebConfig::default().listen_address;
    let listen_address = if section.is_list("listen_address") {
        section.texts("listen_address", value::filled_list, str::parse)
    } else {
        section.parsed("listen_address", default, |text| {
            text.parse().map(|address: ListenAddress| vec![address])
        })
    };
    section.finish();
    WebConfig { listen_address }
}
