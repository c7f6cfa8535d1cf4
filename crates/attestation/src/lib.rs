//! Evidence: strict decoding and verification of Nitro attestation documents.
//!
//! An attestation document is a statement of the hardware about one running enclave: CBOR inside
//! `COSE_Sign1`, signed with ES384 by a certificate that leads to a pinned root. [`authenticate`]
//! turns untrusted bytes into an [`AuthenticDocument`], which says *some* enclave under that root
//! made it; [`AuthenticDocument::matching`] turns that into [`Attested`], which says it was the
//! program asked for. Both have private constructors, so holding one is the proof that every check
//! passed.
//!
//! Nothing here reads a clock or the network: time is an argument, and the root is a fingerprint.
//! Certificate revocation lists are not fetched; AWS's instance certificates live for hours.
//!
//! What makes a document acceptable follows AWS's description of the format
//! (aws-nitro-enclaves-nsm-api, `docs/attestation_process.md`), more strictly in these points:
//! lengths in their shortest form, no tags, no strings in pieces, no key twice, no unknown field,
//! nothing after the end.
#![forbid(unsafe_code)]

mod authentic;
#[cfg(feature = "authority")]
pub mod authority;
mod binding;
mod cbor;
mod chain;
mod document;
mod envelope;
mod measurements;
mod refusal;
mod root;
mod step;

pub use authentic::{
    Attested, AuthenticDocument, Examination, Freshness, MAX_CLOCK_DIFFERENCE, MAX_DOCUMENT_BYTES,
    authenticate, claimed_time, examine,
};
pub use binding::{ChannelBinding, InvalidBinding, agreement_pcr, room_id};
pub use measurements::{InvalidMeasurements, Measurements};
pub use refusal::Refusal;
pub use root::{InvalidRoot, Root};
pub use rustls_pki_types::UnixTime;
pub use step::Step;
