//! The command line: one small file per subcommand.
//!
//! Exit codes, as in `sysexits.h`: 0 done, 1 failed, 64 wrong usage, 65 region not supported, 66 no such
//! hashtag, 69 API unavailable, 75 no credits, 77 key refused, 78 wrong configuration.

mod brief;
mod check;
mod demo;
mod health;
mod history;
mod ledger;
mod logging;
mod lookups;
mod notifications;
mod plan;
mod serve;
mod simulate;
mod text;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use exporter_web::ListenAddress;
use tokio::net::TcpListener;
use units::SystemClock;

use crate::app::{App, Options, Source, StartError};

/// The configuration file of commands that need none, if it exists.
const DEFAULT_CONFIG: &str = "tiktok-exporter.toml";

/// The command line is wrong.
const EXIT_USAGE: u8 = 64;
/// The API does not support the region.
const EXIT_REGION: u8 = 65;
/// There is no such hashtag, or nothing that matches.
const EXIT_HASHTAG: u8 = 66;
/// The API has trouble, or its answer cannot be used.
const EXIT_UNAVAILABLE: u8 = 69;
/// The budget, or the account, has no credit for it.
const EXIT_CREDITS: u8 = 75;
/// The API refuses the key.
const EXIT_KEY: u8 = 77;
/// The configuration is wrong.
const EXIT_CONFIG: u8 = 78;

#[derive(Debug, Parser)]
#[command(name = "tiktok-exporter", version, about)]
struct Cli {
    #[command(flatten)]
    logging: logging::Args,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch hashtags through the API and serve /metrics
    Serve(serve::Args),
    /// Try everything on simulated data: no file, no key, no network
    Demo(demo::Args),
    /// Run only the simulated API, for any client
    Simulate(simulate::Args),
    /// Check a configuration and show what it would do and cost
    Check(check::Args),
    /// Show what a configuration costs, how the budget changes it, and what would save most
    Plan(plan::Args),
    /// Show the hashtags worth posting under, why, and the posts that do best there; costs no credits
    Brief(brief::Args),
    /// Write the history of the simulated world for Prometheus
    Backfill(history::BackfillArgs),
    /// Write the history from the table of the published tutorial for Prometheus
    Import(history::ImportArgs),
    /// Look up hashtags: totals, id, flags
    Lookup(lookups::LookupArgs),
    /// Sample the posts of a hashtag and show how far to trust the sample
    Posts(lookups::PostsArgs),
    /// Search for hashtags, or for posts, by keyword
    Search(lookups::SearchArgs),
    /// List the supported regions
    Regions(lookups::RegionsArgs),
    /// Show the spent credits by day, endpoint and hashtag
    Ledger(ledger::Args),
    /// Check that a running exporter is healthy; for health checks of containers
    Health(health::Args),
    /// Show the notifications of Alertmanager on a web page
    Notifications(notifications::Args),
}

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For terminals
    Text,
    /// For programs
    Json,
}

impl Command {
    /// Whether it is an interactive look-up, which prints its own errors.
    fn is_look_up(&self) -> bool {
        matches!(self, Self::Lookup(_) | Self::Posts(_) | Self::Search(_) | Self::Regions(_))
    }
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // If the terminal is closed there is nothing to do.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    logging::start(&cli.logging, cli.command.is_look_up());
    match cli.command {
        Command::Serve(args) => with_runtime(serve::run(args)),
        Command::Demo(args) => with_runtime(demo::run(args)),
        Command::Simulate(args) => with_runtime(simulate::run(args)),
        Command::Check(args) => check::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Brief(args) => with_runtime(brief::run(args)),
        Command::Backfill(args) => history::run_backfill(&args),
        Command::Import(args) => history::run_import(&args),
        Command::Lookup(args) => with_runtime(lookups::run_lookup(args)),
        Command::Posts(args) => with_runtime(lookups::run_posts(args)),
        Command::Search(args) => with_runtime(lookups::run_search(args)),
        Command::Regions(args) => with_runtime(lookups::run_regions(args)),
        Command::Ledger(args) => ledger::run(&args),
        Command::Health(args) => with_runtime(health::run(args)),
        Command::Notifications(args) => with_runtime(notifications::run(args)),
    }
}

/// Runs an async subcommand to its end.
fn with_runtime(subcommand: impl Future<Output = ExitCode>) -> ExitCode {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(subcommand),
        Err(error) => {
            eprintln!("cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Listens on all `addresses`, for a program without a configuration; prints what fails.
async fn listen(addresses: &[ListenAddress]) -> Result<Vec<TcpListener>, ExitCode> {
    exporter_web::bind(addresses).await.map_err(|errors| {
        for error in errors.as_slice() {
            eprintln!("{error} (choose another with --web.listen-address)");
        }
        ExitCode::FAILURE
    })
}

/// Starts the exporter, calls `greet`, and runs it to its end.
async fn run_app(source: Source, options: Options, greet: impl FnOnce(&App)) -> ExitCode {
    let app = match App::start(source, options, std::sync::Arc::new(SystemClock)).await {
        Ok(app) => app,
        Err(error) => return failed(&error),
    };
    greet(&app);
    match app.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Prints why the exporter does not run.
fn failed(error: &StartError) -> ExitCode {
    eprintln!("{error}");
    ExitCode::from(exit_code(error))
}

/// The exit code for a program that cannot start.
fn exit_code(error: &StartError) -> u8 {
    if error.is_of_the_configuration() { EXIT_CONFIG } else { 1 }
}
