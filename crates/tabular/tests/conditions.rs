//! Conditions: what they refuse, what they weigh, and that every row written within one satisfies
//! it.
#![expect(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use expect_test::{Expect, expect};
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use tabular::{Condition, Declaration, Format, RowWriter, Schema};

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
            r#"in the condition at character 19, `income <= 300`: together with what stands before it, it leaves no value of column `income`"#
        ]],
    );
}

#[test]
fn what_is_no_condition_is_refused_with_its_place() {
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
                r#"in the condition at character 13, `god`: this is no value of column `Bob_value`; did you mean `good`?"#
            ]],
        ),
        (
            "Bob_value = null",
            expect![[
                r#"in the condition at character 13, `null`: this is no value of column `Bob_value`; for empty fields write `is missing`"#
            ]],
        ),
        (
            "Bob_value = excellent",
            expect![[
                r#"in the condition at character 13, `excellent`: this is no value of column `Bob_value`; it holds `good`, `fair`, `very poor` and `it's`"#
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
                r#"in the condition at character 14, `40..30`: the range is empty, since its first value is above its last; turn them round"#
            ]],
        ),
        (
            "Alice_age in [30, 130]",
            expect![[
                r#"in the condition at character 19, `130`: no value of column `Alice_age` is so; it goes from 0 to 99"#
            ]],
        ),
        (
            "Alice_age > 99",
            expect![[
                r#"in the condition at character 1, `Alice_age > 99`: no value of column `Alice_age` is so; it goes from 0 to 99"#
            ]],
        ),
        (
            "Alice_age in 3..4 and Alice_age > 5",
            expect![[
                r#"in the condition at character 23, `Alice_age > 5`: together with what stands before it, it leaves no value of column `Alice_age`"#
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

/// A test of one column in words, and whether a written field satisfies it.
struct Tested {
    text: String,
    holds: Box<dyn Fn(&str) -> bool>,
}

impl Tested {
    fn new(text: String, holds: impl Fn(&str) -> bool + 'static) -> Tested {
        let holds = Box::new(holds);
        Tested { text, holds }
    }
}

impl std::fmt::Debug for Tested {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

/// Tests of an ordered column whose fields are read by `value`.
fn ordered<T: PartialOrd + Clone + std::fmt::Debug + 'static>(
    column: &'static str,
    values: impl Strategy<Value = T> + Clone + 'static,
    show: fn(&T) -> String,
    value: fn(&str) -> Option<T>,
) -> impl Strategy<Value = Tested> {
    let signs = prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">="]);
    let compared = (signs, values.clone()).prop_map(move |(sign, bound)| {
        let text = format!("{column} {sign} {}", show(&bound));
        let holds = move |field: &str| {
            value(field).is_some_and(|value| match sign {
                "=" => value == bound,
                "!=" => value != bound,
                "<" => value < bound,
                "<=" => value <= bound,
                ">" => value > bound,
                _ => value >= bound,
            })
        };
        Tested::new(text, holds)
    });
    let between = (values.clone(), values.clone()).prop_map(move |(a, b)| {
        let (first, last) = if a <= b { (a, b) } else { (b, a) };
        let text = format!("{column} in {}..{}", show(&first), show(&last));
        let holds = move |field: &str| value(field).is_some_and(|v| first <= v && v <= last);
        Tested::new(text, holds)
    });
    let listed = prop::collection::vec(values, 1..5).prop_map(move |listed| {
        let shown: Vec<String> = listed.iter().map(show).collect();
        let text = format!("{column} in [{}]", shown.join(", "));
        let holds = move |field: &str| value(field).is_some_and(|value| listed.contains(&value));
        Tested::new(text, holds)
    });
    prop_oneof![compared, between, listed, missing(column)]
}

fn missing(column: &'static str) -> impl Strategy<Value = Tested> {
    any::<bool>().prop_map(move |missing| {
        let text = format!("{column} is {}missing", if missing { "" } else { "not " });
        let holds = move |field: &str| field.is_empty() == missing;
        Tested::new(text, holds)
    })
}

fn categories() -> impl Strategy<Value = Tested> {
    const TEXTS: [&str; 4] = ["good", "very poor", "a,b", "other"];
    let chosen = prop::collection::vec(prop::sample::select(TEXTS.to_vec()), 1..4);
    let listed = chosen.prop_map(|listed| {
        let text = format!("c in ['{}']", listed.join("', '"));
        let holds = move |field: &str| listed.contains(&field);
        Tested::new(text, holds)
    });
    let unequal = prop::sample::select(TEXTS.to_vec()).prop_map(|text| {
        let holds = move |field: &str| !field.is_empty() && field != text;
        Tested::new(format!("c != '{text}'"), holds)
    });
    prop_oneof![listed, unequal, missing("c")]
}

const ALL_KINDS: &str = r#"{
    i: {integer: {min: -30, max: 70, bins: 7}, nullable: true},
    n: {number: {min: -2, max: 9, bins: {cuts: [0, 1e-10, 0.25, 8]}}, nullable: true},
    d: {date: {min: 2020-01-01, max: 2020-12-31, bins: 5}, nullable: true},
    c: {categories: [good, very poor, "a,b"], nullable: true, other: true}}"#;

