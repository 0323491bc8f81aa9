//! The landing page: the watchlist as a table, readable on a phone as well.

use std::collections::BTreeSet;

use maud::{Markup, html};
use tiktok_api::Provider;
use units::{
    Timestamp,
    human::{counted, exact, relative, short, utc},
};

use super::candidates;
use super::layout::{document, style};
use crate::model::{HEATING_UP, SampleStats, Trip};
use crate::state::{ApiStatus, HashtagState, Outcome, Reading, Refresh, RegionState, Sampled, Snapshot};

/// Maximum rows of the page; Grafana shows longer watchlists.
const ROWS_MAX: usize = 500;

/// One line of the page: a hashtag in a region.
type Row<'a> = (&'a HashtagState, &'a RegionState);

/// The page, sorted by group and hashtag, so that rows keep their place.
pub(super) fn page(snapshot: &Snapshot, api: &ApiStatus, provider: &Provider, now: Timestamp) -> Markup {
    let mut rows: Vec<Row> = snapshot
        .hashtags
        .iter()
        .flat_map(|hashtag| hashtag.regions.iter().map(|region| (hashtag.as_ref(), region)))
        .collect();
    rows.sort_by(|(a, _), (b, _)| (&a.group, &a.hashtag).cmp(&(&b.group, &b.hashtag)));
    let shown = &rows[..rows.len().min(ROWS_MAX)];
    let body = html! {
        (heading())
        (banners(api, provider))
        main {
            (summary(snapshot.hashtags.len(), &rows, now))
            @for group in shown.chunk_by(|(a, _), (b, _)| a.group == b.group) {
                h2 { span.dim { "Group " } bdi { (group[0].0.group) } }
                (table(group, now))
            }
            @if rows.len() > shown.len() {
                p { (exact((rows.len() - shown.len()) as u64)) " more pairs of hashtag and region are watched; all of them are on "
                    a href="/metrics" { "/metrics" } "." }
            }
            (candidates::lists(snapshot, now))
        }
        footer {
            "Views and posts are worldwide. Velocity is that of the posts sampled in the region: those of the last 24 hours "
            "divided by the daily mean of the last 7 days. A hashtag is heating up from a velocity of " (format!("{HEATING_UP:.2}")) "."
        }
    };
    document("TikTok hashtags", &style(include_str!("landing.css")), &body)
}

fn heading() -> Markup {
    html! {
        header {
            h1 { "TikTok hashtags" }
            p { "tiktok-exporter " (env!("CARGO_PKG_VERSION")) }
            nav {
                a href="/brief" { "brief" }
                a href="/api/v1/trends" { "trends" }
                a href="/metrics" { "metrics" }
                a href="/runbooks" { "runbooks" }
                a href="/-/healthy" { "healthy" }
                a href="/-/ready" { "ready" }
            }
        }
    }
}

/// How much is watched, how much of it is heating up, and how much has problems.
fn summary(hashtags: usize, rows: &[Row], now: Timestamp) -> Markup {
    let regions: BTreeSet<_> = rows.iter().map(|(_, region)| region.region).collect();
    let heating_up = rows.iter().filter(|(hashtag, region)| is_heating_up(hashtag, region, now)).count();
    let problems = rows.iter().filter(|(hashtag, region)| state(hashtag, region, now).0.is_problem()).count();
    html! {
        p.summary {
            @if rows.is_empty() {
                span { "Nothing is watched." }
            } @else {
                span { (counted(hashtags, "hashtag")) " in " (counted(regions.len(), "region")) }
                span.hot[heating_up > 0] { (exact(heating_up as u64)) " heating up" }
                span.bad[problems > 0] { (exact(problems as u64)) " in trouble" }
            }
            span.dim { "as of " (utc(now)) }
        }
    }
}

pub(super) fn banners(api: &ApiStatus, provider: &Provider) -> Markup {
    html! {
        @if api.simulated {
            p.banner.simulated { "SIMULATED DATA. No hashtag, count or trend on this page is real." }
        }
        @match api.stopped {
            Some(Trip::Auth) => p.banner.stopped role="alert" {
                "All requests are stopped: the API rejects the key. Check " (provider.key_variable) " or api.key_file, then reload."
            },
            Some(Trip::CreditsExhausted) => p.banner.stopped role="alert" {
                "All requests are stopped: the account has no credits left. Buy credits, then reload or wait."
            },
            None => {},
        }
    }
}

