//! tiktok-exporter: which TikTok hashtags are taking off, for Prometheus.
//!
//! A watchlist goes in, `/metrics` comes out. Between them is a paid API: one request costs one credit. The program
//! is built around two questions: what is refreshed when, and who pays for it. Data flow one way:
//!
//! ```text
//! config → watch → schedule → poller ───────────────→ state → page → web
//!                               ↓ ↑                     ↑
//!                             store                  lookups (interactive)
//!                               ↑                       ↓
//!                            credits ←──── gateway ─→ tiktok_api
//! ```
//!
//! # Rooms
//!
//! Lowest first. A room imports rooms above it in this table, never one below; a test
//! (`tests/it/architecture.rs`) fails otherwise.
//!
//! | room | what lives there |
//! |---|---|
//! | [`model`] | post samples and their figures, growth, rounding, what credits are spent for; pure |
//! | [`watch`] | the watchlist: every hashtag once, with its regions and intervals; shards |
//! | [`discovery`] | followed keywords, candidates, and hashtags on trial |
//! | [`state`] | the latest results as one immutable snapshot, and the status of the API |
//! | [`schedule`] | what is due when; never sleeps, never sends |
//! | [`store`] | SQLite: last good results, when each was refreshed, the rows of the ledger |
//! | [`credits`] | what work costs (one formula), budgets, pace, and the ledger: reserve, send, settle |
//! | [`config`] | defaults → TOML file → environment; all mistakes at once, as `key: what is wrong` |
//! | [`telemetry`] | the exporter's own counters; write-only |
//! | [`gateway`] | the only way to the API: cache, breaker, rate limiter, ledger, retries; what one refresh sends |
//! | [`page`] | snapshot, ledger and API status as metric families |
//! | [`poller`] | the loop that refreshes what is due |
//! | [`http_client`] | what the HTTP clients of this program have in common |
//! | [`prometheus`] | one query to a Prometheus, one bounded answer |
//! | [`lookups`] | interactive look-ups, answered by the process that holds the store |
//! | [`brief`] | which hashtags to post under, and why |
//! | [`web`] | landing page, brief, trends, health, reload, runbooks, notifications |
//! | [`history`] | the past as OpenMetrics: of the simulated world, of the tutorial's table |
//! | [`app`] | start-up and wiring, for `serve` and for commands that hold the store themselves |
//! | [`cli`] | one small file per command; exit codes |
//!
//! # Crates
//!
//! A crate where a wall matters. None of them knows the exporter; each README is its documentation.
//!
//! | crate | what it holds |
//! |---|---|
//! | `units` | times, durations, credits, counts for people, collected problems, the clock |
//! | `metrics-page` | metric families declared once, and a page that costs what a static file costs |
//! | `exporter-web` | listeners, limits, TLS and users: exporter-toolkit's web configuration for axum |
//! | `tiktok-api` | the API: operations, dialects, transport, reading of answers; and its simulator |
//!
//! # What is absent, on purpose
//!
//! * **A scrape that causes a request.** `page` and `web` read the snapshot. The brief also reads posts from the
//!   store and may query a Prometheus, never the API.
//! * **A second way to the API.** Only `gateway` holds a transport, and only behind a credit that the ledger has
//!   reserved on disk. The ledger may count too much (a request that was killed in flight), never too little.
//! * **Spending that cannot be booked.** When the store cannot be written, or the clock is behind the ledger,
//!   nothing is sent. Last values stay on the page.
//! * **A provider's vocabulary** outside `tiktok-api`. Here are operations; a provider is data.
//! * **Decisions based on metrics.** Counters are written, never read; what is decided on is in `state`.
//! * **The system clock** outside `units` and SQLite. Below `web` only `gateway` and `poller` sleep.
//! * **Time series.** Store and snapshot hold the latest values; history is Prometheus' business.
//! * **Labels from outside in a metric vector.** Its hash can merge two series. Result families are written from
//!   each snapshot.
//! * **Detached tasks.** `app` starts the poller and the web server, the poller its refreshes; each waits for what
//!   it started.
//!
//! # A short budget
//!
//! Only interactive look-ups may spend the reserve. Of the rest, totals come before posts, and posts before
//! discovery. Within each, intervals stretch evenly so that the credits last until the end of the day (UTC) or
//! the month. With less than one refresh per hashtag and day, totals of hashtags that are likelier to take off
//! come first.

pub mod app;
pub mod brief;
pub mod cli;
pub mod config;
pub mod credits;
pub mod discovery;
pub mod gateway;
pub mod history;
pub mod http_client;
pub mod lookups;
pub mod model;
pub mod page;
pub mod poller;
pub mod prometheus;
pub mod schedule;
pub mod state;
pub mod store;
pub mod telemetry;
pub mod watch;
pub mod web;
