//! `runtime.yaml`, good and bad, and the two files against each other.

use expect_test::{Expect, expect};
use privacy::{Delta, Epsilon};
use protocol::{Agreement, RoomId};
use schema::{Declaration, Schema};
use service::CheckedAgreement;
use synthesis::{FitPlan, KnownColumns, Method};

use crate::test_room::{DECLARED, FOUR_LINES, agreement, service_yaml};

fn refusal_of(providers: &[&str], runtime: &str) -> String {
    let agreement = Agreement::new(service_yaml(providers), runtime).expect("two texts");
    CheckedAgreement::parse(agreement)
        .expect_err("must be refused")
        .to_string()
}

/// The sentence for the declared agreement after one replacement, which must change something.
fn check(from: &str, to: &str, expected: Expect) {
    let runtime = DECLARED.replacen(from, to, 1);
    assert_ne!(runtime, DECLARED, "`{from}` is not in the file");
    expected.assert_eq(&refusal_of(&["Alice", "Bob"], &runtime));
}

#[test]
fn the_workshops_four_lines_are_enough() {
    let agreement = agreement(&["Alice", "Bob"], FOUR_LINES);
    assert_eq!(agreement.method().to_string(), "MST");
    assert_eq!(agreement.epsilon().get(), 3.0);
    assert_eq!(agreement.delta().get(), 1e-9);
    assert_eq!(agreement.key(), "id");
    assert_eq!(agreement.discovery_share(), Some(0.4));
    let names: Vec<_> = agreement
        .parties()
        .iter()
        .map(|party| party.name())
        .collect();
    assert_eq!(names, ["Alice", "Bob"]);
    assert!(
        agreement
            .parties()
            .iter()
            .all(|party| party.schema().is_none())
    );
}

