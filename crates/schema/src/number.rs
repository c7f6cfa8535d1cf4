//! Numbers as the bytes of a field: read, fast for the usual forms, and written.

/// What a field holds, read as a number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Numeral {
    /// A whole number, also one written `3.0` or `3e2`.
    Whole(i64),
    /// A finite number that is not whole.
    Decimal(f64),
    /// `NaN` in any letter case, which tools write for a missing number.
    Nan,
}

/// Takes surrounding spaces and tabs away, and no other white space.
#[inline]
#[must_use]
pub fn trim(mut field: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = field {
        field = rest;
    }
    field
}

/// A whole number of up to 18 digits with an optional sign, nothing else.
#[inline]
fn short_whole(field: &[u8]) -> Option<i64> {
    let (negative, digits) = match field {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, field),
    };
    // 18 digits always fit into 64 bits, so that no step needs a check.
    if digits.is_empty() || digits.len() > 18 {
        return None;
    }
    let mut value: i64 = 0;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

/// Powers of ten that an `f64` holds exactly.
const EXACT_POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// `digits.digits` with at most 15 digits: both the digits and the power of ten are exact in `f64`,
/// so one division rounds correctly (Clinger 1990, "How to read floating point numbers accurately",
/// the fast path).
#[inline]
fn short_decimal(field: &[u8]) -> Option<f64> {
    let (negative, rest) = match field {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, field),
    };
    // 15 digits and a point.
    if rest.len() > 16 {
        return None;
    }
    let mut digits: u64 = 0;
    let mut point = None;
    for (i, &byte) in rest.iter().enumerate() {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            digits = digits * 10 + u64::from(digit);
        } else if byte == b'.' && point.is_none() {
            point = Some(i);
        } else {
            return None;
        }
    }
    let count = rest.len() - usize::from(point.is_some());
    if count == 0 || count > 15 {
        return None;
    }
    let after = point.map_or(0, |at| rest.len() - 1 - at);
    #[expect(clippy::cast_precision_loss, reason = "15 digits are below 2^53")]
    let value = digits as f64 / EXACT_POWERS[after];
    Some(if negative { -value } else { value })
}

/// Reads a finite number, correctly rounded; `None` if the field is not one, as `NaN` and
/// `infinity` are not.
#[inline]
#[must_use]
pub fn decimal(field: &[u8]) -> Option<f64> {
    short_decimal(field).or_else(|| slow_decimal(field))
}

