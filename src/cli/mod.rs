//! The command line.

mod check;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The command line is wrong.
const EXIT_USAGE: u8 = 64;
/// The configuration is wrong.
const EXIT_CONFIG: u8 = 78;

#[derive(Debug, Parser)]
#[command(name = "tiktok-exporter", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a configuration and show what it would run and cost.
    Check(check::Args),
}

/// Runs the program.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A closed terminal leaves nobody to tell.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS };
        }
    };
    match cli.command {
        Command::Check(args) => check::run(&args),
    }
}
