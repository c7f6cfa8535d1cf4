//! `synclave-host` as a person runs it.

#![expect(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{ChildStderr, Command, Stdio};
use std::time::Duration;

use testkit::Running;

/// A folder with an agreement in `room`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let room = folder.path().join("room");
    std::fs::create_dir(&room).unwrap();
    std::fs::write(room.join("service.yaml"), "a: 1\n").unwrap();
    std::fs::write(room.join("runtime.yaml"), "b: 1\n").unwrap();
    folder
}

fn start(folder: &Path, line: &str) -> (Running, BufReader<ChildStderr>) {
    let path = format!("{}:/usr/bin:/bin", folder.join("bin").display());
    let mut child = Command::new(env!("CARGO_BIN_EXE_synclave-host"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .env("PATH", path)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    (Running(child), stderr)
}

/// Exit code and what was said, of a program that ought to end by itself.
fn refused(folder: &Path, line: &str) -> (Option<i32>, String) {
    let (mut running, mut stderr) = start(folder, line);
    for _ in 0..1000 {
        if running.0.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(running.0.kill());
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    (running.0.wait().unwrap().code(), said)
}

fn terminate(running: &Running) {
    let told = Command::new("kill")
        .args(["-TERM", &running.0.id().to_string()])
        .status();
    assert!(told.unwrap().success());
}

/// Reads the log until a line with `text`.
fn wait_for(stderr: &mut BufReader<ChildStderr>, text: &str) -> String {
    let mut log = String::new();
    while !log.contains(text) {
        let end = log.len();
        assert!(stderr.read_line(&mut log).unwrap() > 0, "{log}");
        let event: serde_json::Value = serde_json::from_str(&log[end..]).unwrap();
        assert!(event["event"].is_string());
    }
    log
}

#[test]
fn what_cannot_work_ends_with_a_code_and_a_sentence() {
    let folder = folder();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap();
    for (line, code, hint) in [
        (
            "--listen 127.0.0.1:0 --enclave vsock:16 --room nowhere".to_owned(),
            4,
            "service.yaml",
        ),
        (
            format!("--listen {taken} --enclave vsock:16"),
            5,
            "is in use by another program",
        ),
        (
            "--listen-websocket 127.0.0.1:0 --enclave vsock:16 --tls-certificate room/service.yaml \
             --tls-key x".to_owned(),
            6,
            "no certificate in it",
        ),
        (
            "--listen 127.0.0.1:0 --nitro x.eif --cpus 2 --memory 512 --room room".to_owned(),
            7,
            "`nitro-cli` is not installed",
        ),
        (
            "--listen 127.0.0.1:0 --enclave unix:none --room room --run no-such-emulator --now"
                .to_owned(),
            7,
            "`no-such-emulator` cannot be started",
        ),
        (
            "--listen 127.0.0.1:0 --enclave unix:none --room room --boot-seconds 1".to_owned(),
            8,
            "unix:none took no connection for its configuration in 1 s",
        ),
    ] {
        let (ended, said) = refused(folder.path(), &line);
        assert_eq!(ended, Some(code), "{line}: {said}");
        let sentence = said.lines().last().unwrap();
        assert!(sentence.starts_with("synclave-host: ") && sentence.contains(hint), "{said}");
    }
}

#[test]
fn it_tells_where_it_listens_and_ends_when_told_to() {
    let folder = folder();
    let line = "--listen 127.0.0.1:0 --listen-websocket 127.0.0.1:0 --metrics 127.0.0.1:0 \
                --enclave unix:none";
    let (mut running, mut stderr) = start(folder.path(), line);
    let log = wait_for(&mut stderr, "enclave_attached");
    for listening in ["\"tcp\"", "\"websocket\"", "metrics_listening"] {
        assert!(log.contains(listening), "{log}");
    }
    terminate(&running);
    wait_for(&mut stderr, "\"stopped\"");
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
}

/// A stand-in, since the tool runs on AWS's machines only: it writes down what it was asked and
/// answers as its documentation says.
const NITRO_CLI: &str = r#"#!/bin/sh
echo "$@" >> asked
case "$1" in
run-enclave) echo 'Start allocating memory...'; echo '{"EnclaveName": "x", "EnclaveID": "i-1-enc1", "ProcessID": 1, "EnclaveCID": 4242, "NumberOfCPUs": 2, "CPUIDs": [1, 3], "MemoryMiB": 512}' ;;
describe-enclaves) echo '[{"EnclaveID": "i-1-enc1", "EnclaveCID": 4242, "State": "RUNNING", "Flags": "NONE"}]' ;;
terminate-enclave) echo '{"EnclaveID": "i-1-enc1", "Terminated": true}' ;;
esac
"#;

/// Puts `script` in nitro-cli's place.
fn nitro_cli(folder: &Path, script: &str) {
    let bin = folder.join("bin");
    std::fs::create_dir(&bin).unwrap();
    let tool = bin.join("nitro-cli");
    std::fs::write(&tool, script).unwrap();
    std::fs::set_permissions(&tool, PermissionsExt::from_mode(0o755)).unwrap();
}

/// The name that an enclave was to be started under, and what else was asked.
fn named(asked: &str) -> (&str, &str) {
    let rest = asked.strip_prefix("run-enclave --enclave-name ").unwrap();
    rest.split_once(' ').unwrap()
}

const NITRO: &str =
    "--listen 127.0.0.1:0 --nitro x.eif --cpus 2 --memory 512 --cid 4242 --room room";

#[test]
fn an_enclave_is_ended_by_its_name_where_nitro_cli_is_not_understood() {
    for answer in ["echo '{\"Enclave\": 1}'", "echo 'E39' >&2; exit 1"] {
        let folder = folder();
        let script = format!("#!/bin/sh\necho \"$@\" >> asked\n{answer}\n");
        nitro_cli(folder.path(), &script);
        let (code, said) = refused(folder.path(), NITRO);
        assert_eq!(code, Some(7), "{said}");
        let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
        let lines: Vec<_> = asked.lines().collect();
        let (name, _) = named(lines[0]);
        assert_eq!(
            lines[1..],
            [format!("terminate-enclave --enclave-name {name}")]
        );
    }
}

#[test]
fn an_enclave_under_nitro_cli_is_started_and_ended_with_the_host() {
    let folder = folder();
    nitro_cli(folder.path(), NITRO_CLI);
    let (mut running, mut stderr) = start(folder.path(), NITRO);
    wait_for(&mut stderr, "enclave_starting");
    let asked = || std::fs::read_to_string(folder.path().join("asked")).unwrap_or_default();
    for _ in 0..1000 {
        if !asked().is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    terminate(&running);
    wait_for(&mut stderr, "\"stopped\"");
    assert_eq!(running.0.wait().unwrap().code(), Some(0));
    let asked = asked();
    let lines: Vec<_> = asked.lines().collect();
    let (name, rest) = named(lines[0]);
    assert!(name.starts_with("synclave-"), "{name}");
    assert_eq!(
        rest,
        "--eif-path x.eif --cpu-count 2 --memory 512 --enclave-cid 4242"
    );
    assert_eq!(
        lines.last(),
        Some(&"terminate-enclave --enclave-id i-1-enc1")
    );
}
