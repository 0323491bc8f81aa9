//! Large texts without large allocations.

use std::io::{self, Write};

/// Bytes in one piece.
const PIECE: usize = 256 << 10;

/// A byte stream in pieces of 256 KB, so that a page neither needs nor frees memory by the hundred megabytes.
#[derive(Debug, Default)]
pub struct Pieces {
    pieces: Vec<Vec<u8>>,
    last: Vec<u8>,
}

impl Pieces {
    /// The pieces, in order.
    pub fn all(&self) -> &[Vec<u8>] {
        &self.pieces
    }

    /// Ends the last piece. To be called after the last byte was written.
    #[must_use]
    pub(crate) fn complete(mut self) -> Self {
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
