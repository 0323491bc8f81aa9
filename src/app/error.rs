//! Why the program cannot start.

use exporter_web::{InvalidConfig, ListenError, ListenErrors};
use tiktok_api::SetupError;
use units::{Problem, Problems};

use crate::page::PageError;
use crate::store::StoreError;

/// Why the program cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is unusable.
    #[error(transparent)]
    Config(#[from] Problems),
    /// The API key is missing or unusable.
    #[error(transparent)]
    Key(#[from] Problem),
    /// The web configuration file is invalid.
    #[error(transparent)]
    WebConfig(#[from] InvalidConfig),
    /// The store is unusable.
    #[error("store.path: {0}")]
    Store(#[from] StoreError),
    /// The HTTP client for the API cannot be set up.
    #[error(transparent)]
    Client(#[from] SetupError),
    /// The store contains simulated results, and the configured API is a real one.
    #[error(
        "store.path: the store contains simulated results, which would be shown as real ones (give the real API a \
         store.path of its own)"
    )]
    Simulated,
    /// Addresses are in use, or are not addresses of this machine.
    #[error("{}", listen_lines(.0))]
    Listen(#[from] ListenErrors),
    /// The HTTP client for Prometheus cannot be set up.
    #[error("prometheus.url: cannot set up the HTTP client: {0}")]
    Prometheus(reqwest::Error),
    /// The metrics cannot be set up.
    #[error("cannot set up the metrics: {0}")]
    Metrics(#[from] PageError),
    /// The signal handlers cannot be set up.
    #[error("cannot set up the signal handlers: {0}")]
    Signals(std::io::Error),
}

impl StartError {
    /// Whether the configuration has to be changed first.
    pub fn is_of_the_configuration(&self) -> bool {
        matches!(self, Self::Config(_) | Self::Key(_) | Self::WebConfig(_))
    }
}

/// One line per error, as `key: what is wrong (what helps)`.
fn listen_lines(errors: &ListenErrors) -> String {
    let line = |error: &ListenError| {
        format!("web.listen_address: {error} (choose another with --web.listen-address)")
    };
    errors.as_slice().iter().map(line).collect::<Vec<_>>().join("\n")
}
