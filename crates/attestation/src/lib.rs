//! Evidence: what a platform says about an enclave, and the proof that it was checked.
//!
//! [`Evidence`] is bytes that anyone could have written. The [`Verifier`] of a platform turns them
//! into [`Authentic`] claims, which say that *some* enclave of that platform made them;
//! [`Authentic::matching`] a [`Policy`] gives [`Attested`], which says that it was the program
//! asked for. Both proofs have private constructors, so holding one means that every check passed.
//! On the enclave's side an [`Attester`] makes evidence that commits to [`ReportData`].
//!
//! A platform either reports user data of some length, and so holds the report data itself
//! ([`BoundBy::Whole`]), or 64 bytes, which are its SHA-512; then it travels beside the report
//! ([`BoundBy::Digest`]). [`nitro`] is the one platform that is built in.
//!
//! Nothing here reads a clock or the network: time is an argument, and roots are fingerprints.
//!
//! # Example
//!
//! A platform of our own signs a document, and a party judges it. (Real documents lead to AWS's
//! root; [`nitro::NitroVerifier::aws`] takes no other.)
//!
#![cfg_attr(feature = "authority", doc = "```")]
#![cfg_attr(not(feature = "authority"), doc = "```ignore")]
//! use attestation::nitro::authority::{Authority, DocumentFields};
//! use attestation::nitro::{Measurements, NitroVerifier};
//! use attestation::{Evidence, Freshness, Policy, UnixTime, Verifier};
//!
//! let authority = Authority::generate();
//! let now = UnixTime::now();
//! let evidence = Evidence::from_bytes(authority.document(&DocumentFields {
//!     module_id: "i-1-enc1".to_owned(),
//!     timestamp_millis: now.as_secs() * 1000,
//!     pcrs: (0..3).map(|index| (index, vec![7; 48])).collect(),
//!     nonce: Some(b"my challenge".to_vec()),
//!     ..DocumentFields::default()
//! }));
//!
//! let verifier = NitroVerifier::dangerous_from_pem(&authority.root_pem())?;
//! let policy = Policy::from(Measurements::new([7; 48], [7; 48], [7; 48])?);
//! let attested = verifier.verify(&evidence, now, Freshness::Live, &policy)?;
//! assert_eq!(attested.bound.nonce(), Some(b"my challenge".as_slice()));
//!
//! let other = Policy::from(Measurements::new([7; 48], [7; 48], [8; 48])?);
//! let refusal = verifier.verify(&evidence, now, Freshness::Live, &other).unwrap_err();
//! assert_eq!(refusal.slug(), "wrong-measurement");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod attester;
mod binding;
mod cbor;
mod claims;
mod evidence;
pub mod nitro;
mod policy;
mod refusal;
mod step;
mod verifier;

pub use attester::{AttestError, Attester};
pub use binding::{ChannelBinding, InvalidBinding, room_id};
pub use claims::{AgreementRegister, Claims, Register, extended_register};
pub use evidence::{BoundBy, BoundData, DetachedReport, Evidence, MAX_EVIDENCE_BYTES, ReportData};
pub use policy::{InvalidPolicy, Policy};
pub use refusal::Refusal;
pub use rustls_pki_types::UnixTime;
pub use step::Step;
pub use verifier::{Attested, Authentic, Examination, Freshness, MeasuredAgreement, Verifier};
