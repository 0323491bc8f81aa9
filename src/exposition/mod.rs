//! The `/metrics` page: results from the snapshot, the ledger's numbers, the exporter's own counters,
//! the process.

mod budget;
mod families;
mod results;
mod sheet;
mod telemetry;

use std::sync::Arc;

use prometheus::process_collector::ProcessCollector;
use prometheus::{Registry, TextEncoder};

use crate::clock::SharedClock;
use crate::ledger::Ledger;
use crate::state::State;
use budget::Budget;
use results::Results;

pub use results::result_families;
pub use telemetry::Telemetry;

/// The media type of the page. Prometheus 3 fails a scrape without one.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Everything that is shown, in one registry of its own.
pub struct Exposition {
    registry: Registry,
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
        registry.register(Box::new(Results::new(state, clock.clone())?))?;
        registry.register(Box::new(Budget::new(ledger, clock)?))?;
        telemetry.register(&registry)?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        Ok(Self { registry })
    }

    /// The page as it is now, in text format 0.0.4. All results are of one generation. Takes time in proportion to the
    /// number of series: not for an async worker.
    pub fn encode(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}
