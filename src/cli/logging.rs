//! What is logged, and how it looks. Logs go to standard error.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// The crates of this workspace, whose logs contain no secrets.
const WORKSPACE: [&str; 4] = [env!("CARGO_CRATE_NAME"), "exporter_web", "metrics_page", "tiktok_api"];

/// Flags of every subcommand.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Log messages of this severity and above [default: info; none for look-ups, which print their errors]
    #[arg(long = "log.level", value_name = "LEVEL", value_enum, global = true)]
    level: Option<Level>,
    /// How log lines look
    #[arg(long = "log.format", value_name = "FORMAT", value_enum, default_value = "text", global = true)]
    format: Format,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Starts logging: without a level at `info`, or not at all if `quiet`. Libraries log at `warn` at most,
/// because their details include headers and URLs.
pub(super) fn start(args: &Args, quiet: bool) {
    let level = match args.level {
        None if quiet => LevelFilter::OFF,
        Some(Level::Error) => LevelFilter::ERROR,
        Some(Level::Warn) => LevelFilter::WARN,
        None | Some(Level::Info) => LevelFilter::INFO,
        Some(Level::Debug) => LevelFilter::DEBUG,
        Some(Level::Trace) => LevelFilter::TRACE,
    };
    let own = WORKSPACE.map(|name| (name, level));
    let filter = Targets::new().with_default(level.min(LevelFilter::WARN)).with_targets(own);
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = match args.format {
        Format::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
}
