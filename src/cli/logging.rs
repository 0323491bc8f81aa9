//! What is logged, and how it looks. Logs go to standard error.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

/// Flags of every subcommand.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Log messages of this severity and above
    #[arg(long = "log.level", value_name = "LEVEL", value_enum, default_value = "info", global = true)]
    level: Level,
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

/// Starts logging. Libraries speak at `warn` at the most: what they log in detail includes headers
/// and URLs.
pub(super) fn start(args: &Args) {
    let level = match args.level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
        Level::Trace => LevelFilter::TRACE,
    };
    let filter = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_target(env!("CARGO_CRATE_NAME"), level);
    let lines = fmt::layer().with_writer(std::io::stderr).with_target(false);
    let lines = match args.format {
        Format::Text => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        Format::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
}
