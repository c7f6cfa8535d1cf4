//! The page of a model's file.

use std::fs;

use serde_json::{Value, json};

use super::served::Served;
use super::table;
use crate::connecting::free_port;
use crate::synclave;

#[test]
fn a_model_is_looked_at_without_a_room() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("people.csv"), table("a")).unwrap();
    fs::write(
        folder.path().join("people.yaml"),
        "a: {categories: [0, 1, 2]}\n",
    )
    .unwrap();
    let synth = "synth people.csv --key id --schema people.yaml --epsilon 3 --model people.model \
                 --output rows.csv";
    synclave(folder.path(), &synth.split_whitespace().collect::<Vec<_>>()).exits(0);
    let (port, missing) = (free_port(), free_port().to_string());
    synclave(folder.path(), &["view", "rows.csv", "--lport", &missing])
        .exits(3)
        .saying("model");
    let arguments = ["view", "people.model", "--lport", &port.to_string()];
    let page = Served::start(folder.path(), port, &arguments);

    let state = page.state();
    assert_eq!(state["mode"], "model");
    assert_eq!(state["file"], "people.model");
    for part in ["room", "me", "evidence", "agreement"] {
        assert_eq!(state[part], Value::Null, "{part}");
    }
    assert_eq!(
        page.get("/").header("content-type"),
        "text/html; charset=utf-8"
    );
    let columns = page.get("/columns").json();
    assert_eq!(
        columns,
        json!({"user": "", "columns": ["a"], "rows": [["0"], ["1"], ["2"]]})
    );
    let report = page.get("/report").json();
    assert_eq!(report["method"], "GRAIN");
    assert_eq!(report["distributions"][0]["column"], "a");
    let shown = page.get("/report?format=html");
    assert!(shown.header("content-security-policy").contains("sandbox"));
    page.get("/report?format=pdf").is(400, "unknown-format");
    assert_eq!(page.get("/formats").json(), json!(["csv", "json", "jsonl"]));

    let rows = page.get("/samples?num_samples=20&seed=7&where=a+%3D+1");
    assert_eq!(rows.text(), format!("a\n{}", "1\n".repeat(20)));
    assert_eq!(
        rows.header("synclave-condition-probability")
            .parse::<f64>()
            .ok()
            .map(|p| p < 1.0),
        Some(true)
    );
    page.get("/samples?where=b+%3D+1").is(400, "bad-parameter");
    page.get("/samples?rows=1").is(400, "unknown-parameter");
    page.ask("POST /samples", &[], b"")
        .is(405, "method-not-allowed");
    // Rows are those of `sample`, to the byte.
    let sample = [
        "sample",
        "people.model",
        "--rows",
        "50",
        "--seed",
        "7",
        "--output",
        "s.csv",
    ];
    synclave(folder.path(), &sample).exits(0);
    page.order("download", &json!({"path": "/samples?num_samples=0"}))
        .is(400, "bad-parameter");
    let (url, taken) = page.download("/samples?num_samples=50&seed=7");
    assert_eq!(
        taken.text(),
        fs::read_to_string(folder.path().join("s.csv")).unwrap()
    );
    page.get(&url).is(404, "not-found");
    for path in ["/receipt", "/details", "/agreement", "/status", "/x"] {
        page.get(path).is(404, "not-found");
    }
    page.order("accept", &json!({"sha384": "ab".repeat(48)}))
        .is(404, "not-found");
    page.ask("GET /samples", &[("host", "evil.example")], b"")
        .is(403, "host-not-local");
    assert_eq!(page.order("leave", &json!({})).status, 204);
    assert_eq!(page.wait(), Some(0));
}
