//! The wiring: builds the parts, starts the loop and the web server, reloads and stops them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use exporter_web::{Access, InvalidConfig, ListenAddress, ListenError, ListenErrors};
use secrecy::ExposeSecret;
use tiktok_api::{HttpSettings, HttpTransport, Provider, SetupError};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use units::{Problem, Problems, SharedClock, Timestamp};

use crate::adhoc::{self, KnownIds, Road, socket};
use crate::brief::{BestPosts, Desk};
use crate::config::{self, ApiConfig, ApiKey, Loaded};
use crate::credits::Ledger;
use crate::gateway::{self, Gateway};
use crate::gateway::{Admission, refresh::Resolved};
use crate::page::{Exposition, MetricsPage, PageError};
use crate::poller::{Parts, Poller, Reload};
use crate::state::State;
use crate::store::{Store, StoreError};
use crate::telemetry::Telemetry;
use crate::web::{self, Readiness, ReloadRequest};

/// Where the configuration comes from, again at every reload.
#[derive(Debug, Clone)]
pub enum Source {
    /// A file, the process's environment, and the key from either.
    File(PathBuf),
    /// A text with overriding variables, and a key that is no secret.
    Embedded {
        /// TOML.
        toml: &'static str,
        /// Variables that override it.
        overrides: Vec<(String, String)>,
        /// The key.
        key: &'static str,
    },
}

/// What the command line says beyond the configuration.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Listens here instead of at `web.listen_address`. Empty: as configured.
    pub listen_address: Vec<ListenAddress>,
    /// Whether `/-/reload` works.
    pub enable_lifecycle: bool,
    /// The web configuration file, if one is used.
    pub web_config: Option<PathBuf>,
    /// Where results are kept.
    pub stored: Stored,
}

/// Where results are kept.
#[derive(Debug, Clone, Default)]
pub enum Stored {
    /// Where `store.path` says.
    #[default]
    AsConfigured,
    /// In this file.
    At(PathBuf),
    /// Nowhere: they are gone when the program ends.
    InMemory,
}

