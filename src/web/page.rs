//! The `/metrics` page, encoded once for all who ask at the same time.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::exposition::Exposition;

/// Hands out pages. However many scrape at once, one page is encoded at a time, and slow readers
/// hold the same one. A page is never older than the request for it.
#[derive(Clone)]
pub struct MetricsPage {
    exposition: Arc<Exposition>,
    /// The latest page, and when its encoding began.
    latest: Arc<Mutex<Option<(Instant, Bytes)>>>,
}

impl MetricsPage {
    /// Pages of `exposition`.
    pub fn new(exposition: Exposition) -> Self {
        Self { exposition: Arc::new(exposition), latest: Arc::default() }
    }

    /// The page as it is now, or what went wrong.
    pub(super) async fn get(&self) -> Result<Bytes, String> {
        let asked = Instant::now();
        let mut latest = self.latest.clone().lock_owned().await;
        let exposition = self.exposition.clone();
        // The lock goes along: a client that hangs up lets nobody else start a second encoding.
        let encoded = spawn_blocking(move || {
            if let Some((begun, page)) = &*latest
                && *begun >= asked
            {
                return Ok(page.clone());
            }
            let begun = Instant::now();
            let page = Bytes::from(exposition.encode().map_err(|error| error.to_string())?);
            *latest = Some((begun, page.clone()));
            Ok(page)
        });
        encoded.await.map_err(|error| error.to_string())?
    }
}
