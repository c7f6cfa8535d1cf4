//! From untrusted bytes to evidence.

use std::time::Duration;

use rustls_pki_types::UnixTime;
use time::OffsetDateTime;
use time::macros::format_description;

use crate::document::Document;
use crate::envelope::Envelope;
use crate::{Measurements, Refusal, Root, Step, chain};

/// The longest document that is looked at; real ones have 4 to 6 KiB.
pub const MAX_DOCUMENT_BYTES: usize = 16 * 1024;

/// How far the document's time and the caller's may lie apart, in either direction, for live
/// evidence.
pub const MAX_CLOCK_DIFFERENCE: Duration = Duration::from_secs(300);

/// What the time of checking means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It is now, and the document must have been made within [`MAX_CLOCK_DIFFERENCE`] of it.
    Live,
    /// It is some time in the past at which the chain held (see [`claimed_time`]). The document was
    /// made in the life of the certificate that signed it, and not later than the time of checking,
    /// give or take [`MAX_CLOCK_DIFFERENCE`].
    ///
    /// Whoever gets hold of a leaf key later can backdate such evidence: hardware keeps it, a file
    /// does not prove it.
    Archived,
}

/// Checks size, form, chain, signature and time of a document, in this order, and stops at the
/// first that fails.
///
/// `at` is the time at which the chain must hold. The measurements are checked by
/// [`AuthenticDocument::matching`].
///
/// # Errors
/// The first check that failed.
pub fn authenticate(
    document: &[u8],
    root: &Root,
    at: UnixTime,
    freshness: Freshness,
) -> Result<AuthenticDocument, Refusal> {
    // In this order, cheap checks first: no signature is verified for a stranger's megabyte.
    examine(document, root, at, freshness).into_outcome()
}

/// As [`authenticate`], and tells which checks had passed before one failed.
pub fn examine(document: &[u8], root: &Root, at: UnixTime, freshness: Freshness) -> Examination {
    let mut steps = Vec::new();
    // Steps are kept also where one fails: a person should see how far it came.
    let outcome = check(document, root, at, freshness, &mut steps);
    let outcome = outcome.map(|document| AuthenticDocument {
        document,
        steps: steps.clone(),
    });
    Examination { steps, outcome }
}

/// When a document says it was made. Nothing is verified: use it only as the time at which archived
/// evidence is then checked, or of a document that comes from the platform itself.
///
/// # Errors
/// When the bytes are too many or do not have the form of a document.
pub fn claimed_time(document: &[u8]) -> Result<UnixTime, Refusal> {
    // The same bounds as for a document that is believed: the bytes are a stranger's all the same.
    check_size(document)?;
    let envelope = Envelope::open(document)?;
    let document = Document::decode(envelope.payload)?;
    Ok(unix_time(document.timestamp))
}

/// The outcome of [`examine`], with the steps that led there.
#[derive(Debug)]
pub struct Examination {
    steps: Vec<Step>,
    outcome: Result<AuthenticDocument, Refusal>,
}

impl Examination {
    /// The checks that passed, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The document, or the check that failed.
    ///
    /// # Errors
    /// The first check that failed.
    pub fn into_outcome(self) -> Result<AuthenticDocument, Refusal> {
        self.outcome
    }
}

/// A document that an enclave under the pinned root made: form, chain, signature and time hold.
///
/// *Which* program that enclave runs is not settled; that takes [`AuthenticDocument::matching`].
#[derive(Debug, Clone)]
pub struct AuthenticDocument {
    document: Document,
    steps: Vec<Step>,
}

impl AuthenticDocument {
    /// The platform's name for the enclave; ASCII that prints, at most 256 characters.
    pub fn module_id(&self) -> &str {
        &self.document.module_id
    }

    /// When it was made, to the second.
    pub fn timestamp(&self) -> UnixTime {
        unix_time(self.document.timestamp)
    }

    /// When it was made, in milliseconds since 1970.
    pub fn timestamp_millis(&self) -> u64 {
        self.document.timestamp
    }

    /// The registers, by index (0 to 31), in order; each 32, 48 or 64 bytes.
    pub fn pcrs(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let pcrs = self.document.pcrs.iter();
        pcrs.map(|(index, pcr)| (*index, pcr.as_slice()))
    }

    /// One register, if the document reports it.
    pub fn pcr(&self, index: u8) -> Option<&[u8]> {
        self.document.pcrs.get(&index).map(Vec::as_slice)
    }

    /// What the enclave put in as its public key, 1 to 1024 bytes.
    pub fn public_key(&self) -> Option<&[u8]> {
        self.document.public_key.as_deref()
    }

