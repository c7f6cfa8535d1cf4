//! `synclave inspect`: what a file is, and what holds of it.

use anyhow::Context;
use attestation::{Freshness, Root, UnixTime, examine};
use image::Image;
use protocol::{BoundedFile, SignedReceipt};
use serde_json::json;
use synthesis::Model;

use crate::arguments::InspectOptions;
use crate::exit::BadInput;
use crate::printer::Printer;
use crate::receipt::Wanted;
use crate::{connect, image_file, model_file, moment, quality, receipt};

/// More than an attestation document may have, so that one that is too long is told as such.
const MAX_DOCUMENT_BYTES: u64 = 1 << 20;

pub(crate) fn run(options: &InspectOptions, printer: Printer) -> anyhow::Result<()> {
    let root = connect::root(options.dangerous_root.as_deref(), printer)?;
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
        return a_receipt(&signed, root, at, printer);
    }
    let bytes = file.read(MAX_DOCUMENT_BYTES).with_context(problem)?;
    document(&bytes, &root, at.unwrap_or_else(UnixTime::now), printer)
}

fn a_receipt(
    signed: &SignedReceipt,
    root: Root,
    at: Option<UnixTime>,
    printer: Printer,
) -> anyhow::Result<()> {
    let wanted = Wanted {
        at,
        root,
        measurements: None,
        agreement: None,
        room: None,
    };
    let verified = receipt::verify(signed, &wanted, printer)?;
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

fn document(bytes: &[u8], root: &Root, at: UnixTime, printer: Printer) -> anyhow::Result<()> {
    let examination = examine(bytes, root, at, Freshness::Live);
    for step in examination.steps() {
        printer.result(format_args!("  ok  {step}"));
    }
    let document = examination
        .into_outcome()
        .context("not accepted as an attestation document")?;
    for (index, pcr) in document.pcrs() {
        printer.result(format_args!("      PCR{index} {}", hex::encode(pcr)));
    }
    for (name, bytes) in [
        ("nonce", document.nonce()),
        ("public key", document.public_key()),
        ("user data", document.user_data()),
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
    document.measurements()?;
    printer.result("an attestation document; it holds");
    let pcrs: serde_json::Map<_, _> = document
        .pcrs()
        .map(|(index, pcr)| (format!("PCR{index}"), hex::encode(pcr).into()))
        .collect();
    printer.document(&json!({
        "kind": "attestation document",
        "holds": true,
        "module_id": document.module_id(),
        "timestamp_ms": document.timestamp_millis(),
        "pcrs": pcrs,
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
    printer.result(format_args!("domain     {}", model.domain().in_words()));
    let lines = receipt::ledger_lines(model.ledger()).into_iter();
    for line in lines.chain(receipt::prior_lines(model.prior())) {
        printer.result(line);
    }
    printer.document(&json!({
        "kind": "model",
        "method": model.method().to_string(),
        "columns": report.columns,
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
