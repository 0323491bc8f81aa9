//! The command-line program.

use std::process::ExitCode;

fn main() -> ExitCode {
    tiktok_exporter::cli::run()
}
