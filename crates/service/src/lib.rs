//! The room: its agreement, its states, its use cases, and the HTTP router.
//!
//! [`CheckedAgreement::parse`] reads the two files of an agreement; [`Room::open`] opens the one
//! room for it; [`router`] is what the enclave serves inside the attested channel. A request
//! carries a [`ClientIdentity`] that the enclave has put there.
//!
//! # The states of a room
//!
//! | state | an upload | a confirmation | a withdrawal | no activity |
//! |---|---|---|---|---|
//! | `awaiting_data` | is taken in (1) | is taken (2) | is taken | `expired` |
//! | `awaiting_confirmation` | is taken in (1) | is taken (2, 3) | is taken | `expired` |
//! | `training` | is refused | changes nothing | is refused | |
//! | `trained` | is refused | changes nothing | is refused | |
//! | `failed` | is refused | changes nothing | is refused | |
//! | `expired` | is refused | is refused | is refused | |
//!
//! 1. Unless its party has confirmed. Confirmations that named the table before it lapse.
//! 2. If its party has uploaded, and the commitments that it names are those of the tables.
//! 3. The last one trains.
//!
//! Activity is an upload that is taken in, and a confirmation or withdrawal that changes something;
//! without it for the agreement's `expires_after`, the tables are overwritten. All of this happens
//! under one lock, so that of a withdrawal and the last confirmation one comes first.
#![forbid(unsafe_code)]

mod agreement;
mod agreement_check;
mod agreement_warnings;
mod columns;
mod commitments;
mod event;
mod expiry;
mod incoming;
mod memory;
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
mod summary;
mod training;
mod turnstile;
mod upload;

pub use agreement::{AgreementError, CheckedAgreement, Limits, Party};
pub use event::{Event, Events, tell_panics_as_events};
pub use expiry::{LOOK_EVERY, PlatformTime};
pub use memory::{MemoryShares, TooLittleMemory};
pub use room::{ANNOUNCE_EVERY, Attest, CannotOpen, NoEvidence, Room, RoomSetup};
pub use router::{ClientIdentity, OPENAPI, router};
pub use summary::{Guarantee, Release, Summary, TableSummary, UserSummary};
