//! The runbooks of the alerts as pages, so that the links in alerts open with nothing but the exporter.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use pulldown_cmark::Parser;

use super::landing::HEADERS;

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

/// `/runbooks` lists them; `/runbooks/NAME` is one, and so is `/runbooks/NAME.md`, which a link has that
/// works for a folder of files as well.
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
        None => {
            (StatusCode::NOT_FOUND, "There is no alert of this name. /runbooks lists them.\n").into_response()
        }
    }
}

fn list() -> Markup {
    page(
        "Runbooks",
        &html! {
            h1 { "Runbooks" }
            p { "What each alert means, and what to do about it." }
            ul { @for (alert, _) in RUNBOOKS { li { a href={ "/runbooks/" (alert) } { (alert) } } } }
        },
    )
}

fn page(title: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(include_str!("page.css"))) }
            }
            body {
                header { nav { a href="/" { "watchlist" } a href="/brief" { "brief" } a href="/runbooks" { "runbooks" } } }
                main { (content) }
            }
        }
    }
}
