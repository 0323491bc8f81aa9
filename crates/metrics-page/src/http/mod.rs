//! The page over HTTP. The results are rendered in the background, once per change; a scrape gets the last
//! complete rendering behind figures of this moment, and waits for neither. Of scrapes that come at once, all
//! but the first also get its live figures.
//!
//! The parts are joined without copying the large one. The compressed page is one gzip member, because some
//! clients ignore a second: the live figures are stored uncompressed, the own figures are deflated up to a
//! byte boundary, the results are a deflate stream that ends, and the checksum of the whole follows from
//! those of the parts.

mod body;
mod encoding;
mod gzip_page;
mod renderer;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::{CONTENT_TYPE, PageError, Pieces, RenderedPage};
use encoding::Encoding;
use gzip_page::GzipPage;

pub use body::PageBody;

/// What a page is made of: live figures that differ at every scrape, own figures that change with what the
/// program does, and results that change with its snapshot. In this order the page should be sorted by name.
pub trait PageSource: Send + Sync + 'static {
    /// What is kept of a snapshot besides its text.
    type Extra: Send + Sync + 'static;
    /// What the own figures depend on. Cheap to take and to compare.
    type Mark: PartialEq + Send + Sync + 'static;
    /// What results are published as.
    type Snapshot: Send + Sync + 'static;

    /// Renders the results as they are now, all from one snapshot.
    ///
    /// # Errors
    ///
    /// When the results cannot be compressed.
    fn render(&self) -> Result<RenderedPage<Self::Extra>, PageError>;

    /// Notices results that are newer than those of now.
    fn changes(&self) -> watch::Receiver<Self::Snapshot>;

    /// Whether results rendered now would look the same, although no new ones were published: values may
    /// grow too old to be shown.
    fn is_current(&self, rendered: &Self::Extra) -> bool;

    /// What the own figures depend on now, with these results.
    fn mark(&self, rendered: &Self::Extra) -> Self::Mark;

    /// The own figures with these results, in text format 0.0.4.
    ///
    /// # Errors
    ///
    /// When the prometheus crate refuses a family.
    fn own_figures(&self, rendered: &Self::Extra) -> Result<String, PageError>;

    /// The live figures, in text format 0.0.4. Called in async workers: some microseconds at most.
    fn live_figures(&self) -> String;
}

/// Serves the page. Cheap to clone.
pub struct MetricsPage<S: PageSource> {
    source: Arc<S>,
    /// The latest page.
    latest: Arc<Mutex<Arc<GzipPage<S>>>>,
    /// Held while the next page is made; those who wait for it get the same.
    joining: Arc<tokio::sync::Mutex<()>>,
    /// Results that are newer than the first rendering.
    changes: watch::Receiver<S::Snapshot>,
}

impl<S: PageSource> Clone for MetricsPage<S> {
    fn clone(&self) -> Self {
        Self {
            source: self.source.clone(),
            latest: self.latest.clone(),
            joining: self.joining.clone(),
            changes: self.changes.clone(),
        }
    }
}

impl<S: PageSource> MetricsPage<S> {
    /// The page of `source`, with the results as they are now. Later ones are rendered by
    /// [`keep_rendering`](Self::keep_rendering). Not for an async worker.
    ///
    /// # Errors
    ///
    /// When the page cannot be made.
    pub fn new(source: S) -> Result<Self, PageError> {
        let changes = source.changes();
        let page = GzipPage::new(&source, Arc::new(source.render()?))?;
        Ok(Self {
            source: Arc::new(source),
            latest: Arc::new(Mutex::new(Arc::new(page))),
            joining: Arc::default(),
            changes,
        })
    }

