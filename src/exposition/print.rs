//! The results as a printed page: made once for each snapshot, compressed, and kept for every scrape
//! until the next.

use std::io::{self, Write};
use std::sync::OnceLock;

use flate2::write::{DeflateDecoder, DeflateEncoder};
use flate2::{Compression, Crc};

use super::jobs::{Counts, JobTimes};
use super::results::Directory;
use super::text::TextSink;
use crate::model::Timestamp;
use crate::state::Snapshot;

/// The best ratio that is still about as fast as the fastest: 8 to 9 for such a page.
const LEVEL: u32 = 2;

/// How much of a page lies in one piece, so that a page neither needs nor frees memory by the
/// hundred megabytes.
const PIECE: usize = 256 << 10;

/// The results of one snapshot, as the last part of a page.
pub struct Print {
    deflated: Pieces,
    crc: Crc,
    plain: OnceLock<Pieces>,
    jobs: JobTimes,
    next_change: Option<Timestamp>,
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
        let mut encoder = DeflateEncoder::new(Pieces::default(), Compression::new(LEVEL));
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
            plain: OnceLock::new(),
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
    /// asks, and forgotten with the print. Not for an async worker.
    ///
    /// # Errors
    ///
    /// None that the caller can cause.
    pub fn plain(&self) -> io::Result<&Pieces> {
        if let Some(plain) = self.plain.get() {
            return Ok(plain);
        }
        let mut decoder = DeflateDecoder::new(Pieces::default());
        for piece in self.deflated.all() {
            decoder.write_all(piece)?;
        }
        let plain = decoder.finish()?.complete();
        Ok(self.plain.get_or_init(|| plain))
    }

    /// The text itself, if somebody has asked for it before.
    pub fn plain_if_made(&self) -> Option<&Pieces> {
        self.plain.get()
    }

    pub(super) fn jobs(&self, now: Timestamp) -> Counts {
        self.jobs.counts(now)
    }
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
