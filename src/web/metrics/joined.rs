//! The exporter's own figures of one moment, joined with a print of the results.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc};
use tokio::time::Instant;

use crate::exposition::{Exposition, Mark, PageError, Pieces, Print};

/// How old the figures of the process (memory, processor time) may be; no other figure may be older
/// than the request.
const PROCESS_FIGURES_LAST: Duration = Duration::from_secs(1);

/// RFC 1952: deflate, no name, no time, fastest, unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];

/// A whole page.
pub(super) struct Joined {
    pub(super) print: Arc<Print>,
    own: Bytes,
    /// The header of the gzip member and the own figures, deflated up to a byte boundary.
    head: Bytes,
    /// Checksum and length of the whole text.
    trailer: Bytes,
    mark: Mark,
    made: Instant,
}

impl Joined {
    /// Reads the exporter's own figures and puts them before `print`. Not for an async worker.
    pub(super) fn new(exposition: &Exposition, print: Arc<Print>) -> Result<Self, PageError> {
        // Taken first: what changes from here on makes the next page.
        let (mark, made) = (exposition.mark(&print), Instant::now());
        let own = exposition.own_figures(&print)?;
        let mut deflate = DeflateEncoder::new(GZIP_HEADER.to_vec(), Compression::fast());
        deflate.write_all(own.as_bytes())?;
        deflate.flush()?;
        let head = Bytes::copy_from_slice(deflate.get_ref());
        let mut crc = Crc::new();
        crc.update(own.as_bytes());
        crc.combine(print.crc());
        let trailer = [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()].concat();
        Ok(Self { print, own: own.into(), head, trailer: trailer.into(), mark, made })
    }

    /// Whether the own figures would be the same if they were read now.
    pub(super) fn is_current(&self, exposition: &Exposition) -> bool {
        self.made.elapsed() < PROCESS_FIGURES_LAST && self.mark == exposition.mark(&self.print)
    }

    /// The page as one gzip member, in parts.
    pub(super) fn gzip(&self) -> VecDeque<Bytes> {
        let pieces = self.print.deflated().all().len();
        let deflated = (0..pieces).map(|number| self.part(number, |print| Some(print.deflated())));
        [self.head.clone()].into_iter().chain(deflated).chain([self.trailer.clone()]).collect()
    }

    /// The page as it is, in parts. The print must have been made plain.
    pub(super) fn plain(&self) -> VecDeque<Bytes> {
        let pieces = self.print.plain_if_made().map_or(0, |plain| plain.all().len());
        let print = (0..pieces).map(|number| self.part(number, Print::plain_if_made));
        [self.own.clone()].into_iter().chain(print).collect()
    }

    fn part(&self, number: usize, pieces: fn(&Print) -> Option<&Pieces>) -> Bytes {
        Bytes::from_owner(Part { print: self.print.clone(), pieces, number })
    }
}

/// A piece of a print, which holds the print as long as it is being sent.
struct Part {
    print: Arc<Print>,
    pieces: fn(&Print) -> Option<&Pieces>,
    number: usize,
}

impl AsRef<[u8]> for Part {
    fn as_ref(&self) -> &[u8] {
        let pieces = (self.pieces)(&self.print).map_or(&[] as &[Vec<u8>], Pieces::all);
        pieces.get(self.number).map_or(&[], Vec::as_slice)
    }
}
