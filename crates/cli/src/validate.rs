//! `synclave validate`: the check that the enclave makes before it starts.

use std::path::Path;

use anyhow::Context;
use protocol::Agreement;
use service::{CheckedAgreement, Summary};

use crate::agreement_text;
use crate::arguments::ValidateOptions;
use crate::exit::BadInput;
use crate::printer::Printer;

pub(crate) fn run(options: &ValidateOptions, printer: Printer) -> anyhow::Result<()> {
    let summary = Summary::new(&read(&options.room)?);
    printer.say_lines(agreement_text::text(&summary, None));
    agreement_text::warn(&summary, printer);
    printer.say("the agreement holds; its hash, for --agreement:");
    printer.result(summary.agreement_sha384);
    printer.document(&serde_json::to_value(&summary).context("could not write the summary")?);
    Ok(())
}

/// Reads and checks the two files of a room's folder.
pub(crate) fn read(room: &Path) -> anyhow::Result<CheckedAgreement> {
    let agreement = Agreement::read_from(room).with_context(|| in_folder(room))?;
    CheckedAgreement::parse(agreement).with_context(|| in_folder(room))
}

fn in_folder(room: &Path) -> BadInput {
    BadInput(format!("the agreement in {} does not hold", room.display()))
}
