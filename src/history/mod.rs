//! Writes history as OpenMetrics files, from which `promtool tsdb create-blocks-from openmetrics` creates
//! blocks of a Prometheus.
//!
//! There are two sources: the simulated world ([`backfill`]), whose history continues in what the
//! simulator serves live, and a table of the published tutorial ([`tutorial`]). Both are written as
//! one file per block, because promtool reads its input once per block.
//!
//! promtool also evaluates the recording rules over that history; [`stages`] finds the order.

pub mod backfill;
mod itself;
mod openmetrics;
pub mod stages;
pub mod tutorial;

pub use openmetrics::{Directory, Span, WriteError};
