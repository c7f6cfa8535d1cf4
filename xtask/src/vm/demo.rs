//! The demo, out of the emulated enclave.

use std::io::{Read, Write};
use std::time::Instant;

use anyhow::{Context, ensure};

use super::host::{Host, Plan};
use super::party::Connected;
use super::testbed::{PARTIES, Testbed};
use super::{told, vsock};
use crate::http;

/// What CI allows for booting.
const MAX_BOOT_CPU_SECONDS: f64 = 10.0;
const SAMPLES: usize = 1000;
/// Stands in tables that are uploaded, and must stand nowhere else.
const CANARY: &str = "canary-4711";

const HONEST: Plan = Plan {
    name: "honest",
    room: "room",
    lie: None,
};

/// Plays it through, and looks at what came out besides.
pub(crate) fn play(testbed: &Testbed) -> anyhow::Result<()> {
    eprintln!("\n=== The demo, with an honest host ===");
    let host = Host::start(testbed, HONEST)?;
    boots_in_time(&host)?;
    let room = host.configured()?;
    told(format_args!(
        "the enclave took its agreement; room {}...",
        &room[..16]
    ));
    let [insurer, clinic] = &PARTIES;
    let insurer = Connected::to(testbed, insurer, host.port())?;
    let clinic = Connected::to(testbed, clinic, host.port())?;
    told("both parties' clients verified the evidence, twelve checks each");
    refuses_a_second_agreement(&host)?;
    only_two_ports_are_open(&host)?;
    refuses_a_bad_table(&insurer)?;
    insurer.upload()?;
    clinic.upload()?;
    insurer.confirm()?;
    let start = Instant::now();
    clinic.confirm()?;
    clinic.wait_until_trained()?;
    told(format_args!(
        "both tables were uploaded and confirmed; the model was trained in {} s",
        start.elapsed().as_secs()
    ));
    gives_samples(&insurer)?;
    gives_a_receipt(testbed, &clinic, &room)?;
    insurer.end()?;
    clinic.end()?;
    console_is_silent_about_data(&host)?;
    host.end()?;
    told("the host ended in order, and left no process and no socket");
    Ok(())
}

fn boots_in_time(host: &Host) -> anyhow::Result<()> {
    let start = Instant::now();
    host.event_of_first("awaiting_configuration")?;
    let seconds = host.cpu_seconds()?;
    ensure!(
        seconds <= MAX_BOOT_CPU_SECONDS,
        "the enclave took {seconds} CPU seconds to listen; at most {MAX_BOOT_CPU_SECONDS} are \
         allowed"
    );
    told(format_args!(
        "the image booted: {seconds:.1} CPU s until it listened ({:.0} s here)",
        start.elapsed().as_secs_f64()
    ));
    Ok(())
}

fn refuses_a_second_agreement(host: &Host) -> anyhow::Result<()> {
    let mut stream = vsock::connect(host.socket(), vsock::CONFIGURATION_PORT)?
        .context("the port for configuration is closed")?;
    stream.write_all(b"synclave configuration 1\n")?;
    let mut reply = String::new();
    stream.read_to_string(&mut reply)?;
    ensure!(reply.contains("refused"), "a second agreement: {reply}");
    told("a second agreement is refused");
    Ok(())
}

fn only_two_ports_are_open(host: &Host) -> anyhow::Result<()> {
    let ports = (1..=1100)
        .chain(4990..=5100)
        .chain(8000..=8100)
        .chain(8990..=9010);
    let count = ports.clone().count();
    let open = vsock::open_ports(host.socket(), ports)?;
    ensure!(
        open == [vsock::CONFIGURATION_PORT, vsock::PARTIES_PORT],
        "these vsock ports are open: {open:?}"
    );
    told(format_args!(
        "of {count} vsock ports, {open:?} alone are open"
    ));
    Ok(())
}

/// The owner is told what is wrong with it, and nobody else.
fn refuses_a_bad_table(insurer: &Connected) -> anyhow::Result<()> {
    let table = format!("id,site,site\n{CANARY}-row,{CANARY}-cell,1\n");
    let reply = http::upload(insurer.port(), &table)?;
    ensure!(reply.status == 400, "{}: {}", reply.status, reply.body);
    Ok(())
}

fn gives_samples(party: &Connected) -> anyhow::Result<()> {
    let path = format!("/samples?format=csv&num_samples={SAMPLES}");
    let samples = party.get(&path)?.ok()?;
    let header = samples.lines().next().unwrap_or_default();
    let rows = samples.lines().count() - 1;
    ensure!(rows == SAMPLES, "{rows} samples came");
    for column in ["insurer_coinsurance", "clinic_visits"] {
        ensure!(header.contains(column), "no {column} in {header}");
    }
    told(format_args!("{rows} joint synthetic rows were downloaded"));
    Ok(())
}

fn gives_a_receipt(testbed: &Testbed, party: &Connected, room: &str) -> anyhow::Result<()> {
    let receipt = party.get("/receipt")?.ok()?;
    std::fs::write(testbed.folder.join("receipt.json"), receipt)?;
    let measurements = testbed.measurements.display().to_string();
    testbed.synclave(&[
        "verify-receipt",
        "receipt.json",
        "--measurements",
        &measurements,
        "--agreement",
        &testbed.agreement,
        "--room",
        room,
        "--dangerous-root",
        "root.pem",
    ])?;
    told("the receipt holds: `synclave verify-receipt` compared program, agreement and room");
    Ok(())
}

/// Neither the guest's console nor the host's log repeats anything of a table: not a column's name,
/// not an id, not a cell.
fn console_is_silent_about_data(host: &Host) -> anyhow::Result<()> {
    let lines = host.lines();
    let mut words = vec![CANARY];
    for party in &PARTIES {
        words.push(party.canary);
        let header = party.table.lines().next().unwrap_or_default();
        words.extend(header.split(',').filter(|column| column.len() > 5));
    }
    for word in &words {
        if let Some(line) = lines.iter().find(|line| line.contains(word)) {
            anyhow::bail!("{word} is on the console: {line}");
        }
    }
    told(format_args!(
        "{} lines of console and host hold none of {} words from the tables",
        lines.len(),
        words.len()
    ));
    Ok(())
}
