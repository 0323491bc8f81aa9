//! Snapshot and evidence make a report.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::time::Duration;

use tiktok_api::{Hashtag, Post, Region};
use units::{Timestamp, duration, human::utc};

use super::report::VERSION;
use super::{
    Asked, Certainty, Check, Comparison, Evidence, Facts, Kind, Level, Measure, PostingWindow, Question,
    Ranking, Report, Signal, Thresholds, Totals, Trend, Velocity, WindowState,
};
use crate::model::{PublicPost, SampleStats, steady_p_value};
use crate::prometheus::QueryError;
use crate::state::{HashtagState, Reading, Refresh, RegionState, Sampled, Snapshot};

/// A sample with fewer posts of the last 7 days is weak evidence.
const FEW_POSTS: u64 = 10;
/// Below this share of posts from the region, a region's sample is mostly about others.
const FEW_FROM_HERE: f64 = 0.5;
/// A reading older than this number of intervals is not fresh, as in the rules; an interval counts as at
/// least five minutes there, since Prometheus sees a reading at its next scrape only.
const FRESH_INTERVALS: u32 = 2;
const SHORTEST_INTERVAL: Duration = Duration::from_secs(300);

/// Makes the report on a question whose filters are [watched](Question::check).
///
/// `evidence` is from Prometheus, if there is one. `posts` returns the best posts of a
/// region's sample; it is asked about what the report names only.
pub fn compose(
    question: &Question,
    snapshot: &Snapshot,
    evidence: Option<Result<&Evidence, &QueryError>>,
    posts: impl Fn(&Hashtag, Region) -> Vec<Post>,
    simulated: bool,
    now: Timestamp,
) -> Report {
    let ranking = ranking(question, evidence);
    let nothing = Evidence::default();
    let evidence = evidence.and_then(Result::ok).unwrap_or(&nothing);
    let mut subjects: Vec<Subject> = pairs(question, snapshot)
        .map(|(hashtag, region)| {
            let facts = evidence.facts(hashtag.hashtag.as_str());
            Subject { hashtag, region, facts, thresholds: &evidence.thresholds, now }
        })
        .filter(|subject| subject.score().is_some() || subject.sample().is_some())
        .collect();
    subjects.sort_by(Subject::before);
    let mut named = HashSet::new();
    let trends = subjects
        .iter()
        // A counter velocity is that of all regions: without this, one hashtag would take all places.
        .filter(|subject| question.kind == Kind::Trends || named.insert(&subject.hashtag.hashtag))
        .map(|subject| (subject, subject.trend()))
        .filter(|(_, trend)| question.kind == Kind::Brief || !trend.signals.is_empty())
        .take(question.limit)
        .zip(1..)
        .map(|((subject, trend), rank)| Trend { rank, posts: subject.best(&posts), ..trend })
        .collect();
    let asked = Asked {
        group: question.group.clone(),
        region: question.region.map(String::from),
        hashtag: question.hashtag.as_ref().map(ToString::to_string),
        limit: question.limit,
        since_seconds: question.since.map(|since| since.as_secs()),
    };
    Report { version: VERSION, generated_at: utc(now), simulated, asked, ranking, trends }
}

/// The pairs that are asked for, without hashtags that do not exist any more.
fn pairs<'a>(
    question: &'a Question,
    snapshot: &'a Snapshot,
) -> impl Iterator<Item = (&'a HashtagState, &'a RegionState)> {
    let is_asked = |hashtag: &&HashtagState| {
        question.group.as_ref().is_none_or(|group| **group == *hashtag.group)
            && question.hashtag.as_ref().is_none_or(|asked| *asked == hashtag.hashtag)
            && hashtag.found != Some(false)
    };
    let hashtags = snapshot.hashtags.iter().map(AsRef::as_ref).filter(is_asked);
    let all = hashtags.flat_map(|hashtag| hashtag.regions.iter().map(move |region| (hashtag, region)));
    all.filter(|(_, region)| question.region.is_none_or(|asked| asked == region.region))
}

