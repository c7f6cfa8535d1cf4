//! The verifying client and its local proxy, as a library.
//!
//! [`Session::open`] connects to an enclave, checks its evidence and its agreement, and sends
//! nothing before. [`Proxy`] then lets ordinary HTTP programs on this machine speak to the room:
//! every connection it makes is verified again, and must show the same room.
//!
//! # Example
//!
//! A simulated room in this process, and Alice who enters it.
//!
//! ```
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::sync::Arc;
//!
//! use attestation::Policy;
//! use attestation::nitro::NitroVerifier;
//! use client::{ClientKey, Endpoint, ExpectedRoom, KeyAlgorithm, Proxy, Session};
//! # let (alice, bob) = (
//! #     ClientKey::generate(KeyAlgorithm::P256),
//! #     ClientKey::generate(KeyAlgorithm::P256),
//! # );
//! # let service = testkit::service_yaml(&alice.public_text(), &bob.public_text());
//! # let runtime = "method: MST\nepsilon: 3\nparty_names: [Alice, Bob]\n";
//! # let agreement = protocol::Agreement::new(service, runtime)?;
//! # let room = enclave::Enclave::start(enclave::Config {
//! #     agreement: agreement.clone(),
//! #     platform: enclave::Platform::simulated()?,
//! #     listener: tokio::net::TcpListener::bind("127.0.0.1:0").await?.into(),
//! #     limits: Default::default(),
//! #     events: Arc::new(drop),
//! # })?;
//! # let (address, root_pem) = (room.address().to_string(), room.root_pem().unwrap());
//! # let measurements = *room.measurements().unwrap();
//!
//! let expected = ExpectedRoom {
//!     // With `NitroVerifier::aws()` only AWS's hardware would do.
//!     verifier: Arc::new(NitroVerifier::dangerous_from_pem(&root_pem)?),
//!     policy: Policy::from(measurements),
//!     agreement: None,
//!     id: None,
//! };
//! let session = Session::open(Endpoint::parse(&address, 443)?, alice, expected).await?;
//! // To be read, and accepted, before anything is sent.
//! assert_eq!(session.agreement().sha384(), agreement.sha384());
//!
//! let proxy = Proxy::bind(session, 0).await?;
//! println!("the room is at http://localhost:{}", proxy.port());
//! # room.shutdown().await;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

mod authority;
mod connection;
mod dial;
mod endpoint;
mod error;
mod gate;
mod headers;
mod http_proxy;
mod http_refusal;
mod keys;
mod local_only;
mod local_site;
mod outer_trust;
mod pieces;
mod proxy;
mod relay;
mod session;
mod token;
mod upstream;

pub use attested_tls::{ClientKey, ExpectedRoom, KeyAlgorithm, Refused, VerifiedChannel};
pub use endpoint::Endpoint;
pub use error::Error;
pub use gate::{AcceptedBy, Gate};
pub use http_proxy::{HttpProxy, PASSWORD_VARIABLE};
pub use http_refusal::HttpRefusal;
pub use keys::{ExposedKey, KeyPair, NewKey, keygen, read_keys};
pub use local_site::{LocalSite, SiteBody, site_body};
pub use outer_trust::OuterTrust;
pub use proxy::{BoundPort, Proxy};
pub use session::Session;
pub use token::{NoRandomness, StartToken};
