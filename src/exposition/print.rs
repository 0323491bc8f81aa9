//! The results as a printed page: made once for each snapshot, compressed, and kept for every scrape
//! until the next.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flate2::write::{DeflateDecoder, DeflateEncoder};
use flate2::{Compression, Crc};
use units::Timestamp;

use super::jobs::{Counts, JobTimes};
use super::results::Directory;
use super::text::TextSink;
use crate::state::Snapshot;

/// Takes half as long again as the fastest, for a ratio of 9 instead of 7; the next takes as much more for 10.
pub const COMPRESSION_LEVEL: u32 = 2;

/// How much of a page lies in one piece, so that a page neither needs nor frees memory by the
/// hundred megabytes.
const PIECE: usize = 256 << 10;

/// The results of one snapshot, as the last part of a page.
pub struct Print {
    deflated: Pieces,
    crc: Crc,
    plain: Mutex<Plain>,
    /// Held while the plain text is made: once is enough, however many ask.
    making_plain: Mutex<()>,
    jobs: JobTimes,
    next_change: Option<Timestamp>,
}

/// The text as it is, while somebody asks for it.
#[derive(Default)]
struct Plain {
    text: Option<Arc<Pieces>>,
    /// How often nobody had asked when that was looked at.
    unasked: u32,
}

/// A text, or what it was deflated to, in pieces.
#[derive(Default)]
pub struct Pieces {
    pieces: Vec<Vec<u8>>,
    last: Vec<u8>,
}

impl Print {
    /// Prints a snapshot as it looks at `now`. Takes time in proportion to the number of series: not
    /// for an async worker.
    ///
    /// # Errors
    ///
    /// None that the caller can cause.
    pub(super) fn new(snapshot: &Snapshot, now: Timestamp) -> io::Result<Self> {
        let directory = Directory::new(snapshot, now);
        let mut crc = Crc::new();
        let mut encoder = DeflateEncoder::new(Pieces::default(), Compression::new(COMPRESSION_LEVEL));
        let mut written = Ok(());
        let mut text = TextSink::new(|text: &str| {
            crc.update(text.as_bytes());
            if written.is_ok() {
                written = encoder.write_all(text.as_bytes());
            }
        });
        directory.walk(&mut text);
        text.finish();
        written?;
        Ok(Self {
            deflated: encoder.finish()?.complete(),
            crc,
            plain: Mutex::default(),
            making_plain: Mutex::default(),
            jobs: JobTimes::of(snapshot),
            next_change: directory.next_change(),
        })
    }

    /// When the print will be out of date though nothing new is known, because a value grows too
    /// old.
    pub fn next_change(&self) -> Option<Timestamp> {
        self.next_change
    }

    /// The text as a deflate stream (RFC 1951) with its final block.
    pub fn deflated(&self) -> &Pieces {
        &self.deflated
    }

    /// The checksum of the text, and how long it is.
    pub fn crc(&self) -> &Crc {
        &self.crc
    }

    /// The text itself. Those who scrape ask for a compressed page, so this is made when somebody
    /// asks. Not for an async worker.
    ///
    /// # Errors
    ///
    /// None that the caller can cause.
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

    /// The text itself, if it is there.
    pub fn plain_if_made(&self) -> Option<Arc<Pieces>> {
        let mut plain = lock(&self.plain);
        plain.unasked = 0;
        plain.text.clone()
    }

    /// Forgets the plain text, which is many times as large as the compressed one, if nobody has
    /// asked for it since so many calls.
    pub fn forget_plain_after(&self, calls: u32) {
        let mut plain = lock(&self.plain);
        if plain.unasked >= calls {
            plain.text = None;
        }
        plain.unasked = plain.unasked.saturating_add(1);
    }

    pub(super) fn jobs(&self, now: Timestamp) -> Counts {
        self.jobs.counts(now)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pieces {
    /// The pieces, in order.
    pub fn all(&self) -> &[Vec<u8>] {
        &self.pieces
    }

    fn complete(mut self) -> Self {
        self.cut();
        self
    }

    fn cut(&mut self) {
        let mut piece = std::mem::take(&mut self.last);
        if !piece.is_empty() {
            piece.shrink_to_fit();
            self.pieces.push(piece);
        }
    }
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.last.capacity() == 0 {
            self.last.reserve_exact(PIECE);
        }
        let taken = bytes.len().min(PIECE - self.last.len());
        self.last.extend_from_slice(&bytes[..taken]);
        if self.last.len() == PIECE {
            self.cut();
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Print;
    use crate::state::Snapshot;
    use units::Timestamp;

    #[test]
    fn the_plain_text_stays_while_it_is_asked_for() {
        let print = Print::new(&Snapshot::default(), Timestamp::default()).unwrap();
        assert!(print.plain_if_made().is_none(), "nobody has asked");
        print.plain().unwrap();
        for _ in 0..3 {
            print.forget_plain_after(2);
            print.forget_plain_after(2);
            assert!(print.plain_if_made().is_some(), "it was asked for twice before");
        }
        for _ in 0..3 {
            print.forget_plain_after(2);
        }
        assert!(print.plain_if_made().is_none(), "nobody has asked for long");
        print.plain().unwrap();
        assert!(print.plain_if_made().is_some(), "it can be made again");
    }
}
