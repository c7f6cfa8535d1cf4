//! Users, roles and paths: who may do what, as one decision.
//!
//! [`ServicePolicy`] is `service.yaml`, read once and checked. [`ServicePolicy::authorize`] is the
//! only place where the room asks who may do what; it leaves an [`Authorized`] behind, which
//! nothing else can make.
//!
//! The crate is pure: it reads no file, no clock and no environment.
//!
//! ```
//! use access::ServicePolicy;
//!
//! // What is wrong is told with what to do.
//! let refused = ServicePolicy::from_yaml(b"users: {}").unwrap_err();
//! assert!(refused.to_string().contains("auth"), "{refused}");
//! ```
#![forbid(unsafe_code)]

mod endpoint;
mod key_strength;
mod policy;
mod policy_error;
mod public_key;
mod service_check;
mod service_file;

pub use endpoint::{Audience, Endpoint};
pub use key_strength::WeakOrUnreadableKey;
pub use policy::{Authorized, Denied, ServicePolicy, User};
pub use policy_error::PolicyError;
pub use public_key::{KeyAlgorithm, PublicKey};
