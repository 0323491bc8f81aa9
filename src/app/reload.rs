//! Puts a changed configuration into force.

use std::path::PathBuf;

use exporter_web::ListenAddress;
use secrecy::ExposeSecret;
use tokio::sync::oneshot;

use super::wiring::{handle, refuse_simulated};
use super::{App, StartError, Startup};
use crate::config::{ApiConfig, ApiKey, Config};
use crate::gateway::Admission;
use crate::poller;

/// The settings in force that a reload compares with the new ones.
pub(super) struct InForce {
    api: ApiConfig,
    key: ApiKey,
    /// What only a restart changes.
    fixed: (Vec<ListenAddress>, PathBuf),
}

impl InForce {
    pub(super) fn new(config: &Config, key: ApiKey) -> Self {
        Self { api: config.api.clone(), key, fixed: fixed(config) }
    }
}

fn fixed(config: &Config) -> (Vec<ListenAddress>, PathBuf) {
    (config.web.listen_address.clone(), config.store.path.clone())
}

impl App {
    /// Puts the current configuration into force. If it is unusable, the old one stays.
    pub(super) async fn reload(&mut self) -> Result<(), String> {
        match self.try_reload().await {
            Ok(()) => {
                self.core.telemetry.reloaded(self.core.clock.now());
                tracing::info!("configuration reloaded");
                Ok(())
            }
            Err(reason) => {
                self.core.telemetry.reload_failed();
                for line in reason.lines() {
                    tracing::error!("reload failed, the old configuration stays: {line}");
                }
                Err(reason)
            }
        }
    }

    async fn try_reload(&mut self) -> Result<(), String> {
        self.access.reload().await.map_err(text)?;
        // Small files, read in a millisecond, but from a disk that may be slow.
        let (source, now) = (self.source.clone(), self.core.clock.now());
        let load = move || {
            let startup = Startup::load(&source, now)?;
            let key = startup.require_key()?;
            Ok::<_, StartError>((startup, key))
        };
        let (startup, key) = tokio::task::spawn_blocking(load).await.map_err(text)?.map_err(text)?;
        let Startup { config, warnings, .. } = startup;
        warnings.iter().chain(&key.warnings).for_each(|warning| tracing::warn!("{warning}"));
        if self.in_force.fixed != fixed(&config) {
            tracing::warn!("web.listen_address and store.path change at the next start only");
        }
        refuse_simulated(self.core.state.api().is_simulated(), &config.api).map_err(text)?;
        let same_key = self.in_force.key.secret.expose_secret() == key.secret.expose_secret();
        // If all requests are stopped, a new gateway starts over: the operator has probably removed the cause.
        let keep =
            self.in_force.api == config.api && same_key && self.core.gateway.admission() == Admission::All;
        let gateway = if keep { None } else { Some(self.core.connect(&config.api, &key).map_err(text)?) };
        self.brief.configure(&config.prometheus).map_err(StartError::Prometheus).map_err(text)?;
        self.core.ledger.set_limits(config.budget);
        let api = handle(&config, gateway.clone().unwrap_or_else(|| self.core.gateway.clone()));
        let provider = config.api.provider();
        let in_force = InForce { fixed: self.in_force.fixed.clone(), ..InForce::new(&config, key) };
        let (done, reloaded) = oneshot::channel();
        let reload = poller::Reload { plan: config.into(), gateway, done };
        self.reloads.send(reload).await.map_err(|_| "the poller has ended".to_owned())?;
        reloaded.await.map_err(|_| "the poller has ended".to_owned())?;
        self.core.gateway = api.gateway.clone();
        self.core.lookups.set_api(api);
        self.provider.send_replace(provider);
        self.in_force = in_force;
        Ok(())
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