#[cold]
fn slow_decimal(field: &[u8]) -> Option<f64> {
    let text = str::from_utf8(field).ok()?;
    // `inf`, `infinity` and `nan` are numbers to the standard parser, and text to us.
    if text
        .bytes()
        .any(|byte| !matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
    {
        return None;
    }
    text.parse().ok().filter(|value: &f64| value.is_finite())
}

/// Reads a whole number of 64 bits: `17`, `-3`, also `3.0` and `3e2` up to 2^53.
#[inline]
#[must_use]
pub fn whole(field: &[u8]) -> Option<i64> {
    short_whole(field).or_else(|| slow_whole(field))
}

#[cold]
fn slow_whole(field: &[u8]) -> Option<i64> {
    let text = str::from_utf8(field).ok()?;
    if let Ok(value) = text.parse() {
        return Some(value);
    }
    let value = decimal(field)?;
    // 2^53: beyond it not every whole number is an `f64`.
    let exact = value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
    exact.then_some(value as i64)
}

/// Whether the field is `NaN` in any letter case.
#[must_use]
pub fn is_nan(field: &[u8]) -> bool {
    field.eq_ignore_ascii_case(b"nan")
}

/// Sorts a field into whole number, decimal number, NaN, or none of these.
#[must_use]
pub fn numeral(field: &[u8]) -> Option<Numeral> {
    if let Some(value) = whole(field) {
        Some(Numeral::Whole(value))
    } else if let Some(value) = decimal(field) {
        Some(Numeral::Decimal(value))
    } else {
        is_nan(field).then_some(Numeral::Nan)
    }
}

/// Appends a whole number in decimal digits, with `-` before a negative one.
pub fn push_whole(buffer: &mut Vec<u8>, value: i64) {
    if value < 0 {
        buffer.push(b'-');
    }
    push_digits(buffer, value.unsigned_abs(), 1);
}

/// Appends the decimal digits of a number, with zeros before them up to `at_least` digits.
///
/// # Panics
/// If more than 20 digits are asked for.
pub fn push_digits(buffer: &mut Vec<u8>, mut value: u64, at_least: usize) {
    let mut digits = [b'0'; 20];
    let mut start = digits.len();
    while value > 0 {
        start -= 1;
        digits[start] = b'0' + u8::try_from(value % 10).expect("a digit");
        value /= 10;
    }
    let start = start.min(digits.len() - at_least);
    buffer.extend_from_slice(&digits[start..]);
}

/// A number for a person, to four significant digits at most where it has more: `9.143`, `137.1`,
/// `10000`.
#[must_use]
pub fn shown(number: f64) -> String {
    const DIGITS: f64 = 4.0;
    if number == 0.0 || !number.is_finite() {
        return number.to_string();
    }
    let scale = 10f64.powf(DIGITS - 1.0 - number.abs().log10().floor());
    // Whole digits are never rounded away.
    let scale = scale.max(1.0);
    let rounded = (number * scale).round() / scale;
    if rounded.is_finite() { rounded } else { number }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spaces_and_tabs_around_a_field_are_taken_away_and_nothing_else() {
        for (field, trimmed) in [
            ("7", "7"),
            (" 7", "7"),
            ("7\t", "7"),
            (" \t 7 8\t ", "7 8"),
            (" \t", ""),
            ("", ""),
            ("\n7 ", "\n7"),
            ("7\r", "7\r"),
            (" \x0c7\u{a0} ", "\x0c7\u{a0}"),
        ] {
            assert_eq!(trim(field.as_bytes()), trimmed.as_bytes(), "{field:?}");
        }
    }

    #[test]
    fn whole_numbers_in_their_usual_dress() {
        for (text, value) in [
            ("0", Some(0)),
            ("-17", Some(-17)),
            ("+5", Some(5)),
            ("007", Some(7)),
            ("3.0", Some(3)),
            ("3e2", Some(300)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("3.5", None),
            ("", None),
            ("-", None),
            ("1 000", None),
            ("1_000", None),
            ("0x10", None),
            ("nan", None),
            ("inf", None),
        ] {
            assert_eq!(whole(text.as_bytes()), value, "{text}");
        }
    }

    #[test]
    fn decimals_in_their_usual_dress() {
        for (text, value) in [
            ("0.1", Some(0.1)),
            (".5", Some(0.5)),
            ("5.", Some(5.0)),
            ("-1e-3", Some(-0.001)),
            ("1E6", Some(1e6)),
            (
                "123456789012345678901234567890",
                Some(1.234_567_890_123_456_8e29),
            ),
            ("1e999", None),
            (".", None),
            ("-", None),
            ("1.2.3", None),
            ("1,5", None),
            ("NaN", None),
            ("infinity", None),
        ] {
            assert_eq!(decimal(text.as_bytes()), value, "{text}");
        }
        assert_eq!(numeral(b"NaN"), Some(Numeral::Nan));
        assert_eq!(numeral(b"n/a"), None);
    }

    proptest! {
        #[test]
        fn the_fast_path_rounds_as_the_standard_library_does(text in "-?[0-9]{0,9}\\.?[0-9]{0,9}") {
            let ours = decimal(text.as_bytes());
            let std = text.parse::<f64>().ok();
            prop_assert_eq!(ours.map(f64::to_bits), std.map(f64::to_bits));
        }

        #[test]
        fn any_printed_number_is_read_back(value in proptest::num::f64::NORMAL) {
            prop_assert_eq!(decimal(format!("{value:e}").as_bytes()), Some(value));
            prop_assert_eq!(decimal(value.to_string().as_bytes()), Some(value));
        }

        #[test]
        fn any_whole_number_is_read_back(value: i64) {
            prop_assert_eq!(whole(value.to_string().as_bytes()), Some(value));
        }
    }

    #[test]
    fn a_person_is_shown_four_digits() {
        for (number, expected) in [
            (9.142857142857139, "9.143"),
            (-137.14285714285714, "-137.1"),
            (0.000123456, "0.0001235"),
            (1002.0, "1002"),
            (123456.7, "123457"),
            (8.0, "8"),
            (0.0, "0"),
        ] {
            assert_eq!(shown(number), expected);
        }
        assert_eq!(shown(1e300).len(), 301);
    }
}
