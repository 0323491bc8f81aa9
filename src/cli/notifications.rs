//! `notifications`: a page that shows what Alertmanager sends, for those who have nowhere to send it yet.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use units::SystemClock;

use crate::telemetry::Telemetry;
use crate::web;
use crate::web::Access;

/// Flags of `notifications`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen
    #[arg(long = "web.listen-address", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:10112")]
    listen_address: SocketAddr,
}

pub(super) async fn run(args: Args) -> ExitCode {
    match serve(args.listen_address).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!(
                "cannot listen on {}: {error} (choose another with --web.listen-address)",
                args.listen_address
            );
            ExitCode::FAILURE
        }
    }
}

async fn serve(address: SocketAddr) -> std::io::Result<()> {
    let listener = TcpListener::bind(address).await?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    println!("notifications: listening on http://{}", listener.local_addr()?);
    let stopping = CancellationToken::new();
    let telemetry = Arc::new(Telemetry::new().map_err(std::io::Error::other)?);
    let router = web::notifications::router(Arc::new(SystemClock));
    let serving = web::serve(listener, router, Access::open(telemetry), stopping.clone());
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopping.cancel();
    };
    tokio::join!(serving, stop);
    Ok(())
}
