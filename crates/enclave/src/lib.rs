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
//!
//! A room on a simulated platform, on loopback:
//!
//! ```
//! use enclave::{Config, Enclave, EnclaveLimits, Platform};
//! use protocol::Agreement;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let alice = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
//! let bob = "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=";
//! let agreement = Agreement::new(
//!     testkit::service_yaml(alice, bob),
//!     "method: GRAIN\nepsilon: 3\nparty_names: [Alice, Bob]\n",
//! )?;
//! let running = Enclave::start(Config {
//!     agreement: agreement.clone(),
//!     platform: Platform::simulated()?,
//!     listener: tokio::net::TcpListener::bind("127.0.0.1:0").await?.into(),
//!     limits: EnclaveLimits::default(),
//!     events: server_kit::events_to_stderr(),
//! })?;
//! running.announce();
//! // Evidence names this agreement, and a client that expects another one does not connect.
//! assert_eq!(running.agreement(), agreement.sha384());
//! assert!(running.root_pem().is_some());
//! running.shutdown().await;
//! # Ok(())
//! # }
//! ```
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
