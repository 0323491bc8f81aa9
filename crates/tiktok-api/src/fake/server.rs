//! The simulator over HTTP: the API's endpoints, and pages of its own under `/-/`.

use std::future::pending;
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body as HttpBody, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::time::sleep;
use tokio_util::io::ReaderStream;
use tokio_util::sync::CancellationToken;
use units::SharedClock;

use super::{Body, Faults, Reply, Request, Simulator};

/// Marks every answer as simulated.
const SIMULATED: (HeaderName, HeaderValue) =
    (HeaderName::from_static("x-simulated"), HeaderValue::from_static("tiktok-exporter"));

#[derive(Clone)]
struct Shared {
    simulator: Arc<Simulator>,
    clock: SharedClock,
    stopping: CancellationToken,
}

/// Serves the simulator on `listener` until `stopping`.
///
/// # Errors
///
/// If the listener can no longer accept connections.
pub async fn serve(
    listener: TcpListener,
    simulator: Arc<Simulator>,
    clock: SharedClock,
    stopping: CancellationToken,
) -> io::Result<()> {
    let shared = Shared { simulator, clock, stopping: stopping.clone() };
    let router = Router::new()
        .route("/-/healthy", get(|| async { "The simulator is healthy.\n" }))
        .route("/-/faults", get(faults).put(set_faults))
        .route("/-/credits", get(credits))
        .route("/-/requests", get(requests))
        .fallback(api)
        .with_state(shared);
    // Otherwise an answer in several writes waits for acknowledgements of the client.
    let listener = listener.tap_io(|connection| {
        let _ = connection.set_nodelay(true);
    });
    axum::serve(listener, router).with_graceful_shutdown(stopping.cancelled_owned()).await
}

async fn api(State(shared): State<Shared>, method: Method, uri: Uri, headers: HeaderMap) -> Response {
    if method != Method::GET && method != Method::HEAD {
        return (StatusCode::METHOD_NOT_ALLOWED, [SIMULATED], "Only GET.\n").into_response();
    }
    let key = headers.get(shared.simulator.dialect().provider().key_header).and_then(|key| key.to_str().ok());
    let request = Request { path: uri.path(), query: uri.query().unwrap_or(""), key };
    let reply = shared.simulator.answer(request, shared.clock.now());
    tokio::select! {
        response = deliver(reply) => response,
        // An answer that is never sent must not keep the simulator from stopping.
        () = shared.stopping.cancelled() => (StatusCode::SERVICE_UNAVAILABLE, [SIMULATED]).into_response(),
    }
}

async fn deliver(reply: Reply) -> Response {
    sleep(reply.delay).await;
    let mut response = match reply.body {
        Body::Whole(text) => text.into_response(),
        Body::CutOff(text) => cut_off(text),
        Body::Endless => endless(),
        Body::Never => pending().await,
    };
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.extend([SIMULATED, (header::CONTENT_TYPE, HeaderValue::from_static(reply.content_type))]);
    headers.extend(reply.retry_after.map(|seconds| (header::RETRY_AFTER, HeaderValue::from(seconds))));
    headers.extend(reply.location.map(|url| (header::LOCATION, HeaderValue::from_static(url))));
    response
}

/// Announces the full length and stops at half of it.
fn cut_off(text: String) -> Response {
    let length = text.len();
    let half = Bytes::from(text).slice(..length / 2);
    let body = HttpBody::from_stream(ReaderStream::new(io::Cursor::new(half)));
    ([(header::CONTENT_LENGTH, length)], body).into_response()
}

fn endless() -> Response {
    let beginning = io::Cursor::new(r#"{"id":"1","desc":""#);
    HttpBody::from_stream(ReaderStream::new(beginning.chain(tokio::io::repeat(b'a')))).into_response()
}

async fn faults(State(shared): State<Shared>) -> Response {
    json(&shared.simulator.faults())
}

async fn set_faults(State(shared): State<Shared>, body: String) -> Response {
    match Faults::parse(&body) {
        Ok(faults) => {
            shared.simulator.set_faults(faults);
            json(&shared.simulator.faults())
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

async fn credits(State(shared): State<Shared>) -> Response {
    json(&shared.simulator.bill())
}

async fn requests(State(shared): State<Shared>) -> Response {
    json(&shared.simulator.log())
}

fn json(value: &impl serde::Serialize) -> Response {
    axum::Json(value).into_response()
}
