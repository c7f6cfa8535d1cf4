//! What every scene has: the image, the programs, two parties with keys, and what they agreed on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde_json::Value;

use crate::process::Process;

const SERVICE: &str = include_str!("../../../crates/cli/assets/demo/service.yaml");
const RUNTIME: &str = include_str!("../../../crates/cli/assets/demo/runtime.yaml");

/// The demo's parties.
pub(crate) const PARTIES: [Party; 2] = [
    Party {
        name: "insurer",
        table: include_str!("../../../crates/cli/assets/demo/insurer.csv"),
        canary: "13748",
    },
    Party {
        name: "clinic",
        table: include_str!("../../../crates/cli/assets/demo/clinic.csv"),
        canary: "632167",
    },
];

/// For the party's client: the root under which the emulator signs.
pub(crate) const TRUSTING_EMULATOR: [&str; 2] = ["--dangerous-root", "root.pem"];

/// One of them.
pub(crate) struct Party {
    pub(crate) name: &'static str,
    pub(crate) table: &'static str,
    /// A value of the table that would stand out in a log.
    pub(crate) canary: &'static str,
}

/// The programs under test.
pub(crate) struct Programs {
    pub(crate) synclave: PathBuf,
    pub(crate) host: PathBuf,
    pub(crate) emulator: PathBuf,
}

/// A folder with everything, and the programs.
pub(crate) struct Testbed {
    pub(crate) folder: PathBuf,
    pub(crate) programs: Programs,
    pub(crate) tools: PathBuf,
    pub(crate) image: PathBuf,
    pub(crate) measurements: PathBuf,
    pub(crate) agreement: String,
}

impl Testbed {
    /// New keys and a new agreement in `folder`, which is emptied first.
    pub(crate) fn set(
        folder: PathBuf,
        programs: Programs,
        tools: PathBuf,
        image_folder: &Path,
    ) -> anyhow::Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        let mut testbed = Self {
            folder,
            programs,
            tools,
            image: image_folder.join("synclave.eif"),
            measurements: image_folder.join("measurements.json"),
            agreement: String::new(),
        };
        let mut service = SERVICE.to_owned();
        for (party, place) in PARTIES.iter().zip(["INSURER_KEY", "CLINIC_KEY"]) {
            let key =
                testbed.synclave(&["keygen", "--key-name", party.name, "--output", "keys"])?;
            service = service.replace(place, key.trim());
        }
        testbed.agreement = testbed.room("room", &service, &RUNTIME.replace("EPSILON", "3"))?;
        // What a host would like better than what was agreed.
        testbed.room("changed", &service, &RUNTIME.replace("EPSILON", "1000"))?;
        Ok(testbed)
    }

    /// Writes a room's files, and gives the name of their agreement.
    fn room(&self, name: &str, service: &str, runtime: &str) -> anyhow::Result<String> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("service.yaml"), service)?;
        fs::write(folder.join("runtime.yaml"), runtime)?;
        let checked: Value = serde_json::from_str(&self.synclave(&["validate", name, "--json"])?)?;
        let hash = checked["agreement_sha384"].as_str();
        Ok(hash
            .context("`synclave validate` gives no hash")?
            .to_owned())
    }

    /// Runs `synclave` in the folder, and gives what it prints.
    pub(crate) fn synclave(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = Command::new(&self.programs.synclave)
            .args(arguments)
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .output()
            .context("could not start synclave")?;
        ensure!(
            output.status.success(),
            "synclave {} ended with {}: {}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Starts `synclave connect` for a party, which trusts AWS's root if `more` names no other.
    pub(crate) fn connect(
        &self,
        party: &Party,
        port: u16,
        more: &[&str],
    ) -> anyhow::Result<Process> {
        let key = |half: &str| format!("keys/{}_{half}.der", party.name);
        let measurements = self.measurements.display().to_string();
        let mut arguments: Vec<String> = [
            "connect",
            "--url",
            "http://127.0.0.1",
            "--port",
            &port.to_string(),
            "--lport",
            "0",
            "--private-key",
            &key("private"),
            "--public-key",
            &key("public"),
            "--measurements",
            &measurements,
            "--agreement",
            &self.agreement,
        ]
        .map(str::to_owned)
        .into();
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        Process::start(
            "synclave",
            &self.programs.synclave,
            &arguments,
            &self.folder,
        )
    }
}
