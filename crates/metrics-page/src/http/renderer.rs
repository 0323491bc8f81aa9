//! Renders the results whenever they have changed, at most once a second.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{MetricsPage, PageSource};
use crate::{PageError, RenderedPage};

/// The shortest time between two renderings.
const PAUSE: Duration = Duration::from_secs(1);

/// The pause after a rendering, in multiples of the time it took: at most a fifth of a processor.
const REST: u32 = 4;

/// How often to check whether a value has grown too old. The clock may be set in the meantime, so there is no
/// sleep until a certain time.
const CHECK: Duration = Duration::from_secs(10);

/// After this many checks without a use of the plain page, it is dropped.
const PLAIN_CHECKS: u32 = 6;

/// How often to check whether the readers of an old page have gone.
const READERS: Duration = Duration::from_millis(100);

impl<S: PageSource> MetricsPage<S> {
    /// Keeps the results on the page current, until `stopping`. A rendering that fails is logged, and tried
    /// again with the next change; the last one stays.
    pub async fn keep_rendering(self, stopping: CancellationToken) {
        stopping.run_until_cancelled(self.render_forever(self.changes.clone())).await;
    }

    async fn render_forever(&self, mut changes: watch::Receiver<S::Snapshot>) {
        let mut held = Vec::new();
        loop {
            self.out_of_date(&mut changes).await;
            released(&mut held).await;
            let begun = Instant::now();
            let old = Arc::downgrade(&self.latest().rendered);
            match self.render().await {
                Ok(()) => held.push(old),
                Err(error) => {
                    tracing::error!("cannot render the results, the last ones stay on the page: {error}")
                }
            }
            sleep(PAUSE.max(begun.elapsed() * REST)).await;
        }
    }

    async fn out_of_date(&self, changes: &mut watch::Receiver<S::Snapshot>) {
        // An error means that nobody can publish any more; values grow too old all the same.
        while !matches!(timeout(CHECK, changes.changed()).await, Ok(Ok(()))) {
            let latest = self.latest();
            latest.rendered.drop_plain_after(PLAIN_CHECKS);
            if !self.source.is_current(&latest.rendered.extra) {
                return;
            }
        }
    }

    async fn render(&self) -> Result<(), PageError> {
        let this = self.clone();
        let rendered = spawn_blocking(move || this.source.render()).await??;
        let joining = self.joining.clone().lock_owned().await;
        let this = self.clone();
        let join = move || {
            let page = this.join(Arc::new(rendered));
            drop(joining);
            page
        };
        spawn_blocking(join).await?.map(|_| ())
    }
}

/// Waits until readers hold no page but the latest. The server gives up on slow readers after a while; until
/// then the next rendering waits, so memory never holds more than two pages, however many readers there are.
async fn released<E>(held: &mut Vec<Weak<RenderedPage<E>>>) {
    while held.iter().any(|page| page.strong_count() > 0) {
        sleep(READERS).await;
    }
    held.clear();
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::time::{Duration, Instant, timeout};

    use super::super::MetricsPage;
    use super::super::tests::{Results, page};
    use super::released;

    #[tokio::test(start_paused = true)]
    async fn the_next_rendering_waits_for_the_readers_of_the_one_before() {
        let rendered = page().latest().rendered.clone();
        let mut held = vec![Arc::downgrade(&rendered)];
        let hour = Duration::from_secs(3_600);
        assert!(timeout(hour, released(&mut held)).await.is_err(), "the page is still being read");
        drop(rendered);
        let begun = Instant::now();
        released(&mut held).await;
        assert!(begun.elapsed() < Duration::from_secs(1));
        assert!(held.is_empty());
    }

    #[tokio::test]
    async fn a_scrape_gets_the_last_page_while_the_next_is_made() {
        let page = page();
        let last = page.latest();
        let _making = page.joining.clone().lock_owned().await;
        let got = timeout(Duration::from_secs(60), page.get()).await.expect("the scrape waits").unwrap();
        assert!(Arc::ptr_eq(&got, &last));
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_rendered_while_nothing_changes() {
        let results = Results::default();
        let value = results.value.clone();
        let page = MetricsPage::new(results).unwrap();
        // Between the first rendering and the first check.
        value.send_replace(1);
        let rendering = tokio::spawn(page.clone().keep_rendering(Default::default()));
        let first = page.latest();
        while Arc::ptr_eq(&page.latest(), &first) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let second = page.latest();
        tokio::time::sleep(Duration::from_secs(3_600)).await;
        assert!(Arc::ptr_eq(&page.latest(), &second), "rendered without a change");
        rendering.abort();
    }
}
