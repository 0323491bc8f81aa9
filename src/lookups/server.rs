//! Answers look-ups of other processes of the same user.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use exporter_web::{Access, Server};
use futures_util::stream::unfold;
use serde::Serialize;
use tokio::sync::Semaphore;
use tokio::time::{Instant, Interval, interval};

use super::wire::{Event, LOOKUPS, LookupRequest, QUOTES};
use super::{LookupService, Reason, Refusal, Reply};
use crate::gateway::RequestProgress;

/// How many look-ups are answered at the same time. Others wait.
const CONCURRENCY: usize = 16;

/// The largest request body, in bytes.
const BODY_MAX: usize = 16 << 10;

/// How often a change of the progress is reported.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);

/// How often the progress is reported without a change: the server closes connections that are idle for
/// three minutes.
const HEARTBEAT: Duration = Duration::from_secs(30);

struct Shared {
    service: Arc<LookupService>,
    permits: Arc<Semaphore>,
}

/// A server for the lookup socket. See [`socket_path`](super::socket_path).
pub fn server(service: Arc<LookupService>) -> Server {
    let shared = Arc::new(Shared { service, permits: Arc::new(Semaphore::new(CONCURRENCY)) });
    let router = Router::new()
        .route(QUOTES, post(quote))
        .route(LOOKUPS, post(look_up))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(shared);
    Server::new(router, Access::unrestricted(Arc::new(()))).max_body_bytes(BODY_MAX as u64)
}

async fn quote(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    match parse(&body, &shared.service) {
        Ok(LookupRequest { max_age_millis, question, .. }) => {
            let max_age = Duration::from_millis(max_age_millis);
            Json(shared.service.quote(&question, max_age).await).into_response()
        }
        Err(refused) => refused.into_response(),
    }
}

async fn look_up(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let LookupRequest { max_age_millis, question, .. } = match parse(&body, &shared.service) {
        Ok(request) => request,
        Err(refused) => return refused.into_response(),
    };
    let (progress, answer) = shared.service.clone().answer(question, Duration::from_millis(max_age_millis));
    let permits = shared.permits.clone();
    let events = Events {
        progress,
        answer: Box::pin(async move {
            let _permit = permits.acquire_owned().await;
            answer.await
        }),
        ticks: interval(PROGRESS_INTERVAL),
        reported: 0,
        reported_at: Instant::now(),
    };
    // The response owns the look-up: when the client hangs up, both are dropped and nothing more is sent.
    let lines = unfold(Some(events), |events| async move {
        let (event, rest) = events?.next().await;
        Some((Ok::<_, Infallible>(line(&event)), rest))
    });
    ([(header::CONTENT_TYPE, "application/jsonl")], Body::from_stream(lines)).into_response()
}

/// A look-up under way.
struct Events {
    progress: Arc<RequestProgress>,
    answer: Pin<Box<dyn Future<Output = Reply> + Send>>,
    ticks: Interval,
    reported: u64,
    reported_at: Instant,
}

impl Events {
    /// The next event, and what yields the events after it.
    async fn next(mut self) -> (Event, Option<Self>) {
        loop {
            tokio::select! {
                reply = &mut self.answer => return (Event::Reply(Box::new(reply)), None),
                now = self.ticks.tick() => {
                    let answered = self.progress.answered();
                    if answered > self.reported || now.duration_since(self.reported_at) >= HEARTBEAT {
                        (self.reported, self.reported_at) = (answered, now);
                        return (Event::Answered(answered), Some(self));
                    }
                }
            }
        }
    }
}

/// Reads a request, or makes the response that refuses it.
fn parse(body: &[u8], service: &LookupService) -> Result<LookupRequest, (StatusCode, Json<Refusal>)> {
    let refuse = |status: StatusCode, reason: String| (status, Json(Refusal::new(Reason::Settings, reason)));
    let request: LookupRequest = serde_json::from_slice(body).map_err(|error| {
        let reason = format!("the running exporter does not understand the request: {error}");
        refuse(StatusCode::BAD_REQUEST, reason)
    })?;
    let api = service.api().base_url;
    match &request.api {
        Some(expected) if expected != api.as_str() => Err(refuse(
            StatusCode::CONFLICT,
            format!(
                "api.base_url: the exporter that holds the store uses {api} (stop it, or give this one its own \
                 store.path)"
            ),
        )),
        _ => Ok(request),
    }
}

fn line(event: &impl Serialize) -> Bytes {
    // Texts and finite numbers always have their JSON.
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
