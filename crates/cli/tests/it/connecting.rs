use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use enclave::{Config, Enclave, EnclaveLimits, Platform, Running};
use protocol::Agreement;

use crate::synclave;

/// A simulated room with the keys of Alice and Bob, and everything a client needs, in `folder`.
pub(crate) async fn open_room(folder: &Path) -> Running {
    open_room_at(folder, "127.0.0.1:0").await
}

/// The same at an address that is free.
pub(crate) async fn open_room_at(folder: &Path, address: &str) -> Running {
    let mut service = include_str!("../../assets/demo/service.yaml")
        .replace("user_name: insurer", "user_name: Alice")
        .replace("user_name: clinic", "user_name: Bob");
    for (name, place) in [
        ("alice", "INSURER_KEY"),
        ("bob", "CLINIC_KEY"),
        ("carol", "NOBODY"),
    ] {
        let key = client::keygen(name, folder, client::KeyAlgorithm::Ed25519).unwrap();
        service = service.replace(place, &key.key.public_text());
    }
    let runtime = "method: MST\nepsilon: 3\nparty_names: [Alice, Bob]\n";
    let running = Enclave::start(Config {
        agreement: Agreement::new(service, runtime).unwrap(),
        platform: Platform::simulated().unwrap(),
        listener: tokio::net::TcpListener::bind(address).await.unwrap().into(),
        limits: EnclaveLimits::default(),
        events: Arc::new(drop),
    })
    .unwrap();
    fs::write(folder.join("root.pem"), running.root_pem().unwrap()).unwrap();
    fs::write(
        folder.join("measurements.json"),
        running.measurements().unwrap().to_json(),
    )
    .unwrap();
    running
}

