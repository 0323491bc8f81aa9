//! What a Prometheus with this program's rules has recorded about the watchlist.

use std::collections::HashMap;
use std::time::Duration;

use crate::prometheus::{Client, QueryError, Sample};

/// Facts by hashtag, and the thresholds in force.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    facts: HashMap<String, Facts>,
    /// The thresholds of the rules, or the built-in ones where the rules are not loaded.
    pub thresholds: Thresholds,
}

/// What is recorded of one hashtag. `None` where the rules have too little to go by.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Facts {
    /// The counter velocity.
    pub velocity: Option<f64>,
    /// The highest of it within the time that was asked for.
    pub velocity_peak: Option<f64>,
    /// Its mean over that time.
    pub velocity_mean: Option<f64>,
    /// Upper bound on the probability that a steady stream of posts produces this (p-value).
    pub chance: Option<f64>,
    /// Posts of the last day.
    pub posts_gain: Option<f64>,
    /// The same in steps of the rounded count.
    pub posts_gain_steps: Option<f64>,
    /// Posts of the same day a week ago.
    pub posts_gain_week_before: Option<f64>,
    /// Upper bound on the probability that a day no busier than that one produces as many posts as the last day.
    pub week_chance: Option<f64>,
    /// Posts of the last 7 days.
    pub posts_gain_week: Option<f64>,
    /// 1 while it is time to post, else 0.
    pub posting_window: Option<f64>,
    /// Views against their last 14 days.
    pub views_zscore: Option<f64>,
    /// Views of the last day.
    pub views_gain: Option<f64>,
    /// The same in steps of the rounded count.
    pub views_gain_steps: Option<f64>,
    /// How the times of the readings themselves score: high after a gap.
    pub readings_zscore: Option<f64>,
}

/// The numbers that the rules compare with; see `alerts/parameters.rules.yml`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Thresholds {
    /// Velocity from which a hashtag is heating up.
    pub heating_up: f64,
    /// Velocity from which it is a trend candidate.
    pub trend_candidate: f64,
    /// The highest accepted p-value against a steady stream.
    pub chance: f64,
    /// The highest accepted p-value against the same day a week ago.
    pub week_chance: f64,
    /// A gain of posts of fewer steps is taken for rounding.
    pub posts_gain_steps: f64,
    /// Score of views from which a hashtag is trending.
    pub views_zscore: f64,
    /// Views gained in the day.
    pub views_gain: f64,
    /// The same in steps of the rounded count.
    pub views_gain_steps: f64,
    /// Posts in a week that has any.
    pub posts_gain_week: f64,
    /// Score of the readings' times above which some are missing.
    pub gap_zscore: f64,
    /// By which views must outscore the readings' times then.
    pub gap_factor: f64,
    /// Velocity from which it is time to post.
    pub window_open: f64,
    /// Velocity below which it is not any more.
    pub window_close: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            heating_up: 1.5,
            trend_candidate: 3.0,
            chance: 0.001,
            week_chance: 0.02,
            posts_gain_steps: 3.0,
            views_zscore: 2.75,
            views_gain: 100.0,
            views_gain_steps: 1.7,
            posts_gain_week: 3.0,
            gap_zscore: 2.0,
            gap_factor: 1.5,
            window_open: 2.0,
            window_close: 1.0,
        }
    }
}

type FactOf = fn(&mut Facts) -> &mut Option<f64>;
type ThresholdOf = fn(&mut Thresholds) -> &mut f64;

/// The recorded series of a hashtag.
const FACTS: [(&str, FactOf); 12] = [
    (VELOCITY, |facts| &mut facts.velocity),
    ("hashtag:tiktok_hashtag_posts:velocity_chance", |facts| &mut facts.chance),
    ("hashtag:tiktok_hashtag_posts:gain1d", |facts| &mut facts.posts_gain),
    ("hashtag:tiktok_hashtag_posts:gain1d_steps", |facts| &mut facts.posts_gain_steps),
    ("hashtag:tiktok_hashtag_posts:gain1d_week_before", |facts| &mut facts.posts_gain_week_before),
    ("hashtag:tiktok_hashtag_posts:gain1d_week_chance", |facts| &mut facts.week_chance),
    ("hashtag:tiktok_hashtag_posts:gain7d", |facts| &mut facts.posts_gain_week),
    ("hashtag:tiktok_hashtag_posts:posting_window", |facts| &mut facts.posting_window),
    ("hashtag:tiktok_hashtag_views:zscore14d", |facts| &mut facts.views_zscore),
    ("hashtag:tiktok_hashtag_views:gain1d", |facts| &mut facts.views_gain),
    ("hashtag:tiktok_hashtag_views:gain1d_steps", |facts| &mut facts.views_gain_steps),
    ("hashtag:tiktok_hashtag_last_success_timestamp_seconds:zscore14d", |facts| &mut facts.readings_zscore),
];

