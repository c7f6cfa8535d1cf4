//! Why the enclave's side gave a connection up.

use std::io;

use attestation::AttestError;

/// The enclave's reason, for its log. The client only sees an alert, or the end of the stream.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The client's key is not one of the agreement's.
    #[error("the client's key is not registered")]
    NotRegistered,
    /// The client does not name `synclave/1`.
    #[error("the client does not speak the protocol synclave/1")]
    WrongProtocol,
    /// The TLS handshake failed in another way.
    #[error("the TLS handshake failed: {0}")]
    Handshake(String),
    /// The client went away.
    #[error("the connection was lost: {0}")]
    Io(#[source] io::Error),
    /// The platform gave no evidence.
    #[error("the platform gave no evidence: {0}")]
    Attest(#[source] AttestError),
}

impl AcceptError {
    pub(crate) fn from_handshake(error: io::Error) -> AcceptError {
        use rustls::{AlertDescription, CertificateError, Error};
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref());
        match tls {
            Some(Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure)) => {
                AcceptError::NotRegistered
            }
            Some(
                Error::NoApplicationProtocol
                | Error::AlertReceived(AlertDescription::NoApplicationProtocol),
            ) => AcceptError::WrongProtocol,
            Some(other) => AcceptError::Handshake(other.to_string()),
            None => AcceptError::Io(error),
        }
    }
}
