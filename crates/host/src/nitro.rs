//! An enclave under `nitro-cli`, on a parent machine of AWS.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;
use tokio::process::Command;
use tokio::time::sleep;

use crate::launch::LaunchError;

/// How often it is looked whether the enclave is still there.
const LOOK_PAUSE: Duration = Duration::from_secs(2);
/// Of what nitro-cli says when it fails.
const MAX_SAID_CHARS: usize = 600;

/// What `nitro-cli run-enclave` needs to know. An enclave is never started in debug mode: its
/// memory could be read, and no client would take it.
#[derive(Clone, Debug)]
pub struct NitroOptions {
    /// Path of the enclave image (EIF).
    pub eif: PathBuf,
    /// Virtual CPUs.
    pub cpus: u32,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The context id; nitro-cli chooses one otherwise.
    pub cid: Option<u32>,
}

/// An enclave that nitro-cli has started.
#[derive(Debug, Deserialize)]
pub(crate) struct NitroEnclave {
    #[serde(rename = "EnclaveID")]
    id: String,
    #[serde(rename = "EnclaveCID")]
    cid: u32,
}

#[derive(Deserialize)]
struct Listed {
    #[serde(rename = "EnclaveID")]
    id: String,
    #[serde(rename = "State")]
    state: String,
}

impl NitroEnclave {
    pub(crate) async fn start(options: &NitroOptions) -> Result<Self, LaunchError> {
        // A name of our own, by which it can be ended where no id was ever told.
        let name = own_name();
        let mut arguments: Vec<OsString> = vec![
            "--enclave-name".into(),
            name.clone().into(),
            "--eif-path".into(),
            options.eif.clone().into(),
            "--cpu-count".into(),
            options.cpus.to_string().into(),
            "--memory".into(),
            options.memory_mib.to_string().into(),
        ];
        if let Some(cid) = options.cid {
            arguments.extend(["--enclave-cid".into(), cid.to_string().into()]);
        }
        let task = "run-enclave";
        let enclave = match nitro_cli(task, &arguments).await {
            Ok(said) => started(&said).ok_or_else(|| failed(task, &said)),
            Err(error) => Err(error),
        };
        if enclave.is_err() {
            // It may run all the same, where nitro-cli failed late or said something unknown: then
            // nobody would ever end it.
            let arguments = ["--enclave-name".into(), name.into()];
            drop(nitro_cli("terminate-enclave", &arguments).await);
        }
        enclave
    }

    pub(crate) fn cid(&self) -> u32 {
        self.cid
    }

    /// Completes when it no longer runs. Where nitro-cli cannot say, it is asked again.
    pub(crate) async fn ended(&self) {
        loop {
            // Polled, as nitro-cli has no way to wait for an end.
            sleep(LOOK_PAUSE).await;
            if let Ok(said) = nitro_cli("describe-enclaves", &[]).await
                // Only a clear "not there" counts: a failing nitro-cli must not end a living
                // enclave's connections.
                && runs(&said, &self.id) == Some(false)
            {
                return;
            }
        }
    }

    pub(crate) async fn end(self) {
        let arguments = ["--enclave-id".into(), self.id.into()];
        // One that has ended already cannot be ended.
        drop(nitro_cli("terminate-enclave", &arguments).await);
    }
}

/// A name that no other enclave of this machine has.
fn own_name() -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    // Process and time: two hosts of one machine, or one that was restarted, must not share a name.
    let now = now.unwrap_or_default().as_nanos();
    format!("synclave-{}-{now}", std::process::id())
}

/// What nitro-cli writes to its standard output.
async fn nitro_cli(task: &'static str, arguments: &[OsString]) -> Result<String, LaunchError> {
    // It must not read the terminal.
    let output = Command::new("nitro-cli")
        .arg(task)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|source| match source.kind() {
            ErrorKind::NotFound => LaunchError::NoNitroCli,
            _ => LaunchError::Program {
                program: "nitro-cli".to_owned(),
                source,
            },
        })?;
    if output.status.success() {
        // Its messages are for people, in whatever encoding.
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(failed(task, &String::from_utf8_lossy(&output.stderr)))
    }
}

fn failed(task: &'static str, said: &str) -> LaunchError {
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    LaunchError::NitroCli {
        task,
        said: said.chars().take(MAX_SAID_CHARS).collect(),
    }
}

/// Some versions write lines of progress before the JSON.
fn started(said: &str) -> Option<NitroEnclave> {
    serde_json::from_str(&said[said.find('{')?..]).ok()
}

/// Whether the enclave `id` is among those that run; `None` where `said` is not a list.
fn runs(said: &str, id: &str) -> Option<bool> {
    let listed: Vec<Listed> = serde_json::from_str(&said[said.find('[')?..]).ok()?;
    let is = |it: &Listed| it.id == id && it.state.eq_ignore_ascii_case("running");
    Some(listed.iter().any(is))
}

#[cfg(test)]
mod tests {
    use super::*;

    // As the tool's documentation shows them.
    const STARTED: &str = r#"Start allocating memory...
Started enclave with enclave-cid: 16, memory: 512 MiB, cpu-ids: [1, 3]
{
  "EnclaveName": "synclave",
  "EnclaveID": "i-0f1e2d3c4b5a69788-enc17a2b3c4d5e6f70",
  "ProcessID": 12345,
  "EnclaveCID": 16,
  "NumberOfCPUs": 2,
  "CPUIDs": [1, 3],
  "MemoryMiB": 512
}"#;
    const LISTED: &str = r#"[
  {
    "EnclaveName": "synclave",
    "EnclaveID": "i-0f1e2d3c4b5a69788-enc17a2b3c4d5e6f70",
    "ProcessID": 12345,
    "EnclaveCID": 16,
    "NumberOfCPUs": 2,
    "CPUIDs": [1, 3],
    "MemoryMiB": 512,
    "State": "RUNNING",
    "Flags": "NONE"
  }
]"#;

    #[test]
    fn what_nitro_cli_says_is_understood() {
        let enclave = started(STARTED).unwrap();
        assert_eq!(enclave.cid(), 16);
        assert_eq!(runs(LISTED, &enclave.id), Some(true));
        assert_eq!(runs(LISTED, "i-another"), Some(false));
        assert_eq!(runs("[]", &enclave.id), Some(false));
        let ending = LISTED.replace("RUNNING", "TERMINATING");
        assert_eq!(runs(&ending, &enclave.id), Some(false));
    }

    #[test]
    fn what_makes_no_sense_does_not_mean_that_the_enclave_is_gone() {
        for said in [
            "",
            "busy",
            "[{\"EnclaveID\": 7}]",
            "[{\"EnclaveID\": \"x\"}]",
        ] {
            assert_eq!(runs(said, "x"), None, "{said}");
        }
        assert!(started("{\"EnclaveID\": \"x\"}").is_none());
    }
}
