//! `demo`: the whole exporter over the embedded simulator.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tiktok_api::fake::{self, Settings, Simulator};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use units::SystemClock;

use super::run_app;
use super::serve::WebArgs;
use crate::app::{App, Options, Source, Stored};

/// The demo's configuration.
pub(super) const DEMO_TOML: &str = include_str!("demo.toml");

/// Time an answer takes: enough to see, short enough for the first values to come at once.
pub(super) const LATENCY: Duration = Duration::from_millis(60);

/// Flags of `demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    web: WebArgs,
    /// Keep results in this file over restarts; without it they are kept in memory
    #[arg(long = "store.path", value_name = "FILE")]
    store_path: Option<PathBuf>,
    /// Let the brief ask this Prometheus for the growth of totals
    #[arg(long = "prometheus.url", value_name = "URL")]
    prometheus_url: Option<String>,
    /// The simulated world; the same seed is the same world
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub(super) async fn run(args: Args) -> ExitCode {
    let listener = match TcpListener::bind("127.0.0.1:0").await {
        Ok(listener) => listener,
        Err(error) => {
            eprintln!("the simulator cannot listen on 127.0.0.1: {error}");
            return ExitCode::FAILURE;
        }
    };
    let Ok(address) = listener.local_addr() else { return ExitCode::FAILURE };
    let stopping = CancellationToken::new();
    let _stop_at_end = stopping.clone().drop_guard();
    let settings =
        Settings { seed: args.seed, latency: LATENCY, rate_limit_per_minute: 3_000, ..Settings::default() };
    let simulator = Arc::new(Simulator::new(settings));
    tokio::spawn(fake::serve(listener, simulator, Arc::new(SystemClock), stopping));

    let mut overrides = vec![("TIKTOK_EXPORTER__API__BASE_URL".to_owned(), format!("http://{address}"))];
    overrides.extend(args.prometheus_url.map(|url| ("TIKTOK_EXPORTER__PROMETHEUS__URL".to_owned(), url)));
    let source = Source::Embedded { toml: DEMO_TOML, overrides, key: "demo" };
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
         **  is real; nothing is asked of TikTok or of any API.     **\n\
         ************************************************************\n\
         \n\
         the watchlist   {url}/\n\
         the brief       {url}/brief\n\
         the metrics     {url}/metrics\n\
         \n\
         Stop it with Ctrl-C. For real data: tiktok-exporter serve --help\n"
    );
}
