//! Taking part in a room: one party on Windows, the other and the room on this machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::commands::{INPUT, ctrl_c};
use super::laptop::{Laptop, Ran};
use super::told;
use crate::http;
use crate::process::Process;

const SERVICE: &str = include_str!("../../../crates/cli/assets/demo/service.yaml");
const RUNTIME: &str = include_str!("../../../crates/cli/assets/demo/runtime.yaml");
const TABLES: [&str; 2] = [
    include_str!("../../../crates/cli/assets/demo/insurer.csv"),
    include_str!("../../../crates/cli/assets/demo/clinic.csv"),
];

/// A simulated room's root, and what it measures.
const TRUST: [&str; 4] = [
    "--measurements",
    "measurements.json",
    "--dangerous-root",
    "root.pem",
];

/// Exit code where the evidence names another agreement than the one that was accepted.
const WRONG_AGREEMENT: i32 = 30;
const STARTED: Duration = Duration::from_secs(60);
const TRAINED: Duration = Duration::from_secs(300);
const SAMPLES: usize = 50;

/// The insurer has Windows. `people.model` is what [`super::commands`] made there.
pub(super) fn check(laptop: &Laptop<'_>, programs: &Path) -> anyhow::Result<()> {
    let here = Here {
        programs,
        folder: laptop.folder(),
    };
    let agreement = agree(laptop, &here)?;
    let (_enclave, port) = here.start_enclave()?;
    let port = port.to_string();
    let wrong = "0".repeat(96);
    let [insurer, clinic] = ["insurer", "clinic"].map(Party::new);
    laptop.run(&connecting(&insurer, &port, &wrong), WRONG_AGREEMENT)?;
    told("a room with another agreement is refused");

    let mut insurer = laptop.start(&connecting(&insurer, &port, &agreement))?;
    let clinic = here.start("synclave", &connecting(&clinic, &port, &agreement))?;
    let ports = [local_port(&insurer)?, local_port(&clinic)?];
    told("both parties verified the room's evidence");
    for (port, table) in ports.into_iter().zip(TABLES) {
        http::upload(port, table)?.ok()?;
    }
    for port in ports {
        http::post(port, "/confirm_data")?.ok()?;
    }
    wait_until_trained(ports[0])?;
    let path = format!("/samples?format=csv&num_samples={SAMPLES}");
    let samples = http::get(ports[0], &path)?.ok()?;
    ensure!(
        samples.lines().count() == SAMPLES + 1,
        "other rows than asked for: {samples}"
    );
    told("a table went to the room from Windows, and joint synthetic rows came back");

    let receipt = http::get(ports[0], "/receipt")?.ok()?;
    fs::write(laptop.path("receipt.json"), &receipt)?;
    laptop.succeed(&verifying(&agreement))?;
    fs::write(
        laptop.path("receipt.json"),
        receipt.replacen("GRAIN", "GRAIM", 1),
    )?;
    let changed = laptop.command(&verifying(&agreement)).output()?;
    ensure!(!changed.status.success(), "a changed receipt is accepted");
    told("its receipt was verified, and a changed one refused");

    let code = ctrl_c(&mut insurer)?;
    ensure!(
        code == Some(0),
        "Ctrl-C ended it with {code:?}: {:#?}",
        insurer.lines()
    );
    ensure!(
        http::get(ports[0], "/details").is_err(),
        "the local port is still open"
    );
    told("Ctrl-C ends the connection in order");
    opens_the_browser(laptop)
}

/// The files of a party's keys, as both machines write them.
struct Party {
    private_key: String,
    public_key: String,
}

impl Party {
    fn new(name: &str) -> Self {
        Self {
            private_key: format!("parties/{name}_private.der"),
            public_key: format!("parties/{name}_public.der"),
        }
    }
}

/// This machine's programs, in the folder that the laptop has too.
struct Here<'a> {
    programs: &'a Path,
    folder: &'a Path,
}

impl Here<'_> {
    fn start(&self, name: &'static str, arguments: &[&str]) -> anyhow::Result<Process> {
        let mut command = Command::new(self.programs.join(name));
        Process::start_command(name, command.args(arguments).current_dir(self.folder))
    }

    fn succeed(&self, arguments: &[&str]) -> anyhow::Result<Ran> {
        let program = self.programs.join("synclave");
        let mut command = Command::new(&program);
        let output = command.args(arguments).current_dir(self.folder).output();
        let output = output.with_context(|| format!("could not start {}", program.display()))?;
        Ran::of(output, arguments, 0)
    }

    /// A simulated one, and the port that it listens on.
    fn start_enclave(&self) -> anyhow::Result<(Process, u16)> {
        let enclave = self.start(
            "synclave-enclave",
            &[
                "--simulated",
                "--room",
                "room",
                "--listen",
                "127.0.0.1:0",
                "--root-out",
                "root.pem",
                "--measurements-out",
                "measurements.json",
            ],
        )?;
        let port = enclave.wait_for("it listened", STARTED, |line| {
            let (_, rest) = line.split_once("127.0.0.1:")?;
            let digits = rest
                .find(|it: char| !it.is_ascii_digit())
                .unwrap_or(rest.len());
            rest[..digits].parse().ok()
        })?;
        Ok((enclave, port))
    }
}

