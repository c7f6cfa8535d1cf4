//! Bytes in binary messages.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_util::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Bytes, Error, Message};

/// The longest message that is accepted, whole or in frames.
pub const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// The longest message that is sent.
const SENT_BYTES: usize = 16 * 1024;
/// The buffer between the stream below and the messages.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// A WebSocket that is read and written as bytes.
///
/// At most one message waits to be written: a stream below that takes nothing stops the writer. A
/// close by the other side is the end of what is read; [`AsyncWrite::poll_shutdown`] sends one. A
/// WebSocket has no half-close: after either side's close, nothing can be written.
pub struct ByteStream<S> {
    socket: WebSocketStream<S>,
    /// What was read of a message and not taken yet.
    rest: Bytes,
    closed: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> ByteStream<S> {
    /// The server's side, on a stream whose HTTP request was answered with 101.
    pub async fn accepted(stream: S) -> Self {
        let config = config(MAX_MESSAGE_BYTES);
        Self::new(WebSocketStream::from_raw_socket(stream, Role::Server, Some(config)).await)
    }

    pub(crate) fn new(socket: WebSocketStream<S>) -> Self {
        Self {
            socket,
            rest: Bytes::new(),
            closed: false,
        }
    }
}

pub(crate) fn config(max_message_bytes: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        // Each message goes out at once.
        .write_buffer_size(0)
        .max_write_buffer_size(4 * max_message_bytes)
        .max_message_size(Some(max_message_bytes))
        .max_frame_size(Some(max_message_bytes))
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for ByteStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.rest.is_empty() && !self.closed {
            match ready!(Pin::new(&mut self.socket).poll_next(context)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                // The answer to a ping goes out with the next read or write.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(Message::Close(_))) => {
                    self.closed = true;
                    // The answer to the close; where it cannot go out at once, the shutdown sends
                    // it.
                    drop(Pin::new(&mut self.socket).poll_flush(context));
                }
                None => self.closed = true,
                Some(Ok(Message::Text(_) | Message::Frame(_))) => {
                    return Poll::Ready(Err(invalid("a message that is not binary")));
                }
                Some(Err(error)) => return Poll::Ready(Err(io_error(error))),
            }
        }
        let length = self.rest.len().min(buffer.remaining());
        buffer.put_slice(&self.rest.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ByteStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.socket).poll_ready(context)).map_err(io_error)?;
        let data = &data[..data.len().min(SENT_BYTES)];
        let message = Message::Binary(Bytes::copy_from_slice(data));
        Pin::new(&mut self.socket)
            .start_send(message)
            .map_err(io_error)?;
        Poll::Ready(Ok(data.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket)
            .poll_flush(context)
            .map_err(io_error)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket)
            .poll_close(context)
            .map_err(io_error)
    }
}

fn io_error(error: Error) -> io::Error {
    match error {
        Error::Io(source) => source,
        Error::ConnectionClosed | Error::AlreadyClosed => io::ErrorKind::BrokenPipe.into(),
        other => invalid(other.to_string()),
    }
}

fn invalid(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt, StreamExt};
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    use super::*;

    /// Our server's side, and the library's own client on the other.
    async fn pair(room: usize) -> (ByteStream<DuplexStream>, WebSocketStream<DuplexStream>) {
        let (near, far) = duplex(room);
        let theirs = WebSocketStream::from_raw_socket(far, Role::Client, None).await;
        (ByteStream::accepted(near).await, theirs)
    }

    #[tokio::test]
    async fn bytes_survive_whatever_the_messages_are() {
        let (mut ours, mut theirs) = pair(1 << 20).await;
        for part in [&b"ab"[..], b"", b"cdefgh", b"i"] {
            let message = Message::Binary(Bytes::copy_from_slice(part));
            theirs.send(message).await.unwrap();
            theirs.send(Message::Ping(Bytes::new())).await.unwrap();
        }
        theirs.close(None).await.unwrap();
        let mut read = Vec::new();
        ours.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"abcdefghi");
    }

    #[tokio::test]
    async fn a_ping_is_answered_and_a_shutdown_is_a_close() {
        let (mut ours, mut theirs) = pair(1 << 20).await;
        theirs
            .send(Message::Ping(Bytes::from_static(b"?")))
            .await
            .unwrap();
        theirs
            .send(Message::Binary(Bytes::from_static(b"x")))
            .await
            .unwrap();
        assert_eq!(ours.read_u8().await.unwrap(), b'x');
        ours.write_all(b"y").await.unwrap();
        ours.shutdown().await.unwrap();
        drop(ours);
        let mut answers = Vec::new();
        while let Some(Ok(message)) = theirs.next().await {
            answers.push(message);
        }
        assert_eq!(answers[0], Message::Pong(Bytes::from_static(b"?")));
        assert_eq!(answers[1], Message::Binary(Bytes::from_static(b"y")));
        assert!(matches!(answers[2], Message::Close(_)), "{answers:?}");
    }

    #[tokio::test]
    async fn text_and_what_is_too_long_are_refused() {
        let long = vec![0; MAX_MESSAGE_BYTES + 1];
        for message in [Message::text("hello"), Message::binary(long)] {
            let (mut ours, mut theirs) = pair(1 << 20).await;
            theirs.send(message).await.unwrap();
            let error = ours.read_u8().await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{error}");
        }
    }

    #[tokio::test]
    async fn a_connection_that_breaks_off_is_no_end() {
        let (mut ours, theirs) = pair(1 << 20).await;
        drop(theirs);
        let error = ours.read_u8().await.unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::UnexpectedEof, "{error}");
        assert!(error.to_string().contains("reset"), "{error}");
    }

    #[tokio::test]
    async fn a_reader_that_takes_nothing_stops_the_writer() {
        let (mut ours, _theirs) = pair(1024).await;
        let mut taken = 0;
        let endless = async {
            loop {
                taken += ours.write(&[0; 4096]).await.unwrap();
            }
        };
        let patience = std::time::Duration::from_millis(200);
        tokio::time::timeout(patience, endless).await.unwrap_err();
        assert!(taken <= 2 * SENT_BYTES, "{taken}");
    }
}
