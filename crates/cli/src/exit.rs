//! What the exit code tells a script.

use attestation::Refusal;
use client::{Error, Refused};
use protocol::ReceiptError;
use synthesis::{FitError, PlanError};

/// One code for each reason that a script may want to tell apart. The help of `synclave connect`
/// says what each of them means.
#[expect(missing_docs, reason = "the names say it, and the help says more")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    Success = 0,
    Failure = 1,
    // 2 is clap's: the command line itself makes no sense.
    Input = 3,
    Unreachable = 10,
    KeyNotRegistered = 11,
    NotARoom = 12,
    ProxyRefused = 13,
    OuterTls = 14,
    UpgradeRefused = 15,
    EvidenceTooLarge = 20,
    EvidenceMalformed = 21,
    UnknownRoot = 22,
    ChainExpired = 23,
    ChainInvalid = 24,
    WrongAlgorithm = 25,
    BadSignature = 26,
    Stale = 27,
    DebugMode = 28,
    WrongMeasurement = 29,
    WrongAgreementRegister = 30,
    WrongServerKey = 31,
    WrongNonce = 32,
    Relayed = 33,
    WrongAgreement = 34,
    WrongRoom = 35,
    AgreementDeclined = 36,
    PortInUse = 40,
    Receipt = 50,
    // What a shell shows for a program that Ctrl-C ended.
    Interrupted = 130,
}

/// The text below the options in the help of `connect`.
pub(crate) const HELP_OF_CONNECT: &str = "\
Example:
  synclave connect --url https://room.example.org --port 443 --lport 3030 \\
      --private-key keys/alice_private.der --public-key keys/alice_public.der \\
      --measurements measurements.json

