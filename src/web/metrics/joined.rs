//! The exporter's own figures, joined with a print of the results.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use tokio::time::Instant;

use crate::exposition::{Exposition, Mark, PageError, Pieces, Print};

/// RFC 1952: deflate, no name, no time, fastest, unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// For how long a compressed page is sent again, with its figures of the process. Whoever scrapes every few
/// seconds gets a new one each time; those who come all at once share it.
pub(super) const FRESH: Duration = Duration::from_millis(50);

/// A whole page, but for the figures of the process.
pub(super) struct Joined {
    pub(super) print: Arc<Print>,
    own: String,
    /// The own figures, deflated up to a byte boundary.
    deflated: Vec<u8>,
    /// Checksum and length of the own figures and the print.
    crc: Crc,
    mark: Mark,
    /// The compressed page as it was sent last, and when.
    sent: Mutex<Option<(Instant, Arc<[Bytes]>)>>,
}

impl Joined {
    /// Puts the exporter's own figures of this moment before `print`. Compresses them: not for an
    /// async worker.
    pub(super) fn new(exposition: &Exposition, print: Arc<Print>) -> Result<Self, PageError> {
        // Taken first: what changes from here on makes the next page.
        let mark = exposition.mark(&print);
        let own = exposition.own_figures(&print)?;
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::fast());
        deflate.write_all(own.as_bytes())?;
        deflate.flush()?;
        let deflated = deflate.get_ref().clone();
        let mut crc = Crc::new();
        crc.update(own.as_bytes());
        crc.combine(print.crc());
        Ok(Self { print, own, deflated, crc, mark, sent: Mutex::default() })
    }

    /// Whether the own figures would be the same if they were read now.
    pub(super) fn is_current(&self, exposition: &Exposition) -> bool {
        self.mark == exposition.mark(&self.print)
    }

    /// The compressed page, in parts. `process` reads the figures of the process, if they are to be read.
    pub(super) fn gzip(&self, process: impl FnOnce() -> String) -> Arc<[Bytes]> {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, page)) = &*sent
            && at.elapsed() < FRESH
        {
            return page.clone();
        }
        let page = self.compressed(&process());
        *sent = Some((Instant::now(), page.clone()));
        page
    }

    /// The page as one gzip member behind `process`, in parts.
    fn compressed(&self, process: &str) -> Arc<[Bytes]> {
        let mut head = GZIP_HEADER.to_vec();
        head.reserve_exact(process.len() + 5 + self.deflated.len());
        for block in process.as_bytes().chunks(usize::from(u16::MAX)) {
            stored(&mut head, block);
        }
        head.extend_from_slice(&self.deflated);
        let mut crc = Crc::new();
        crc.update(process.as_bytes());
        crc.combine(&self.crc);
        let trailer = [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()].concat();
        [head.into()].into_iter().chain(self.parts(None)).chain([trailer.into()]).collect()
    }

    /// The page as it is behind `process`, in parts; `plain` is the text of the print.
    pub(super) fn plain(&self, process: &str, plain: &Arc<Pieces>) -> Arc<[Bytes]> {
        [[process, &self.own].concat().into()].into_iter().chain(self.parts(Some(plain))).collect()
    }

    /// The print, compressed or plain.
    fn parts(&self, plain: Option<&Arc<Pieces>>) -> impl Iterator<Item = Bytes> {
        let part = move |number| Part { print: self.print.clone(), plain: plain.cloned(), number };
        let pieces = plain.map_or(self.print.deflated(), Arc::as_ref).all().len();
        (0..pieces).map(move |number| Bytes::from_owner(part(number)))
    }
}

/// Appends a deflate block that is not compressed (RFC 1951, 3.2.4), from one byte boundary to the
/// next: so short a text is sent sooner than compressed.
fn stored(deflated: &mut Vec<u8>, block: &[u8]) {
    let length = block.len() as u16;
    deflated.push(0);
    deflated.extend_from_slice(&length.to_le_bytes());
    deflated.extend_from_slice(&(!length).to_le_bytes());
    deflated.extend_from_slice(block);
}

/// A piece of a print, which holds the print as long as it is being sent.
struct Part {
    print: Arc<Print>,
    plain: Option<Arc<Pieces>>,
    number: usize,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        let pieces = self.plain.as_deref().unwrap_or(self.print.deflated());
        pieces.all().get(self.number).map_or(&[], Vec::as_slice)
    }
}
