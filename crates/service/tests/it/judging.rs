//! What a person has to judge of an agreement, and what is refused before anybody has to.

use expect_test::{Expect, expect};
use protocol::{Agreement, KeyFingerprint};
use service::{CheckedAgreement, Summary};

use crate::test_room::{DECLARED, FOUR_LINES, agreement, key, service_yaml};

fn refused(service: &str, runtime: &str, expected: Expect) {
    let agreement = Agreement::new(service, runtime).expect("two texts");
    let refusal = CheckedAgreement::parse(agreement).expect_err("must be refused");
    expected.assert_eq(&refusal.to_string());
}

/// Of the four lines, with more of them.
fn refused_with(more: &str, expected: Expect) {
    refused(
        &service_yaml(&["Alice", "Bob"]),
        &format!("{FOUR_LINES}{more}"),
        expected,
    );
}

fn warnings(runtime: &str) -> Vec<String> {
    agreement(&["Alice", "Bob"], runtime).warnings().to_vec()
}

#[test]
fn a_budget_that_protects_nobody_is_refused_or_marked() {
    refused_with(
        "delta: 0.99\n",
        expect![
            "runtime.yaml: line 6: delta is 0.99, but from a half on the guarantee is as likely to \
             fail as to hold; choose far less than one over the number of people, such as 1e-9"
        ],
    );
    let huge = FOUR_LINES.replace("epsilon: 3", "epsilon: 1e300");
    refused(
        &service_yaml(&["Alice", "Bob"]),
        &huge,
        expect![
            "runtime.yaml: line 2: epsilon is 1e300, but above 1000 hardly anything is protected; \
             common choices lie between 0.1 and 10; if all parties want it all the same, write \
             `dangerous: true`"
        ],
    );
    refused_with(
        "dangerous: true\n",
        expect!["runtime.yaml: line 6: `dangerous: true` is for an epsilon above 1000; remove it"],
    );
    refused(
        &service_yaml(&["Alice", "Bob"]),
        &format!("{huge}dangerous: true\ndelta: 0.5\n"),
        expect![
            "runtime.yaml: line 7: delta is 0.5, but from a half on the guarantee is as likely to \
             fail as to hold; choose far less than one over the number of people, such as 1e-9"
        ],
    );
    let marked = agreement(&["Alice", "Bob"], &format!("{huge}dangerous: true\n"));
    assert!(
        marked.warnings()[0].contains("DANGEROUS"),
        "{:?}",
        marked.warnings()
    );
    let summary = Summary::new(&marked);
    assert!(summary.dangerous);
    assert!(
        summary.guarantee.presence.contains("10^"),
        "{}",
        summary.guarantee.presence
    );
}

#[test]
fn what_is_odd_is_warned_of() {
    assert_eq!(warnings(FOUR_LINES), [""; 0]);
    let large = FOUR_LINES.replace("epsilon: 3", "epsilon: 12");
    for (runtime, expected) in [
        (large, "runtime.yaml: epsilon is 12, above 10"),
        (
            format!("{FOUR_LINES}delta: 0.001\n"),
            "runtime.yaml: delta is 0.001, above 0.0001",
        ),
        (
            format!("{FOUR_LINES}delta: 1e-5\npeople: 250000\n"),
            "runtime.yaml: delta is 1e-5, above one over the number of people (about 250000)",
        ),
        (
            format!("{FOUR_LINES}people: 20\n"),
            "runtime.yaml: epsilon is 3 for about 20 people",
        ),
        (
            format!("{FOUR_LINES}discovery_share: 0.6\n"),
            "runtime.yaml: discovery_share is 0.6",
        ),
        (
            format!("{FOUR_LINES}max_rows_per_id: 5\nlimits: {{max_rows: 1000}}\n"),
            "runtime.yaml: one id may have 25 rows",
        ),
    ] {
        let warnings = warnings(&runtime);
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].starts_with(expected), "{warnings:?}");
    }
    assert_eq!(warnings(&format!("{FOUR_LINES}people: 250000\n")), [""; 0]);
}

#[test]
fn a_role_with_many_users_is_warned_of() {
    let users: String = (100..120)
        .map(|byte| {
            format!(
                "  - {{user_name: U{byte}, public_key: {}}}\n",
                key(byte).to_text()
            )
        })
        .collect();
    let (before, _) = service_yaml(&["Alice", "Bob"])
        .split_once("  - user_name: Zoe")
        .map(|(before, after)| (before.to_owned(), after.to_owned()))
        .expect("Zoe is last");
    let service = before.replace(
        "role_name: onlooker, role_cardinality: 1",
        "role_name: onlooker, role_cardinality: 20",
    ) + &users;
    let agreement = Agreement::new(service, FOUR_LINES).unwrap();
    let warnings = CheckedAgreement::parse(agreement)
        .unwrap()
        .warnings()
        .to_vec();
    assert!(
        warnings[0].contains("`onlooker` has 20 users"),
        "{warnings:?}"
    );
}

