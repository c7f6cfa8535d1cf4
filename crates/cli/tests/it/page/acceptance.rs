//! The agreement is accepted on the page or in the terminal, and nothing goes to the room before.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::asking::JSON;
use super::served::{Served, browser, connecting, wait_for, wait_for_file, words};
use crate::connecting::{free_port, open_room};

/// `connect --open` without anybody at a terminal, of a room that is not accepted yet.
fn unaccepted(folder: &Path, running: &enclave::Running, more: &[&str]) -> Served {
    let port = free_port();
    let arguments = connecting(running, port, &[("--agreement", None)]);
    let arguments = [&words(&arguments)[..], &["--open"], more].concat();
    let browser = browser(folder);
    Served::start_with(folder, port, &arguments, |command| {
        command.env("BROWSER", &browser)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_goes_to_the_room_before_the_agreement_is_accepted_on_the_page() {
    let folder = tempfile::tempdir().unwrap();
    let running = open_room(folder.path()).await;
    let page = unaccepted(folder.path(), &running, &[]);

    let state = page.state();
    assert_eq!(state["mode"], "room");
    assert_eq!(state["room"]["id"], running.room().to_string());
    assert_eq!(
        state["me"],
        json!({"name": "Alice", "role": "data_provider"})
    );
    assert_eq!(state["evidence"]["held"], true);
    assert_eq!(state["evidence"]["steps"].as_array().unwrap().len(), 12);
    assert_eq!(state["evidence"]["refusal"], Value::Null);
    let measurements: Value =
        serde_json::from_slice(&fs::read(folder.path().join("measurements.json")).unwrap())
            .unwrap();
    let pcr0 = measurements["Measurements"]["PCR0"].as_str().unwrap();
    assert_eq!(state["evidence"]["measurements"]["PCR0"], pcr0);
    assert_eq!(
        state["evidence"]["measurements_short"],
        (0..8)
            .map(|i| &pcr0[4 * i..4 * i + 4])
            .collect::<Vec<_>>()
            .join(" ")
    );
    let agreement = &state["agreement"];
    let hash = running.agreement().to_string();
    assert_eq!(agreement["sha384"], hash);
    assert_eq!(
        (&agreement["accepted"], &agreement["accepted_by"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(agreement["summary"]["epsilon"], 3.0);
    assert!(
        agreement["odds"]
            .as_str()
            .unwrap()
            .contains("by at most a factor of")
    );
    assert!(
        agreement["service_yaml"]
            .as_str()
            .unwrap()
            .contains("user_name: Alice")
    );
    assert!(
        agreement["text"][0]
            .as_str()
            .unwrap()
            .contains("as it was read")
    );

    // Every path of the room, also of the kind that is none, and with the token too.
    let token = page.token.clone();
    let curl = ("user-agent", "curl/8.5.0");
    for path in access::Endpoint::ALL
        .map(access::Endpoint::path)
        .iter()
        .chain(&["/x"])
    {
        for headers in [&[curl][..], &[curl, ("x-synclave-token", token.as_str())]] {
            let reply = page.ask(&format!("GET {path}"), headers, b"");
            reply.is(503, "agreement-not-accepted");
        }
    }
    let refused = page.upload("id,a\n1,2\n");
    refused.is(503, "agreement-not-accepted");
    assert!(
        refused
            .header("content-security-policy")
            .starts_with("sandbox;")
    );
    assert_eq!(refused.header("x-content-type-options"), "nosniff");
    page.order("receipt", &json!({}))
        .is(503, "agreement-not-accepted");
    let download = json!({"path": "/samples"});
    page.order("download", &download)
        .is(503, "agreement-not-accepted");

    // To check evidence once more sends nothing.
    assert_eq!(page.order("check", &json!({})).json()["held"], true);

    let accept = json!({"sha384": hash}).to_string();
    let accept = accept.as_bytes();
    let wrong = "0".repeat(32);
    for shown in [None, Some(""), Some(wrong.as_str())] {
        let mut headers = vec![JSON];
        headers.extend(shown.map(|token| ("x-synclave-token", token)));
        page.ask("POST /page/api/accept", &headers, accept)
            .is(403, "token-required");
    }
    let shown = ("x-synclave-token", token.as_str());
    page.ask("GET /page/api/accept", &[shown], b"")
        .is(405, "method-not-allowed");
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
    ] {
        let headers = [("content-type", kind), shown];
        page.ask("POST /page/api/accept", &headers, accept)
            .is(415, "unsupported-media-type");
    }
    page.ask("POST /page/api/accept", &[shown], accept)
        .is(415, "unsupported-media-type");
    page.order("accept", &json!({}))
        .is(400, "malformed-request");
    page.order("accept", &json!({"sha384": hash, "more": 1}))
        .is(400, "malformed-request");
    page.order("accept", &json!({"sha384": "ab".repeat(48)}))
        .is(409, "another-agreement");
    let long = json!({"sha384": "a".repeat(1 << 20)});
    page.order("accept", &long).is(413, "too-large");
    page.get("/details").is(503, "agreement-not-accepted");
    assert_eq!(page.state()["agreement"]["accepted"], false);

    assert_eq!(page.order("accept", &json!({"sha384": hash})).status, 204);
    wait_for(&page.said, "the agreement was accepted on the");
    wait_for(&page.said, "the room is at http://localhost:");
    assert_eq!(page.get("/details").json()["method"], "MST");
    assert_eq!(page.state()["agreement"]["accepted_by"], "page");
    assert_eq!(page.order("accept", &json!({"sha384": hash})).status, 204);

    // The browser was shown a file that others cannot read, and no command line had the token.
    let shown = wait_for_file(&folder.path().join("shown"));
    assert!(shown.contains(&format!("#token={token}")), "{shown}");
    let given = wait_for_file(&folder.path().join("given"));
    assert!(!given.contains(&token), "{given}");
    assert!(wait_for_file(&folder.path().join("rights")).starts_with("-rw------- "));
    assert!(Path::new(given.trim()).exists());
    assert_eq!(page.interrupt(), Some(0));
    assert!(!Path::new(given.trim()).exists());
    running.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_leaves_or_ends_it_has_not_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let running = open_room(folder.path()).await;
    let left = unaccepted(folder.path(), &running, &[]);
    left.ask("POST /page/api/leave", &[JSON], b"{}")
        .is(403, "token-required");
    assert_eq!(left.order("leave", &json!({})).status, 204);
    assert_eq!(left.wait(), Some(36));
    let interrupted = unaccepted(folder.path(), &running, &[]);
    assert_eq!(interrupted.interrupt(), Some(36));
    // Once it is accepted, leaving is what Ctrl-C is.
    let port = free_port();
    let accepted = Served::start(
        folder.path(),
        port,
        &words(&connecting(&running, port, &[])),
    );
    assert_eq!(accepted.state()["agreement"]["accepted_by"], "option");
    assert_eq!(accepted.order("leave", &json!({})).status, 204);
    assert_eq!(accepted.wait(), Some(0));
    running.shutdown().await;
}
