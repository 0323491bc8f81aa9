//! The brief as a page, readable on a phone as well. The only external links are those to posts.

use std::collections::BTreeSet;

use maud::{Markup, html};
use tiktok_api::{Hashtag, Provider, Region};

use crate::brief::{Kind, Question, Report, Trend, WindowState, checks, counts};
use crate::model::PublicPost;
use crate::state::{ApiStatus, Snapshot};
use crate::web::landing::banners;
use crate::web::layout::{Headers, document, headers};

/// Maximum groups, and regions, to choose from; others can be put into the URL.
const CHOICES: usize = 40;

/// Facts longer than this, in bytes, have their own line.
const LONG: usize = 40;

pub(super) const STYLE: &str = concat!(include_str!("../page.css"), include_str!("brief.css"));

pub(super) const HEADERS: Headers = headers(
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

pub(super) fn page(report: &Report, snapshot: &Snapshot, api: &ApiStatus, provider: &Provider) -> Markup {
    let question = question(report);
    let body = html! {
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
            "Counts are worldwide; posts are those sampled in the region. A velocity of 1 is steady, 2 is "
            "twice the daily mean of the last 7 days. The brief costs no credits."
        }
    };
    document(&report.title(), &html! { link rel="stylesheet" href="brief.css"; }, &body)
}

/// The question that the report answers.
fn question(report: &Report) -> Question {
    let asked = &report.asked;
    Question {
        kind: Kind::Brief,
        group: asked.group.clone(),
        region: asked.region.as_ref().and_then(|region| Region::parse_label(region).ok()),
        hashtag: asked.hashtag.as_ref().and_then(|hashtag| Hashtag::parse(hashtag).ok()),
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
    // Another group may not contain the hashtag.
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
                @for (name, text) in trend.facts() {
                    div.wide[text.len() > LONG] {
                        dt { (name) }
                        dd.(class(trend, name)) { bdi { (text) } }
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
                p.dim { "No posts yet." }
            } @else {
                ol.posts { @for post in &trend.posts { li { (best(post)) } } }
            }
        }
    }
}

/// The class of a fact in the style sheet.
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
