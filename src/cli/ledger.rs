//! `ledger`: what was spent, and corrections.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use serde::Serialize;
use units::{Clock, Credits, Date, SystemClock, Timestamp};

use super::text::{print, table};
use super::{EXIT_CONFIG, EXIT_USAGE, Format};
use crate::app::{Source, Startup};
use crate::config::Config;
use crate::credits::{self, Standing, Window};
use crate::model::Purpose;
use crate::store::{LedgerEditor, Line, StoreError, StoreReader};

/// Flags of `ledger`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file (TOML), which has the path of the store
    #[arg(long = "config.file", value_name = "FILE", default_value = "tiktok-exporter.toml", global = true)]
    config_file: PathBuf,
    /// The first day to show (UTC), such as 2026-01-31 [default: everything]
    #[arg(long, value_name = "DATE", value_parser = Date::parse)]
    since: Option<Date>,
    /// Output format
    #[arg(long = "format", value_enum, default_value = "text")]
    report_format: Format,
    #[command(subcommand)]
    correction: Option<Correction>,
}

#[derive(Debug, clap::Subcommand)]
enum Correction {
    /// Set the account balance to N credits, also while the exporter runs. With several exporters ([shard]), run
    /// it for each; each takes its share
    ResetBalance {
        /// The credits on the account [default: budget.balance of the configuration]
        #[arg(long, value_name = "N")]
        credits: Option<u64>,
    },
    /// Move entries that a wrong clock dated in the future to today, so that spending can continue
    AcceptClock,
}

/// Exits with 0 and the table on standard output.
pub(super) fn run(args: &Args) -> ExitCode {
    let now = SystemClock.now();
    let config = match Startup::load(&Source::File(args.config_file.clone()), now) {
        Ok(startup) => startup.config,
        Err(problems) => {
            print(std::io::stderr(), &problems.to_string());
            return ExitCode::from(EXIT_CONFIG);
        }
    };
    if args.correction.is_some() && args.since.is_some() {
        print(std::io::stderr(), "--since: applies to the table, not to a correction");
        return ExitCode::from(EXIT_USAGE);
    }
    let done = match &args.correction {
        None => show(args, &config, now),
        Some(Correction::AcceptClock) => accept_clock(&config, now),
        Some(Correction::ResetBalance { credits }) => {
            let Some(configured) = config.budget.balance else {
                let advice =
                    "set it together with budget.balance_counted_on; without it there is no balance to watch";
                print(std::io::stderr(), &format!("budget.balance: is not set ({advice})"));
                return ExitCode::from(EXIT_CONFIG);
            };
            // The configured balance is this exporter's share already.
            let share = credits.map_or(configured.credits, |all| Credits::new(config.shard.share(all)));
            reset_balance(&config, share, now)
        }
    };
    match done {
        Ok(text) => {
            print(std::io::stdout(), &text);
            ExitCode::SUCCESS
        }
        Err(error) => {
            print(std::io::stderr(), &format!("store.path: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// A running exporter reads the new balance before it spends the next credit. The balance and all spending so
/// far are recorded in one transaction; later spending reduces it.
fn reset_balance(config: &Config, share: Credits, now: Timestamp) -> Result<String, StoreError> {
    let editor = LedgerEditor::open(&config.store.path)?;
    let standing = editor.edit(|tx| {
        tx.count(share, now)?;
        credits::standing(tx, config.budget, now)
    })?;
    if standing.limit(Window::Balance) != Some(share) {
        return Ok(
            "recorded, but budget.balance_counted_on is later, so budget.balance of the configuration applies".to_owned()
        );
    }
    Ok(match config.shard.of() {
        1 => format!("the account balance is now {share} credits"),
        of => format!(
            "exporter {} of {of} may now spend {share} of the account's credits; run this for the other exporters, too",
            config.shard.index()
        ),
    })
}

fn accept_clock(config: &Config, now: Timestamp) -> Result<String, StoreError> {
    let moved = LedgerEditor::open(&config.store.path)?.edit(|tx| tx.bring_back_to(now))?;
    Ok(format!("{moved} credits that were dated after today now count as today's ({})", Date::of(now)))
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
    let store = StoreReader::open(&config.store.path)?;
    let (standing, lines) =
        store.read_ledger(|tx| Ok((credits::standing(tx, config.budget, now)?, tx.lines(args.since)?)))?;
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
