//! The enclave's side: where evidence comes from.

use crate::{Evidence, ReportData};

/// What makes evidence about the enclave that it runs in: the hardware, or a platform in its place.
///
/// That the agreement is in the platform's register, where there is one, is the platform's business
/// and done before it gives an attester.
pub trait Attester: Send + Sync + 'static {
    /// Evidence that commits to this report data. May block.
    ///
    /// # Errors
    /// When the platform gives none.
    fn attest(&self, data: &ReportData) -> Result<Evidence, AttestError>;
}

/// Why a platform gave no evidence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AttestError(String);

impl AttestError {
    /// With a sentence for the enclave's own log.
    pub fn new(sentence: impl Into<String>) -> AttestError {
        AttestError(sentence.into())
    }
}
