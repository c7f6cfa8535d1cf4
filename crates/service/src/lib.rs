//! The room: its agreement, its states, its use cases, and the HTTP router.
//!
//! [`CheckedAgreement::parse`] reads the two files of an agreement; [`Room::open`] opens the one room for it; [`router`] is what the
//! enclave serves inside the attested channel. A request carries a [`ClientIdentity`] that the enclave has put there.
#![forbid(unsafe_code)]

mod agreement;
mod agreement_check;
mod columns;
mod commitments;
mod event;
mod incoming;
mod metered;
mod query;
mod receipt;
mod reply;
mod room;
mod router;
mod runtime_file;
mod samples;
mod seat;
mod state;
mod training;
mod turnstile;
mod upload;

pub use agreement::{AgreementError, CheckedAgreement, Limits, Party};
pub use event::{Event, Events, tell_panics_as_events};
pub use room::{ANNOUNCE_EVERY, Attest, NoEntropy, NoEvidence, Room, RoomSetup};
pub use router::{ClientIdentity, OPENAPI, router};
