//! Declarations as people write them, with what is said when they slip.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use expect_test::{Expect, expect};
use schema::{Declaration, Kind, Schema, SchemaError};

fn load(yaml: &str) -> Result<Schema, SchemaError> {
    Schema::new(Declaration::from_yaml(yaml)?)
}

fn check_refused(yaml: &str, expected: Expect) {
    expected.assert_eq(&format!("{}\n", load(yaml).unwrap_err()));
}

/// Each column with its kind and the labels of its codes.
fn check(yaml: &str, expected: Expect) {
    let schema = load(yaml).unwrap();
    let mut text = String::new();
    for column in schema.columns() {
        let labels: Vec<_> = (0..column.size()).map(|code| column.label(code)).collect();
        let labels = if labels.len() > 6 {
            format!(
                "{}, {}, .., {}",
                labels[0],
                labels[1],
                labels[labels.len() - 1]
            )
        } else {
            labels.join(", ")
        };
        text += &format!(
            "{} ({}, {}): {labels}\n",
            column.name(),
            column.kind().name(),
            column.size()
        );
    }
    expected.assert_eq(&text);
}

#[test]
fn the_agreed_examples_load_as_they_stand() {
    check(
        "
buying: {categories: [low, med, high, vhigh]}
age: {integer: {min: 0, max: 120, bins: 32}}
income: {number: {min: 0, max: 1e6, bins: quantile}}
joined: {date: {min: 2015-01-01, max: 2026-12-31}}
note: {categories: [yes, no], nullable: true, other: true}
",
        expect![[r#"
            buying (categories, 4): low, med, high, vhigh
            age (integer, 32): 0 to 2, 3 to 6, .., 117 to 120
            income (number, 1024): 0 to 976.5625, 976.5625 to 1953.125, .., 999023.4375 to 1000000
            joined (date, 32): 2015-01-01 to 2015-05-16, 2015-05-17 to 2015-09-30, .., 2026-08-17 to 2026-12-31
            note (categories, 4): yes, no, other, null
        "#]],
    );
}

#[test]
fn categories_are_the_texts_as_written() {
    let texts = |list: &str| {
        let schema = load(&format!("c: {{categories: {list}}}")).unwrap();
        match schema.columns()[0].kind() {
            Kind::Categories(texts) => texts.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        texts("[yes, no, on, off, true, False, y, n]"),
        ["yes", "no", "on", "off", "true", "False", "y", "n"]
    );
    assert_eq!(
        texts("[1, 2.0, 1e6, '007', '0x1F', '1_000', +5, .5]"),
        ["1", "2.0", "1e6", "007", "0x1F", "1_000", "+5", ".5"]
    );
    assert_eq!(
        texts("['1', \"2\", 'it''s', \"a\\u00E4b\", '']"),
        ["1", "2", "it's", "aäb", ""]
    );
    assert_eq!(
        texts("[2015-01-01, '12:30', a b, é]"),
        ["2015-01-01", "12:30", "a b", "é"]
    );
    assert_eq!(texts("[\"null\", '.nan', inf]"), ["null", ".nan", "inf"]);
    let block = load(
        "c:
  categories:
    - block
    - 2
",
    )
    .unwrap();
    assert_eq!(block.columns()[0].label(1), "2");
}

#[test]
fn bins_come_in_several_ways() {
    check(
        "
few: {integer: {min: 1, max: 5}}
many: {integer: {min: 0, max: 1000}}
cut: {integer: {min: 0, max: 120, bins: {cuts: [18, 65]}}}
quantiles: {number: {min: -1, max: 1, bins: {quantile: 4}}}
cuts: {number: {min: 0, max: 100, bins: {cuts: [0.5, 20]}}}
days: {date: {min: 2020-02-27, max: 2020-03-01}}
halves: {date: {min: 2020-01-01, max: 2020-12-31, bins: 2}, nullable: true}
one: {integer: {min: 7, max: 7}}
",
        expect![[r#"
            few (integer, 5): 1, 2, 3, 4, 5
            many (integer, 32): 0 to 30, 31 to 61, .., 969 to 1000
            cut (integer, 3): 0 to 17, 18 to 64, 65 to 120
            quantiles (number, 1024): -1 to -0.998046875, -0.998046875 to -0.99609375, .., 0.998046875 to 1
            cuts (number, 3): 0 to 0.5, 0.5 to 20, 20 to 100
            days (date, 4): 2020-02-27, 2020-02-28, 2020-02-29, 2020-03-01
            halves (date, 3): 2020-01-01 to 2020-07-01, 2020-07-02 to 2020-12-31, null
            one (integer, 1): 7
        "#]],
    );
}

#[test]
fn a_slip_is_answered_with_what_was_probably_meant() {
    check_refused(
        "age: {integr: {min: 0, max: 1}}",
        expect![[r#"
        line 1: unknown key `integr`; did you mean `integer`?
    "#]],
    );
    check_refused(
        "a: {categories: [x]}\nage:\n  integer:\n    min: 0\n    maxx: 1\n",
        expect![[r#"
            line 5: unknown key `maxx`; did you mean `max`?
        "#]],
    );
    check_refused(
        "note: {categories: [x], nulable: true}",
        expect![[r#"
        line 1: unknown key `nulable`; did you mean `nullable`?
    "#]],
    );
    check_refused(
        "note: {categories: [x], colour: red}",
        expect![[r#"
            line 1: unknown key `colour`; known here are `categories`, `integer`, `number`, `date`, `datetime`, `boolean`, `identifier`, `nullable`, `other`, `missing` and `tolerance`
        "#]],
    );
    check_refused(
        "n: {number: {min: 0, max: 1, bins: {quantiles: 3}}}",
        expect![[r#"
            line 1: unknown key `quantiles`; did you mean `quantile`?
        "#]],
    );
    check_refused(
        "n: {number: {min: 0, max: 1, bins: equal}}",
        expect![[r#"
        line 1: `bins` must be a number, `quantile`, `{quantile: 20}` or `{cuts: [..]}`, not `equal`
    "#]],
    );
}

#[test]
fn what_is_missing_or_too_much_is_said() {
    check_refused(
        "",
        expect![[r#"
        no columns are declared; declare at least one, or leave the declaration out
    "#]],
    );
    check_refused(
        "{}",
        expect![[r#"
        no columns are declared; declare at least one, or leave the declaration out
    "#]],
    );
    check_refused(
        "age: {}",
        expect![[r#"
            line 1: column `age` does not say what it holds; add `categories`, `integer`, `number`, `date`, `datetime`, `boolean` or `identifier`
        "#]],
    );
    check_refused(
        "age: {nullable: true}",
        expect![[r#"
            line 1: column `age` does not say what it holds; add `categories`, `integer`, `number`, `date`, `datetime`, `boolean` or `identifier`
        "#]],
    );
    check_refused(
        "age: {integer: {min: 0, max: 1}, categories: [x]}",
        expect![[r#"
            line 1: column `age` says more than once what it holds; keep one of `categories`, `integer`, `number`, `date`, `datetime`, `boolean` or `identifier`
        "#]],
    );
    check_refused(
        "age: {integer: {min: 0}}",
        expect![[r#"
            line 1: a range needs `min` and `max`; `max` is missing
        "#]],
    );
    check_refused(
        "a: {categories: [x]}\na: {categories: [y]}",
        expect![[r#"
            line 2: the key `a` is given twice
        "#]],
    );
    check_refused(
        "a: [x, y]",
        expect![[r#"
            line 1: expected a mapping (`key: value` lines) here
        "#]],
    );
    check_refused(
        "a: {categories: x}",
        expect![[r#"
            line 1: expected a list here
        "#]],
    );
    check_refused(
        "a: {categories: []}",
        expect![[r#"
        column `a` has no categories; list at least one
    "#]],
    );
    check_refused(
        "a: {categories: [x, y, x]}",
        expect![[r#"
        column `a` lists the category "x" twice
    "#]],
    );
    check_refused(
        "a: {categories: [x, null]}",
        expect![[r#"
            line 1: this is a list of texts; write "null" in quotes, or `nullable: true` for empty fields
        "#]],
    );
    check_refused(
        "\"\": {categories: [x]}",
        expect![[r#"
        the column name "" cannot be used: a name has 1 to 256 bytes
    "#]],
    );
    check_refused(
        "\"a\\tb\": {categories: [x]}",
        expect![[r#"
        the column name "a\tb" cannot be used: it has the character U+0009 at position 2, a control character; remove it
    "#]],
    );
    check_refused(
        "a: {categories: [x, \"y\\nz\"]}",
        expect![[r#"
        column `a`: the category "y\nz" has the character U+000A at position 2, a control character; remove it
    "#]],
    );
    check_refused(
        "a: {categories: [x]",
        expect![[r#"
            line 1: unclosed bracket '{'
        "#]],
    );
}

#[test]
fn keys_given_twice_are_refused() {
    check_refused(
        "a: {categories: [x], other: true, other: false}",
        expect![[r#"
            line 1: the key `other` is given twice
        "#]],
    );
    check_refused(
        "a: {integer: {min: 0, min: 1, max: 2}}",
        expect![[r#"
        line 1: the key `min` is given twice
    "#]],
    );
    check_refused(
        "a: {number: {min: 0, max: 1, bins: {quantile: 3, cuts: [0.5]}}}",
        expect![[r#"
            line 1: `bins` takes one of `quantile` and `cuts`
        "#]],
    );
}

#[test]
fn a_number_in_quotes_is_a_text() {
    for (column, line) in [
        (
            "integer: {min: '0', max: 9}",
            "`0` is a text here, not a whole number",
        ),
        (
            "integer: {min: 0, max: \"030\"}",
            "`030` is a text here, not a whole number",
        ),
        (
            "number: {min: 0, max: '1e6'}",
            "`1e6` is a text here, not a number",
        ),
        (
            "number: {min: 0, max: 9, bins: {cuts: ['5']}}",
            "`5` is a text here, not a number",
        ),
        (
            "integer: {min: 0, max: 9, bins: '5'}",
            "`bins` must be a number",
        ),
        (
            "number: {min: 0, max: 9, bins: {quantile: '5'}}",
            "drop the quotes",
        ),
        (
            "boolean: 'true'",
            "expected `true`, or words as in `{true: [ja], false: [nein]}` here",
        ),
        ("boolean: yes", "expected `true`, or words as in"),
    ] {
        let refused = load(&format!("a: {{{column}}}")).unwrap_err().to_string();
        assert!(refused.contains(line), "{column}: {refused}");
    }
    let day = "a: {date: {min: '2015-01-01', max: \"2016-01-01\", bins: 2}}";
    assert!(load(day).is_ok());
}

#[test]
fn bounds_are_checked() {
    check_refused(
        "a: {integer: {min: 5, max: 4}}",
        expect![[r#"
        column `a`: `min` (5) must be below `max` (4)
    "#]],
    );
    check_refused(
        "a: {number: {min: 1, max: 1}}",
        expect![[r#"
        column `a`: `min` (1) must be below `max` (1)
    "#]],
    );
    check_refused(
        "a: {number: {min: 0, max: .inf}}",
        expect![[r#"
            line 1: `.inf` is infinite or not a number to some readers; write a number in plain decimal digits, or a text in quotes
        "#]],
    );
    check_refused(
        "a: {number: {min: zero, max: 1}}",
        expect![[r#"
        line 1: `zero` is not a number
    "#]],
    );
    check_refused(
        "a: {integer: {min: 0.5, max: 1}}",
        expect![[r#"
        line 1: `0.5` is not a whole number: it is too large, or written with a point or an exponent
    "#]],
    );
    check_refused(
        "a: {integer: {min: 0, max: 99999999999999999999}}",
        expect![[r#"
            line 1: `100000000000000000000` is not a whole number: it is too large, or written with a point or an exponent
        "#]],
    );
    check_refused(
        "a: {integer: {min: 0, max: 1e3}}",
        expect![[r#"
            line 1: `1000` is not a whole number: it is too large, or written with a point or an exponent
        "#]],
    );
    check_refused(
        "a: {date: {min: 2015-02-30, max: 2016-01-01}}",
        expect![[r#"
            line 1: `2015-02-30` is not a date as 2015-01-31
        "#]],
    );
    check_refused(
        "a: {date: {min: 2015, max: 2016-01-01}}",
        expect![[r#"
        line 1: `2015` is not a date as 2015-01-31
    "#]],
    );
    check_refused(
        "a: {date: {min: 2017-01-01, max: 2016-01-01}}",
        expect![[r#"
            column `a`: `min` (2017-01-01) must be below `max` (2016-01-01)
        "#]],
    );
    check_refused(
        "a: {number: {min: 0, max: 1, bins: 0}}",
        expect![[r#"
        column `a`: `bins` must be at least 1
    "#]],
    );
    check_refused(
        "a: {number: {min: 0, max: 1, bins: -3}}",
        expect![[r#"
        line 1: `bins` must be at least 1, not -3
    "#]],
    );
    check_refused(
        "a: {number: {min: 0, max: 1, bins: 9999999}}",
        expect![[r#"
            column `a` would have 9999999 different values; at most 1048576 are possible, so declare fewer categories or bins
        "#]],
    );
    check_refused(
        "a: {integer: {min: 0, max: 9, bins: {cuts: [3, 3]}}}",
        expect![[r#"
            column `a`: `cuts` must ascend, above `min` and not above `max`
        "#]],
    );
}

#[test]
fn texts_with_another_meaning_are_reserved() {
    check_refused(
        "a: {categories: [other, other values], other: true}",
        expect![[r#"
        column `a` cannot have the category "other values": it stands for whatever is not declared, as `other: true` asks
    "#]],
    );
    check_refused(
        "a: {categories: [x, ''], nullable: true}",
        expect![[r#"
        column `a` cannot have the category "": it stands for an empty field, as `nullable: true` asks
    "#]],
    );
    assert!(load("a: {categories: [x, other]}").is_ok());
    assert!(load("a: {categories: [x, other values], other: true}").is_ok());
    // What else there is has another name then.
    let both = load("a: {categories: [x, other], other: true}").unwrap();
    let labels = [1, 2].map(|code| both.columns()[0].label(code).into_owned());
    assert_eq!(labels, ["other", "other values"]);
    assert!(load("a: {categories: [x, '']}").is_ok());
}

#[test]
fn parties_columns_are_put_side_by_side() {
    let schema = |yaml: &str, party: &str| load(yaml).unwrap().prefixed(party);
    let alice = schema(
        "{age: {integer: {min: 0, max: 9}}, b_c: {categories: [x]}}",
        "A",
    );
    let bob = schema("{age: {categories: [y, z]}}", "B");
    let both = alice.clone().concat(bob).unwrap();
    let names: Vec<&str> = both.columns().iter().map(|column| column.name()).collect();
    assert_eq!(names, ["A_age", "A_b_c", "B_age"]);
    assert_eq!(both.sizes(), [10, 1, 2]);
    let clash = alice
        .concat(schema("{c: {categories: [x]}}", "A_b"))
        .unwrap_err();
    expect!["two columns are named `A_b_c`; rename one of them"].assert_eq(&clash.to_string());
}

#[test]
fn a_schema_survives_json_and_is_checked_again() {
    let schema = load(
        "{t: {categories: ['1', 'yes', 'é \"q\"'], other: true}, i: {integer: {min: \
         -9007199254740993, max: 9223372036854775807}},
          n: {number: {min: 0.1, max: 1e300, bins: {cuts: [0.30000000000000004]}}}, d: {date: \
          {min: 0001-01-01, max: 9999-12-31, bins: quantile}, nullable: true}}",
    )
    .unwrap();
    let json = serde_json::to_string(&schema).unwrap();
    assert_eq!(serde_json::from_str::<Schema>(&json).unwrap(), schema);
    assert_eq!(load(&json).unwrap(), schema);
    let damaged = json.replace("\"yes\"", "\"1\"");
    expect!["column `t` lists the category \"1\" twice"].assert_eq(
        &serde_json::from_str::<Schema>(&damaged)
            .unwrap_err()
            .to_string(),
    );
}

/// A declaration is stored and read again without a change.
#[track_caller]
fn check_stored(yaml: &str, expected: Expect) {
    let schema = load(yaml).unwrap();
    let stored = serde_json::to_string(&schema).unwrap();
    let again: Schema = serde_json::from_str(&stored).unwrap();
    assert_eq!(again, schema);
    expected.assert_eq(&stored);
}

#[test]
fn how_values_are_read_and_written_is_kept() {
    check_stored(
        "
read: {decimal: comma, missing: [-9, '?', x], tolerance: 0.02}
day: {date: {min: 2014-01-01, max: 2026-12-31, bins: 1, format: '%d/%m/%Y'}}
price: {number: {min: 0, max: 9, bins: 1, decimals: 2}, nullable: true, tolerance: 0}
smoker: {boolean: {true: [ja, J], false: [nein]}, nullable: true}
code: {categories: [x, y], nullable: true, missing: [z]}
income: discover
name: drop
",
        expect![[
            r#"{"day":{"date":{"min":"2014-01-01","max":"2026-12-31","bins":1,"format":"%d/%m/%Y"},"tolerance":0.02},"price":{"number":{"min":0.0,"max":9.0,"bins":1,"decimals":2,"form":{"decimal":"comma"}},"nullable":true,"missing":["-9","?","x"],"tolerance":0.0},"smoker":{"boolean":{"false":["nein"],"true":["ja","J"]},"nullable":true,"missing":["-9","?","x"],"tolerance":0.02},"code":{"categories":["x","y"],"nullable":true,"missing":["z","-9","?"],"tolerance":0.02},"income":"discover","name":"drop"}"#
        ]],
    );
    check_stored(
        "price: {integer: {min: 0, max: 9, bins: 1, form: {thousands: point, decimal: comma, \
         sign: {text: €, before: false}}}}",
        expect![[
            r#"{"price":{"integer":{"min":0,"max":9,"bins":1,"form":{"decimal":"comma","thousands":"point","sign":{"text":"€","before":false}}}}}"#
        ]],
    );
}

#[test]
fn a_column_may_be_named_as_the_entry_for_all() {
    let schema = load("read: {integer: {min: 0, max: 9}}\ndiscover: {boolean: true}").unwrap();
    assert_eq!(
        (schema.position("read"), schema.position("discover")),
        (Some(0), Some(1))
    );
    assert_eq!(schema.columns()[0].reading(), &schema::Reading::default());
}

#[test]
fn columns_that_are_left_to_discovery_or_left_out_are_named() {
    let schema = load("a: {boolean: true}\nb: discover\nc: drop\nd: discover").unwrap();
    assert_eq!(schema.columns().len(), 1);
    assert_eq!(schema.to_discover(), ["b", "d"]);
    assert_eq!(schema.dropped(), ["c"]);
}

#[test]
fn forms_that_cannot_hold_are_refused() {
    for (yaml, said) in [
        (
            "a: {date: {min: 2020-01-01, max: 2021-01-01, format: '%d/%m'}}",
            "lacks the year (%Y)",
        ),
        (
            "a: {date: {min: 2020-01-01, max: 2021-01-01, format: '%A %d %m %Y'}}",
            "`%A`",
        ),
        (
            "a: {date: {min: 1960-01-01, max: 2021-01-01, format: '%d/%m/%y'}}",
            "column `a`: years of two digits in `%d/%m/%y` are those from 1969 to 2068",
        ),
        (
            "a: {datetime: {min: 2020-01-01T00:00, max: 2021-01-01T00:00, format: '%d/%m/%Y'}}",
            "column `a`: `%d/%m/%Y` has no time of day",
        ),
        (
            "a: {integer: {min: 0, max: 9, format: '%Y'}}",
            "unknown key `format`",
        ),
        (
            "a: {number: {min: 0, max: 9, decimals: 16}}",
            "`decimals` is at most 15",
        ),
        ("a: {number: {min: 0, max: 9, form: {decimal: dot}}}", "dot"),
        (
            "a: {boolean: {true: [ja]}}",
            "needs words for `true` and for `false`",
        ),
        (
            "a: {boolean: {true: [ja], false: [ja]}}",
            "lists the category \"ja\" twice",
        ),
        (
            "a: {boolean: true, missing: [x]}",
            "`missing` needs `nullable: true`",
        ),
        (
            "a: {categories: [x], nullable: true, missing: [x]}",
            "and stands for missing",
        ),
        (
            "a: {boolean: true, tolerance: 1}",
            "`tolerance` is a share from 0 to below 1",
        ),
        (
            "a: {boolean: true, decimal: comma}",
            "unknown key `decimal`",
        ),
        (
            "a: {boolean: true}\nread: {decimal: comma, colour: red}",
            "unknown key `colour`",
        ),
        (
            "a: {boolean: true}\nread: {decimal: dot}",
            "unknown key `dot`",
        ),
        (
            "a: {boolean: true}\nb: discovered",
            "or `discover` or `drop`",
        ),
        ("a: {boolean: true}\na: drop", "twice"),
    ] {
        let refused = load(yaml).unwrap_err().to_string();
        assert!(refused.contains(said), "{yaml}: {refused}");
    }
}

#[test]
fn columns_of_identifiers_keep_their_places_and_have_no_codes() {
    let yaml = "id: {identifier: {format: 'P-###'}}\na: {categories: [x, y]}\nb: {identifier: \
                {format: '@#'}}\nc: {boolean: true}\nd: {identifier: {format: '##'}}\n";
    let schema = load(yaml).unwrap();
    assert_eq!(schema.sizes(), [2, 2]);
    assert_eq!(schema.most_rows(), Some(100));
    assert!(schema.check_rows(100).is_ok() && schema.check_rows(101).is_err());
    let names = |schema: &Schema| -> Vec<String> {
        let columns = schema.output_columns();
        columns.map(|column| column.name().to_owned()).collect()
    };
    assert_eq!(names(&schema), ["id", "a", "b", "c", "d"]);
    let back: Schema = serde_json::from_str(&serde_json::to_string(&schema).unwrap()).unwrap();
    assert_eq!(back, schema);
    let both = schema.prefixed("P").concat(schema.prefixed("Q")).unwrap();
    assert_eq!(
        names(&both),
        [
            "P_id", "P_a", "P_b", "P_c", "P_d", "Q_id", "Q_a", "Q_b", "Q_c", "Q_d"
        ]
    );
    assert!(schema.clone().concat(schema).is_err());
}

#[test]
fn a_column_of_identifiers_takes_nothing_else() {
    let refused = |yaml: &str| load(yaml).unwrap_err().to_string();
    for (yaml, part) in [
        (
            "a: {identifier: {format: '##'}, nullable: true}",
            "stands alone",
        ),
        (
            "a: {identifier: {format: '##'}, missing: [x]}",
            "stands alone",
        ),
        ("a: {identifier: {format: 'PP'}}", "needs at least one `#`"),
        ("a: {identifier: {form: '##'}}", "did you mean `format`?"),
        ("a: {identifier: {}}", "needs a `format`"),
        ("a: {identifier: '##'}", "expected a mapping"),
        (
            "a: {identifier: {format: '##'}}\nb: {boolean: true}\nc: {boolean: true}\nconstraints: \
             [{impossible: {a: [x], b: [true]}}]",
            "the column `a`, which holds new identifiers",
        ),
    ] {
        assert!(refused(yaml).contains(part), "{yaml}: {}", refused(yaml));
    }
    // What all columns are read with does not concern them.
    let read = "read: {tolerance: 0.5, missing: [x]}\na: {identifier: {format: '##'}}\n";
    assert!(load(read).is_ok());
}

#[test]
fn identifiers_are_formulas_if_they_begin_as_such() {
    let texts = |format: &str| -> Vec<String> {
        let schema = load(&format!("a: {{identifier: {{format: '{format}'}}}}\n")).unwrap();
        let formulas = schema.formulas().flat_map(|(_, texts)| texts);
        formulas.map(str::to_owned).collect()
    };
    assert_eq!(texts("=#"), ["=0"]);
    assert_eq!(texts(r"\@@"), ["@A"]);
    for format in ["@@###", "##", "-##"] {
        assert!(texts(format).is_empty(), "{format}");
    }
}
