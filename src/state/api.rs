//! What is known about the API and its account. Decisions depend on it, so it is state and not a metric; the
//! page shows it like everything else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use units::Timestamp;

use super::JobKind;
use crate::model::Trip;

/// The condition of the API at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ApiStatus {
    /// Whether a response ever came from a simulator, or the store holds one. Never reset.
    pub simulated: bool,
    /// Why all requests are stopped, if they are.
    pub stopped: Option<Trip>,
    /// Until when the API last asked to send nothing. `None` if it has not since the start or since its
    /// settings changed.
    pub paused_until: Option<Timestamp>,
    /// How fast the budget lets the poller go.
    pub pace: PlannedPace,
}

/// How fast the budget lets the poller go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlannedPace {
    /// The factor on the intervals of each kind of job, in the order of [`JobKind::ALL`]: 1 as configured,
    /// above 1 stretched, infinite paused.
    pub stretch: [f64; JobKind::ALL.len()],
    /// Credits a day.
    pub per_day: f64,
}

impl Default for PlannedPace {
    fn default() -> Self {
        Self { stretch: [1.0; JobKind::ALL.len()], per_day: 0.0 }
    }
}

/// Where the gateway and the poller write the [`ApiStatus`] that others read. Cheap to clone; all clones share
/// one status.
#[derive(Debug, Clone, Default)]
pub struct ApiState(Arc<Mutex<ApiStatus>>);

impl ApiState {
    /// The status now.
    pub fn status(&self) -> ApiStatus {
        *self.lock()
    }

    /// Whether results are simulated.
    pub fn is_simulated(&self) -> bool {
        self.lock().simulated
    }

    /// Results are simulated from now on.
    pub fn set_simulated(&self) {
        self.lock().simulated = true;
    }

    /// All requests are stopped for this reason, or none is.
    pub fn set_stopped(&self, stopped: Option<Trip>) {
        self.lock().stopped = stopped;
    }

    /// The API asked to send nothing until then; `None` if it did not.
    pub fn set_paused_until(&self, until: Option<Timestamp>) {
        self.lock().paused_until = until;
    }

    /// The poller goes at this pace.
    pub fn set_pace(&self, pace: PlannedPace) {
        self.lock().pace = pace;
    }

    fn lock(&self) -> MutexGuard<'_, ApiStatus> {
        // Each write sets one field: a panic elsewhere leaves nothing half-done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
