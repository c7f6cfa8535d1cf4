//! Fields of a declared column to codes.

use schema::number::{decimal, is_nan, trim, whole};
use schema::{Column, Day, Grid, Kind, Moment, OTHER};

use crate::codes::Codes;
use crate::error::RecordPosition;
use crate::probe::Probe;

/// Turns the fields of one declared column into codes while they stream in; no text is kept.
///
/// The rule, which depends on the declaration alone: a number or date beyond the bounds counts as
/// the nearest bound. An empty field (in a column of numbers also `NaN`) is null; where the column
/// is not nullable, it is treated like text that is not declared. That is text which is not a
/// declared category, or cannot be read as a number or date; it counts as `other` if the column has
/// that, else as null if it is nullable, else as the first category or lowest bin.
pub(crate) struct Coder {
    column: Column,
    matcher: Matcher,
    codes: Codes,
    /// The code of text that is not declared.
    fallback: u32,
    /// The code of an empty field.
    null: u32,
    moved: Tally,
    undeclared: Tally,
    missing: Tally,
}

enum Matcher {
    Categories(Lookup),
    Integer(Grid<i64>),
    Number(Grid<f64>),
    Date(Grid<Day>),
    Datetime(Grid<Moment>),
    Boolean,
}

/// How often something happened, and where first.
#[derive(Default)]
struct Tally {
    count: u64,
    first: u64,
}

impl Tally {
    #[cold]
    fn note(&mut self, at: u64) {
        if self.count == 0 {
            self.first = at;
        }
        self.count += 1;
    }
}

impl Coder {
    // By the declaration alone: what a field becomes must not depend on the other fields, or one
    // row could change many.
    pub(crate) fn new(column: &Column) -> Self {
        let matcher = match column.kind() {
            Kind::Categories(texts) => Matcher::Categories(Lookup::new(texts)),
            Kind::Integer(grid) => Matcher::Integer(grid.clone()),
            Kind::Number(grid) => Matcher::Number(grid.clone()),
            Kind::Date(grid) => Matcher::Date(grid.clone()),
            Kind::Datetime(grid) => Matcher::Datetime(grid.clone()),
            Kind::Boolean => Matcher::Boolean,
        };
        // Never a refusal: a value that one row alone has would otherwise show in whether the
        // upload was taken in.
        let fallback = column.other_code().or(column.null_code()).unwrap_or(0);
        Self {
            matcher,
            codes: Codes::for_size(column.size()),
            fallback: code(fallback),
            null: code(column.null_code().unwrap_or(fallback)),
            column: column.clone(),
            moved: Tally::default(),
            undeclared: Tally::default(),
            missing: Tally::default(),
        }
    }

    /// Bytes that one code takes.
    pub(crate) fn width(&self) -> usize {
        self.codes.width()
    }

    /// Room for this many rows; the account has made it.
    pub(crate) fn reserve_exact(&mut self, rows: usize) {
        self.codes.reserve_exact(rows);
    }

    /// Takes in one field; `at` is its line or row.
    #[inline]
    pub(crate) fn push(&mut self, field: &[u8], at: u64) {
        // No text outlives this call; only the code and three tallies do.
        let (found, number) = match &self.matcher {
            Matcher::Categories(lookup) => {
                (lookup.find(field).map(|code| (code as usize, false)), false)
            }
            Matcher::Integer(grid) => (whole(trim(field)).map(|value| grid.bin(value)), true),
            Matcher::Number(grid) => (decimal(trim(field)).map(|value| grid.bin(value)), true),
            Matcher::Date(grid) => (Day::from_field(trim(field)).map(|day| grid.bin(day)), false),
            Matcher::Datetime(grid) => {
                let moment = Moment::from_field(trim(field));
                (moment.map(|moment| grid.bin(moment)), false)
            }
            Matcher::Boolean => {
                let truth = truth(trim(field));
                (truth.map(|truth| (usize::from(truth), false)), false)
            }
        };
        let code = match found {
            Some((bin, moved)) => {
                if moved {
                    self.moved.note(at);
                }
                code(bin)
            }
            None => self.unusual(field, number, at),
        };
        self.codes.push(code);
    }

