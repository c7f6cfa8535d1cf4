//! An emulated enclave behind the real host.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::testbed::Testbed;
use crate::process::{Process, signal};

/// A slow machine boots in a minute; the machines that check this are shared.
const BOOT: Duration = Duration::from_secs(180);

/// `synclave-host`, which runs `synclave-emulator`, which runs QEMU. All of it ends when this value
/// goes.
pub(crate) struct Host {
    process: Process,
    socket: PathBuf,
    port: u16,
}

/// What is started, and how honest it is.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    /// Names the sockets and files of this host.
    pub(crate) name: &'static str,
    /// The folder with the agreement that the host hands over.
    pub(crate) room: &'static str,
    /// What the emulated machine says that is not so.
    pub(crate) lie: Option<&'static str>,
}

impl Host {
    /// Starts everything, and waits until the host listens; the enclave then still boots.
    pub(crate) fn start(testbed: &Testbed, plan: Plan) -> anyhow::Result<Self> {
        let socket = testbed.folder.join(format!("{}.sock", plan.name));
        let process = Process::start(
            "synclave-host",
            &testbed.programs.host,
            &arguments(testbed, plan, &socket.display().to_string()),
            &testbed.folder,
        )?;
        let port = listening_port(&process)?;
        Ok(Self {
            process,
            socket,
            port,
        })
    }

    /// Where parties connect.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The socket that leads to the enclave's vsock ports.
    pub(crate) fn socket(&self) -> &PathBuf {
        &self.socket
    }

    /// Waits until the first enclave has taken its agreement; gives the room's id.
    pub(crate) fn configured(&self) -> anyhow::Result<String> {
        let event = self.event_of_first("enclave_configured")?;
        Ok(event["room"].as_str().context("no room")?.to_owned())
    }

    /// Waits for an event of an enclave that must not be followed by another one before.
    pub(crate) fn event_of_first(&self, name: &str) -> anyhow::Result<Value> {
        let event = self.process.wait_for(name, BOOT, |line| {
            event(line, name).or_else(|| event(line, "restart_pending"))
        })?;
        ensure!(
            event["event"] == name,
            "the enclave ended before {name}:\n{}",
            self.lines().join("\n")
        );
        Ok(event)
    }

    /// Waits for this number of rooms, one after the other.
    pub(crate) fn rooms(&self, count: usize) -> anyhow::Result<Vec<String>> {
        let rooms = || {
            let lines = self.process.lines();
            let rooms = lines.iter().filter_map(|line| {
                let event = event(line, "enclave_configured")?;
                Some(event["room"].as_str()?.to_owned())
            });
            rooms.collect::<Vec<String>>()
        };
        self.process
            .wait_until("enough rooms were configured", BOOT, || {
                let rooms = rooms();
                (rooms.len() >= count).then_some(rooms)
            })
    }

    /// Waits for an event of the enclave or of the host.
    pub(crate) fn event(&self, name: &str) -> anyhow::Result<Value> {
        self.process.wait_for(name, BOOT, |line| event(line, name))
    }

    /// Everything that the guest's console and the host have said.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.process.lines()
    }

    /// The process that is the enclave's machine.
    pub(crate) fn qemu(&self) -> anyhow::Result<u32> {
        descendants(self.process.id())?
            .into_iter()
            .find(|process| command_line(*process).contains("qemu-system-x86_64"))
            .context("no enclave is running")
    }

    /// CPU seconds that the enclave's machine has taken so far.
    pub(crate) fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.qemu()?))?;
        // After the name, which is in brackets: the 12th and 13th are the times in user and system
        // mode, in hundredths.
        let fields: Vec<&str> = stat
            .rsplit(')')
            .next()
            .context("a strange stat file")?
            .split_whitespace()
            .collect();
        let ticks = |index: usize| {
            fields
                .get(index)
                .and_then(|ticks| ticks.parse::<u32>().ok())
        };
        let ticks = ticks(11).zip(ticks(12)).context("a strange stat file")?;
        Ok(f64::from(ticks.0 + ticks.1) / 100.0)
    }

    /// Ends the enclave as a cut of the power does. The host goes on.
    pub(crate) fn kill_enclave(&self) -> anyhow::Result<()> {
        signal("KILL", self.qemu()?)
    }

    /// Ends everything in order, and makes sure that nothing is left.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        let processes = descendants(self.process.id())?;
        let socket = self.socket.clone();
        let status = self.process.end()?;
        ensure!(status.success(), "the host ended with {status}");
        for process in processes {
            let command = command_line(process);
            ensure!(command.is_empty(), "{command} was left running");
        }
        ensure!(!socket.exists(), "{} was left", socket.display());
        Ok(())
    }
}

/// Where `synclave-host` listens, once it does.
pub(crate) fn listening_port(host: &Process) -> anyhow::Result<u16> {
    host.wait_for("it listened", BOOT, |line| {
        let event = event(line, "listening")?;
        let address = event["address"].as_str()?;
        address.rsplit(':').next()?.parse().ok()
    })
}

fn arguments(testbed: &Testbed, plan: Plan, socket: &str) -> Vec<String> {
    let path = |path: &PathBuf| path.display().to_string();
    let mut arguments: Vec<String> = [
        "--listen",
        "127.0.0.1:0",
        "--room",
        plan.room,
        "--enclave",
        &format!("unix:{socket}"),
        "--run",
        &path(&testbed.programs.emulator),
        "--eif",
        &path(&testbed.image),
        "--tools",
        &path(&testbed.tools),
        "--vsock",
        socket,
        "--root",
        "root-with-key.pem",
        "--root-out",
        "root.pem",
    ]
    .map(str::to_owned)
    .into();
    if let Some(lie) = plan.lie {
        arguments.extend(["--lie".to_owned(), lie.to_owned()]);
    }
    arguments
}

/// The line, if it is this event.
fn event(line: &str, name: &str) -> Option<Value> {
    let value: Value = serde_json::from_str(line).ok()?;
    (value["event"] == name).then_some(value)
}

/// All processes below one, at this moment.
fn descendants(process: u32) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    let mut parents = vec![process];
    while let Some(parent) = parents.pop() {
        for entry in std::fs::read_dir(format!("/proc/{parent}/task"))? {
            let children = std::fs::read_to_string(entry?.path().join("children"));
            for child in children.unwrap_or_default().split_whitespace() {
                let child = child.parse()?;
                found.push(child);
                parents.push(child);
            }
        }
    }
    Ok(found)
}

/// Empty where the process has ended.
fn command_line(process: u32) -> String {
    std::fs::read(format!("/proc/{process}/cmdline"))
        .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
        .unwrap_or_default()
}
