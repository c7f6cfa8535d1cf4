//! The untrusted host on the parent machine: keeps an enclave alive, hands it its configuration,
//! and relays connections to it.
//!
//! It holds no secret and sees only ciphertext: the attested channel ends in the enclave, and
//! whatever a host changes, clients notice. What it can do is to refuse service; so it bounds what
//! any client can take of it. [`serve`] is the whole of it.
//!
//! A host whose enclave does not answer turns every client away, and goes on until it is told to
//! stop:
//!
//! ```
//! use std::time::Duration;
//!
//! use host::{
//!     Carrier, ClientAddress, Config, ConnectionLimits, Entrance, Launch, Restarts, serve,
//! };
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! use tokio::net::{TcpListener, TcpStream};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = TcpListener::bind("127.0.0.1:0").await?;
//! let address = listener.local_addr()?;
//! let config = Config {
//!     entrances: vec![Entrance {
//!         listener,
//!         carrier: Carrier::Tcp,
//!         tls: None,
//!         client: ClientAddress::Peer,
//!     }],
//!     metrics: None,
//!     launch: Launch::Attached { address: "unix:/nowhere/enclave.sock".parse()? },
//!     agreement: None,
//!     boot: Duration::from_secs(60),
//!     restarts: Restarts::default(),
//!     limits: ConnectionLimits::default(),
//!     drain: Duration::from_secs(5),
//!     events: server_kit::events_to_stderr(),
//! };
//! let client = async {
//!     let mut stream = TcpStream::connect(address).await.unwrap();
//!     stream.write_all(b"hello").await.unwrap();
//!     // Closed, with or without a reset.
//!     assert_eq!(stream.read(&mut [0; 1]).await.unwrap_or(0), 0);
//! };
//! // In a program: until a signal comes.
//! serve(config, client).await?;
//! # Ok(())
//! # }
//! ```
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
