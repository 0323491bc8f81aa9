//! The brief as a page that a person can read, also on a phone.
//!
//! No script, no form, and nothing from another host, which the content security policy enforces. What
//! came from outside is escaped by the template; the only links that lead away are those to posts.

use std::collections::BTreeSet;

use axum::http::{HeaderName, header};
use maud::{DOCTYPE, Markup, html};
use tiktok_api::Provider;
use tiktok_api::Region;

use crate::brief::{Kind, Question, Report, Trend, WindowState, checks, counts};
use crate::model::PublicPost;
use crate::state::{ApiStatus, Snapshot};
use crate::web::landing::banners;

/// Groups, or regions, to choose from; who has more writes them into the address.
const CHOICES: usize = 40;

/// Facts longer than this have a line of their own, in bytes.
const LONG: usize = 40;

pub(super) const STYLE: &str = concat!(include_str!("../page.css"), include_str!("brief.css"));

pub(super) const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
];

pub(super) fn page(report: &Report, snapshot: &Snapshot, api: &ApiStatus, provider: &Provider) -> Markup {
    let question = question(report);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (report.title()) }
                link rel="stylesheet" href="brief.css";
            }
            body {
                header {
                    h1 { bdi { (report.title()) } }
                    p { "tiktok-exporter " (env!("CARGO_PKG_VERSION")) }
                    nav {
                        a href="./" { "watchlist" }
                        a href=(format!("brief.md?{}", question.to_query())) { "markdown" }
                        a href=(format!("brief.json?{}", question.to_query())) { "json" }
                    }
                }
                (banners(api, provider))
                main {
                    p.summary {
                        span { "ranked by " (report.ranking.by.words()) }
                        span.dim { "as of " (report.generated_at) }
                    }
                    @for note in &report.ranking.notes { p.note { (note) } }
                    (choices(&question, snapshot))
                    @if report.trends.is_empty() { p { "Nothing to report yet." } }
                    @for trend in &report.trends { (article(trend)) }
                }
                footer {
                    "Counts are worldwide, posts are those of the region's sample. A velocity of 1 is steady, 2 is "
                    "twice as many posts as on the mean day of the week. The brief costs no credits."
                }
            }
        }
    }
}

/// The question that the report answers.
fn question(report: &Report) -> Question {
    let asked = &report.asked;
    Question {
        kind: Kind::Brief,
        group: asked.group.clone(),
        region: asked.region.as_ref().and_then(|region| Region::parse_label(region).ok()),
        hashtag: asked.hashtag.as_ref().and_then(|hashtag| tiktok_api::Hashtag::parse(hashtag).ok()),
        limit: asked.limit,
        since: asked.since_seconds.map(std::time::Duration::from_secs),
    }
}

/// Links to the same brief for each group and region, and for all of them.
fn choices(question: &Question, snapshot: &Snapshot) -> Markup {
    let groups: BTreeSet<&str> = snapshot.hashtags.iter().map(|hashtag| hashtag.group.as_ref()).collect();
    let regions: BTreeSet<Region> =
        snapshot.hashtags.iter().flat_map(|hashtag| &hashtag.regions).map(|region| region.region).collect();
    let groups = groups.into_iter().map(|group| Some(group.to_owned()));
    let regions = regions.into_iter().map(Some);
    // Another group may not hold the hashtag.
    let with_group = |group| Question { group, hashtag: None, ..question.clone() };
    let with_region = |region| Question { region, hashtag: None, ..question.clone() };
    html! {
        nav.choices aria-label="Group" {
            @for group in std::iter::once(None).chain(groups).take(CHOICES) {
                (choice(group.as_deref().unwrap_or("all groups"), group == question.group, &with_group(group.clone())))
            }
        }
        nav.choices aria-label="Region" {
            @for region in std::iter::once(None).chain(regions).take(CHOICES) {
                @let name = region.map_or("all regions".to_owned(), |region| region.to_string());
                (choice(&name, region == question.region, &with_region(region)))
            }
        }
    }
}

fn choice(name: &str, is_chosen: bool, question: &Question) -> Markup {
    html! {
        a href=(format!("brief?{}", question.to_query())) aria-current=[is_chosen.then_some("true")] { bdi { (name) } }
    }
}

fn article(trend: &Trend) -> Markup {
    html! {
        article {
            h2 { span.dim { (trend.rank) ". " } "#" bdi { (trend.hashtag) } span.dim { " in " (trend.region) } }
            dl {
                @for (name, said) in trend.facts() {
                    div.wide[said.len() > LONG] {
                        dt { (name) }
                        dd.(class(trend, name)) { bdi { (said) } }
                    }
                }
            }
            @if !trend.why.is_empty() {
                ul.why {
                    @for (met, check) in checks(trend) {
                        li.(if met { "ok" } else { "dim" }) { (if met { "✓ " } else { "✗ " }) (check) }
                    }
                }
            }
            @if trend.posts.is_empty() {
                p.dim { "No posts are known." }
            } @else {
                ol.posts { @for post in &trend.posts { li { (best(post)) } } }
            }
        }
    }
}

/// The class in the style sheet of a fact that calls for a colour.
fn class(trend: &Trend, name: &str) -> &'static str {
    match (name, trend.posting_window.state) {
        ("Signals", _) if !trend.signals.is_empty() => "hot",
        ("Posting window", WindowState::Open) => "ok",
        _ => "plain",
    }
}

fn best(post: &PublicPost) -> Markup {
    let title = post.title.as_deref();
    html! {
        @match post.safe_url() {
            Some(url) => a href=(url) rel="noopener noreferrer nofollow" { (name(title)) },
            None => (name(title)),
        }
        span.dim { " by " bdi { (post.author.as_deref().unwrap_or("unknown author")) } }
        span.counts { (counts(post)) }
    }
}

fn name(title: Option<&str>) -> Markup {
    html! {
        @match title {
            Some(title) => bdi { (title) },
            None => span.dim { "(no title)" },
        }
    }
}
