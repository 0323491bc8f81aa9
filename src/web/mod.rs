//! What the exporter answers over HTTP. Reads the snapshot and the counters, and asks the upstream for
//! nothing. The brief alone asks elsewhere: the store for posts, and a Prometheus, if there is one.

mod access;
mod brief;
mod candidates;
mod gate;
mod landing;
mod metrics;
pub mod notifications;
mod runbooks;
mod server;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tiktok_api::Provider;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;
use units::SharedClock;

use crate::brief::Desk;
use crate::exposition::Telemetry;
use crate::state::State;

pub use access::{Access, Rules};
pub use metrics::MetricsPage;
pub use server::serve;

/// A wish to reload, and where to tell how it went.
pub type ReloadRequest = oneshot::Sender<Result<(), String>>;

/// What the pages are made from.
pub struct App {
    /// `/metrics`.
    pub page: MetricsPage,
    /// The results.
    pub state: State,
    /// The exporter's own counters.
    pub telemetry: Arc<Telemetry>,
    /// Where briefs and trends are asked for.
    pub desk: Desk,
    /// The time.
    pub clock: SharedClock,
    /// Whether the first snapshot stands.
    pub readiness: Readiness,
    /// Who reloads, if that is allowed over HTTP.
    pub reload: Option<mpsc::Sender<ReloadRequest>>,
    /// Who may come in.
    pub access: Access,
    /// Whose API is asked. A reload may change it.
    pub provider: watch::Receiver<&'static Provider>,
}

/// A latch: once ready, ready for good.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// From now on.
    pub fn set(&self) {
        self.0.store(true, Ordering::Release);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// All routes. GET routes answer HEAD as well; other methods get 405, other paths 404.
pub fn router(app: App) -> Router {
    let gate = Arc::new(gate::Gate::new(app.access.clone()));
    Router::new()
        .route("/", get(landing_page))
        .route("/metrics", get(metrics::metrics))
        .route("/-/healthy", get(|| async { "tiktok-exporter is healthy.\n" }))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(reload).put(reload))
        .merge(brief::routes())
        .merge(runbooks::routes())
        .fallback(|| async { (StatusCode::NOT_FOUND, "Nothing here. Try / or /metrics.\n") })
        .with_state(Arc::new(app))
        .layer(from_fn_with_state(gate, gate::pass))
}

async fn landing_page(Extract(app): Extract<Arc<App>>) -> Response {
    let page = spawn_blocking(move || {
        let snapshot = app.state.snapshot();
        let provider = *app.provider.borrow();
        landing::page(&snapshot, &app.telemetry, provider, snapshot.now(app.clock.now()))
    });
    match page.await {
        Ok(page) => (landing::HEADERS, page.into_string()).into_response(),
        Err(error) => broken("write the page", &error),
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
        let text = "Reloading over HTTP is off. Start with --web.enable-lifecycle, or send SIGHUP.\n";
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

fn broken(what: &str, error: &dyn std::fmt::Display) -> Response {
    tracing::error!(%error, "cannot {what}");
    (StatusCode::INTERNAL_SERVER_ERROR, format!("Cannot {what}; the log says why.\n")).into_response()
}
