//! A stream that is written to in small pieces.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Linux kernels of 2025 and later corrupt vsock writes of more than 32 KiB, and an emulated device
/// stalls at 64 KiB.
const MAX_WRITE_BYTES: usize = 16 * 1024;

/// Hands at most 16 KiB on with each write, and does without vectored ones.
pub(crate) struct SmallWrites<S> {
    stream: S,
}

impl<S> SmallWrites<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for SmallWrites<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

// `poll_write_vectored` is left to its default, which writes the first part only, through this.
impl<S: AsyncWrite + Unpin> AsyncWrite for SmallWrites<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        let length = data.len().min(MAX_WRITE_BYTES);
        Pin::new(&mut self.stream).poll_write(context, &data[..length])
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::io::IoSlice;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::{MAX_WRITE_BYTES, SmallWrites};

    #[tokio::test]
    async fn no_write_is_larger_and_all_bytes_arrive_in_order() {
        let (near, mut far) = duplex(1 << 20);
        let mut stream = SmallWrites::new(near);
        let data: Vec<u8> = (0..200_000_u32).map(|place| (place % 251) as u8).collect();
        assert_eq!(stream.write(&data).await.unwrap(), MAX_WRITE_BYTES);
        let slices = [IoSlice::new(&data[MAX_WRITE_BYTES..])];
        assert_eq!(
            stream.write_vectored(&slices).await.unwrap(),
            MAX_WRITE_BYTES
        );
        stream
            .write_all(&data[2 * MAX_WRITE_BYTES..])
            .await
            .unwrap();
        drop(stream);
        let mut arrived = Vec::new();
        far.read_to_end(&mut arrived).await.unwrap();
        assert_eq!(arrived, data);
    }
}
