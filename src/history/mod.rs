//! Writing the past: OpenMetrics files that `promtool tsdb create-blocks-from openmetrics` turns
//! into blocks of a Prometheus.
//!
//! Two pasts can be written: that of the simulated world ([`backfill`]), which joins what the
//! simulator serves live, and that in a table of the published tutorial ([`tutorial`]). Both come as
//! one file per two hours, the span of a Prometheus block, because promtool reads its input once
//! per block.

pub mod backfill;
mod openmetrics;
pub mod tutorial;

pub use openmetrics::{Directory, Span, WriteError};
