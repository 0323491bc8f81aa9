//! What is known of followed keywords, as samples. There are few of them, so they are labelled as they
//! are walked.

use units::Timestamp;

use super::families::{Family, families};
use super::results::{DAY, Sink, Subject, Taker, WEEK, count, flag, last_success, up};
use super::text;
use crate::discovery::{Candidate, KeywordStats, Trial};
use crate::state::{KeywordRegion, KeywordState};

families! {
    ///Posts that carry a hashtag which a search by the keyword found, worldwide: a candidate for the watchlist,
    /// the largest ones only. Refreshed on a schedule; can dip, and is rounded for large hashtags.
    CANDIDATE_POSTS = "tiktok_keyword_candidate_posts";
    ///Views of all posts that carry a hashtag which a search by the keyword found, worldwide: a candidate for the
    /// watchlist, the largest ones only. Refreshed on a schedule; can dip, and is rounded for large hashtags.
    CANDIDATE_VIEWS = "tiktok_keyword_candidate_views";
    ///Plays of the posts that match the keyword, by the time window they were published in: 24h or 7d. At least so
    /// many while tiktok_keyword_posts_saturated is 1. Absent if no post says. Refreshed on a schedule.
    PLAYS = "tiktok_keyword_plays";
    ///Posts that match the keyword, by the time window they were published in: 24h or 7d. At least so many while
    /// tiktok_keyword_posts_saturated is 1. Refreshed on a schedule.
    POSTS = "tiktok_keyword_posts";
    ///When the posts that match the keyword in the region were last searched for with success.
    POSTS_LAST_SUCCESS = "tiktok_keyword_posts_last_success_timestamp_seconds";
    ///How often the posts that match the keyword in the region are meant to be searched for: as configured, or
    /// stretched by the budget. While the budget pauses it, as configured.
    POSTS_REFRESH_INTERVAL = "tiktok_keyword_posts_refresh_interval_seconds";
    ///1 if more posts of the last 7 days match the keyword than were looked at, so that tiktok_keyword_posts and
    /// tiktok_keyword_plays are the least there are; else 0.
    POSTS_SATURATED = "tiktok_keyword_posts_saturated";
    ///1 if the last search for posts that match the keyword in the region succeeded, 0 if not. Absent before the
    /// first.
    POSTS_UP = "tiktok_keyword_posts_up";
    ///When hashtags were last searched for by the keyword with success.
    SEARCH_LAST_SUCCESS = "tiktok_keyword_search_last_success_timestamp_seconds";
    ///How often hashtags are meant to be searched for by the keyword: as configured, or stretched by the budget.
    /// While the budget pauses it, as configured.
    SEARCH_REFRESH_INTERVAL = "tiktok_keyword_search_refresh_interval_seconds";
    ///1 if the last search for hashtags by the keyword succeeded, 0 if not. Absent before the first.
    SEARCH_UP = "tiktok_keyword_search_up";
    ///When a candidate of the keyword leaves the watchlist again if it stays quiet.
    TRIAL_END = "tiktok_keyword_trial_end_timestamp_seconds";
    ///When a candidate of the keyword joined the watchlist on trial.
    TRIAL_START = "tiktok_keyword_trial_start_timestamp_seconds";
    ///Candidates of the keyword that are on the watchlist on trial now.
    TRIALS = "tiktok_keyword_trials";
}

/// A family and where its values come from.
enum Values {
    Keyword(fn(&KeywordState, Timestamp) -> Option<f64>),
    Candidate(fn(&Candidate) -> Option<f64>),
    Trial(fn(&Trial, Timestamp) -> Timestamp),
    Region(fn(&KeywordRegion, Timestamp) -> Option<f64>),
    Stats(fn(&KeywordStats) -> Option<f64>),
    Windows(fn(&KeywordStats) -> [Option<u64>; 2]),
}

