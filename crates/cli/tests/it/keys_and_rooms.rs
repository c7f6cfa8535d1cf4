use std::fs;
use std::path::Path;

use crate::synclave;

fn room(folder: &Path, runtime: &str) {
    let keys: Vec<String> = ["alice", "bob"]
        .map(|name| {
            let arguments = [
                "keygen",
                "--key-name",
                name,
                "--output",
                "keys",
                "--algorithm",
                "p256",
            ];
            synclave(folder, &arguments)
                .exits(0)
                .stdout()
                .trim()
                .to_owned()
        })
        .into();
    fs::create_dir(folder.join("room")).unwrap();
    let service = include_str!("../../assets/demo/service.yaml")
        .replace("user_name: insurer", "user_name: Alice")
        .replace("user_name: clinic", "user_name: Bob")
        .replace("INSURER_KEY", &keys[0])
        .replace("CLINIC_KEY", &keys[1]);
    fs::write(folder.join("room/service.yaml"), service).unwrap();
    fs::write(folder.join("room/runtime.yaml"), runtime).unwrap();
}

const FOUR_LINES: &str = "method: MST\nepsilon: 3\nparty_names: [Alice, Bob]\n";

#[test]
fn keygen_writes_a_pair_and_prints_what_service_yaml_needs() {
    let folder = tempfile::tempdir().unwrap();
    let ran = synclave(
        folder.path(),
        &["keygen", "--key-name", "alice", "--output", "keys"],
    )
    .exits(0);
    assert!(ran.stdout().starts_with("MII"), "{}", ran.stdout());
    let private = fs::metadata(folder.path().join("keys/alice_private.der")).unwrap();
    #[cfg(unix)]
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&private.permissions()) & 0o777,
        0o600
    );
    assert!(private.len() > 1000);

    let before = fs::read(folder.path().join("keys/alice_private.der")).unwrap();
    synclave(
        folder.path(),
        &["keygen", "--key-name", "alice", "--output", "keys"],
    )
    .exits(3)
    .saying("not overwritten");
    assert_eq!(
        fs::read(folder.path().join("keys/alice_private.der")).unwrap(),
        before
    );
    synclave(
        folder.path(),
        &["keygen", "--key-name", "../evil", "--output", "keys"],
    )
    .exits(3);
    synclave(
        folder.path(),
        &[
            "keygen",
            "--key-name",
            "x",
            "--output",
            "keys",
            "--algorithm",
            "dsa",
        ],
    )
    .exits(2);
}

#[test]
fn validate_prints_the_hash_that_connect_takes() {
    let folder = tempfile::tempdir().unwrap();
    room(folder.path(), FOUR_LINES);
    let hash = synclave(folder.path(), &["validate", "room"])
        .exits(0)
        .stdout();
    assert_eq!(hash.trim().len(), 96);
    let json = synclave(folder.path(), &["validate", "room", "--json"])
        .exits(0)
        .json();
    assert_eq!(json["agreement_sha384"], hash.trim());
    assert_eq!(json["epsilon"], 3.0);
    assert_eq!(json["delta"], 1e-9);

    fs::write(
        folder.path().join("room/runtime.yaml"),
        format!("{FOUR_LINES}\n"),
    )
    .unwrap();
    let other = synclave(folder.path(), &["validate", "room"])
        .exits(0)
        .stdout();
    assert_ne!(other, hash, "one byte more is another agreement");
}

#[test]
fn a_wrong_agreement_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    room(folder.path(), FOUR_LINES);
    for (runtime, sentence) in [
        (
            "method: MST\nepsilom: 3\nparty_names: [Alice, Bob]\n",
            "epsilon",
        ),
        (
            "method: MST\nepsilon: 0\nparty_names: [Alice, Bob]\n",
            "above 0",
        ),
        (
            "method: MST\nepsilon: .nan\nparty_names: [Alice, Bob]\n",
            "not a number",
        ),
        (
            "method: MST\nepsilon: .inf\nparty_names: [Alice, Bob]\n",
            "not a number",
        ),
        (
            "method: MSTT\nepsilon: 3\nparty_names: [Alice, Bob]\n",
            "MST",
        ),
        (
            "method: MST\nepsilon: 3\nparty_names: [Alice, Carol]\n",
            "Carol",
        ),
    ] {
        fs::write(folder.path().join("room/runtime.yaml"), runtime).unwrap();
        synclave(folder.path(), &["validate", "room"])
            .exits(3)
            .saying(sentence);
    }
    fs::remove_file(folder.path().join("room/runtime.yaml")).unwrap();
    synclave(folder.path(), &["validate", "room"])
        .exits(3)
        .saying("runtime.yaml");
}