fn ranking(question: &Question, evidence: Option<Result<&Evidence, &QueryError>>) -> Ranking {
    let history = question.since.map(duration::show);
    let without = |why: String| {
        let mut notes = vec![format!("{why}: ranked by the sample velocity, which is less reliable")];
        if let Some(history) = &history {
            notes.push(format!("the last {history} are unknown: this is the current state"));
        }
        Ranking { by: Measure::SampleVelocity, notes }
    };
    match evidence {
        None => without("no Prometheus is set (prometheus.url)".to_owned()),
        Some(Err(error)) => without(error.to_string()),
        Some(Ok(evidence)) if !evidence.has_velocities() => without(
            "Prometheus has no counter velocity (it takes the rules of alerts/ and a week of history)"
                .to_owned(),
        ),
        Some(Ok(_)) => match history {
            None => Ranking { by: Measure::CounterVelocity, notes: Vec::new() },
            Some(history) => {
                let note = format!(
                    "ranked by the highest counter velocity of the last {history}; signals, posts and posting \
                     windows are those of now"
                );
                Ranking { by: Measure::CounterVelocityPeak, notes: vec![note] }
            }
        },
    }
}

/// A hashtag in a region, and all that is known of it.
struct Subject<'a> {
    hashtag: &'a HashtagState,
    region: &'a RegionState,
    facts: Facts,
    thresholds: &'a Thresholds,
    now: Timestamp,
}

