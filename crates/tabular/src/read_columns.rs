//! Columns that a program holds in its own memory.

use schema::{Column, Kind, Schema};
use zeroize::Zeroizing;

use crate::account::Account;
use crate::error::{ColumnRef, RecordPosition, TableError};
use crate::field::check_field;
use crate::ids::KeyHasher;
use crate::parquet_value::Form;
use crate::read_limits::ReadLimits;
use crate::read_options::{ReadAs, TableFormat};
use crate::upload::{Intake, Target, Upload};

/// How many values are taken in before it is asked whether anybody still waits.
const BATCH: u32 = 1 << 12;

/// A column of a table in memory, such as a data frame's.
pub struct HeldColumn<'a> {
    /// Its name.
    pub name: String,
    /// A value for each row; or what it is, where that is not supported.
    pub values: Result<Box<dyn Iterator<Item = HeldValue<'a>> + 'a>, &'static str>,
}

/// One value, with its type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum HeldValue<'a> {
    /// There is none.
    Missing,
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// A whole number that may be beyond 63 bits.
    Unsigned(u64),
    /// This many times 10 to the power of `-scale`.
    Decimal {
        /// The digits.
        value: i128,
        /// How many of them stand after the point, 38 at most.
        scale: u8,
    },
    /// A number of 32 bits.
    Float(f32),
    /// A number of 64 bits.
    Double(f64),
    /// A text.
    Text(&'a str),
    /// Days since 1970-01-01.
    Day(i64),
    /// Parts of a second since 1970-01-01, `per_second` of which make a second.
    Timestamp {
        /// How many of them.
        value: i64,
        /// A power of ten.
        per_second: i64,
        /// They are moments in UTC, and not the time on some clock.
        utc: bool,
    },
}