/// Both parties' keys in one agreement, which both machines call by the same name.
fn agree(laptop: &Laptop<'_>, here: &Here<'_>) -> anyhow::Result<String> {
    let insurer = laptop.succeed(&keygen("insurer"))?.stdout;
    let clinic = here.succeed(&keygen("clinic"))?.stdout;
    let service = SERVICE
        .replace("INSURER_KEY", insurer.trim())
        .replace("CLINIC_KEY", clinic.trim());
    fs::create_dir_all(laptop.path("room"))?;
    // One file has lines as Notepad ends them: an agreement is the bytes of its files.
    fs::write(
        laptop.path("room/service.yaml"),
        service.replace('\n', "\r\n"),
    )?;
    fs::write(
        laptop.path("room/runtime.yaml"),
        RUNTIME.replace("EPSILON", "3"),
    )?;
    let validate = ["validate", "room", "--json"];
    let (there, here) = (laptop.succeed(&validate)?, here.succeed(&validate)?);
    ensure!(
        there.stdout == here.stdout,
        "an agreement means something else there: {}{}",
        there.stdout,
        here.stdout
    );
    fs::create_dir_all(laptop.path("bad"))?;
    fs::write(laptop.path("bad/service.yaml"), &service)?;
    fs::write(
        laptop.path("bad/runtime.yaml"),
        "method: GRAIN\nepsilon: none\n",
    )?;
    laptop
        .run(&["validate", "bad"], INPUT)?
        .saying("line 2: expected a number")?;
    told("an agreement is checked, and means the same on both machines");
    let hash = there.json()?["agreement_sha384"]
        .as_str()
        .map(str::to_owned);
    hash.context("no hash of the agreement")
}

fn keygen(name: &str) -> [&str; 7] {
    [
        "keygen",
        "--algorithm",
        "p256",
        "--key-name",
        name,
        "--output",
        "parties",
    ]
}

fn connecting<'a>(party: &'a Party, port: &'a str, agreement: &'a str) -> Vec<&'a str> {
    let connect = [
        "connect",
        "--url",
        "http://127.0.0.1",
        "--port",
        port,
        "--lport",
        "0",
    ];
    let keys = [
        "--private-key",
        &party.private_key,
        "--public-key",
        &party.public_key,
    ];
    [&connect[..], &keys, &TRUST, &["--agreement", agreement]].concat()
}

fn verifying(agreement: &str) -> Vec<&str> {
    [
        &["verify-receipt", "receipt.json"][..],
        &TRUST,
        &["--agreement", agreement],
    ]
    .concat()
}

fn local_port(client: &Process) -> anyhow::Result<u16> {
    client.wait_for("its port was open", STARTED, |line| {
        let (_, rest) = line.split_once("the room is at http://localhost:")?;
        rest.split(' ').next()?.parse().ok()
    })
}

fn wait_until_trained(port: u16) -> anyhow::Result<()> {
    let start = Instant::now();
    while start.elapsed() < TRAINED {
        let status: Value = serde_json::from_str(&http::get(port, "/status")?.ok()?)?;
        match status["status"].as_str() {
            Some("trained") => return Ok(()),
            Some("failed" | "expired") => bail!("the room made no model: {status}"),
            _ => std::thread::sleep(Duration::from_millis(200)),
        }
    }
    bail!("training took more than {} s", TRAINED.as_secs())
}

/// As Windows opens a file; Wine then asks this machine for a browser.
fn opens_the_browser(laptop: &Laptop<'_>) -> anyhow::Result<()> {
    let bin = laptop.path("bin");
    fs::create_dir_all(&bin)?;
    let (browser, shown) = (bin.join("xdg-open"), laptop.path("shown"));
    let script = format!(
        "#!/bin/sh\ncat \"${{1#file://}}\" > '{}'\n",
        shown.display()
    );
    fs::write(&browser, script)?;
    fs::set_permissions(&browser, fs::Permissions::from_mode(0o755))?;
    let mut path = bin.into_os_string();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let view = ["view", "people.model", "--lport", "0", "--open"];
    let mut view = Process::start_command("synclave.exe", laptop.command(&view).env("PATH", path))?;
    let page = view.wait_until("a browser was opened", STARTED, || {
        fs::read_to_string(&shown)
            .ok()
            .filter(|page| page.contains("</p>"))
    })?;
    ensure!(
        page.contains("http://localhost:"),
        "the browser was shown {page}"
    );
    let code = ctrl_c(&mut view)?;
    ensure!(
        code == Some(0),
        "Ctrl-C ended it with {code:?}: {:#?}",
        view.lines()
    );
    told("the browser is led to the page");
    Ok(())
}
