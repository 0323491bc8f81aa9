//! Writing the past: OpenMetrics files that `promtool tsdb create-blocks-from openmetrics` turns
//! into blocks of a Prometheus.
//!
//! Two pasts can be written: that of the simulated world ([`backfill`]), which joins what the
//! simulator serves live, and that in a table of the published tutorial ([`tutorial`]). Both come as
//! one file per block of a Prometheus, because promtool reads its input once per block.
//!
//! What rules record of that past is promtool's to compute; [`stages`] says in which order.

pub mod backfill;
mod itself;
mod openmetrics;
pub mod stages;
pub mod tutorial;

pub use openmetrics::{Directory, Span, WriteError};