/// Reads columns as [`read_parquet`](crate::read_parquet) reads those of a file: the same values
/// get the same codes. Columns that are not supported are left out, or refused if they are asked
/// for. `wanted` is asked many times a second.
///
/// # Errors
/// [`TableError`], which names rows by their numbers, from 1; [`TableError::Unwanted`].
pub fn read_columns(
    columns: Vec<HeldColumn<'_>>,
    rows: u64,
    key: Option<&str>,
    schema: Option<&Schema>,
    hasher: &KeyHasher,
    limits: &ReadLimits,
    wanted: &dyn Fn() -> bool,
) -> Result<Upload, TableError> {
    let rows = u32::try_from(rows)
        .ok()
        .filter(|rows| *rows <= limits.max_rows)
        .ok_or(TableError::TooManyRows {
            limit: limits.max_rows,
        })?;
    let account = Account::new(limits.max_memory_bytes);
    let asked_for = |name: &str| {
        key == Some(name) || schema.is_some_and(|schema| schema.position(name).is_some())
    };
    let (mut names, mut held, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
    for HeldColumn { name, values } in columns {
        match values {
            Ok(values) => {
                names.push(name);
                held.push(values);
            }
            Err(what) if asked_for(&name) => {
                return Err(TableError::UnsupportedType { column: name, what });
            }
            Err(what) => left_out.push((name, what)),
        }
    }
    let at = RecordPosition::Row;
    let mut intake = Intake::new(&names, at, key, schema, hasher, limits, &account)?;
    intake.reserve(rows as usize)?;
    for (name, what) in left_out {
        intake.warn(format!(
            "column `{name}` is {what}, which is not supported, and is left out"
        ));
    }
    let mut text = Zeroizing::new(Vec::new());
    for ((values, name), target) in held.into_iter().zip(&names).zip(intake.targets.clone()) {
        if target == Target::Nowhere {
            continue;
        }
        let midnight = is_moment(name, schema);
        let mut taken: u32 = 0;
        for value in values {
            if taken.is_multiple_of(BATCH) && !wanted() {
                return Err(TableError::Unwanted);
            }
            let row = u64::from(taken) + 1;
            let field = match value {
                HeldValue::Text(text) => text.as_bytes(),
                other => {
                    text.clear();
                    push_text(&mut text, other, midnight);
                    &text
                }
            };
            if let HeldValue::Text(_) = value {
                check_field(field, at(row), || ColumnRef::Name(name.clone()), limits)?;
            }
            intake.push(target, field, row)?;
            taken += 1;
        }
        assert_eq!(taken, rows, "a column has a value for each row");
    }
    intake.finish(rows, ReadAs::whole(TableFormat::Memory))
}

/// Whether the column is declared to hold days with their times.
fn is_moment(name: &str, schema: Option<&Schema>) -> bool {
    let column = schema.and_then(|schema| Some(&schema.columns()[schema.position(name)?]));
    matches!(column.map(Column::kind), Some(Kind::Datetime(_)))
}

/// The text that a value would be in a CSV file, by the same forms as Parquet's values.
fn push_text(text: &mut Vec<u8>, value: HeldValue<'_>, midnight: bool) {
    match value {
        HeldValue::Missing => {}
        HeldValue::Boolean(value) => Form::Bool.push_bool(text, value),
        HeldValue::Integer(value) => Form::Signed.push_int64(text, value),
        HeldValue::Unsigned(value) => Form::Unsigned.push_int64(text, value.cast_signed()),
        HeldValue::Decimal { value, scale } => {
            Form::Decimal { scale }.push_bytes(text, &value.to_be_bytes());
        }
        HeldValue::Float(value) => Form::Float.push_float(text, value),
        HeldValue::Double(value) => Form::Float.push_double(text, value),
        HeldValue::Text(value) => text.extend_from_slice(value.as_bytes()),
        HeldValue::Day(value) => Form::Date.push_int64(text, value),
        HeldValue::Timestamp {
            value,
            per_second,
            utc,
        } => Form::Timestamp {
            per_second,
            utc,
            midnight,
        }
        .push_int64(text, value),
    }
}

#[cfg(test)]
mod tests {
    use schema::Declaration;

    use super::*;
    use crate::{Joined, read_csv};

    const YAML: &str = "\
        whole: {integer: {min: 0, max: 9}, nullable: true}\n\
        part: {number: {min: 0, max: 10, bins: 20}, nullable: true}\n\
        town: {categories: [Linz, Graz], nullable: true}\n\
        born: {date: {min: 2000-01-01, max: 2000-12-31, bins: 12}, nullable: true}\n\
        seen: {datetime: {min: 2000-01-01T00:00, max: 2000-01-03T00:00}, nullable: true}\n\
        well: {boolean: true, nullable: true}\n";

    fn column<'a>(name: &str, values: Vec<HeldValue<'a>>) -> HeldColumn<'a> {
        HeldColumn {
            name: name.to_owned(),
            values: Ok(Box::new(values.into_iter())),
        }
    }

    fn read(columns: Vec<HeldColumn<'_>>, schema: Option<&Schema>) -> Result<Upload, TableError> {
        let hasher = KeyHasher::new([7; 16]);
        let limits = ReadLimits::default();
        read_columns(columns, 2, None, schema, &hasher, &limits, &|| true)
    }

    fn codes(upload: Upload) -> Vec<Vec<u32>> {
        Joined::single(upload)
            .dangerous_into_coded()
            .dangerous_codes()
    }

    #[test]
    fn values_get_the_codes_of_their_texts() {
        use HeldValue::{Boolean, Day, Decimal, Integer, Missing, Text, Timestamp};
        let schema = Schema::new(Declaration::from_yaml(YAML).unwrap()).unwrap();
        let decimal = Decimal {
            value: 725,
            scale: 2,
        };
        // 2000-01-02, at midnight of some clock and a day and a half after 2000-01-01.
        let midnight = Timestamp {
            value: 946_771_200_000,
            per_second: 1_000,
            utc: false,
        };
        let columns = vec![
            column("whole", vec![Integer(7), Missing]),
            column("part", vec![Missing, decimal]),
            column("town", vec![Text("Graz"), Text("")]),
            column("born", vec![Day(10_988), Missing]),
            column("seen", vec![midnight, Missing]),
            column("well", vec![Boolean(true), Missing]),
        ];
        let held = codes(read(columns, Some(&schema)).unwrap());
        let csv = "whole,part,town,born,seen,well\n\
                   7,,Graz,2000-02-01,2000-01-02T00:00:00,true\n\
                   ,7.25,,,,\n";
        let hasher = KeyHasher::new([7; 16]);
        let limits = ReadLimits::default();
        let told = read_csv(csv.as_bytes(), None, Some(&schema), &hasher, &limits).unwrap();
        assert_eq!(held, codes(told));
    }

    #[test]
    fn what_is_not_supported_is_left_out_unless_it_is_declared() {
        let lists = || HeldColumn {
            name: "tags".to_owned(),
            values: Err("a list"),
        };
        let whole = || column("whole", vec![HeldValue::Integer(1), HeldValue::Integer(2)]);
        let upload = read(vec![whole(), lists()], None).unwrap();
        assert_eq!(upload.column_names().collect::<Vec<_>>(), ["whole"]);
        assert!(upload.warnings()[0].contains("`tags` is a list"));
        let yaml = "tags: {categories: [a]}\n";
        let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
        let refused = read(vec![whole(), lists()], Some(&schema)).unwrap_err();
        assert!(refused.to_string().contains("a list"), "{refused}");
    }

    #[test]
    fn reading_ends_when_nobody_waits() {
        let values = vec![HeldValue::Integer(1), HeldValue::Integer(2)];
        let hasher = KeyHasher::new([7; 16]);
        let limits = ReadLimits::default();
        let columns = vec![column("whole", values)];
        let read = read_columns(columns, 2, None, None, &hasher, &limits, &|| false);
        assert!(matches!(read, Err(TableError::Unwanted)));
    }
}