impl Subject<'_> {
    /// What can be relied on more comes first, then what is faster, then what is played more.
    fn before(&self, other: &Self) -> Ordering {
        let reliable = |measure: Option<Measure>| match measure {
            Some(Measure::CounterVelocity | Measure::CounterVelocityPeak) => 2,
            Some(Measure::SampleVelocity) => 1,
            None => 0,
        };
        let rank = |subject: &Self| {
            let (score, measure) = subject.score().unzip();
            let weighted = subject.stats().and_then(|stats| stats.engagement_weighted_velocity);
            (reliable(measure), score.unwrap_or_default(), weighted.unwrap_or_default())
        };
        let (mine, others) = (rank(self), rank(other));
        let names = |subject: &Self| (subject.hashtag.hashtag.clone(), subject.region.region);
        (others.0.cmp(&mine.0))
            .then_with(|| others.1.total_cmp(&mine.1))
            .then_with(|| others.2.total_cmp(&mine.2))
            .then_with(|| names(self).cmp(&names(other)))
    }

    fn trend(&self) -> Trend {
        let (score, score_is) = self.score().unzip();
        let stats = self.stats();
        let why = self.why(score_is);
        Trend {
            rank: 0,
            hashtag: self.hashtag.hashtag.to_string(),
            group: self.hashtag.group.to_string(),
            region: self.region.region.to_string(),
            score,
            score_is,
            velocity: Velocity {
                counter: self.facts.velocity,
                counter_peak: self.facts.velocity_peak,
                counter_mean: self.facts.velocity_mean,
                sample: stats.map(|stats| stats.velocity),
                engagement_weighted: stats.and_then(|stats| stats.engagement_weighted_velocity),
            },
            signals: signals(&why),
            why,
            totals: Totals {
                posts: self.current(self.hashtag.posts.as_ref()),
                views: self.current(self.hashtag.views.as_ref()),
                age_seconds: self.age(self.hashtag.refresh.last_success),
            },
            commerce: self.hashtag.commerce,
            certainty: self.certainty(score_is),
            posting_window: self.posting_window(),
            posts: Vec::new(),
        }
    }

    /// The region's sample, unless it is missing or too old.
    fn sample(&self) -> Option<&Sampled> {
        self.region.sample.as_ref().filter(|sample| self.hashtag.is_current(sample.at, self.now))
    }

    fn stats(&self) -> Option<SampleStats> {
        self.sample().map(Sampled::stats)
    }

    /// The sample velocity, where it is one: a sample that does not reach back a week has none.
    fn sample_velocity(&self) -> Option<f64> {
        self.stats().filter(|stats| !stats.saturated).map(|stats| stats.velocity)
    }

    fn score(&self) -> Option<(f64, Measure)> {
        let peak = self.facts.velocity_peak.map(|peak| (peak, Measure::CounterVelocityPeak));
        let counter = self.facts.velocity.map(|velocity| (velocity, Measure::CounterVelocity));
        peak.or(counter).or_else(|| Some((self.sample_velocity()?, Measure::SampleVelocity)))
    }

    fn why(&self, score_is: Option<Measure>) -> Vec<Check> {
        let (facts, limits) = (&self.facts, self.thresholds);
        let at_least = |name, value: Option<f64>, threshold: f64| Check {
            name: String::from(name),
            value,
            needs: Comparison::AtLeast,
            threshold,
            met: value.is_some_and(|value| value >= threshold),
        };
        let at_most = |name, value: Option<f64>, threshold: f64| Check {
            name: String::from(name),
            value,
            needs: Comparison::AtMost,
            threshold,
            met: value.is_some_and(|value| value <= threshold),
        };
        let mut checks = Vec::new();
        if score_is == Some(Measure::CounterVelocityPeak) {
            checks.push(at_least("peak_heating_up", facts.velocity_peak, limits.heating_up));
        }
        if facts.velocity.is_some() {
            checks.push(at_least("heating_up", facts.velocity, limits.heating_up));
            checks.push(at_least("trend_candidate", facts.velocity, limits.trend_candidate));
            checks.push(at_most("steady_chance", facts.chance, limits.chance));
            checks.push(at_least("posts_gain_steps", facts.posts_gain_steps, limits.posts_gain_steps));
            if let Some(before) = facts.posts_gain_week_before {
                checks.push(at_least("posts_gain", facts.posts_gain, limits.heating_up * before));
            }
            if facts.week_chance.is_some() {
                checks.push(at_most("week_chance", facts.week_chance, limits.week_chance));
            }
        } else if self.stats().is_some() {
            let velocity = self.sample_velocity();
            checks.push(at_least("sample_heating_up", velocity, limits.heating_up));
            checks.push(at_least("sample_trend_candidate", velocity, limits.trend_candidate));
        }
        if facts.views_zscore.is_some() {
            // After a gap a steady count scores as high as the times of its readings.
            let gap = facts.readings_zscore.filter(|score| *score > limits.gap_zscore);
            let zscore = limits.views_zscore.max(gap.map_or(0.0, |score| score * limits.gap_factor));
            checks.push(at_least("views_zscore", facts.views_zscore, zscore));
            checks.push(at_least("views_gain", facts.views_gain, limits.views_gain));
            checks.push(at_least("views_gain_steps", facts.views_gain_steps, limits.views_gain_steps));
            // A post count that does not change is no evidence.
            if facts.posts_gain_week.is_some_and(|posts| posts > 0.0) {
                checks.push(at_least("posts_gain_week", facts.posts_gain_week, limits.posts_gain_week));
            }
        }
        checks
    }

    fn certainty(&self, score_is: Option<Measure>) -> Certainty {
        let (sample, stats) = (self.sample(), self.stats());
        let by_counter = self.facts.velocity.is_some();
        let chance = if by_counter {
            self.facts.chance
        } else {
            self.sample_velocity()
                .and(stats)
                .and_then(|stats| steady_p_value(stats.posts_24h, stats.posts_7d))
        };
        let totals_fresh = self.is_fresh(&self.hashtag.refresh);
        let sample_fresh = self.is_fresh(&self.region.refresh);
        let mut doubts = Vec::new();
        if !by_counter {
            doubts.push("counted in one sample of posts, not in the growth of the total".to_owned());
            match stats {
                Some(stats) if stats.saturated => doubts.push(
                    "the sample does not reach back 7 days: its velocity reflects its size, not a trend"
                        .to_owned(),
                ),
                Some(stats) if stats.posts_7d < FEW_POSTS => {
                    doubts.push(format!("only {} posts of the last 7 days in the sample", stats.posts_7d));
                }
                _ => {}
            }
        }
        if let Some(chance) = chance.filter(|chance| *chance > self.thresholds.chance) {
            doubts.push(format!(
                "upper bound on the probability that a steady stream produces this: {:.1} %",
                chance * 100.0
            ));
        }
        if !totals_fresh && score_is != Some(Measure::SampleVelocity) {
            doubts.push("the totals are not fresh".to_owned());
        }
        match stats {
            None => doubts.push("no sample of posts that is young enough".to_owned()),
            Some(_) if !sample_fresh => doubts.push("the sample of posts is not fresh".to_owned()),
            _ => {}
        }
        if let Some(share) =
            stats.and_then(|stats| stats.region_match_ratio).filter(|share| *share < FEW_FROM_HERE)
        {
            let (share, region) = (share * 100.0, self.region.region);
            doubts.push(format!("only {share:.0} % of the sampled posts are from {region}"));
        }
        Certainty {
            level: match doubts.len() {
                0 => Level::High,
                1 => Level::Medium,
                _ => Level::Low,
            },
            doubts,
            chance,
            sample_posts: stats.map(|stats| stats.posts_all),
            sample_posts_24h: stats.map(|stats| stats.posts_24h),
            sample_posts_7d: stats.map(|stats| stats.posts_7d),
            saturated: stats.map(|stats| stats.saturated),
            sample_age_seconds: sample.map(|sample| self.now.saturating_since(sample.at).as_secs()),
            fresh: totals_fresh && sample_fresh,
            region_match_ratio: stats.and_then(|stats| stats.region_match_ratio),
        }
    }

    /// From the latch of the rules, which remembers on which side of the thresholds it was; else from
    /// the sample of now.
    fn posting_window(&self) -> PostingWindow {
        let limits = self.thresholds;
        let (state, note) = match (self.facts.posting_window, self.sample_velocity()) {
            (Some(open), _) => {
                let state = if open > 0.0 { WindowState::Open } else { WindowState::Closed };
                (state, "by the rules in Prometheus".to_owned())
            }
            (None, Some(velocity)) => {
                let state = match velocity {
                    velocity if velocity >= limits.window_open => WindowState::Open,
                    velocity if velocity < limits.window_close => WindowState::Closed,
                    _ => WindowState::Hold,
                };
                let note = format!(
                    "by the sample velocity {velocity:.2}: opens at {:.2}, closes below {:.2}",
                    limits.window_open, limits.window_close
                );
                (state, note)
            }
            (None, None) => (WindowState::Unknown, "nothing to go by".to_owned()),
        };
        PostingWindow { state, note }
    }

    fn current(&self, reading: Option<&Reading>) -> Option<u64> {
        reading.filter(|reading| self.hashtag.is_current(reading.at, self.now)).map(Reading::value)
    }

    fn is_fresh(&self, refresh: &Refresh) -> bool {
        let most = refresh.interval.max(SHORTEST_INTERVAL).saturating_mul(FRESH_INTERVALS);
        refresh.last_success.is_some_and(|at| at.age(self.now).is_some_and(|age| age <= most))
    }

    fn age(&self, at: Option<Timestamp>) -> Option<u64> {
        at.and_then(|at| at.age(self.now)).map(|age| age.as_secs())
    }

    fn best(&self, posts: impl Fn(&Hashtag, Region) -> Vec<Post>) -> Vec<PublicPost> {
        let posts = self.sample().map_or(Vec::new(), |_| posts(&self.hashtag.hashtag, self.region.region));
        posts.iter().map(|post| PublicPost::new(post, self.now)).collect()
    }
}

/// What the checks amount to, as the alerts of the rules put them together.
fn signals(checks: &[Check]) -> Vec<Signal> {
    let met = |name: &str| checks.iter().any(|check| check.name == name && check.met);
    // What holds a signal back only where it is known.
    let stands = |name: &str| checks.iter().all(|check| check.name != name || check.met);
    let mut signals = Vec::new();
    if met("views_zscore") && met("views_gain") && met("views_gain_steps") && stands("posts_gain_week") {
        signals.push(Signal::Trending);
    }
    let is_sure =
        met("steady_chance") && met("posts_gain_steps") && stands("posts_gain") && stands("week_chance");
    if (met("trend_candidate") && is_sure) || met("sample_trend_candidate") {
        signals.push(Signal::TrendCandidate);
    } else if (met("heating_up") && is_sure) || met("sample_heating_up") {
        signals.push(Signal::HeatingUp);
    }
    signals
}
