//! The pages of the demo's room.

use std::fs;
use std::process::{Command, Stdio};

use serde_json::json;

use super::asking::{JSON, ask, upload};
use super::served::{lines, wait_for};

#[test]
fn one_person_plays_both_parties_of_the_demo() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_synclave"))
        .args(["demo", "--serve", "--output", "demo"])
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let said = lines(child.stderr.take().unwrap());
    let child = testkit::Running(child);
    let mut parties = Vec::new();
    for name in ["insurer", "clinic"] {
        let address = wait_for(&said, &format!("the {name}: http://localhost:"));
        let (port, token) = address.split_once("/#token=").unwrap();
        let token = token.to_owned();
        parties.push((name, port.parse::<u16>().unwrap(), token));
    }
    for (name, port, token) in &parties {
        let state = ask(*port, "GET /page/api/state", &[], b"").json();
        assert_eq!(state["me"]["name"], *name);
        ask(*port, "GET /details", &[], b"").is(503, "agreement-not-accepted");
        let accept = json!({"sha384": state["agreement"]["sha384"]}).to_string();
        let headers = [JSON, ("x-synclave-token", token.as_str())];
        let accepted = ask(*port, "POST /page/api/accept", &headers, accept.as_bytes());
        assert_eq!(accepted.status, 204);
        let table = fs::read_to_string(folder.path().join(format!("demo/{name}.csv"))).unwrap();
        assert_eq!(upload(*port, &table).json()["rows"], 5912);
    }
    let id = child.0.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &id])
            .status()
            .unwrap()
            .success()
    );
    let mut child = child;
    assert_eq!(child.0.wait().unwrap().code(), Some(0));
}
