//! The untrusted host on the parent machine: keeps an enclave alive, hands it its configuration,
//! and relays connections to it.
//!
//! It holds no secret and sees only ciphertext: the attested channel ends in the enclave, and
//! whatever a host changes, clients notice. What it can do is to refuse service; so it bounds what
//! any client can take of it. [`serve`] is the whole of it.
#![forbid(unsafe_code)]

mod configure;
mod enclave_address;
mod event;
mod host;
mod ingress;
mod keeper;
mod launch;
mod limits;
mod log;
mod metrics;
mod nitro;
mod outer_tls;
mod pace;
mod proxy_protocol;
mod relay;
mod upgrade;

pub use configure::ConfigureError;
pub use enclave_address::{EnclaveAddress, EnclaveStream, NotAnAddress};
pub use event::{Carrier, ConnectionEnd, Events, Frequent, HostEvent, RefusalReason};
pub use host::{Config, serve};
pub use ingress::{ClientAddress, Entrance};
pub use keeper::{EnclaveError, Restarts};
pub use launch::{Launch, LaunchError};
pub use limits::ConnectionLimits;
pub use nitro::NitroOptions;
pub use outer_tls::{OuterTlsError, outer_tls};
pub use proxy_protocol::{BadHeader, Origin, read as read_proxy_header};
pub use relay::RelayLimits;
