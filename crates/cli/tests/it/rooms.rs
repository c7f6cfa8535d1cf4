//! Setting a room up from nothing: what each party sends, and the two files that come of it.

use std::fs;

use crate::synclave;

/// Two parties in a folder of their own, each with what it sends.
fn two_parties() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("clinic.yaml"),
        "visits: {integer: {min: 0, max: 69, bins: {cuts: [1, 2, 9]}}}\nplan: {categories: [\"0\", \
         yes], nullable: true}\n",
    )
    .unwrap();
    let join = |name: &str, more: &[&str]| {
        let join = ["room", "join", "--name", name, "--output", "."];
        synclave(folder.path(), &[&join, more].concat()).exits(0);
    };
    join("clinic", &["--schema", "clinic.yaml"]);
    join("insurer", &["--algorithm", "p256"]);
    folder
}

#[test]
fn a_room_comes_of_what_two_parties_sent_and_validate_accepts_it() {
    let folder = two_parties();
    let sent = fs::read_to_string(folder.path().join("clinic.party.yaml")).unwrap();
    assert!(!sent.contains("PRIVATE"), "{sent}");
    let new = [
        "room",
        "new",
        "--party",
        "clinic.party.yaml",
        "--party",
        "insurer.party.yaml",
        "--epsilon",
        "1.5",
        "--people",
        "6000",
        "--target",
        "clinic_visits",
    ];
    let made = synclave(folder.path(), &new).exits(0);
    let validated = synclave(folder.path(), &["validate", "room"]).exits(0);
    assert_eq!(made.stdout(), validated.stdout());
    let said = validated.stderr();
    for expected in ["epsilon 1.5", "clinic", "insurer", "about 6000"] {
        assert!(said.contains(expected), "{expected} is not in {said}");
    }
    // Others may have accepted these very bytes.
    let again = synclave(folder.path(), &new).exits(3);
    assert!(
        again.stderr().contains("service.yaml is there already"),
        "{}",
        again.stderr()
    );
}

#[test]
fn an_analyst_gets_rows_and_no_upload() {
    let folder = two_parties();
    let key = synclave(
        folder.path(),
        &["keygen", "--key-name", "carol", "--output", "."],
    )
    .exits(0);
    let arguments = [
        "room",
        "new",
        "--party",
        "clinic.party.yaml",
        "--party",
        "insurer.party.yaml",
        "--analyst",
        &format!("Carol={}", key.stdout().trim()),
        "--epsilon",
        "1",
        "--output",
        "with-carol",
        "--json",
    ];
    let made = synclave(folder.path(), &arguments).exits(0);
    let summary: serde_json::Value = serde_json::from_str(&made.stdout()).unwrap();
    assert!(summary["agreement_sha384"].is_string(), "{summary}");
    let service = fs::read_to_string(folder.path().join("with-carol/service.yaml")).unwrap();
    assert!(
        service.contains("- {path: /samples, access: [data_provider, analyst]}"),
        "{service}"
    );
    assert!(!service.contains("/upload_data"), "{service}");
}

#[test]
fn what_gives_no_room_is_told_and_nothing_is_written() {
    let folder = two_parties();
    let refused = |arguments: &[&str], expected: &str| {
        let refused = synclave(folder.path(), &[&["room", "new"], arguments].concat()).exits(3);
        assert!(
            refused.stderr().contains(expected),
            "{arguments:?}: {}",
            refused.stderr()
        );
        assert!(!folder.path().join("room").exists(), "{arguments:?}");
    };
    let (one, two) = ("clinic.party.yaml", "insurer.party.yaml");
    refused(&["--party", one, "--epsilon", "1"], "two parties or more");
    refused(&["--party", one, "--party", two], "--epsilon is missing");
    refused(
        &["--party", one, "--party", two, "--epsilon", "-1"],
        "epsilon",
    );
    refused(
        &["--party", one, "--party", one, "--epsilon", "1"],
        "clinic",
    );
    refused(
        &["--party", one, "--party", "b=nonsense", "--epsilon", "1"],
        "\"nonsense\" is not a file",
    );
    refused(
        &["--party", one, "--party", "nobody.yaml", "--epsilon", "1"],
        "neither NAME=KEY nor a file",
    );
    refused(
        &[
            "--party",
            one,
            "--party",
            two,
            "--epsilon",
            "1",
            "--columns",
            "carl=clinic.yaml",
        ],
        "not one of the parties",
    );
    let again = ["room", "join", "--name", "clinic", "--output", "."];
    let again = synclave(folder.path(), &again).exits(3);
    assert!(
        again.stderr().contains("is there already"),
        "{}",
        again.stderr()
    );
}
