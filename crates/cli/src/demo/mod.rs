//! `synclave demo`: the whole story on this machine, over the real protocol.

mod comparison;
mod http;
mod pages;
mod parties;

use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, bail};
use hyper::body::Bytes;
use privacy::Epsilon;
use protocol::{BoundedFile, Receipt};
use serde_json::json;

use crate::arguments::DemoOptions;
use crate::demo::http::LocalPort;
use crate::demo::parties::RunningRoom;
use crate::exit::BadInput;
use crate::printer::Printer;
use crate::receipt::Wanted;
use crate::{connect, receipt, whole_file};

/// A party of the demo with its bundled table.
struct Party {
    name: &'static str,
    table: &'static str,
}

const PARTIES: [Party; 2] = [
    Party {
        name: "insurer",
        table: include_str!("../../assets/demo/insurer.csv"),
    },
    Party {
        name: "clinic",
        table: include_str!("../../assets/demo/clinic.csv"),
    },
];

pub(crate) fn run(options: &DemoOptions, printer: Printer) -> anyhow::Result<()> {
    Epsilon::new(options.epsilon).map_err(|error| BadInput(error.to_string()))?;
    let folder = &options.output;
    fs::create_dir_all(folder)
        .with_context(|| BadInput(format!("could not make {}", folder.display())))?;
    let runtime = tokio::runtime::Runtime::new().context("could not start")?;
    runtime.block_on(play(folder, options, printer))
}

async fn play(folder: &Path, options: &DemoOptions, printer: Printer) -> anyhow::Result<()> {
    let start = Instant::now();
    printer.say(
        "An insurer and a clinic hold tables about the same 5,912 people: the RAND Health \
                 Insurance Experiment, in the public domain.",
    );
    printer.say(
        "Neither may see a row of the other's. They want to know how plan and person go \
                 together with care and health.",
    );
    printer.say("");

    printer.say("1. They make keys, and agree on what will be computed.");
    let agreement = parties::agree(folder, options.epsilon)?;
    let name = short(&agreement.sha384().to_string());
    printer.say(format_args!(
        "   agreement {name} ({}/room)",
        folder.display()
    ));
    printer.say("");

    printer.say(
        "2. A room is started with it. (Simulated: on this machine, no hardware vouches \
                 for it. All else is as it is in a real enclave.)",
    );
    let running = RunningRoom::open(folder, agreement.clone()).await?;
    let room = short(&running.room().to_string());
    printer.say(format_args!("   room {room} at {}", running.address()));
    printer.say("");
    if options.serve {
        return pages::serve(running, folder, printer).await;
    }

    printer.say(
        "3. Each party connects, and checks the room's evidence before a byte of data leaves it.",
    );
    let ports = connect_both(&running, folder, printer).await?;

    printer.say("4. Each uploads its table, sees what the enclave read, and confirms.");
    for (party, port) in PARTIES.iter().zip(ports) {
        parties::upload(party, port, printer).await?;
    }
    for port in ports {
        port.post("/confirm_data").await?;
    }

    printer.say("");
    printer
        .say("5. The room joins the tables on `id`, fits one private model, and forgets the rows.");
    let confirmed = Instant::now();
    parties::wait_until_trained(ports[1], printer).await?;
    printer.say(format_args!(
        "   trained in {:.1} s",
        confirmed.elapsed().as_secs_f64()
    ));
    printer.say("");

    printer.say("6. Samples and a receipt are downloaded. Further samples cost no privacy.");
    let samples = download(folder, ports[1]).await?;
    let receipt = check_receipt(folder, &running, printer)?;
    running.close().await;

    printer.say("");
    printer.say(
        "7. What did it take to do this together? (Only this demo, which owns both tables, \
                 can look at the real rows.)",
    );
    let comparison = comparison::compare(&PARTIES, &samples, &agreement)?;
    printer.result_lines(&comparison);

    let seconds = start.elapsed().as_secs_f64();
    tell_files(folder, seconds, printer);
    printer.document(&json!({
        "seconds": seconds,
        "folder": folder,
        "receipt": receipt,
        "comparison": comparison.document(),
    }));
    Ok(())
}

/// The local ports of both parties, in their order.
async fn connect_both(
    running: &RunningRoom,
    folder: &Path,
    printer: Printer,
) -> anyhow::Result<[LocalPort; 2]> {
    let [insurer, clinic] = &PARTIES;
    printer.say("   The insurer's client:");
    let first = running.connect(folder, insurer).await?;
    connect::show(&first, "     ", printer);
    let second = running.connect(folder, clinic).await?;
    // What two people would compare by telephone.
    if first.verified().room() != second.verified().room() {
        bail!("the two parties see different rooms");
    }
    let checks = second.verified().steps().len();
    printer.say(format_args!(
        "   The clinic's client: the same {checks} checks hold, and it is the same room."
    ));
    let ports = [
        parties::open_port(first, printer).await?,
        parties::open_port(second, printer).await?,
    ];
    for (party, port) in PARTIES.iter().zip(ports) {
        printer.say(format_args!(
            "   for the {} the room is at http://localhost:{}",
            party.name, port.0
        ));
    }
    printer.say("");
    Ok(ports)
}

/// Everything that a party can take home; gives the samples.
async fn download(folder: &Path, port: LocalPort) -> anyhow::Result<Bytes> {
    let samples = port.get("/samples?format=csv").await?;
    for (name, content) in [
        ("synthetic_data.csv", samples.clone()),
        ("receipt.json", port.get("/receipt").await?),
        ("report.json", port.get("/report").await?),
        ("model.synclave", port.get("/model").await?),
    ] {
        whole_file::write(&folder.join(name), |out| Ok(out.write_all(&content)?))?;
    }
    Ok(samples)
}

/// What `synclave verify-receipt` does, with everything named that can be.
fn check_receipt(
    folder: &Path,
    running: &RunningRoom,
    printer: Printer,
) -> anyhow::Result<Receipt> {
    let wanted = Wanted {
        at: None,
        verifier: running.verifier()?,
        policy: Some(running.policy()),
        agreement: Some(running.agreement()),
        room: Some(running.room().to_bytes()),
    };
    let path = folder.join("receipt.json");
    let signed = receipt::read(&path, BoundedFile::open(&path)?)?;
    let checked = receipt::verify(&signed, &wanted, &mut drop)?;
    printer.say("   the receipt holds:");
    for line in receipt::ledger_lines(&checked.receipt().ledger) {
        printer.say(format_args!("   {line}"));
    }
    Ok(checked.receipt().clone())
}

fn tell_files(folder: &Path, seconds: f64, printer: Printer) {
    let folder = folder.display();
    printer.say("");
    printer.say(format_args!("Done in {seconds:.1} s. In {folder}:"));
    printer.say(
        "  synthetic_data.csv  the joint synthetic rows        model.synclave  the model \
                 they come from",
    );
    printer.say(
        "  receipt.json        what was done, with evidence    report.json     its errors \
                 against what was measured",
    );
    printer.say(
        "  room, keys          the agreement, and the keys     root.pem, \
                 measurements.json  what clients check against",
    );
    printer.say("");
    printer.say(format_args!(
        "Next: synclave verify-receipt {folder}/receipt.json --measurements \
         {folder}/measurements.json --dangerous-root {folder}/root.pem"
    ));
}

fn short(hash: &str) -> String {
    format!("{}...", &hash[..16])
}