fn table(rows: &[Row], now: Timestamp) -> Markup {
    html! {
        table {
            thead {
                tr {
                    th scope="col" { "Hashtag" }
                    th.n scope="col" { "Views" }
                    th.n scope="col" { "Posts" }
                    th scope="col" { "Region" }
                    th.n scope="col" { "Velocity" }
                    th scope="col" { "State" }
                    th scope="col" { "Refreshed" }
                    th scope="col" { "Next" }
                }
            }
            @for regions in rows.chunk_by(|(a, _), (b, _)| a.hashtag == b.hashtag) {
                (hashtag_rows(regions, now))
            }
        }
    }
}

/// All rows of one hashtag. Its worldwide numbers are shown once, not once per region.
fn hashtag_rows(regions: &[Row], now: Timestamp) -> Markup {
    html! {
        tbody {
            @for (index, (hashtag, region)) in regions.iter().enumerate() {
                tr {
                    @if index == 0 {
                        th scope="rowgroup" rowspan=(regions.len()) { "#" bdi { (hashtag.hashtag) } }
                        td.n.total data-label="Views" rowspan=(regions.len()) { (count(hashtag, hashtag.views.as_ref(), now)) }
                        td.n.total data-label="Posts" rowspan=(regions.len()) { (count(hashtag, hashtag.posts.as_ref(), now)) }
                    }
                    td.region { (region.region) }
                    td.n data-label="Velocity" { (velocity(hashtag, region, now)) }
                    @let (severity, text) = state(hashtag, region, now);
                    td.state.(severity.class()) { (text) }
                    td.time data-label="Refreshed" { (moment(latest(hashtag, region).filter(|at| at.age(now).is_some()), now)) }
                    td.time data-label="Next" { (moment(next(hashtag, region).map(|at| at.max(now)), now)) }
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

/// The figures of the region's sample, unless it is missing or too old.
fn stats(hashtag: &HashtagState, region: &RegionState, now: Timestamp) -> Option<SampleStats> {
    region.sample.as_ref().filter(|sample| hashtag.is_current(sample.at, now)).map(Sampled::stats)
}

fn is_heating_up(hashtag: &HashtagState, region: &RegionState, now: Timestamp) -> bool {
    stats(hashtag, region, now).is_some_and(|stats| !stats.saturated && stats.velocity >= HEATING_UP)
}

fn velocity(hashtag: &HashtagState, region: &RegionState, now: Timestamp) -> Markup {
    html! {
        @match stats(hashtag, region, now) {
            Some(stats) if stats.saturated => {
                span.dim title="The sample covers less than 7 days: this value reflects the size of the sample, not a trend." {
                    (format!("{:.2}", stats.velocity)) " saturated"
                }
            },
            Some(stats) => span.hot[is_heating_up(hashtag, region, now)] { (format!("{:.2}", stats.velocity)) },
            None => span.dim { "–" },
        }
    }
}

/// How good or bad a state is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Severity {
    Good,
    Waiting,
    Warning,
    Bad,
}

impl Severity {
    fn is_problem(self) -> bool {
        matches!(self, Severity::Warning | Severity::Bad)
    }

    /// Its class in the style sheet.
    fn class(self) -> &'static str {
        match self {
            Severity::Good => "ok",
            Severity::Waiting => "dim",
            Severity::Warning => "warn",
            Severity::Bad => "bad",
        }
    }
}

/// The state of a row: the worse of its two refreshes.
fn state(hashtag: &HashtagState, region: &RegionState, now: Timestamp) -> (Severity, &'static str) {
    let refreshes = [&hashtag.refresh, &region.refresh];
    let [totals, posts] = refreshes.map(|refresh| refresh.last.map(|(_, outcome)| outcome));
    let is_stale = |refresh: &&Refresh| refresh.last_success.is_some_and(|at| !hashtag.is_current(at, now));
    if hashtag.found == Some(false) {
        (Severity::Bad, "not found")
    } else if refreshes.iter().any(is_stale) {
        (Severity::Bad, "stale")
    } else if [totals, posts].contains(&Some(Outcome::Failed)) {
        (Severity::Warning, "failing")
    } else if posts == Some(Outcome::NotFound) {
        (Severity::Warning, "no posts found")
    } else if [totals, posts].contains(&None) {
        (Severity::Waiting, "waiting")
    } else {
        (Severity::Good, "ok")
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
    [&hashtag.refresh, &region.refresh].iter().filter_map(|refresh| refresh.last_success).max()
}

fn next(hashtag: &HashtagState, region: &RegionState) -> Option<Timestamp> {
    [&hashtag.refresh, &region.refresh].iter().filter_map(|refresh| refresh.next_due).min()
}
