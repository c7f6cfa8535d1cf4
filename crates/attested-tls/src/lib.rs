//! The two sides of the attested channel: TLS 1.3 with evidence bound to its exporter.
//!
//! A client and an enclave first complete a TLS 1.3 handshake in which both show raw public keys
//! (RFC 7250): the enclave a key made at boot, the client its registered one. That alone proves
//! nothing about the enclave, so the first and only thing on the fresh stream is the evidence
//! exchange:
//!
//! ```text
//! client -> enclave   nonce       32 random bytes
//! enclave -> client   length      4 bytes, big-endian
//!                     evidence    of the enclave's platform, about this attestation::ReportData:
//!                                 nonce, public_key = the enclave's TLS key,
//!                                 user_data = attestation::ChannelBinding
//! ```
//!
//! The binding holds a value that both ends export from *this* TLS session (RFC 9266 in spirit,
//! with a label and the nonce of our own), so that evidence shown on one connection is worthless on
//! every other, even to a peer that holds the enclave's key. [`Connector::connect`] gives the
//! stream away only after every check passed; [`Acceptor::accept`] only after the evidence was
//! sent. What follows on the stream is up to the caller.
//!
//! Neither side sets a deadline: the caller knows its own. There are no tickets, no resumption and
//! no early data, so that every connection is verified anew.

mod accept_error;
mod acceptor;
mod client_key;
mod connector;
mod der;
mod handshake;
mod key_form;
mod refused;

pub use accept_error::AcceptError;
pub use acceptor::{Accepted, Acceptor, Greeted, Proven, ServerKey};
pub use client_key::{ClientKey, KeyAlgorithm, UnknownAlgorithm};
pub use connector::{Channel, Connector, ExpectedRoom, VerifiedChannel};
pub use key_form::UnreadableKey;
pub use refused::Refused;
pub use tokio_rustls::{client, server};

/// The protocol's name in the TLS handshake (ALPN); a peer that does not name it is refused.
pub const ALPN: &[u8] = b"synclave/1";
