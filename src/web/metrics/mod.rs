//! The `/metrics` page. The results are printed in the background, once for each change; a scrape
//! gets the last complete print behind figures that are of this very moment, and waits for neither. Of
//! scrapes that come at once, all but the first get its figures of the process as well.
//!
//! The parts are joined without copying the large one. The compressed page is one gzip member (there
//! are clients that ignore a second): the figures of the process are stored as they are, the
//! exporter's own are deflated up to a byte boundary, the results are a deflate stream that ends, and
//! the checksum of all follows from the checksums of each.

mod body;
mod encoding;
mod joined;
mod printer;

use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::extract::State as Extract;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use super::{App, broken};
use crate::exposition::{CONTENT_TYPE, Exposition, PageError, Pieces, Print};
use crate::state::Snapshot;
use body::Parts;
use encoding::Encoding;
use joined::Joined;

/// Hands out pages. Cheap to clone.
#[derive(Clone)]
pub struct MetricsPage {
    exposition: Arc<Exposition>,
    /// The latest page.
    joined: Arc<Mutex<Arc<Joined>>>,
    /// Held by whoever makes the next page; those who wait for it get the same.
    joining: Arc<tokio::sync::Mutex<()>>,
    /// Results that are newer than the first print.
    changes: watch::Receiver<Arc<Snapshot>>,
}

impl MetricsPage {
    /// Pages of `exposition`, with the results as they are now. Those that come later are printed by
    /// [`keep_printing`](Self::keep_printing). Not for an async worker.
    ///
    /// # Errors
    ///
    /// None that the caller can cause.
    pub fn new(exposition: Exposition) -> Result<Self, PageError> {
        let changes = exposition.changes();
        let joined = Joined::new(&exposition, Arc::new(exposition.print()?))?;
        Ok(Self {
            exposition: Arc::new(exposition),
            joined: Arc::new(Mutex::new(Arc::new(joined))),
            joining: Arc::default(),
            changes,
        })
    }

    /// A page whose figures are not older than the request for it.
    async fn get(&self) -> Result<Arc<Joined>, String> {
        if let Some(joined) = self.current() {
            return Ok(joined);
        }
        // The lock goes along: a client that hangs up lets nobody else start a second time.
        let joining = self.joining.clone().lock_owned().await;
        if let Some(joined) = self.current() {
            return Ok(joined);
        }
        let page = self.clone();
        let join = move || {
            let joined = page.join(page.latest().print.clone());
            drop(joining);
            joined
        };
        spawn_blocking(join).await.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }

    fn latest(&self) -> Arc<Joined> {
        self.joined.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The latest page, if one that is made now would say the same.
    fn current(&self) -> Option<Arc<Joined>> {
        Some(self.latest()).filter(|joined| joined.is_current(&self.exposition))
    }

    /// Makes `print` with the own figures of this moment the latest page. For whoever holds `joining`.
    fn join(&self, print: Arc<Print>) -> Result<Arc<Joined>, PageError> {
        let joined = Arc::new(Joined::new(&self.exposition, print)?);
        *self.joined.lock().unwrap_or_else(PoisonError::into_inner) = joined.clone();
        Ok(joined)
    }
}

pub(super) async fn metrics(Extract(app): Extract<Arc<App>>, headers: HeaderMap) -> Response {
    let Some(encoding) = encoding::accepted(&headers) else {
        let text = "The page can be had as it is, or with gzip; Accept-Encoding refuses both.\n";
        return (StatusCode::NOT_ACCEPTABLE, text).into_response();
    };
    let joined = match app.page.get().await {
        Ok(joined) => joined,
        Err(error) => return broken("write the metrics", &error),
    };
    let process = || app.page.exposition.process_figures();
    let parts = match encoding {
        Encoding::Gzip => joined.gzip(process),
        Encoding::Identity => match plain(&joined.print).await {
            Ok(plain) => joined.plain(&process(), &plain),
            Err(error) => return broken("write the metrics", &error),
        },
    };
    let mut response = Response::new(Body::new(Parts::new(parts)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if encoding == Encoding::Gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    response
}

async fn plain(print: &Arc<Print>) -> Result<Arc<Pieces>, String> {
    if let Some(plain) = print.plain_if_made() {
        return Ok(plain);
    }
    let print = print.clone();
    let made = spawn_blocking(move || print.plain()).await;
    made.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;

    use tokio::time::advance;

    use super::MetricsPage;
    use super::joined::FRESH;
    use crate::credits::Ledger;
    use crate::credits::Limits;
    use crate::exposition::{Exposition, Telemetry};
    use crate::state::State;
    use crate::store::Store;
    use units::{Clock, SystemClock};

    pub(super) fn page(state: &State) -> MetricsPage {
        let clock = Arc::new(SystemClock);
        let telemetry = Telemetry::new().unwrap();
        let store = Arc::new(Store::in_memory().unwrap());
        let ledger = Arc::new(Ledger::open(store, Limits::default(), clock.now()).unwrap());
        MetricsPage::new(Exposition::new(state.clone(), ledger, clock, &telemetry).unwrap()).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn only_those_who_come_at_once_share_the_figures_of_the_process() {
        let joined = page(&State::default()).latest();
        let read = Cell::new(0);
        let scrape = || {
            joined.gzip(|| {
                read.set(read.get() + 1);
                format!("# {}\n", read.get())
            })
        };
        let first = scrape();
        advance(FRESH / 2).await;
        assert!(Arc::ptr_eq(&scrape(), &first));
        advance(FRESH / 2).await;
        assert_ne!(scrape()[0], first[0]);
        assert_eq!(read.get(), 2);
    }
}
