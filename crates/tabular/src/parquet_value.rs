//! Parquet values as the text they would be in a CSV file.

use std::io::Write;

use parquet::basic::Type;
use parquet::data_type::Int96;

use schema::Day;
use schema::number::{push_digits, push_whole};

use crate::parquet_footer::Leaf;

/// How the stored values of a column are meant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Form {
    /// Bytes that should be UTF-8.
    Text,
    Bool,
    Signed,
    Unsigned,
    Float,
    /// Days since 1970-01-01.
    Date,
    /// Parts of a second since 1970-01-01, `per_second` of which make a second.
    Timestamp {
        per_second: i64,
        /// They are moments in UTC, and not the time on some clock.
        utc: bool,
        /// Midnight is written out; otherwise it is a day alone, as programs that have no type for
        /// days store them as timestamps.
        midnight: bool,
    },
    /// A whole number and where the decimal point goes.
    Decimal {
        scale: u8,
    },
    Uuid,
}

const TIME_OF_DAY: &str = "a time of day";

/// Physical types by their numbers in the format.
const BOOLEAN: i64 = 0;
const INT32: i64 = 1;
const INT64: i64 = 2;
const INT96: i64 = 3;
const FLOAT: i64 = 4;
const DOUBLE: i64 = 5;
const BYTES: i64 = 6;
pub(crate) const FIXED_LENGTH: i64 = 7;

/// The physical type of this number, for the decoder.
pub(crate) fn physical_type(number: i64) -> Option<Type> {
    Some(match number {
        BOOLEAN => Type::BOOLEAN,
        INT32 => Type::INT32,
        INT64 => Type::INT64,
        INT96 => Type::INT96,
        FLOAT => Type::FLOAT,
        DOUBLE => Type::DOUBLE,
        BYTES => Type::BYTE_ARRAY,
        FIXED_LENGTH => Type::FIXED_LEN_BYTE_ARRAY,
        _ => return None,
    })
}

/// The form of a column, or what it is if that is not supported. Source: Apache Parquet,
/// `LogicalTypes.md`.
pub(crate) fn form_of(leaf: &Leaf) -> Result<Form, &'static str> {
    const DECIMAL: i64 = 5;
    const DATE: i64 = 6;
    const TIME: i64 = 7;
    const TIMESTAMP: i64 = 8;
    const INTEGER: i64 = 10;
    const BSON: i64 = 13;
    const UUID: i64 = 14;
    const FLOAT16: i64 = 15;
    let logical = leaf.logical;
    // Logical types first, as they are the newer ones; converted types are what old writers left.
    match (leaf.physical, logical.kind) {
        (INT32 | INT64, INTEGER) if logical.second == 1 => Ok(Form::Signed),
        (INT32 | INT64, INTEGER) => Ok(Form::Unsigned),
        (INT64, TIMESTAMP) => match logical.second {
            1 => Ok(timestamp(1_000, logical.first == 1)),
            2 => Ok(timestamp(1_000_000, logical.first == 1)),
            3 => Ok(timestamp(1_000_000_000, logical.first == 1)),
            _ => Err("a time in an unknown unit"),
        },
        (FIXED_LENGTH, UUID) => Ok(Form::Uuid),
        (INT32, DATE) => Ok(Form::Date),
        (INT32 | INT64 | BYTES | FIXED_LENGTH, DECIMAL) => decimal(logical.first),
        (_, TIME) => Err(TIME_OF_DAY),
        (_, FLOAT16) => Err("a number of 16 bits"),
        (_, BSON) => Err("BSON"),
        _ => form_by_converted_type(leaf),
    }
}

/// By the older annotations, which newer files carry as well.
fn form_by_converted_type(leaf: &Leaf) -> Result<Form, &'static str> {
    const DECIMAL: i64 = 5;
    const DATE: i64 = 6;
    const TIMES: [i64; 2] = [7, 8];
    const TIMESTAMP_MILLIS: i64 = 9;
    const TIMESTAMP_MICROS: i64 = 10;
    const UINTS_TO_32: [i64; 3] = [11, 12, 13];
    const UINT_64: i64 = 14;
    const INTERVAL: i64 = 21;
    match (leaf.physical, leaf.converted) {
        (BOOLEAN, _) => Ok(Form::Bool),
        (FLOAT | DOUBLE, _) => Ok(Form::Float),
        // INT96 has no annotation: it is the timestamp of Impala and old Spark, though deprecated.
        // Some write UTC and some the time on the wall, and nothing says which.
        (INT96, _) => Ok(timestamp(1_000_000, false)),
        (INT32, DATE) => Ok(Form::Date),
        // By the format they are in UTC; writers of that time put any clock's into them.
        (INT64, TIMESTAMP_MILLIS) => Ok(timestamp(1_000, false)),
        (INT64, TIMESTAMP_MICROS) => Ok(timestamp(1_000_000, false)),
        // Without a scale it is 0.
        (_, DECIMAL) => decimal(leaf.scale.max(0)),
        (INT32, uint) if UINTS_TO_32.contains(&uint) => Ok(Form::Unsigned),
        (INT64, UINT_64) => Ok(Form::Unsigned),
        (_, time) if TIMES.contains(&time) => Err(TIME_OF_DAY),
        (_, INTERVAL) => Err("a length of time"),
        (INT32 | INT64, _) => Ok(Form::Signed),
        (BYTES, _) => Ok(Form::Text),
        _ => Err("of bytes without a known meaning"),
    }
}

