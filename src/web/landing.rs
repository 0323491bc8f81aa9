//! The landing page: the watchlist as a table a person can read, also on a phone.
//!
//! No script and no external asset, which the content security policy enforces. Everything that
//! came from outside is escaped by the template.

use axum::http::{HeaderName, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::wording::{exact, relative, short, utc};
use crate::budget::Trip;
use crate::exposition::Telemetry;
use crate::model::Timestamp;
use crate::state::{HashtagState, Outcome, Reading, Refresh, RegionState, Snapshot};

/// Rows that are written out; a longer watchlist is for Grafana.
const ROWS_MAX: usize = 500;

/// From here on the reference maths calls a hashtag heating up.
const HEATING_UP: f64 = 1.5;

pub(super) const HEADERS: [(HeaderName, &str); 4] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// The page, sorted by group and hashtag: rows keep their place, so eyes find them again.
pub(super) fn page(snapshot: &Snapshot, telemetry: &Telemetry, now: Timestamp) -> Markup {
    let mut rows: Vec<(&HashtagState, &RegionState)> = snapshot
        .hashtags
        .iter()
        .flat_map(|hashtag| hashtag.regions.iter().map(|region| (hashtag.as_ref(), region)))
        .collect();
    rows.sort_by(|(a, _), (b, _)| a.group.cmp(&b.group));
    let left_out = rows.len().saturating_sub(ROWS_MAX);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "TikTok hashtags" }
                style { (PreEscaped(include_str!("landing.css"))) }
            }
            body {
                (heading())
                (banners(telemetry))
                main {
                    @if rows.is_empty() { p { "Nothing is watched." } }
                    @for group in rows[..rows.len() - left_out].chunk_by(|(a, _), (b, _)| a.group == b.group) {
                        h2 { "Group " (group[0].0.group) }
                        (table(group, now))
                    }
                    @if left_out > 0 {
                        p { (left_out) " more pairs of hashtag and region are watched; all of them are on "
                            a href="/metrics" { "/metrics" } "." }
                    }
                }
                footer {
                    "Views and posts are worldwide; velocity is that of the region's sample of posts. As of " (utc(now)) "."
                }
            }
        }
    }
}

fn heading() -> Markup {
    html! {
        header {
            h1 { "TikTok hashtags" }
            p { "tiktok-exporter " (env!("CARGO_PKG_VERSION")) }
            nav {
                a href="/metrics" { "metrics" }
                a href="/-/healthy" { "healthy" }
                a href="/-/ready" { "ready" }
            }
        }
    }
}

fn banners(telemetry: &Telemetry) -> Markup {
    html! {
        @if telemetry.is_simulated() {
            p.banner.simulated { "SIMULATED DATA. No hashtag, count or trend on this page is real." }
        }
        @match telemetry.breaker() {
            Some(Trip::Auth) => p.banner.stopped role="alert" {
                "All requests are stopped: the API refuses the key. Check TIKLIVE_API_KEY or api.key_file, then reload."
            },
            Some(Trip::CreditsExhausted) => p.banner.stopped role="alert" {
                "All requests are stopped: the account has no credits left. Buy some, then reload or wait."
            },
            None => {},
        }
    }
}

fn table(rows: &[(&HashtagState, &RegionState)], now: Timestamp) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "Hashtag" }
                    th scope="col" { "Region" }
                    th.n scope="col" { "Views" }
                    th.n scope="col" { "Posts" }
                    th.n scope="col" { "Velocity" }
                    th scope="col" { "State" }
                    th scope="col" { "Refreshed" }
                    th scope="col" { "Next" }
                }
            }
            tbody {
                @for (hashtag, region) in rows {
                    tr {
                        th scope="row" { "#" bdi { (hashtag.hashtag) } }
                        td data-label="Region" { (region.region) }
                        td.n data-label="Views" { (count(hashtag, hashtag.views.as_ref(), now)) }
                        td.n data-label="Posts" { (count(hashtag, hashtag.posts.as_ref(), now)) }
                        td.n data-label="Velocity" { (velocity(hashtag, region, now)) }
                        td data-label="State" { (state(hashtag, region, now)) }
                        td data-label="Refreshed" { (moment(latest(hashtag, region), now)) }
                        td data-label="Next" { (moment(next(hashtag, region), now)) }
                    }
                }
            }
        }
    }
}

fn count(hashtag: &HashtagState, reading: Option<&Reading>, now: Timestamp) -> Markup {
    html! {
        @match reading.filter(|reading| hashtag.is_current(reading.at, now)) {
            Some(reading) => span title=(exact(reading.value())) { (short(reading.value())) },
            None => span.dim { "–" },
        }
    }
}

fn velocity(hashtag: &HashtagState, region: &RegionState, now: Timestamp) -> Markup {
    html! {
        @match region.sample.as_ref().filter(|sample| hashtag.is_current(sample.at, now)) {
            Some(sample) if sample.stats.saturated => {
                span.dim title="The sample does not reach back 7 days: this is the size of the sample, not a trend." {
                    (format!("{:.2}", sample.stats.velocity)) " saturated"
                }
            },
            Some(sample) => span.hot[sample.stats.velocity >= HEATING_UP] {
                (format!("{:.2}", sample.stats.velocity))
            },
            None => span.dim { "–" },
        }
    }
}

/// The state of a row in words: the worst of its two refreshes.
fn state(hashtag: &HashtagState, region: &RegionState, now: Timestamp) -> Markup {
    let outcomes = [hashtag.refresh.last, region.refresh.last].map(|last| last.map(|(_, outcome)| outcome));
    let stale = [&hashtag.refresh, &region.refresh]
        .iter()
        .any(|refresh| refresh.last_success.is_some_and(|at| !hashtag.is_current(at, now)));
    html! {
        @if outcomes[0] == Some(Outcome::NotFound) {
            span.bad { "not found" }
        } @else if stale {
            span.bad { "stale" }
        } @else if outcomes.contains(&Some(Outcome::Failed)) {
            span.warn { "failing" }
        } @else if outcomes[1] == Some(Outcome::NotFound) {
            span.warn { "no posts found" }
        } @else if outcomes.contains(&None) {
            span.dim { "waiting for the first look" }
        } @else {
            span.ok { "ok" }
        }
    }
}

fn moment(at: Option<Timestamp>, now: Timestamp) -> Markup {
    html! {
        @match at {
            Some(at) => time datetime=(utc(at)) title=(utc(at)) { (relative(at, now)) },
            None => span.dim { "–" },
        }
    }
}

fn latest(hashtag: &HashtagState, region: &RegionState) -> Option<Timestamp> {
    [&hashtag.refresh, &region.refresh].iter().filter_map(|refresh: &&Refresh| refresh.last_success).max()
}

fn next(hashtag: &HashtagState, region: &RegionState) -> Option<Timestamp> {
    [&hashtag.refresh, &region.refresh].iter().filter_map(|refresh: &&Refresh| refresh.next_due).min()
}
