//! A party with a verified connection, as a person has it: `synclave connect`, and HTTP to its
//! local port.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::Value;

use super::testbed::{Party, TRUSTING_EMULATOR, Testbed};
use crate::http::{self, Reply};
use crate::process::Process;

/// Evidence is made and checked on a machine that is busy with emulation.
const VERIFIED: Duration = Duration::from_secs(60);
const TRAINED: Duration = Duration::from_secs(600);
const SAID: Duration = Duration::from_secs(30);

/// What every client prints before it opens its port, in this order.
const CHECKS: [&str; 12] = [
    "size",
    "form",
    "certificates",
    "signature",
    "document time",
    "measurements",
    "PCR16",
    "server key",
    "nonce",
    "connection",
    "agreement",
    "room",
];

/// Verified, and connected.
pub(crate) struct Connected {
    party: &'static Party,
    client: Process,
    port: u16,
}

impl Connected {
    /// Connects, and insists that every check of the evidence was made.
    pub(crate) fn to(testbed: &Testbed, party: &'static Party, port: u16) -> anyhow::Result<Self> {
        let client = testbed.connect(party, port, &TRUSTING_EMULATOR)?;
        let port = client.wait_for("its port was open", VERIFIED, |line| {
            let (_, rest) = line.split_once("the room is at http://localhost:")?;
            rest.split(' ').next()?.parse().ok()
        })?;
        let lines = client.lines();
        let mut checked = lines
            .iter()
            .filter_map(|line| line.trim().strip_prefix("ok  "));
        for check in CHECKS {
            let line = checked.next().unwrap_or_default();
            ensure!(
                line.starts_with(&format!("{check}: ")),
                "no check of {check}: {lines:#?}"
            );
        }
        Ok(Self {
            party,
            client,
            port,
        })
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until the client tells the person so, which may be after the reply that says it too.
    pub(crate) fn says(&self, text: &str) -> anyhow::Result<()> {
        let what = format!("it said {text:?}");
        let says = |line: &str| line.contains(text).then_some(());
        self.client.wait_for(&what, SAID, says)
    }

    pub(crate) fn get(&self, path: &str) -> anyhow::Result<Reply> {
        http::get(self.port, path)
    }

    /// Uploads the party's table, and insists that the enclave read all of it.
    pub(crate) fn upload(&self) -> anyhow::Result<()> {
        let reply = http::upload(self.port, self.party.table)?.ok()?;
        let reply: Value = serde_json::from_str(&reply)?;
        let rows = self.party.table.trim_end().lines().count() - 1;
        ensure!(reply["rows"] == rows, "{rows} rows were sent: {reply}");
        Ok(())
    }

    /// Confirms the upload.
    pub(crate) fn confirm(&self) -> anyhow::Result<()> {
        http::post(self.port, "/confirm_data")?.ok().map(drop)
    }

    /// Waits until there is a model.
    pub(crate) fn wait_until_trained(&self) -> anyhow::Result<()> {
        let start = Instant::now();
        while start.elapsed() < TRAINED {
            match self.phase()?.as_str() {
                "trained" => return Ok(()),
                "failed" => bail!("the room could not fit a model"),
                "expired" => bail!("the room has expired"),
                _ => std::thread::sleep(Duration::from_millis(200)),
            }
        }
        bail!("training took more than {} s", TRAINED.as_secs())
    }

    /// How far the room is.
    pub(crate) fn phase(&self) -> anyhow::Result<String> {
        let status: Value = serde_json::from_str(&self.get("/status")?.ok()?)?;
        Ok(status["status"].as_str().context("no status")?.to_owned())
    }

    /// Tells the client to end, which it must do well.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        let status = self.client.end()?;
        ensure!(status.success(), "a client ended with {status}");
        Ok(())
    }
}

/// Connects without success; gives the client's exit code and all that it said.
pub(crate) fn refused(
    testbed: &Testbed,
    party: &Party,
    port: u16,
    more: &[&str],
) -> anyhow::Result<(i32, String)> {
    let mut client = testbed.connect(party, port, more)?;
    let status = client.wait(VERIFIED)?;
    let code = status.code().context("the client was killed")?;
    Ok((code, client.lines().join("\n")))
}
