//! The exporter's own metrics in a written history: credits, requests, latencies.
//!
//! They assume requests as often as configured, and an API that always answered. The results are refreshed
//! less often, so one of those refreshes stands for several; each sample takes as many pages as the last one.

use std::time::Duration;

use tiktok_api::Operation;
use units::{Credits, DAY, Date, Timestamp};

use super::openmetrics::Samples;
use crate::credits::{ByKind, Standing, Statement};
use crate::model::{JobKind, Purpose, Spent};
use crate::page::own_families;
use crate::state::{ApiStatus, HashtagState};
use crate::telemetry::Telemetry;
use crate::watch::Watched;

/// The operations that repeat; the others would be series of zeros.
const REPEATED: [Operation; 2] = [Operation::HashtagById, Operation::Posts];

pub(super) struct Itself {
    telemetry: Telemetry,
    /// Latency of every answer.
    latency: Duration,
    settled: ByKind,
    day: Date,
    spent_in_day: Spent,
    spent_in_month: Spent,
    api: ApiStatus,
}

impl Itself {
    /// Starts with nothing spent.
    pub(super) fn new(latency: Duration, start: Timestamp) -> prometheus::Result<Self> {
        let telemetry = Telemetry::new()?;
        telemetry.reloaded(start);
        let (settled, day) = (ByKind::default(), Date::of(start));
        let (spent_in_day, spent_in_month) = <(Spent, Spent)>::default();
        Ok(Self {
            telemetry,
            latency,
            settled,
            day,
            spent_in_day,
            spent_in_month,
            api: ApiStatus { simulated: true, ..ApiStatus::default() },
        })
    }

    /// Counts the requests for everything that came due in the `step` before `now`.
    pub(super) fn pass<'a>(
        &mut self,
        watched: impl Iterator<Item = (&'a Watched, &'a HashtagState)>,
        step: Duration,
        now: Timestamp,
    ) {
        let today = Date::of(now);
        if today != self.day {
            self.spent_in_day = Spent::default();
            if today.month_start() != self.day.month_start() {
                self.spent_in_month = Spent::default();
            }
            self.day = today;
        }
        let mut requests = 0;
        for (watched, state) in watched {
            let refreshes = turns(watched.terms.totals_interval, step, now);
            requests += self.count(Operation::HashtagById, Purpose::Job(JobKind::Totals), refreshes);
            let samples = turns(watched.terms.posts_interval, step, now);
            for sampled in state.regions.iter().filter_map(|region| region.sample.as_ref()) {
                let pages = samples * u64::from(sampled.stats().pages);
                requests += self.count(Operation::Posts, Purpose::Job(JobKind::Posts), pages);
            }
        }
        self.api.pace.per_day = requests as f64 * DAY.as_secs_f64() / step.as_secs_f64();
    }

    fn count(&mut self, operation: Operation, purpose: Purpose, times: u64) -> u64 {
        for _ in 0..times {
            self.telemetry.cache_queried(operation, false);
            self.telemetry.request_finished(operation, Ok(()), self.latency);
            self.spent_in_day.add(purpose);
            self.spent_in_month.add(purpose);
        }
        self.settled.add(operation, purpose, Credits::new(times));
        times
    }

    /// Adds the samples that `/metrics` would have had.
    pub(super) fn show(&self, now: Timestamp, samples: &mut Samples) {
        let standing = Standing {
            today: self.day,
            limits: Default::default(),
            reserve: Credits::ZERO,
            spent: [self.spent_in_day, self.spent_in_month, Spent::default()],
        };
        let statement = Statement {
            known: true,
            standing,
            settled: self.settled,
            unsettled: Credits::ZERO,
            unsettled_at_start: Credits::ZERO,
            denied: Default::default(),
            stopped: None,
        };
        for family in own_families(&self.telemetry, &self.api, &statement, now) {
            let name = family.name();
            for metric in family.get_metric() {
                let labels: Vec<(&str, &str)> =
                    metric.get_label().iter().map(|label| (label.name(), label.value())).collect();
                let endpoint = labels.iter().find(|(name, _)| *name == "endpoint").map(|(_, value)| *value);
                if endpoint.is_some_and(|it| REPEATED.iter().all(|repeated| repeated.as_str() != it)) {
                    continue;
                }
                let mut put = |suffix: &str, more: &[(&str, &str)], value: f64| {
                    let labels = labels.iter().chain(more).copied();
                    samples.put(&format!("{name}{suffix}"), labels, now, value);
                };
                let histogram = metric.get_histogram();
                if histogram.get_bucket().is_empty() {
                    put("", &[], metric.get_counter().get_value() + metric.get_gauge().get_value());
                    continue;
                }
                for bucket in histogram.get_bucket() {
                    let bound = bucket.upper_bound().to_string();
                    put("_bucket", &[("le", &bound)], bucket.cumulative_count() as f64);
                }
                put("_bucket", &[("le", "+Inf")], histogram.get_sample_count() as f64);
                put("_count", &[], histogram.get_sample_count() as f64);
                put("_sum", &[], histogram.get_sample_sum());
            }
        }
    }
}

/// How often an interval ends in the `step` before `now`.
fn turns(interval: Duration, step: Duration, now: Timestamp) -> u64 {
    let number = |at: Timestamp| at.as_millis().div_euclid((interval.as_millis() as i64).max(1));
    number(now).abs_diff(number(now - step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_come_round_as_often_as_they_fit() {
        let minute = |n: i64| Timestamp::from_secs(1_780_488_000 + n * 60);
        let seconds = Duration::from_secs;
        for (interval, want) in [(15, 16), (60, 4), (240, 1), (480, 0)] {
            assert_eq!(turns(seconds(interval), seconds(240), minute(4)), want, "every {interval} s");
        }
        let times: u64 = (0..360).map(|n| turns(seconds(3_600), seconds(240), minute(n * 4))).sum();
        assert_eq!(times, 24, "every hour, in a day");
    }
}