fn timestamp(per_second: i64, utc: bool) -> Form {
    Form::Timestamp {
        per_second,
        utc,
        midnight: false,
    }
}

fn decimal(scale: i64) -> Result<Form, &'static str> {
    // 38 digits are what 128 bits hold.
    let scale = u8::try_from(scale).ok().filter(|scale| *scale <= 38);
    scale
        .map(|scale| Form::Decimal { scale })
        .ok_or("a decimal of an impossible scale")
}

impl Form {
    /// For a column that is declared to hold days with their times.
    pub(crate) fn with_midnight(mut self) -> Self {
        if let Self::Timestamp { midnight, .. } = &mut self {
            *midnight = true;
        }
        self
    }

    pub(crate) fn push_bool(self, text: &mut Vec<u8>, value: bool) {
        text.extend_from_slice(if value { b"true" } else { b"false" });
    }

    pub(crate) fn push_int32(self, text: &mut Vec<u8>, value: i32) {
        match self {
            Self::Unsigned => push_digits(text, value.cast_unsigned().into(), 1),
            _ => self.push_int64(text, value.into()),
        }
    }

    pub(crate) fn push_int64(self, text: &mut Vec<u8>, value: i64) {
        match self {
            Self::Unsigned => push_digits(text, value.cast_unsigned(), 1),
            Self::Date => match Day::from_number(value) {
                Some(day) => write!(text, "{day}").expect("writing to memory does not fail"),
                None => push_whole(text, value),
            },
            Self::Timestamp { per_second, .. } => self.push_timestamp(text, value, per_second),
            Self::Decimal { scale } => push_decimal(text, value.into(), scale),
            _ => push_whole(text, value),
        }
    }

    pub(crate) fn push_int96(self, text: &mut Vec<u8>, value: &Int96) {
        self.push_timestamp(text, value.to_micros(), 1_000_000);
    }

    pub(crate) fn push_float(self, text: &mut Vec<u8>, value: f32) {
        if value.fract() == 0.0 {
            self.push_double(text, value.into());
        } else {
            // The shortest text that gives this value, not the digits of its neighbour in f64.
            write!(text, "{value:?}").expect("writing to memory does not fail");
        }
    }

    /// Whole values are written without a point: a column of whole numbers with nulls is often
    /// stored so.
    pub(crate) fn push_double(self, text: &mut Vec<u8>, value: f64) {
        // Well below 2^53, up to which f64 holds every whole number.
        if value.fract() == 0.0 && value.abs() < 1e15 {
            #[expect(clippy::cast_possible_truncation, reason = "whole and below 2^53")]
            push_whole(text, value as i64);
        } else {
            let start = text.len();
            write!(text, "{value:?}").expect("writing to memory does not fail");
            // `1e300` is what a code looks like (`discovery`), `1e+300` a number.
            let exponent = text[start..].iter().position(|byte| *byte == b'e');
            if let Some(at) = exponent.map(|e| start + e + 1)
                && text[at] != b'-'
            {
                text.insert(at, b'+');
            }
        }
    }

    pub(crate) fn push_bytes(self, text: &mut Vec<u8>, bytes: &[u8]) {
        match self {
            Self::Decimal { scale } => match big_endian(bytes) {
                Some(value) => push_decimal(text, value, scale),
                // Refused as text, not as an error: one value must not end an upload.
                None => text.extend_from_slice(b"a decimal of more than 128 bits"),
            },
            Self::Uuid => {
                for (i, byte) in bytes.iter().enumerate() {
                    if matches!(i, 4 | 6 | 8 | 10) {
                        text.push(b'-');
                    }
                    write!(text, "{byte:02x}").expect("writing to memory does not fail");
                }
            }
            _ => text.extend_from_slice(bytes),
        }
    }

