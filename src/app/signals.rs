//! Signals from the operator.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::StartError;

/// SIGTERM, SIGINT and SIGHUP. While this exists they do not end the process; each waits here until it is
/// received.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What a signal means.
pub(super) enum Order {
    Stop,
    Reload,
}

impl Signals {
    pub(super) fn listen() -> Result<Self, StartError> {
        let signal = |kind| signal(kind).map_err(StartError::Signals);
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The next signal.
    pub(super) async fn next(&mut self) -> Order {
        tokio::select! {
            _ = self.terminate.recv() => Order::Stop,
            _ = self.interrupt.recv() => Order::Stop,
            _ = self.hangup.recv() => Order::Reload,
        }
    }
}
