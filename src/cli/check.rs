//! `check`: whether a configuration is usable, and what it would run and cost.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use exporter_web::AccessConfig;
use units::{Clock, Credits, Problems, SystemClock, duration};

use super::EXIT_CONFIG;
use super::text::{count, print};
use crate::app::{Source, Startup};
use crate::config::{ApiKey, Config};
use crate::credits::{Estimate, MONTH_DAYS, cost};
use crate::watch::Watched;

/// Flags of `check`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file (TOML).
    #[arg(long = "config.file", value_name = "FILE")]
    config_file: PathBuf,
    /// The web configuration file, if one is used (YAML)
    #[arg(long = "web.config.file", value_name = "FILE")]
    web_config: Option<PathBuf>,
}

/// What was found.
struct Checked {
    startup: Startup,
    key: Option<ApiKey>,
    web: Option<AccessConfig>,
}

/// Exits with 0 and a summary on standard output, or with 78 and every problem on standard error.
pub(super) fn run(args: &Args) -> ExitCode {
    match load(args) {
        Ok(Checked { startup, key, web }) => {
            let variable = startup.config.api.provider().key_variable;
            let missing = format!("{variable}: no API key is set; it is needed to serve");
            let key_warnings = key.as_ref().map_or(vec![missing], |key| key.warnings.clone());
            let web_warnings = web.as_ref().map_or(&[][..], AccessConfig::warnings);
            for warning in startup.warnings.iter().chain(&key_warnings).chain(web_warnings) {
                print(std::io::stderr(), &format!("warning: {warning}"));
            }
            let name = args.config_file.display();
            let mut summary = summary(&startup.config, key.as_ref());
            if let (Some(web), Some(path)) = (&web, &args.web_config) {
                summary +=
                    &format!("\n{}", fact("access", &format!("{} ({})", web.summary(), path.display())));
            }
            print(std::io::stdout(), &format!("{name} is valid.\n\n{summary}"));
            ExitCode::SUCCESS
        }
        Err(problems) => {
            for problem in &problems {
                print(std::io::stderr(), problem);
            }
            let found = count(problems.len(), "problem");
            print(std::io::stderr(), &format!("{found} in the configuration"));
            ExitCode::from(EXIT_CONFIG)
        }
    }
}

/// Reads both files. The error has one line for every problem of either.
fn load(args: &Args) -> Result<Checked, Vec<String>> {
    let web = args.web_config.as_deref().map(AccessConfig::load).transpose();
    match (load_main(args), web) {
        (Ok((startup, key)), Ok(web)) => Ok(Checked { startup, key, web }),
        (main, web) => {
            let main = main.err().map(|problems| problems.to_string());
            let web = web.err().map(|invalid| invalid.to_string());
            let lines = main.iter().chain(&web).flat_map(|problems| problems.lines());
            Err(lines.map(str::to_owned).collect())
        }
    }
}

fn load_main(args: &Args) -> Result<(Startup, Option<ApiKey>), Problems> {
    let startup = Startup::load(&Source::File(args.config_file.clone()), SystemClock.now())?;
    let key = startup.key()?;
    Ok((startup, key))
}

/// What would run, one fact per line.
fn summary(config: &Config, key: Option<&ApiKey>) -> String {
    let watchlist = &config.watchlist;
    let regions: Vec<String> = watchlist.regions().iter().map(ToString::to_string).collect();
    let groups: Vec<String> = watchlist
        .groups()
        .iter()
        .map(|group| {
            format!("{} ({}, {})", group.name, count(group.hashtags, "hashtag"), count(group.pairs, "pair"))
        })
        .collect();
    let pages: BTreeSet<u32> = watchlist.entries.iter().map(|entry| entry.terms.pages_max).collect();
    let pages: Vec<String> = pages.iter().map(ToString::to_string).collect();
    let need = cost::most_needed(watchlist, &config.following);
    let estimate = Estimate::new(&config.workload(), None, config.api.provider().usd_per_100_000);
    let credits = |days: f64| {
        let [total, totals, posts, discovery] =
            [need.total(), need.totals, need.posts, need.discovery].map(|c| Credits::estimated(c * days));
        let discovery =
            if config.following.is_empty() { String::new() } else { format!(", {discovery} for discovery") };
        format!("at most {total} when nothing fails ({totals} for totals, {posts} for posts{discovery})")
    };
    let rate = config.api.rate_limit_per_minute;
    let share = estimate.rate_limit_share * 100.0;
    let listen_address: Vec<String> = config.web.listen_address.iter().map(ToString::to_string).collect();
    let facts = [
        ("shard", shard(config)),
        ("hashtags", watchlist.entries.len().to_string()),
        ("regions", format!("{} ({})", regions.len(), regions.join(", "))),
        ("pairs", watchlist.pairs().to_string()),
        ("groups", format!("{}: {}", groups.len(), groups.join(", "))),
        ("totals every", distinct(config, |entry| entry.terms.totals_interval)),
        ("posts every", distinct(config, |entry| entry.terms.posts_interval)),
        ("pages per sample", format!("at most {} of {} posts", pages.join(", "), config.posts.page_size)),
        ("values shown for", distinct(config, |entry| entry.terms.max_age)),
        ("discovery", discovery(config)),
        ("credits per day", credits(1.0)),
        ("credits per 30 days", credits(MONTH_DAYS)),
        ("rate limit", format!("{rate} requests per minute, {share:.2} % of it needed")),
        ("API", config.api.base_url.to_string()),
        ("API key", key.map_or("missing".to_owned(), |key| format!("from {}", key.source))),
        ("store", config.store.path.display().to_string()),
        ("listens on", listen_address.join(", ")),
    ];
    facts.map(|(name, value)| fact(name, &value)).join("\n")
}

fn fact(name: &str, value: &str) -> String {
    format!("{name:<20} {value}")
}

/// The keywords that are followed, and how many hashtags may join on trial.
fn discovery(config: &Config) -> String {
    if config.following.is_empty() {
        return "none".to_owned();
    }
    let keywords: Vec<String> =
        config.following.iter().map(|followed| format!("\"{}\"", followed.keyword)).collect();
    let trials: usize = config.following.iter().map(|followed| followed.promote).sum();
    format!("{}, at most {} on trial", keywords.join(", "), count(trials, "hashtag"))
}

/// Which of several exporters this one is; what follows is its part.
fn shard(config: &Config) -> String {
    match (config.shard.index(), config.shard.of()) {
        (_, 1) => "none: one exporter watches everything".to_owned(),
        (index, of) => format!("number {index} of {of}; what follows is its part alone"),
    }
}

/// The different values of one duration over the watchlist, shortest first.
fn distinct(config: &Config, of: impl Fn(&Watched) -> Duration) -> String {
    let values: BTreeSet<Duration> = config.watchlist.entries.iter().map(of).collect();
    values.into_iter().map(duration::show).collect::<Vec<_>>().join(", ")
}
