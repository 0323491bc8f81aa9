//! The status of the API and its account. Decisions depend on it, so it is state and not a metric. The
//! metrics page shows it like all other state.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use units::Timestamp;

use crate::model::{JobKind, Trip};

/// The status of the API at one time.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ApiStatus {
    /// Whether a response ever came from a simulator, or the store holds one. Never reset.
    pub simulated: bool,
    /// Why all requests are stopped, if they are.
    pub stopped: Option<Trip>,
    /// The end of the last pause that the API requested. `None` if it has requested none since the start or
    /// the last change of its settings.
    pub paused_until: Option<Timestamp>,
    /// The pace of the poller under the budget.
    pub pace: PlannedPace,
}

/// The pace of the poller under the budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlannedPace {
    /// The factor on the intervals of each kind of job, in the order of [`JobKind::ALL`]: 1 as configured,
    /// above 1 stretched, infinite paused.
    pub stretch: [f64; JobKind::ALL.len()],
    /// Credits per day.
    pub per_day: f64,
}

impl Default for PlannedPace {
    fn default() -> Self {
        Self { stretch: [1.0; JobKind::ALL.len()], per_day: 0.0 }
    }
}

/// Passes the [`ApiStatus`] from the gateway and the poller to the readers. All clones share one status.
#[derive(Debug, Clone, Default)]
pub struct ApiState(Arc<Mutex<ApiStatus>>);

impl ApiState {
    /// The current status.
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

    /// Sets why all requests are stopped; `None` if they are not.
    pub fn set_stopped(&self, stopped: Option<Trip>) {
        self.lock().stopped = stopped;
    }

    /// Sets the end of the pause that the API requested; `None` if there is none.
    pub fn set_paused_until(&self, until: Option<Timestamp>) {
        self.lock().paused_until = until;
    }

    /// Sets the pace of the poller.
    pub fn set_pace(&self, pace: PlannedPace) {
        self.lock().pace = pace;
    }

    fn lock(&self) -> MutexGuard<'_, ApiStatus> {
        // Each write sets one field, so a panic leaves nothing inconsistent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
