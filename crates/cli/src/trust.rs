//! Which room a person trusts, and the way there: the one place that picks a verifier.
//!
//! The command line and the Python package read all of it here, so that neither can trust what the
//! other refuses.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use attestation::nitro::{Measurements, NitroVerifier};
use attestation::{Policy, Verifier};
use client::{Endpoint, HttpProxy, OuterTrust};
use protocol::{Agreement, AgreementHash, RoomId, read_text_file};
use service::CheckedAgreement;

use crate::arguments::MeasurementOptions;
use crate::exit::BadInput;
use crate::printer::Printer;

/// Of a root certificate, or of measurements.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// The verifier of AWS Nitro's evidence; under the root in `file`, if one is named, for which no
/// hardware vouches.
///
/// # Errors
/// [`BadInput`], if the file is no such root.
pub fn verifier(file: Option<&Path>) -> anyhow::Result<Arc<dyn Verifier>> {
    let Some(file) = file else {
        return Ok(Arc::new(NitroVerifier::aws()));
    };
    let problem = || BadInput(format!("could not use the root in {}", file.display()));
    let pem = read_text_file(file, MAX_TEXT_BYTES).with_context(problem)?;
    let verifier = NitroVerifier::dangerous_from_pem(&pem).with_context(problem)?;
    Ok(Arc::new(verifier))
}

/// Who vouches for the platform, for a person.
pub(crate) struct RootInWords {
    pub(crate) words: String,
    /// Whether hardware stands behind it, and not just whoever has its key.
    pub(crate) hardware: bool,
}

impl RootInWords {
    /// The root in `file`, or else AWS's own.
    pub(crate) fn of(file: Option<&Path>) -> Self {
        match file {
            None => Self {
                words: "AWS's own, which vouches for its Nitro hardware".to_owned(),
                hardware: true,
            },
            Some(file) => Self::dangerous(&format!("the one in {}", file.display())),
        }
    }

    /// A root for which no hardware vouches.
    pub(crate) fn dangerous(which: &str) -> Self {
        Self {
            words: format!("{which}; no hardware vouches for what it signs"),
            hardware: false,
        }
    }
}

/// The same, where a person is warned of a root of their own.
pub(crate) fn verifier_with_warning(
    file: Option<&Path>,
    printer: Printer,
) -> anyhow::Result<Arc<dyn Verifier>> {
    if let Some(file) = file {
        printer.warn(format_args!(
            "trusting the root in {}; no hardware vouches for what it signs",
            file.display()
        ));
    }
    verifier(file)
}

/// Reads the measurements to insist on.
///
/// # Errors
/// [`BadInput`], if the file holds none.
pub fn policy_file(file: &Path) -> anyhow::Result<Policy> {
    let problem = || {
        BadInput(format!(
            "could not use the measurements in {}",
            file.display()
        ))
    };
    let text = read_text_file(file, MAX_TEXT_BYTES).with_context(problem)?;
    let measurements = Measurements::from_json(&text).with_context(problem)?;
    Ok(Policy::from(measurements))
}

/// The measurements that the options give, in a file or one by one.
pub(crate) fn policy(options: &MeasurementOptions) -> anyhow::Result<Policy> {
    match options {
        MeasurementOptions {
            measurements: Some(file),
            ..
        } => policy_file(file),
        MeasurementOptions {
            pcr0: Some(pcr0),
            pcr1: Some(pcr1),
            pcr2: Some(pcr2),
            ..
        } => Measurements::from_hex(pcr0, pcr1, pcr2)
            .map(Policy::from)
            .with_context(|| BadInput("could not use the measurements".to_owned())),
        _ => unreachable!("clap asks for a file or for all three"),
    }
}

/// Reads the hash of an agreement.
///
/// # Errors
/// [`BadInput`], if it is not 96 hex digits.
pub fn agreement(text: &str) -> anyhow::Result<[u8; 48]> {
    let hash: AgreementHash = text
        .trim()
        .parse()
        .with_context(|| BadInput(format!("`{text}` is not the hash of an agreement")))?;
    Ok(hash.to_bytes())
}

/// Reads the id of a room.
///
/// # Errors
/// [`BadInput`], if it is not 64 hex digits.
pub fn room(text: &str) -> anyhow::Result<[u8; 32]> {
    let room: RoomId = text
        .trim()
        .parse()
        .with_context(|| BadInput(format!("`{text}` is not the id of a room")))?;
    Ok(room.to_bytes())
}

/// Where the enclave is, and the way there: an HTTP proxy, or else that of the environment, and the
/// authorities of the outer hop.
///
/// # Errors
/// An address or file that cannot be used.
pub fn endpoint(
    url: &str,
    port: u16,
    proxy: Option<&str>,
    outer_ca: Option<&Path>,
) -> anyhow::Result<Endpoint> {
    let variable = |name: &str| std::env::var(name).ok();
    let endpoint = Endpoint::parse(url, port)?;
    let proxy = match proxy {
        Some(named) => Some(HttpProxy::parse(named)?),
        // By option first, then as other tools have it.
        None => HttpProxy::of_environment(&endpoint, variable)?,
    };
    // Arguments are visible to every user of the machine; the environment is not.
    let proxy = proxy
        .map(|proxy| proxy.with_password_of_environment(variable))
        .transpose()?;
    let trust = match outer_ca {
        Some(file) => OuterTrust::from_pem_file(file)?,
        None => OuterTrust::default(),
    };
    Ok(endpoint.through(proxy).trusting(trust))
}

/// Reads a room's agreement by the very check that the enclave makes: what it accepts is what is
/// shown.
///
/// # Errors
/// [`BadInput`], if it was written for another version.
pub fn checked_agreement(agreement: &Agreement) -> anyhow::Result<CheckedAgreement> {
    let problem = || {
        BadInput(
            "the room's agreement cannot be read here, so that nobody can judge it; use the \
             version of synclave that it was written for"
                .to_owned(),
        )
    };
    CheckedAgreement::parse(agreement.clone()).with_context(problem)
}
