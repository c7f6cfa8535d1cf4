//! Rows, report and receipt of a room.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::served::{Served, connecting, words};
use super::table;
use crate::connecting::{free_port, open_room};
use crate::synclave;

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_receipt_are_taken_home_by_addresses_that_work_once() {
    let folder = tempfile::tempdir().unwrap();
    let running = open_room(folder.path()).await;
    let (port, other) = (free_port(), free_port());
    let alice = Served::start(
        folder.path(),
        port,
        &words(&connecting(&running, port, &[])),
    );
    let bob = [
        ("--private-key", Some("bob_private.der")),
        ("--public-key", Some("bob_public.der")),
    ];
    let bob = connecting(&running, other, &bob);
    let bob = Served::start(folder.path(), other, &words(&bob));
    assert_eq!(bob.state()["me"]["name"], "Bob");

    // Nothing is fitted yet, which the room says itself.
    alice.order("receipt", &json!({})).is(400, "not-fitted");
    let early = alice.order("download", &json!({"path": "/samples"}));
    early.is(400, "not-fitted");

    for (party, column) in [(&alice, "a"), (&bob, "b")] {
        assert_eq!(party.upload(&table(column)).status, 200);
    }
    for party in [&alice, &bob] {
        let origin = format!("http://localhost:{}", party.port);
        let confirmed = party.ask("POST /confirm_data", &[("origin", &origin)], b"");
        assert_eq!(confirmed.status, 200, "{confirmed:?}");
    }
    let deadline = Instant::now() + Duration::from_secs(120);
    while alice.get("/status").json()["status"] != "trained" {
        assert!(Instant::now() < deadline, "it does not train");
        std::thread::sleep(Duration::from_millis(100));
    }

    // What the room refuses is told before a browser is sent for it.
    for query in [
        "num_samples=99999999",
        "num_samples=0",
        "num_samples=-5",
        "num_samples=1.5",
        "seed=-1",
        "where=Alice_a+%3D+7",
        "rows=1",
    ] {
        let path = format!("/samples?format=csv&{query}");
        let refused = alice.order("download", &json!({ "path": path }));
        assert!((400..500).contains(&refused.status), "{query}: {refused:?}");
        assert!(!refused.json()["detail"].as_str().unwrap().is_empty());
    }
    let (url, rows) = alice.download("/samples?format=csv&num_samples=1000");
    assert_eq!(rows.status, 200);
    assert_eq!(rows.text().lines().count(), 1001);
    assert!(rows.text().starts_with("Alice_a,Bob_b\n"));
    assert_eq!(
        rows.header("content-disposition"),
        "attachment; filename=synthetic_data.csv"
    );
    assert!(
        rows.header("content-security-policy")
            .starts_with("sandbox;")
    );
    assert_eq!(rows.header("cache-control"), "no-store");
    alice.get(&url).is(404, "not-found");
    let (_, receipt) = alice.download("/receipt");
    assert_eq!(
        receipt.header("content-disposition"),
        "attachment; filename=receipt.json"
    );
    let (_, report) = alice.download("/report?format=html");
    assert_eq!(
        report.header("content-disposition"),
        "attachment; filename=report.html"
    );
    for path in [
        "/confirm_data",
        "/status",
        "//evil.example/samples",
        "/page/api/state",
        "",
    ] {
        alice
            .order("download", &json!({"path": path}))
            .is(400, "bad-parameter");
    }
    let names: BTreeSet<String> = (0..5).map(|_| alice.download("/receipt").0).collect();
    assert_eq!(names.len(), 5);
    bob.get(names.first().unwrap()).is(404, "not-found");

    let verified = alice.order("receipt", &json!({})).json();
    assert_eq!(verified["holds"], true, "{verified}");
    assert_eq!(verified["error"], Value::Null);
    let uploaded = alice.get("/status").json()["you"]["commitment"]["digest"].clone();
    assert_eq!(
        verified["commitments"][0],
        json!({"name": "Alice", "digest": uploaded})
    );
    let lines = verified["lines"].as_array().unwrap();
    for text in ["agreement: the one you named", "room: the one you named"] {
        assert!(
            lines.contains(&json!({"ok": true, "text": text})),
            "{lines:#?}"
        );
    }
    let about = verified["about"].as_array().unwrap();
    let method = about.iter().filter_map(Value::as_str);
    assert!(
        method
            .clone()
            .any(|line| line.starts_with("method     MST")),
        "{about:#?}"
    );
    // The very program a person would run agrees.
    fs::write(folder.path().join("receipt.json"), &receipt.body).unwrap();
    let verify = [
        "verify-receipt",
        "receipt.json",
        "--measurements",
        "measurements.json",
        "--dangerous-root",
        "root.pem",
    ];
    synclave(folder.path(), &verify)
        .exits(0)
        .saying("text: it is what");
    running.shutdown().await;
}