    /// The response to a scrape with these headers: the page with gzip or without, or status 406 for a client
    /// that accepts neither.
    ///
    /// # Errors
    ///
    /// When the page cannot be made.
    pub async fn respond(&self, headers: &HeaderMap) -> Result<Response<PageBody>, PageError> {
        let Some(encoding) = encoding::accepted(headers) else {
            return Ok(not_acceptable());
        };
        let page = self.get().await?;
        let live = || self.source.live_figures();
        let parts = match encoding {
            Encoding::Gzip => page.gzip(live),
            Encoding::Identity => {
                let plain = plain(&page.rendered).await?;
                page.plain(&live(), &plain)
            }
        };
        let mut response = Response::new(PageBody::new(parts));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
        if encoding == Encoding::Gzip {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        Ok(response)
    }

    /// A page whose own figures are not older than the request for it.
    async fn get(&self) -> Result<Arc<GzipPage<S>>, PageError> {
        if let Some(page) = self.current() {
            return Ok(page);
        }
        // The lock moves into the task: when a client hangs up, nobody else starts a second one.
        let joining = self.joining.clone().lock_owned().await;
        if let Some(page) = self.current() {
            return Ok(page);
        }
        let this = self.clone();
        let join = move || {
            let page = this.join(this.latest().rendered.clone());
            drop(joining);
            page
        };
        spawn_blocking(join).await?
    }

    fn latest(&self) -> Arc<GzipPage<S>> {
        self.latest.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The latest page, if a page made now would be the same.
    fn current(&self) -> Option<Arc<GzipPage<S>>> {
        Some(self.latest()).filter(|page| page.is_current(&self.source))
    }

    /// Makes `rendered` with the own figures of this moment the latest page. The caller holds `joining`.
    fn join(&self, rendered: Arc<RenderedPage<S::Extra>>) -> Result<Arc<GzipPage<S>>, PageError> {
        let page = Arc::new(GzipPage::new(self.source.as_ref(), rendered)?);
        *self.latest.lock().unwrap_or_else(PoisonError::into_inner) = page.clone();
        Ok(page)
    }
}

fn not_acceptable() -> Response<PageBody> {
    let text = "The page is available plain or with gzip; Accept-Encoding refuses both.\n";
    let mut response = Response::new(PageBody::new(Arc::new([Bytes::from_static(text.as_bytes())])));
    *response.status_mut() = StatusCode::NOT_ACCEPTABLE;
    let content_type = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, content_type);
    response
}

async fn plain<E: Send + Sync + 'static>(rendered: &Arc<RenderedPage<E>>) -> Result<Arc<Pieces>, PageError> {
    if let Some(plain) = rendered.plain_if_made() {
        return Ok(plain);
    }
    let rendered = rendered.clone();
    Ok(spawn_blocking(move || rendered.plain()).await??)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use http::header::ACCEPT_ENCODING;
    use http::{HeaderMap, HeaderValue, StatusCode};
    use tokio::sync::watch;
    use tokio::time::advance;

    use super::gzip_page::FRESH;
    use super::{MetricsPage, PageSource};
    use crate::{LabelArena, PageError, RenderedPage, SampleWriter, Subject};

    crate::families! {
        const RESULTS: () = "a test";
        /// Results.
        gauge "z_results" [name] => ();
    }

    /// A page with one result.
    #[derive(Default)]
    pub(super) struct Results {
        pub(super) value: watch::Sender<u64>,
        pub(super) own: Arc<AtomicU64>,
    }

    impl PageSource for Results {
        type Extra = ();
        type Mark = u64;
        type Snapshot = u64;

        fn render(&self) -> Result<RenderedPage<()>, PageError> {
            let value = Some(*self.value.borrow() as f64);
            Ok(RenderedPage::render((), |text| {
                let (mut arena, label) = (LabelArena::default(), ("name", "a\"b"));
                let at = arena.add(None, label);
                let subject = Subject { label, second: None, text: arena.get(at) };
                SampleWriter::new(text, &RESULTS[0].family).put(&subject, value);
            })?)
        }

        fn changes(&self) -> watch::Receiver<u64> {
            self.value.subscribe()
        }

        fn is_current(&self, (): &()) -> bool {
            true
        }

        fn mark(&self, (): &()) -> u64 {
            self.own.load(Ordering::Relaxed)
        }

        fn own_figures(&self, (): &()) -> Result<String, PageError> {
            Ok(format!("b_own {}\n", self.own.load(Ordering::Relaxed)))
        }

        fn live_figures(&self) -> String {
            "a_live 1\n".to_owned()
        }
    }

    pub(super) fn page() -> MetricsPage<Results> {
        MetricsPage::new(Results::default()).unwrap()
    }

    async fn body(page: &MetricsPage<Results>, accepted: &'static str) -> (StatusCode, Vec<u8>) {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(accepted));
        let mut response = page.respond(&headers).await.unwrap();
        let mut bytes = Vec::new();
        let mut body = std::pin::Pin::new(response.body_mut());
        while let Some(Ok(frame)) =
            std::future::poll_fn(|cx| http_body::Body::poll_frame(body.as_mut(), cx)).await
        {
            bytes.extend_from_slice(frame.data_ref().unwrap());
        }
        (response.status(), bytes)
    }

    #[tokio::test]
    async fn plain_and_gzip_are_the_same_page_with_the_own_figures_of_now() {
        let own = Arc::new(AtomicU64::new(0));
        let page = MetricsPage::new(Results { own: own.clone(), ..Results::default() }).unwrap();
        for count in 1..3 {
            own.store(count, Ordering::Relaxed);
            let want = format!(
                "a_live 1\nb_own {count}\n# HELP z_results Results.\n# TYPE z_results gauge\n\
                 z_results{{name=\"a\\\"b\"}} 0\n"
            );
            let (_, plain) = body(&page, "identity").await;
            assert_eq!(String::from_utf8(plain).unwrap(), want);
            let (_, gzip) = body(&page, "gzip").await;
            let mut text = String::new();
            let mut decoder = flate2::read::GzDecoder::new(gzip.as_slice());
            std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
            assert_eq!(text, want);
        }
        assert_eq!(body(&page, "identity;q=0, gzip;q=0").await.0, StatusCode::NOT_ACCEPTABLE);
    }

    #[tokio::test(start_paused = true)]
    async fn only_scrapes_that_come_at_once_share_the_live_figures() {
        let page = page().latest();
        let read = Cell::new(0);
        let scrape = || {
            page.gzip(|| {
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
