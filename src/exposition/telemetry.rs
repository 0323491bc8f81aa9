//! What the exporter counts about itself. Every label value is one of a fixed set and starts at 0.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use exporter_web::Refusal;
use prometheus::{
    Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts,
    Registry,
};
use tiktok_api::{Class, Operation};
use units::Timestamp;

use crate::credits::{Need, Pace};
use crate::model::{Purpose, Trip};
use crate::state::{JobKind, Outcome};

/// Seconds; the API answers in about 0.75 s and is given up on after 15 s by default.
const DURATION_BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 15.0];

/// The label value of a request that brought what was asked for.
const SUCCESS: &str = "success";

/// The exporter's own metrics. Methods are named by what happened.
pub struct Telemetry {
    /// Goes up after every change of a metric.
    changes: Arc<AtomicU64>,
    requests: IntCounterVec,
    durations: HistogramVec,
    retries: IntCounterVec,
    breaker: IntGaugeVec,
    paused_until: Gauge,
    cache_queries: IntCounterVec,
    cache_hits: IntCounterVec,
    refreshes: IntCounterVec,
    stretch: GaugeVec,
    planned: Gauge,
    store_errors: IntCounter,
    reload_successful: IntGauge,
    reload_success_time: Gauge,
    refusals: IntCounterVec,
    web_config: IntGauge,
    simulated: IntGauge,
    build: GaugeVec,
}

impl Telemetry {
    /// All at zero.
    ///
    /// # Errors
    ///
    /// None that the caller can cause: a wrong name in this file.
    pub fn new() -> prometheus::Result<Self> {
        let counters = |name, help, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let telemetry = Self {
            changes: Arc::default(),
            requests: counters(
                "tiktok_exporter_upstream_requests_total",
                "Requests sent to the API by endpoint and outcome. What they cost is in tiktok_exporter_credits_spent_total.",
                &["endpoint", "outcome"],
            )?,
            durations: HistogramVec::new(
                HistogramOpts::new(
                    "tiktok_exporter_upstream_request_duration_seconds",
                    "Time from sending a request to the API until its answer was read or given up on, by endpoint.",
                )
                .buckets(DURATION_BUCKETS.to_vec()),
                &["endpoint"],
            )?,
            retries: counters(
                "tiktok_exporter_upstream_retries_total",
                "Requests that were sent again after a passing failure, by endpoint; contained in the requests.",
                &["endpoint"],
            )?,
            breaker: IntGaugeVec::new(
                Opts::new(
                    "tiktok_exporter_upstream_breaker_open",
                    "1 while all requests are stopped for this reason: auth (the API refuses the key) or \
                     credits_exhausted (the account cannot pay); else 0.",
                ),
                &["reason"],
            )?,
            paused_until: Gauge::new(
                "tiktok_exporter_upstream_paused_until_timestamp_seconds",
                "Until when nothing is sent because the API last asked to slow down (429, Retry-After); in the past \
                 once that is over. 0 if it never asked since the start or since the settings of the API changed.",
            )?,
            cache_queries: counters(
                "tiktok_exporter_cache_queries_total",
                "Questions put to the cache of answers before a request is sent, by endpoint.",
                &["endpoint"],
            )?,
            cache_hits: counters(
                "tiktok_exporter_cache_hits_total",
                "Questions that the cache, or a request already under way, answered without costing a credit, by endpoint.",
                &["endpoint"],
            )?,
            refreshes: counters(
                "tiktok_exporter_refreshes_total",
                "Refresh jobs that ended, by kind and outcome: success, not_found, or failed after all retries.",
                &["kind", "outcome"],
            )?,
            stretch: GaugeVec::new(
                Opts::new(
                    "tiktok_exporter_stretch_factor",
                    "Factor by which the budget stretches all intervals of a purpose: 1 as configured, +Inf paused. \
                     Discovery gives way before posts, posts before totals.",
                ),
                &["purpose"],
            )?,
            // Not shown: the forecast is made of it at every look.
            planned: Gauge::new("planned", "Credits a day at which the loop goes.")?,
            store_errors: IntCounter::new(
                "tiktok_exporter_store_errors_total",
                "Results that could not be written to, or read from, the store on disk.",
            )?,
            reload_successful: IntGauge::new(
                "tiktok_exporter_config_last_reload_successful",
                "1 if the last attempt to load the configuration succeeded, 0 if the old one is still in force.",
            )?,
            reload_success_time: Gauge::new(
                "tiktok_exporter_config_last_reload_success_timestamp_seconds",
                "When the configuration was last loaded with success.",
            )?,
            refusals: counters(
                "tiktok_exporter_web_refused_total",
                "Connections and requests that the web server refused, by reason.",
                &["reason"],
            )?,
            web_config: IntGauge::new(
                "tiktok_exporter_web_config_last_reload_successful",
                "1 if the web configuration file is in force as it is now, or none is used; 0 if it or a file it names \
                 cannot be used and an earlier state is still in force.",
            )?,
            simulated: IntGauge::new(
                "tiktok_exporter_simulated_data",
                "1 if the upstream says that it is a simulator: no result on this page is real then; else 0.",
            )?,
            build: GaugeVec::new(
                Opts::new(
                    "tiktok_exporter_build_info",
                    "Constant 1, with the version, operating system and processor architecture of the program.",
                ),
                &["version", "os", "arch"],
            )?,
        };
        telemetry.start_at_zero();
        Ok(telemetry)
    }

