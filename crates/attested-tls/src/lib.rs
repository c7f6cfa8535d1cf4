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
//!
//! Which platform makes the evidence, and which [`attestation::Verifier`] judges it, is up to the
//! caller: nothing here knows a platform's form or the names of its registers.
//!
//! # Example
//!
//! Both sides of one channel, over a pipe, with documents in Nitro's form under a root of our own.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use attestation::nitro::authority::{Authority, DocumentFields};
//! use attestation::nitro::{Measurements, NitroVerifier};
//! use attestation::{AttestError, Attester, Evidence, Policy, ReportData, UnixTime};
//! use attested_tls::{Acceptor, ClientKey, Connector, ExpectedRoom, KeyAlgorithm, ServerKey};
//!
//! struct Platform(Authority);
//!
//! impl Attester for Platform {
//!     fn attest(&self, data: &ReportData) -> Result<Evidence, AttestError> {
//!         Ok(Evidence::from_bytes(self.0.document(&DocumentFields {
//!             module_id: "i-1-enc1".to_owned(),
//!             timestamp_millis: UnixTime::now().as_secs() * 1000,
//!             pcrs: (0..3).map(|index| (index, vec![7; 48])).collect(),
//!             public_key: data.public_key.clone(),
//!             user_data: data.user_data.clone(),
//!             nonce: data.nonce.clone(),
//!         })))
//!     }
//! }
//!
//! let platform = Platform(Authority::generate());
//! let expected = ExpectedRoom {
//!     verifier: Arc::new(NitroVerifier::dangerous_from_pem(&platform.0.root_pem())?),
//!     policy: Policy::from(Measurements::new([7; 48], [7; 48], [7; 48])?),
//!     agreement: Some([1; 48]),
//!     id: None,
//! };
//! let alice = ClientKey::generate(KeyAlgorithm::P256);
//! let registered = [alice.spki().to_vec()];
//! let boot = [2; 32];
//! let acceptor =
//!     Acceptor::new(ServerKey::generate(), registered, Arc::new(platform), [1; 48], boot);
//! let connector = Connector::new(&alice, expected);
//!
//! let (near, far) = tokio::io::duplex(16 * 1024);
//! let (channel, accepted) =
//!     tokio::join!(connector.connect(near, UnixTime::now()), acceptor.accept(far));
//! assert_eq!(channel?.verified.boot(), &boot);
//! assert_eq!(accepted?.client_spki, alice.spki());
//! # Ok(())
//! # }
//! ```

mod accept_error;
mod acceptor;
mod client_key;
mod connector;
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
