//! Accepts connections and serves requests on them, within limits of number and time.

mod connections;
mod gate;
mod listener;
mod timed;

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::{Access, Refusal};
use connections::ConnectionLimits;
use gate::Gate;
pub use listener::Listener;
use listener::Stream;
use timed::{RequestTimer, TimedStream};

/// The limit of connections. Those beyond it get a 503.
const CONNECTIONS_MAX: usize = 512;

/// The limit of connections from one client, so that no client alone can use up all.
const CONNECTIONS_PER_CLIENT: usize = 128;

/// How many connections get a 503 at the same time. Those beyond it are closed without a response.
const REJECTIONS_MAX: usize = 64;

/// The limit of concurrent requests on one HTTP/2 connection.
const STREAMS_MAX: u32 = 32;

/// The limit of the headers of a request, in bytes.
const HEADERS_MAX: usize = 64 << 10;

/// How much of a response is passed to the system in one call, in bytes. It is not copied for that.
const WRITE_MAX: usize = 4 << 20;

/// The largest request body, in bytes, unless [`Server::max_body_bytes`] changes it.
const BODY_MAX: u64 = 64 << 10;

/// How long requests may take to finish after shutdown has begun.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a refused client may take to receive its response.
const REJECTION_TIMEOUT: Duration = Duration::from_secs(1);

/// A router that is served with access control and limits.
pub struct Server {
    router: Router,
    access: Access,
    realm: String,
    max_body_bytes: u64,
}

/// What all connections share.
struct Shared {
    router: Router,
    access: Access,
    limits: ConnectionLimits,
    rejections: Arc<Semaphore>,
}

impl Server {
    /// Serves `router` to the clients that `access` allows.
    pub fn new(router: Router, access: Access) -> Self {
        Self { router, access, realm: "exporter".to_owned(), max_body_bytes: BODY_MAX }
    }

    /// The name that browsers show when they ask for a password. Default `exporter`.
    #[must_use]
    pub fn realm(self, realm: &str) -> Self {
        Self { realm: realm.to_owned(), ..self }
    }

    /// The largest body that a request may announce, in bytes. Default 65,536.
    #[must_use]
    pub fn max_body_bytes(self, max_body_bytes: u64) -> Self {
        Self { max_body_bytes, ..self }
    }

    /// Serves on all `listeners` until `shutdown` completes. Then no connection is accepted any more,
    /// and requests that are being served have three seconds to finish.
    ///
    /// Meanwhile the web configuration file is checked every second and [reloaded](Access::reload) when
    /// it has changed.
    pub async fn serve(
        self,
        listeners: impl IntoIterator<Item: Into<Listener>>,
        shutdown: impl Future<Output = ()>,
    ) {
        let gate = Arc::new(Gate::new(self.access.clone(), &self.realm, self.max_body_bytes));
        let shared = Arc::new(Shared {
            router: self.router.layer(from_fn_with_state(gate, gate::check_request)),
            access: self.access.clone(),
            limits: ConnectionLimits::new(CONNECTIONS_MAX, CONNECTIONS_PER_CLIENT),
            rejections: Arc::new(Semaphore::new(REJECTIONS_MAX)),
        });
        let stopping = CancellationToken::new();
        let mut accepting = JoinSet::new();
        for listener in listeners {
            accepting.spawn(accept(listener.into(), shared.clone(), stopping.clone()));
        }
        tokio::join!(
            async { while accepting.join_next().await.is_some() {} },
            self.access.watch_files(&stopping),
            async {
                shutdown.await;
                stopping.cancel();
            },
        );
    }
}

/// Accepts connections until `stopping`, then waits for the requests that are being served, but for no
/// client that has sent half a request or does not read its response.
async fn accept(listener: Listener, shared: Arc<Shared>, stopping: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    loop {
        let stream = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
        };
        if let Some(permit) = shared.limits.acquire(stream.client()) {
            let serving = serve_connection(stream, shared.clone(), graceful.watcher());
            connections.spawn(async move {
                serving.await;
                drop(permit);
            });
            continue;
        }
        shared.access.refused(Refusal::TooManyClients);
        let has_tls = shared.access.current().tls.is_some();
        if let Ok(permit) = shared.rejections.clone().try_acquire_owned() {
            connections.spawn(async move {
                match stream {
                    // No response can be read before a handshake.
                    Stream::Tcp(..) if has_tls => {}
                    Stream::Tcp(stream, _) => respond(stream, FULL).await,
                    Stream::Unix(stream) => respond(stream, FULL).await,
                }
                drop(permit);
            });
        }
    }
    drop(listener);
    if timeout(SHUTDOWN_TIMEOUT, graceful.shutdown()).await.is_err() {
        tracing::info!("closing connections that did not finish in time");
    }
}

