//! The web server and the lookup socket: where they listen, and who may connect.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use exporter_web::{Access, InvalidConfig, ListenAddress, PrivateSocket};

use super::Options;
use crate::lookups;
use crate::telemetry::Telemetry;

/// Reads the web configuration file. Warns if everyone who can reach the port can reload.
pub(super) fn access(
    options: &Options,
    bound: &[SocketAddr],
    telemetry: &Arc<Telemetry>,
) -> Result<Access, InvalidConfig> {
    let access = Access::from_file(options.web_config.clone(), telemetry.clone())?;
    let config = access.current();
    config.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    if options.enable_lifecycle && config.is_open() {
        for address in bound.iter().filter(|address| !address.ip().is_loopback()) {
            tracing::warn!(
                "--web.enable-lifecycle: everyone who can reach {address} can reload (require passwords or \
                 certificates with --web.config.file)"
            );
        }
    }
    Ok(access)
}

/// Logs the addresses, and returns the URL of the first for clients on this machine, without a slash at the end.
pub(super) fn announce(access: &Access, bound: &[SocketAddr]) -> String {
    let scheme = if access.current().has_tls() { "https" } else { "http" };
    for address in bound {
        tracing::info!(%address, "listening on {scheme}://{address}");
    }
    bound.first().map_or(String::new(), |address| {
        format!("{scheme}://{}", ListenAddress::from(*address).local_authority())
    })
}

/// The socket for look-ups of the store at `store`, which this process holds. Without it everything else
/// works.
pub(super) fn lookup_socket(store: &Path) -> Option<PrivateSocket> {
    let path: PathBuf = lookups::socket_path(store);
    PrivateSocket::bind(&path)
        .inspect_err(|error| {
            tracing::warn!(%error, path = %path.display(), "lookup socket: cannot listen; look-ups cannot use this exporter");
        })
        .ok()
}
