//! Columns of dates with times, and of true and false: declarations, conditions, constraints.

use expect_test::{Expect, expect};
use schema::{Condition, Declaration, Schema, SchemaError};

const VISITS: &str = "
seen: {datetime: {min: 2024-01-01T00:00, max: 2024-12-31T23:59:59, bins: 12}, nullable: true}
smoker: {boolean: true}
ill: {boolean: true, nullable: true, other: true}
";

fn schema(yaml: &str) -> Result<Schema, SchemaError> {
    Schema::new(Declaration::from_yaml(yaml)?)
}

#[test]
fn a_declaration_comes_back_from_its_own_text() {
    let schema = schema(VISITS).unwrap();
    let json = serde_json::to_string(&schema.to_declaration()).unwrap();
    let again = Schema::new(Declaration::from_yaml(&json).unwrap()).unwrap();
    assert_eq!(again, schema);
    assert_eq!(schema.sizes(), [13, 2, 4]);
    assert_eq!(schema.columns()[0].kind().name(), "datetime");
    assert_eq!(schema.columns()[1].kind().name(), "boolean");
}

#[test]
fn conditions_weigh_moments_and_truths() {
    let schema = schema(VISITS).unwrap();
    let weights = |condition: &str| {
        let condition = Condition::parse(condition, &schema).unwrap();
        let columns = condition.columns().collect::<Vec<usize>>();
        columns
            .into_iter()
            .map(|column| condition.weights(column).unwrap().to_vec())
            .collect::<Vec<Vec<f64>>>()
    };
    let half = weights("seen < 2024-01-16T06:00")[0].clone();
    assert!(
        (half[0] - 0.5).abs() < 1e-6 && half[1..].iter().all(|share| *share == 0.0),
        "{half:?}"
    );
    let late = weights("seen in 2024-12-01T00:00..2024-12-31T23:59:59");
    assert!(late[0][11] > 0.9 && late[0][10] < 0.1, "{late:?}");
    assert_eq!(
        weights("smoker = true and ill != false"),
        [vec![0.0, 1.0], vec![0.0, 1.0, 1.0, 0.0]]
    );
    assert_eq!(weights("ill is missing"), [[0.0, 0.0, 0.0, 1.0]]);
    for (condition, expected) in [
        (
            "seen > yesterday",
            expect![
                "in the condition at character 8, `yesterday`: this is not a date and time as \
                 2015-01-31T10:30, which column `seen` holds"
            ],
        ),
        (
            "smoker = maybe",
            expect![
                "in the condition at character 10, `maybe`: column `smoker` has no such value; \
                 it holds `false` and `true`"
            ],
        ),
        (
            "smoker > false",
            expect![
                "in the condition at character 1, `smoker > false`: column `smoker` holds values \
                 that have no order; use `=`, `!=` or a list such as `in [a, b]`"
            ],
        ),
    ] {
        expected.assert_eq(
            &Condition::parse(condition, &schema)
                .unwrap_err()
                .to_string(),
        );
    }
}

#[test]
fn constraints_name_moments_and_truths() {
    let schema = schema(&format!(
        "{VISITS}constraints:
- impossible: {{smoker: ['true'], ill: ['false', null]}}
- impossible: {{seen: [2024-07-02T00:00..], smoker: ['false']}}
"
    ))
    .unwrap();
    let [first, second] = schema.constraints() else {
        panic!("two constraints")
    };
    assert!(
        !first.allows(&[1, 0])
            && !first.allows(&[1, 3])
            && first.allows(&[1, 1])
            && first.allows(&[0, 0])
    );
    assert!(!second.allows(&[6, 0]) && second.allows(&[5, 0]) && second.allows(&[6, 1]));
}

#[test]
fn declarations_that_make_no_sense_are_refused() {
    let check = |column: &str, expected: Expect| {
        expected.assert_eq(&schema(&format!("c: {column}")).unwrap_err().to_string());
    };
    check(
        "{boolean: false}",
        expect!["line 1: column `c`: write `boolean: true`, or leave it out"],
    );
    check(
        "{boolean: yes please}",
        expect!["line 1: expected `true`, or words as in `{true: [ja], false: [nein]}` here"],
    );
    check(
        "{datetime: {min: 2024-01-01, max: 2024-02-01}}",
        expect!["line 1: `2024-01-01` is not a date and time as 2015-01-31T10:30"],
    );
    check(
        "{datetime: {min: 2024-01-01T10:00, max: 2024-01-01T09:59}}",
        expect![
            "column `c`: `min` (2024-01-01T10:00:00) must be below `max` (2024-01-01T09:59:00)"
        ],
    );
    check(
        "{datetime: {min: 2024-01-01T10:00Z, max: 2024-01-02T10:00Z}}",
        expect!["line 1: `2024-01-01T10:00Z` is not a date and time as 2015-01-31T10:30"],
    );
}
