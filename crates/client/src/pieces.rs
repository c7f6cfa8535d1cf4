//! A body that leaves in pieces, so that somebody can watch it go.

use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};

/// Small beside what a person waits for, and large beside what a piece costs.
const PIECE_BYTES: usize = 1 << 16;

/// A body in memory.
pub(crate) struct Pieces<F> {
    left: Bytes,
    gone: u64,
    tell: F,
}

impl<F: FnMut(u64)> Pieces<F> {
    /// `tell` is called with the bytes that have been handed over.
    pub(crate) fn new(body: Bytes, tell: F) -> Self {
        Self {
            left: body,
            gone: 0,
            tell,
        }
    }
}

impl<F: FnMut(u64) + Unpin> Body for Pieces<F> {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let length = self.left.len().min(PIECE_BYTES);
        if length == 0 {
            return Poll::Ready(None);
        }
        let piece = self.left.split_to(length);
        self.gone += length as u64;
        let gone = self.gone;
        (self.tell)(gone);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        // Its length goes ahead, as for a body that is sent whole.
        SizeHint::with_exact(self.left.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn the_whole_body_leaves_and_is_told_piece_by_piece() {
        let whole: Vec<u8> = (0..=255).cycle().take(2 * PIECE_BYTES + 1).collect();
        let told = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&told);
        let tell = move |gone| kept.lock().expect("nobody panics").push(gone);
        let body = Pieces::new(Bytes::from(whole.clone()), tell);
        assert_eq!(body.size_hint().exact(), Some(whole.len() as u64));
        let sent = body.collect().await.expect("it comes from memory");
        assert_eq!(sent.to_bytes(), whole);
        let piece = PIECE_BYTES as u64;
        let told = told.lock().expect("nobody panics");
        assert_eq!(*told, [piece, 2 * piece, 2 * piece + 1]);
    }

    #[test]
    fn an_empty_body_has_ended() {
        assert!(Pieces::new(Bytes::new(), |_| {}).is_end_stream());
    }
}
