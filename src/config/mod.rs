//! The configuration: built-in defaults, then a TOML file, then environment variables named as in
//! `TIKTOK_EXPORTER__API__TIMEOUT`.
//!
//! Reading never stops at the first problem: every invalid value and every unknown key is reported. The API key
//! is read separately, by [`api_key`], and is in none of these structs.

mod api;
mod budget;
mod discover;
mod env;
mod key;
mod posts;
mod prometheus;
mod refresh;
mod schema;
mod section;
mod shard;
mod source;
mod store;
mod tables;
mod url;
mod value;
mod watch;
mod web;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use tiktok_api::Hashtag;
use units::{Credits, Problem, Problems};

pub use api::ApiConfig;
pub use budget::check_dates;
pub use env::process_environment;
pub use key::{ApiKey, KeySource, api_key, key_variable};
pub use posts::PostsConfig;
pub use prometheus::PrometheusConfig;
pub use refresh::RefreshConfig;
pub use store::StoreConfig;
pub use web::WebConfig;

use crate::credits::{Limits, Need, Pace, Workload, cost};
use crate::discovery::Followed;
use crate::watch::{Block, Shard, Watchlist};
use section::Findings;
use tables::Tables;

/// A configuration in which every value is within its range.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// How requests reach the API.
    pub api: ApiConfig,
    /// How often values are refreshed.
    pub refresh: RefreshConfig,
    /// How large a sample of posts is.
    pub posts: PostsConfig,
    /// How many credits may be spent: this exporter's share.
    pub budget: Limits,
    /// Where the history is stored.
    pub prometheus: PrometheusConfig,
    /// Where the metrics are served.
    pub web: WebConfig,
    /// Where the ledger is stored.
    pub store: StoreConfig,
    /// Which of several exporters this one is.
    pub shard: Shard,
    /// What is watched: this exporter's part. Empty only if nothing belongs to this shard, or without a
    /// configuration file.
    pub watchlist: Watchlist,
    /// Which keywords are followed, each once.
    pub following: Vec<Followed>,
}

/// A valid configuration and its warnings.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is valid but probably not intended, as `key: what is risky`.
    pub warnings: Vec<String>,
}

impl Config {
    /// The work that it gives the exporter, and the limits.
    pub fn workload(&self) -> Workload<'_> {
        Workload {
            watchlist: &self.watchlist,
            following: &self.following,
            limits: self.budget,
            rate_limit_per_minute: self.api.rate_limit_per_minute,
        }
    }
}

