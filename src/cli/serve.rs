//! `serve`: the exporter over the real API.

use std::path::PathBuf;
use std::process::ExitCode;

use exporter_web::ListenAddress;

use super::run_app;
use crate::app::{Options, Source};

/// Flags of `serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file (TOML)
    #[arg(long = "config.file", value_name = "FILE", default_value = "tiktok-exporter.toml")]
    config_file: PathBuf,
    #[command(flatten)]
    web: WebArgs,
}

/// Flags of every subcommand that serves the exporter's pages.
#[derive(Debug, clap::Args)]
pub(super) struct WebArgs {
    /// Listen here instead of at web.listen_address (repeatable): :10110 for all addresses, localhost:10110,
    /// 127.0.0.1:10110 or [::1]:10110; port 0 takes a free port
    #[arg(long = "web.listen-address", value_name = "ADDRESS")]
    pub(super) listen_address: Vec<ListenAddress>,
    /// TLS, users and headers, in the format of Prometheus' exporter-toolkit (YAML)
    #[arg(long = "web.config.file", value_name = "FILE")]
    pub(super) web_config: Option<PathBuf>,
    /// Let POST or PUT /-/reload reload the configuration (SIGHUP always does)
    #[arg(long = "web.enable-lifecycle")]
    pub(super) enable_lifecycle: bool,
}

pub(super) async fn run(args: Args) -> ExitCode {
    let options = Options {
        listen_address: args.web.listen_address,
        enable_lifecycle: args.web.enable_lifecycle,
        web_config: args.web.web_config,
        ..Options::default()
    };
    run_app(Source::File(args.config_file), options, |_| {}).await
}
