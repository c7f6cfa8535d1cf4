//! What crosses the wire: the agreement, requests, replies, the receipt, and stable error codes.
//!
//! Everything here is either a plain record of a reply or a name (a hash) that both sides compute
//! for themselves; [`read_file`] is how all programs read the files that people give them.
//!
//! ```
//! use protocol::Agreement;
//!
//! let agreement = Agreement::new("users: ..\n", "epsilon: 1\n")?;
//! // Its name is a hash of the two files as they are: a comment more is another agreement.
//! let other = Agreement::new("users: ..\n", "epsilon: 1 # each\n")?;
//! assert_ne!(agreement.sha384(), other.sha384());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod agreement;
mod bounded_file;
mod configuration;
mod names;
mod problem;
mod receipt;
mod replies;
mod room_folder;

pub use agreement::{Agreement, AgreementError, MAX_FILE_BYTES};
pub use bounded_file::{BoundedFile, read_file, read_text_file};
pub use configuration::{
    CONFIGURATION_PORT, ConfigurationError, ConfigurationReply, MAX_REPLY_BYTES, PARTIES_PORT,
};
pub use names::{AgreementHash, Digest, KeyFingerprint, NotHex, RoomId, Salt};
pub use problem::{Code, Problem};
pub use receipt::{
    CheckedReceipt, RECEIPT_VERSION, Receipt, ReceiptError, ReceiptParty, ReceiptSamples,
    SignedReceipt, receipt_user_data,
};
pub use replies::{
    AgreementReply, ColumnsReply, Commitment, Details, DetailsLimits, IdForm, IdForms, JoinedRows,
    Message, MinimumRows, PartyStatus, Phase, RowTests, Status, TrainingProgress, UploadReply,
    Yourself,
};
pub use room_folder::RoomFolderError;
