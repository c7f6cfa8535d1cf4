//! Parquet values as the text they would be in a CSV file.

use std::io::Write;

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::data_type::Int96;
use parquet::schema::types::ColumnDescriptor;

use crate::day::Day;
use crate::render::{push_digits, push_whole};

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
    /// So many to a second since 1970-01-01.
    Timestamp {
        per_second: i64,
    },
    /// A whole number and where the decimal point goes.
    Decimal {
        scale: u8,
    },
    Uuid,
}

const TIME_OF_DAY: &str = "a time of day";

/// The form of a column, or what it is if that is not supported.
pub(crate) fn form_of(column: &ColumnDescriptor) -> Result<Form, &'static str> {
    let physical = column.physical_type();
    match (physical, column.logical_type_ref()) {
        (Type::INT32 | Type::INT64, Some(LogicalType::Integer(int))) => Ok(if int.is_signed {
            Form::Signed
        } else {
            Form::Unsigned
        }),
        (Type::INT64, Some(LogicalType::Timestamp(timestamp))) => Ok(Form::Timestamp {
            per_second: match timestamp.unit {
                TimeUnit::MILLIS => 1_000,
                TimeUnit::MICROS => 1_000_000,
                TimeUnit::NANOS => 1_000_000_000,
            },
        }),
        (Type::FIXED_LEN_BYTE_ARRAY, Some(LogicalType::Uuid)) => Ok(Form::Uuid),
        (_, Some(LogicalType::Time(_))) => Err(TIME_OF_DAY),
        (_, Some(LogicalType::Float16)) => Err("a number of 16 bits"),
        (_, Some(LogicalType::Bson)) => Err("BSON"),
        _ => form_by_converted_type(column),
    }
}

/// By the older annotations, which newer files carry as well.
fn form_by_converted_type(column: &ColumnDescriptor) -> Result<Form, &'static str> {
    let physical = column.physical_type();
    let decimal = || {
        let scale = u8::try_from(column.type_scale())
            .ok()
            .filter(|scale| *scale <= 38);
        scale
            .map(|scale| Form::Decimal { scale })
            .ok_or("a decimal of an impossible scale")
    };
    match (physical, column.converted_type()) {
        (Type::BOOLEAN, _) => Ok(Form::Bool),
        (Type::FLOAT | Type::DOUBLE, _) => Ok(Form::Float),
        (Type::INT96, _) => Ok(Form::Timestamp {
            per_second: 1_000_000,
        }),
        (Type::INT32, ConvertedType::DATE) => Ok(Form::Date),
        (Type::INT64, ConvertedType::TIMESTAMP_MILLIS) => Ok(Form::Timestamp { per_second: 1_000 }),
        (Type::INT64, ConvertedType::TIMESTAMP_MICROS) => Ok(Form::Timestamp {
            per_second: 1_000_000,
        }),
        (_, ConvertedType::DECIMAL) => decimal(),
        (Type::INT32, ConvertedType::UINT_8 | ConvertedType::UINT_16 | ConvertedType::UINT_32)
        | (Type::INT64, ConvertedType::UINT_64) => Ok(Form::Unsigned),
        (_, ConvertedType::TIME_MILLIS | ConvertedType::TIME_MICROS) => Err(TIME_OF_DAY),
        (_, ConvertedType::INTERVAL) => Err("a length of time"),
        (Type::INT32 | Type::INT64, _) => Ok(Form::Signed),
        (Type::BYTE_ARRAY, _) => Ok(Form::Text),
        _ => Err("of bytes without a known meaning"),
    }
}

impl Form {
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
            Self::Timestamp { per_second } => push_timestamp(text, value, per_second),
            Self::Decimal { scale } => push_decimal(text, value.into(), scale),
            _ => push_whole(text, value),
        }
    }

    pub(crate) fn push_int96(self, text: &mut Vec<u8>, value: &Int96) {
        push_timestamp(text, value.to_micros(), 1_000_000);
    }

    pub(crate) fn push_float(self, text: &mut Vec<u8>, value: f32) {
        if value.fract() == 0.0 {
            self.push_double(text, value.into());
        } else {
            // The shortest text that gives this value, not the digits of its neighbour in f64.
            write!(text, "{value:?}").expect("writing to memory does not fail");
        }
    }

    /// Whole values are written without a point: a column of whole numbers with nulls is often stored so.
    pub(crate) fn push_double(self, text: &mut Vec<u8>, value: f64) {
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
}

/// A signed number of at most 128 bits, highest byte first.
fn big_endian(bytes: &[u8]) -> Option<i128> {
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut value = [if negative { 0xff } else { 0 }; 16];
    value[16usize.checked_sub(bytes.len())?..].copy_from_slice(bytes);
    Some(i128::from_be_bytes(value))
}

fn push_timestamp(text: &mut Vec<u8>, value: i64, per_second: i64) {
    const DAY: i64 = 86_400;
    let (seconds, fraction) = (value.div_euclid(per_second), value.rem_euclid(per_second));
    let (day, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let Some(day) = Day::from_number(day) else {
        return push_whole(text, value);
    };
    write!(text, "{day}").expect("writing to memory does not fail");
    if second == 0 && fraction == 0 {
        return;
    }
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    write!(text, "T{hour:02}:{minute:02}:{second:02}").expect("writing to memory does not fail");
    if fraction != 0 {
        let digits = per_second.ilog10() as usize;
        write!(text, ".{fraction:0digits$}").expect("writing to memory does not fail");
    }
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
            |value, per_second| text(|text| Form::Timestamp { per_second }.push_int64(text, value));
        assert_eq!(at(0, 1_000), "1970-01-01");
        assert_eq!(at(-1, 1_000), "1969-12-31T23:59:59.999");
        assert_eq!(at(1_420_113_600_000_000, 1_000_000), "2015-01-01T12:00:00");
        assert_eq!(
            at(1_000_000_001, 1_000_000_000),
            "1970-01-01T00:00:01.000000001"
        );
        assert_eq!(at(i64::MAX, 1_000), i64::MAX.to_string());
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
