//! Enclaves that are cut off in the middle, and enclaves that take another's place.

use std::io::Write;

use anyhow::ensure;

use super::host::{Host, Plan};
use super::party::{Connected, refused};
use super::testbed::{PARTIES, TRUSTING_EMULATOR, Testbed};
use super::told;
use crate::http;

/// What a running client says once another enclave has taken the place of the one that it verified.
const ANOTHER_ROOM: &str = "its old room and the data in it are gone";

/// During an upload, during training; and a second enclave of the same image at the first one's
/// address.
pub(crate) fn all(testbed: &Testbed) -> anyhow::Result<()> {
    eprintln!("\n=== Enclaves that are killed, and replaced ===");
    let host = Host::start(testbed, plan("killed"))?;
    let room = host.configured()?;
    during_upload(testbed, &host)?;
    let rooms = host.rooms(2)?;
    ensure!(
        rooms[0] == room && rooms[1] != room,
        "one room twice: {rooms:?}"
    );
    told("the host started another enclave, and its log says that the room is another one");
    relayed_to_second_enclave(testbed, &host, &room)?;
    during_training(testbed, &host)?;
    host.end()
}

fn plan(name: &'static str) -> Plan {
    Plan {
        name,
        room: "room",
        lie: None,
    }
}

/// The insurer's upload was complete, the clinic's is cut off. Neither is kept anywhere: both are
/// told.
fn during_upload(testbed: &Testbed, host: &Host) -> anyhow::Result<()> {
    let insurer = Connected::to(testbed, &PARTIES[0], host.port())?;
    let clinic = Connected::to(testbed, &PARTIES[1], host.port())?;
    insurer.upload()?;
    let request = http::upload_request(clinic.port(), PARTIES[1].table);
    let mut upload = http::connect(clinic.port())?;
    upload.write_all(&request[..request.len() / 2])?;
    upload.flush()?;
    host.kill_enclave()?;
    // The rest finds nobody; how far it gets depends on buffers.
    drop(upload.write_all(&request[request.len() / 2..]));
    let cut_off = http::receive(upload)?;
    ensure!(
        cut_off.status >= 500,
        "{}: {}",
        cut_off.status,
        cut_off.body
    );
    told(format_args!(
        "killed during an upload: {} {}",
        cut_off.status, cut_off.body
    ));
    host.rooms(2)?;
    for party in [&insurer, &clinic] {
        says_that_the_room_is_gone(party)?;
    }
    told(format_args!(
        "a client whose upload had been complete is told: ...{ANOTHER_ROOM}..."
    ));
    insurer.end()?;
    clinic.end()
}

fn during_training(testbed: &Testbed, host: &Host) -> anyhow::Result<()> {
    let [insurer, clinic] = [
        Connected::to(testbed, &PARTIES[0], host.port())?,
        Connected::to(testbed, &PARTIES[1], host.port())?,
    ];
    for party in [&insurer, &clinic] {
        party.upload()?;
        party.confirm()?;
    }
    let phase = clinic.phase()?;
    ensure!(
        phase == "training",
        "it is {phase} already: too late to kill"
    );
    host.kill_enclave()?;
    let reply = clinic.get("/status")?;
    ensure!(reply.status >= 500, "{}: {}", reply.status, reply.body);
    told(format_args!(
        "killed during training: {} {}",
        reply.status, reply.body
    ));
    host.rooms(3)?;
    says_that_the_room_is_gone(&clinic)?;
    insurer.end()?;
    clinic.end()
}

/// No request of a client reaches another enclave than the one that it verified.
fn says_that_the_room_is_gone(party: &Connected) -> anyhow::Result<()> {
    let reply = party.get("/status")?;
    ensure!(
        reply.status == 502 && reply.body.contains(ANOTHER_ROOM),
        "{}: {}",
        reply.status,
        reply.body
    );
    party.says("another room")
}

/// Same image, same agreement, a true document of its own: another room all the same.
fn relayed_to_second_enclave(testbed: &Testbed, host: &Host, first: &str) -> anyhow::Result<()> {
    let mut more = TRUSTING_EMULATOR.to_vec();
    more.extend(["--room", first]);
    let (exit, said) = refused(testbed, &PARTIES[1], host.port(), &more)?;
    ensure!(
        exit == 35 && said.contains("another room"),
        "exit {exit}: {said}"
    );
    let sentence = said.lines().last().unwrap_or_default();
    told(format_args!(
        "a second enclave of the same image: exit {exit}: {sentence}"
    ));
    Ok(())
}
