//! A page that shows the notifications which Alertmanager sends to webhooks. The latest are kept in memory.

mod message;
mod page;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State as Extract};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use units::{SharedClock, Timestamp};

use super::layout::HEADERS;
use message::Message;

/// Maximum notifications that are kept.
const KEPT: usize = 100;
/// Maximum size of a notification in bytes. Alertmanager sends less, unless a group has thousands of alerts.
pub(crate) const LARGEST: usize = 1024 * 1024;

/// When a message was received, and the message.
type Received = (Timestamp, Message);

#[derive(Clone)]
struct Inbox {
    /// The newest first.
    latest: Arc<Mutex<VecDeque<Received>>>,
    clock: SharedClock,
}

/// `GET /` shows the latest notifications; `POST /` and `POST /anything` receive one in the format of Alertmanager's
/// `webhook_configs`.
pub fn router(clock: SharedClock) -> Router {
    let inbox = Inbox { latest: Arc::default(), clock };
    Router::new()
        .route("/", get(show).post(take))
        .route("/{receiver}", post(take))
        .route("/-/healthy", get(|| async { "notifications is healthy.\n" }))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(inbox)
}

async fn show(Extract(inbox): Extract<Inbox>) -> Response {
    let now = inbox.clock.now();
    let latest = inbox.latest.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    (HEADERS, page::page(latest.iter(), now).into_string()).into_response()
}

async fn take(Extract(inbox): Extract<Inbox>, body: Bytes) -> Response {
    let message = match Message::read(&body) {
        Ok(message) => message,
        Err(error) => {
            let text = format!("This is not a notification of Alertmanager: {error}\n");
            return (StatusCode::BAD_REQUEST, text).into_response();
        }
    };
    tracing::info!(receiver = %message.receiver, alerts = message.alerts.len(), "notification received");
    let mut latest = inbox.latest.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    latest.push_front((inbox.clock.now(), message));
    latest.truncate(KEPT);
    "Received.\n".into_response()
}
