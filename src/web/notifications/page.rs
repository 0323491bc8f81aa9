//! The page. Only http and https URLs become links.

use maud::{Markup, html};
use units::{
    Timestamp,
    human::{counted, relative, utc},
};

use super::super::layout::{document, style};
use super::Received;
use super::message::{Alert, Message, description, is_url};

pub(super) fn page<'a>(latest: impl ExactSizeIterator<Item = &'a Received>, now: Timestamp) -> Markup {
    let head = html! {
        meta http-equiv="refresh" content="15";
        (style(include_str!("notifications.css")))
    };
    let body = html! {
        header {
            h1 { "Notifications" }
            p { "Alerts from Alertmanager, newest first. They are kept in memory only and not forwarded." }
        }
        main {
            @if latest.len() == 0 {
                p.dim { "None yet. Alertmanager groups alerts for about a minute before it sends them." }
            }
            @for (at, message) in latest { (notification(*at, message, now)) }
        }
    };
    document("Notifications", &head, &body)
}

fn notification(at: Timestamp, message: &Message, now: Timestamp) -> Markup {
    let firing = message.alerts.iter().filter(|alert| alert.is_firing()).count();
    html! {
        section.over[!message.is_firing()] {
            h2 {
                @if message.is_firing() { (counted(firing, "alert")) " firing" } @else { "Resolved" }
                span.dim { " for " bdi { (message.receiver) } }
            }
            p.dim {
                time datetime=(utc(at)) title=(utc(at)) { (relative(at, now)) }
                @for (name, value) in &message.group { " · " (name) " " bdi { (value) } }
            }
            @if message.is_simulated() {
                p.simulated { "SIMULATED DATA. No hashtag, count or trend in this message is real." }
            }
            @for alert in &message.alerts { (shown(alert)) }
            @if message.more > 0 { p { "… and " (counted(message.more, "more alert")) "." } }
        }
    }
}

fn shown(alert: &Alert) -> Markup {
    let facts = ["severity", "hashtag", "region", "group"].map(|name| (name, alert.label(name)));
    let figures = [("velocity", "Velocity"), ("zscore", "z"), ("gain", "Gain")];
    let figures = figures.map(|(name, title)| (title, alert.annotation(name)));
    let (text, links) = description(alert.annotation("description"));
    let runbook = Some(("What to do", alert.annotation("runbook_url"))).filter(|(_, it)| is_url(it));
    html! {
        article.over[!alert.is_firing()] {
            h3 {
                @if !alert.is_firing() { "Resolved: " }
                @let summary = alert.annotation("summary");
                bdi { (if summary.is_empty() { alert.label("alertname") } else { summary }) }
            }
            @if figures.iter().any(|(_, value)| !value.is_empty()) {
                dl {
                    @for (title, value) in figures.iter().filter(|(_, value)| !value.is_empty()) {
                        div { dt { (title) } dd { bdi { (value) } } }
                    }
                }
            }
            p { (with_links(text)) }
            @if !links.is_empty() || runbook.is_some() {
                p.links {
                    @for (name, url) in links.into_iter().chain(runbook) {
                        a href=(url) rel="noreferrer" { (name) } " "
                    }
                }
            }
            p.dim {
                (alert.label("alertname"))
                @for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
                    " · " (name) " " bdi { (value) }
                }
            }
        }
    }
}

/// The text, with its URLs as links.
fn with_links(text: &str) -> Markup {
    html! {
        @for word in text.split_inclusive(char::is_whitespace) {
            @if is_url(word) {
                a href=(word.trim_end()) rel="noreferrer" { (word.trim_end()) } " "
            } @else { (word) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(description: &str) -> String {
        let body = serde_json::json!({
            "status": "firing", "receiver": "trends", "groupLabels": {"group": "books"},
            "alerts": [{
                "status": "firing",
                "labels": {"alertname": "TikTokHashtagTrending", "hashtag": "<b>", "data": "simulated"},
                "annotations": {"summary": "#x is trending", "description": description},
            }],
        });
        let at = Timestamp::from_secs(1_800_000_000);
        let message = Message::read(body.to_string().as_bytes()).unwrap();
        page([(at, message)].iter(), at).into_string()
    }

    #[test]
    fn what_came_is_shown_and_harmless() {
        let page = rendered("up <script>alert(1)</script> javascript:alert(2) http://a/d?x=1&y=%22 end");
        for wanted in [
            "1 alert firing",
            "#x is trending",
            "SIMULATED DATA",
            "&lt;b&gt;",
            "&lt;script&gt;",
            r#"<a href="http://a/d?x=1&amp;y=%22" rel="noreferrer">"#,
        ] {
            assert!(page.contains(wanted), "no {wanted} in\n{page}");
        }
        for harmful in ["<script", "href=\"javascript", "<b>"] {
            assert!(!page.contains(harmful), "{harmful} in\n{page}");
        }
    }
}
