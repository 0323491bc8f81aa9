//! Accepts connections and answers on them, within limits of number and time.

mod guard;
mod places;

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::access::Access;
use crate::telemetry::Refusal;
use guard::{Guarded, Requests};
use places::Places;

/// How many connections are served at the same time; those beyond are told to come back later.
const CLIENTS: usize = 512;

/// How many of them may come from one address, so that no stranger keeps everybody else out.
const CLIENTS_OF_ONE: usize = 128;

/// How many connections are told so at the same time; those beyond are cut off without a word.
const TURNED_AWAY: usize = 64;

/// How many requests one client may have under way on one connection.
const STREAMS: u32 = 32;

/// The largest head of a request, in bytes.
const HEADERS_MAX: usize = 64 << 10;

/// How much of an answer is handed to the system in one call, in bytes. It is not copied for that.
const ANSWER_AT_ONCE: usize = 4 << 20;

/// How much of an answer the system may keep for a client, in bytes; Linux takes twice as much. A page
/// that goes through a small room finds it in the processor's cache each time, which is faster than
/// having megabytes under way, and readers that do not read hold little. It is the most that Linux
/// gives who is not root, if it is left as it comes, and enough for some megabytes a second around the
/// world.
const UNDER_WAY: usize = 208 << 10;

/// How long requests under way may take to end once the server is to stop.
const LAST_CALL: Duration = Duration::from_secs(3);

/// The wait after an error of the listener itself, such as too many open files.
const RECOVERY: Duration = Duration::from_secs(1);

/// Serves `router` on `listener` until `stopping`, then finishes the requests under way, but waits
/// for no client that leaves its request half-sent or its answer unread.
pub async fn serve(listener: TcpListener, router: Router, access: Access, stopping: CancellationToken) {
    let clients = Places::new(CLIENTS, CLIENTS_OF_ONE);
    let turned_away = Arc::new(Semaphore::new(TURNED_AWAY));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = accept(&listener) => accepted,
            Some(_) = connections.join_next() => continue,
        };
        if let Some(place) = clients.take(peer) {
            let answering = answer(stream, router.clone(), access.clone(), graceful.watcher());
            connections.spawn(async move {
                answering.await;
                drop(place);
            });
            continue;
        }
        access.refused(Refusal::TooManyClients);
        if access.rules().tls.is_some() {
            // No answer could be read before a handshake.
            continue;
        }
        if let Ok(place) = turned_away.clone().try_acquire_owned() {
            connections.spawn(async move {
                tell(stream, FULL).await;
                drop(place);
            });
        }
    }
    drop(listener);
    if timeout(LAST_CALL, graceful.shutdown()).await.is_err() {
        tracing::info!("connections that do not end are dropped");
    }
}

async fn accept(listener: &TcpListener) -> (TcpStream, IpAddr) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = suit(&stream) {
                    tracing::debug!(%error, "a connection keeps the settings of the system");
                }
                return (stream, peer.ip());
            }
            Err(error) if is_the_clients(&error) => {}
            Err(error) => {
                tracing::error!(%error, "cannot accept connections; trying again");
                sleep(RECOVERY).await;
            }
        }
    }
}

/// Suits a connection to pages.
fn suit(stream: &TcpStream) -> io::Result<()> {
    // Without it a page in several writes waits for the reader's acknowledgements.
    stream.set_nodelay(true)?;
    Ok(sockopt::set_socket_send_buffer_size(stream, UNDER_WAY)?)
}

/// Whether the client had gone before it was accepted.
fn is_the_clients(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

async fn answer(stream: TcpStream, router: Router, access: Access, watcher: Watcher) {
    let Some(tls) = access.rules().tls.clone() else {
        let (guarded, requests) = Guarded::new(stream);
        return speak_http1(guarded, router, &requests, watcher).await;
    };
    if speaks_plainly(&stream).await {
        access.refused(Refusal::PlainHttp);
        return tell(stream, PLAIN).await;
    }
    // Below TLS, so that the handshake has its time, too.
    let (guarded, requests) = Guarded::new(stream);
    match TlsAcceptor::from(tls).accept(guarded).await {
        Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            speak_http2(stream, router, &requests, watcher).await;
        }
        Ok(stream) => speak_http1(stream, router, &requests, watcher).await,
        Err(error) => {
            access.refused(why(&error));
            tracing::debug!(%error, "a TLS handshake failed");
        }
    }
}

/// Whether the first thing a client says, without reading it, is the method of a plain request. A
/// handshake begins with a byte that is no letter.
async fn speaks_plainly(stream: &TcpStream) -> bool {
    let mut first = [0];
    let peeked = timeout(guard::REQUEST, stream.peek(&mut first)).await;
    matches!(peeked, Ok(Ok(1))) && first[0].is_ascii_alphabetic()
}

/// Why a handshake came to nothing.
fn why(error: &io::Error) -> Refusal {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Refusal::ClientCertificate
        }
        _ => Refusal::Handshake,
    }
}

async fn speak_http1<S>(stream: S, router: Router, requests: &Requests, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Time limits are the guard's, which sees the answers as well.
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(HEADERS_MAX)
        .max_buf_size(ANSWER_AT_ONCE)
        .serve_connection(TokioIo::new(stream), told_of(router, requests));
    ended(watcher.watch(connection).await);
}

async fn speak_http2<S>(stream: S, router: Router, requests: &Requests, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    requests.are_mixed();
    let connection = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADERS_MAX as u32)
        .serve_connection(TokioIo::new(stream), told_of(router, requests));
    ended(watcher.watch(connection).await);
}

/// The router, as a service that tells the guard of every request.
fn told_of(
    router: Router,
    requests: &Requests,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + use<> {
    let router = TowerToHyperService::new(router);
    let requests = requests.clone();
    service_fn(move |request| {
        requests.arrived();
        router.call(request)
    })
}

fn ended(connection: hyper::Result<()>) {
    if let Err(error) = connection {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// To a client that is one too many.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 40\r\nRetry-After: 5\r\nConnection: close\r\n\r\nToo many clients; try again in a while.\n";

/// To a client that speaks plain HTTP where TLS is spoken.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 34\r\nConnection: close\r\n\r\nThis port speaks HTTPS, not HTTP.\n";

/// Answers without having understood the request.
async fn tell(mut stream: TcpStream, answer: &[u8]) {
    let telling = async {
        // What is left unread would make the system take the answer back.
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await?;
        stream.write_all(answer).await?;
        stream.shutdown().await
    };
    let told: Result<io::Result<()>, _> = timeout(RECOVERY, telling).await;
    if !matches!(told, Ok(Ok(()))) {
        tracing::debug!("a client that was refused did not wait to hear it");
    }
}
