//! `simulate`: the simulated API alone, for any client of it.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use exporter_web::ListenAddress;
use tiktok_api::Dialect;
use tiktok_api::fake::{self, Faults, Settings, Simulator, World};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use units::{SystemClock, Timestamp};

use super::{EXIT_USAGE, listen};

/// Flags of `simulate`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen (repeatable)
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:10111")]
    listen_address: Vec<ListenAddress>,
    /// The simulated world; the same seed is the same world
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// When that world began, such as 2026-01-31T00:00:00Z; all its events shift along [default:
    /// 2022-01-01T00:00:00Z]
    #[arg(long, value_name = "TIME", value_parser = super::history::time)]
    beginning: Option<Timestamp>,
    /// Mean response time, such as 750ms
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = humantime::parse_duration)]
    latency: Duration,
    /// Requests per key in any minute
    #[arg(long, value_name = "N", default_value_t = 200)]
    rate_limit_per_minute: u32,
    /// Credits of each key [default: unlimited]
    #[arg(long, value_name = "N")]
    credits: Option<u64>,
    /// An accepted key (repeatable) [default: any key]
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<String>,
    /// What goes wrong from the start, as JSON; PUT the same to /-/faults to change it later
    #[arg(long, value_name = "JSON")]
    faults: Option<String>,
}

pub(super) async fn run(args: Args) -> ExitCode {
    let faults = match args.faults.as_deref().map_or(Ok(Faults::default()), Faults::parse) {
        Ok(faults) => faults,
        Err(error) => {
            eprintln!("--{error}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    let settings = Settings {
        dialect: Dialect::default(),
        seed: args.seed,
        beginning: args.beginning.unwrap_or(World::BEGINNING),
        latency: args.latency,
        rate_limit_per_minute: args.rate_limit_per_minute,
        credits: args.credits,
        keys: args.keys,
        faults,
    };
    let listeners = match listen(&args.listen_address).await {
        Ok(listeners) => listeners,
        Err(code) => return code,
    };
    match serve(listeners, settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the simulator failed: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Starts a simulator on a free port of this machine, which runs until `stopping`. Returns the variable that
/// sets `api.base_url` to it.
pub(super) async fn start(
    settings: Settings,
    stopping: CancellationToken,
) -> Result<(String, String), String> {
    let listen = async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        Ok::<_, std::io::Error>((listener.local_addr()?, listener))
    };
    let (address, listener) =
        listen.await.map_err(|error| format!("the simulator cannot listen on 127.0.0.1: {error}"))?;
    let simulator = Arc::new(Simulator::new(settings));
    tokio::spawn(fake::serve(listener, simulator, Arc::new(SystemClock), stopping));
    Ok(("TIKTOK_EXPORTER__API__BASE_URL".to_owned(), format!("http://{address}")))
}

async fn serve(listeners: Vec<TcpListener>, settings: Settings) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stopping = CancellationToken::new();
    let simulator = Arc::new(Simulator::new(settings));
    let mut serving = JoinSet::new();
    for listener in listeners {
        println!("simulated API, no data is real: listening on http://{}", listener.local_addr()?);
        serving.spawn(fake::serve(listener, simulator.clone(), Arc::new(SystemClock), stopping.clone()));
    }
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        Some(ended) = serving.join_next() => ended??,
    }
    stopping.cancel();
    while let Some(ended) = serving.join_next().await {
        ended??;
    }
    Ok(())
}
