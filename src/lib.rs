//! tiktok-exporter.

pub mod budget;
pub mod clock;
pub mod model;
pub mod state;
pub mod upstream;
