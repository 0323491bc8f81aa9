//! What the exporter counts about itself.
//!
//! Write-only: what decisions depend on is in [`crate::state`], not in a metric. Label values come from
//! enums, and every combination starts at 0.

use std::time::Duration;

use exporter_web::{Observer, Refusal};
use units::Timestamp;

use crate::model::JobKind;
use crate::state::Outcome;
use tiktok_api::{Class, Operation};

/// Seconds. The API answers in about 0.75 s; by default the exporter gives up after 15 s.
const DURATION_BUCKETS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 15.0];

metrics_page::metrics! {
    /// The exporter's own counters. Methods are named by what happened.
    pub struct Telemetry = "the exporter itself";

    /// Constant 1, with the version, operating system and processor architecture of the exporter.
    info build(
        version = env!("CARGO_PKG_VERSION"),
        os = std::env::consts::OS,
        arch = std::env::consts::ARCH
    ) = "tiktok_exporter_build_info";

    /// Lookups that were answered by the cache, or by a request already in flight, and cost no credit, by
    /// endpoint.
    counter cache_hit(endpoint: Operation) = "tiktok_exporter_cache_hits_total";

    /// Lookups in the response cache before a request is sent, by endpoint.
    counter cache_query(endpoint: Operation) = "tiktok_exporter_cache_queries_total";

    /// Time of the last successful configuration load.
    gauge config_reload_time() = "tiktok_exporter_config_last_reload_success_timestamp_seconds";

    /// 1 if the last configuration load succeeded, 0 if it failed and the previous configuration is still in
    /// use.
    gauge config_reload_successful() = "tiktok_exporter_config_last_reload_successful";

    /// Finished refresh jobs by kind and outcome: success, not_found, or failed (after all retries).
    pub counter refreshed(kind: JobKind, outcome: Outcome) = "tiktok_exporter_refreshes_total";

    /// Results that could not be written to or read from the store on disk.
    pub counter store_failed() = "tiktok_exporter_store_errors_total";

    /// Time from sending an API request until its response was read or the exporter gave up, by endpoint.
    histogram request_took(endpoint: Operation)
        = "tiktok_exporter_upstream_request_duration_seconds" in DURATION_BUCKETS;

    /// Requests sent to the API by endpoint and outcome. For their cost see tiktok_exporter_credits_spent_total.
    counter request_ended(endpoint: Operation, outcome: RequestOutcome) = "tiktok_exporter_upstream_requests_total";

    /// Requests that were sent again after a transient failure, by endpoint. They are included in
    /// tiktok_exporter_upstream_requests_total.
    pub counter request_retried(endpoint: Operation) = "tiktok_exporter_upstream_retries_total";

    /// 1 if the current web configuration file is in use, or none is configured; 0 if the file, or a file it
    /// refers to, is invalid and the previous configuration is still in use.
    gauge web_config_successful() = "tiktok_exporter_web_config_last_reload_successful" from 1.0;

    /// Connections and requests that the web server refused, by reason.
    counter web_refused(reason: Refusal) = "tiktok_exporter_web_refused_total";
}

/// How a request ended, as a label.
#[derive(Clone, Copy)]
enum RequestOutcome {
    Success,
    Failed(Class),
}

impl RequestOutcome {
    const ALL: [Self; Class::ALL.len() + 1] = {
        let mut all = [Self::Success; Class::ALL.len() + 1];
        let mut n = 0;
        while n < Class::ALL.len() {
            all[n + 1] = Self::Failed(Class::ALL[n]);
            n += 1;
        }
        all
    };

    fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failed(class) => class.as_str(),
        }
    }
}

impl Telemetry {
    /// A request was sent and ended, after `took`.
    pub fn request_finished(&self, endpoint: Operation, outcome: Result<(), Class>, took: Duration) {
        self.request_ended(
            endpoint,
            outcome.map_or_else(RequestOutcome::Failed, |()| RequestOutcome::Success),
        );
        self.request_took(endpoint, took.as_secs_f64());
    }

    /// The cache was queried, and had the answer or not.
    pub fn cache_queried(&self, endpoint: Operation, hit: bool) {
        self.cache_query(endpoint);
        if hit {
            self.cache_hit(endpoint);
        }
    }

    /// The configuration was loaded at `at`.
    pub fn reloaded(&self, at: Timestamp) {
        self.config_reload_successful(1.0);
        self.config_reload_time(at.as_secs_f64());
    }

    /// The configuration could not be loaded; the previous one stays in use.
    pub fn reload_failed(&self) {
        self.config_reload_successful(0.0);
    }
}

impl Observer for Telemetry {
    fn refused(&self, reason: Refusal) {
        self.web_refused(reason);
    }

    fn config_reloaded(&self, valid: bool) {
        self.web_config_successful(f64::from(u8::from(valid)));
    }
}
