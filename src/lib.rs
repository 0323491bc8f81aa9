//! tiktok-exporter: which TikTok hashtags are taking off, for Prometheus.
//!
//! A watchlist goes in, `/metrics` comes out. In between stands a paid API, one credit a request,
//! so the program is built around the question what is asked when. The way of the data:
//!
//! ```text
//! config → watchlist → schedule → poller ──→ state → page → web
//!                                  ↑   ↘
//!                      store ──────┘    refresh → gateway → tiktok_api
//!                                                (ledger, budget)
//! ```
//!
//! | room | what lives there |
//! |---|---|
//! | [`cli`] | the command line: one small file per subcommand, exit codes |
//! | [`app`] | the wiring: start, reload, stop |
//! | [`config`] | defaults → TOML file → environment; every mistake is collected as `key: what is wrong` |
//! | [`watchlist`] | what is watched: every hashtag once, with its regions and its rhythm |
//! | [`discovery`] | which keywords are followed, what they lead to, and who joins the watchlist on trial |
//! | [`shard`] | which part of the watchlist, the budgets and the rate limit falls to this exporter |
//! | [`model`] | the nouns and their maths: hashtags, regions, totals, post samples, velocity, resolution, growth, credits, dates |
//! | [`estimate`] | what a configuration costs, what its budget makes of it, and what would save most |
//! | [`schedule`] | when to ask for what: slots, due times, catching up |
//! | [`pacing`] | keeping the loop to its budget: need, shares, stretched intervals |
//! | [`refresh`] | the conversation that refreshes one thing: resolving a name, paging through posts |
//! | [`lookups`] | interactive look-ups: questions, the service that answers them, its HTTP server and client |
//! | [`gateway`] | the one road to the upstream: cache, breaker, limiter, ledger, retries |
//! | [`ledger`] | where credits are spent: reserve → send → settle, durable before the request leaves |
//! | [`budget`] | what may be sent and how fast: breaker, rate limiter, and the maths of budgets |
//! | [`tiktok_api`], a crate | queries, the HTTP client, reading answers, one dialect per provider, the simulator |
//! | [`poller`] | the loop that ties these together, and the book of what is known |
//! | [`store`] | SQLite: the last good results, when each was asked for, and the ledger's rows |
//! | [`state`] | the latest results as one immutable snapshot, and the status of the API |
//! | [`page`] | snapshot, ledger and API status → metric families; the page itself is `crates/metrics-page` |
//! | [`telemetry`] | the exporter's own counters: write-only, decisions depend on `state` alone |
//! | [`web`] | `/metrics`, landing page, brief, feed of trends, health, reload; the page that shows notifications |
//! | [`brief`] | which hashtags to post under, why, and what works there: the brief and the feed of trends |
//! | [`http_client`] | what the HTTP clients of this program have in common |
//! | [`prometheus`] | a client of the Prometheus query API |
//! | [`history`] | writing the past for Prometheus: of the simulated world, of the published tutorial's table |
//! | `wording` | numbers and times as people read them |
//! | [`clock`] | where "now" comes from |
//!
//! What is absent, on purpose:
//!
//! * **A scrape that causes a request.** `page` reads the snapshot and nothing else; so does `web`,
//!   but for the brief and the feed, which read posts from the store and may ask a Prometheus, and never
//!   the upstream.
//! * **A second road to the upstream.** Only `gateway` holds a transport, and only behind a credit
//!   that the ledger has reserved on disk, so what is counted is what is spent. The ledger can count
//!   too much (a request that was killed on its way), never too little.
//! * **Spending that nobody can book.** When the store cannot be written, or the clock is behind the
//!   ledger, nothing is sent; last values are still served.
//! * **The system clock**, outside `clock` and SQLite. `model` and `schedule` are told the time;
//!   only `gateway`, `budget` and `poller` wait, `metrics-page` between two renderings, and `web` for its clients.
//! * **A provider's vocabulary** outside `tiktok_api`: here are operations, and a provider is data.
//! * **Time series.** The store and the snapshot hold the latest values; history is Prometheus', and
//!   what `history` writes is for it.
//! * **Labels from outside in a metric vector.** Their hash can merge two series; result families
//!   are written straight from each snapshot.
//! * **Detached tasks.** `app` starts the poller and the web server, the poller its refreshes, and
//!   each waits for what it started.
//!
//! How a short budget is handed out: people's ad-hoc commands alone may use the reserve; of the rest,
//! totals come before posts and posts before discovery. Within each, intervals stretch evenly, so that
//! the credits reach the end of the day (UTC) or of the month. When less than one look per hashtag per
//! day is left for totals, looks are weighed by the chance of an onset.

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
