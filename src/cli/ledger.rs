//! `ledger`: what was spent, and correcting what the ledger cannot know.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use units::{Clock, Credits, Date, SystemClock, Timestamp};

use super::text::{say, table};
use super::{EXIT_CONFIG, EXIT_USAGE, Format};
use crate::config::{self, Config};
use crate::credits;
use crate::credits::{Standing, Window};
use crate::model::Purpose;
use crate::store::{Beside, Line, StoreError};

/// Flags of `ledger`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file (TOML), which says where the store is
    #[arg(long = "config.file", value_name = "FILE", default_value = "tiktok-exporter.toml", global = true)]
    config_file: PathBuf,
    /// The first day that is shown (UTC), such as 2026-01-31; without it, everything
    #[arg(long, value_name = "DATE", value_parser = Date::parse)]
    since: Option<Date>,
    /// How the table looks
    #[arg(long = "format", value_enum, default_value = "text")]
    report_format: Format,
    #[command(subcommand)]
    correction: Option<Correction>,
}

#[derive(Debug, clap::Subcommand)]
enum Correction {
    /// Say that the account holds so many credits now; also while the exporter runs. Of several exporters
    /// ([shard]) each must be told, and takes its share
    ResetBalance {
        /// How many are on the account; without it, budget.balance of the configuration
        #[arg(long, value_name = "N")]
        credits: Option<u64>,
    },
    /// Take entries that a wrong clock dated into the future for today's, so that spending goes on
    AcceptClock,
}

/// Exits with 0 and the table on standard output.
pub(super) fn run(args: &Args) -> ExitCode {
    let config = match config::load(&args.config_file, config::process_environment()) {
        Ok(loaded) => loaded.config,
        Err(problems) => {
            say(std::io::stderr(), &problems.to_string());
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    if args.correction.is_some() && args.since.is_some() {
        say(std::io::stderr(), "--since: goes with the table, not with a correction");
        return ExitCode::from(EXIT_USAGE);
    }
    let now = SystemClock.now();
    let done = match &args.correction {
        None => show(args, &config, now),
        Some(Correction::AcceptClock) => accept_clock(&config, now),
        Some(Correction::ResetBalance { credits }) => {
            let Some(configured) = config.budget.balance else {
                let advice =
                    "set it together with budget.balance_counted_on; without it no balance is watched";
                say(std::io::stderr(), &format!("budget.balance: is not set ({advice})"));
                return ExitCode::from(EXIT_CONFIG);
            };
            // The configured one has been shared out already.
            let share = credits.map_or(configured.credits, |all| Credits::new(config.shard.share(all)));
            reset_balance(&config, share, now)
        }
    };
    match done {
        Ok(text) => {
            say(std::io::stdout(), &text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            say(std::io::stderr(), &format!("store.path: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// A running exporter notices before it spends the next credit: the count and everything spent so
/// far are written in one transaction, and what it spends later comes off the count.
fn reset_balance(config: &Config, share: Credits, now: Timestamp) -> Result<String, StoreError> {
    let beside = Beside::open(&config.store.path, true)?;
    let standing = beside.amend(|books| {
        books.count(share, now)?;
        credits::standing(books, config.budget, now)
    })?;
    if standing.limit(Window::Balance) != Some(share) {
        return Ok(
            "noted, but budget.balance_counted_on is later, so the configuration's count holds".to_owned()
        );
    }
    Ok(match config.shard.of() {
        1 => format!("the account holds {share} credits from now on"),
        of => format!(
            "exporter {} of {of} may spend {share} of the account's credits from now on; tell the others, too",
            config.shard.index()
        ),
    })
}

fn accept_clock(config: &Config, now: Timestamp) -> Result<String, StoreError> {
    let moved = Beside::open(&config.store.path, true)?.amend(|books| books.bring_back_to(now))?;
    Ok(format!("{moved} credits that were booked after today count as today's ({})", Date::of(now)))
}

#[derive(Serialize)]
struct Report {
    windows: Vec<WindowReport>,
    lines: Vec<LineReport>,
}

#[derive(Serialize)]
struct WindowReport {
    window: &'static str,
    spent: u64,
    budget: Option<u64>,
    remaining: Option<u64>,
}

#[derive(Serialize)]
struct LineReport {
    day: String,
    endpoint: String,
    purpose: String,
    /// Absent for none, and for all together on days long past.
    hashtag: Option<String>,
    credits: u64,
}

fn show(args: &Args, config: &Config, now: Timestamp) -> Result<String, StoreError> {
    let beside = Beside::open(&config.store.path, false)?;
    let (standing, lines) =
        beside.read(|books| Ok((credits::standing(books, config.budget, now)?, books.lines(args.since)?)))?;
    let report = Report {
        windows: Window::ALL.map(|window| window_report(&standing, window)).into(),
        lines: lines.into_iter().map(LineReport::from).collect(),
    };
    Ok(match args.report_format {
        Format::Text => text(&report),
        // A struct of texts and numbers always has its JSON.
        Format::Json => serde_json::to_string_pretty(&report).unwrap_or_default(),
    })
}

fn window_report(standing: &Standing, window: Window) -> WindowReport {
    WindowReport {
        window: window.as_str(),
        spent: standing.spent(window).all.get(),
        budget: standing.limit(window).map(Credits::get),
        remaining: standing.remaining(window, Purpose::AdHoc).map(Credits::get),
    }
}

impl From<Line> for LineReport {
    fn from(line: Line) -> Self {
        Self {
            day: line.day.to_string(),
            endpoint: line.endpoint,
            purpose: line.purpose,
            hashtag: Some(line.hashtag).filter(|hashtag| !hashtag.is_empty()),
            credits: line.credits.get(),
        }
    }
}

fn text(report: &Report) -> String {
    let mut rows = vec![["day", "endpoint", "purpose", "hashtag", "credits"].map(str::to_owned).to_vec()];
    let mut days: BTreeMap<&str, u64> = BTreeMap::new();
    for line in &report.lines {
        *days.entry(&line.day).or_default() += line.credits;
        let hashtag = line.hashtag.as_ref().map_or("-".to_owned(), |hashtag| format!("#{hashtag}"));
        rows.push(vec![
            line.day.clone(),
            line.endpoint.clone(),
            line.purpose.clone(),
            hashtag,
            shown(line.credits),
        ]);
    }
    if report.lines.is_empty() {
        return format!("Nothing was spent.\n\n{}", windows(report));
    }
    let mut sums = vec![["day", "credits"].map(str::to_owned).to_vec()];
    sums.extend(days.iter().map(|(day, credits)| vec![(*day).to_owned(), shown(*credits)]));
    sums.push(vec!["all".to_owned(), shown(days.values().sum())]);
    format!("{}\n\n{}\n\n{}", table(&rows, 4), table(&sums, 1), windows(report))
}

fn windows(report: &Report) -> String {
    let or_none = |credits: Option<u64>| credits.map_or("-".to_owned(), shown);
    let mut rows = vec![["window", "spent", "budget", "remaining"].map(str::to_owned).to_vec()];
    rows.extend(report.windows.iter().map(|window| {
        vec![window.window.to_owned(), shown(window.spent), or_none(window.budget), or_none(window.remaining)]
    }));
    table(&rows, 1)
}

fn shown(credits: u64) -> String {
    Credits::new(credits).to_string()
}
