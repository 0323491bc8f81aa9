//! The loop as the exporter runs it, with its ledger and its page but without a web server.

#![allow(dead_code, reason = "no test needs all of it")]

use std::sync::Arc;
use std::time::Duration;

use tiktok_api::Transport;
use tiktok_exporter::config;
use tiktok_exporter::credits::{Ledger, Limits};
use tiktok_exporter::gateway::{self, Gateway};
use tiktok_exporter::page::Exposition;
use tiktok_exporter::poller::{Parts, Plan, Poller, Reload};
use tiktok_exporter::state::State;
use tiktok_exporter::store::Store;
use tiktok_exporter::telemetry::Telemetry;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use units::SharedClock;

/// How long a refused key stops all requests.
pub const COOLDOWN: Duration = Duration::from_secs(900);

/// A running loop that asks `upstream`.
pub struct Loop<U> {
    pub upstream: Arc<U>,
    pub state: State,
    pub ledger: Arc<Ledger>,
    pub exposition: Exposition,
    pub clock: SharedClock,
    pub stopping: CancellationToken,
    pub task: JoinHandle<()>,
    gateway_parts: gateway::Parts,
    reloads: mpsc::Sender<Reload>,
}

impl<U: Transport + 'static> Loop<U> {
    /// Runs one with a configuration.
    pub async fn run(
        upstream: Arc<U>,
        clock: SharedClock,
        store: Arc<Store>,
        limits: Limits,
        toml: &str,
    ) -> Self {
        let (state, telemetry) = (State::default(), Arc::new(Telemetry::new().unwrap()));
        let stopping = CancellationToken::new();
        let ledger = Arc::new(Ledger::open(store.clone(), limits, clock.now()).unwrap());
        let exposition = Exposition::new(state.clone(), ledger.clone(), clock.clone(), telemetry.clone());
        let gateway_parts = gateway::Parts {
            ledger: ledger.clone(),
            clock: clock.clone(),
            telemetry: telemetry.clone(),
            api: state.api().clone(),
            stopping: stopping.clone(),
        };
        let parts = Parts {
            gateway: gateway(&upstream, &gateway_parts),
            ledger: ledger.clone(),
            store,
            state: state.clone(),
            telemetry,
            clock: clock.clone(),
        };
        let poller = Poller::new(parts, plan(toml)).await.unwrap();
        let (reloads, receiver) = mpsc::channel(1);
        let task = tokio::spawn(poller.run(receiver, stopping.clone()));
        Self { upstream, state, ledger, exposition, clock, stopping, task, gateway_parts, reloads }
    }

    /// Reloads with another configuration.
    pub async fn reload(&self, toml: &str) {
        self.put_into_force(toml, None).await;
    }

    /// Reloads with other settings of the API, which lead to `upstream`.
    pub async fn move_to(&self, upstream: &Arc<U>, toml: &str) {
        self.put_into_force(toml, Some(gateway(upstream, &self.gateway_parts))).await;
    }

    async fn put_into_force(&self, toml: &str, gateway: Option<Arc<Gateway>>) {
        let (done, told) = oneshot::channel();
        let reload = Reload { plan: plan(toml), gateway, done };
        assert!(self.reloads.send(reload).await.is_ok(), "the loop has ended");
        told.await.unwrap();
    }

    /// Ends it as the exporter does.
    pub async fn stop(self) {
        self.stopping.cancel();
        self.task.await.unwrap();
    }

    /// Ends it in the middle of whatever it does, and with it its hold on the store.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// The value of a series on the metrics page.
    pub fn metric(&self, series: &str) -> f64 {
        let page = self.exposition.encode().unwrap();
        let value = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("{series} is not on the page:\n{page}")).parse().unwrap()
    }
}

/// A way to `upstream` on which 200 requests a minute may go.
fn gateway<U: Transport + 'static>(upstream: &Arc<U>, parts: &gateway::Parts) -> Arc<Gateway> {
    Arc::new(Gateway::new(upstream.clone(), parts.clone(), 200, COOLDOWN))
}

fn plan(toml: &str) -> Plan {
    config::load_str(toml, []).unwrap().config.into()
}
