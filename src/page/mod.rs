//! The `/metrics` page: which family shows which field of the snapshot, of the ledger, and of the API's
//! status.
//!
//! The page has three parts: the metrics of the process, which are tiny and differ at every scrape; the
//! exporter's own metrics (ledger, status, counters), which are small and change with every request to the API; and
//! the results, which are large and change with the snapshot. In this order the page is sorted by name.

mod api;
mod hashtags;
mod index;
mod jobs;
mod keywords;
mod ledger;

use std::io;
use std::sync::Arc;

use metrics_page::{
    Family, FamilyCollector, PROCESS_FAMILIES, PageSource, Process, RenderedPage, Source, TextWriter, merge,
};
use prometheus::TextEncoder;
use prometheus::proto::MetricFamily;
use tokio::sync::watch;
use units::{SharedClock, Timestamp};

use crate::credits::{Ledger, Statement};
use crate::state::{ApiStatus, Snapshot, State};
use crate::telemetry::Telemetry;
use index::SampleIndex;
use jobs::JobTimes;

pub use metrics_page::PageError;

/// The page as the web server serves it.
pub type MetricsPage = metrics_page::MetricsPage<Exposition>;

/// Everything that is shown.
pub struct Exposition {
    state: State,
    ledger: Arc<Ledger>,
    telemetry: Arc<Telemetry>,
    clock: SharedClock,
    process: Process,
}

/// What is kept of a snapshot besides the text of its results.
#[derive(Debug)]
pub struct Rendered {
    jobs: JobTimes,
    /// When the results change without a new snapshot, because a value becomes too old.
    next_change: Option<Timestamp>,
}

/// What the exporter's own metrics depend on. Cheap to create and to compare.
#[derive(Debug, PartialEq)]
pub struct Mark {
    changes: u64,
    api: ApiStatus,
    statement: Statement,
    forecast: f64,
    jobs: jobs::Counts,
}

/// Every family that the exporter can show, by the part it comes from.
pub fn families() -> Vec<&'static Family> {
    fn of<V>(table: &'static [Source<V>]) -> impl Iterator<Item = &'static Family> {
        table.iter().map(|source| &source.family)
    }
    of(hashtags::FAMILIES)
        .chain(of(keywords::FAMILIES))
        .chain(of(ledger::FAMILIES))
        .chain(of(jobs::FAMILIES))
        .chain(of(api::FAMILIES))
        .chain(Telemetry::FAMILIES)
        .chain(of(PROCESS_FAMILIES))
        .collect()
}

/// The results of a snapshot at `now`, without the exporter's own metrics.
pub fn result_families(snapshot: &Snapshot, now: Timestamp) -> Vec<MetricFamily> {
    let mut collector = FamilyCollector::default();
    SampleIndex::new(snapshot, now).walk(&mut collector);
    collector.into_families()
}

/// The exporter's own metrics for these counters, this status and this statement of the ledger, without those of
/// jobs and process: for a written history.
pub fn own_families(
    telemetry: &Telemetry,
    api: &ApiStatus,
    statement: &Statement,
    now: Timestamp,
) -> Vec<MetricFamily> {
    merge([telemetry.gather(), api::families(api), ledger::families(statement, api.pace.per_day, now)])
}

impl Exposition {
    /// The page over the results and the API status in `state`, the numbers of `ledger` and the counters of
    /// `telemetry`.
    pub fn new(state: State, ledger: Arc<Ledger>, clock: SharedClock, telemetry: Arc<Telemetry>) -> Self {
        Self { state, ledger, telemetry, clock, process: Process::this() }
    }

    /// Passes the current text of the results to `hand_on`, in pieces of whole lines. Takes time in
    /// proportion to the number of series.
    pub fn write_results(&self, mut hand_on: impl FnMut(&str)) {
        let snapshot = self.state.snapshot();
        let mut text = TextWriter::new(&mut hand_on);
        SampleIndex::new(&snapshot, snapshot.now(self.clock.now())).walk(&mut text);
        text.finish();
    }

    /// The whole page as it is now, in text format 0.0.4. Not for an async worker.
    ///
    /// # Errors
    ///
    /// None that the caller can cause.
    pub fn encode(&self) -> Result<String, PageError> {
        let results = self.render()?;
        let mut page = self.live_figures().into_bytes();
        page.extend_from_slice(self.own_figures(&results.extra)?.as_bytes());
        for piece in results.plain()?.all() {
            page.extend_from_slice(piece);
        }
        String::from_utf8(page).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error).into())
    }
}

impl PageSource for Exposition {
    type Extra = Rendered;
    type Mark = Mark;
    type Snapshot = Arc<Snapshot>;

    fn render(&self) -> Result<RenderedPage<Rendered>, PageError> {
        let snapshot = self.state.snapshot();
        let index = SampleIndex::new(&snapshot, snapshot.now(self.clock.now()));
        let rendered = Rendered { jobs: JobTimes::of(&snapshot), next_change: index.next_change() };
        Ok(RenderedPage::render(rendered, |text| index.walk(text))?)
    }

    fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.state.changes()
    }

    fn is_current(&self, rendered: &Rendered) -> bool {
        rendered.next_change.is_none_or(|at| self.clock.now() < at)
    }

    fn mark(&self, rendered: &Rendered) -> Mark {
        let now = self.clock.now();
        let (changes, api) = (self.telemetry.changes().get(), self.state.api().status());
        let statement = self.ledger.statement(now);
        let forecast = ledger::forecast(&statement, api.pace.per_day, now);
        Mark { changes, api, statement, forecast, jobs: rendered.jobs.counts(now) }
    }

    fn own_figures(&self, rendered: &Rendered) -> Result<String, PageError> {
        let now = self.clock.now();
        let (api, statement) = (self.state.api().status(), self.ledger.statement(now));
        let own = own_families(&self.telemetry, &api, &statement, now);
        Ok(TextEncoder::new().encode_to_string(&merge([own, jobs::families(&rendered.jobs.counts(now))]))?)
    }

    fn live_figures(&self) -> String {
        self.process.text()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use metrics_page::{compare_or_update, markdown_table};

    use super::families;

    #[test]
    fn the_documentation_lists_every_family() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
        let head = "# Metrics\n\nEvery metric family of the exporter: generated from the sources. A series is absent \
                    while its value is unknown or too old.\n\n";
        let want = format!("{head}{}", markdown_table(families()));
        compare_or_update(&path, &want, "cargo test --lib the_documentation_lists_every_family").unwrap();
    }

    #[test]
    fn a_name_is_declared_once() {
        let names: BTreeSet<&str> = families().into_iter().map(|family| family.name).collect();
        assert_eq!(names.len(), families().len());
    }
}
