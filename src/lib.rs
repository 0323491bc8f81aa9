//! tiktok-exporter: which TikTok hashtags are taking off, for Prometheus.
//!
//! A watchlist goes in, `/metrics` comes out. In between stands a paid API, one credit a request,
//! so the program is built around the question what is asked when. The way of the data:
//!
//! ```text
//! config → watchlist → schedule → poller ──→ state → exposition → web
//!                                  ↑   ↘
//!                      store ──────┘    refresh → gateway → upstream
//!                                                (budget)
//! ```
//!
//! | room | what lives there |
//! |---|---|
//! | [`cli`] | the command line: one small file per subcommand, exit codes |
//! | [`app`] | the wiring: start, reload, stop |
//! | [`config`] | defaults → TOML file → environment; every mistake is collected as `key: what is wrong` |
//! | [`watchlist`] | what is watched: every hashtag once, with its regions and its rhythm |
//! | [`model`] | the nouns and their maths: hashtags, regions, totals, post samples, velocity, resolution |
//! | [`schedule`] | when to ask for what: slots, due times, catching up |
//! | [`refresh`] | the conversation that refreshes one thing: resolving a name, paging through posts |
//! | [`gateway`] | the one road to the upstream: cache, breaker, limiter, retries |
//! | [`budget`] | what may be sent and how fast: breaker and rate limiter |
//! | [`upstream`] | queries, the HTTP client, and reading answers; the vendor's JSON names stay there |
//! | [`poller`] | the loop that ties these together, and the book of what is known |
//! | [`store`] | SQLite: the last good results and when each was asked for |
//! | [`state`] | the latest results as one immutable snapshot |
//! | [`exposition`] | snapshot → metric families; the exporter's own counters |
//! | [`web`] | `/metrics`, landing page, health, reload |
//! | [`simulator`] | the fake upstream: a deterministic world behind the real HTTP contract |
//! | [`clock`] | where "now" comes from |
//!
//! What is absent, on purpose:
//!
//! * **A scrape that causes a request.** `web` and `exposition` read the snapshot and nothing else.
//! * **A second road to the upstream.** Only `gateway` holds a transport, so what it counts is what
//!   is spent.
//! * **The system clock**, outside `clock` and SQLite. `model` and `schedule` are told the time;
//!   only `gateway`, `budget` and `poller` wait, and `web` for its last clients when it stops.
//! * **The vendor's vocabulary** outside `upstream` (and `simulator`, which speaks it back).
//! * **Time series.** The store and the snapshot hold the latest values; history is Prometheus'.
//! * **Labels from outside in a metric vector.** Their hash can merge two series; result families
//!   are built fresh from the snapshot at every scrape.
//! * **Detached tasks.** `app` starts the poller and the web server, the poller its refreshes, and
//!   each waits for what it started.
//!
//! Not there yet: a ledger and budgets that cap spending. Their place is in `gateway`, between the
//! limiter and the transport.

pub mod app;
pub mod budget;
pub mod cli;
pub mod clock;
pub mod config;
pub mod estimate;
pub mod exposition;
pub mod gateway;
pub mod history;
pub mod ledger;
pub mod model;
pub mod pacing;
pub mod poller;
pub mod refresh;
pub mod schedule;
pub mod simulator;
pub mod state;
pub mod store;
pub mod upstream;
pub mod watchlist;
pub mod web;
