//! The pages of the exporter. They read the state and never send a request to the API.
//! Only the brief reads more: posts from the store, and growth from a Prometheus if one is configured.
//! Connections, TLS, users and limits are in `exporter-web`.

mod brief;
mod candidates;
mod landing;
mod layout;
pub mod notifications;
mod runbooks;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use exporter_web::{Access, Server};
use tiktok_api::Provider;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use units::SharedClock;

use crate::brief::BriefService;
use crate::page::MetricsPage;
use crate::state::State;

/// A request to reload the configuration. The result is sent back on it.
pub type ReloadRequest = oneshot::Sender<Result<(), String>>;

/// The sources of the pages.
pub struct App {
    /// `/metrics`.
    pub page: MetricsPage,
    /// The results, and the status of the API.
    pub state: State,
    /// Makes briefs and trends.
    pub brief: BriefService,
    /// The time.
    pub clock: SharedClock,
    /// Whether there is a first snapshot.
    pub readiness: Readiness,
    /// Receives requests to reload, if reloading over HTTP is enabled.
    pub reload: Option<mpsc::Sender<ReloadRequest>>,
    /// The provider whose API is used. A reload may change it.
    pub provider: watch::Receiver<&'static Provider>,
}

/// Whether the exporter is ready. Once set it stays set.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Marks the exporter as ready.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A server of all pages for the clients that `access` allows.
pub fn server(app: App, access: Access) -> Server {
    Server::new(router(app), access).realm("tiktok-exporter")
}

/// All routes. GET routes answer HEAD as well; other methods get 405, other paths 404.
fn router(app: App) -> Router {
    Router::new()
        .route("/", get(landing_page))
        .route("/metrics", get(metrics))
        .route("/-/healthy", get(|| async { "tiktok-exporter is healthy.\n" }))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(reload).put(reload))
        .merge(brief::routes())
        .merge(runbooks::routes())
        .fallback(|| async { (StatusCode::NOT_FOUND, "Not found. Try / or /metrics.\n") })
        .with_state(Arc::new(app))
}

async fn landing_page(Extract(app): Extract<Arc<App>>) -> Response {
    let page = spawn_blocking(move || {
        let snapshot = app.state.snapshot();
        landing::page(
            &snapshot,
            &app.state.api().status(),
            *app.provider.borrow(),
            snapshot.now(app.clock.now()),
        )
    });
    match page.await {
        Ok(page) => (layout::HEADERS, page.into_string()).into_response(),
        Err(error) => failed("write the page", &error),
    }
}

async fn metrics(Extract(app): Extract<Arc<App>>, headers: HeaderMap) -> Response {
    match app.page.respond(&headers).await {
        Ok(response) => response.map(Body::new),
        Err(error) => failed("write the metrics", &error),
    }
}

async fn ready(Extract(app): Extract<Arc<App>>) -> Response {
    if app.readiness.is_set() {
        "tiktok-exporter is ready.\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "tiktok-exporter is starting.\n").into_response()
    }
}

async fn reload(Extract(app): Extract<Arc<App>>) -> Response {
    let Some(reload) = &app.reload else {
        let text = "Reloading over HTTP is disabled. Start with --web.enable-lifecycle, or send SIGHUP.\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    };
    let (request, result) = oneshot::channel();
    let result = match reload.send(request).await {
        Ok(()) => result.await.unwrap_or_else(|_| Err("the program is stopping".to_owned())),
        Err(_) => Err("the program is stopping".to_owned()),
    };
    match result {
        Ok(()) => "Reloaded.\n".into_response(),
        Err(reason) => {
            let text = format!("The old configuration stays in force:\n{reason}\n");
            (StatusCode::INTERNAL_SERVER_ERROR, text).into_response()
        }
    }
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Response {
    tracing::error!(%error, "cannot {what}");
    (StatusCode::INTERNAL_SERVER_ERROR, format!("Cannot {what}; see the log.\n")).into_response()
}
