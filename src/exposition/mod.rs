//! The `/metrics` page in three parts: the figures of the process, which are tiny and different at
//! every look; the exporter's own (ledger and counters), which are small and change with every request
//! that is sent; and the results, which are large and change with the snapshot. In this order the
//! whole page is sorted by name.

mod budget;
mod families;
mod jobs;
mod keywords;
mod print;
mod process;
mod results;
mod sheet;
mod telemetry;
mod text;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use prometheus::proto::MetricFamily;
use prometheus::{Gauge, Registry, TextEncoder};
use tokio::sync::watch;
use units::{SharedClock, Timestamp};

use crate::credits::{Ledger, Statement};
use crate::state::{Snapshot, State};
use budget::Budget;
use process::Process;
use results::Directory;
use text::TextSink;

pub use print::{COMPRESSION_LEVEL, Pieces, Print};
pub use results::result_families;
pub use telemetry::Telemetry;

/// The media type of the page. Prometheus 3 fails a scrape without one.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that is shown.
pub struct Exposition {
    state: State,
    ledger: Arc<Ledger>,
    /// Counts whatever the telemetry is told.
    changes: Arc<AtomicU64>,
    clock: SharedClock,
    registry: Registry,
    process: Process,
    /// Credits a day at which the loop goes.
    planned: Gauge,
}

/// What the exporter's own figures depend on. Cheap to take and to compare.
#[derive(Debug, PartialEq)]
pub struct Mark {
    changes: u64,
    statement: Statement,
    forecast: f64,
    jobs: jobs::Counts,
}

/// What an exporter shows of itself whose counters are these, whose ledger makes this statement, and which
/// goes at `planned` credits a day: for a past that nobody has scraped.
///
/// # Errors
///
/// None that the caller can cause.
pub fn own_families(
    telemetry: &Telemetry,
    statement: &Statement,
    planned: f64,
    now: Timestamp,
) -> prometheus::Result<Vec<MetricFamily>> {
    let registry = Registry::new();
    telemetry.register(&registry)?;
    let mut families = registry.gather();
    families.extend(budget::families(statement, planned, now));
    Ok(families)
}

/// Why a page could not be made. None of it can be caused from outside.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The prometheus crate refuses a family.
    #[error(transparent)]
    Families(#[from] prometheus::Error),
    /// Compressing failed.
    #[error(transparent)]
    Compression(#[from] io::Error),
}

impl Exposition {
    /// The page over the results in `state`, the numbers of `ledger` and the counters of `telemetry`.
    ///
    /// # Errors
    ///
    /// None that the caller can cause: two families of one name in this folder.
    pub fn new(
        state: State,
        ledger: Arc<Ledger>,
        clock: SharedClock,
        telemetry: &Telemetry,
    ) -> prometheus::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(Budget::new(ledger.clone(), telemetry.planned(), clock.clone())?))?;
        telemetry.register(&registry)?;
        let (changes, planned, process) = (telemetry.changes(), telemetry.planned(), Process::this());
        Ok(Self { state, ledger, changes, clock, registry, process, planned })
    }

    /// Prints the results as they are now, all of one generation. Takes time in proportion to the
    /// number of series: not for an async worker.
    ///
    /// # Errors
    ///
    /// None that the caller can cause.
    pub fn print(&self) -> Result<Print, PageError> {
        let snapshot = self.state.snapshot();
        Ok(Print::new(&snapshot, snapshot.now(self.clock.now()))?)
    }

    /// Tells of results that are newer than those of now.
    pub fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.state.changes()
    }

    /// Hands the text of the results as they are now to `take`, in pieces of whole lines. Takes time in
    /// proportion to the number of series.
    pub fn render(&self, take: impl FnMut(&str)) {
        let snapshot = self.state.snapshot();
        let mut text = TextSink::new(take);
        Directory::new(&snapshot, snapshot.now(self.clock.now())).walk(&mut text);
        text.finish();
    }

    /// Whether the print would look the same if it were made now, as far as time goes.
    pub fn is_current(&self, print: &Print) -> bool {
        print.next_change().is_none_or(|at| self.clock.now() < at)
    }

    /// What the exporter's own figures depend on now, beside `print`.
    pub fn mark(&self, print: &Print) -> Mark {
        let now = self.clock.now();
        let changes = self.changes.load(Ordering::Acquire);
        let statement = self.ledger.statement(now);
        let forecast = budget::forecast(&statement, self.planned.get(), now);
        Mark { changes, statement, forecast, jobs: print.jobs(now) }
    }

    /// The figures of the process as they are now, in text format 0.0.4. Takes some microseconds.
    pub fn process_figures(&self) -> String {
        self.process.text()
    }

    /// The exporter's own figures beside `print` in text format 0.0.4.
    ///
    /// # Errors
    ///
    /// None that the caller can cause.
    pub fn own_figures(&self, print: &Print) -> Result<String, PageError> {
        let mut families = self.registry.gather();
        families.extend(jobs::families(&print.jobs(self.clock.now())));
        families.sort_by(|a, b| a.name().cmp(b.name()));
        Ok(TextEncoder::new().encode_to_string(&families)?)
    }

    /// The whole page as it is now, in text format 0.0.4. Not for an async worker.
    ///
    /// # Errors
    ///
    /// None that the caller can cause.
    pub fn encode(&self) -> Result<String, PageError> {
        let print = self.print()?;
        let mut page = self.process_figures().into_bytes();
        page.extend_from_slice(self.own_figures(&print)?.as_bytes());
        for piece in print.plain()?.all() {
            page.extend_from_slice(piece);
        }
        String::from_utf8(page).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error).into())
    }
}
