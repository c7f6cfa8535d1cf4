//! Why the client's side did not open the channel.

use std::io;

use attestation::{InvalidBinding, Refusal};

/// The first check that failed. Nothing but the handshake and a nonce was sent before.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The other side does not have this client's key.
    #[error(
        "the room does not know this key: it is not among the public keys of its agreement \
         (service.yaml)"
    )]
    NotRegistered,
    /// The other side is not an enclave of this kind, or its front end ends TLS itself.
    #[error(
        "the other side does not speak synclave/1: check the address, and that nothing on the way \
         ends TLS"
    )]
    WrongProtocol,
    /// The other side speaks TLS 1.2 or older only.
    #[error("the other side does not speak TLS 1.3, which is required")]
    OldTls,
    /// The TLS handshake failed in another way.
    #[error("the TLS handshake failed: {0}")]
    Tls(String),
    /// The other side closed the connection before it showed evidence.
    #[error("the other side closed the connection before it showed any evidence")]
    Closed,
    /// The network failed.
    #[error("the connection was lost before any evidence came: {0}")]
    Io(#[source] io::Error),
    /// The evidence itself does not hold.
    #[error(transparent)]
    Evidence(#[from] Refusal),
    /// The evidence is not about a channel.
    #[error(transparent)]
    Binding(#[from] InvalidBinding),
    /// The evidence is about another TLS key: someone stands between.
    #[error(
        "the evidence is not about this connection's key: someone stands between you and the \
         enclave"
    )]
    WrongServerKey,
    /// The evidence answers another challenge: it is a replay.
    #[error(
        "the evidence does not answer this connection's challenge: it was made for another one"
    )]
    WrongNonce,
    /// The evidence was made for another TLS session: it is relayed.
    #[error(
        "the evidence was made for another connection and relayed: someone stands between you and \
         the enclave"
    )]
    Relayed,
    /// The room works under another agreement.
    #[error("the room has another agreement: {found}, expected {expected}")]
    WrongAgreement {
        /// SHA-384 of the room's agreement, in hex.
        found: String,
        /// The expected one, in hex.
        expected: String,
    },
    /// An enclave of the same program and agreement, but another room.
    #[error(
        "this is another room than before: {found}, expected {expected}: was the enclave restarted?"
    )]
    WrongRoom {
        /// The room's id, in hex.
        found: String,
        /// The expected one, in hex.
        expected: String,
    },
}

impl Refused {
    /// A short name that does not change between releases, for programs.
    pub fn slug(&self) -> &'static str {
        match self {
            Refused::NotRegistered => "key-not-registered",
            Refused::WrongProtocol => "wrong-protocol",
            Refused::OldTls => "old-tls",
            Refused::Tls(_) => "tls-failed",
            Refused::Closed => "closed-before-evidence",
            Refused::Io(_) => "connection-lost",
            Refused::Evidence(refusal) => refusal.slug(),
            Refused::Binding(_) => "binding-malformed",
            Refused::WrongServerKey => "wrong-server-key",
            Refused::WrongNonce => "wrong-nonce",
            Refused::Relayed => "evidence-relayed",
            Refused::WrongAgreement { .. } => "wrong-agreement",
            Refused::WrongRoom { .. } => "wrong-room",
        }
    }

    pub(crate) fn from_io(error: io::Error) -> Refused {
        // By the library's own errors and never by their texts, which change.
        use rustls::{AlertDescription, Error, PeerIncompatible};
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            // What an enclave answers to a key it does not know.
            Some(Error::AlertReceived(AlertDescription::AccessDenied)) => Refused::NotRegistered,
            Some(
                Error::NoApplicationProtocol
                | Error::AlertReceived(AlertDescription::NoApplicationProtocol),
            ) => Refused::WrongProtocol,
            Some(
                Error::AlertReceived(AlertDescription::ProtocolVersion)
                | Error::PeerIncompatible(
                    PeerIncompatible::ServerDoesNotSupportTls12Or13
                    | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
                ),
            ) => Refused::OldTls,
            Some(Error::InvalidMessage(_)) => {
                Refused::Tls("the other side does not speak TLS".to_owned())
            }
            Some(other) => Refused::Tls(other.to_string()),
            None if error.kind() == io::ErrorKind::UnexpectedEof => Refused::Closed,
            None => Refused::Io(error),
        }
    }
}