#[test]
fn files_that_two_readers_could_see_differently_are_refused() {
    refused_with(
        "limits: {<<: {max_rows: 3}}\n",
        expect!["runtime.yaml: line 6: a merge (`<<`) is not allowed; write the keys out"],
    );
    refused_with(
        "delta: !!float 1\n",
        expect![
            "runtime.yaml: line 6: a tag (`!` before a value) is not allowed; write the value \
             alone, and a text in quotes"
        ],
    );
    refused_with(
        "max_rows_per_id: 030\n",
        expect![
            "runtime.yaml: line 6: `030` has leading zeros, which make it octal to some readers; \
             write a number in plain decimal digits, or a text in quotes"
        ],
    );
    refused_with(
        "people: \"0x14\"\n",
        expect![
            "runtime.yaml: line 6: expected a whole number of a sensible size here, not a text; \
             drop the quotes"
        ],
    );
    refused_with(
        "max_rows_per_id: '5'\n",
        expect![
            "runtime.yaml: line 6: expected a whole number from 1 on, or one for each party as in \
             `{Alice: 3}` here"
        ],
    );
    refused_with(
        "columns: {Alice: {age: {integer: {min: 0, max: 9, max: 99}}}}\n",
        expect!["runtime.yaml: line 6: the key `max` is given twice"],
    );
    refused_with(
        "# \u{202e}1 :atled\n",
        expect![
            "runtime.yaml: line 6: there is a character that a screen does not show, U+202E at \
             position 3, which changes the direction of writing; remove it"
        ],
    );
    let service = service_yaml(&["Alice", "Bob"]);
    for (service, sentence) in [
        (
            service.replace("  onlooker:", "  onlooker: &others"),
            "an anchor (`&name`) is not allowed",
        ),
        (
            format!("{service}---\nauth: []\n"),
            "there is more than one YAML document",
        ),
    ] {
        let agreement = Agreement::new(service, FOUR_LINES).expect("two texts");
        let refusal = CheckedAgreement::parse(agreement).expect_err("must be refused");
        let refusal = refusal.to_string();
        assert!(refusal.starts_with("service.yaml: line 1"), "{refusal}");
        assert!(refusal.contains(sentence), "{refusal}");
    }
}

#[test]
fn the_summary_says_who_with_which_key_may_do_and_get_what() {
    let checked = agreement(&["Alice", "Bob"], &format!("{DECLARED}people: 5000\n"));
    let summary = Summary::new(&checked);
    let fingerprints: Vec<_> = summary.users.iter().map(|user| user.fingerprint).collect();
    assert_eq!(
        fingerprints,
        [10, 11, 99].map(|byte| KeyFingerprint::of_key(key(byte).spki()))
    );
    let zoe = &summary.users[2];
    assert!(!zoe.provides_data && zoe.role == "onlooker");
    assert!(zoe.may.contains(&"/details") && !zoe.may.contains(&"/samples"));
    let to = |path: &str| {
        let release = summary.releases.iter().find(|release| release.path == path);
        release.expect("it is released").to.clone()
    };
    assert_eq!(to("/samples"), ["Alice", "Bob"]);
    assert_eq!(to("/receipt"), ["Alice", "Bob", "Zoe"]);
    assert_eq!(summary.people, Some(5000));
    assert_eq!(
        summary.parties[0].columns.as_ref().unwrap().columns.len(),
        2
    );
    // As a program reads it.
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["agreement_sha384"], checked.sha384().to_string());
    assert_eq!(json["parties"][1]["columns"]["ill"]["categories"][0], "yes");
    assert_eq!(json["users"][0]["fingerprint"].as_str().unwrap().len(), 64);
}

#[test]
fn the_guarantee_is_said_in_odds_and_for_changes_too() {
    let guarantee = Summary::new(&agreement(&["Alice", "Bob"], FOUR_LINES)).guarantee;
    expect![
        "Whether anybody is in the data changes the odds of anything that is seen by at most \
             a factor of 20.1 (e^3), except with probability 1 in 1,000,000,000."
    ]
    .assert_eq(&guarantee.presence);
    expect![
        "Changing everything about somebody who is in the data changes the odds of anything \
             that is seen by at most a factor of 565 (e^6.336), except with probability 1 in \
             666,666,666."
    ]
    .assert_eq(&guarantee.changing);
    expect!["One id has one row in each table."].assert_eq(&guarantee.rows);
    let runtime = format!("{DECLARED}max_rows_per_id: {{Alice: 3}}\n");
    let guarantee = Summary::new(&agreement(&["Alice", "Bob"], &runtime)).guarantee;
    expect![
        "All rows of one id count together: up to 3 in the joined table, for which the noise \
             is made."
    ]
    .assert_eq(&guarantee.rows);
}
