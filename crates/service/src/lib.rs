//! The room: its agreement, its states, its use cases, and the HTTP router.
//!
//! [`CheckedAgreement::parse`] reads the two files of an agreement; [`Room::open`] opens the one room for it; [`router`] is what the
//! enclave serves inside the attested channel. A request carries a [`ClientIdentity`] that the enclave has put there.
//!
//! # The states of a room
//!
//! | state | an upload | a confirmation | a withdrawal | `expires_after` without activity |
//! |---|---|---|---|---|
//! | `awaiting_data`: not all have uploaded | is taken in, unless its party has confirmed | is taken, if its party has uploaded and the commitments it names are those of the tables | takes a confirmation back | tables are overwritten: `expired` |
//! | `awaiting_confirmation`: all have uploaded | the same; confirmations that named its party's table before lapse | the same; the last one starts training: `training` | the same | the same |
//! | `training` | refused | changes nothing | refused | nothing |
//! | `trained`: there is a model | refused | changes nothing | refused | nothing |
//! | `failed`: there will be none | refused | changes nothing | refused | nothing |
//! | `expired`: nothing is held | refused | refused | refused | nothing |
//!
//! Activity is an upload that is taken in, and a confirmation or withdrawal that changes something.
//! All of it happens under one lock, so that of a withdrawal and the last confirmation one comes
//! first.
#![forbid(unsafe_code)]

mod agreement;
mod agreement_check;
mod agreement_warnings;
mod columns;
mod commitments;
mod event;
mod expiry;
mod incoming;
mod metered;
mod odds;
mod query;
mod receipt;
mod reply;
mod room;
mod router;
mod runtime_file;
mod samples;
mod seat;
mod state;
mod summary;
mod training;
mod turnstile;
mod upload;

pub use agreement::{AgreementError, CheckedAgreement, Limits, Party};
pub use event::{Event, Events, tell_panics_as_events};
pub use expiry::{LOOK_EVERY, PlatformTime};
pub use room::{ANNOUNCE_EVERY, Attest, CannotOpen, NoEvidence, Room, RoomSetup};
pub use router::{ClientIdentity, OPENAPI, router};
pub use summary::{Guarantee, Release, Summary, TableSummary, UserSummary};
