//! The brief for creators and the feed of trends, over HTTP.
//!
//! An invalid request gets status 400 and one line with the reason: as JSON if the route serves JSON, otherwise as
//! text.

mod page;

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State as Extract};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::json;

use super::App;
use crate::brief::{BadQuestion, Kind, Question, Report, markdown};

const JSON: &str = "application/json";

/// The routes of the brief and of the feed.
pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/brief", get(brief_page))
        .route(
            "/brief.css",
            get(|| async { ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], page::STYLE) }),
        )
        .route("/brief.json", get(brief_json))
        .route("/brief.md", get(brief_markdown))
        .route("/api/v1/trends", get(trends))
}

async fn brief_page(Extract(app): Extract<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    match report(&app, Kind::Brief, query).await {
        Ok(report) => {
            let page =
                page::page(&report, &app.state.snapshot(), &app.state.api().status(), *app.provider.borrow());
            (page::HEADERS, page.into_string()).into_response()
        }
        Err(why) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
    }
}

async fn brief_markdown(Extract(app): Extract<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    match report(&app, Kind::Brief, query).await {
        Ok(report) => {
            ([(header::CONTENT_TYPE, "text/markdown; charset=utf-8")], markdown(&report)).into_response()
        }
        Err(why) => (StatusCode::BAD_REQUEST, format!("{why}\n")).into_response(),
    }
}

async fn brief_json(Extract(app): Extract<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    as_json(report(&app, Kind::Brief, query).await)
}

async fn trends(Extract(app): Extract<Arc<App>>, RawQuery(query): RawQuery) -> Response {
    as_json(report(&app, Kind::Trends, query).await)
}

async fn report(app: &App, kind: Kind, query: Option<String>) -> Result<Report, BadQuestion> {
    let question = Question::parse(kind, &query.unwrap_or_default())?;
    let simulated = app.state.api().is_simulated();
    let snapshot = app.state.snapshot();
    let now = snapshot.now(app.clock.now());
    app.brief.report(question, snapshot, simulated, now).await
}

fn as_json(report: Result<Report, BadQuestion>) -> Response {
    let content_type = [(header::CONTENT_TYPE, JSON), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    match report {
        Ok(report) => match serde_json::to_string(&report) {
            Ok(body) => (content_type, body).into_response(),
            Err(error) => super::failed("write the report", &error),
        },
        Err(why) => {
            let body = json!({ "error": why.to_string() }).to_string();
            (StatusCode::BAD_REQUEST, content_type, body).into_response()
        }
    }
}