    fn start_at_zero(&self) {
        for endpoint in Operation::ALL {
            let name = endpoint.as_str();
            for outcome in Class::ALL.map(Class::as_str).into_iter().chain([SUCCESS]) {
                self.requests.with_label_values(&[name, outcome]);
            }
            self.durations.with_label_values(&[name]);
            self.retries.with_label_values(&[name]);
            self.cache_queries.with_label_values(&[name]);
            self.cache_hits.with_label_values(&[name]);
        }
        for kind in JobKind::ALL {
            for outcome in Outcome::ALL {
                self.refreshes.with_label_values(&[kind.as_str(), outcome.as_str()]);
            }
        }
        for refusal in Refusal::ALL {
            self.refusals.with_label_values(&[refusal.as_str()]);
        }
        self.web_config.set(1);
        self.breaker_is(None);
        self.pace_is(&Pace::new(Need::default(), None));
        let version = env!("CARGO_PKG_VERSION");
        self.build.with_label_values(&[version, std::env::consts::OS, std::env::consts::ARCH]).set(1.0);
    }

    /// Makes the metrics part of `registry`'s page.
    pub(super) fn register(&self, registry: &Registry) -> prometheus::Result<()> {
        for vector in [
            &self.requests,
            &self.retries,
            &self.cache_queries,
            &self.cache_hits,
            &self.refreshes,
            &self.refusals,
        ] {
            registry.register(Box::new(vector.clone()))?;
        }
        registry.register(Box::new(self.durations.clone()))?;
        registry.register(Box::new(self.breaker.clone()))?;
        registry.register(Box::new(self.paused_until.clone()))?;
        registry.register(Box::new(self.stretch.clone()))?;
        registry.register(Box::new(self.store_errors.clone()))?;
        registry.register(Box::new(self.reload_successful.clone()))?;
        registry.register(Box::new(self.reload_success_time.clone()))?;
        registry.register(Box::new(self.web_config.clone()))?;
        registry.register(Box::new(self.simulated.clone()))?;
        registry.register(Box::new(self.build.clone()))
    }

    /// A number that goes up after every change.
    pub(super) fn changes(&self) -> Arc<AtomicU64> {
        self.changes.clone()
    }

    fn changed(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// A request was sent and ended, after `took`.
    pub fn request_finished(&self, endpoint: Operation, outcome: Result<(), Class>, took: Duration) {
        let outcome = outcome.err().map_or(SUCCESS, Class::as_str);
        self.requests.with_label_values(&[endpoint.as_str(), outcome]).inc();
        self.durations.with_label_values(&[endpoint.as_str()]).observe(took.as_secs_f64());
        self.changed();
    }

    /// A failed request is sent again.
    pub fn request_retried(&self, endpoint: Operation) {
        self.retries.with_label_values(&[endpoint.as_str()]).inc();
        self.changed();
    }

    /// The cache was asked, and knew the answer or not.
    pub fn cache_queried(&self, endpoint: Operation, hit: bool) {
        self.cache_queries.with_label_values(&[endpoint.as_str()]).inc();
        self.cache_hits.with_label_values(&[endpoint.as_str()]).inc_by(u64::from(hit));
        self.changed();
    }

    /// All requests are stopped for this reason, or none is.
    pub fn breaker_is(&self, open: Option<Trip>) {
        for trip in Trip::ALL {
            self.breaker.with_label_values(&[trip.as_str()]).set(i64::from(open == Some(trip)));
        }
        self.changed();
    }

    /// The API asked to send nothing until then; `None` if it did not.
    pub fn paused_until(&self, at: Option<Timestamp>) {
        self.paused_until.set(at.map_or(0.0, Timestamp::as_secs_f64));
        self.changed();
    }

    /// Why all requests are stopped, if they are.
    pub fn breaker(&self) -> Option<Trip> {
        Trip::ALL.into_iter().find(|trip| self.breaker.with_label_values(&[trip.as_str()]).get() == 1)
    }

    /// A refresh job ended.
    pub fn refreshed(&self, kind: JobKind, outcome: Outcome) {
        self.refreshes.with_label_values(&[kind.as_str(), outcome.as_str()]).inc();
        self.changed();
    }

    /// Credits a day at which the loop goes.
    pub(super) fn planned(&self) -> Gauge {
        self.planned.clone()
    }

    /// The budget lets the loop go at this pace.
    pub fn pace_is(&self, pace: &Pace) {
        let shares = [
            (Purpose::Totals, pace.totals),
            (Purpose::Posts, pace.posts),
            (Purpose::Discovery, pace.discovery),
        ];
        for (purpose, share) in shares {
            self.stretch.with_label_values(&[purpose.as_str()]).set(share.stretch);
        }
        self.planned.set(pace.per_day());
        self.changed();
    }

    /// The store could not be written or read.
    pub fn store_failed(&self) {
        self.store_errors.inc();
        self.changed();
    }

    /// The configuration was loaded.
    pub fn reloaded(&self, at: Timestamp) {
        self.reload_successful.set(1);
        self.reload_success_time.set(at.as_secs_f64());
        self.changed();
    }

    /// The configuration could not be loaded; the old one stays.
    pub fn reload_failed(&self) {
        self.reload_successful.set(0);
        self.changed();
    }

    /// The web server turned somebody away.
    pub fn refused(&self, refusal: Refusal) {
        self.refusals.with_label_values(&[refusal.as_str()]).inc();
        self.changed();
    }

    /// Whether the web configuration file is in force as it is now.
    pub fn web_config_is(&self, current: bool) {
        self.web_config.set(i64::from(current));
        self.changed();
    }

    /// An answer came from a simulator.
    pub fn upstream_is_simulated(&self) {
        self.simulated.set(1);
        self.changed();
    }

    /// Whether an answer ever came from a simulator.
    pub fn is_simulated(&self) -> bool {
        self.simulated.get() == 1
    }
}
