//! `notifications`: a page that shows what Alertmanager sends, for those who have nowhere to send it yet.

use std::process::ExitCode;
use std::sync::Arc;

use exporter_web::{Access, ListenAddress, Server};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use units::SystemClock;

use super::listen;
use crate::web::notifications::{LARGEST, router};

/// Flags of `notifications`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to listen (repeatable)
    #[arg(long = "web.listen-address", value_name = "ADDRESS", default_value = "127.0.0.1:10112")]
    listen_address: Vec<ListenAddress>,
}

pub(super) async fn run(args: Args) -> ExitCode {
    let listeners = match listen(&args.listen_address).await {
        Ok(listeners) => listeners,
        Err(code) => return code,
    };
    match serve(listeners).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(listeners: Vec<TcpListener>) -> std::io::Result<()> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    for listener in &listeners {
        println!("notifications: listening on http://{}", listener.local_addr()?);
    }
    let server = Server::new(router(Arc::new(SystemClock)), Access::unrestricted(Arc::new(())));
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    };
    server.max_body_bytes(LARGEST as u64).serve(listeners, stop).await;
    Ok(())
}
