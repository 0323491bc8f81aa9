//! Parts of a report in words, alike on every page.

use std::time::Duration;

use units::human::{short, span};

use super::{Certainty, Check, Comparison, Level, Measure, Report, Signal, Trend, WindowState};
use crate::model::PublicPost;

/// The checks in words, those that hold first.
pub(crate) fn checks(trend: &Trend) -> Vec<(bool, String)> {
    let mut said: Vec<(bool, String)> =
        trend.why.iter().map(|check| (check.met, check_text(check))).collect();
    said.sort_by_key(|(met, _)| !met);
    said
}

fn check_text(check: &Check) -> String {
    let (what, of) = match check.name.as_str() {
        "peak_heating_up" => ("highest counter velocity", "heating up"),
        "heating_up" => ("counter velocity", "heating up"),
        "trend_candidate" => ("counter velocity", "trend candidate"),
        "sample_heating_up" => ("sample velocity", "heating up"),
        "sample_trend_candidate" => ("sample velocity", "trend candidate"),
        "steady_chance" => ("probability that a steady stream produces this, at most", "no accident"),
        "posts_gain_steps" => ("posts gained in a day, in steps of rounding", "more than rounding"),
        "posts_gain" => ("posts gained in a day", "no weekly rhythm"),
        "week_chance" => {
            ("probability that a day as busy as a week ago produces this, at most", "no accident")
        }
        "posts_gain_week" => ("posts gained in a week", "more than one post that many see"),
        "views_zscore" => ("views against 14 days, in standard deviations", "trending"),
        "views_gain" => ("views gained in a day", "worth a word"),
        "views_gain_steps" => ("views gained in a day, in steps of rounding", "more than rounding"),
        other => (other, "threshold"),
    };
    let value = check.value.map_or("unknown".to_owned(), number);
    let relation = match check.needs {
        Comparison::AtLeast => "from",
        Comparison::AtMost => "up to",
    };
    format!("{what} {value} ({of} {relation} {})", number(check.threshold))
}

/// A number for people: large ones abbreviated, small ones not as zero.
fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 1_000.0 && value > 0.0 => short(value as u64),
        size if size < 0.01 => format!("{value:.0e}"),
        size if size >= 10.0 && value.fract() == 0.0 => value.to_string(),
        _ => format!("{value:.2}"),
    }
}

/// How sure, and what speaks against it.
fn sure(certainty: &Certainty) -> (&'static str, String) {
    let level = match certainty.level {
        Level::High => "high",
        Level::Medium => "medium",
        Level::Low => "low",
    };
    let mut facts = Vec::new();
    if let (Some(all), Some(week)) = (certainty.sample_posts, certainty.sample_posts_7d) {
        facts.push(format!("sample of {all} posts, {week} of the last 7 days"));
    }
    if let Some(age) = certainty.sample_age_seconds {
        facts.push(format!("taken {} ago", span(Duration::from_secs(age))));
    }
    facts.extend(certainty.doubts.iter().cloned());
    (level, facts.join("; "))
}

/// The counts of a post that are known, and how old it is.
pub(crate) fn counts(post: &PublicPost) -> String {
    let counts = [
        ("plays", post.plays),
        ("likes", post.likes),
        ("comments", post.comments),
        ("shares", post.shares),
        ("saves", post.saves),
    ];
    let known = counts.iter().filter_map(|(name, count)| Some(format!("{} {name}", short((*count)?))));
    let age = post.age_seconds.map(|age| format!("{} old", span(Duration::from_secs(age))));
    known.chain(age).collect::<Vec<_>>().join(", ")
}

impl Report {
    /// What it is about.
    pub fn title(&self) -> String {
        let group = self.asked.group.as_ref().map(|group| format!(" for {group}"));
        let region = self.asked.region.as_ref().map(|region| format!(" in {region}"));
        let hashtag = self.asked.hashtag.as_ref().map(|hashtag| format!(": #{hashtag}"));
        let parts = [group, region, hashtag].into_iter().flatten().collect::<String>();
        match self.asked.since_seconds {
            None => format!("Creator brief{parts}"),
            Some(since) => format!("Creator brief{parts}, last {}", span(Duration::from_secs(since))),
        }
    }
}

impl Measure {
    /// The measure in words.
    pub fn words(self) -> &'static str {
        match self {
            Measure::CounterVelocity => "counter velocity",
            Measure::CounterVelocityPeak => "highest counter velocity",
            Measure::SampleVelocity => "sample velocity",
        }
    }
}

impl Signal {
    /// The signal in words.
    pub fn words(self) -> &'static str {
        match self {
            Signal::Trending => "trending",
            Signal::TrendCandidate => "trend candidate",
            Signal::HeatingUp => "heating up",
        }
    }
}

impl WindowState {
    /// What to do.
    pub fn words(self) -> &'static str {
        match self {
            WindowState::Open => "open: post now",
            WindowState::Hold => "hold: go on as before",
            WindowState::Closed => "closed: do not push it",
            WindowState::Unknown => "unknown",
        }
    }
}

impl Trend {
    /// Its score in words.
    pub fn score_words(&self) -> String {
        match (self.score, self.score_is) {
            (Some(score), Some(measure)) => format!("{score:.2} ({})", measure.words()),
            _ => "unknown".to_owned(),
        }
    }

    /// Its signals in words.
    pub fn signal_words(&self) -> String {
        match self.signals.as_slice() {
            [] => "none".to_owned(),
            signals => signals.iter().map(|signal| signal.words()).collect::<Vec<_>>().join(", "),
        }
    }

    /// All facts except its checks and posts: names and texts.
    pub fn facts(&self) -> Vec<(&'static str, String)> {
        let count =
            |count: Option<u64>, noun| format!("{} {noun}", count.map_or("unknown".to_owned(), short));
        let commerce = match self.commerce {
            Some(true) => "yes, the platform flags it",
            Some(false) => "no",
            None => "unknown",
        };
        let mut velocity = self.score_words();
        if let (Some(now), Some(mean)) = (self.velocity.counter, self.velocity.counter_mean) {
            velocity.push_str(&format!(", {mean:.2} on average, {now:.2} now"));
        }
        let (level, doubts) = sure(&self.certainty);
        vec![
            ("Velocity", velocity),
            ("Signals", self.signal_words()),
            (
                "Posting window",
                format!("{} ({})", self.posting_window.state.words(), self.posting_window.note),
            ),
            (
                "Worldwide",
                format!("{}, {}", count(self.totals.posts, "posts"), count(self.totals.views, "views")),
            ),
            ("Commercial", commerce.to_owned()),
            ("How sure", if doubts.is_empty() { level.to_owned() } else { format!("{level}: {doubts}") }),
        ]
    }
}
