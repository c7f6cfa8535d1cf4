//! The program that runs in the enclave: platform, configuration, and the service behind the attested channel.
//!
//! [`Enclave::start`] serves one room: it accepts connections over the attested channel only, gives each the identity of the key that its
//! handshake proved, and hands requests to the room. No connection can end the loop, and none can take more than its [`Limits`].
#![forbid(unsafe_code)]

mod connection;
mod enclave;
mod error;
mod event;
mod inbound;
mod limits;
mod platform;
mod room_folder;
mod stage;
mod whole_file;
mod write_deadline;

pub use enclave::{Config, Enclave, Running};
pub use error::Error;
pub use event::{Event, Events, Reason, to_stderr};
pub use limits::Limits;
pub use platform::Platform;
pub use room_folder::read_agreement;
pub use whole_file::write_whole;
