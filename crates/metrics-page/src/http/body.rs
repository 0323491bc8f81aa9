//! A response body of several parts, sent one after another without being copied into one.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The body of a response: parts that other responses may share. Its length is known.
#[derive(Debug)]
pub struct PageBody {
    all: Arc<[Bytes]>,
    sent: usize,
    /// How many bytes are left.
    len: u64,
}

impl PageBody {
    pub(super) fn new(all: Arc<[Bytes]>) -> Self {
        let len = all.iter().map(|part| part.len() as u64).sum();
        Self { all, sent: 0, len }
    }
}

impl Body for PageBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let Some(part) = self.all.get(self.sent).cloned() else { return Poll::Ready(None) };
        self.sent += 1;
        self.len -= part.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.sent == self.all.len()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len)
    }
}
