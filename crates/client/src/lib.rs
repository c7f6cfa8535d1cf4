//! The verifying client and its local proxy, as a library.
//!
//! [`Session::open`] connects to an enclave, checks its evidence and its agreement, and sends
//! nothing before. [`Proxy`] then lets ordinary HTTP programs on this machine speak to the room:
//! every connection it makes is verified again, and must show the same room.
#![forbid(unsafe_code)]

mod authority;
mod connection;
mod dial;
mod endpoint;
mod error;
mod headers;
mod http_proxy;
mod keys;
mod local_only;
mod outer_trust;
mod proxy;
mod refusal;
mod relay;
mod session;
mod upstream;

pub use attested_tls::{ClientKey, Expectations, KeyAlgorithm, Refused, VerifiedChannel};
pub use endpoint::Endpoint;
pub use error::Error;
pub use http_proxy::{HttpProxy, PASSWORD_VARIABLE};
pub use keys::{ExposedKey, KeyPair, NewKey, keygen, read_keys};
pub use outer_trust::OuterTrust;
pub use proxy::Proxy;
pub use session::Session;
