//! tiktok-exporter.

pub mod budget;
pub mod cli;
pub mod clock;
pub mod config;
pub mod model;
pub mod state;
pub mod upstream;
pub mod watchlist;
