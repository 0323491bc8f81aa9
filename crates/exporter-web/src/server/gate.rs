//! Checks every request before the router sees it, and completes the headers of every response.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::Semaphore;

use crate::{Access, Refusal};

/// The limit of concurrent requests.
const REQUESTS_MAX: usize = 256;

/// What the checks need.
pub(super) struct Gate {
    access: Access,
    /// The value of `WWW-Authenticate`.
    challenge: HeaderValue,
    max_body_bytes: u64,
    requests: Semaphore,
}

impl Gate {
    pub(super) fn new(access: Access, realm: &str, max_body_bytes: u64) -> Self {
        let challenge = format!("Basic realm=\"{}\", charset=\"UTF-8\"", realm.replace(['"', '\\'], ""));
        let challenge = HeaderValue::try_from(challenge).unwrap_or(HeaderValue::from_static("Basic"));
        Self { access, challenge, max_body_bytes, requests: Semaphore::new(REQUESTS_MAX) }
    }

    /// Refuses requests that are harmful or too large.
    fn check(&self, request: &Request) -> Result<(), Refusal> {
        let headers = request.headers();
        // Any web page can make a browser send requests to any address, under any host name. Pages of an
        // exporter send nothing but GET, so other methods from a browser come from another site.
        let browser_headers = [header::ORIGIN.as_str(), "sec-fetch-site", "sec-fetch-mode"];
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        if !is_read && browser_headers.iter().any(|name| headers.contains_key(*name)) {
            return Err(Refusal::CrossSite);
        }
        let length =
            headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > self.max_body_bytes) {
            return Err(Refusal::TooLarge);
        }
        Ok(())
    }

    /// The response to a refused request.
    fn response(&self, reason: Refusal) -> Response {
        let (status, text) = match reason {
            Refusal::NoCredentials | Refusal::WrongCredentials => {
                let challenge = [(header::WWW_AUTHENTICATE, self.challenge.clone())];
                return (StatusCode::UNAUTHORIZED, challenge, "Unauthorized\n").into_response();
            }
            Refusal::CrossSite => {
                (StatusCode::FORBIDDEN, "Not for web pages: use another client, such as curl.\n")
            }
            Refusal::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The request body is too large.\n"),
            Refusal::RateLimit => (StatusCode::TOO_MANY_REQUESTS, "Too many requests.\n"),
            _ => {
                let text = "Too many concurrent requests. Try again later.\n";
                let retry = [(header::RETRY_AFTER, "5")];
                return (StatusCode::SERVICE_UNAVAILABLE, retry, text).into_response();
            }
        };
        (status, text).into_response()
    }
}

/// The middleware: passes a request to the router or refuses it.
pub(super) async fn check_request(State(gate): State<Arc<Gate>>, request: Request, next: Next) -> Response {
    let config = gate.access.current();
    // Credentials come first: clients without access wait for that check outside the request limit, so
    // they take nothing from clients with access.
    let admitted = match config.authorize(request.headers().get(header::AUTHORIZATION)).await {
        Err(reason) => Err(reason),
        Ok(()) => gate
            .check(&request)
            .and_then(|()| gate.requests.try_acquire().map_err(|_| Refusal::TooManyRequests)),
    };
    let mut response = match admitted {
        Ok(_permit) => next.run(request).await,
        Err(reason) => {
            gate.access.refused(reason);
            gate.response(reason)
        }
    };
    add_headers(response.headers_mut(), &config.headers);
    response
}

/// Adds safe defaults that the response does not set itself, and then the configured headers.
fn add_headers(headers: &mut HeaderMap, configured: &HeaderMap) {
    let defaults = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in defaults {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    for (name, value) in configured {
        headers.insert(name, value.clone());
    }
}