fn day(field: &str) -> Option<tabular::Day> {
    field.parse().ok()
}

fn tests() -> impl Strategy<Value = Vec<(usize, Tested)>> {
    let days = (0..400_i64).prop_map(|day| tabular::Day::from_number(18_250 + day).unwrap());
    let numbers = prop_oneof![-3.0..10.0_f64, prop::sample::select(vec![0.0, 0.25, 8.0])];
    let one = prop_oneof![
        ordered("i", -40..80_i64, |v| v.to_string(), |f| f.parse().ok()).prop_map(|t| (0, t)),
        ordered("n", numbers, |v| format!("{v:?}"), |f| f.parse().ok()).prop_map(|t| (1, t)),
        ordered("d", days, |v| v.to_string(), day).prop_map(|t| (2, t)),
        categories().prop_map(|t| (3, t)),
    ];
    prop::collection::vec(one, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn every_row_written_within_a_condition_satisfies_it(tests in tests(), seed: u64) {
        let schema = schema(ALL_KINDS);
        let text: Vec<&str> = tests.iter().map(|(_, test)| test.text.as_str()).collect();
        let text = text.join(" and ");
        let Ok(condition) = Condition::parse(&text, &schema) else { return Ok(()) };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let codes: Vec<Vec<u32>> = (0..schema.columns().len())
            .map(|column| {
                let wanted: Vec<u32> = match condition.weights(column) {
                    Some(weights) => (0..)
                        .zip(weights)
                        .filter(|(_, w)| **w > 0.0)
                        .map(|(code, _)| code)
                        .collect(),
                    None => vec![0],
                };
                (0..60).map(|_| wanted[rng.next_u32() as usize % wanted.len()]).collect()
            })
            .collect();
        let mut out = Vec::new();
        let mut writer = RowWriter::new(Format::Csv, &schema).within(&condition);
        writer.write(&codes, &mut rng, &mut out).unwrap();
        writer.finish(&mut out).unwrap();
        let mut reader = csv::Reader::from_reader(out.as_slice());
        for record in reader.records() {
            let record = record.unwrap();
            for (column, test) in &tests {
                prop_assert!(
                    (test.holds)(&record[*column]),
                    "{test:?}: {:?} in {text}",
                    &record[*column]
                );
            }
        }
    }

    #[test]
    fn a_weight_is_the_share_of_written_values_that_satisfy_the_condition(tests in tests(), seed: u64) {
        const DRAWS: usize = 400;
        let schema = schema(ALL_KINDS);
        let (column, Tested { text, holds }) = &tests[0];
        let Ok(condition) = Condition::parse(text, &schema) else { return Ok(()) };
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for (code, weight) in (0..).zip(condition.weights(*column).unwrap()) {
            let mut codes = vec![vec![0; DRAWS]; schema.columns().len()];
            codes[*column].fill(code);
            let mut out = Vec::new();
            let mut writer = RowWriter::new(Format::Csv, &schema);
            writer.write(&codes, &mut rng, &mut out).unwrap();
            writer.finish(&mut out).unwrap();
            let mut reader = csv::Reader::from_reader(out.as_slice());
            let satisfied = reader
                .records()
                .filter(|record| holds(&record.as_ref().unwrap()[*column]))
                .count();
            let share = satisfied as f64 / DRAWS as f64;
            // Numbers are rounded to a hundredth of their bin; six standard deviations.
            prop_assert!(
                (share - weight).abs() < 0.02 + 6.0 * 0.5 / (DRAWS as f64).sqrt(),
                "{text}, code {code}: {share} against {weight}"
            );
        }
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