async fn serve_connection(stream: Stream, shared: Arc<Shared>, watcher: Watcher) {
    let router = shared.router.clone();
    let stream = match stream {
        Stream::Tcp(stream, _) => stream,
        Stream::Unix(stream) => {
            let (stream, timer) = TimedStream::new(stream);
            return serve_http1(stream, router, &timer, watcher).await;
        }
    };
    let Some(tls) = shared.access.current().tls.clone() else {
        let (stream, timer) = TimedStream::new(stream);
        return serve_http1(stream, router, &timer, watcher).await;
    };
    if is_plain_http(&stream).await {
        shared.access.refused(Refusal::PlainHttp);
        return respond(stream, PLAIN).await;
    }
    // Below TLS, so that the time limits cover the handshake too.
    let (stream, timer) = TimedStream::new(stream);
    match TlsAcceptor::from(tls).accept(stream).await {
        Ok(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => {
            serve_http2(stream, router, &timer, watcher).await;
        }
        Ok(stream) => serve_http1(stream, router, &timer, watcher).await,
        Err(error) => {
            shared.access.refused(handshake_refusal(&error));
            tracing::debug!(%error, "TLS handshake failed");
        }
    }
}

/// Whether the first byte, which stays unread, belongs to the method of a plain HTTP request. A TLS
/// handshake does not begin with a letter.
async fn is_plain_http(stream: &TcpStream) -> bool {
    let mut first = [0];
    let peeked = timeout(timed::REQUEST_TIMEOUT, stream.peek(&mut first)).await;
    matches!(peeked, Ok(Ok(1))) && first[0].is_ascii_alphabetic()
}

/// Why a handshake failed.
fn handshake_refusal(error: &io::Error) -> Refusal {
    let cause = error.get_ref().and_then(|cause| cause.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => {
            Refusal::ClientCertificate
        }
        _ => Refusal::Handshake,
    }
}

async fn serve_http1<S>(stream: S, router: Router, timer: &RequestTimer, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // The time limits are those of the timed stream, which also cover responses.
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(HEADERS_MAX)
        .max_buf_size(WRITE_MAX)
        .serve_connection(TokioIo::new(stream), timed_service(router, timer));
    log_end(watcher.watch(connection).await);
}

async fn serve_http2<S>(stream: S, router: Router, timer: &RequestTimer, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    timer.multiplexed();
    let connection = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADERS_MAX as u32)
        .serve_connection(TokioIo::new(stream), timed_service(router, timer));
    log_end(watcher.watch(connection).await);
}

/// The router as a service that reports every request to `timer`.
fn timed_service(
    router: Router,
    timer: &RequestTimer,
) -> impl Service<Request<Incoming>, Response = Response, Error = Infallible, Future: Send> + use<> {
    let router = TowerToHyperService::new(router);
    let timer = timer.clone();
    service_fn(move |request| {
        timer.request_received();
        router.call(request)
    })
}

fn log_end(connection: hyper::Result<()>) {
    if let Err(error) = connection {
        tracing::debug!(%error, "connection ended early");
    }
}

/// For a client beyond the limit of connections.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 39\r\nRetry-After: 5\r\nConnection: close\r\n\r\nToo many connections. Try again later.\n";

/// For a client that sends plain HTTP to a port with TLS.
const PLAIN: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n\
    Content-Length: 34\r\nConnection: close\r\n\r\nThis port speaks HTTPS, not HTTP.\n";

/// Sends `response` without parsing the request.
async fn respond(mut stream: impl AsyncRead + AsyncWrite + Unpin, response: &[u8]) {
    let responding = async {
        // With unread data the system would reset the connection and discard the response.
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await?;
        stream.write_all(response).await?;
        stream.shutdown().await
    };
    let sent: Result<io::Result<()>, _> = timeout(REJECTION_TIMEOUT, responding).await;
    if !matches!(sent, Ok(Ok(()))) {
        tracing::debug!("a refused client did not wait for its response");
    }
}

#[cfg(test)]
mod tests {
    use super::{FULL, PLAIN};

    #[test]
    fn fixed_responses_have_the_right_length() {
        for response in [FULL, PLAIN] {
            let text = std::str::from_utf8(response).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())), "{text}");
        }
    }
}
