//! The runbooks of the alerts as pages, so that the links in alerts work without another server.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, PreEscaped, html};
use pulldown_cmark::Parser;

use super::layout::{HEADERS, document, style};

/// The name of each alert, and its file in `docs/runbooks/`.
macro_rules! runbooks {
    ($($name:literal,)+) => {
        &[$(($name, include_str!(concat!("../../docs/runbooks/", $name, ".md")))),+]
    };
}

static RUNBOOKS: &[(&str, &str)] = runbooks![
    "TikTokApiErrorRatioHigh",
    "TikTokApiThrottled",
    "TikTokBalanceLow",
    "TikTokBreakerOpen",
    "TikTokBudgetRunsOut",
    "TikTokExporterDown",
    "TikTokHashtagHeatingUp",
    "TikTokHashtagSpike",
    "TikTokHashtagTrendCandidate",
    "TikTokHashtagTrending",
    "TikTokHashtagUnresolved",
    "TikTokHashtagVanished",
    "TikTokPostingWindowOpen",
    "TikTokReferenceDailyGainZScore",
    "TikTokReferenceHeatingUp",
    "TikTokReferenceTrendCandidate",
    "TikTokReferenceViewsZScore",
    "TikTokResultsStale",
    "TikTokSampleSaturated",
    "TikTokSpendingStopped",
    "TikTokWatchdog",
];

/// `/runbooks` lists them; `/runbooks/NAME` and `/runbooks/NAME.md` are one of them. Links with `.md` also work for a
/// directory of files.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/runbooks", get(|| async { (HEADERS, list().into_string()) }))
        .route("/runbooks/{name}", get(|Path(name): Path<String>| async move { show(&name) }))
}

fn show(name: &str) -> Response {
    let name = name.strip_suffix(".md").unwrap_or(name);
    match RUNBOOKS.iter().find(|(alert, _)| *alert == name) {
        Some((alert, text)) => {
            let mut body = String::new();
            pulldown_cmark::html::push_html(&mut body, Parser::new(text));
            // The text is the project's own, so its HTML is trusted.
            (HEADERS, page(alert, &html! { (PreEscaped(body)) }).into_string()).into_response()
        }
        None => (StatusCode::NOT_FOUND, "There is no alert with this name; see /runbooks.\n").into_response(),
    }
}

fn list() -> Markup {
    page(
        "Runbooks",
        &html! {
            h1 { "Runbooks" }
            p { "What each alert means and what to do." }
            ul { @for (alert, _) in RUNBOOKS { li { a href={ "/runbooks/" (alert) } { (alert) } } } }
        },
    )
}

fn page(title: &str, content: &Markup) -> Markup {
    let body = html! {
        header { nav { a href="/" { "watchlist" } a href="/brief" { "brief" } a href="/runbooks" { "runbooks" } } }
        main { (content) }
    };
    document(title, &style(""), &body)
}
