//! From HTTP to WebSocket.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::tungstenite::{self, handshake, http};

use crate::byte_stream::{ByteStream, config};
use crate::{MAX_MESSAGE_BYTES, SUBPROTOCOL};

/// Why a connection did not become a WebSocket.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The other side answered with another status than 101.
    #[error("the answer was {0}")]
    Status(u16),
    /// What it said was no WebSocket of ours.
    #[error("{0}")]
    Nonsense(String),
    /// The connection was lost.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The client's side: asks for `path` on `authority` (`host[:port]`) and this crate's
/// [`SUBPROTOCOL`]. The caller applies a deadline.
///
/// # Errors
/// [`UpgradeError`]; nothing was sent then but the request.
pub async fn upgrade<S>(
    stream: S,
    authority: &str,
    path: &str,
) -> Result<ByteStream<S>, UpgradeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let request = http::Request::get(format!("ws://{authority}{path}"))
        .header("Host", authority)
        .header("Connection", "Upgrade")
        .header("Upgrade", "websocket")
        .header("Sec-WebSocket-Version", "13")
        .header("Sec-WebSocket-Key", handshake::client::generate_key())
        .header("Sec-WebSocket-Protocol", SUBPROTOCOL)
        .header(
            "User-Agent",
            concat!("synclave/", env!("CARGO_PKG_VERSION")),
        )
        .body(())
        .map_err(|error| UpgradeError::Nonsense(error.to_string()))?;
    tokio_tungstenite::client_async_with_config(request, stream, Some(config(MAX_MESSAGE_BYTES)))
        .await
        .map(|(socket, _)| ByteStream::new(socket))
        .map_err(|error| match error {
            tungstenite::Error::Http(response) => UpgradeError::Status(response.status().as_u16()),
            tungstenite::Error::Io(source) => UpgradeError::Io(source),
            other => UpgradeError::Nonsense(other.to_string()),
        })
}

/// What a server answers to a `Sec-WebSocket-Key` (RFC 6455, section 4.2.2).
pub fn accept_key(key: &[u8]) -> String {
    handshake::derive_accept_key(key)
}