/// Every family of a keyword, sorted by name.
const SOURCES: [(&Family, Values); 14] = {
    use Values::{Keyword, Region, Stats, Windows};
    [
        (&CANDIDATE_POSTS, Values::Candidate(|candidate| count(candidate.posts))),
        (&CANDIDATE_VIEWS, Values::Candidate(|candidate| count(candidate.views))),
        (&PLAYS, Windows(|stats| [stats.plays_24h, stats.plays_7d])),
        (&POSTS, Windows(|stats| [Some(stats.posts_24h), Some(stats.posts_7d)])),
        (&POSTS_LAST_SUCCESS, Region(|state, now| last_success(&state.refresh, now))),
        (&POSTS_REFRESH_INTERVAL, Region(|state, _| Some(state.refresh.interval.as_secs_f64()))),
        (&POSTS_SATURATED, Stats(|stats| Some(flag(stats.saturated)))),
        (&POSTS_UP, Region(|state, _| up(&state.refresh))),
        (&SEARCH_LAST_SUCCESS, Keyword(|state, now| last_success(&state.refresh, now))),
        (&SEARCH_REFRESH_INTERVAL, Keyword(|state, _| Some(state.refresh.interval.as_secs_f64()))),
        (&SEARCH_UP, Keyword(|state, _| up(&state.refresh))),
        (&TRIAL_END, Values::Trial(|_, end| end)),
        (&TRIAL_START, Values::Trial(|trial, _| trial.since)),
        (&TRIALS, Keyword(|state, _| Some(state.trials.len() as f64))),
    ]
};

/// Hands every sample to `sink`, family by family, each family sorted by keyword and second label.
pub(super) fn walk(keywords: &[&KeywordState], now: Timestamp, sink: &mut impl Sink) {
    for (family, values) in &SOURCES {
        let mut taker = Taker { sink, family: Some(family) };
        for state in keywords {
            values.of(state, now, &mut taker);
        }
    }
}

impl Values {
    fn of(&self, state: &KeywordState, now: Timestamp, taker: &mut Taker<'_, impl Sink>) {
        let current = |region: &'_ KeywordRegion| {
            region.sample.clone().filter(|(at, _)| state.is_current(*at, now)).map(|(_, stats)| stats)
        };
        match self {
            Self::Keyword(value) => {
                labelled(state, None, |subject| taker.take(subject, value(state, now)));
            }
            Self::Candidate(value) => {
                let found_at = state.found.as_ref().map(|found| found.at);
                if !found_at.is_some_and(|at| state.is_current(at, now)) {
                    return;
                }
                let mut candidates: Vec<&Candidate> = state.candidates.iter().collect();
                candidates.sort_by(|a, b| a.hashtag.cmp(&b.hashtag));
                for candidate in candidates {
                    let hashtag = ("hashtag", candidate.hashtag.as_str());
                    labelled(state, Some(hashtag), |subject| taker.take(subject, value(candidate)));
                }
            }
            Self::Trial(value) => {
                for (trial, end) in &state.trials {
                    let hashtag = ("hashtag", trial.hashtag.as_str());
                    let value = Some(value(trial, *end).as_secs_f64());
                    labelled(state, Some(hashtag), |subject| taker.take(subject, value));
                }
            }
            Self::Region(value) => {
                for region in &state.regions {
                    let label = ("region", region.region.as_str());
                    labelled(state, Some(label), |subject| taker.take(subject, value(region, now)));
                }
            }
            Self::Stats(value) => {
                for region in &state.regions {
                    let label = ("region", region.region.as_str());
                    let value = current(region).as_ref().and_then(value);
                    labelled(state, Some(label), |subject| taker.take(subject, value));
                }
            }
            Self::Windows(values) => {
                for region in &state.regions {
                    let label = ("region", region.region.as_str());
                    let values = current(region).as_ref().map_or([None; 2], values);
                    labelled(state, Some(label), |subject| {
                        for (window, value) in [DAY, WEEK].into_iter().zip(values) {
                            if let Some(value) = count(value) {
                                taker.put(subject, &window, value);
                            }
                        }
                    });
                }
            }
        }
    }
}

/// Calls `with` for the keyword, and a second label if there is one.
fn labelled(state: &KeywordState, second: Option<(&'static str, &str)>, with: impl FnOnce(&Subject<'_>)) {
    let label = ("keyword", state.keyword.as_str());
    let mut text = String::new();
    text::labels(&mut text, None, label);
    let mut start = 0;
    if let Some(second) = second {
        start = text.len();
        text::labels(&mut text, Some(0..start), second);
    }
    with(&Subject { label, second, text: &text[start..] });
}
