//! What alerts said, against what was true.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::support::history::Rule;
use crate::support::prometheus::Prometheus;

/// Seconds: from the first that belongs to it to the last.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    pub from: i64,
    pub to: i64,
}

impl Stretch {
    fn holds(self, time: i64) -> bool {
        (self.from..=self.to).contains(&time)
    }
}

/// How one alert did.
#[derive(Debug, Default)]
pub struct Score {
    /// Seconds from the beginning of each event that was found to its alarm, sorted.
    pub delays: Vec<i64>,
    pub missed: usize,
    pub right: usize,
    /// By what they were about.
    pub false_alarms: BTreeMap<String, usize>,
    /// Series that could have alarmed.
    pub series: usize,
    /// What was false, and what was missed.
    pub remarks: Vec<String>,
}

impl Score {
    /// Events that could be found.
    pub fn events(&self) -> usize {
        self.delays.len() + self.missed
    }

    /// The delay that this share of the found events does not exceed.
    pub fn delay(&self, share: f64) -> Option<i64> {
        let last = self.delays.len().checked_sub(1)?;
        Some(self.delays[(last as f64 * share).round() as usize])
    }
}

/// Adds to a score what alarms did about events. An alarm is right when it begins during an event of either
/// sort, an event of `to_find` is found when an alarm begins or fires during it.
pub fn judge(
    score: &mut Score,
    alarms: &[(String, Stretch)],
    to_find: &[Stretch],
    tolerated: &[Stretch],
    about: &str,
) {
    for (series, alarm) in alarms {
        if to_find.iter().chain(tolerated).any(|event| event.holds(alarm.from)) {
            score.right += 1;
        } else {
            *score.false_alarms.entry(about.to_owned()).or_default() += 1;
            score.remarks.push(format!("false: {series} at {}", when(alarm.from)));
        }
    }
    for event in to_find {
        let of_event = alarms.iter().filter(|(_, alarm)| alarm.from <= event.to && alarm.to >= event.from);
        match of_event.map(|(_, alarm)| (alarm.from - event.from).max(0)).min() {
            Some(delay) => score.delays.push(delay),
            None => {
                score.missed += 1;
                score.remarks.push(format!("missed: {about} at {}", when(event.from)));
            }
        }
    }
    score.delays.sort_unstable();
}

/// The times at which an expression has a value, by series (their labels as text).
pub fn times_by_series(
    prometheus: &Prometheus,
    expr: &str,
    span: (i64, i64, i64),
) -> BTreeMap<String, BTreeSet<i64>> {
    let series = prometheus.range(expr, span).unwrap().into_iter();
    series
        .map(|series| {
            let times = series.points.iter().map(|(time, _)| *time).collect();
            (format!("{:?}", series.labels), times)
        })
        .collect()
}

/// Alarms of one series from the times, `step` apart, at which a condition holds: it must hold for as long as
/// the rule says, then the alarm fires until it is over, and for as long after it as the rule says.
pub fn alarms(
    times: &BTreeSet<i64>,
    rule: &Rule,
    step: i64,
    end: i64,
    over: &dyn Fn(i64) -> bool,
) -> Vec<Stretch> {
    let seconds = |duration: Duration| duration.as_secs() as i64;
    let mut stretches: Vec<Stretch> = Vec::new();
    for &time in times {
        match stretches.last_mut() {
            Some(last) if time - last.to <= step => last.to = time,
            _ => stretches.push(Stretch { from: time, to: time }),
        }
    }
    let mut alarms: Vec<Stretch> = Vec::new();
    for stretch in stretches.into_iter().filter(|stretch| stretch.to - stretch.from >= seconds(rule.holds)) {
        let after = (stretch.to + step..=end).step_by(step.unsigned_abs() as usize);
        let last = after.take_while(|time| !over(*time)).last().unwrap_or(stretch.to);
        let to = last + seconds(rule.keeps_firing);
        match alarms.last_mut() {
            Some(alarm) if stretch.from <= alarm.to + step => alarm.to = alarm.to.max(to),
            _ => alarms.push(Stretch { from: stretch.from + seconds(rule.holds), to }),
        }
    }
    alarms
}

fn when(time: i64) -> String {
    let since = Duration::from_secs(time.unsigned_abs());
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + since).to_string()
}