/// Why the program cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is unusable.
    #[error(transparent)]
    Config(#[from] Problems),
    /// The web configuration file is invalid.
    #[error(transparent)]
    WebConfig(#[from] InvalidConfig),
    /// The store is unusable.
    #[error("store.path: {0}")]
    Store(#[from] StoreError),
    /// The HTTP client cannot be set up.
    #[error(transparent)]
    Client(#[from] SetupError),
    /// The store holds results of a simulator, and the real API is to be asked.
    #[error(
        "store.path: the store holds simulated results, which would be shown as real ones (give the real API a \
         store.path of its own)"
    )]
    Simulated,
    /// Addresses are in use, or not addresses of this machine.
    #[error("{}", listen_lines(.0))]
    Listen(#[from] ListenErrors),
    /// The client of Prometheus cannot be set up.
    #[error("prometheus.url: cannot set up the HTTP client: {0}")]
    Prometheus(reqwest::Error),
    /// The metrics cannot be set up.
    #[error("cannot set up the metrics: {0}")]
    Metrics(#[from] PageError),
    /// The signal handlers cannot be set up.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
}

impl Source {
    /// Reads the configuration, as it can be put into force at `now`, and the key.
    pub fn load(&self, now: Timestamp) -> Result<(Loaded, ApiKey), Problems> {
        match self {
            Self::File(path) => {
                let loaded = config::load(path, config::process_environment())?;
                config::check_dates(&loaded.config.budget, now)?;
                let api = &loaded.config.api;
                let key = config::api_key(api, config::key_variable(api))?.ok_or_else(|| {
                    let message = "there is no API key (set this variable, or api.key_file; without a key, try the `demo` subcommand)";
                    Problem::new(api.provider().key_variable, message)
                })?;
                Ok((loaded, key))
            }
            Self::Embedded { toml, overrides, key } => {
                let loaded = config::load_str(toml, overrides.iter().cloned())?;
                let api = &loaded.config.api;
                let key = config::api_key(api, Some((*key).to_owned()))?;
                let key = key.ok_or_else(|| Problem::new(api.provider().key_variable, "is missing"))?;
                Ok((loaded, key))
            }
        }
    }
}

/// The whole exporter, listening and ready to run.
pub struct App {
    source: Source,
    gateway: Arc<Gateway>,
    /// What the next gateway works with.
    parts: gateway::Parts,
    store: Arc<Store>,
    desk: Desk,
    api: ApiConfig,
    key: ApiKey,
    fixed: (Vec<ListenAddress>, PathBuf),
    by_hand: Arc<adhoc::Desk>,
    tasks: TaskTracker,
    reloads: mpsc::Sender<Reload>,
    reload_requests: mpsc::Receiver<ReloadRequest>,
    access: Access,
    provider: watch::Sender<&'static Provider>,
    url: String,
    signals: Signals,
}

/// What the operator says with signals. From the moment this exists none of them ends the program
/// by itself; each waits here until it is dealt with.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn listen() -> Result<Self, StartError> {
        let signal = |kind| signal(kind).map_err(StartError::Signals);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }
}

impl App {
    /// Reads the configuration, opens the store, listens, and starts the loop and the web server.
    pub async fn start(source: Source, options: Options, clock: SharedClock) -> Result<Self, StartError> {
        let signals = Signals::listen()?;
        let (Loaded { config, warnings }, key) = source.load(clock.now())?;
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
        let store = Arc::new(path.as_deref().map_or_else(Store::in_memory, Store::open)?);
        let ledger = Arc::new(Ledger::open(store.clone(), config.budget, clock.now())?);
        let state = State::default();
        let telemetry = Arc::new(Telemetry::new().map_err(PageError::from)?);
        telemetry.reloaded(clock.now());
        let access = access(&options, &bound, &telemetry)?;
        let scheme = if access.current().has_tls() { "https" } else { "http" };
        let simulated = store.holds_simulated()?;
        if simulated && config.api.is_vendor() {
            return Err(StartError::Simulated);
        }
        if simulated || matches!(source, Source::Embedded { .. }) {
            state.api().set_simulated();
        }
        let exposition = Exposition::new(state.clone(), ledger.clone(), clock.clone(), telemetry.clone());

        let stopping = CancellationToken::new();
        let gateway_parts = gateway::Parts {
            ledger: ledger.clone(),
            clock: clock.clone(),
            telemetry: telemetry.clone(),
            api: state.api().clone(),
            stopping: stopping.clone(),
        };
        let gateway = gateway(&config.api, &key, &store, gateway_parts.clone())?;
        let counter = path.as_deref().filter(|_| store.is_held()).and_then(open_counter);
        let road = Road {
            gateway: gateway.clone(),
            api: config.api.base_url.clone(),
            page_size: config.posts.page_size,
        };
        let known = known_ids(state.clone());
        let by_hand = adhoc::Desk::new(road, ledger.clone(), state.api().clone(), known, clock.clone());
        let by_hand = Arc::new(by_hand);
        let parts = Parts {
            gateway: gateway.clone(),
            ledger,
            store: store.clone(),
            state: state.clone(),
            telemetry,
            clock: clock.clone(),
        };
        let fixed = (config.web.listen_address.clone(), config.store.path.clone());
        let api = config.api.clone();
        let desk =
            Desk::new(&config.prometheus, best_posts(store.clone())).map_err(StartError::Prometheus)?;
        let poller = Poller::new(parts, config.into()).await?;

        let (reload_sender, reload_requests) = mpsc::channel(1);
        let (provider_sender, provider) = watch::channel(api.provider());
        let readiness = Readiness::default();
        let page = MetricsPage::new(exposition)?;
        let app = web::App {
            page: page.clone(),
            state,
            desk: desk.clone(),
            clock,
            readiness: readiness.clone(),
            reload: options.enable_lifecycle.then_some(reload_sender),
            provider,
        };
        let tasks = TaskTracker::new();
        tasks.spawn(page.keep_rendering(stopping.clone()));
        let (reloads, reload_receiver) = mpsc::channel(1);
        tasks.spawn(poller.run(reload_receiver, stopping.clone()));
        let server = web::server(app, access.clone());
        tasks.spawn(server.serve(listeners, stopping.clone().cancelled_owned()));
        if let Some(counter) = counter {
            tasks.spawn(counter.serve(by_hand.clone(), stopping.clone()));
        }
        // The store is open and the first snapshot stands.
        readiness.set();
        for address in &bound {
            tracing::info!(%address, "listening on {scheme}://{address}");
        }
        let url = bound.first().map_or(String::new(), |address| {
            format!("{scheme}://{}", ListenAddress::from(*address).local_authority())
        });
        Ok(Self {
            source,
            gateway,
            parts: gateway_parts,
            desk,
            api,
            key,
            fixed,
            store,
            by_hand,
            tasks,
            reloads,
            reload_requests,
            access,
            provider: provider_sender,
            url,
            signals,
        })
    }

    /// The URL of the web server for clients on this machine, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Runs until SIGTERM or SIGINT; reloads on SIGHUP and on request.
    pub async fn run(mut self) -> Result<(), StartError> {
        loop {
            tokio::select! {
                _ = self.signals.terminate.recv() => break,
                _ = self.signals.interrupt.recv() => break,
                _ = self.signals.hangup.recv() => { let _ = self.reload().await; }
                Some(answer) = self.reload_requests.recv() => {
                    let result = self.reload().await;
                    // Whoever asked may have hung up.
                    let _ = answer.send(result);
                }
            }
        }
        tracing::info!("stopping");
        self.parts.stopping.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        tracing::info!("stopped");
        Ok(())
    }

    /// Puts the configuration as it is now into force; if it is unusable, the old one stays.
    async fn reload(&mut self) -> Result<(), String> {
        match self.try_reload().await {
            Ok(()) => {
                self.parts.telemetry.reloaded(self.parts.clock.now());
                tracing::info!("configuration reloaded");
                Ok(())
            }
            Err(reason) => {
                self.parts.telemetry.reload_failed();
                for line in reason.lines() {
                    tracing::error!("reload failed, the old configuration stays: {line}");
                }
                Err(reason)
            }
        }
    }

    async fn try_reload(&mut self) -> Result<(), String> {
        self.access.reload().await.map_err(|invalid| invalid.to_string())?;
        // Small files, read in a millisecond, but from whatever disk they are on.
        let source = self.source.clone();
        let now = self.parts.clock.now();
        let loaded = tokio::task::spawn_blocking(move || source.load(now)).await;
        let (Loaded { config, warnings }, key) =
            loaded.map_err(|error| error.to_string())?.map_err(|problems| problems.to_string())?;
        warnings.iter().chain(&key.warnings).for_each(|warning| tracing::warn!("{warning}"));
        if self.fixed != (config.web.listen_address.clone(), config.store.path.clone()) {
            tracing::warn!("web.listen_address and store.path change at the next start only");
        }
        if self.parts.api.is_simulated() && config.api.is_vendor() {
            return Err(StartError::Simulated.to_string());
        }
        let same_key = self.key.secret.expose_secret() == key.secret.expose_secret();
        // A stop of all requests is forgotten too: whoever reloads has probably mended its cause.
        let keep = self.api == config.api && same_key && self.gateway.admission() == Admission::All;
        let (api, gateway) = if keep {
            (self.api.clone(), None)
        } else {
            let new = gateway(&config.api, &key, &self.store, self.parts.clone());
            (config.api.clone(), Some(new.map_err(|error| error.to_string())?))
        };
        self.desk.configure(&config.prometheus).map_err(|error| StartError::Prometheus(error).to_string())?;
        self.parts.ledger.set_limits(config.budget);
        let page_size = config.posts.page_size;
        let (done, told) = oneshot::channel();
        let reload = Reload { plan: config.into(), gateway: gateway.clone(), done };
        self.reloads.send(reload).await.map_err(|_| "the poller has ended".to_owned())?;
        told.await.map_err(|_| "the poller has ended".to_owned())?;
        if let Some(gateway) = gateway {
            self.gateway = gateway;
        }
        self.by_hand.road_is(Road { gateway: self.gateway.clone(), api: api.base_url.clone(), page_size });
        self.provider.send_replace(api.provider());
        self.api = api;
        self.key = key;
        Ok(())
    }
}

/// Reads the web configuration file. Warns if everyone who can reach the port can reload.
fn access(
    options: &Options,
    bound: &[SocketAddr],
    telemetry: &Arc<Telemetry>,
) -> Result<Access, InvalidConfig> {
    let access = Access::from_file(options.web_config.clone(), telemetry.clone())?;
    let config = access.current();
    config.warnings().iter().for_each(|warning| tracing::warn!("{warning}"));
    if options.enable_lifecycle && config.is_open() {
        for address in bound.iter().filter(|address| !address.ip().is_loopback()) {
            tracing::warn!(
                "--web.enable-lifecycle: everyone who can reach {address} can reload (require passwords or \
                 certificates with --web.config.file)"
            );
        }
    }
    Ok(access)
}

/// The errors as lines of `key: what is wrong (what helps)`.
fn listen_lines(errors: &ListenErrors) -> String {
    let line = |error: &ListenError| {
        format!("web.listen_address: {error} (choose another with --web.listen-address)")
    };
    errors.as_slice().iter().map(line).collect::<Vec<_>>().join("\n")
}

/// The socket for people's commands. Without it the exporter does all else.
fn open_counter(store: &std::path::Path) -> Option<socket::Counter> {
    let opened = socket::Counter::open(store);
    opened
        .inspect_err(|error| {
            let path = socket::path(store);
            tracing::warn!(%error, path = %path.display(), "look-ups by hand cannot reach this exporter: no socket");
        })
        .ok()
}

/// The posts that the store keeps for the brief.
fn best_posts(store: Arc<Store>) -> BestPosts {
    Arc::new(move |hashtag, region| store.best_posts(hashtag, region))
}

/// The ids that the loop has resolved.
fn known_ids(state: State) -> KnownIds {
    Box::new(move |hashtag| {
        let snapshot = state.snapshot();
        let index = snapshot.hashtags.binary_search_by(|known| known.hashtag.cmp(hashtag)).ok()?;
        let known = &snapshot.hashtags[index];
        let resolved = Resolved { id: known.id.clone()?, at: known.resolved_at? };
        (known.found != Some(false)).then_some(resolved)
    })
}

/// A gateway to the configured API that keeps answers in `store`.
pub fn gateway(
    api: &ApiConfig,
    key: &ApiKey,
    store: &Arc<Store>,
    parts: gateway::Parts,
) -> Result<Arc<Gateway>, SetupError> {
    let settings = HttpSettings {
        dialect: api.dialect,
        base_url: api.base_url.clone(),
        user_agent: concat!("tiktok-exporter/", env!("CARGO_PKG_VERSION")).to_owned(),
        key: Some(key.secret.clone()),
        timeout: api.timeout,
        connect_timeout: api.connect_timeout,
        max_body_bytes: usize::try_from(api.max_body_bytes).unwrap_or(usize::MAX),
    };
    let transport = Arc::new(HttpTransport::new(settings, parts.clock.clone())?);
    let gateway = Gateway::new(transport, parts, api.rate_limit_per_minute, api.breaker_cooldown);
    Ok(Arc::new(gateway.keeping(store.clone())))
}
