//! `[web]`: where the metrics are served.

use std::net::{Ipv4Addr, SocketAddr};

use exporter_web::ListenAddress;
use figment::value::Value;

use super::section::Section;
use super::value;

pub(super) const KEYS: &[&str] = &["listen_address"];

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
    let parse = |text: &str| text.parse::<ListenAddress>();
    let listen_address = if section.is_list("listen_address") {
        section.texts("listen_address", value::filled_list, parse)
    } else {
        section.get("listen_address", default, |given: &Value| {
            let text = value::text(given)?;
            parse(text).map(|address| vec![address]).map_err(|why| format!("{} {why}", value::quote(text)))
        })
    };
    section.finish();
    WebConfig { listen_address }
}