#[test]
fn a_file_with_everything_says_everything_in_its_details() {
    let runtime = format!(
        "{DECLARED}delta: 1e-6\nkey: person\nmax_rows_per_id: 1\nparams: {{}}\n\
         limits: {{max_upload_bytes: 1000, max_rows: 20, max_columns: 3, max_samples: 40}}\n"
    );
    let agreement = agreement(&["Alice", "Bob"], &runtime);
    let room = RoomId::from_bytes([1; 32]);
    let mut details = serde_json::to_value(agreement.details(room)).unwrap();
    assert_eq!(details["agreement_sha384"], agreement.sha384().to_string());
    details["agreement_sha384"] = "..".into();
    expect![[r#"
        {
          "method": "INDEPENDENT",
          "epsilon": 3.0,
          "params": {},
          "party_names": [
            "Alice",
            "Bob"
          ],
          "delta": 1e-6,
          "key": "person",
          "max_rows_per_id": {
            "Alice": 1,
            "Bob": 1
          },
          "rows_per_id": 1,
          "columns": {
            "Alice": {
              "buying": {
                "categories": [
                  "low",
                  "high"
                ]
              },
              "age": {
                "integer": {
                  "min": 0,
                  "max": 99,
                  "bins": 10
                }
              }
            },
            "Bob": {
              "ill": {
                "categories": [
                  "yes",
                  "no"
                ]
              }
            }
          },
          "constraints": [],
          "discovery_share": null,
          "neighbouring_relation": "Adding or removing everything about one id, in all parties' tables together. The receipt also states the weaker guarantee for changing one id's values.",
          "expires_after_seconds": 604800,
          "limits": {
            "max_upload_bytes": 1000,
            "max_rows": 20,
            "max_columns": 3,
            "max_samples": 40
          },
          "room": "0101010101010101010101010101010101010101010101010101010101010101",
          "agreement_sha384": ".."
        }"#]].assert_eq(&serde_json::to_string_pretty(&details).unwrap());
}

#[test]
fn typos_are_refused_with_their_line_and_the_nearest_name() {
    check(
        "epsilon",
        "epsilom",
        expect!["runtime.yaml: line 2: unknown key `epsilom`; did you mean `epsilon`?"],
    );
    check(
        "party_names",
        "parties",
        expect![
            "runtime.yaml: line 3: unknown key `parties`; known here are `method`, `epsilon`, \
             `delta`, `people`, `dangerous`, `params`, `party_names`, `key`, `max_rows_per_id`, \
             `id_normalise`, `minimum_rows`, `columns`, `constraints`, `discovery_share`, \
             `workload`, `target`, `expires_after` and `limits`"
        ],
    );
    check(
        "method: INDEPENDENT",
        "method: INDEPENDANT",
        expect![[
            r#"runtime.yaml: line 1: there is no method "INDEPENDANT"; there are GRAIN, MST, AIM, MWEM, COPULA, INDEPENDENT, DPCTGAN and PATECTGAN; did you mean INDEPENDENT?"#
        ]],
    );
    check(
        "buying: {categories",
        "buying: {categorys",
        expect!["runtime.yaml: line 6: unknown key `categorys`; did you mean `categories`?"],
    );
    check(
        "[Alice, Bob]",
        "[Alice, Bobb]",
        expect![
            "runtime.yaml: line 3: `Bobb` is not a user who provides data in service.yaml; did you \
             mean `Bob`?"
        ],
    );
    check(
        "  Alice:\n",
        "  Alise:\n",
        expect![
            "runtime.yaml: columns are declared for `Alise`, who is not a party; did you mean \
             `Alice`?"
        ],
    );
    check(
        "  Alice:\n",
        "  Alice:\n    origin: data\n",
        expect![
            "runtime.yaml: columns of Alice: `origin: data` says that values and ranges were taken \
             from the table itself, so that no guarantee would hold; let its owner read them, take \
             out what could not have been known beforehand, and write `origin: reviewed`"
        ],
    );
    check(
        "method: INDEPENDENT\n",
        "method: INDEPENDENT\nlimits: {max_sample: 3}\n",
        expect!["runtime.yaml: line 2: unknown key `max_sample`; did you mean `max_samples`?"],
    );
}

#[test]
fn a_budget_that_is_none_is_refused() {
    check(
        "epsilon: 3",
        "epsilon: 0",
        expect![
            "runtime.yaml: line 2: epsilon is 0, but it must be a finite number above 0; common \
             choices lie between 0.1 and 10"
        ],
    );
    check(
        "epsilon: 3",
        "epsilon: -1",
        expect![
            "runtime.yaml: line 2: epsilon is -1, but it must be a finite number above 0; common \
             choices lie between 0.1 and 10"
        ],
    );
    check(
        "epsilon: 3",
        "epsilon: .nan",
        expect![
            "runtime.yaml: line 2: `.nan` is infinite or not a number to some readers; write a \
             number in plain decimal digits, or a text in quotes"
        ],
    );
    check(
        "epsilon: 3",
        "epsilon: .inf",
        expect![
            "runtime.yaml: line 2: `.inf` is infinite or not a number to some readers; write a \
             number in plain decimal digits, or a text in quotes"
        ],
    );
    check(
        "epsilon: 3",
        "epsilon: 1e-12",
        expect![
            "runtime.yaml: line 2: an epsilon of 1e-12 is too small for INDEPENDENT to share out \
             among these columns: it needs 2e-6 at least, and far more to be of use"
        ],
    );
    check(
        "epsilon: 3",
        "epsilon: much",
        expect!["runtime.yaml: line 2: expected a number here"],
    );
    check(
        "epsilon: 3\n",
        "",
        expect!["runtime.yaml: line 3: the key `epsilon` is missing"],
    );
    check(
        "epsilon: 3",
        "epsilon: 3\ndelta: 0",
        expect![
            "runtime.yaml: line 3: delta is 0, but it must lie between 0 and 1; choose far less \
             than one over the number of people, such as 1e-9"
        ],
    );
    check(
        "epsilon: 3",
        "epsilon: 3\ndelta: 1",
        expect![
            "runtime.yaml: line 3: delta is 1, but it must lie between 0 and 1; choose far less \
             than one over the number of people, such as 1e-9"
        ],
    );
}

#[test]
fn parties_must_be_the_users_who_provide_data() {
    check(
        "[Alice, Bob]",
        "[Alice]",
        expect![
            "runtime.yaml: party_names lacks `Bob`, who provides data according to service.yaml"
        ],
    );
    check(
        "[Alice, Bob]",
        "[Alice, Bob, Alice]",
        expect!["runtime.yaml: line 3: party_names lists `Alice` twice"],
    );
    check(
        "[Alice, Bob]",
        "[Alice, Bob, Zoe]",
        expect!["runtime.yaml: line 3: `Zoe` is not a user who provides data in service.yaml"],
    );
    check(
        "[Alice, Bob]",
        "Alice",
        expect!["runtime.yaml: line 3: expected a list here"],
    );
    let runtime = FOUR_LINES.replace("Alice", "Bob_2");
    expect![
        "runtime.yaml: the parties `Bob` and `Bob_2` cannot be told apart in names of columns \
             such as `Bob_2_age`; rename one"
    ]
    .assert_eq(&refusal_of(&["Bob", "Bob_2"], &runtime));
}

#[test]
fn bounds_on_the_rows_of_an_id_multiply() {
    let details = |bounds: &str| {
        let runtime = format!("{DECLARED}max_rows_per_id: {bounds}\n");
        let agreement = agreement(&["Alice", "Bob"], &runtime);
        let details = agreement.details(RoomId::from_bytes([1; 32]));
        let each: Vec<u32> = details.max_rows_per_id.into_values().collect();
        (each, details.rows_per_id)
    };
    assert_eq!(details("3"), (vec![3, 3], 9));
    assert_eq!(details("{Bob: 5}"), (vec![1, 5], 5));
    let few_rows = "100\nlimits: {max_rows: 2684354}";
    assert_eq!(details(few_rows), (vec![100, 100], 10_000));
    for (bounds, expected) in [
        (
            "{Bobb: 5}",
            expect![
                "runtime.yaml: line 10: max_rows_per_id names `Bobb`, who is not a party; did you \
                 mean `Bob`?"
            ],
        ),
        (
            "101",
            expect![
                "runtime.yaml: line 10: with these bounds one id could have 10201 rows in the \
                 joined table, which are more than the 10000 that noise could hide; lower \
                 max_rows_per_id"
            ],
        ),
        (
            "100",
            expect![
                "runtime.yaml: line 10: with these bounds the joined table could have 2000000000 \
                 rows, which are more than the 268435456 that are allowed; lower max_rows_per_id \
                 or max_rows"
            ],
        ),
        (
            "0",
            expect![
                "runtime.yaml: line 10: expected a whole number from 1 on, or one for each party \
                 as in `{Alice: 3}` here"
            ],
        ),
        (
            "[3]",
            expect![
                "runtime.yaml: line 10: expected a whole number from 1 on, or one for each party \
                 as in `{Alice: 3}` here"
            ],
        ),
    ] {
        let runtime = format!("{DECLARED}max_rows_per_id: {bounds}\n");
        expected.assert_eq(&refusal_of(&["Alice", "Bob"], &runtime));
    }
}

#[test]
fn constraints_across_parties_are_checked_with_those_of_each() {
    let with = |constraints: &str| format!("{DECLARED}constraints: {constraints}\n");
    let good = with("[{impossible: {Alice_buying: [low], Bob_ill: [yes]}}]");
    let agreement = agreement(&["Alice", "Bob"], &good);
    assert_eq!(agreement.constraints().len(), 1);
    for (constraints, expected) in [
        (
            "[{impossible: {buying: [low], Bob_ill: [yes]}}]",
            expect![
                "runtime.yaml: constraints: a constraint names the column `buying`, which is not \
                 declared"
            ],
        ),
        (
            "[{impossible: {Alice_buying: [low], Bob_ill: [yes]}}, {impossible: {Alice_buying: \
             [low], Bob_ill: [no]}}]",
            expect![
                "runtime.yaml: constraints: no row could have `low` in the column `Alice_buying`: \
                 constraints 1 and 2 together exclude it; take the value out, or allow it"
            ],
        ),
    ] {
        expected.assert_eq(&refusal_of(&["Alice", "Bob"], &with(constraints)));
    }
}

#[test]
fn what_cannot_be_done_is_said_before_the_room_opens() {
    check(
        "epsilon: 3",
        "epsilon: 3\nparams: {rounds: 3}",
        expect!["runtime.yaml: params: INDEPENDENT has no parameter `rounds`; it has none"],
    );
    check(
        "epsilon: 3",
        "epsilon: 3\ndiscovery_share: 0.2",
        expect![
            "runtime.yaml: line 3: discovery_share is given, but all columns are declared and none \
             has `bins: quantile`; remove it"
        ],
    );
    check(
        "bins: 10",
        "bins: quantile}}\n    note: {integer: {min: 3, max: 2",
        expect!["runtime.yaml: columns of Alice: column `note`: `min` (3) must be below `max` (2)"],
    );
    check(
        "epsilon: 3",
        "epsilon: 3\nkey: buying",
        expect![
            "runtime.yaml: columns of Alice: `buying` is the key by which tables are joined; do \
             not declare it"
        ],
    );
    check(
        "epsilon: 3",
        "epsilon: 3\nkey: \"\"",
        expect![
            "runtime.yaml: line 3: the key must be the name of a column: 1 to 256 bytes, no spaces \
             around them, no control or invisible characters"
        ],
    );
    check(
        "epsilon: 3",
        "epsilon: 3\nlimits: {max_samples: 0}",
        expect!["runtime.yaml: line 3: max_samples must be at least 1"],
    );
    check(
        "epsilon: 3",
        "epsilon: 3\nlimits:\n  max_party_memory_bytes: 33554431",
        expect![
            "runtime.yaml: line 4: max_party_memory_bytes is 33554431, which holds no table of \
             use: give 33554432 (32 MiB) at least, or leave it out for an even share"
        ],
    );
    check(
        "epsilon: 3",
        "epsilon: 3\nexpires_after: 91 days",
        expect![
            "runtime.yaml: line 3: expires_after is `91 days`, but it must be from `1 hour` to \
             `90 days`, such as `12 hours` or `7 days`"
        ],
    );
    for text in [
        "0 hours",
        "59 minutes",
        "7",
        "7days",
        "7  days",
        "-1 days",
        "1.5 days",
        "+1 day",
        "never",
        "\"\"",
        "days",
        "99999999999 days",
        "4294967295 days",
        "7 days ago",
    ] {
        let runtime = DECLARED.replacen(
            "epsilon: 3",
            &format!("epsilon: 3\nexpires_after: {text}"),
            1,
        );
        let refused = refusal_of(&["Alice", "Bob"], &runtime);
        assert!(
            refused.contains("from `1 hour` to `90 days`"),
            "{text}: {refused}"
        );
    }
    check(
        "method: INDEPENDENT",
        "method: CTGAN",
        expect![[
            r#"runtime.yaml: line 1: there is no method "CTGAN"; there are GRAIN, MST, AIM, MWEM, COPULA, INDEPENDENT, DPCTGAN and PATECTGAN; did you mean DPCTGAN?"#
        ]],
    );
}

#[test]
fn the_share_for_discovery_is_needed_for_quantiles_and_must_be_a_share() {
    let quantile = DECLARED.replace("bins: 10", "bins: quantile");
    assert_eq!(
        agreement(&["Alice", "Bob"], &quantile).discovery_share(),
        Some(0.4)
    );
    let with = |share: &str| format!("{quantile}discovery_share: {share}\n");
    assert_eq!(
        agreement(&["Alice", "Bob"], &with("0.25")).discovery_share(),
        Some(0.25)
    );
    expect![
        "runtime.yaml: line 10: discovery_share is 1, but it must lie between 0 and 1, such as 0.1"
    ]
    .assert_eq(&refusal_of(&["Alice", "Bob"], &with("1")));
    expect![
        "runtime.yaml: line 10: discovery_share is 0, but it must lie between 0 and 1, such as 0.1"
    ]
    .assert_eq(&refusal_of(&["Alice", "Bob"], &with("0")));
}

#[test]
fn a_party_may_leave_columns_that_it_names_to_be_discovered() {
    let declared = agreement(&["Alice", "Bob"], DECLARED);
    assert_eq!(declared.discovery_share(), None);
    let (before, after) = DECLARED.split_once("\n  Bob:").unwrap();
    let discovered = format!("{before}\n    income: discover\n  Bob:{after}");
    let agreement = agreement(&["Alice", "Bob"], &discovered);
    assert_eq!(agreement.discovery_share(), Some(0.4));
    let discovers = agreement
        .parties()
        .iter()
        .map(|party| party.needs_discovery());
    assert_eq!(discovers.collect::<Vec<_>>(), [true, false]);
    let target = |name: &str| {
        let runtime = discovered.replace("INDEPENDENT", "GRAIN");
        let runtime = format!("{runtime}target: {name}\n");
        CheckedAgreement::parse(Agreement::new(service_yaml(&["Alice", "Bob"]), runtime).unwrap())
    };
    assert!(target("Alice_income").is_ok());
    let refused = target("Alice_incomes").unwrap_err().to_string();
    assert!(refused.contains("no column `incomes`"), "{refused}");
}

#[test]
fn a_fault_in_service_yaml_is_told_as_one() {
    let service = service_yaml(&["Alice", "Bob"]).replace("roles", "rolls");
    let agreement = Agreement::new(service, FOUR_LINES).unwrap();
    let sentence = CheckedAgreement::parse(agreement).unwrap_err().to_string();
    expect!["service.yaml: line 2: unknown key `rolls`; did you mean `roles`?"]
        .assert_eq(&sentence);
}

const JOINED: &str = "method: AIM\nepsilon: 3\nworkload:\n\
    - {columns: [Alice_age, Bob_ill], weight: 2}\n\
    - {columns: [Alice_buying]}\n\
    target: Bob_ill\n";

/// An agreement on [`JOINED`] over the declared columns, but for Bob's where he declares none.
fn joined(bob_declares: bool) -> String {
    let declared = DECLARED.replace("method: INDEPENDENT\nepsilon: 3\n", JOINED);
    if bob_declares {
        declared
    } else {
        declared
            .split("  Bob:")
            .next()
            .expect("a split has a first part")
            .to_owned()
    }
}

#[test]
fn a_workload_is_part_of_the_agreement_and_of_its_details() {
    for bob_declares in [true, false] {
        let agreement = agreement(&["Alice", "Bob"], &joined(bob_declares));
        assert_eq!(agreement.workload().unwrap().len(), 2);
        assert_eq!(agreement.target(), Some("Bob_ill"));
        let details = serde_json::to_value(agreement.details(RoomId::from_bytes([1; 32]))).unwrap();
        assert_eq!(details["target"], "Bob_ill");
        let expected = serde_json::json!([
            {"columns": ["Alice_age", "Bob_ill"], "weight": 2.0},
            {"columns": ["Alice_buying"], "weight": 1.0}
        ]);
        assert_eq!(details["workload"], expected);
    }
}

#[test]
fn a_workload_is_checked_as_far_as_columns_are_declared() {
    let refusal = |bob_declares: bool, from: &str, to: &str| {
        let runtime = joined(bob_declares);
        let changed = runtime.replacen(from, to, 1);
        assert_ne!(changed, runtime);
        refusal_of(&["Alice", "Bob"], &changed)
    };
    for declared in [true, false] {
        expect![
            "runtime.yaml: line 4: marginal 1 of the workload: Alice declares no column \
                 `agge`; did you mean `Alice_age`?"
        ]
        .assert_eq(&refusal(declared, "Alice_age", "Alice_agge"));
        expect![
            "runtime.yaml: line 4: marginal 2 of the workload: `buying` is not a column of the \
                 joined table, whose names begin with their party's, as in `Alice_age`"
        ]
        .assert_eq(&refusal(declared, "Alice_buying", "buying"));
        expect![
            "runtime.yaml: line 4: marginal 1 of the workload has the weight 0; a weight lies \
                 above 0 and is at most 1000000"
        ]
        .assert_eq(&refusal(declared, "weight: 2", "weight: 0"));
        expect![
            "runtime.yaml: line 4: MST takes no workload or target: it measures the same \
                 whatever they are; use GRAIN, AIM or MWEM, or leave them out"
        ]
        .assert_eq(&refusal(declared, "AIM", "MST"));
    }
    expect!["runtime.yaml: line 6: target: Bob declares no column `il`; did you mean `Bob_ill`?"]
        .assert_eq(&refusal(true, "target: Bob_ill", "target: Bob_il"));
    agreement(
        &["Alice", "Bob"],
        &joined(false).replace("Bob_ill", "Bob_il"),
    );
    expect![
        "runtime.yaml: no marginal of the workload has the target `Bob_ill`, so that it \
             changes nothing; leave the target out, or list other marginals"
    ]
    .assert_eq(&refusal(true, "Alice_age, Bob_ill", "Alice_age"));
    expect![
        "runtime.yaml: AIM measures each of the 3 columns before its rounds begin, at the \
             price of a round each: give at least 3 as `rounds`, not 2, or leave it out"
    ]
    .assert_eq(&refusal(
        true,
        "epsilon: 3",
        "epsilon: 3\nparams: {rounds: 2}",
    ));
}

#[test]
fn a_character_that_a_reader_would_not_see_is_refused_wherever_it_stands() {
    check(
        "low, high]}",
        "low, high]} # \u{202e}as agreed",
        expect![
            "runtime.yaml: line 6: there is a character that a screen does not show, U+202E at \
             position 41, which changes the direction of writing; remove it"
        ],
    );
    check(
        "low",
        "\"l\\u200Bow\"",
        expect![
            "runtime.yaml: line 6: there is a character that a screen does not show, U+200B at \
             position 2, which is invisible here; remove it"
        ],
    );
    check(
        "low",
        "\"l\\tow\"",
        expect![[
            r#"runtime.yaml: columns of Alice: column `buying`: the category "l\tow" has the character U+0009 at position 2, a control character; remove it"#
        ]],
    );
    check(
        "ill:",
        "\"il\\nl\":",
        expect![[
            r#"runtime.yaml: columns of Bob: the column name "il\nl" cannot be used: it has the character U+000A at position 3, a control character; remove it"#
        ]],
    );
    check(
        "epsilon: 3",
        "epsilon: 3\nkey: \"i\\td\"",
        expect![
            "runtime.yaml: line 3: the key must be the name of a column: 1 to 256 bytes, no spaces \
             around them, no control or invisible characters"
        ],
    );
    let service = service_yaml(&["Alice", "Bob"]) + "# \u{feff}\n";
    let agreement = protocol::Agreement::new(service, DECLARED).expect("two texts");
    let refused = CheckedAgreement::parse(agreement).expect_err("must be refused");
    assert!(
        refused.to_string().starts_with("service.yaml: line "),
        "{refused}"
    );
}

#[test]
fn ordinary_spelling_is_no_hidden_character() {
    let runtime = DECLARED.replace(
        "low, high",
        "می\u{200c}خواهم, \"क्\u{200d}ष\", \"❤\u{fe0f}\"",
    );
    agreement(&["Alice", "Bob"], &runtime.replace('\n', "\r\n"));
}

#[test]
fn a_room_has_to_spend_what_a_plan_with_its_guarantee_has() {
    let runtime = "method: GRAIN\nepsilon: 3\nparty_names: [Alice, Bob]\n";
    let columns = "columns: {Alice: {a: {categories: [x, y]}}, Bob: {b: {categories: [x, y]}}}\n";
    let parties = ["Alice", "Bob"];
    let declared = agreement(&parties, &format!("{runtime}{columns}"));
    let discovered = agreement(&parties, runtime);
    let (epsilon, delta) = (Epsilon::new(3.0).unwrap(), Delta::new(1e-9).unwrap());
    let plan = |columns| FitPlan::new(Method::Grain, epsilon, delta).check(columns);
    let yaml = "Alice_a: {categories: [x, y]}\nBob_b: {categories: [x, y]}\n";
    let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
    for (room, columns) in [
        (declared, KnownColumns::all(schema)),
        (discovered, KnownColumns::none()),
    ] {
        let (room, alone) = (room.plan().ledger(), plan(columns).unwrap().ledger());
        assert_eq!(room.total(), alone.total());
        assert_eq!(
            room.remaining_threshold_delta(),
            alone.remaining_threshold_delta()
        );
    }
}

#[test]
fn a_party_that_brings_nothing_but_identifiers_is_refused() {
    let declared = DECLARED.replace(
        "ill: {categories: [yes, no]}",
        "ill: {identifier: {format: 'P-#####'}}",
    );
    let refused = refusal_of(&["Alice", "Bob"], &declared);
    assert!(
        refused.contains("columns of Bob: no columns are declared"),
        "{refused}"
    );
}