    // A field is either missing or wrong: the owner is told which, and where first.
    fn unusual(&mut self, field: &[u8], number: bool, at: u64) -> u32 {
        if field.is_empty() || number && is_nan(trim(field)) {
            if !self.column.is_nullable() {
                self.missing.note(at);
            }
            self.null
        } else {
            // Rows that were written under this schema hold the word itself.
            if !(self.column.has_other() && field == OTHER.as_bytes()) {
                self.undeclared.note(at);
            }
            self.fallback
        }
    }

    /// The codes, and what the owner should know of them; `place` says what was counted.
    pub(crate) fn finish(self, place: fn(u64) -> RecordPosition) -> (Column, Codes, Vec<String>) {
        let warnings = self.warnings(place);
        // Warnings are made before the coder is taken apart, and go to the owner only.
        (self.column, self.codes, warnings)
    }

    fn warnings(&self, place: fn(u64) -> RecordPosition) -> Vec<String> {
        let name = self.column.name();
        let counts_as = if self.column.has_other() {
            "`other`".to_owned()
        } else if self.column.is_nullable() {
            "empty".to_owned()
        } else {
            match self.column.kind() {
                Kind::Categories(_) => format!("`{}`, the first category", self.column.label(0)),
                Kind::Boolean => "`false`".to_owned(),
                _ => "the lowest bin".to_owned(),
            }
        };
        let what = match self.column.kind() {
            Kind::Categories(_) => "not among the declared categories",
            Kind::Integer(_) => "not a whole number",
            Kind::Number(_) => "not a number",
            Kind::Date(_) => "not a date as 2015-01-31",
            Kind::Datetime(_) => "not a date and time as 2015-01-31T10:30",
            Kind::Boolean => "neither true nor false",
        };
        let mut warnings = Vec::new();
        let mut warn = |tally: &Tally, text: String| {
            if tally.count > 0 {
                let (fields, are) = if tally.count == 1 {
                    ("field", "is")
                } else {
                    ("fields", "are")
                };
                warnings.push(format!(
                    "column `{name}`: {} {fields} {are} {text} (first on {})",
                    tally.count,
                    place(tally.first)
                ));
            }
        };
        warn(
            &self.moved,
            format!(
                "outside the declared range{} and counted as the nearest bound",
                self.range()
            ),
        );
        warn(
            &self.undeclared,
            format!("{what} and counted as {counts_as}"),
        );
        warn(
            &self.missing,
            format!("empty though the column is not nullable, and counted as {counts_as}"),
        );
        warnings
    }

    fn range(&self) -> String {
        match self.column.kind() {
            Kind::Categories(_) | Kind::Boolean => String::new(),
            Kind::Integer(grid) => format!(" {} to {}", grid.range().min, grid.range().max),
            Kind::Number(grid) => format!(" {} to {}", grid.range().min, grid.range().max),
            Kind::Date(grid) => format!(" {} to {}", grid.range().min, grid.range().max),
            Kind::Datetime(grid) => format!(" {} to {}", grid.range().min, grid.range().max),
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a column has at most MAX_CODES codes"
)]
fn code(code: usize) -> u32 {
    code as u32
}

/// Reads what people write for true and false, in any case.
fn truth(field: &[u8]) -> Option<bool> {
    let is = |words: &[&str]| {
        let mut words = words.iter();
        words.any(|word| field.eq_ignore_ascii_case(word.as_bytes()))
    };
    if is(&["true", "t", "yes", "1"]) {
        Some(true)
    } else {
        is(&["false", "f", "no", "0"]).then_some(false)
    }
}

/// Finds the code of a category.
struct Lookup {
    probe: Probe,
    texts: Vec<Box<[u8]>>,
}

impl Lookup {
    fn new(texts: &[String]) -> Self {
        let texts: Vec<Box<[u8]>> = texts.iter().map(|text| text.as_bytes().into()).collect();
        let mut probe = Probe::with_capacity(texts.len());
        for (i, text) in (0u32..).zip(&texts) {
            // Declared categories differ, so that nothing has to be compared.
            probe.find_or_insert(mix(text), i, |_| false);
        }
        Self { probe, texts }
    }

