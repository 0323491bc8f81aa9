//! The small part of the page, joined with the rendered results.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use tokio::time::Instant;

use super::PageSource;
use crate::{PageError, Pieces, RenderedPage};

/// RFC 1952: deflate, no name, no time, fastest, unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// For how long a compressed page is sent again with the same live figures. A scraper that comes every few
/// seconds gets a new one each time; scrapers that come at once share it.
pub(super) const FRESH: Duration = Duration::from_millis(50);

/// A whole page, except for the live figures.
pub(super) struct GzipPage<S: PageSource> {
    pub(super) rendered: Arc<RenderedPage<S::Extra>>,
    own: String,
    /// The own figures, deflated up to a byte boundary.
    deflated: Vec<u8>,
    /// Checksum and length of the own figures and the results.
    crc: Crc,
    mark: S::Mark,
    /// The compressed page as it was last sent, and when.
    sent: Mutex<Option<(Instant, Arc<[Bytes]>)>>,
}

impl<S: PageSource> GzipPage<S> {
    /// Puts the own figures of this moment before `rendered`. Compresses them: not for an async worker.
    pub(super) fn new(source: &S, rendered: Arc<RenderedPage<S::Extra>>) -> Result<Self, PageError> {
        // Taken first: a change from here on makes the next page.
        let mark = source.mark(&rendered.extra);
        let own = source.own_figures(&rendered.extra)?;
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
        deflate.write_all(own.as_bytes())?;
        deflate.flush()?;
        let deflated = deflate.get_ref().clone();
        let mut crc = Crc::new();
        crc.update(own.as_bytes());
        crc.combine(rendered.crc());
        Ok(Self { rendered, own, deflated, crc, mark, sent: Mutex::default() })
    }

    /// Whether the own figures would be the same if they were read now.
    pub(super) fn is_current(&self, source: &S) -> bool {
        self.mark == source.mark(&self.rendered.extra)
    }

    /// The compressed page, in parts. `live` reads the live figures, if they must be read.
    pub(super) fn gzip(&self, live: impl FnOnce() -> String) -> Arc<[Bytes]> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, page)) = &*sent
            && at.elapsed() < FRESH
        {
            return page.clone();
        }
        let page = self.compressed(&live());
        *sent = Some((Instant::now(), page.clone()));
        page
    }

    /// The page with `live` before it as one gzip member, in parts.
    fn compressed(&self, live: &str) -> Arc<[Bytes]> {
        let mut head = GZIP_HEADER.to_vec();
        head.reserve_exact(live.len() + 5 + self.deflated.len());
        for block in live.as_bytes().chunks(usize::from(u16::MAX)) {
            stored(&mut head, block);
        }
        head.extend_from_slice(&self.deflated);
        let mut crc = Crc::new();
        crc.update(live.as_bytes());
        crc.combine(&self.crc);
        let trailer = [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()].concat();
        [head.into()].into_iter().chain(self.parts(None)).chain([trailer.into()]).collect()
    }

    /// The uncompressed page with `live` before it, in parts; `plain` is the text of the results.
    pub(super) fn plain(&self, live: &str, plain: &Arc<Pieces>) -> Arc<[Bytes]> {
        [[live, &self.own].concat().into()].into_iter().chain(self.parts(Some(plain))).collect()
    }

    /// The results, compressed or plain.
    fn parts(&self, plain: Option<&Arc<Pieces>>) -> impl Iterator<Item = Bytes> {
        let part = move |number| Part { rendered: self.rendered.clone(), plain: plain.cloned(), number };
        let pieces = plain.map_or(self.rendered.deflated(), Arc::as_ref).all().len();
        (0..pieces).map(move |number| Bytes::from_owner(part(number)))
    }
}

/// Appends a deflate block that is not compressed (RFC 1951, 3.2.4), from one byte boundary to the next:
/// sending a text this short takes less time than compressing it.
fn stored(deflated: &mut Vec<u8>, block: &[u8]) {
    let length = block.len() as u16;
    deflated.push(0);
    deflated.extend_from_slice(&length.to_le_bytes());
    deflated.extend_from_slice(&(!length).to_le_bytes());
    deflated.extend_from_slice(block);
}

/// A piece of the results, which keeps them alive while it is being sent.
struct Part<E> {
    rendered: Arc<RenderedPage<E>>,
    plain: Option<Arc<Pieces>>,
    number: usize,
}

impl<E> AsRef<[u8]> for Part<E> {
    fn as_ref(&self) -> &[u8] {
        let pieces = self.plain.as_deref().unwrap_or(self.rendered.deflated());
        pieces.all().get(self.number).map_or(&[], Vec::as_slice)
    }
}