/// Loads the file at `path`; the variables of `environment` override it. Variables of other programs are
/// ignored.
///
/// # Errors
///
/// All problems; if the file cannot be read or is not TOML, only that one.
pub fn load(
    path: &Path,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Problems> {
    let toml = source::read(path)?;
    load_named(&path.display().to_string(), &toml, environment, true)
}

/// The defaults, overridden by the variables of `environment`, with an empty watchlist.
///
/// # Errors
///
/// If a variable is invalid.
pub fn defaults(environment: impl IntoIterator<Item = (String, String)>) -> Result<Loaded, Problems> {
    load_named("configuration", "", environment, false)
}

/// Loads a configuration from its text, as [`load`] does.
///
/// # Errors
///
/// As [`load`].
pub fn load_str(
    toml: &str,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Loaded, Problems> {
    load_named("configuration", toml, environment, true)
}

/// Every key, such as `api.timeout`; those of the `[[watch]]` and `[[discover]]` blocks as
/// `watch.group`.
pub fn known_keys() -> Vec<String> {
    schema::keys().map(|(section, key)| format!("{section}.{key}")).collect()
}

fn load_named(
    name: &str,
    toml: &str,
    environment: impl IntoIterator<Item = (String, String)>,
    watches: bool,
) -> Result<Loaded, Problems> {
    let mut findings = Findings::default();
    let file = source::parse(name, toml)?;
    let tables = Tables::merge(file, environment, &mut findings);
    let config = read(tables, watches, &mut findings);
    Problems::none_or(findings.problems)?;
    Ok(Loaded { config, warnings: findings.warnings })
}

/// Reads all tables; the watch blocks only if `watches`. If there are problems in `findings`, the result must not
/// be used.
fn read(mut tables: Tables, watches: bool, findings: &mut Findings) -> Config {
    let mut api = api::read(tables.section("api", findings));
    let refresh = refresh::read(tables.section("refresh", findings), &api);
    let posts = posts::read(tables.section("posts", findings), &api);
    let budget = budget::read(tables.section("budget", findings));
    let prometheus = prometheus::read(tables.section("prometheus", findings));
    let web = web::read(tables.section("web", findings));
    let store = store::read(tables.section("store", findings));
    let shard = shard::read(tables.section("shard", findings), &budget, api.rate_limit_per_minute);
    let max_pairs = watch::read_max_pairs(tables.section("watchlist", findings));
    let given = if watches { tables.blocks(schema::WATCH, findings) } else { Vec::new() };
    let blocks: Vec<Block> = given
        .into_iter()
        .map(|(place, values)| {
            let section = tables.block(place, values, findings);
            watch::read_block(section, &refresh, &posts, &api)
        })
        .collect();
    let (watchlist, duplicates) = Watchlist::merge(&blocks);
    findings.warnings.extend(duplicates.iter().map(ToString::to_string));
    let mut following = Vec::new();
    for (place, values) in tables.blocks(schema::DISCOVER, findings) {
        let section = tables.block(place, values, findings);
        following.extend(discover::read_block(section, &refresh, &posts, &api, &following));
    }
    check_pairs(&watchlist, &following, max_pairs, findings);
    api.rate_limit_per_minute = shard.share(u64::from(api.rate_limit_per_minute)) as u32;
    let budget = budget.share(shard);
    let elsewhere = watchlist.entries.iter().map(|entry| &entry.hashtag).filter(|name| !shard.holds(name));
    let elsewhere: Arc<BTreeSet<Hashtag>> = Arc::new(elsewhere.cloned().collect());
    let watchlist = part(shard, watchlist, findings);
    following.retain(|followed| shard.holds_text(followed.keyword.as_str()));
    for followed in &mut following {
        followed.watched_elsewhere = elsewhere.clone();
    }
    let need = cost::most_needed(&watchlist, &following);
    warn_of_rate(&api, need, findings);
    warn_of_budget(&budget, need, findings);
    Config { api, refresh, posts, budget, prometheus, web, store, shard, watchlist, following }
}

fn check_pairs(watchlist: &Watchlist, following: &[Followed], max_pairs: usize, findings: &mut Findings) {
    let (listed, trials) = (watchlist.pairs(), following.iter().map(Followed::pairs).sum::<usize>());
    if listed + trials > max_pairs {
        let of_trials = if trials > 0 { format!(" and {trials} can be on trial") } else { String::new() };
        findings.problems.push(Problem::new(
            "watchlist.max_pairs",
            format!(
                "{listed} pairs of hashtag and region are watched{of_trials}, more than the cap of {max_pairs}"
            ),
        ));
    }
}

fn part(shard: Shard, whole: Watchlist, findings: &mut Findings) -> Watchlist {
    let listed = whole.entries.len();
    let part = shard.part_of(whole);
    if part.entries.is_empty() && listed > 0 {
        let (index, of) = (shard.index(), shard.of());
        findings.warnings.push(format!(
            "shard.of: none of the {listed} hashtags belongs to shard {index} of {of}: this exporter has nothing to do"
        ));
    }
    part
}

fn warn_of_rate(api: &ApiConfig, need: Need, findings: &mut Findings) {
    let needed = need.total();
    let possible = f64::from(api.rate_limit_per_minute) * 24.0 * 60.0;
    if needed > possible {
        findings.warnings.push(format!(
            "api.rate_limit_per_minute: {} allows {possible:.0} requests a day, but the watchlist may need \
             {needed:.0}: values will be late",
            api.rate_limit_per_minute
        ));
    }
}

fn warn_of_budget(budget: &Limits, need: Need, findings: &mut Findings) {
    let Some(allowed) = budget.daily_allowance() else { return };
    let pace = Pace::new(need, Some(allowed));
    let effects: Vec<String> =
        [("totals", pace.totals), ("posts", pace.posts), ("discovery", pace.discovery)]
            .into_iter()
            .filter(|(_, share)| share.is_short())
            .map(|(what, share)| match share.stretch {
                f64::INFINITY if what == "discovery" => "discovery is paused".to_owned(),
                f64::INFINITY => format!("{what} are paused"),
                factor => format!("intervals of {what} stretch {factor:.1} times"),
            })
            .collect();
    if !effects.is_empty() {
        let needed = Credits::estimated(need.total());
        findings.warnings.push(format!(
            "budget: leaves {} credits a day, but the watchlist may need {needed}: {} (the `plan` subcommand \
             shows what would save most)",
            Credits::estimated(allowed.floor()),
            effects.join(", ")
        ));
    }
}
