//! The large part of a page: rendered once per change, compressed, and kept for every scrape until the next.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flate2::write::{DeflateDecoder, DeflateEncoder};
use flate2::{Compression, Crc};

use crate::{Pieces, TextWriter};

/// Takes half as long again as level 1 for a ratio of 9 instead of 7; level 3 takes as much again for 10.
pub const COMPRESSION_LEVEL: u32 = 2;

/// The results of one snapshot, as the last part of a page. `E` is what else is kept of that snapshot.
#[derive(Debug)]
pub struct RenderedPage<E> {
    deflated: Pieces,
    crc: Crc,
    plain: Mutex<Plain>,
    /// Held while the plain text is made: once is enough for all who need it.
    making_plain: Mutex<()>,
    /// What else is kept of the snapshot: what the small part of the page and the next change depend on.
    pub extra: E,
}

/// The uncompressed text, kept while it is in use.
#[derive(Debug, Default)]
struct Plain {
    text: Option<Arc<Pieces>>,
    /// Checks in a row at which nobody had used it.
    unused: u32,
}

impl<E> RenderedPage<E> {
    /// Compresses what `write` writes. Takes time in proportion to the number of samples: not for an async
    /// worker.
    ///
    /// # Errors
    ///
    /// When compression fails.
    pub fn render(extra: E, write: impl FnOnce(&mut TextWriter<'_>)) -> io::Result<Self> {
        let mut crc = Crc::new();
        let mut encoder = DeflateEncoder::new(Pieces::default(), Compression::new(COMPRESSION_LEVEL));
        let mut written = Ok(());
        let mut compress = |text: &str| {
            crc.update(text.as_bytes());
            if written.is_ok() {
                written = encoder.write_all(text.as_bytes());
            }
        };
        let mut text = TextWriter::new(&mut compress);
        write(&mut text);
        text.finish();
        written?;
        Ok(Self {
            deflated: encoder.finish()?.complete(),
            crc,
            plain: Mutex::default(),
            making_plain: Mutex::default(),
            extra,
        })
    }

    /// The text as a deflate stream (RFC 1951) with its final block.
    pub fn deflated(&self) -> &Pieces {
        &self.deflated
    }

    /// The checksum and the length of the text.
    pub fn crc(&self) -> &Crc {
        &self.crc
    }

    /// The uncompressed text. Scrapers accept gzip, so it is made on demand. Not for an async worker.
    ///
    /// # Errors
    ///
    /// When decompression fails.
    pub fn plain(&self) -> io::Result<Arc<Pieces>> {
        let _making = lock(&self.making_plain);
        if let Some(plain) = self.plain_if_made() {
            return Ok(plain);
        }
        let mut decoder = DeflateDecoder::new(Pieces::default());
        for piece in self.deflated.all() {
            decoder.write_all(piece)?;
        }
        let plain = Arc::new(decoder.finish()?.complete());
        lock(&self.plain).text = Some(plain.clone());
        Ok(plain)
    }

    /// The uncompressed text, if it is there.
    pub fn plain_if_made(&self) -> Option<Arc<Pieces>> {
        let mut plain = lock(&self.plain);
        plain.unused = 0;
        plain.text.clone()
    }

    /// Drops the uncompressed text, which is many times as large as the compressed one, when this was called
    /// more than `calls` times since its last use.
    pub fn drop_plain_after(&self, calls: u32) {
        let mut plain = lock(&self.plain);
        if plain.unused >= calls {
            plain.text = None;
        }
        plain.unused = plain.unused.saturating_add(1);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::RenderedPage;

    #[test]
    fn the_plain_text_stays_while_it_is_used() {
        let page = RenderedPage::render((), |_| ()).unwrap();
        assert!(page.plain_if_made().is_none(), "nobody needed it");
        page.plain().unwrap();
        for _ in 0..3 {
            page.drop_plain_after(2);
            page.drop_plain_after(2);
            assert!(page.plain_if_made().is_some(), "it was used two calls before");
        }
        for _ in 0..3 {
            page.drop_plain_after(2);
        }
        assert!(page.plain_if_made().is_none(), "nobody has used it for three calls");
        page.plain().unwrap();
        assert!(page.plain_if_made().is_some(), "it can be made again");
    }
}
