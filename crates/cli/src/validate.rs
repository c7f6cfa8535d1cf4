//! `synclave validate`: the check that the enclave makes before it starts.

use std::path::Path;

use anyhow::Context;
use protocol::Agreement;
use serde_json::json;
use service::CheckedAgreement;

use crate::arguments::ValidateOptions;
use crate::exit::BadInput;
use crate::printer::Printer;

pub(crate) fn run(options: &ValidateOptions, printer: Printer) -> anyhow::Result<()> {
    let checked = read(&options.room)?;
    for warning in checked.warnings() {
        printer.warn(warning);
    }
    let parties: Vec<&str> = checked.parties().iter().map(|party| party.name()).collect();
    printer.say(format_args!(
        "the agreement holds: {} with epsilon {} and delta {}, between {}",
        checked.method(),
        checked.epsilon(),
        checked.delta(),
        parties.join(" and ")
    ));
    if let Some(share) = checked.discovery_share() {
        let percent = share * 100.0;
        printer.say(format_args!(
            "{percent:.0} % of the budget goes into finding out what the agreement does not declare"
        ));
    }
    printer.say("its hash, for --agreement:");
    printer.result(checked.sha384());
    printer.document(&json!({
        "agreement_sha384": checked.sha384(),
        "method": checked.method().to_string(),
        "epsilon": checked.epsilon().get(),
        "delta": checked.delta().get(),
        "party_names": parties,
        "discovery_share": checked.discovery_share(),
        "warnings": checked.warnings(),
    }));
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
