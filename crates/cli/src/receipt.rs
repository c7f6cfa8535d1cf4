//! `synclave verify-receipt`.

use std::path::Path;

use anyhow::Context;
use attestation::{AuthenticDocument, Freshness, Root, authenticate, claimed_time};
use privacy::LedgerRecord;
use protocol::{CheckedReceipt, Receipt, ReceiptError, SignedReceipt};
use serde_json::json;

use crate::arguments::VerifyReceiptOptions;
use crate::connect;
use crate::exit::BadInput;
use crate::printer::Printer;

pub(crate) fn run(options: &VerifyReceiptOptions, printer: Printer) -> anyhow::Result<()> {
    let root = connect::root(options.dangerous_root.as_deref(), printer)?;
    let measurements = options
        .measurements
        .measurements
        .as_deref()
        .map(connect::measurements_file)
        .transpose()?;
    let agreement = options
        .agreement
        .as_deref()
        .map(connect::agreement)
        .transpose()?;
    let checked = verify(
        &read(&options.file)?,
        &root,
        measurements,
        agreement,
        printer,
    )
    .with_context(|| format!("{} is not accepted", options.file.display()))?;
    let receipt = checked.receipt();
    describe(receipt, printer);
    printer.result("the receipt holds");
    printer.document(&json!({"holds": true, "receipt": receipt}));
    Ok(())
}

/// Reads a receipt as `/receipt` gave it.
pub(crate) fn read(file: &Path) -> anyhow::Result<SignedReceipt> {
    let problem = || BadInput(format!("could not read a receipt from {}", file.display()));
    let text = std::fs::read_to_string(file).with_context(problem)?;
    serde_json::from_str(&text).with_context(problem)
}

/// The evidence at the time it says it was made, then what it vouches for.
pub(crate) fn verify(
    signed: &SignedReceipt,
    root: &Root,
    measurements: Option<attestation::Measurements>,
    agreement: Option<[u8; 48]>,
    printer: Printer,
) -> anyhow::Result<CheckedReceipt> {
    let document = signed.evidence()?;
    let evidence = authenticate(
        &document,
        root,
        claimed_time(&document)?,
        Freshness::Archived,
    )?;
    let found = evidence.measurements()?;
    let evidence = match &measurements {
        Some(wanted) => AuthenticDocument::clone(&*evidence.matching(wanted)?),
        None => evidence,
    };
    for step in evidence.steps() {
        printer.say(format_args!("  ok  {step}"));
    }
    let checked = signed.check(evidence.user_data().unwrap_or_default())?;
    let receipt = checked.receipt();
    printer.say("  ok  text: it is what the evidence vouches for");
    printer.say("  ok  ledger: the spends add up, and stay within the budget");
    if evidence
        .pcr(16)
        .is_some_and(|pcr| *pcr != attestation::agreement_pcr(receipt.agreement_sha384.as_bytes()))
    {
        return Err(ReceiptError::NotVouchedFor)
            .context("PCR16 holds another agreement than the receipt names");
    }
    match agreement {
        Some(wanted) if wanted != receipt.agreement_sha384.to_bytes() => {
            return Err(ReceiptError::NotVouchedFor).with_context(|| {
                format!(
                    "it is about another agreement: {}",
                    receipt.agreement_sha384
                )
            });
        }
        Some(_) => printer.say("  ok  agreement: the one you named"),
        None => printer.say("  --  agreement: not compared (name one with --agreement)"),
    }
    if measurements.is_none() {
        printer.say("  --  program: not compared (name its measurements with --measurements)");
        for (index, pcr) in found.pcrs().iter().enumerate() {
            printer.say(format_args!("        PCR{index} {}", hex::encode(pcr)));
        }
    }
    Ok(checked)
}

/// The receipt for a person.
pub(crate) fn describe(receipt: &Receipt, printer: Printer) {
    printer.say(format_args!("\nroom       {}", receipt.room));
    printer.say(format_args!("agreement  {}", receipt.agreement_sha384));
    for party in &receipt.parties {
        printer.say(format_args!(
            "party      {} (key {}), input {}",
            party.name, party.key, party.input
        ));
    }
    printer.say(format_args!("method     {}", receipt.method));
    for line in ledger_lines(&receipt.ledger) {
        printer.say(line);
    }
    detail_entries(&receipt.ledger, printer);
    for samples in &receipt.samples {
        printer.say(format_args!(
            "samples    {}: {} requests, {} rows",
            samples.user, samples.requests, samples.rows
        ));
    }
}

/// The ledger, a line each.
pub(crate) fn ledger_lines(ledger: &LedgerRecord) -> Vec<String> {
    let mut lines = vec![format!(
        "budget     epsilon {} with delta {}: rho {}, of which {} spent in {} measurements and selections",
        ledger.epsilon(),
        ledger.delta(),
        ledger.total(),
        ledger.spent(),
        ledger.entries().len()
    )];
    lines.extend(
        ledger
            .guarantees()
            .iter()
            .map(|guarantee| format!("guarantee  {}", guarantee.sentence())),
    );
    lines
}

/// Every spend, for a curious person.
pub(crate) fn detail_entries(ledger: &LedgerRecord, printer: Printer) {
    for entry in ledger.entries() {
        printer.detail(format_args!("  rho {}  {}", entry.rho(), entry.label()));
    }
}
