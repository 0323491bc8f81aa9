//! The parts that spend credits, built once for every command that holds a store: store → ledger → gateway →
//! look-ups.

use std::sync::Arc;
use std::time::Duration;

use tiktok_api::{Hashtag, HttpSettings, HttpTransport, SetupError};
use tokio_util::sync::CancellationToken;
use units::SharedClock;

use super::StartError;
use crate::config::{ApiConfig, ApiKey, Config};
use crate::credits::Ledger;
use crate::gateway::refresh::Resolved;
use crate::gateway::{self, Gateway};
use crate::lookups::{ApiHandle, KnownIds, LookupService};
use crate::page::PageError;
use crate::state::{HashtagState, State};
use crate::store::Store;
use crate::telemetry::Telemetry;

/// What spends credits from one store, and all that it needs.
#[derive(Clone)]
pub struct Core {
    /// The last results and the ledger.
    pub store: Arc<Store>,
    /// The budgets, and what was spent.
    pub ledger: Arc<Ledger>,
    /// The results, and the status of the API.
    pub state: State,
    /// The exporter's own counters.
    pub telemetry: Arc<Telemetry>,
    /// The time.
    pub clock: SharedClock,
    /// Cancelled when the program ends. Then no request is sent any more.
    pub stopping: CancellationToken,
    /// The only way to the API.
    pub gateway: Arc<Gateway>,
    /// Answers look-ups.
    pub lookups: Arc<LookupService>,
}

/// Where known ids of hashtags are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ids {
    /// In the snapshot: a poller runs.
    Polled,
    /// In the store: no poller runs.
    Stored,
}

/// Builds everything between `store` and the API of `config`. Sends nothing. Blocks.
///
/// # Errors
///
/// If the store cannot be read, contains simulated results for a real API, or the HTTP client cannot be set up.
pub fn build(
    config: &Config,
    key: &ApiKey,
    store: Store,
    ids: Ids,
    clock: SharedClock,
    stopping: CancellationToken,
) -> Result<Core, StartError> {
    let store = Arc::new(store);
    let state = State::default();
    let simulated = store.holds_simulated()?;
    refuse_simulated(simulated, &config.api)?;
    if simulated {
        state.api().set_simulated();
    }
    let ledger = Arc::new(Ledger::open(store.clone(), config.budget, clock.now())?);
    let telemetry = Arc::new(Telemetry::new().map_err(PageError::from)?);
    let parts = gateway::Parts {
        ledger: ledger.clone(),
        clock: clock.clone(),
        telemetry: telemetry.clone(),
        api: state.api().clone(),
        stopping: stopping.clone(),
    };
    let gateway = connect(&config.api, key, &store, parts)?;
    let known = match ids {
        Ids::Polled => polled_ids(state.clone()),
        Ids::Stored => stored_ids(store.clone()),
    };
    let api = handle(config, gateway.clone());
    let lookups = LookupService::new(api, ledger.clone(), state.api().clone(), known, clock.clone());
    Ok(Core { store, ledger, state, telemetry, clock, stopping, gateway, lookups: Arc::new(lookups) })
}

impl Core {
    /// Another gateway over the same store and ledger, for changed settings of the API.
    pub(super) fn connect(&self, api: &ApiConfig, key: &ApiKey) -> Result<Arc<Gateway>, SetupError> {
        let parts = gateway::Parts {
            ledger: self.ledger.clone(),
            clock: self.clock.clone(),
            telemetry: self.telemetry.clone(),
            api: self.state.api().clone(),
            stopping: self.stopping.clone(),
        };
        connect(api, key, &self.store, parts)
    }
}

/// Keeps simulated results from being shown as real ones.
pub(super) fn refuse_simulated(simulated: bool, api: &ApiConfig) -> Result<(), StartError> {
    if simulated && api.is_vendor() { Err(StartError::Simulated) } else { Ok(()) }
}

/// How look-ups reach the API of `config`.
pub(super) fn handle(config: &Config, gateway: Arc<Gateway>) -> ApiHandle {
    ApiHandle { gateway, base_url: config.api.base_url.clone(), page_size: config.posts.page_size }
}

/// A gateway to the configured API that keeps responses to look-ups in `store`.
fn connect(
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

/// The ids that the poller has resolved.
fn polled_ids(state: State) -> KnownIds {
    Box::new(move |hashtag| {
        let snapshot = state.snapshot();
        let index = snapshot.hashtags.binary_search_by(|known| known.hashtag.cmp(hashtag)).ok()?;
        resolved(&snapshot.hashtags[index])
    })
}

/// The ids in the store. If it cannot be read, the API is asked for them.
fn stored_ids(store: Arc<Store>) -> KnownIds {
    Box::new(move |hashtag: &Hashtag| {
        let mut known = [HashtagState::unknown(hashtag.clone(), "".into(), Duration::ZERO)];
        store.recall(&mut known).ok()?;
        resolved(&known[0])
    })
}

fn resolved(known: &HashtagState) -> Option<Resolved> {
    let resolved = Resolved { id: known.id.clone()?, at: known.resolved_at? };
    (known.found != Some(false)).then_some(resolved)
}
