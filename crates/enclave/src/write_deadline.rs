//! A stream that does not wait for ever for the other side to take what is written.
// Not tokio-io-timeout: its stream must be pinned before hyper takes it, and the image would hold
// one more crate for the sake of forty lines.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Fails a write, flush or shutdown with [`io::ErrorKind::TimedOut`] when none has made progress
/// for the whole deadline.
pub(crate) struct WriteDeadline<S> {
    stream: S,
    deadline: Duration,
    stalled: bool,
    timer: Pin<Box<Sleep>>,
}

impl<S> WriteDeadline<S> {
    pub(crate) fn new(stream: S, deadline: Duration) -> Self {
        Self {
            stream,
            deadline,
            stalled: false,
            timer: Box::pin(sleep(deadline)),
        }
    }

    fn judge<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            // Only writes count: a client that is slow to send has its own deadline.
            self.stalled = false;
            return polled;
        }
        // Set when it begins to stall, not at each write.
        if !self.stalled {
            self.stalled = true;
            self.timer.as_mut().reset(Instant::now() + self.deadline);
        }
        ready!(self.timer.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteDeadline<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteDeadline<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, data);
        self.judge(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, data);
        self.judge(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(polled, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(polled, context)
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::WriteDeadline;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_is_given_up() {
        let (near, _far) = duplex(8);
        let mut stream = WriteDeadline::new(near, MINUTE);
        let error = stream.write_all(&[0; 9]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_reader_is_waited_for() {
        let (near, mut far) = duplex(8);
        let reader = tokio::spawn(async move {
            let mut total = 0;
            while total < 80 {
                tokio::time::sleep(MINUTE / 2).await;
                total += far.read(&mut [0; 8]).await.unwrap();
            }
        });
        WriteDeadline::new(near, MINUTE)
            .write_all(&[0; 80])
            .await
            .unwrap();
        reader.await.unwrap();
    }
}
