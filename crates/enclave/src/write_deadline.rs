//! A stream that does not wait for ever for the other side to take what is written.

use std::pin::Pin;
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio_io_timeout::TimeoutWriter;

/// The same stream, but a write, flush or shutdown fails with [`std::io::ErrorKind::TimedOut`] when
/// none has made progress for the whole deadline. Reads are not touched: a client that is slow to
/// send has its own deadline.
pub(crate) fn with_write_deadline<S: AsyncWrite>(
    stream: S,
    deadline: Duration,
) -> Pin<Box<TimeoutWriter<S>>> {
    let mut writer = TimeoutWriter::new(stream);
    // Before it is pinned, as its timer must be.
    writer.set_timeout(Some(deadline));
    Box::pin(writer)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::with_write_deadline;

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_takes_nothing_is_given_up() {
        let (near, _far) = duplex(8);
        let mut stream = with_write_deadline(near, MINUTE);
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
        with_write_deadline(near, MINUTE)
            .write_all(&[0; 80])
            .await
            .unwrap();
        reader.await.unwrap();
    }
}
