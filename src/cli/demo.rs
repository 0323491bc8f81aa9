//! `demo`: the whole exporter over the embedded simulator.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tiktok_api::fake::Settings;
use tokio_util::sync::CancellationToken;

use super::serve::WebArgs;
use super::{run_app, simulate};
use crate::app::{App, Options, Source, Stored};

/// The demo's configuration.
pub(super) const DEMO_TOML: &str = include_str!("demo.toml");

/// The response time of the simulator: long enough to see, short enough for the first values to come at once.
pub(super) const LATENCY: Duration = Duration::from_millis(60);

/// Flags of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    web: WebArgs,
    /// Keep results in this file across restarts; without it they are kept in memory
    #[arg(long = "store.path", value_name = "FILE")]
    store_path: Option<PathBuf>,
    /// Read the growth of totals for the brief from this Prometheus
    #[arg(long = "prometheus.url", value_name = "URL")]
    prometheus_url: Option<String>,
    /// The simulated world; the same seed is the same world
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) async fn run(args: Args) -> ExitCode {
    let settings =
        Settings { seed: args.seed, latency: LATENCY, rate_limit_per_minute: 3_000, ..Settings::default() };
    let stopping = CancellationToken::new();
    let _stop_at_end = stopping.clone().drop_guard();
    let base_url = match simulate::start(settings, stopping).await {
        Ok(base_url) => base_url,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut overrides = vec![base_url];
    overrides.extend(args.prometheus_url.map(|url| ("TIKTOK_EXPORTER__PROMETHEUS__URL".to_owned(), url)));
    let source = Source::Embedded { toml: Some(DEMO_TOML), overrides };
    let options = Options {
        listen_address: args.web.listen_address,
        enable_lifecycle: args.web.enable_lifecycle,
        web_config: args.web.web_config,
        stored: args.store_path.map_or(Stored::InMemory, Stored::At),
    };
    run_app(source, options, greet).await
}

fn greet(app: &App) {
    let url = app.url();
    println!(
        "\n\
         ************************************************************\n\
         **  SIMULATED DATA. No hashtag, count or trend shown here  **\n\
         **  is real; no request is sent to TikTok or any API.      **\n\
         ************************************************************\n\
         \n\
         the watchlist   {url}/\n\
         the brief       {url}/brief\n\
         the metrics     {url}/metrics\n\
         \n\
         Stop it with Ctrl-C. For real data: tiktok-exporter serve --help\n"
    );
}
