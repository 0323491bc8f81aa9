//! `[api]`: the paid API.

use std::path::PathBuf;
use std::time::Duration;

use tiktok_api::{Dialect, Provider, is_loopback, is_vendor};
use units::WEEK;
use url::Url;

use super::section::Section;
use super::url::base_url;
use super::value;

const MIB: u64 = 1024 * 1024;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// How requests reach the API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiConfig {
    /// `api.dialect`: the format of requests and answers, which also selects the provider. Default `tiklive`.
    pub dialect: Dialect,
    /// `api.base_url`: base URL of the API, http or https, without query. Always ends in a slash,
    /// so that paths can be joined to it. Default: the provider's, `https://api.tikliveapi.com/`.
    pub base_url: Url,
    /// `api.key_file`: file with the API key and nothing else; a relative path starts at the
    /// working directory. Absent by default. See [`super::api_key`].
    pub key_file: Option<PathBuf>,
    /// `api.timeout`: maximum time for one whole answer, 100ms to 10m. Default 15s.
    pub timeout: Duration,
    /// `api.connect_timeout`: maximum time to connect, 100ms to 10m and at most `timeout`.
    /// Default 5s, or `timeout` when that is shorter.
    pub connect_timeout: Duration,
    /// `api.rate_limit_per_minute`: maximum requests per minute, from 1 to the highest limit that the
    /// provider offers (6000). Default: its standard limit (200).
    pub rate_limit_per_minute: u32,
    /// `api.max_body_bytes`: maximum size of an answer in bytes, 64 KiB to 1 GiB.
    /// Default 8388608 (8 MiB).
    pub max_body_bytes: u64,
    /// `api.concurrency`: maximum requests in flight, 1 to 64. Default 8.
    pub concurrency: u32,
    /// `api.breaker_cooldown`: pause before a trial request after the API has rejected the key
    /// or the credits ran out, 1s to 7d. Default 15m.
    pub breaker_cooldown: Duration,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self::defaults_of(Dialect::default())
    }
}

impl ApiConfig {
    /// The defaults for a dialect.
    fn defaults_of(dialect: Dialect) -> Self {
        let provider = dialect.provider();
        Self {
            dialect,
            base_url: provider.default_base_url(),
            key_file: None,
            timeout: 15 * SECOND,
            connect_timeout: 5 * SECOND,
            rate_limit_per_minute: provider.requests_per_minute,
            max_body_bytes: 8 * MIB,
            concurrency: 8,
            breaker_cooldown: 15 * MINUTE,
        }
    }

    /// The provider of the API.
    pub fn provider(&self) -> &'static Provider {
        self.dialect.provider()
    }

    /// Whether requests go to a provider's own host: real data, for real money.
    pub fn is_vendor(&self) -> bool {
        is_vendor(&self.base_url)
    }
}

pub(super) fn read(mut section: Section) -> ApiConfig {
    let dialect = section.parsed("dialect", Dialect::default(), |label| {
        let known = || Dialect::all().map(Dialect::label).collect::<Vec<_>>().join(", ");
        Dialect::parse(label).ok_or_else(|| format!("is not a known dialect ({})", known()))
    });
    let default = ApiConfig::defaults_of(dialect);
    let provider = dialect.provider();
    let timeouts = SECOND / 10..=10 * MINUTE;
    let timeout = section.duration("timeout", default.timeout, timeouts.clone());
    let config = ApiConfig {
        dialect,
        base_url: section.get("base_url", default.base_url, |given| {
            base_url(value::filled_text(given)?, provider.base_url.trim_end_matches('/'))
        }),
        key_file: section.get("key_file", None, |given| Ok(Some(value::filled_text(given)?.into()))),
        timeout,
        connect_timeout: section.duration("connect_timeout", default.connect_timeout.min(timeout), timeouts),
        rate_limit_per_minute: section.integer(
            "rate_limit_per_minute",
            default.rate_limit_per_minute,
            1..=provider.requests_per_minute_max.into(),
        ),
        max_body_bytes: section.integer("max_body_bytes", default.max_body_bytes, MIB / 16..=1_024 * MIB),
        concurrency: section.integer("concurrency", default.concurrency, 1..=64),
        breaker_cooldown: section.duration("breaker_cooldown", default.breaker_cooldown, SECOND..=WEEK),
    };
    check(&config, &mut section);
    section.finish();
    config
}

fn check(config: &ApiConfig, section: &mut Section) {
    if config.connect_timeout > config.timeout && section.is_valid(&["timeout", "connect_timeout"]) {
        let [connect, whole] = [config.connect_timeout, config.timeout].map(units::duration::show);
        section.problem("connect_timeout", format!("{connect} is longer than api.timeout ({whole})"));
    }
    if config.base_url.scheme() == "http" && !is_loopback(&config.base_url) {
        section
            .warn("base_url", "the API key travels unencrypted; use https unless the host is this machine");
    }
}
