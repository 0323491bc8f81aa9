//! The command-line program.

use std::process::ExitCode;

/// Returns freed memory to the system; the allocator of the C library keeps it, a sixth of what a large watchlist
/// takes. `.cargo/config.toml` has its settings.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    tiktok_exporter::cli::run()
}
