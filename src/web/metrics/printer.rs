//! Prints the results whenever they have changed, but not more often than once a second.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::MetricsPage;
use crate::exposition::Print;
use crate::state::Snapshot;

/// The shortest time from one print to the next.
const PAUSE: Duration = Duration::from_secs(1);

/// How many times as long as a print takes nothing is printed: at most a fifth of a processor.
const REST: u32 = 4;

/// How often is looked whether a value has grown too old. The clock may have been set meanwhile, so
/// nobody sleeps until a certain time.
const LOOK: Duration = Duration::from_secs(10);

/// After so many looks at which nobody had asked for the plain page since the last, it is forgotten.
const PLAIN_LOOKS: u32 = 6;

/// How often is looked whether the readers of an old print have gone.
const READERS: Duration = Duration::from_millis(100);

type Changes = watch::Receiver<Arc<Snapshot>>;

impl MetricsPage {
    /// Keeps the results on the page the latest, until `stopping`. A print that fails is reported, and
    /// tried again with the next change; the last one stays.
    pub async fn keep_printing(self, stopping: CancellationToken) {
        stopping.run_until_cancelled(self.print_for_ever(self.changes.clone())).await;
    }

    async fn print_for_ever(&self, mut changes: Changes) {
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
            let latest = self.latest();
            let print = &latest.print;
            print.forget_plain_after(PLAIN_LOOKS);
            if !self.exposition.is_current(print) {
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::{Duration, Instant, timeout};

    use super::super::tests::page;
    use super::gone;
    use crate::model::Keyword;
    use crate::state::{KeywordState, Refresh, Snapshot, State};

    #[tokio::test(start_paused = true)]
    async fn the_next_print_waits_for_those_who_read_the_one_before() {
        let print = page(&State::default()).latest().print.clone();
        let mut held = vec![Arc::downgrade(&print)];
        let hour = Duration::from_secs(3_600);
        assert!(timeout(hour, gone(&mut held)).await.is_err(), "a print is being read for ever");
        drop(print);
        let begun = Instant::now();
        gone(&mut held).await;
        assert!(begun.elapsed() < Duration::from_secs(1));
        assert!(held.is_empty());
    }

    #[tokio::test]
    async fn a_scrape_gets_the_last_page_while_the_next_is_made() {
        let page = page(&State::default());
        let last = page.latest();
        let _making = page.joining.clone().lock_owned().await;
        let got = timeout(Duration::from_secs(60), page.get()).await.expect("the scrape waits").unwrap();
        assert!(Arc::ptr_eq(&got, &last));
    }

    fn keyword() -> KeywordState {
        KeywordState {
            keyword: Keyword::parse("x").unwrap(),
            max_age: Duration::from_secs(1),
            found: None,
            candidates: Vec::new(),
            refresh: Refresh::default(),
            regions: Vec::new(),
            trials: Vec::new(),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_printed_while_nothing_changes() {
        let state = State::default();
        let page = page(&state);
        // Between the first print and the first look.
        state.publish(Snapshot { keywords: vec![Arc::new(keyword())], ..Snapshot::default() });
        let printing = tokio::spawn(page.clone().keep_printing(Default::default()));
        let first = page.latest();
        while Arc::ptr_eq(&page.latest(), &first) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let second = page.latest();
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert!(Arc::ptr_eq(&page.latest(), &second), "printed without a change");
        printing.abort();
    }
}
