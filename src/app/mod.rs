//! The wiring: reads the configuration, builds the parts, starts the poller and the web server, reloads and
//! stops them.
//!
//! [`Startup`] and [`build`] are shared by all commands.

mod error;
mod reload;
mod serving;
mod signals;
mod startup;
mod wiring;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use exporter_web::{Access, ListenAddress};
use tiktok_api::Provider;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use units::SharedClock;

pub use error::StartError;
pub use startup::{Source, Startup};
pub use wiring::{Core, Ids, build};

use crate::brief::BriefService;
use crate::lookups;
use crate::page::{Exposition, MetricsPage};
use crate::poller::{self, Poller};
use crate::store::Store;
use crate::web::{self, Readiness, ReloadRequest};
use reload::InForce;
use signals::{Order, Signals};

/// Settings from the command line.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Listens here instead of on `web.listen_address`. Empty: as configured.
    pub listen_address: Vec<ListenAddress>,
    /// Whether `/-/reload` works.
    pub enable_lifecycle: bool,
    /// The web configuration file, if one is used.
    pub web_config: Option<PathBuf>,
    /// Where results are stored.
    pub stored: Stored,
}

/// Where results are stored.
#[derive(Debug, Clone, Default)]
pub enum Stored {
    /// In the file `store.path`.
    #[default]
    AsConfigured,
    /// In this file.
    At(PathBuf),
    /// In memory, until the program ends.
    InMemory,
}

/// The whole exporter, listening and ready to run.
pub struct App {
    source: Source,
    core: Core,
    brief: BriefService,
    in_force: InForce,
    access: Access,
    provider: watch::Sender<&'static Provider>,
    reloads: mpsc::Sender<poller::Reload>,
    reload_requests: mpsc::Receiver<ReloadRequest>,
    signals: Signals,
    tasks: TaskTracker,
    url: String,
}

impl App {
    /// Reads the configuration, opens the store, listens, and starts the poller and the web server.
    ///
    /// # Errors
    ///
    /// The first reason why the exporter cannot start.
    pub async fn start(source: Source, options: Options, clock: SharedClock) -> Result<Self, StartError> {
        let signals = Signals::listen()?;
        let startup = Startup::load(&source, clock.now())?;
        let key = startup.require_key()?;
        let Startup { config, warnings, .. } = startup;
        warnings.iter().chain(&key.warnings).for_each(|warning| tracing::warn!("{warning}"));

        let addresses = match options.listen_address.as_slice() {
            [] => &config.web.listen_address,
            given => given,
        };
        let listeners = exporter_web::bind(addresses).await?;
        let bound: Vec<SocketAddr> =
            listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect();

        let path = match &options.stored {
            Stored::AsConfigured => Some(config.store.path.clone()),
            Stored::At(path) => Some(path.clone()),
            Stored::InMemory => None,
        };
        let store = path.as_deref().map_or_else(Store::in_memory, Store::open)?;
        let is_held = store.is_held();
        let core = build(&config, &key, store, Ids::Polled, clock, CancellationToken::new())?;
        core.telemetry.reloaded(core.clock.now());
        if matches!(source, Source::Embedded { .. }) {
            core.state.api().set_simulated();
        }
        let access = serving::access(&options, &bound, &core.telemetry)?;
        let socket = path.as_deref().filter(|_| is_held).and_then(serving::lookup_socket);

        let posts = core.store.clone();
        let best_posts = Arc::new(move |hashtag: &_, region| posts.best_posts(hashtag, region));
        let brief = BriefService::new(&config.prometheus, best_posts).map_err(StartError::Prometheus)?;
        let (provider, provider_receiver) = watch::channel(config.api.provider());
        let in_force = InForce::new(&config, key);
        let parts = poller::Parts {
            gateway: core.gateway.clone(),
            ledger: core.ledger.clone(),
            store: core.store.clone(),
            state: core.state.clone(),
            telemetry: core.telemetry.clone(),
            clock: core.clock.clone(),
        };
        let poller = Poller::new(parts, config.into()).await?;
        let page = MetricsPage::new(Exposition::new(
            core.state.clone(),
            core.ledger.clone(),
            core.clock.clone(),
            core.telemetry.clone(),
        ))?;
        let (reload_sender, reload_requests) = mpsc::channel(1);
        let readiness = Readiness::default();
        let pages = web::App {
            page: page.clone(),
            state: core.state.clone(),
            brief: brief.clone(),
            clock: core.clock.clone(),
            readiness: readiness.clone(),
            reload: options.enable_lifecycle.then_some(reload_sender),
            provider: provider_receiver,
        };

        let tasks = TaskTracker::new();
        let stopping = || core.stopping.clone().cancelled_owned();
        tasks.spawn(page.keep_rendering(core.stopping.clone()));
        let (reloads, reload_receiver) = mpsc::channel(1);
        tasks.spawn(poller.run(reload_receiver, core.stopping.clone()));
        tasks.spawn(web::server(pages, access.clone()).serve(listeners, stopping()));
        if let Some(socket) = socket {
            tasks.spawn(lookups::server(core.lookups.clone()).serve([socket], stopping()));
        }
        // The store is open and the first snapshot is published.
        readiness.set();
        let url = serving::announce(&access, &bound);
        Ok(Self {
            source,
            core,
            brief,
            in_force,
            access,
            provider,
            reloads,
            reload_requests,
            signals,
            tasks,
            url,
        })
    }

    /// The URL of the web server for clients on this machine, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs until SIGTERM or SIGINT. Reloads on SIGHUP and on request.
    ///
    /// # Errors
    ///
    /// None at present.
    pub async fn run(mut self) -> Result<(), StartError> {
        loop {
            tokio::select! {
                order = self.signals.next() => match order {
                    Order::Stop => break,
                    Order::Reload => { let _ = self.reload().await; }
                },
                Some(result) = self.reload_requests.recv() => {
                    // The client may have hung up.
                    let _ = result.send(self.reload().await);
                }
            }
        }
        tracing::info!("stopping");
        self.core.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        tracing::info!("stopped");
        Ok(())
    }
}
