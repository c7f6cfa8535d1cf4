//! AWS Nitro Enclaves: attestation documents, and what makes one acceptable.
//!
//! A document is a statement of the hypervisor about one running enclave: CBOR inside `COSE_Sign1`,
//! signed with ES384 by a certificate that leads to a pinned root. It holds the report data itself.
//! Its registers are PCR0 to PCR31, of which PCR0, PCR1 and PCR2 name the program and PCR16 the
//! agreement.
//!
//! The rules follow AWS's description of the format (aws-nitro-enclaves-nsm-api,
//! `docs/attestation_process.md`), more strictly in these points: lengths in their shortest form,
//! no tags, no strings in pieces, no key twice, no unknown field, nothing after the end.
//! Certificate revocation lists are not fetched; AWS's instance certificates live for hours.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::{
    AgreementRegister, BoundData, Claims, Evidence, Freshness, Refusal, Register, ReportData, Step,
    Verifier,
};

#[cfg(feature = "authority")]
pub mod authority;
mod chain;
mod document;
mod envelope;
mod measurements;
mod root;

pub use measurements::{InvalidMeasurements, Measurements};
pub use root::{InvalidRoot, Root};

use document::Document;
use envelope::Envelope;

/// How far the document's time and the caller's may lie apart, in either direction, for live
/// evidence.
pub const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(300);

// Nitro keeps 0 to 15 for itself or locks them; 16 is the first that a program may extend.
/// The index of the register that holds the agreement, once an enclave has extended it with that.
pub const AGREEMENT_PCR: u8 = 16;

/// The name under which a register appears in claims and policies, such as `PCR0`.
pub fn register_name(index: u8) -> String {
    format!("PCR{index}")
}

/// Verifies documents that lead to one root.
///
/// Live evidence must have been made within [`MAX_CLOCK_DIFFERENCE`] of the time of checking.
/// Archived evidence must have been made in the life of the certificate that signed it, and not
/// later than the time of checking, give or take the same difference.
#[derive(Debug, Clone)]
pub struct NitroVerifier {
    root: Root,
}

impl NitroVerifier {
    /// Of documents under AWS's root.
    pub fn aws() -> NitroVerifier {
        NitroVerifier::under(Root::aws_nitro())
    }

    /// Of documents under this root. Only AWS's stands for hardware; see
    /// [`Root::dangerous_from_pem`].
    pub fn under(root: Root) -> NitroVerifier {
        NitroVerifier { root }
    }

    /// Of documents under a root of someone's own.
    ///
    /// # Errors
    /// As [`Root::dangerous_from_pem`].
    pub fn dangerous_from_pem(root: &str) -> Result<NitroVerifier, InvalidRoot> {
        Root::dangerous_from_pem(root).map(NitroVerifier::under)
    }
}

impl Verifier for NitroVerifier {
    fn claims(
        &self,
        evidence: &Evidence,
        at: UnixTime,
        freshness: Freshness,
        steps: &mut Vec<Step>,
    ) -> Result<Claims, Refusal> {
        let envelope = Envelope::open(evidence.as_bytes())?;
        // Decoded before the signature is verified, since the key that verifies it is inside;
        // nothing of it is used until then but the chain.
        let document = Document::decode(envelope.payload)?;
        let found = format!(
            "strict CBOR; module {}, {} registers",
            document.module_id,
            document.pcrs.len()
        );
        steps.push(Step::passed("form", found));

        let leaf = chain::verify(&document.cabundle, &document.certificate, &self.root, at)?;
        let found = format!(
            "{} certificates up to the root {}; the last is valid until {}",
            document.cabundle.len() + 1,
            self.root,
            utc(leaf.not_after)
        );
        steps.push(Step::passed("certificates", found));

        // After the chain, or anyone's key would do.
        envelope.verify(&leaf.key)?;
        steps.push(Step::passed("signature", "ES384, by the last certificate"));

        let found = check_time(&document, &leaf, at, freshness)?;
        steps.push(Step::passed("document time", found));
        Ok(self.claims_of(document))
    }

    fn claimed_time(&self, evidence: &Evidence) -> Result<UnixTime, Refusal> {
        claimed_time(evidence)
    }
}

