//! Accepts connections and answers on them, within limits of number and time.

mod guard;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use guard::Guarded;

/// How many clients are served at the same time; those beyond are told to come back later.
const CLIENTS: usize = 512;

/// How many clients are told so at the same time; those beyond are cut off without a word.
const TURNED_AWAY: usize = 64;

/// How long requests under way may take to end once the server is to stop.
const LAST_CALL: Duration = Duration::from_secs(3);

/// The wait after an error of the listener itself, such as too many open files.
const RECOVERY: Duration = Duration::from_secs(1);

/// Serves `router` on `listener` until `stopping`, then finishes the requests under way, but waits
/// for no client that leaves its request half-sent or its answer unread.
pub async fn serve(listener: TcpListener, router: Router, stopping: CancellationToken) {
    let (clients, turned_away) = (places(CLIENTS), places(TURNED_AWAY));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            () = stopping.cancelled() => break,
            stream = accept(&listener) => stream,
            Some(_) = connections.join_next() => continue,
        };
        if let Ok(place) = clients.clone().try_acquire_owned() {
            let answering = answer(stream, router.clone(), graceful.watcher());
            connections.spawn(async move {
                answering.await;
                drop(place);
            });
        } else if let Ok(place) = turned_away.clone().try_acquire_owned() {
            connections.spawn(async move {
                turn_away(stream).await;
                drop(place);
            });
        }
    }
    drop(listener);
    if timeout(LAST_CALL, graceful.shutdown()).await.is_err() {
        tracing::info!("connections that do not end are dropped");
    }
}

fn places(number: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(number))
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Without it a page in several writes waits for the reader's acknowledgements.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "cannot set TCP_NODELAY");
                }
                return stream;
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections; trying again");
                sleep(RECOVERY).await;
            }
        }
    }
}

/// Whether the client had gone before it was accepted.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn answer(stream: TcpStream, router: Router, watcher: Watcher) {
    let (guarded, requests) = Guarded::new(stream);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request| {
        requests.arrived();
        router.call(request)
    });
    // Time limits are the guard's, which sees the answers as well.
    let connection =
        http1::Builder::new().header_read_timeout(None).serve_connection(TokioIo::new(guarded), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn turn_away(mut stream: TcpStream) {
    const ANSWER: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
        Content-Length: 40\r\nRetry-After: 5\r\nConnection: close\r\n\r\nToo many clients; try again in a while.\n";
    let telling = async {
        // What is left unread would make the system take the answer back.
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await?;
        stream.write_all(ANSWER).await?;
        stream.shutdown().await
    };
    let told: Result<io::Result<()>, _> = timeout(RECOVERY, telling).await;
    if !matches!(told, Ok(Ok(()))) {
        tracing::debug!("a client too many did not wait for its answer");
    }
}
