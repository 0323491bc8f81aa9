//! The command-line program.

use std::process::ExitCode;

/// Gives memory back that is free, which the one of the C library keeps: a sixth of what a large watchlist
/// takes. `.cargo/config.toml` says how.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    tiktok_exporter::cli::run()
}
