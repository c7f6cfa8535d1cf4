//! Which platform and program a person trusts: the one place that picks a verifier.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use attestation::nitro::{Measurements, NitroVerifier};
use attestation::{Policy, Verifier};
use protocol::read_text_file;

use crate::arguments::MeasurementOptions;
use crate::exit::BadInput;
use crate::printer::Printer;

/// Of a root certificate, or of measurements.
const MAX_TEXT_BYTES: u64 = 1 << 20;

/// Of AWS Nitro; under the root in `file`, if one is named.
pub(crate) fn verifier(file: Option<&Path>, printer: Printer) -> anyhow::Result<Arc<dyn Verifier>> {
    let Some(file) = file else {
        return Ok(Arc::new(NitroVerifier::aws()));
    };
    printer.warn(format_args!(
        "trusting the root in {}; no hardware vouches for what it signs",
        file.display()
    ));
    let problem = || BadInput(format!("could not use the root in {}", file.display()));
    let pem = read_text_file(file, MAX_TEXT_BYTES).with_context(problem)?;
    let verifier = NitroVerifier::dangerous_from_pem(&pem).with_context(problem)?;
    Ok(Arc::new(verifier))
}

/// Who vouches for the platform, for a person.
pub(crate) fn root_in_words(file: Option<&Path>) -> String {
    match file {
        None => "AWS's own, which vouches for its Nitro hardware".to_owned(),
        Some(file) => format!(
            "the one in {}; no hardware vouches for what it signs",
            file.display()
        ),
    }
}

/// The measurements in a file.
pub(crate) fn policy_file(file: &Path) -> anyhow::Result<Policy> {
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
