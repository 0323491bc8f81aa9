//! Input that nobody wrote with care: answers of the API, configurations, tables to import, web
//! configurations. Ten thousand cases of each, and of each the same is asked: that it ends, with no
//! panic, and that no number comes out that was not put in.
//!
//! `tests/fuzz` asks the same with a fuzzer, for as long as one likes.

mod answers;
mod configuration;
mod import;
mod mutate;
mod web_config;
