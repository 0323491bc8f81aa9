//! The exporter as its users meet it, by domain.

#![allow(clippy::unwrap_used, reason = "a test may stop at what it did not expect")]

mod support;

mod alerting;
mod alerts;
mod architecture;
mod brief;
mod brief_prometheus;
mod check;
mod compose;
mod config;
mod dashboards;
mod discovery;
mod end_to_end;
mod exposition;
mod gateway;
mod history;
mod landing;
mod ledger;
mod pacing;
mod pages;
mod plan_and_ledger;
mod polling;
mod prometheus_client;
mod rules;
mod scoreboard;
mod scrape;
mod simulator;
mod soak;
mod store;
mod web;
mod wild_input;