impl NitroVerifier {
    fn claims_of(&self, document: Document) -> Claims {
        let program = program(&document);
        let agreement = AgreementRegister {
            name: register_name(AGREEMENT_PCR),
            value: document.pcrs.get(&AGREEMENT_PCR).cloned(),
            // That hardware always reports a locked PCR16. A platform under another root may lack
            // it.
            required: self.root == Root::aws_nitro(),
        };
        let registers = document.pcrs.into_iter().map(|(index, value)| Register {
            name: register_name(index),
            value,
        });
        Claims {
            enclave: document.module_id,
            made_millis: Some(document.timestamp),
            bound: BoundData::in_report(ReportData {
                public_key: document.public_key,
                nonce: document.nonce,
                user_data: document.user_data,
            }),
            registers: registers.collect(),
            program,
            agreement,
        }
    }
}

/// When a document says it was made. Nothing is verified: use it only as the time at which archived
/// evidence is then checked, or of a document that comes from the platform itself.
///
/// # Errors
/// When the bytes are too many or do not have the form of a document.
pub fn claimed_time(evidence: &Evidence) -> Result<UnixTime, Refusal> {
    // The same bounds as for a document that is believed: the bytes are a stranger's all the same.
    evidence.check_size()?;
    let envelope = Envelope::open(evidence.as_bytes())?;
    let document = Document::decode(envelope.payload)?;
    let made = Duration::from_millis(document.timestamp);
    Ok(UnixTime::since_unix_epoch(made))
}

/// The registers that name the program, if they name one.
fn program(document: &Document) -> Result<Vec<String>, Refusal> {
    let mut pcrs = Vec::with_capacity(PROGRAM_PCRS.len());
    for index in PROGRAM_PCRS {
        let register = register_name(index);
        match document.pcrs.get(&index) {
            Some(value) if value.len() == 48 => pcrs.push((register, value)),
            // A register of another length is missing as well: only SHA-384 is comparable.
            _ => return Err(Refusal::MissingRegister { register }),
        }
    }
    // Debug mode zeroes the registers, whatever the image: the operator can then read the memory.
    let zero = pcrs
        .iter()
        .find(|(_, pcr)| pcr.iter().all(|byte| *byte == 0));
    match zero {
        Some((register, _)) => Err(Refusal::DebugMode {
            register: register.clone(),
        }),
        None => Ok(pcrs.into_iter().map(|(register, _)| register).collect()),
    }
}

/// The whole image, kernel with boot ramdisk, and application.
const PROGRAM_PCRS: [u8; 3] = [0, 1, 2];

fn check_time(
    document: &Document,
    leaf: &chain::Leaf,
    at: UnixTime,
    freshness: Freshness,
) -> Result<String, Refusal> {
    let limit = MAX_CLOCK_DIFFERENCE.as_secs();
    let made = document.timestamp / 1000;
    let made_seconds = i64::try_from(made).expect("the decoder allows no year after 9999");
    let made_text = utc(made_seconds);
    let (age, ahead) = (
        at.as_secs().saturating_sub(made),
        made.saturating_sub(at.as_secs()),
    );
    // Ahead of our clock as well: clocks differ, but a document from next week is forged or the
    // clock is wrong.
    if ahead > limit {
        return Err(Refusal::FromTheFuture {
            made: made_text,
            seconds: ahead,
        });
    }
    match freshness {
        Freshness::Live if age > limit => Err(Refusal::Stale {
            made: made_text,
            seconds: age,
        }),
        Freshness::Live => Ok(format!("{made_text}, within {limit} s of now")),
        // In the life of the leaf and not near `at`: an archive is checked years later.
        Freshness::Archived if !(leaf.not_before..=leaf.not_after).contains(&made_seconds) => {
            Err(Refusal::OutsideLeafLife { made: made_text })
        }
        Freshness::Archived => Ok(format!(
            "{made_text}, in the life of the certificate that signed it"
        )),
    }
}

/// Seconds since 1970 for a person, such as `2022-10-13 08:58:02 UTC`.
fn utc(seconds: i64) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(format).ok())
        .unwrap_or_else(|| format!("{seconds} s after 1970"))
}
