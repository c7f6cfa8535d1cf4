//! `synclave inspect`: what a file is, and what holds of it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use attestation::{Freshness, Root, UnixTime, examine};
use image::Image;
use serde_json::json;
use synthesis::Model;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::arguments::InspectOptions;
use crate::exit::BadInput;
use crate::printer::Printer;
use crate::receipt::Wanted;
use crate::{connect, image_file, receipt};

/// No document, receipt, model or image that anyone would keep is longer.
const MAX_BYTES: u64 = 1 << 30;

pub(crate) fn run(options: &InspectOptions, printer: Printer) -> anyhow::Result<()> {
    let root = connect::root(options.dangerous_root.as_deref(), printer)?;
    let bytes = read(&options.file)?;
    if Model::is_model(&bytes) {
        return model(&bytes, printer);
    }
    if Image::is_image(&bytes) {
        return image_file::describe(&bytes, printer);
    }
    if bytes.trim_ascii_start().first() == Some(&b'{') {
        let signed = receipt::read(&options.file)?;
        let wanted = Wanted {
            root,
            measurements: None,
            agreement: None,
            room: None,
        };
        let checked = receipt::verify(&signed, &wanted, printer)?;
        receipt::describe(checked.receipt(), printer);
        printer.result(format_args!("a receipt: {}", wanted.verdict()));
        printer.document(
            &json!({"kind": "receipt", "program_compared": false, "receipt": checked.receipt()}),
        );
        return Ok(());
    }
    let at = match &options.at {
        Some(text) => moment(text)?,
        None => UnixTime::now(),
    };
    document(&bytes, &root, at, printer)
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

fn model(bytes: &[u8], printer: Printer) -> anyhow::Result<()> {
    let model = Model::load(bytes).context("a fitted model, but it cannot be read")?;
    let columns: Vec<&str> = model
        .schema()
        .columns()
        .iter()
        .map(|column| column.name())
        .collect();
    let report = model.report();
    let [low, high] = report.row_count.between;
    printer.result(format_args!(
        "a fitted model: {}, {} columns, some {} rows (with 95 % confidence {low} to {high})",
        model.method(),
        columns.len(),
        report.rows
    ));
    for warning in &report.warnings {
        printer.result(format_args!("warning    {warning}"));
    }
    printer.result(format_args!("columns    {}", columns.join(", ")));
    printer.result(format_args!(
        "domain     {}",
        receipt::domain(model.ledger())
    ));
    let lines = receipt::ledger_lines(model.ledger()).into_iter();
    for line in lines.chain(receipt::prior_lines(model.prior())) {
        printer.result(line);
    }
    printer.document(&json!({
        "kind": "model",
        "method": model.method().to_string(),
        "columns": columns,
        "rows": report.rows,
        "row_count": report.row_count,
        "warnings": report.warnings,
        "domain": receipt::domain(model.ledger()),
        "guarantees": model.ledger().guarantees(),
        "own_guarantees": model.ledger().own_guarantees(),
        "public": receipt::prior_document(model.prior()),
        "ledger": model.ledger(),
    }));
    Ok(())
}

pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let problem = || BadInput(format!("could not read {}", file.display()));
    let length = std::fs::metadata(file).with_context(problem)?.len();
    if length > MAX_BYTES {
        bail!(BadInput(format!(
            "{} is too large to be anything of ours: {length} bytes",
            file.display()
        )));
    }
    std::fs::read(file).with_context(problem)
}

fn moment(text: &str) -> anyhow::Result<UnixTime> {
    let seconds = OffsetDateTime::parse(text, &Rfc3339)
        .ok()
        .and_then(|time| u64::try_from(time.unix_timestamp()).ok())
        .with_context(|| {
            BadInput(format!(
                "`{text}` is no time; write it like 2022-10-13T09:00:00Z"
            ))
        })?;
    Ok(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}
