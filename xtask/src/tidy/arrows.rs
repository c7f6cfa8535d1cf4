//! Which crate may use which.

use anyhow::Context;
use serde_json::Value;

/// Every crate, without the `synclave-` of its package, with those that it may use.
/// `ARCHITECTURE.md` gives the reasons for the surprising ones.
const ALLOWED: [(&str, &[&str]); 26] = [
    // Those that know no other.
    ("admission", &[]),
    ("attestation", &[]),
    ("image", &[]),
    ("marginals", &[]),
    ("neural", &[]),
    ("printable", &[]),
    ("privacy", &[]),
    ("private-file", &[]),
    ("websocket", &[]),
    ("server-kit", &["printable"]),
    ("strict-yaml", &["printable"]),
    ("schema", &["printable", "strict-yaml"]),
    // The engine.
    (
        "tabular",
        &["printable", "privacy", "schema", "strict-yaml"],
    ),
    (
        "synthesis",
        &[
            "marginals",
            "neural",
            "privacy",
            "schema",
            "strict-yaml",
            "tabular",
        ],
    ),
    ("report", &["printable", "privacy", "schema", "synthesis"]),
    // The room and the channel to it.
    ("access", &["strict-yaml"]),
    ("attested-tls", &["attestation"]),
    ("protocol", &["privacy"]),
    (
        "service",
        &[
            "access",
            "printable",
            "privacy",
            "protocol",
            "report",
            "schema",
            "strict-yaml",
            "synthesis",
            "tabular",
        ],
    ),
    (
        "client",
        &[
            "access",
            "attestation",
            "attested-tls",
            "private-file",
            "protocol",
            "server-kit",
            "websocket",
        ],
    ),
    // Programs.
    (
        "enclave",
        &[
            "access",
            "admission",
            "attestation",
            "attested-tls",
            "privacy",
            "protocol",
            "server-kit",
            "service",
        ],
    ),
    (
        "host",
        &[
            "admission",
            "printable",
            "protocol",
            "server-kit",
            "websocket",
        ],
    ),
    (
        "cli",
        &[
            "access",
            "attestation",
            "client",
            "enclave",
            "image",
            "printable",
            "privacy",
            "private-file",
            "protocol",
            "report",
            "schema",
            "server-kit",
            "service",
            "strict-yaml",
            "synthesis",
            "tabular",
        ],
    ),
    // For development.
    (
        "emulator",
        &["attestation", "image", "printable", "server-kit"],
    ),
    ("testkit", &["attestation", "privacy"]),
    ("xtask", &["image"]),
];

/// Besides the test kit and itself, what the tests of a crate may use more.
const ALLOWED_IN_TESTS: [(&str, &[&str]); 6] = [
    ("attested-tls", &["attestation"]),
    ("client", &["enclave"]),
    ("emulator", &["attested-tls"]),
    (
        "host",
        &["attestation", "attested-tls", "client", "enclave"],
    ),
    ("report", &["tabular"]),
    ("tabular", &["privacy"]),
];

/// One sentence for each arrow of the workspace that is not in the tables. The argument is what
/// `cargo metadata --no-deps` prints.
pub(super) fn wrong(metadata: &Value) -> anyhow::Result<Vec<String>> {
    let packages = metadata["packages"].as_array().context("no packages")?;
    let name = |value: &Value| {
        let name = value["name"].as_str().unwrap_or_default();
        name.strip_prefix("synclave-").unwrap_or(name).to_owned()
    };
    let members: Vec<String> = packages.iter().map(name).collect();
    let mut wrong = Vec::new();
    for package in packages {
        let user = name(package);
        let used = package["dependencies"].as_array().into_iter().flatten();
        for dependency in used.filter(|it| members.contains(&name(it))) {
            let used = name(dependency);
            if !is_allowed(&user, &used, dependency["kind"].is_null()) {
                wrong.push(format!(
                    "`{user}` uses `{used}`, which xtask/src/tidy/arrows.rs does not allow"
                ));
            }
        }
        if row(&ALLOWED, &user).is_none() {
            wrong.push(format!("`{user}` is not in xtask/src/tidy/arrows.rs"));
        }
    }
    Ok(wrong)
}

fn is_allowed(user: &str, used: &str, in_programs: bool) -> bool {
    let listed = |table| row(table, user).is_some_and(|it| it.contains(&used));
    let in_tests = || used == "testkit" || used == user || listed(&ALLOWED_IN_TESTS);
    listed(&ALLOWED) || !in_programs && in_tests()
}

fn row(table: &[(&str, &'static [&'static str])], user: &str) -> Option<&'static [&'static str]> {
    let (_, used) = table.iter().find(|(name, _)| *name == user)?;
    Some(used)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of_one_arrow(user: &str, used: &str, kind: Option<&str>) -> Vec<String> {
        wrong(&json!({"packages": [
            {"name": user, "dependencies": [{"name": used, "kind": kind}]},
            {"name": used, "dependencies": []},
        ]}))
        .unwrap()
    }

    #[test]
    fn an_arrow_the_wrong_way_is_found() {
        assert!(of_one_arrow("synthesis", "tabular", None).is_empty());
        assert_eq!(
            of_one_arrow("tabular", "synthesis", None),
            ["`tabular` uses `synthesis`, which xtask/src/tidy/arrows.rs does not allow"]
        );
        assert_eq!(of_one_arrow("attestation", "protocol", None).len(), 1);
    }

    #[test]
    fn tests_may_use_the_test_kit_and_programs_may_not() {
        assert!(of_one_arrow("synthesis", "testkit", Some("dev")).is_empty());
        assert_eq!(of_one_arrow("synthesis", "testkit", None).len(), 1);
        assert_eq!(of_one_arrow("host", "client", None).len(), 1);
    }

    #[test]
    fn a_crate_that_no_table_knows_is_found() {
        assert_eq!(
            of_one_arrow("image", "newcomer", None),
            [
                "`image` uses `newcomer`, which xtask/src/tidy/arrows.rs does not allow",
                "`newcomer` is not in xtask/src/tidy/arrows.rs"
            ]
        );
    }
}