#[test]
fn help_teaches() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        "demo",
        "keygen",
        "validate",
        "connect",
        "inspect",
        "verify-receipt",
        "synth",
        "sample",
        "evaluate",
        "completions",
    ] {
        let help = synclave(folder.path(), &[command, "--help"])
            .exits(0)
            .stdout();
        assert!(help.contains("Usage:"), "{command}");
        assert!(
            command == "demo" || help.contains("Example"),
            "{command}: {help}"
        );
    }
    let connect = synclave(folder.path(), &["connect", "--help"])
        .exits(0)
        .stdout();
    assert!(connect.contains("Exit codes"));
    assert!(
        synclave(folder.path(), &["completions", "bash"])
            .exits(0)
            .stdout()
            .contains("synclave")
    );
}

#[test]
fn validate_ends_with_what_the_agreement_says_and_fingerprints_as_keygen_prints_them() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = format!(
        "{FOUR_LINES}columns:\n  Bob:\n    \"ill; epsilon 0\": {{categories: [low, \"a; b\"]}}\n"
    );
    room(folder.path(), &runtime);
    let keygen = ["keygen", "--key-name", "carol", "--output", "keys"];
    let made = synclave(folder.path(), &keygen).exits(0);
    let told = made.stderr();
    let spoken = told
        .lines()
        .find_map(|line| line.strip_prefix("fingerprint: "));
    let carols = spoken.unwrap().to_owned();
    assert_eq!(carols.split(' ').map(str::len).collect::<Vec<_>>(), [4; 16]);
    let service = fs::read_to_string(folder.path().join("room/service.yaml")).unwrap();
    let first_key = service
        .lines()
        .find(|line| line.contains("public_key:"))
        .unwrap();
    let service = service.replace(
        first_key,
        &format!("    public_key: {}", made.stdout().trim()),
    );
    fs::write(folder.path().join("room/service.yaml"), service).unwrap();

    let ran = synclave(folder.path(), &["validate", "room"]).exits(0);
    let told = ran.stderr();
    for expected in [
        "privacy: epsilon 3, delta 1e-9",
        "a factor of 20.1 (e^3), except with probability 1 in 1,000,000,000",
        "Alice (role data_provider, brings data), RSA-2048:",
        &format!("      {carols}\n"),
        "Alice: one row an id, or the table is refused; all its columns",
        "      \"ill; epsilon 0\": 2 categories: low, \"a; b\"\n",
        "synthetic rows, any number of them (/samples): to Alice, Bob",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let json = synclave(folder.path(), &["validate", "room", "--json"])
        .exits(0)
        .json();
    assert_eq!(json["users"][0]["fingerprint"], carols.replace(' ', ""));
}

#[test]
fn odd_budgets_are_warned_of_and_mad_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    room(folder.path(), &FOUR_LINES.replace('3', "11"));
    synclave(folder.path(), &["-q", "validate", "room"])
        .exits(0)
        .saying("warning: runtime.yaml: epsilon is 11, above 10");
    for (epsilon, more, sentence) in [
        ("1e300", "", "write `dangerous: true`"),
        ("3", "delta: 0.99\n", "a half"),
        ("!!float 300", "", "a tag"),
        ("030", "", "leading zeros"),
    ] {
        let runtime = FOUR_LINES.replace('3', epsilon) + more;
        fs::write(folder.path().join("room/runtime.yaml"), runtime).unwrap();
        synclave(folder.path(), &["validate", "room"])
            .exits(3)
            .saying(sentence);
    }
    let marked = FOUR_LINES.replace('3', "5000") + "dangerous: true\n";
    fs::write(folder.path().join("room/runtime.yaml"), marked).unwrap();
    synclave(folder.path(), &["validate", "room"])
        .exits(0)
        .saying("epsilon 5000 (DANGEROUS, and so marked)")
        .saying("warning: runtime.yaml: DANGEROUS");
}
