//! What every request passes before it is answered, and what every answer gets on its way out.

use std::sync::Arc;

use axum::extract::{Request, State as Extract};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use super::access::Access;
use crate::telemetry::Refusal;

/// How many requests are answered at the same time; those beyond are told to come back later.
const REQUESTS: usize = 256;

/// The largest body that a request may announce: none is needed.
const BODY_MAX: u64 = 64 << 10;

/// What the gate knows.
pub(super) struct Gate {
    access: Access,
    places: Semaphore,
}

impl Gate {
    pub(super) fn new(access: Access) -> Self {
        Self { access, places: Semaphore::new(REQUESTS) }
    }
}

/// Lets a request pass, or refuses it; the reason is counted.
pub(super) async fn pass(Extract(gate): Extract<Arc<Gate>>, request: Request, next: Next) -> Response {
    let rules = gate.access.rules();
    let headers = request.headers();
    // A place is for who may come in: strangers wait for their refusal outside, in a queue of their own.
    let admitted = match rules.admit(headers.get(header::AUTHORIZATION)).await {
        Err(refusal) => Err(refusal),
        Ok(()) => is_harmless(&request)
            .and_then(|()| gate.places.try_acquire().map_err(|_| Refusal::TooManyRequests)),
    };
    let mut response = match admitted {
        Ok(_place) => next.run(request).await,
        Err(refusal) => {
            gate.access.refused(refusal);
            refuse(refusal)
        }
    };
    add_headers(response.headers_mut(), &rules.headers);
    response
}

/// Whether the request is one that somebody means to send.
fn is_harmless(request: &Request) -> Result<(), Refusal> {
    let headers = request.headers();
    // A web page can make a browser send whatever it likes, under any name that leads here. No page of
    // this program sends anything but GET, so whatever else a browser sends is somebody else's idea.
    let from_a_browser = [header::ORIGIN.as_str(), "sec-fetch-site", "sec-fetch-mode"];
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads && from_a_browser.iter().any(|name| headers.contains_key(*name)) {
        return Err(Refusal::CrossSite);
    }
    let length =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > BODY_MAX) {
        return Err(Refusal::TooLarge);
    }
    Ok(())
}

fn refuse(refusal: Refusal) -> Response {
    let (status, text) = match refusal {
        Refusal::NoCredentials | Refusal::WrongCredentials => {
            let challenge =
                [(header::WWW_AUTHENTICATE, "Basic realm=\"tiktok-exporter\", charset=\"UTF-8\"")];
            return (StatusCode::UNAUTHORIZED, challenge, "Unauthorized\n").into_response();
        }
        Refusal::CrossSite => {
            (StatusCode::FORBIDDEN, "Not for web pages: use another client, as curl, or send SIGHUP.\n")
        }
        Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "No body of this size is read.\n"),
        Refusal::RateLimit => (StatusCode::TOO_MANY_REQUESTS, "Too many requests.\n"),
        _ => {
            let text = "Too many requests at once; try again in a while.\n";
            return (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "5")], text).into_response();
        }
    };
    (status, text).into_response()
}

/// Adds what no answer should lack, unless it has its own, and then what the operator wants.
fn add_headers(headers: &mut HeaderMap, wanted: &HeaderMap) {
    let defaults = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in defaults {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    for (name, value) in wanted {
        headers.insert(name, value.clone());
    }
}