    #[inline]
    fn find(&self, field: &[u8]) -> Option<u32> {
        self.probe
            .find(mix(field), |i| *self.texts[i as usize] == *field)
    }
}

/// A quick hash of length, head and tail. Declared categories are chosen by people, not against us;
/// those alike in all three only cost a comparison each.
#[inline]
fn mix(text: &[u8]) -> u64 {
    let (head, tail) = if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        (u64::from_le_bytes(*head), u64::from_le_bytes(*tail))
    } else if let (Some(head), Some(tail)) = (text.first_chunk(), text.last_chunk()) {
        (
            u64::from(u32::from_le_bytes(*head)),
            u64::from(u32::from_le_bytes(*tail)),
        )
    } else {
        match *text {
            [] => (0, 0),
            [a] => (u64::from(a), 0),
            [a, b] => (u64::from(a), u64::from(b)),
            [a, b, c, ..] => (u64::from(a) | u64::from(b) << 8, u64::from(c)),
        }
    };
    // Two rounds of multiply and shift: the places of a table are taken from the highest bits,
    // which must depend on all.
    let mut hash = (head ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash = (hash ^ (hash >> 32) ^ tail ^ (text.len() as u64) << 56)
        .wrapping_mul(0xd6e8_feb8_6659_fd93);
    hash ^ (hash >> 32)
}

#[cfg(test)]
mod tests {
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
        let (column, codes, warnings) = coder.finish(RecordPosition::Line);
        let mut shown = String::new();
        for (field, code) in fields.iter().zip(codes.widened()) {
            shown += &format!("{field:?} -> {}\n", column.label(code as usize));
        }
        shown += &warnings.join("\n");
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
                "Low" -> other
                " low" -> other
                column `c`: 3 fields are not among the declared categories and counted as `other` (first on line 2)"#]],
        );
    }

    #[test]
    fn true_and_false_are_read_as_people_write_them() {
        check(
            "{boolean: true, nullable: true}",
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
                "y" -> null
                "2" -> null
                column `c`: 2 fields are neither true nor false and counted as empty (first on line 10)"#]],
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
                column `c`: 1 field is not a date and time as 2015-01-31T10:30 and counted as the lowest bin (first on line 5)"#]],
        );
    }

    #[test]
    fn without_other_undeclared_text_is_null() {
        check(
            "{categories: [low, high], nullable: true}",
            &["low", "mid", ""],
            expect![[r#"
            "low" -> low
            "mid" -> null
            "" -> null
            column `c`: 1 field is not among the declared categories and counted as empty (first on line 2)"#]],
        );
    }

    #[test]
    fn without_other_and_null_it_is_the_first_category() {
        check(
            "{categories: [low, high]}",
            &["high", "mid", ""],
            expect![[r#"
            "high" -> high
            "mid" -> low
            "" -> low
            column `c`: 1 field is not among the declared categories and counted as `low`, the first category (first on line 2)
            column `c`: 1 field is empty though the column is not nullable, and counted as `low`, the first category (first on line 3)"#]],
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
            "{integer: {min: 0, max: 120, bins: 4}, nullable: true}",
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
            "{number: {min: 0, max: 1, bins: 4}, other: true}",
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
                column `c`: 2 fields are empty though the column is not nullable, and counted as `other` (first on line 8)"#]],
        );
    }

    #[test]
    fn dates_are_clamped() {
        check(
            "{date: {min: 2020-01-01, max: 2020-12-31, bins: 2}}",
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
                "1.2.2020" -> 2020-01-01 to 2020-07-01
                "" -> 2020-01-01 to 2020-07-01
                column `c`: 1 field is outside the declared range 2020-01-01 to 2020-12-31 and counted as the nearest bound (first on line 4)
                column `c`: 1 field is not a date as 2015-01-31 and counted as the lowest bin (first on line 5)
                column `c`: 1 field is empty though the column is not nullable, and counted as the lowest bin (first on line 6)"#]],
        );
    }

    #[test]
    fn many_similar_categories_are_told_apart() {
        let texts: Vec<String> = (0..5_000)
            .map(|i| format!("the same head {i} the same tail"))
            .collect();
        let lookup = Lookup::new(&texts);
        for (i, text) in (0u32..).zip(&texts) {
            assert_eq!(lookup.find(text.as_bytes()), Some(i));
        }
        assert_eq!(lookup.find(b"the same head 5000 the same tail"), None);
        let texts: Vec<String> = (0..64u8).map(|i| "a".repeat(usize::from(i))).collect();
        let lookup = Lookup::new(&texts);
        assert!(
            (0u32..)
                .zip(&texts)
                .all(|(i, text)| lookup.find(text.as_bytes()) == Some(i))
        );
    }
}
