//! `synclave demo`: the whole story on this machine, over the real protocol.

mod comparison;
mod http;
mod parties;

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use privacy::Epsilon;
use protocol::SignedReceipt;
use serde_json::json;

use crate::arguments::DemoOptions;
use crate::demo::parties::Stage;
use crate::exit::BadInput;
use crate::printer::Printer;
use crate::receipt::Wanted;
use crate::{connect, receipt, whole_file};

/// A party of the demo with its bundled table.
struct Party {
    name: &'static str,
    table: &'static str,
}

const INSURER: Party = Party {
    name: "insurer",
    table: include_str!("../../assets/demo/insurer.csv"),
};
const CLINIC: Party = Party {
    name: "clinic",
    table: include_str!("../../assets/demo/clinic.csv"),
};

pub(crate) fn run(options: &DemoOptions, printer: Printer) -> anyhow::Result<()> {
    Epsilon::new(options.epsilon).map_err(|error| BadInput(error.to_string()))?;
    let folder = &options.output;
    fs::create_dir_all(folder)
        .with_context(|| BadInput(format!("could not make {}", folder.display())))?;
    let runtime = tokio::runtime::Runtime::new().context("could not start")?;
    runtime.block_on(play(folder, options.epsilon, printer))
}

async fn play(folder: &Path, epsilon: f64, printer: Printer) -> anyhow::Result<()> {
    let start = Instant::now();
    printer.say("An insurer and a clinic hold tables about the same 5,912 people: the RAND Health Insurance Experiment, in the public domain.");
    printer.say("Neither may see a row of the other's. They want to know how plan and person go together with care and health.\n");

    printer.say("1. They make keys, and agree on what will be computed.");
    let agreement = parties::agree(folder, epsilon)?;
    printer.say(format_args!(
        "   agreement {} ({}/room)\n",
        short(&agreement.sha384().to_string()),
        folder.display()
    ));

    printer.say("2. A room is started with it. (Simulated: on this machine, no hardware vouches for it. All else is as it is in a real enclave.)");
    let stage = Stage::open(folder, agreement.clone()).await?;
    printer.say(format_args!(
        "   room {} at {}\n",
        short(&stage.room().to_string()),
        stage.address()
    ));

    printer.say(
        "3. Each party connects, and checks the room's evidence before a byte of data leaves it.",
    );
    printer.say("   The insurer's client:");
    let insurer = stage.connect(folder, &INSURER).await?;
    connect::show(&insurer, "     ", printer);
    let clinic = stage.connect(folder, &CLINIC).await?;
    let checks = clinic.verified().steps().len();
    printer.say(format_args!(
        "   The clinic's client: the same {checks} checks hold, and it is the same room."
    ));
    if insurer.verified().room() != clinic.verified().room() {
        bail!("the two parties see different rooms");
    }
    let insurer = parties::open_port(insurer, printer).await?;
    let clinic = parties::open_port(clinic, printer).await?;
    for (party, local) in [(&INSURER, insurer), (&CLINIC, clinic)] {
        printer.say(format_args!(
            "   for the {} the room is at http://localhost:{}",
            party.name, local.0
        ));
    }
    printer.say("");

    printer.say("4. Each uploads its table, sees what the enclave read, and confirms.");
    for (party, local) in [(&INSURER, insurer), (&CLINIC, clinic)] {
        parties::upload(party, local, printer).await?;
    }
    for local in [insurer, clinic] {
        local.get("/confirm_data").await?;
    }
    printer.say("");

    printer
        .say("5. The room joins the tables on `id`, fits one private model, and forgets the rows.");
    let trained = Instant::now();
    parties::wait_until_trained(clinic, printer).await?;
    printer.say(format_args!(
        "   trained in {:.1} s\n",
        trained.elapsed().as_secs_f64()
    ));

    printer.say("6. Samples and a receipt are downloaded. Further samples cost no privacy.");
    let samples = clinic.get("/samples?format=csv").await?;
    for (name, content) in [
        ("synthetic_data.csv", samples.clone()),
        ("receipt.json", clinic.get("/receipt").await?),
        ("report.json", clinic.get("/report").await?),
        ("model.synclave", clinic.get("/model").await?),
    ] {
        whole_file::write(&folder.join(name), |out| Ok(out.write_all(&content)?))?;
    }
    let signed: SignedReceipt = serde_json::from_slice(&fs::read(folder.join("receipt.json"))?)?;
    let wanted = Wanted {
        root: stage.root()?,
        measurements: Some(*stage.measurements()),
        agreement: Some(stage.agreement()),
        room: Some(stage.room().to_bytes()),
    };
    let checked = receipt::verify(&signed, &wanted, Printer::silent())?;
    printer.say("   the receipt holds:");
    for line in receipt::ledger_lines(&checked.receipt().ledger) {
        printer.say(format_args!("   {line}"));
    }
    stage.close().await;

    printer.say("\n7. What did it take to do this together? (Only this demo, which owns both tables, can look at the real rows.)");
    let comparison = comparison::compare([&INSURER, &CLINIC], &samples, &agreement)?;
    printer.result(&comparison);

    let seconds = start.elapsed().as_secs_f64();
    printer.say(format_args!(
        "\nDone in {seconds:.1} s. In {}:",
        folder.display()
    ));
    printer.say("  synthetic_data.csv  the joint synthetic rows        model.synclave  the model they come from");
    printer.say("  receipt.json        what was done, with evidence    report.json     its errors against what was measured");
    printer.say("  room, keys          the agreement, and the keys     root.pem, measurements.json  what clients check against");
    printer.say(format_args!("\nNext: synclave verify-receipt {0}/receipt.json --measurements {0}/measurements.json --dangerous-root {0}/root.pem", folder.display()));
    printer.document(&json!({
        "seconds": seconds,
        "folder": folder,
        "receipt": checked.receipt(),
        "comparison": comparison.document(),
    }));
    Ok(())
}

fn short(hash: &str) -> String {
    format!("{}...", &hash[..16])
}
