//! A stream of bytes in the binary messages of a WebSocket: how the attested channel passes a load
//! balancer that speaks HTTP.
//!
//! Where a message begins or ends means nothing. Both sides refuse text, and messages longer than
//! [`MAX_MESSAGE_BYTES`].
//!
//! ```
//! use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
//! use websocket::{ByteStream, PATH, accept_key, upgrade};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (client, mut host) = duplex(4096);
//! let host = tokio::spawn(async move {
//!     // A host reads the request by its HTTP library; here there is nothing else in it.
//!     let mut request = Vec::new();
//!     while !request.ends_with(b"\r\n\r\n") {
//!         request.push(host.read_u8().await.unwrap());
//!     }
//!     let request = String::from_utf8(request).unwrap().to_lowercase();
//!     assert!(request.starts_with("get /connect http/1.1\r\n"));
//!     host
//! });
//! // Without an answer there is no stream; `accept_key` is what the answer must carry.
//! let upgrading = tokio::spawn(async move { upgrade(client, "room.example", PATH).await });
//! drop(host.await?);
//! assert!(upgrading.await?.is_err());
//! assert_eq!(accept_key(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
//!
//! // On the host's side, once it has answered: bytes in, bytes out.
//! let (stream, mut peer) = duplex(4096);
//! let mut bytes = ByteStream::accepted(stream).await;
//! bytes.write_all(b"evidence").await?;
//! bytes.flush().await?;
//! let mut frame = [0; 10];
//! peer.read_exact(&mut frame).await?;
//! assert_eq!(&frame[2..], b"evidence");
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod byte_stream;
mod handshake;

pub use byte_stream::{ByteStream, MAX_MESSAGE_BYTES};
pub use handshake::{UpgradeError, accept_key, upgrade};

/// Where a host answers.
pub const PATH: &str = "/connect";
/// What both sides name in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "synclave.1";