/// The arguments of a connection that succeeds, of which a test changes one.
pub(crate) fn arguments(running: &Running, lport: u16) -> Vec<(String, String)> {
    [
        ("--url", "http://127.0.0.1".to_owned()),
        (
            "--port",
            running.address().tcp().unwrap().port().to_string(),
        ),
        ("--lport", lport.to_string()),
        ("--private-key", "alice_private.der".to_owned()),
        ("--public-key", "alice_public.der".to_owned()),
        ("--measurements", "measurements.json".to_owned()),
        ("--dangerous-root", "root.pem".to_owned()),
        ("--agreement", running.agreement().to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

fn command(arguments: &[(String, String)]) -> Vec<&str> {
    let pairs = arguments
        .iter()
        .flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    std::iter::once("connect").chain(pairs).collect()
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_has_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let running = open_room(folder.path()).await;
    let changed = |changes: &[(&str, Option<&str>)]| {
        let mut arguments = arguments(&running, free_port());
        for (name, value) in changes {
            arguments.retain(|(known, _)| known != name);
            if let Some(value) = value {
                arguments.push(((*name).to_owned(), (*value).to_owned()));
            }
        }
        synclave(folder.path(), &command(&arguments))
    };
    let other = "ab".repeat(48);
    let wrong_program = format!(
        r#"{{"Measurements": {{"PCR0": "{other}", "PCR1": "{other}", "PCR2": "{other}"}}}}"#
    );
    fs::write(folder.path().join("wrong.json"), wrong_program).unwrap();
    let zero = "0".repeat(96);

    changed(&[("--measurements", Some("wrong.json"))])
        .exits(29)
        .saying("another program");
    changed(&[("--dangerous-root", None)])
        .exits(22)
        .saying("unknown root");
    changed(&[("--agreement", Some(other.as_str()))])
        .exits(30)
        .saying("another agreement");
    changed(&[("--room", Some(&other[..64]))])
        .exits(35)
        .saying("another room");
    changed(&[
        ("--private-key", Some("carol_private.der")),
        ("--public-key", Some("carol_public.der")),
    ])
    .exits(11)
    .saying("does not know this key");
    changed(&[("--public-key", Some("bob_public.der"))])
        .exits(3)
        .saying("belongs");
    changed(&[("--agreement", None)])
        .exits(3)
        .saying("--agreement");
    changed(&[("--port", Some(&free_port().to_string()))]).exits(10);
    changed(&[
        ("--measurements", None),
        ("--pcr0", Some(&zero)),
        ("--pcr1", Some(&zero)),
        ("--pcr2", Some(&zero)),
    ])
    .exits(3)
    .saying("debug mode");
    changed(&[("--measurements", None), ("--pcr0", Some(&other))]).exits(2);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    changed(&[(
        "--lport",
        Some(&taken.local_addr().unwrap().port().to_string()),
    )])
    .exits(40)
    .saying("in use");
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connect_shows_what_it_verified_and_opens_the_port_to_this_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    let running = open_room(folder.path()).await;
    let lport = free_port();
    let arguments = arguments(&running, lport);
    let child = Command::new(env!("CARGO_BIN_EXE_synclave"))
        .args(command(&arguments))
        .arg("--show-agreement")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = testkit::Running(child);
    let mut lines = BufReader::new(child.0.stderr.take().unwrap()).lines();
    let mut shown = Vec::new();
    for line in lines.by_ref() {
        shown.push(line.unwrap());
        if shown.last().unwrap().contains("http://localhost:") {
            break;
        }
    }
    let checks = [
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
    for check in checks {
        assert!(
            shown
                .iter()
                .any(|line| line.starts_with(&format!("  ok  {check}: "))),
            "{check}: {shown:#?}"
        );
    }
    // The agreement follows: the files, each line marked, and what they were understood to say.
    for line in [
        "  | method: MST",
        "the agreement, as it was read:",
        "  privacy: epsilon 3, delta 1e-9",
        "    Alice (role data_provider, brings data), Ed25519, your own key:",
        "    Bob (role data_provider, brings data), Ed25519:",
        "    synthetic rows, any number of them (/samples): to Alice, Bob",
    ] {
        assert!(shown.iter().any(|seen| seen == line), "{line}: {shown:#?}");
    }
    let get = |host: &str| {
        let mut stream = TcpStream::connect(("127.0.0.1", lport)).unwrap();
        write!(
            stream,
            "GET /details HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n"
        )
        .unwrap();
        let mut reply = String::new();
        stream.read_to_string(&mut reply).unwrap();
        reply
    };
    let details = get(&format!("localhost:{lport}"));
    assert!(
        details.starts_with("HTTP/1.1 200") && details.contains("\"method\":\"MST\""),
        "{details}"
    );
    assert!(get("evil.example").starts_with("HTTP/1.1 403"));
    running.shutdown().await;
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn connect_warns_of_what_other_users_of_the_machine_can_read() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let running = open_room(folder.path()).await;
    let private = folder.path().join("alice_private.der");
    fs::set_permissions(private, fs::Permissions::from_mode(0o644)).unwrap();
    let arguments = arguments(&running, free_port());
    // Nothing listens there, and the warning comes first.
    let proxied = Command::new(env!("CARGO_BIN_EXE_synclave"))
        .args(command(&arguments))
        .args(["--proxy", "http://alice:s3cret@127.0.0.1:9"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8(proxied.stderr).unwrap();
    assert!(said.contains("warning: other users of this machine can see the password"));
    assert!(!said.contains("s3cret"), "{said}");

    let child = Command::new(env!("CARGO_BIN_EXE_synclave"))
        .args(command(&arguments))
        .arg("--json")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = testkit::Running(child);
    let mut document = String::new();
    for line in BufReader::new(child.0.stdout.take().unwrap()).lines() {
        document.push_str(&line.unwrap());
        if serde_json::from_str::<serde_json::Value>(&document).is_ok() {
            break;
        }
    }
    let document: serde_json::Value = serde_json::from_str(&document).unwrap();
    let warning = "the private key in alice_private.der is open to other users of this machine \
        (mode 0644); run `chmod 600 alice_private.der`";
    assert_eq!(document["warnings"], serde_json::json!([warning]));
    drop(child.0.kill());
    let mut said = String::new();
    let mut stderr = child.0.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    assert!(said.contains(&format!("warning: {warning}")), "{said}");
    running.shutdown().await;
}
