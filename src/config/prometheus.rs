//! `[prometheus]`: the server that stores the history, queried for briefs and for the trend feed.

use std::time::Duration;

use url::Url;

use super::section::Section;
use super::url::base_url;
use super::value;

const MINUTE: Duration = Duration::from_secs(60);

/// The Prometheus that stores the history. Never queried during a scrape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrometheusConfig {
    /// `prometheus.url`: base URL of a Prometheus with this project's rules, http or https, without query. Always
    /// ends in a slash. Absent by default: briefs then rank by samples.
    pub url: Option<Url>,
    /// `prometheus.timeout`: maximum time for one whole answer, 100ms to 1m. Default 3s.
    pub timeout: Duration,
}

impl Default for PrometheusConfig {
    fn default() -> Self {
        Self { url: None, timeout: Duration::from_secs(3) }
    }
}

pub(super) fn read(mut section: Section) -> PrometheusConfig {
    let default = PrometheusConfig::default();
    let config = PrometheusConfig {
        url: section.get("url", default.url, |given| {
            base_url(value::filled_text(given)?, "http://127.0.0.1:9090").map(Some)
        }),
        timeout: section.duration("timeout", default.timeout, Duration::from_millis(100)..=MINUTE),
    };
    section.finish();
    config
}