const VELOCITY: &str = "hashtag:tiktok_hashtag_posts:velocity";

/// The recorded constants.
const THRESHOLDS: [(&str, ThresholdOf); 13] = [
    ("global:tiktok_heating_up:threshold", |thresholds| &mut thresholds.heating_up),
    ("global:tiktok_trend_candidate:threshold", |thresholds| &mut thresholds.trend_candidate),
    ("global:tiktok_velocity_chance:max", |thresholds| &mut thresholds.chance),
    ("global:tiktok_week_chance:max", |thresholds| &mut thresholds.week_chance),
    ("global:tiktok_gain_steps:min", |thresholds| &mut thresholds.posts_gain_steps),
    ("global:tiktok_trending_zscore:threshold", |thresholds| &mut thresholds.views_zscore),
    ("global:tiktok_trending_gain_views:min", |thresholds| &mut thresholds.views_gain),
    ("global:tiktok_trending_steps:min", |thresholds| &mut thresholds.views_gain_steps),
    ("global:tiktok_trending_posts:min", |thresholds| &mut thresholds.posts_gain_week),
    ("global:tiktok_gap_zscore:max", |thresholds| &mut thresholds.gap_zscore),
    ("global:tiktok_gap_zscore:factor", |thresholds| &mut thresholds.gap_factor),
    ("global:tiktok_posting_window_open:threshold", |thresholds| &mut thresholds.window_open),
    ("global:tiktok_posting_window_close:threshold", |thresholds| &mut thresholds.window_close),
];

impl Thresholds {
    /// The constants by the names under which the rules record them.
    pub fn named(mut self) -> Vec<(&'static str, f64)> {
        THRESHOLDS.iter().map(|(name, of)| (*name, *of(&mut self))).collect()
    }
}

impl Evidence {
    /// The recorded series that are asked for.
    pub fn series() -> impl Iterator<Item = &'static str> {
        FACTS.iter().map(|(name, _)| *name).chain(THRESHOLDS.iter().map(|(name, _)| *name))
    }

    /// Queries `client` for all of it, and with `since` for the velocity in that time.
    ///
    /// # Errors
    ///
    /// When any part of it has no answer.
    pub async fn fetch(client: &Client, since: Option<Duration>) -> Result<Self, QueryError> {
        let names: Vec<&str> = Self::series().collect();
        // Replicas and several exporters are one, as in the rules.
        let now = format!("max by (__name__, hashtag) ({{__name__=~\"{}\"}})", names.join("|"));
        let over = |function: &str| {
            let seconds = since.unwrap_or_default().as_secs();
            format!("max by (hashtag) ({function}_over_time({VELOCITY}[{seconds}s]))")
        };
        let mut evidence = Self::default();
        if since.is_some() {
            let (peak, mean) = (over("max"), over("avg"));
            let (now, peak, mean) =
                tokio::try_join!(client.instant(&now), client.instant(&peak), client.instant(&mean))?;
            evidence.take_named(&now);
            evidence.take(&peak, |facts| &mut facts.velocity_peak);
            evidence.take(&mean, |facts| &mut facts.velocity_mean);
        } else {
            evidence.take_named(&client.instant(&now).await?);
        }
        Ok(evidence)
    }

    /// What is recorded of a hashtag; nothing, if it is unknown there.
    pub fn facts(&self, hashtag: &str) -> Facts {
        self.facts.get(hashtag).copied().unwrap_or_default()
    }

    /// Whether a counter velocity is known of any hashtag.
    pub fn has_velocities(&self) -> bool {
        self.facts.values().any(|facts| facts.velocity.is_some() || facts.velocity_peak.is_some())
    }

    fn take_named(&mut self, samples: &[Sample]) {
        for sample in samples {
            if let Some((_, fact)) = FACTS.iter().find(|(name, _)| *name == sample.name()) {
                self.take(std::slice::from_ref(sample), *fact);
            } else if let Some((_, of)) = THRESHOLDS.iter().find(|(name, _)| *name == sample.name())
                && sample.value.is_finite()
            {
                *of(&mut self.thresholds) = sample.value;
            }
        }
    }

    fn take(&mut self, samples: &[Sample], fact: FactOf) {
        for sample in samples.iter().filter(|sample| sample.value.is_finite()) {
            let facts = self.facts.entry(sample.label("hashtag").to_owned()).or_default();
            *fact(facts) = Some(sample.value);
        }
    }
}

/// Evidence for tests.
impl FromIterator<(String, Facts)> for Evidence {
    fn from_iter<I: IntoIterator<Item = (String, Facts)>>(facts: I) -> Self {
        Self { facts: facts.into_iter().collect(), ..Self::default() }
    }
}
