use super::*;
use expect_test::{Expect, expect};
use schema::{Declaration, Schema};

fn check(declared: &str, fields: &[&str], expected: Expect) {
    let declaration = Declaration::from_yaml(&format!("c: {declared}")).unwrap();
    let schema = Schema::new(declaration).unwrap();
    let mut coder = Coder::new(&schema.columns()[0]);
    for (row, field) in (1..).zip(fields) {
        coder.push(field.as_bytes(), row);
    }
    let shown = match coder.finish(RecordPosition::Line) {
        Ok(coded) => {
            let codes = coded.codes.widened();
            let label = |code: u32| match code as usize {
                gap if gap == coded.column.size() => "(gap)".into(),
                code => coded.column.label(code),
            };
            let each = fields.iter().zip(codes);
            let each = each.map(|(field, code)| format!("{field:?} -> {}", label(code)));
            let lines: Vec<String> = each.chain(coded.warnings.iter().cloned()).collect();
            lines.join("\n")
        }
        Err(refused) => refused.to_string(),
    };
    expected.assert_eq(shown.trim_end());
}

#[test]
fn undeclared_text_is_other() {
    check(
        "{categories: [low, high], nullable: true, other: true}",
        &["low", "mid", "", "high", "other", "Low", " low"],
        expect![[r#"
            "low" -> low
            "mid" -> other
            "" -> null
            "high" -> high
            "other" -> other
            "Low" -> low
            " low" -> low
            column `c`: 1 field is not among the declared categories and counted as `other` (first on line 2)
            column `c`: 1 field is surrounded by spaces, which are taken off (first on line 7)
            column `c`: 1 field is read in whatever letter case (first on line 6)"#]],
    );
}

#[test]
fn true_and_false_are_read_as_people_write_them() {
    check(
        "{boolean: true, nullable: true, tolerance: 0.5}",
        &[
            "true", "F", " YES ", "no", "1", "0", "t", "False", "", "y", "2",
        ],
        expect![[r#"
            "true" -> true
            "F" -> false
            " YES " -> true
            "no" -> false
            "1" -> true
            "0" -> false
            "t" -> true
            "False" -> false
            "" -> null
            "y" -> true
            "2" -> null
            column `c`: 1 field is neither true nor false and counted as empty (first on line 11)"#]],
    );
}

#[test]
fn dates_with_times_fall_into_bins_of_seconds() {
    check(
        "{datetime: {min: 2024-01-01T00:00, max: '2024-01-01 23:59:59', bins: 4}}",
        &[
            "2024-01-01T05:59:59",
            "2024-01-01 06:00",
            "2024-01-01T23:59:59.9",
            "2024-01-02T00:00",
            "2024-01-01",
        ],
        expect![[r#"
            "2024-01-01T05:59:59" -> 2024-01-01T00:00:00 to 2024-01-01T05:59:59
            "2024-01-01 06:00" -> 2024-01-01T06:00:00 to 2024-01-01T11:59:59
            "2024-01-01T23:59:59.9" -> 2024-01-01T18:00:00 to 2024-01-01T23:59:59
            "2024-01-02T00:00" -> 2024-01-01T18:00:00 to 2024-01-01T23:59:59
            "2024-01-01" -> 2024-01-01T00:00:00 to 2024-01-01T05:59:59
            column `c`: 1 field is outside the declared range 2024-01-01T00:00:00 to 2024-01-01T23:59:59 and counted as the nearest bound (first on line 4)
            column `c`: 1 field is a day alone, read as midnight (first on line 5)"#]],
    );
}

fn many(of: &[&'static str], usual: &'static str) -> Vec<&'static str> {
    let mut fields = of.to_vec();
    fields.resize(100 * of.len(), usual);
    fields
}

/// What is refused of these fields alone, or told of them among a hundred times as many.
fn check_few(declared: &str, few: &[&'static str], usual: &'static str, expected: Expect) {
    let declaration = Declaration::from_yaml(&format!("c: {declared}")).unwrap();
    let schema = Schema::new(declaration).unwrap();
    let column = &schema.columns()[0];
    let code = |fields: &[&str]| {
        let mut coder = Coder::new(column);
        for (row, field) in (1..).zip(fields) {
            coder.push(field.as_bytes(), row);
        }
        coder.finish(RecordPosition::Line)
    };
    let refused = code(few)
        .err()
        .map_or("taken in".to_owned(), |error| error.to_string());
    let coded = code(&many(few, usual)).ok().unwrap();
    let label = |code: u32| match code as usize {
        gap if gap == column.size() => "(gap)".to_owned(),
        code => column.label(code).into_owned(),
    };
    let codes = coded.codes.widened();
    let codes: Vec<String> = codes[..few.len()].iter().map(|&code| label(code)).collect();
    let shown = format!(
        "{refused}\n{}\n{}",
        codes.join(" | "),
        coded.warnings.join("\n")
    );
    expected.assert_eq(shown.trim_end());
}

#[test]
fn what_a_schema_lists_as_missing_is_missing() {
    check(
        "{integer: {min: 0, max: 99, bins: 2}, nullable: true, missing: [-999, '?']}",
        &["7", "-999", "-999.0", " ? ", "?", "NA", "none"],
        expect![[r#"
            "7" -> 0 to 49
            "-999" -> null
            "-999.0" -> null
            " ? " -> null
            "?" -> null
            "NA" -> null
            "none" -> null"#]],
    );
    check(
        "{categories: [NA, x], nullable: true, missing: [Unknown]}",
        &["NA", "x", "unknown", "null", ""],
        expect![[r#"
            "NA" -> NA
            "x" -> x
            "unknown" -> null
            "null" -> null
            "" -> null"#]],
    );
}

#[test]
fn numbers_in_their_dress_are_told() {
    check(
        "{number: {min: 0, max: 2000, bins: 2}, other: true}",
        &["$1,200.50", "1 200", "12%", "1,200", "1,200,300"],
        expect![[r#"
            "$1,200.50" -> 1000 to 2000
            "1 200" -> 1000 to 2000
            "12%" -> 0 to 1000
            "1,200" -> other
            "1,200,300" -> 1000 to 2000
            column `c`: 1 field is outside the declared range 0 to 2000 and counted as the nearest bound (first on line 5)
            column `c`: 1 field is not a number and counted as `other` (first on line 4)
            column `c`: 4 fields are read without separators of thousands and signs of currency or percent (first on line 1)"#]],
    );
    check(
        "{number: {min: 0, max: 2000, bins: 2, form: {decimal: comma}}, other: true}",
        &["1.200,50 €", "1.200", "1,2", "7"],
        expect![[r#"
            "1.200,50 €" -> 1000 to 2000
            "1.200" -> 1000 to 2000
            "1,2" -> 0 to 1000
            "7" -> 0 to 1000"#]],
    );
}

#[test]
fn dates_are_read_in_their_declared_form() {
    check(
        "{date: {min: 2020-01-01, max: 2020-12-31, bins: 2, format: '%d/%m/%Y'}, other: true}",
        &["31/12/2020", "1/2/2020", "2020-12-31", "12/31/2020"],
        expect![[r#"
            "31/12/2020" -> 2020-07-02 to 2020-12-31
            "1/2/2020" -> 2020-01-01 to 2020-07-01
            "2020-12-31" -> 2020-07-02 to 2020-12-31
            "12/31/2020" -> other
            column `c`: 1 field is not a date of the declared format and counted as `other` (first on line 4)
            column `c`: 1 field is in ISO 8601 all the same, and read so (first on line 3)"#]],
    );
    check(
        "{datetime: {min: 2020-01-01T00:00, max: 2020-12-31T23:59:59, bins: 2}, other: true}",
        &[
            "2020-12-31T23:30:00Z",
            "2020-01-01T00:30+01:00",
            "2020-07-03",
            "noon",
        ],
        expect![[r#"
            "2020-12-31T23:30:00Z" -> 2020-07-02T00:00:00 to 2020-12-31T23:59:59
            "2020-01-01T00:30+01:00" -> 2020-01-01T00:00:00 to 2020-07-01T23:59:59
            "2020-07-03" -> 2020-07-02T00:00:00 to 2020-12-31T23:59:59
            "noon" -> other
            column `c`: 1 field is outside the declared range 2020-01-01T00:00:00 to 2020-12-31T23:59:59 and counted as the nearest bound (first on line 2)
            column `c`: 1 field is not a date and time as 2015-01-31T10:30 and counted as `other` (first on line 4)
            column `c`: 2 fields are converted to UTC (first on line 1)
            column `c`: 1 field is a day alone, read as midnight (first on line 3)"#]],
    );
}

#[test]
fn words_of_truths_are_those_that_are_declared() {
    check(
        "{boolean: {true: [ja, J], false: [nein]}, other: true}",
        &["ja", "J", " JA", "nein", "true", "n"],
        expect![[r#"
            "ja" -> true
            "J" -> true
            " JA" -> true
            "nein" -> false
            "true" -> other
            "n" -> other
            column `c`: 2 fields are none of the declared words and counted as `other` (first on line 5)
            column `c`: 1 field is read in whatever letter case (first on line 3)"#]],
    );
}

#[test]
fn what_is_not_understood_is_refused_with_what_would_help() {
    check_few(
        "{integer: {min: 0, max: 9}}",
        &[""],
        "1",
        expect![[r#"
        column `c`: 1 of 1 fields are empty though the column is not nullable (first on line 1; declare `nullable: true`); at most 1 % may be so
        (gap)
        column `c`: 1 field is empty though the column is not nullable; a row with such a field is left out (first on line 1)"#]],
    );
    check_few(
        "{integer: {min: 0, max: 9}}",
        &["1.5"],
        "1",
        expect![[r#"
        column `c`: 1 of 1 fields are not a whole number (first on line 1; they have decimals: declare a `number`); at most 1 % may be so
        (gap)
        column `c`: 1 field is not a whole number; a row with such a field is left out (first on line 1)"#]],
    );
    check_few(
        "{number: {min: 0, max: 9}}",
        &["1,5"],
        "1",
        expect![[r#"
        column `c`: 1 of 1 fields are not a number (first on line 1; a decimal comma: declare `read: {decimal: comma}`); at most 1 % may be so
        (gap)
        column `c`: 1 field is not a number; a row with such a field is left out (first on line 1)"#]],
    );
    check_few(
        "{number: {min: 0, max: 9}}",
        &["1,500"],
        "1",
        expect![[r#"
        column `c`: 1 of 1 fields are not a number (first on line 1; is the comma before decimals or between thousands? declare `read: {decimal: comma}` or `read: {decimal: point}`); at most 1 % may be so
        (gap)
        column `c`: 1 field is not a number; a row with such a field is left out (first on line 1)"#]],
    );
    check_few(
        "{number: {min: 0, max: 9}}",
        &["x"],
        "1",
        expect![[r#"
        column `c`: 1 of 1 fields are not a number (first on line 1; list what stands for missing under `missing`, or declare `categories`); at most 1 % may be so
        (gap)
        column `c`: 1 field is not a number; a row with such a field is left out (first on line 1)"#]],
    );
    check_few(
        "{boolean: true}",
        &["ja", ""],
        "1",
        expect![[r#"
        column `c`: 1 of 2 fields are empty though the column is not nullable (first on line 2; declare `nullable: true`), and 1 of 2 fields are neither true nor false (first on line 1; declare the words: `boolean: {true: [..], false: [..]}`); at most 1 % may be so
        (gap) | (gap)
        column `c`: 1 field is neither true nor false; a row with such a field is left out (first on line 1)
        column `c`: 1 field is empty though the column is not nullable; a row with such a field is left out (first on line 2)"#]],
    );
    check_few(
        "{categories: [primary, secondary]}",
        &["secundary"],
        "primary",
        expect![[r#"
            column `c`: 1 of 1 fields are not among the declared categories (first on line 1; did you mean `secondary`?); at most 1 % may be so
            (gap)
            column `c`: 1 field is not among the declared categories; a row with such a field is left out (first on line 1)"#]],
    );
    check_few(
        "{categories: [a, b], nullable: true}",
        &["some text"],
        "a",
        expect![[r#"
            column `c`: 1 of 1 fields are not among the declared categories (first on line 1; list them among the categories, or declare `other: true`); at most 1 % may be so
            null
            column `c`: 1 field is not among the declared categories and counted as empty (first on line 1)"#]],
    );
    let date = "{date: {min: 2020-01-01, max: 2020-12-31, bins: 2}}";
    check_few(
        date,
        &["31/12/2020", "13/1/2020"],
        "2020-01-01",
        expect![[r#"
            column `c`: 2 of 2 fields are not a date as 2015-01-31 (first on line 1; declare `format: '%d/%m/%Y'`); at most 1 % may be so
            (gap) | (gap)
            column `c`: 2 fields are not a date as 2015-01-31; a row with such a field is left out (first on line 1)"#]],
    );
    check_few(
        date,
        &["1/2/2020"],
        "2020-01-01",
        expect![[r#"
        column `c`: 1 of 1 fields are not a date as 2015-01-31 (first on line 1; declare `format: '%d/%m/%Y'` or `format: '%m/%d/%Y'`); at most 1 % may be so
        (gap)
        column `c`: 1 field is not a date as 2015-01-31; a row with such a field is left out (first on line 1)"#]],
    );
    check_few(
        date,
        &["in May"],
        "2020-01-01",
        expect![[r#"
        column `c`: 1 of 1 fields are not a date as 2015-01-31 (first on line 1; say how they are written, as in `format: '%d/%m/%Y'`); at most 1 % may be so
        (gap)
        column `c`: 1 field is not a date as 2015-01-31; a row with such a field is left out (first on line 1)"#]],
    );
    let datetime = "{datetime: {min: 2020-01-01T00:00, max: 2020-12-31T00:00, bins: 2}}";
    check_few(
        datetime,
        &["31.12.2020 10:30"],
        "2020-01-01T00:00",
        expect![[r#"
            column `c`: 1 of 1 fields are not a date and time as 2015-01-31T10:30 (first on line 1; declare `format: '%d.%m.%Y %H:%M'`); at most 1 % may be so
            (gap)
            column `c`: 1 field is not a date and time as 2015-01-31T10:30; a row with such a field is left out (first on line 1)"#]],
    );
    check_few(
        datetime,
        &["31.12.2020"],
        "2020-01-01T00:00",
        expect![[r#"
        column `c`: 1 of 1 fields are not a date and time as 2015-01-31T10:30 (first on line 1; these are dates without a time: declare a `date`); at most 1 % may be so
        (gap)
        column `c`: 1 field is not a date and time as 2015-01-31T10:30; a row with such a field is left out (first on line 1)"#]],
    );
}

#[test]
fn a_tolerance_is_the_share_that_may_be_not_understood() {
    let coded = |tolerance: &str, bad: usize| {
        let yaml = format!("c: {{integer: {{min: 0, max: 9}}, tolerance: {tolerance}}}");
        let schema = Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap();
        let mut coder = Coder::new(&schema.columns()[0]);
        for row in 0..1000_u64 {
            let field: &[u8] = if row < bad as u64 { b"x" } else { b"1" };
            coder.push(field, row);
        }
        coder.finish(RecordPosition::Line).is_ok()
    };
    assert!(coded("0.01", 10) && !coded("0.01", 11));
    assert!(coded("0", 0) && !coded("0", 1));
    assert!(coded("0.5", 500) && !coded("0.5", 501));
}

#[test]
fn without_other_undeclared_text_is_null() {
    check(
        "{categories: [low, high], nullable: true, tolerance: 0.5}",
        &["low", "mid", ""],
        expect![[r#"
            "low" -> low
            "mid" -> null
            "" -> null
            column `c`: 1 field is not among the declared categories and counted as empty (first on line 2)"#]],
    );
}

#[test]
fn without_other_and_null_the_row_has_a_gap() {
    check(
        "{categories: [low, high], tolerance: 0.7}",
        &["high", "mid", ""],
        expect![[r#"
            "high" -> high
            "mid" -> (gap)
            "" -> (gap)
            column `c`: 1 field is not among the declared categories; a row with such a field is left out (first on line 2)
            column `c`: 1 field is empty though the column is not nullable; a row with such a field is left out (first on line 3)"#]],
    );
}

#[test]
fn an_empty_text_can_be_a_category() {
    check(
        "{categories: [low, '']}",
        &["low", ""],
        expect![[r#"
        "low" -> low
        "" ->"#]],
    );
}

#[test]
fn whole_numbers_are_clamped() {
    check(
        "{integer: {min: 0, max: 120, bins: 4}, nullable: true, tolerance: 0.5}",
        &[
            "0", "-5", "130", "60", "60.0", "60.5", "sixty", "", "NaN", " 7 ",
        ],
        expect![[r#"
            "0" -> 0 to 29
            "-5" -> 0 to 29
            "130" -> 90 to 120
            "60" -> 60 to 89
            "60.0" -> 60 to 89
            "60.5" -> null
            "sixty" -> null
            "" -> null
            "NaN" -> null
            " 7 " -> 0 to 29
            column `c`: 2 fields are outside the declared range 0 to 120 and counted as the nearest bound (first on line 2)
            column `c`: 2 fields are not a whole number and counted as empty (first on line 6)"#]],
    );
}

#[test]
fn numbers_are_clamped() {
    check(
        "{number: {min: 0, max: 1, bins: 4}, other: true, tolerance: 0.5}",
        &["0", "0.25", "1", "1e-2", "-0.1", "2", "inf", "nan", ""],
        expect![[r#"
            "0" -> 0 to 0.25
            "0.25" -> 0.25 to 0.5
            "1" -> 0.75 to 1
            "1e-2" -> 0 to 0.25
            "-0.1" -> 0 to 0.25
            "2" -> 0.75 to 1
            "inf" -> other
            "nan" -> other
            "" -> other
            column `c`: 2 fields are outside the declared range 0 to 1 and counted as the nearest bound (first on line 5)
            column `c`: 1 field is not a number and counted as `other` (first on line 7)
            column `c`: 2 fields are empty though the column is not nullable and counted as `other` (first on line 8)"#]],
    );
}

#[test]
fn dates_are_clamped() {
    check(
        "{date: {min: 2020-01-01, max: 2020-12-31, bins: 2}, tolerance: 0.5}",
        &[
            "2020-01-01",
            "2020-07-01",
            "2020-07-02",
            "2021-01-01",
            "1.2.2020",
            "",
        ],
        expect![[r#"
            "2020-01-01" -> 2020-01-01 to 2020-07-01
            "2020-07-01" -> 2020-01-01 to 2020-07-01
            "2020-07-02" -> 2020-07-02 to 2020-12-31
            "2021-01-01" -> 2020-07-02 to 2020-12-31
            "1.2.2020" -> (gap)
            "" -> (gap)
            column `c`: 1 field is outside the declared range 2020-01-01 to 2020-12-31 and counted as the nearest bound (first on line 4)
            column `c`: 1 field is not a date as 2015-01-31; a row with such a field is left out (first on line 5)
            column `c`: 1 field is empty though the column is not nullable; a row with such a field is left out (first on line 6)"#]],
    );
}