    /// As ISO 8601 has it.
    fn push_timestamp(self, text: &mut Vec<u8>, value: i64, per_second: i64) {
        const DAY: i64 = 86_400;
        // Euclidean, so that times before 1970 round down and not towards it.
        let (seconds, fraction) = (value.div_euclid(per_second), value.rem_euclid(per_second));
        let (day, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
        let Some(day) = Day::from_number(day) else {
            return push_whole(text, value);
        };
        write!(text, "{day}").expect("writing to memory does not fail");
        let (utc, midnight) = match self {
            Self::Timestamp { utc, midnight, .. } => (utc, midnight),
            _ => (false, false),
        };
        if second == 0 && fraction == 0 && !midnight {
            return;
        }
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(text, "T{hour:02}:{minute:02}:{second:02}")
            .expect("writing to memory does not fail");
        if fraction != 0 {
            let digits = per_second.ilog10() as usize;
            write!(text, ".{fraction:0digits$}").expect("writing to memory does not fail");
        }
        if utc {
            text.push(b'Z');
        }
    }
}

/// A signed number of at most 128 bits, highest byte first.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    // Sign extension: a negative number has ones before it.
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut value = [if negative { 0xff } else { 0 }; 16];
    value[16usize.checked_sub(bytes.len())?..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(value))
}

fn push_decimal(text: &mut Vec<u8>, value: i128, scale: u8) {
    if value < 0 {
        text.push(b'-');
    }
    let digits = format!(
        "{:0width$}",
        value.unsigned_abs(),
        width = usize::from(scale) + 1
    );
    let (whole, fraction) = digits.split_at(digits.len() - usize::from(scale));
    text.extend_from_slice(whole.as_bytes());
    if !fraction.is_empty() {
        text.push(b'.');
        text.extend_from_slice(fraction.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(push: impl Fn(&mut Vec<u8>)) -> String {
        let mut text = Vec::new();
        push(&mut text);
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn timestamps_lose_midnight_and_keep_the_rest() {
        let at =
            |value, per_second| text(|text| timestamp(per_second, false).push_int64(text, value));
        assert_eq!(at(0, 1_000), "1970-01-01");
        assert_eq!(at(-1, 1_000), "1969-12-31T23:59:59.999");
        assert_eq!(at(1_420_113_600_000_000, 1_000_000), "2015-01-01T12:00:00");
        assert_eq!(
            at(1_000_000_001, 1_000_000_000),
            "1970-01-01T00:00:01.000000001"
        );
        assert_eq!(at(i64::MAX, 1_000), i64::MAX.to_string());
        let of = |form: Form, value| text(|text| form.push_int64(text, value));
        assert_eq!(of(timestamp(1_000, true), 1_000), "1970-01-01T00:00:01Z");
        assert_eq!(of(timestamp(1_000, true), 0), "1970-01-01");
        let declared = timestamp(1_000, true).with_midnight();
        assert_eq!(of(declared, 0), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn decimals_get_their_point() {
        let decimal = |scale, value| text(|text| Form::Decimal { scale }.push_int64(text, value));
        assert_eq!(decimal(2, 1_250), "12.50");
        assert_eq!(decimal(2, -5), "-0.05");
        assert_eq!(decimal(0, 7), "7");
        let bytes = |bytes: &[u8]| text(|text| Form::Decimal { scale: 1 }.push_bytes(text, bytes));
        assert_eq!(bytes(&[0xff, 0x85]), "-12.3");
        assert_eq!(
            bytes(&[0x7f; 16]),
            "16947396313317327396019049076013554060.7"
        );
        assert_eq!(bytes(&[]), "0.0");
        assert_eq!(bytes(&[1; 17]), "a decimal of more than 128 bits");
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        assert_eq!(text(|text| Form::Float.push_double(text, 3.0)), "3");
        assert_eq!(text(|text| Form::Float.push_double(text, -0.1)), "-0.1");
        assert_eq!(text(|text| Form::Float.push_double(text, 1e300)), "1e+300");
        assert_eq!(text(|text| Form::Float.push_double(text, f64::NAN)), "NaN");
        assert_eq!(text(|text| Form::Float.push_float(text, 0.1)), "0.1");
        assert_eq!(
            text(|text| Form::Unsigned.push_int32(text, -1)),
            "4294967295"
        );
        assert_eq!(
            text(|text| Form::Unsigned.push_int64(text, -1)),
            u64::MAX.to_string()
        );
        assert_eq!(
            text(|text| Form::Date.push_int32(text, 16_436)),
            "2015-01-01"
        );
        assert_eq!(
            text(|text| Form::Uuid.push_bytes(text, &[0xab; 16])),
            "abababab-abab-abab-abab-abababababab"
        );
    }
}
