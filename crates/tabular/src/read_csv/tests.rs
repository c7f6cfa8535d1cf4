//! What is read of a CSV file.

use expect_test::{Expect, expect};

use super::*;
use schema::Declaration;

pub(super) fn read(
    bytes: &[u8],
    key: Option<&str>,
    schema: Option<&str>,
    limits: &ReadLimits,
) -> Result<Upload, TableError> {
    let schema = schema.map(|yaml| Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap());
    read_csv(
        bytes,
        key,
        schema.as_ref(),
        &KeyHasher::new([3; 16]),
        limits,
    )
}

pub(super) fn describe(result: Result<Upload, TableError>) -> String {
    match result {
        Ok(upload) => {
            let columns: Vec<&str> = upload.column_names().collect();
            let mut lines = vec![format!("{} rows of {}", upload.rows(), columns.join(", "))];
            lines.extend(upload.warnings().iter().cloned());
            lines.join("\n") + "\n"
        }
        Err(error) => format!("{error}\n"),
    }
}

/// Keyed by `id`, nothing declared.
pub(super) fn check(bytes: impl AsRef<[u8]>, expected: Expect) {
    expected.assert_eq(&describe(read(
        bytes.as_ref(),
        Some("id"),
        None,
        &ReadLimits::default(),
    )));
}

pub(super) const SCHEMA: &str =
    "{buying: {categories: [low, high]}, age: {integer: {min: 0, max: 99}}}";

pub(super) fn check_declared(bytes: &str, expected: Expect) {
    expected.assert_eq(&describe(read(
        bytes.as_bytes(),
        Some("id"),
        Some(SCHEMA),
        &ReadLimits::default(),
    )));
}

#[test]
fn a_plain_table_is_read() {
    check(
        "id,a\n1,x\n2,y\n",
        expect![[r#"
        2 rows of a
    "#]],
    );
    check(
        "id,a\r\n1,x\r\n2,y",
        expect![[r#"
        2 rows of a
    "#]],
    );
    check(
        "\u{feff}id,a\n1,x\n",
        expect![[r#"
        1 rows of a
    "#]],
    );
    check(
        "id,a\n\n1,\"x\n, \"\"y\"\"\"\n\n\n2,y\n\n",
        expect![[r#"
        2 rows of a
        column `a`: 1 different value with control or invisible characters will count as `other`
    "#]],
    );
}

#[test]
fn a_blank_line_is_a_row_where_there_is_one_column() {
    let rows = |text: &str| {
        let result = read(text.as_bytes(), None, None, &ReadLimits::default());
        result.map_or(0, |upload| upload.rows())
    };
    for (text, expected) in [
        ("a\nx\n", 1),
        ("a\nx", 1),
        ("a\nx\n\n", 2),
        ("a\n\nx\n", 2),
        ("a\n\n\n\nx\ny\n", 5),
        ("a\n\n", 1),
        ("a\n\"\"\nx\n\"\"\n", 3),
        ("a\n\"\"", 1),
        ("\n\na\nx\n", 1),
        ("a\r\nx\r\n", 1),
        ("a\r\n\r\nx\r\n\r\n", 3),
        ("a\r\n\"\"\r\n\r\n", 2),
        ("a\r\r\nx\n", 2),
        ("a\rx\r\ry", 3),
        ("a\n\"x\n\n\"\n\n", 2),
        ("a\n  \n", 1),
        // Several columns: as ever.
        ("a,b\nx,y\n\n\nz,w\n\n", 2),
        ("a,\nx,\n\n", 1),
    ] {
        assert_eq!(rows(text), expected, "{text:?}");
    }
    let many = format!("a\n{}", "\n".repeat(200_000));
    assert_eq!(rows(&many), 200_000);
    let limits = ReadLimits {
        max_rows: 2,
        ..ReadLimits::default()
    };
    assert!(read(b"a\n\n\n", None, None, &limits).is_ok());
    let refused = read(b"a\n\n\n\n", None, None, &limits).unwrap_err();
    assert!(matches!(refused, TableError::TooManyRows { limit: 2 }));
}

#[test]
fn blank_lines_are_told_to_the_owner_with_their_line() {
    let schema = "{age: {integer: {min: 0, max: 99}, tolerance: 0.5}}";
    for text in ["age\n1\n\n2\n\n", "age\r\n1\r\n\r\n2\r\n\r\n"] {
        let result = read(text.as_bytes(), None, Some(schema), &ReadLimits::default());
        expect![[r#"
            2 rows of age
            2 lines are blank and count as rows with an empty field, as the file has one column
            column `age`: 2 fields are empty though the column is not nullable; a row with such a field is left out (first on line 3)
        "#]]
        .assert_eq(&describe(result));
    }
}

#[test]
fn a_quote_within_a_plain_field_is_a_character() {
    check(
        "id,a\n1,5\" pipe\n2,y\n",
        expect![[r#"
        2 rows of a
    "#]],
    );
    check(
        "id,a\n1,\"5\"\" pipe\"\n2,y\"\n",
        expect![[r#"
        2 rows of a
    "#]],
    );
}

#[test]
fn declared_columns_are_taken_and_others_left_out() {
    check_declared(
        "age,id,buying\n7,1,low\n8,2,high\n",
        expect![[r#"
        2 rows of buying, age
    "#]],
    );
    check_declared(
        "id,age,x,buying,,y\n1,7,,low,,\n",
        expect![[r#"
        1 rows of buying, age
        columns `x` and `y` are not declared and left out
        column 5 has no name and is left out
    "#]],
    );
    check_declared(
        "id,age\n1,7\n",
        expect![[r#"
        declared but missing: `buying`; the columns are `id` and `age`
    "#]],
    );
    check_declared(
        "id,Age,buyign\n1,7,low\n",
        expect![[r#"
        declared but missing: `buying` (did you mean `buyign`?), `age` (did you mean `Age`?); the columns are `id`, `Age` and `buyign`
    "#]],
    );
    let key_declared = read(
        b"id,age\n1,2\n",
        Some("age"),
        Some(SCHEMA),
        &ReadLimits::default(),
    );
    expect![[r#"
        `age` is the key by which rows are matched and cannot be declared as a column too; take it out of the declaration
    "#]].assert_eq(&describe(key_declared));
}

#[test]
fn values_outside_the_domain_are_counted_for_the_owner() {
    check_declared(
        "id,age,buying\n1,7,low\n2,100,mid\n\n3,x,\n4,-1,low\n",
        expect![[r#"
            column `buying`: 1 of 4 fields are empty though the column is not nullable (first on line 5; declare `nullable: true`), and 1 of 4 fields are not among the declared categories (first on line 3; list them among the categories, or declare `other: true`); at most 1 % may be so; column `age`: 1 of 4 fields are not a whole number (first on line 5; list what stands for missing under `missing`, or declare `categories`); at most 1 % may be so
        "#]],
    );
}
