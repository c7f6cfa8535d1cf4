//! `synclave inspect`: what a file is, and what holds of it.

use std::sync::Arc;

use anyhow::Context;
use attestation::{Evidence, Freshness, UnixTime, Verifier};
use image::Image;
use protocol::{BoundedFile, SignedReceipt};
use serde_json::json;
use synthesis::Model;

use crate::arguments::InspectOptions;
use crate::exit::BadInput;
use crate::printer::Printer;
use crate::receipt::Wanted;
use crate::{image_file, model_file, moment, quality, receipt, trust};

/// More than an attestation document may have, so that one that is too long is told as such.
const MAX_DOCUMENT_BYTES: u64 = 1 << 20;

pub(crate) fn run(options: &InspectOptions, printer: Printer) -> anyhow::Result<()> {
    let verifier = trust::verifier_with_warning(options.dangerous_root.as_deref(), printer)?;
    let at = options.at.as_deref().map(moment::parse).transpose()?;
    let problem = || BadInput(format!("could not read {}", options.file.display()));
    let file = BoundedFile::open(&options.file).with_context(problem)?;
    // What it is decides how much of it is read.
    if Model::is_model(file.start()) {
        return model(file, printer);
    }
    if Image::is_image(file.start()) {
        let bytes = file.read(image_file::MAX_BYTES).with_context(problem)?;
        return image_file::describe(&bytes, printer);
    }
    if file.start().trim_ascii_start().first() == Some(&b'{') {
        let signed = receipt::read(&options.file, file)?;
        return a_receipt(&signed, verifier, at, printer);
    }
    let bytes = file.read(MAX_DOCUMENT_BYTES).with_context(problem)?;
    let at = at.unwrap_or_else(UnixTime::now);
    document(Evidence::from_bytes(bytes), &*verifier, at, printer)
}

fn a_receipt(
    signed: &SignedReceipt,
    verifier: Arc<dyn Verifier>,
    at: Option<UnixTime>,
    printer: Printer,
) -> anyhow::Result<()> {
    let wanted = Wanted {
        at,
        verifier,
        policy: None,
        agreement: None,
        room: None,
    };
    let verified = receipt::verify(signed, &wanted, &mut receipt::say(printer))?;
    receipt::describe(verified.receipt(), printer);
    verified.tell_time(printer);
    printer.result(format_args!("a receipt: {}", wanted.verdict()));
    printer.document(&json!({
        "kind": "receipt",
        "program_compared": false,
        "judged_at": verified.judged_at(),
        "time_is_from": verified.time_is_from(),
        "receipt": verified.receipt(),
    }));
    Ok(())
}

fn document(
    evidence: Evidence,
    verifier: &dyn Verifier,
    at: UnixTime,
    printer: Printer,
) -> anyhow::Result<()> {
    let examination = verifier.examine(&evidence, at, Freshness::Live);
    for step in examination.steps() {
        printer.result(format_args!("  ok  {step}"));
    }
    let document = examination
        .into_outcome()
        .context("not accepted as an attestation document")?;
    let registers = document.registers.iter();
    let registers = registers.map(|register| (&register.name, hex::encode(&register.value)));
    for (name, value) in registers.clone() {
        printer.result(format_args!("      {name} {value}"));
    }
    for (name, bytes) in [
        ("nonce", document.bound.nonce()),
        ("public key", document.bound.public_key()),
        ("user data", document.bound.user_data()),
    ] {
        if let Some(bytes) = bytes {
            printer.result(format_args!(
                "      {name}: {} bytes, {}",
                bytes.len(),
                hex::encode(bytes)
            ));
        }
    }
    // Last, so that a person sees the registers of a document that is refused for debug mode.
    document.program()?;
    printer.result("an attestation document; it holds");
    let registers: serde_json::Map<_, _> = registers
        .map(|(name, value)| (name.clone(), value.into()))
        .collect();
    printer.document(&json!({
        "kind": "attestation document",
        "holds": true,
        "module_id": document.enclave,
        "timestamp_ms": document.made_millis,
        "pcrs": registers,
        "steps": document.steps(),
    }));
    Ok(())
}

fn model(file: BoundedFile, printer: Printer) -> anyhow::Result<()> {
    let model = model_file::load(file).context("a fitted model, but it cannot be read")?;
    let report = model.report();
    let [low, high] = report.row_count.between;
    printer.result(format_args!(
        "a fitted model: {}, {} columns, some {} rows (with 95 % confidence {low} to {high})",
        model.method(),
        report.columns.len(),
        report.rows
    ));
    for warning in &report.warnings {
        printer.result(format_args!("warning    {warning}"));
    }
    printer.result("the columns were taken for:");
    for line in quality::column_lines(&report.columns) {
        printer.result(line);
    }
    if let Some(line) = quality::identifier_line(&report.identifiers) {
        printer.result(line);
    }
    printer.result(format_args!("domain     {}", model.domain().in_words()));
    let lines = receipt::ledger_lines(model.ledger()).into_iter();
    for line in lines.chain(receipt::prior_lines(model.prior())) {
        printer.result(line);
    }
    printer.document(&json!({
        "kind": "model",
        "method": model.method().to_string(),
        "columns": report.columns,
        "identifiers": report.identifiers,
        "rows": report.rows,
        "row_count": report.row_count,
        "warnings": report.warnings,
        "domain": model.domain().in_words(),
        "guarantees": model.ledger().guarantees(),
        "own_guarantees": model.ledger().own_guarantees(),
        "public": receipt::prior_document(model.prior()),
        "ledger": model.ledger(),
    }));
    Ok(())
}
