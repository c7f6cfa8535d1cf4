//! The program that runs in the enclave: platform, configuration, and the service behind the
//! attested channel.
//!
//! [`Enclave::start`] serves one room: it accepts connections over the attested channel only, gives
//! each the identity of the key that its handshake proved, and hands requests to the room. No
//! connection can end the loop, and none can take more than its [`EnclaveLimits`].
//!
//! In a real enclave the program is the only process, and its first: `init` brings the machine up,
//! holds itself to what it needs ([`confine`]), takes the agreement from the host, and starts the
//! room on the platform that the hypervisor vouches for.
#![forbid(unsafe_code)]

mod channel_server;
mod confinement;
mod connection;
mod enclave;
mod error;
mod event;
mod fault;
mod inbound;
#[cfg(target_os = "linux")]
pub mod init;
mod limits;
mod listener;
#[cfg(target_os = "linux")]
mod memory;
mod platform;
mod room_folder;
#[cfg(target_os = "linux")]
mod small_writes;
mod whole_file;
mod write_deadline;

#[cfg(target_os = "linux")]
pub use confinement::confine;
pub use confinement::{Confinement, Enforcement};
pub use enclave::{Config, Enclave, Running};
pub use error::Error;
pub use event::{EnclaveEvent, Events, RefusalReason};
pub use fault::Fault;
pub use limits::EnclaveLimits;
pub use listener::{Address, Listener};
#[cfg(target_os = "linux")]
pub use platform::NsmError;
pub use platform::Platform;
pub use room_folder::read_agreement;
pub use whole_file::write_whole;
