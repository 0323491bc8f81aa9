//! What a program may want to count.

use crate::Refusal;

/// Receives the events of a server, for example to update metrics. Both methods are called from the
/// server's tasks and must not block. `()` ignores everything.
pub trait Observer: Send + Sync + 'static {
    /// A connection or a request was refused.
    fn refused(&self, reason: Refusal) {
        let _ = reason;
    }

    /// The web configuration file was read again. With `valid` it is in force; otherwise the last valid
    /// one stays in force. Called after every attempt, also when nothing changed.
    fn config_reloaded(&self, valid: bool) {
        let _ = valid;
    }
}

impl Observer for () {}
