//! The families of followed keywords. There are few keywords, so their labels are built on the fly.

use metrics_page::{LabelArena, SampleWriter, Sink, Subject, families};
use units::Timestamp;

use super::hashtags::{DAY, WEEK, count, flag, last_success, up};
use crate::discovery::{Candidate, KeywordStats, Trial};
use crate::state::{KeywordRegion, KeywordState};

/// Where the values of a family come from.
pub(super) enum Values {
    Keyword(fn(&KeywordState, Timestamp) -> Option<f64>),
    Candidate(fn(&Candidate) -> Option<f64>),
    Trial(fn(&Trial, Timestamp) -> Timestamp),
    Region(fn(&KeywordRegion, Timestamp) -> Option<f64>),
    Stats(fn(&KeywordStats) -> Option<f64>),
    /// One value each for the last day and the last week.
    Windows(fn(&KeywordStats) -> [Option<u64>; 2]),
}

use Values::{Keyword, Region, Stats, Windows};

families! {
    /// The families of keywords.
    pub(super) const FAMILIES: Values = "keywords";

    /// Posts with a hashtag that a search for the keyword found, worldwide. Only the largest hashtags that are
    /// candidates for the watchlist. Refreshed on a schedule; can decrease, and is rounded for large hashtags.
    gauge "tiktok_keyword_candidate_posts" [keyword, hashtag] => Values::Candidate(|candidate| count(candidate.posts));
    /// Views of all posts with a hashtag that a search for the keyword found, worldwide. Only the largest hashtags
    /// that are candidates for the watchlist. Refreshed on a schedule; can decrease, and is rounded for large
    /// hashtags.
    gauge "tiktok_keyword_candidate_views" [keyword, hashtag] => Values::Candidate(|candidate| count(candidate.views));
    /// Plays of the posts that match the keyword, by the time window in which they were published: 24h or 7d. A lower
    /// bound while tiktok_keyword_posts_saturated is 1. Absent if no post has a play count. Refreshed on a schedule.
    gauge "tiktok_keyword_plays" [keyword, region, window] => Windows(|stats| [stats.plays_24h, stats.plays_7d]);
    /// Posts that match the keyword, by the time window in which they were published: 24h or 7d. A lower bound while
    /// tiktok_keyword_posts_saturated is 1. Refreshed on a schedule.
    gauge "tiktok_keyword_posts" [keyword, region, window] =>
        Windows(|stats| [Some(stats.posts_24h), Some(stats.posts_7d)]);
    /// Time of the last successful search for posts that match the keyword in the region.
    gauge "tiktok_keyword_posts_last_success_timestamp_seconds" [keyword, region] =>
        Region(|state, now| last_success(&state.refresh, now));
    /// Interval of the searches for posts that match the keyword in the region: as configured, or stretched by the
    /// budget. As configured while the budget pauses them.
    gauge "tiktok_keyword_posts_refresh_interval_seconds" [keyword, region] =>
        Region(|state, _| Some(state.refresh.interval.as_secs_f64()));
    /// 1 if more posts of the last 7 days match the keyword than were read, so that tiktok_keyword_posts and
    /// tiktok_keyword_plays are lower bounds; else 0. Refreshed on a schedule.
    gauge "tiktok_keyword_posts_saturated" [keyword, region] => Stats(|stats| Some(flag(stats.saturated)));
    /// 1 if the last search for posts that match the keyword in the region succeeded, 0 if it failed. Absent before
    /// the first search.
    gauge "tiktok_keyword_posts_up" [keyword, region] => Region(|state, _| up(&state.refresh));
    /// Time of the last successful search for hashtags by the keyword.
    gauge "tiktok_keyword_search_last_success_timestamp_seconds" [keyword] =>
        Keyword(|state, now| last_success(&state.refresh, now));
    /// Interval of the searches for hashtags by the keyword: as configured, or stretched by the budget. As configured
    /// while the budget pauses them.
    gauge "tiktok_keyword_search_refresh_interval_seconds" [keyword] =>
        Keyword(|state, _| Some(state.refresh.interval.as_secs_f64()));
    /// 1 if the last search for hashtags by the keyword succeeded, 0 if it failed. Absent before the first search.
    gauge "tiktok_keyword_search_up" [keyword] => Keyword(|state, _| up(&state.refresh));
    /// Time at which a candidate of the keyword leaves the watchlist if it stays quiet.
    gauge "tiktok_keyword_trial_end_timestamp_seconds" [keyword, hashtag] => Values::Trial(|_, end| end);
    /// Time at which a candidate of the keyword joined the watchlist on trial.
    gauge "tiktok_keyword_trial_start_timestamp_seconds" [keyword, hashtag] => Values::Trial(|trial, _| trial.since);
    /// Candidates of the keyword that are on the watchlist on trial now.
    gauge "tiktok_keyword_trials" [keyword] => Keyword(|state, _| Some(state.trials.len() as f64));
}

/// Passes every sample to `sink`, family by family, each family sorted by keyword and second label.
pub(super) fn walk(keywords: &[&KeywordState], now: Timestamp, sink: &mut impl Sink) {
    for source in FAMILIES {
        let mut writer = SampleWriter::new(sink, &source.family);
        for state in keywords {
            source.value.write(state, now, &mut writer);
        }
    }
}

impl Values {
    fn write(&self, state: &KeywordState, now: Timestamp, writer: &mut SampleWriter<'_, impl Sink>) {
        let current = |region: &'_ KeywordRegion| {
            region.sample.clone().filter(|(at, _)| state.is_current(*at, now)).map(|(_, stats)| stats)
        };
        let each_region = |with: &mut dyn FnMut(&KeywordRegion, &Subject<'_>)| {
            for region in &state.regions {
                let label = ("region", region.region.as_str());
                labelled(state, Some(label), |subject| with(region, subject));
            }
        };
        match self {
            Self::Keyword(value) => {
                labelled(state, None, |subject| writer.put(subject, value(state, now)));
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
                    labelled(state, Some(hashtag), |subject| writer.put(subject, value(candidate)));
                }
            }
            Self::Trial(value) => {
                for (trial, end) in &state.trials {
                    let hashtag = ("hashtag", trial.hashtag.as_str());
                    let value = Some(value(trial, *end).as_secs_f64());
                    labelled(state, Some(hashtag), |subject| writer.put(subject, value));
                }
            }
            Self::Region(value) => {
                each_region(&mut |region, subject| writer.put(subject, value(region, now)));
            }
            Self::Stats(value) => each_region(&mut |region, subject| {
                writer.put(subject, current(region).as_ref().and_then(value));
            }),
            Self::Windows(values) => each_region(&mut |region, subject| {
                let values = current(region).as_ref().map_or([None; 2], values);
                for (window, value) in [DAY, WEEK].into_iter().zip(values) {
                    writer.put_with(subject, &window, count(value));
                }
            }),
        }
    }
}

/// Calls `with` for the keyword, and a second label if there is one.
fn labelled(state: &KeywordState, second: Option<(&'static str, &str)>, with: impl FnOnce(&Subject<'_>)) {
    let label = ("keyword", state.keyword.as_str());
    let mut arena = LabelArena::default();
    let first = arena.add(None, label);
    let text = match second {
        Some(second) => arena.add(Some(first), second),
        None => first,
    };
    with(&Subject { label, second, text: arena.get(text) });
}
