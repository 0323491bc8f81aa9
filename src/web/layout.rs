//! What all pages have in common.
//!
//! No script and no external asset, which the content security policy enforces. Text from outside is escaped by
//! the templates.

use axum::http::{HeaderName, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};

/// Headers of a page.
pub(super) type Headers = [(HeaderName, &'static str); 4];

/// The headers of a page with its styles inside.
pub(super) const HEADERS: Headers = headers(
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// The headers of a page with this content security policy.
pub(super) const fn headers(policy: &'static str) -> Headers {
    [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ]
}

/// A page with a title; `head` is the rest of its head.
pub(super) fn document(title: &str, head: &Markup, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                (head)
            }
            body { (body) }
        }
    }
}

/// The common style sheet, followed by that of a page.
pub(super) fn style(of_page: &str) -> Markup {
    html! { style { (PreEscaped(include_str!("page.css"))) (PreEscaped(of_page)) } }
}
