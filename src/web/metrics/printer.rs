//! Prints the results whenever they have changed, but not more often than once a second.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::MetricsPage;
use crate::exposition::Print;
use crate::state::{Snapshot, State};

/// The shortest time from one print to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// How many times as long as a print takes nothing is printed: at most a fifth of a processor.
const REST: u32 = 4;

/// How often is looked whether a value has grown too old. The clock may have been set meanwhile, so
/// nobody sleeps until a certain time.
const LOOK: Duration = Duration::from_secs(10);

/// How often is looked whether the readers of an old print have gone.
const READERS: Duration = Duration::from_millis(100);

type Changes = watch::Receiver<Arc<Snapshot>>;

impl MetricsPage {
    /// Keeps the results on the page those in `state`, until `stopping`. A print that fails is
    /// reported, and tried again with the next change; the last one stays.
    pub async fn keep_printing(self, state: State, stopping: CancellationToken) {
        stopping.run_until_cancelled(self.print_for_ever(state.changes())).await;
    }

    async fn print_for_ever(&self, mut changes: Changes) {
        // Whatever happened before anybody looked.
        changes.mark_changed();
        let mut held = Vec::new();
        loop {
            self.out_of_date(&mut changes).await;
            gone(&mut held).await;
            let begun = Instant::now();
            let old = Arc::downgrade(&self.latest().print);
            match self.print().await {
                Ok(()) => held.push(old),
                Err(error) => {
                    tracing::error!("cannot print the results, the last ones stay on the page: {error}")
                }
            }
            sleep(PAUSE.max(begun.elapsed() * REST)).await;
        }
    }

    async fn out_of_date(&self, changes: &mut Changes) {
        // An error would mean that nobody can publish any more; then, too, values grow too old.
        while !matches!(timeout(LOOK, changes.changed()).await, Ok(Ok(()))) {
            if !self.exposition.is_current(&self.latest().print) {
                return;
            }
        }
    }

    async fn print(&self) -> Result<(), String> {
        let page = self.clone();
        let print = spawn_blocking(move || page.exposition.print()).await;
        let print = print.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        let joining = self.joining.clone().lock_owned().await;
        let page = self.clone();
        let join = move || {
            let joined = page.join(Arc::new(print));
            drop(joining);
            joined
        };
        let joined = spawn_blocking(join).await.map_err(|error| error.to_string())?;
        joined.map(|_| ()).map_err(|error| error.to_string())
    }
}

/// Waits until no print but the latest is held by readers. Slow ones are given up on by the server
/// after a while; until then the next print waits, so that however many there are, two prints are
/// the most that memory holds.
async fn gone(held: &mut Vec<Weak<Print>>) {
    while held.iter().any(|print| print.strong_count() > 0) {
        sleep(READERS).await;
    }
    held.clear();
}
