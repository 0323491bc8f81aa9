//! The source of the current time.
//!
//! Code that needs the time takes a [`Clock`]. Only this file reads the system clock (`clippy.toml` forbids
//! it elsewhere), so tests can set the time.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use crate::Timestamp;

/// A source of wall-clock time.
pub trait Clock: Send + Sync + 'static {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// A clock that several components share.
pub type SharedClock = Arc<dyn Clock>;

/// The system clock. A time before 1970 reads as 1970.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the only place that reads the system clock")]
    fn now(&self) -> Timestamp {
        let since_epoch = std::time::SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp::from_millis(i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that follows tokio's timer from a given start time.
///
/// With tokio's time paused it advances exactly with the program's sleeps, so a test can run a month of
/// polling in seconds.
#[derive(Debug, Clone, Copy)]
pub struct TimerClock {
    epoch: Timestamp,
    started: tokio::time::Instant,
}

impl TimerClock {
    /// A clock that shows `epoch` now.
    pub fn starting_at(epoch: Timestamp) -> Self {
        Self { epoch, started: tokio::time::Instant::now() }
    }
}

impl Clock for TimerClock {
    fn now(&self) -> Timestamp {
        self.epoch + self.started.elapsed()
    }
}
