//! The command-line program.

use std::process::ExitCode;

/// Gives freed memory back to the system; the allocator of the C library keeps it. Without huge pages, of which
/// a small watchlist would fill a tenth.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tiktok_exporter::cli::run()
}