Exit codes (nothing of yours was sent in any of these cases):
  10  the enclave cannot be reached
  11  your key is not in the room's agreement
  12  what answers is no room, or TLS failed
  13  the HTTP proxy opens no connection  14  the TLS of the outer hop (wss://) failed
  15  what answers does not become a WebSocket
  20  the evidence is too large           21  it is malformed, or has trailing bytes
  22  its root is unknown                 23  a certificate expired, or is not valid yet
  24  its chain does not hold             25  it is not signed with ES384
  26  its signature is wrong              27  it is stale, or from the future
  28  the enclave runs in debug mode      29  it runs another program (PCR0-2)
  30  it was started with another agreement (PCR16)
  31  the evidence is about another key   32  about another challenge (a replay)
  33  about another connection (a relay)  34  about another agreement
  35  about another room                  36  you did not accept the agreement
  40  the local port is in use
   3  an option, or a key or measurements file, cannot be used; or --agreement is not
      given and nobody is there to accept the agreement
   1  anything else, such as a connection that was lost";

impl Exit {
    /// The code that the process ends with.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }
}

/// The person did not accept the agreement.
#[derive(Debug, thiserror::Error)]
#[error("the agreement was not accepted: nothing was sent")]
pub(crate) struct Declined;

/// A file or value that the person gave cannot be used; what is wrong with it is the cause.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadInput(pub String);

/// The code for an error, by the cause or context in it that is known here.
#[must_use]
pub fn of(error: &anyhow::Error) -> Exit {
    // By the type of a cause or context: texts change, and contexts are added on the way.
    let declined = error
        .downcast_ref()
        .map(|_: &Declined| Exit::AgreementDeclined);
    declined
        .or_else(|| error.downcast_ref().map(of_client))
        .or_else(|| error.downcast_ref().map(of_refused))
        .or_else(|| error.downcast_ref().map(of_evidence))
        .or_else(|| error.downcast_ref().map(|_: &ReceiptError| Exit::Receipt))
        .or_else(|| error.downcast_ref().map(|_: &BadInput| Exit::Input))
        // A plan that public facts stand against is the person's input, not a failure of the
        // program.
        .or_else(|| error.downcast_ref().map(|_: &PlanError| Exit::Input))
        .or_else(|| error.downcast_ref().map(of_fit))
        .unwrap_or(Exit::Failure)
}

fn of_fit(error: &FitError) -> Exit {
    match error {
        FitError::Plan(_) | FitError::RowsPerId { .. } => Exit::Input,
        _ => Exit::Failure,
    }
}

pub(crate) fn of_client(error: &Error) -> Exit {
    match error {
        Error::KeyName { .. }
        | Error::KeyFileExists { .. }
        | Error::KeyFile { .. }
        | Error::PrivateKey { .. }
        | Error::PublicKey { .. }
        | Error::KeyMismatch { .. }
        | Error::Address { .. }
        | Error::ProxyAddress { .. }
        | Error::OuterCa { .. } => Exit::Input,
        Error::Unreachable { .. }
        | Error::ConnectDeadline { .. }
        | Error::ProxyUnreachable { .. } => Exit::Unreachable,
        Error::ProxyRefused { .. } | Error::ProxyAnswer { .. } => Exit::ProxyRefused,
        Error::OuterTls { .. } => Exit::OuterTls,
        Error::UpgradeRefused { .. } | Error::NoWebSocket { .. } => Exit::UpgradeRefused,
        Error::Refused(refused) => of_refused(refused),
        Error::ServedAgreement => Exit::WrongAgreement,
        Error::PortInUse { .. } => Exit::PortInUse,
        _ => Exit::Failure,
    }
}

fn of_refused(refused: &Refused) -> Exit {
    match refused {
        Refused::NotRegistered => Exit::KeyNotRegistered,
        Refused::WrongProtocol
        | Refused::OldTls
        | Refused::Tls(_)
        | Refused::Closed
        | Refused::Io(_) => Exit::NotARoom,
        Refused::Evidence(refusal) => of_evidence(refusal),
        Refused::Binding(_) => Exit::EvidenceMalformed,
        Refused::WrongServerKey => Exit::WrongServerKey,
        Refused::WrongNonce => Exit::WrongNonce,
        Refused::Relayed => Exit::Relayed,
        Refused::WrongAgreement { .. } => Exit::WrongAgreement,
        Refused::WrongRoom { .. } => Exit::WrongRoom,
    }
}

fn of_evidence(refusal: &Refusal) -> Exit {
    match refusal {
        Refusal::TooLarge { .. } => Exit::EvidenceTooLarge,
        Refusal::Malformed { .. } | Refusal::Field { .. } | Refusal::UnboundData => {
            Exit::EvidenceMalformed
        }
        Refusal::UnknownRoot { .. } => Exit::UnknownRoot,
        Refusal::Expired { .. } | Refusal::NotYetValid { .. } => Exit::ChainExpired,
        Refusal::Chain { .. } => Exit::ChainInvalid,
        Refusal::Algorithm { .. } => Exit::WrongAlgorithm,
        Refusal::Signature { .. } => Exit::BadSignature,
        Refusal::Stale { .. } | Refusal::FromTheFuture { .. } | Refusal::OutsideLeafLife { .. } => {
            Exit::Stale
        }
        Refusal::DebugMode { .. } => Exit::DebugMode,
        Refusal::MissingRegister { .. } | Refusal::WrongMeasurement { .. } => {
            Exit::WrongMeasurement
        }
        Refusal::WrongAgreementRegister { .. } => Exit::WrongAgreementRegister,
        // The expected measurements, which are the person's own, do not suffice for a verdict.
        Refusal::Unpinned { .. } => Exit::Input,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_deep_in_the_chain_decides() {
        let error =
            anyhow::Error::new(Error::Refused(Refused::Relayed)).context("could not connect");
        assert_eq!(of(&error), Exit::Relayed);
        let register = "PCR0".to_owned();
        let error = anyhow::Error::new(Refusal::DebugMode { register }).context("document.bin");
        assert_eq!(of(&error), Exit::DebugMode);
        assert_eq!(of(&anyhow::anyhow!("something else")), Exit::Failure);
    }

    #[test]
    fn every_code_of_connect_is_in_its_help() {
        for code in (10..=15).chain(20..=36).chain([40, 3]) {
            let listed = HELP_OF_CONNECT
                .split_whitespace()
                .any(|word| word == code.to_string());
            assert!(listed, "{code}");
        }
    }
}
