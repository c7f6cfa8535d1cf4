//! A body that is handed on piece by piece, and no further than it may go.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, BodyDataStream, Bytes};
use futures_util::Stream;

/// How many bytes of a body have come, and how many may come.
///
/// The multipart parser gathers headers of a part in memory, however long, and takes whatever is
/// there at once. So a body goes through here: it ends with an error once it is past what is
/// allowed, and rests after each piece.
#[derive(Clone, Debug)]
pub(crate) struct Meter(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    come: AtomicU64,
    allowed: AtomicU64,
}

/// The same body, of which at first `allowed` bytes may come.
pub(crate) fn metered(body: Body, allowed: u64) -> (Body, Meter) {
    let meter = Meter(Arc::new(Counts {
        come: AtomicU64::new(0),
        allowed: AtomicU64::new(allowed),
    }));
    let pieces = Metered {
        pieces: body.into_data_stream(),
        meter: meter.clone(),
        rest: false,
    };
    (Body::from_stream(pieces), meter)
}

impl Meter {
    /// Lets this many more bytes come from now on.
    pub(crate) fn allow(&self, bytes: u64) {
        // Counted from what has come: what was allowed and not used does not add up.
        let come = self.0.come.load(Ordering::Relaxed);
        self.0
            .allowed
            .store(come.saturating_add(bytes), Ordering::Relaxed);
    }
}

struct Metered {
    pieces: BodyDataStream,
    meter: Meter,
    /// A piece was handed on: whoever takes it shall work on it before asking for the next.
    rest: bool,
}

impl Stream for Metered {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Once pending and woken at once: the parser gets to work on a piece before the next is
        // there.
        if std::mem::take(&mut self.rest) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let counts = Arc::clone(&self.meter.0);
        // Only once more has come than is allowed: a body of exactly the limit is fine, and its end
        // must be read.
        if counts.come.load(Ordering::Relaxed) > counts.allowed.load(Ordering::Relaxed) {
            let error = io::Error::new(
                io::ErrorKind::FileTooLarge,
                "the body is longer than it may be",
            );
            return Poll::Ready(Some(Err(axum::Error::new(error))));
        }
        let piece = Pin::new(&mut self.pieces).poll_next(context);
        // Counted after it came, so that one piece may exceed; pieces are some tens of KiB.
        if let Poll::Ready(Some(Ok(bytes))) = &piece {
            counts.come.fetch_add(
                u64::try_from(bytes.len()).unwrap_or(u64::MAX),
                Ordering::Relaxed,
            );
            self.rest = true;
        }
        piece
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::sync::atomic::AtomicUsize;

    use futures_util::{FutureExt, StreamExt, stream};

    use super::*;

    /// A body of this many pieces of ten bytes, and how many of them were taken.
    fn body(pieces: usize) -> (Body, Arc<AtomicUsize>) {
        let taken = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&taken);
        let pieces = stream::iter(0..pieces).map(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(Bytes::from_static(b"0123456789"))
        });
        (Body::from_stream(pieces), taken)
    }

    #[tokio::test]
    async fn a_body_within_its_allowance_comes_whole() {
        let (body, _) = metered(body(5).0, 50);
        let pieces: Vec<_> = body.into_data_stream().collect().await;
        assert_eq!(pieces.iter().filter(|piece| piece.is_ok()).count(), 5);
    }

    #[tokio::test]
    async fn a_body_beyond_its_allowance_ends_with_an_error() {
        let (inner, taken) = body(1000);
        let (body, meter) = metered(inner, 15);
        let mut pieces = body.into_data_stream();
        assert!(pieces.next().await.unwrap().is_ok());
        meter.allow(15);
        assert!(pieces.next().await.unwrap().is_ok());
        assert!(pieces.next().await.unwrap().is_ok());
        assert!(pieces.next().await.unwrap().is_err());
        assert_eq!(taken.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn it_rests_after_each_piece() {
        let (inner, taken) = body(1000);
        let mut pieces = metered(inner, u64::MAX).0.into_data_stream();
        for round in 1..4 {
            assert!(pieces.next().now_or_never().is_some());
            assert!(pieces.next().now_or_never().is_none());
            assert_eq!(taken.load(Ordering::Relaxed), round);
        }
    }
}
