#![doc = include_str!("../README.md")]

mod builder;
mod column;
mod docs;
mod family;
mod http;
mod own;
mod pieces;
mod process;
mod rendered;
mod sample;
mod text;

use std::io;

pub use builder::{FamilyBuilder, FamilyCollector, collect, merge};
pub use column::Column;
pub use docs::{compare_or_update, markdown_table};
pub use family::{Family, Kind, Source};
pub use http::{MetricsPage, PageBody, PageSource};
pub use pieces::Pieces;
pub use process::{PROCESS_FAMILIES, Process};
pub use rendered::{COMPRESSION_LEVEL, RenderedPage};
pub use sample::{ExtraLabels, LabelArena, SampleWriter, Sink, Subject};
pub use text::{TextWriter, extra_labels};

/// What the macros expand to.
#[doc(hidden)]
pub mod private {
    pub use crate::family::assert_sorted;
    pub use crate::own::{Changes, combinations};
    pub use prometheus::proto::MetricFamily;
    pub use prometheus::{GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry, Result};
}

/// The media type of the page. Prometheus 3 fails a scrape without one.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Why a page could not be made. None of it can be caused from outside.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The prometheus crate refuses a family.
    #[error(transparent)]
    Families(#[from] prometheus::Error),
    /// Compression failed.
    #[error(transparent)]
    Compression(#[from] io::Error),
    /// The task that made the page panicked, or the runtime is shutting down.
    #[error(transparent)]
    Task(#[from] tokio::task::JoinError),
}