    /// What the enclave put in as user data, at most 512 bytes.
    pub fn user_data(&self) -> Option<&[u8]> {
        self.document.user_data.as_deref()
    }

    /// The challenge that the enclave answered, at most 512 bytes.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.document.nonce.as_deref()
    }

    /// What was checked, in order.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Which program the enclave runs.
    ///
    /// # Errors
    /// [`Refusal::DebugMode`] when one of PCR0, PCR1 and PCR2 is zero; [`Refusal::MissingPcr`] when
    /// one is not there.
    pub fn measurements(&self) -> Result<Measurements, Refusal> {
        let mut pcrs = [[0; 48]; 3];
        for (index, pcr) in (0u8..).zip(&mut pcrs) {
            *pcr = self
                .pcr(index)
                .and_then(|found| found.try_into().ok())
                // A register of another length is missing as well: only SHA-384 is comparable.
                .ok_or(Refusal::MissingPcr {
                    index: usize::from(index),
                })?;
        }
        let zero = pcrs.iter().position(|pcr| *pcr == [0; 48]);
        let [pcr0, pcr1, pcr2] = pcrs;
        // Debug mode zeroes the registers, whatever the image: the operator can then read the
        // memory.
        Measurements::new(pcr0, pcr1, pcr2).map_err(|_| Refusal::DebugMode {
            index: zero.unwrap_or_default(),
        })
    }

    /// Settles that the enclave runs exactly the program with these measurements, and not in debug
    /// mode.
    ///
    /// # Errors
    /// As [`AuthenticDocument::measurements`], and [`Refusal::WrongMeasurement`] for the first
    /// register that differs.
    pub fn matching(mut self, expected: &Measurements) -> Result<Attested, Refusal> {
        // The first that differs is told; to compare in constant time would protect nothing, as
        // both are public.
        let found = self.measurements()?;
        let pairs = found.pcrs().iter().zip(expected.pcrs());
        if let Some((index, (found, expected))) = pairs.enumerate().find(|(_, (a, b))| a != b) {
            return Err(Refusal::WrongMeasurement {
                index,
                found: hex::encode(found),
                expected: hex::encode(expected),
            });
        }
        let found = "PCR0, PCR1 and PCR2 are those asked for; no debug mode";
        self.steps.push(Step::passed("measurements", found));
        Ok(Attested(self))
    }
}

/// Evidence about the program that was asked for. Reads as an [`AuthenticDocument`].
#[derive(Debug, Clone)]
pub struct Attested(AuthenticDocument);

impl std::ops::Deref for Attested {
    type Target = AuthenticDocument;

    fn deref(&self) -> &AuthenticDocument {
        &self.0
    }
}

fn check(
    bytes: &[u8],
    root: &Root,
    at: UnixTime,
    freshness: Freshness,
    steps: &mut Vec<Step>,
) -> Result<Document, Refusal> {
    check_size(bytes)?;
    let found = format!("{} bytes, of at most {MAX_DOCUMENT_BYTES}", bytes.len());
    steps.push(Step::passed("size", found));

    let envelope = Envelope::open(bytes)?;
    // Decoded before the signature is verified, since the key that verifies it is inside; nothing
    // of it is used until then but the chain.
    let document = Document::decode(envelope.payload)?;
    let found = format!(
        "strict CBOR; module {}, {} registers",
        document.module_id,
        document.pcrs.len()
    );
    steps.push(Step::passed("form", found));

    let leaf = chain::verify(&document.cabundle, &document.certificate, root, at)?;
    let found = format!(
        "{} certificates up to the root {root}; the last is valid until {}",
        document.cabundle.len() + 1,
        utc(leaf.not_after)
    );
    steps.push(Step::passed("certificates", found));

    // After the chain, or anyone's key would do.
    envelope.verify(&leaf.key)?;
    steps.push(Step::passed("signature", "ES384, by the last certificate"));

    let found = check_time(&document, &leaf, at, freshness)?;
    steps.push(Step::passed("document time", found));
    Ok(document)
}

fn check_size(bytes: &[u8]) -> Result<(), Refusal> {
    match bytes.len() {
        0..=MAX_DOCUMENT_BYTES => Ok(()),
        bytes => Err(Refusal::TooLarge { bytes }),
    }
}

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

fn unix_time(millis: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_millis(millis))
}

/// Seconds since 1970 for a person, such as `2022-10-13 08:58:02 UTC`.
pub(crate) fn utc(seconds: i64) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|time| time.format(format).ok())
        .unwrap_or_else(|| format!("{seconds} s after 1970"))
}
