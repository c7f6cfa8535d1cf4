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
//! | `training` (4) | is refused | changes nothing | is refused | |
//! | `trained` | is refused | changes nothing | is refused | |
//! | `failed` | is refused | changes nothing | is refused | |
//! | `expired` | is refused | is refused | is refused | |
//!
//! 1. Unless its party has confirmed. Confirmations that named the table before it lapse.
//! 2. If its party has uploaded, and the commitments that it names are those of the tables.
//! 3. The last one trains.
//! 4. Where the agreement has `minimum_rows` and a test shows that fewer met, the tables are
//!    overwritten, no confirmation holds, and the room goes back to `awaiting_data` with what is
//!    left of its ledger; after the third such test it has `failed`.
//!
//! Activity is an upload that is taken in, and a confirmation or withdrawal that changes something;
//! without it for the agreement's `expires_after`, the tables are overwritten. All of this happens
//! under one lock, so that of a withdrawal and the last confirmation one comes first.
//!
//! # Example
//!
//! An agreement is checked as a whole, and what it says can be read before anybody accepts it:
//!
//! ```
//! use protocol::Agreement;
//! use service::{CheckedAgreement, Summary};
//!
//! let alice = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
//! let bob = "MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=";
//! let service = testkit::service_yaml(alice, bob);
//!
//! let runtime = "method: GRAIN\nepsilon: 3\nparty_names: [Alice, Bob]\n";
//! let agreement = CheckedAgreement::parse(Agreement::new(service.as_str(), runtime)?)?;
//! let summary = Summary::new(&agreement);
//! assert_eq!(summary.users[0].name, "Alice");
//! assert!(summary.users[0].may.contains(&"/upload_data"));
//!
//! let stranger = runtime.replace("Bob", "Bobb");
//! let refused = CheckedAgreement::parse(Agreement::new(service.as_str(), stranger)?);
//! assert!(refused.unwrap_err().to_string().ends_with("did you mean `Bob`?"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod agreement;
mod agreement_check;
mod agreement_warnings;
mod columns;
mod commitments;
mod event;
mod expiry;
mod incoming;
mod joined_rows;
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
mod served_model;
mod state;
mod summary;
mod training;
mod turnstile;
mod upload;

pub use agreement::{AgreementError, AgreementLimits, CheckedAgreement, Party};
pub use event::{Events, RoomEvent, tell_panics_as_events};
pub use expiry::{LOOK_EVERY, PlatformTime};
pub use memory::{MemoryShares, TooLittleMemory};
pub use room::{ANNOUNCE_EVERY, Attest, CannotOpen, NoEvidence, Room, RoomSetup};
pub use router::{ClientIdentity, OPENAPI, router};
pub use served_model::ServedModel;
pub use summary::{Guarantee, Release, Summary, TableSummary, UserSummary};
