//! Conditions: what they refuse, and what they weigh.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use expect_test::{Expect, expect};
use schema::{Condition, Declaration, Schema};

const COLUMNS: &str = r#"{
    Alice_age: {integer: {min: 0, max: 99, bins: 10}, nullable: true},
    Alice_id number: {integer: {min: -5, max: 5}},
    income: {number: {min: 0, max: 1000, bins: {cuts: [1e-7, 250, 500]}}, other: true},
    joined: {date: {min: 2020-01-01, max: 2020-12-31, bins: 4}, nullable: true},
    Bob_value: {categories: [good, fair, "very poor", "it's"], nullable: true, other: true}}"#;

fn schema(yaml: &str) -> Schema {
    Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap()
}

fn check(condition: &str, expected: Expect) {
    let schema = schema(COLUMNS);
    let shown = match Condition::parse(condition, &schema) {
        Err(error) => error.to_string(),
        Ok(condition) => {
            let mut shown = String::new();
            for column in condition.columns() {
                let name = schema.columns()[column].name();
                shown += &format!("{name}: {:?}\n", condition.weights(column).unwrap());
            }
            shown
        }
    };
    expected.assert_eq(shown.trim_end());
}

#[test]
fn both_ends_of_a_range_are_included_and_a_bin_counts_by_its_share() {
    check(
        "Alice_age in 35..42",
        expect![[r#"Alice_age: [0.0, 0.0, 0.0, 0.5, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]"#]],
    );
    check(
        "Alice_age >= 35 AND Alice_age<43",
        expect![[r#"Alice_age: [0.0, 0.0, 0.0, 0.5, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]"#]],
    );
    check(
        "income in 125..250",
        expect![[r#"income: [0.0, 0.5000000002, 0.0, 0.0, 0.0]"#]],
    );
    check(
        "joined > 2020-11-30",
        expect![[r#"joined: [0.0, 0.0, 0.0, 0.33695652173913043, 0.0]"#]],
    );
}

#[test]
fn several_values_may_be_listed_or_left_out() {
    check(
        "Bob_value in [good, 'very poor', other]",
        expect![[r#"Bob_value: [1.0, 0.0, 1.0, 0.0, 1.0, 0.0]"#]],
    );
    check(
        "Bob_value != good",
        expect![[r#"Bob_value: [0.0, 1.0, 1.0, 1.0, 1.0, 0.0]"#]],
    );
    check(
        "Alice_age in [3, 7, 12] and Alice_age != 7",
        expect![[r#"Alice_age: [0.1, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]"#]],
    );
    check(
        "'Alice_id number' in -5..-4",
        expect![[r#"Alice_id number: [1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]"#]],
    );
    check(
        "Bob_value = \"it's\" and Bob_value = 'it''s'",
        expect![[r#"Bob_value: [0.0, 0.0, 0.0, 1.0, 0.0, 0.0]"#]],
    );
}

#[test]
fn missing_values_satisfy_only_that_they_are_missing() {
    check(
        "Alice_age is missing",
        expect![[r#"Alice_age: [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]"#]],
    );
    check(
        "Alice_age is not missing",
        expect![[r#"Alice_age: [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]"#]],
    );
    check(
        "Alice_age <= 99",
        expect![[r#"Alice_age: [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0]"#]],
    );
    check(
        "income is not missing and income != 0",
        expect![[r#"income: [0.0, 1.0, 1.0, 1.0, 1.0]"#]],
    );
}

#[test]
fn a_single_number_has_no_probability_unless_it_is_a_bin_of_its_own() {
    check(
        "income = 0",
        expect![[r#"income: [1.0, 0.0, 0.0, 0.0, 0.0]"#]],
    );
    check(
        "income = 300",
        expect![[
            r#"in the condition at character 1, `income = 300`: column `income` holds numbers between bounds, of which a single one has no probability; ask for a range, such as `in 4.5..5.5`"#
        ]],
    );
    check(
        "income in 300..300",
        expect![[
            r#"in the condition at character 1, `income in 300..300`: column `income` holds numbers between bounds, of which a single one has no probability; ask for a range, such as `in 4.5..5.5`"#
        ]],
    );
    check(
        "income in [0, 300]",
        expect![[
            r#"in the condition at character 15, `300`: column `income` holds numbers between bounds, of which a single one has no probability; ask for a range, such as `in 4.5..5.5`"#
        ]],
    );
    check(
        "income >= 300 and income <= 300",
        expect![[
            r#"in the condition at character 19, `income <= 300`: together with the tests before it, it leaves no value of column `income`"#
        ]],
    );
}

#[test]
fn what_is_not_a_condition_is_refused_with_its_place() {
    for (condition, expected) in [
        (
            "",
            expect![[r#"the condition is empty: expected a column's name"#]],
        ),
        (
            "age = 30",
            expect![[
                r#"in the condition at character 1, `age`: there is no such column; did you mean `Alice_age`?"#
            ]],
        ),
        (
            "Alice_agee = 30",
            expect![[
                r#"in the condition at character 1, `Alice_agee`: there is no such column; did you mean `Alice_age`?"#
            ]],
        ),
        (
            "zip = 30",
            expect![[
                r#"in the condition at character 1, `zip`: there is no such column; there are `Alice_age`, `Alice_id number`, `income`, `joined` and `Bob_value`"#
            ]],
        ),
        (
            "Alice_age = thirty",
            expect![[
                r#"in the condition at character 13, `thirty`: this is not a whole number, which column `Alice_age` holds"#
            ]],
        ),
        (
            "Alice_age = 30.5",
            expect![[
                r#"in the condition at character 13, `30.5`: this is not a whole number, which column `Alice_age` holds"#
            ]],
        ),
        (
            "joined > 1.1.2020",
            expect![[
                r#"in the condition at character 10, `1.1.2020`: this is not a date as 2015-01-31, which column `joined` holds"#
            ]],
        ),
        (
            "Bob_value = god",
            expect![[
                r#"in the condition at character 13, `god`: column `Bob_value` has no such value; did you mean `good`?"#
            ]],
        ),
        (
            "Bob_value = null",
            expect![[
                r#"in the condition at character 13, `null`: column `Bob_value` has no such value; for empty fields write `is missing`"#
            ]],
        ),
        (
            "Bob_value = excellent",
            expect![[
                r#"in the condition at character 13, `excellent`: column `Bob_value` has no such value; it holds `good`, `fair`, `very poor` and `it's`"#
            ]],
        ),
        (
            "Bob_value > good",
            expect![[
                r#"in the condition at character 1, `Bob_value > good`: column `Bob_value` holds values that have no order; use `=`, `!=` or a list such as `in [a, b]`"#
            ]],
        ),
        (
            "Bob_value in good..fair",
            expect![[
                r#"in the condition at character 1, `Bob_value in good..fair`: column `Bob_value` holds values that have no order; use `=`, `!=` or a list such as `in [a, b]`"#
            ]],
        ),
        (
            "Alice_age in 40..30",
            expect![[
                r#"in the condition at character 14, `40..30`: the range is empty, since its first value is above its last; swap them"#
            ]],
        ),
        (
            "Alice_age in [30, 130]",
            expect![[
                r#"in the condition at character 19, `130`: no value of column `Alice_age` satisfies this; it goes from 0 to 99"#
            ]],
        ),
        (
            "Alice_age > 99",
            expect![[
                r#"in the condition at character 1, `Alice_age > 99`: no value of column `Alice_age` satisfies this; it goes from 0 to 99"#
            ]],
        ),
        (
            "Alice_age in 3..4 and Alice_age > 5",
            expect![[
                r#"in the condition at character 23, `Alice_age > 5`: together with the tests before it, it leaves no value of column `Alice_age`"#
            ]],
        ),
        (
            "'Alice_id number' is missing",
            expect![[
                r#"in the condition at character 1, `'Alice_id number' is missing`: column `Alice_id number` is never missing"#
            ]],
        ),
        (
            "Bob_value = good or Alice_age = 3",
            expect![[
                r#"in the condition at character 18, `or`: `or` is not possible, since a condition is one set of values for each column; for several values of one column write `column in [a, b]`, and for different columns draw from each condition on its own"#
            ]],
        ),
        (
            "Bob_value = very poor",
            expect![[
                r#"in the condition at character 18, `poor`: expected `and` or the end; a value with spaces or signs in it goes in quotes"#
            ]],
        ),
        (
            "Bob_value = 'very poor",
            expect![[
                r#"in the condition at character 13, `'very poor`: the quote is not closed; a quote within quotes is written twice"#
            ]],
        ),
        (
            "Bob_value",
            expect![[
                r#"at the end of the condition: expected one of `=`, `!=`, `<`, `<=`, `>`, `>=`, `in` and `is`"#
            ]],
        ),
        (
            "Bob_value = ",
            expect![[
                r#"at the end of the condition: expected a value; a value with spaces or signs in it goes in quotes"#
            ]],
        ),
        (
            "Bob_value = good and",
            expect![[r#"at the end of the condition: expected a column's name"#]],
        ),
        (
            "Bob_value = good && Alice_age = 3",
            expect![[
                r#"in the condition at character 18, `&`: '&' has no meaning here; tests are joined by `and`, and a name or value with signs in it goes in quotes"#
            ]],
        ),
        (
            "Alice_age in 30",
            expect![[
                r#"at the end of the condition: expected `..` and the last value of the range"#
            ]],
        ),
        (
            "Alice_age in [30, 31",
            expect![[r#"at the end of the condition: expected `,` or `]`"#]],
        ),
        (
            "Alice_age is 30",
            expect![[
                r#"in the condition at character 14, `30`: expected `missing` or `not missing`"#
            ]],
        ),
        (
            "(Alice_age = 30)",
            expect![[
                r#"in the condition at character 1, `(`: '(' has no meaning here; tests are joined by `and`, and a name or value with signs in it goes in quotes"#
            ]],
        ),
        (
            "Größe = 1",
            expect![[
                r#"in the condition at character 1, `Größe`: there is no such column; there are `Alice_age`, `Alice_id number`, `income`, `joined` and `Bob_value`"#
            ]],
        ),
        (
            "Alice_age = 3 and 身長 = 1",
            expect![[
                r#"in the condition at character 19, `身長`: there is no such column; there are `Alice_age`, `Alice_id number`, `income`, `joined` and `Bob_value`"#
            ]],
        ),
    ] {
        check(condition, expected);
    }
}

#[test]
fn a_hostile_text_is_refused_in_good_time() {
    let schema = schema(COLUMNS);
    for text in [
        "[".repeat(100_000),
        "a and ".repeat(20_000),
        "'".repeat(99_999),
    ] {
        assert!(Condition::parse(&text, &schema).is_err());
    }
}
