//! A stream of bytes in the binary messages of a WebSocket: how the attested channel passes a load
//! balancer that speaks HTTP.
//!
//! Where a message begins or ends means nothing. Both sides refuse text, and messages longer than
//! [`MAX_MESSAGE_BYTES`].
#![forbid(unsafe_code)]

mod byte_stream;
mod handshake;

pub use byte_stream::{ByteStream, MAX_MESSAGE_BYTES};
pub use handshake::{UpgradeError, accept_key, upgrade};

/// Where a host answers.
pub const PATH: &str = "/connect";
/// What both sides name in `Sec-WebSocket-Protocol`.
pub const SUBPROTOCOL: &str = "synclave.1";
