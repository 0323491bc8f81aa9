//! Where "now" comes from.
//!
//! Everything that needs the time takes a [`Clock`]; only this file may ask the operating system
//! (`clippy.toml` forbids it elsewhere), so that every test can choose its own moment.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crate::Timestamp;

/// A source of wall-clock time.
pub trait Clock: Send + Sync + 'static {
    /// The current moment.
    fn now(&self) -> Timestamp;
}

/// A shared clock, as the parts of the program pass it around.
pub type SharedClock = Arc<dyn Clock>;

/// The clock of the operating system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the system clock")]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that moves with tokio's timer, starting at a chosen moment.
///
/// Under tokio's paused time it advances exactly with the sleeps of the program, which is how a
/// month of polling is tested in seconds.
#[derive(Debug, Clone, Copy)]
pub struct TimerClock {
    epoch: Timestamp,
    started: tokio::time::Instant,
}

impl TimerClock {
    /// A clock that reads `epoch` at the moment of this call.
    pub fn starting_at(epoch: Timestamp) -> Self {
        Self { epoch, started: tokio::time::Instant::now() }
    }
}

impl Clock for TimerClock {
    fn now(&self) -> Timestamp {
        self.epoch + self.started.elapsed()
    }
}
