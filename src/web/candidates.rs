//! The candidates of followed keywords, as lists below the watchlist.

use std::collections::BTreeMap;

use maud::{Markup, html};
use tiktok_api::Hashtag;
use units::{
    Timestamp,
    human::{exact, relative, short, utc},
};

use crate::discovery::Candidate;
use crate::state::{KeywordState, Snapshot};

/// Every followed keyword with its candidates.
pub(super) fn lists(snapshot: &Snapshot, now: Timestamp) -> Markup {
    html! {
        @for keyword in &snapshot.keywords {
            section.candidates {
                h2 { span.dim { "Candidates by keyword " } bdi { (keyword.keyword) } }
                (list(keyword, now))
            }
        }
    }
}

fn list(keyword: &KeywordState, now: Timestamp) -> Markup {
    let found_at = keyword.found.as_ref().map(|found| found.at).filter(|at| keyword.is_current(*at, now));
    let trials: BTreeMap<&Hashtag, Timestamp> =
        keyword.trials.iter().map(|(trial, end)| (&trial.hashtag, *end)).collect();
    html! {
        @match found_at {
            None => p.dim { "No recent search." },
            Some(_) if keyword.candidates.is_empty() => p.dim { "No hashtag that is large enough and not yet on the watchlist." },
            Some(at) => {
                ul {
                    @for candidate in &keyword.candidates {
                        (item(candidate, trials.get(&candidate.hashtag).copied(), now))
                    }
                }
                p.dim { "Found " time datetime=(utc(at)) title=(utc(at)) { (relative(at, now)) } "." }
            },
        }
    }
}

fn item(candidate: &Candidate, trial_end: Option<Timestamp>, now: Timestamp) -> Markup {
    html! {
        li {
            b { "#" bdi { (candidate.hashtag) } } " "
            @if let Some(views) = candidate.views {
                span title=(exact(views)) { (short(views)) " views" } " "
            }
            @if let Some(posts) = candidate.posts {
                span.dim title=(exact(posts)) { (short(posts)) " posts" } " "
            }
            @if let Some(end) = trial_end {
                span.ok title=(utc(end)) { "on trial; removed " (relative(end, now)) " unless it takes off" }
            }
        }
    }
}
