//! How the numbers of a column are written.

use serde::{Deserialize, Serialize};

use crate::number;

/// How numbers are written in a column. Each field may or may not have the thousands separator and
/// the sign; both stand where they belong, or the field is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumberForm {
    /// What stands before the decimals.
    #[serde(default)]
    pub decimal: DecimalMark,
    /// What stands between groups of three digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thousands: Option<Thousands>,
    /// The currency or percent sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign: Option<Sign>,
}

/// What stands before the decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DecimalMark {
    /// `2.5`
    #[default]
    Point,
    /// `2,5`
    Comma,
}

/// What stands between groups of three digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Thousands {
    /// `1,000`
    Comma,
    /// `1.000`
    Point,
    /// `1 000`, also with a space that does not break.
    Space,
    /// `1'000`
    Apostrophe,
}

impl Thousands {
    fn text(self) -> &'static str {
        match self {
            Self::Comma => ",",
            Self::Point => ".",
            Self::Space => " ",
            Self::Apostrophe => "'",
        }
    }
}

/// A currency or percent sign. `12 %` is read as 12: bounds are in the unit of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    /// One of [`Sign::ALL`].
    pub text: char,
    /// Whether it stands before the number.
    pub before: bool,
}

impl Sign {
    /// The signs that are known.
    pub const ALL: [char; 6] = ['$', '€', '£', '¥', '₹', '%'];
}

/// A field without what only people need.
struct Undressed {
    /// Digits with a decimal point.
    plain: [u8; MAX_BYTES],
    length: usize,
    thousands: Option<Thousands>,
    sign: Option<Sign>,
}

/// No number is longer, dressed or not.
const MAX_BYTES: usize = 64;

impl NumberForm {
    /// `1234.5`, and nothing around it.
    pub const PLAIN: Self = Self {
        decimal: DecimalMark::Point,
        thousands: None,
        sign: None,
    };

    /// Reads a field in whatever dress: the form that it has, with this decimal mark. A field such
    /// as `1,234` is a thousand with a decimal point, and a little more than one with a comma.
    #[must_use]
    pub fn of(field: &[u8], decimal: DecimalMark) -> Option<Self> {
        let undressed = undress(field, decimal)?;
        number::decimal(undressed.plain())?;
        Some(Self {
            decimal,
            thousands: undressed.thousands,
            sign: undressed.sign,
        })
    }

    /// Reads a finite number in this form.
    #[inline]
    #[must_use]
    pub fn number(self, field: &[u8]) -> Option<f64> {
        if self.decimal == DecimalMark::Point
            && let Some(value) = number::decimal(field)
        {
            return Some(value);
        }
        number::decimal(self.undressed(field)?.plain())
    }

    /// Reads a whole number in this form; `3.0` is one.
    #[inline]
    #[must_use]
    pub fn whole(self, field: &[u8]) -> Option<i64> {
        if self.decimal == DecimalMark::Point
            && let Some(value) = number::whole(field)
        {
            return Some(value);
        }
        number::whole(self.undressed(field)?.plain())
    }

    /// Reads a number in whatever dress, with this decimal mark.
    #[must_use]
    pub fn dressed_number(field: &[u8], decimal: DecimalMark) -> Option<f64> {
        number::decimal(undress(field, decimal)?.plain())
    }

    /// Reads a whole number in whatever dress, with this decimal mark.
    #[must_use]
    pub fn dressed_whole(field: &[u8], decimal: DecimalMark) -> Option<i64> {
        number::whole(undress(field, decimal)?.plain())
    }

    /// How many decimals a number of this form is written with; `None` if the field is not one, or
    /// is written with an exponent.
    #[must_use]
    pub fn decimals(self, field: &[u8]) -> Option<usize> {
        let undressed = self.undressed(field)?;
        let plain = undressed.plain();
        number::decimal(plain)?;
        if plain.iter().any(|byte| matches!(byte, b'e' | b'E')) {
            return None;
        }
        let point = plain.iter().position(|&byte| byte == b'.');
        Some(point.map_or(0, |at| plain.len() - 1 - at))
    }

    /// Dresses the plain number at the end of a buffer, from `start` on, which may have an
    /// exponent.
    pub(crate) fn dress(self, buffer: &mut Vec<u8>, start: usize) {
        let plain = buffer.split_off(start);
        let (minus, digits) = match plain.strip_prefix(b"-") {
            Some(digits) => (&b"-"[..], digits),
            None => (&b""[..], plain.as_slice()),
        };
        buffer.extend_from_slice(minus);
        let sign = self.sign.map(|sign| (sign.before, sign.text.to_string()));
        if let Some((true, sign)) = &sign {
            buffer.extend_from_slice(sign.as_bytes());
        }
        let whole = digits
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (whole, rest) = digits.split_at(whole);
        for (i, digit) in whole.iter().enumerate() {
            if i > 0 && (whole.len() - i) % 3 == 0 {
                buffer.extend_from_slice(self.thousands.map_or("", Thousands::text).as_bytes());
            }
            buffer.push(*digit);
        }
        match (self.decimal, rest) {
            (DecimalMark::Comma, [b'.', decimals @ ..]) => {
                buffer.push(b',');
                buffer.extend_from_slice(decimals);
            }
            _ => buffer.extend_from_slice(rest),
        }
        if let Some((false, sign)) = &sign {
            buffer.extend_from_slice(sign.as_bytes());
        }
    }

    /// Whether a number of this form may have a comma in it.
    pub(crate) fn has_comma(self) -> bool {
        self.decimal == DecimalMark::Comma || self.thousands == Some(Thousands::Comma)
    }

    #[cold]
    fn undressed(self, field: &[u8]) -> Option<Undressed> {
        let undressed = undress(field, self.decimal)?;
        let fits = (undressed.thousands.is_none() || undressed.thousands == self.thousands)
            && (undressed.sign.is_none() || undressed.sign == self.sign);
        fits.then_some(undressed)
    }
}

impl Undressed {
    fn plain(&self) -> &[u8] {
        &self.plain[..self.length]
    }

    fn push(&mut self, bytes: &[u8]) -> Option<()> {
        let place = self.plain.get_mut(self.length..self.length + bytes.len())?;
        place.copy_from_slice(bytes);
        self.length += bytes.len();
        Some(())
    }
}

/// Takes the sign and the separators off a field and puts a point before its decimals. What is left
/// need not be a number.
fn undress(field: &[u8], decimal: DecimalMark) -> Option<Undressed> {
    let mut text = str::from_utf8(field).ok()?.trim();
    let mut undressed = Undressed {
        plain: [0; MAX_BYTES],
        length: 0,
        thousands: None,
        sign: None,
    };
    let outer = negative(&mut text);
    for sign in Sign::ALL {
        let (inner, before) = match (text.strip_prefix(sign), text.strip_suffix(sign)) {
            (Some(inner), _) => (inner, true),
            (None, Some(inner)) => (inner, false),
            (None, None) => continue,
        };
        text = inner.trim();
        undressed.sign = Some(Sign { text: sign, before });
        break;
    }
    // The minus may stand on either side of a currency sign: `-$5`, `$-5`.
    let inner = negative(&mut text);
    if inner.is_some() && (outer.is_some() || undressed.sign.is_none()) {
        return None;
    }
    if outer.or(inner) == Some(true) {
        undressed.push(b"-")?;
    }
    let mark = match decimal {
        DecimalMark::Point => '.',
        DecimalMark::Comma => ',',
    };
    let (whole, rest) = match text.find([mark, 'e', 'E']) {
        Some(at) => text.split_at(at),
        None => (text, ""),
    };
    push_whole_part(whole, decimal, &mut undressed)?;
    match rest.strip_prefix(mark) {
        Some(decimals) => {
            undressed.push(b".")?;
            undressed.push(decimals.as_bytes())?;
        }
        None => undressed.push(rest.as_bytes())?,
    }
    Some(undressed)
}

/// Takes the sign off a number, or the parentheses that accountants put around one below zero: true
/// for a minus, which may be a hyphen or the character for it, and may stand at the end.
fn negative(text: &mut &str) -> Option<bool> {
    const MINUS: [char; 2] = ['-', '\u{2212}'];
    let within = |text: &&str| text.strip_prefix('(')?.strip_suffix(')').map(str::len);
    if within(text).is_some() {
        *text = text[1..text.len() - 1].trim();
        return Some(true);
    }
    if let Some(rest) = text.strip_prefix('+') {
        *text = rest;
        return Some(false);
    }
    let rest = text
        .strip_prefix(MINUS)
        .or_else(|| text.strip_suffix(MINUS))?;
    *text = rest.trim_end();
    Some(true)
}

/// Appends the digits before the decimals: all of them, or one to three and then groups of three
/// behind one kind of separator.
fn push_whole_part(text: &str, decimal: DecimalMark, undressed: &mut Undressed) -> Option<()> {
    let separator = text.chars().find(|c| !c.is_ascii_digit());
    let Some(separator) = separator else {
        return undressed.push(text.as_bytes());
    };
    let thousands = match (separator, decimal) {
        (',', DecimalMark::Point) => Thousands::Comma,
        ('.', DecimalMark::Comma) => Thousands::Point,
        (' ' | '\u{a0}' | '\u{202f}', _) => Thousands::Space,
        ('\'' | '’', _) => Thousands::Apostrophe,
        _ => return None,
    };
    for (i, group) in text.split(separator).enumerate() {
        let good = match i {
            0 => (1..=3).contains(&group.len()),
            _ => group.len() == 3,
        };
        if !good || !group.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        undressed.push(group.as_bytes())?;
    }
    undressed.thousands = Some(thousands);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use DecimalMark::{Comma, Point};

    #[test]
    fn numbers_are_read_in_their_dress() {
        for (field, decimal, expected) in [
            ("1234.5", Point, Some(1234.5)),
            ("1,234.5", Point, Some(1234.5)),
            ("1,234,567", Point, Some(1_234_567.0)),
            ("1,234", Point, Some(1234.0)),
            ("1,234", Comma, Some(1.234)),
            ("1.234,5", Comma, Some(1234.5)),
            ("1.234", Comma, Some(1234.0)),
            ("2,5", Comma, Some(2.5)),
            ("2,5", Point, None),
            ("2.5", Comma, None),
            ("1 234", Point, Some(1234.0)),
            ("1\u{a0}234,5", Comma, Some(1234.5)),
            ("1'234.50", Point, Some(1234.5)),
            ("12,34", Point, None),
            ("1,2345", Point, None),
            (",123", Point, None),
            ("1,234 567", Point, None),
            ("1.234.5", Point, None),
            ("$1,200.00", Point, Some(1200.0)),
            ("-$5", Point, Some(-5.0)),
            ("$-5", Point, Some(-5.0)),
            ("-$-5", Point, None),
            ("--5", Point, None),
            ("1.200,50 €", Comma, Some(1200.5)),
            ("12 %", Point, Some(12.0)),
            ("+12%", Point, Some(12.0)),
            ("$12%", Point, None),
            ("1,5e3", Comma, Some(1500.0)),
            ("(266.54)", Point, Some(-266.54)),
            ("($1,200.00)", Point, Some(-1200.0)),
            ("266,54-", Comma, Some(-266.54)),
            ("12 -", Point, Some(-12.0)),
            ("\u{2212}5", Point, Some(-5.0)),
            ("(-5)", Point, None),
            ("-5-", Point, None),
            ("1-5", Point, None),
            ("()", Point, None),
            ("-", Point, None),
            ("$", Point, None),
            ("", Point, None),
            ("inf", Point, None),
            ("1e999", Point, None),
        ] {
            let read = NumberForm::dressed_number(field.as_bytes(), decimal);
            assert_eq!(read, expected, "{field:?} with {decimal:?}");
            let of = NumberForm::of(field.as_bytes(), decimal);
            assert_eq!(
                of.and_then(|form| form.number(field.as_bytes())),
                expected,
                "{field:?}"
            );
        }
        assert_eq!(NumberForm::dressed_whole(b"1,234.0", Point), Some(1234));
        assert_eq!(NumberForm::dressed_whole(b"1,234.5", Point), None);
    }

    #[test]
    fn another_dress_is_not_a_number_of_the_form() {
        let dollars = NumberForm::of(b"$1,000", Point).unwrap();
        assert_eq!(dollars.number(b"7"), Some(7.0));
        assert_eq!(dollars.whole(b"$1,007"), Some(1007));
        assert_eq!(dollars.number("7 €".as_bytes()), None);
        assert_eq!(dollars.number(b"7$"), None);
        assert_eq!(dollars.number(b"1 000"), None);
        assert_eq!(NumberForm::PLAIN.number(b"1,000"), None);
        assert_eq!(NumberForm::PLAIN.whole(b"3.0"), Some(3));
    }

    #[test]
    fn decimals_are_counted_as_they_are_written() {
        for (field, decimal, expected) in [
            ("2", Point, Some(0)),
            ("2.50", Point, Some(2)),
            ("1,234.5", Comma, None),
            ("1.234,567 €", Comma, Some(3)),
            ("1e3", Point, None),
            ("x", Point, None),
        ] {
            let field = field.as_bytes();
            let form = NumberForm::of(field, decimal).unwrap_or_default();
            assert_eq!(form.decimals(field), expected);
        }
    }

    #[test]
    fn a_form_is_stored_with_what_it_has() {
        let form = NumberForm::of("1.200,50 €".as_bytes(), Comma).unwrap();
        let stored = serde_json::to_string(&form).unwrap();
        assert_eq!(
            stored,
            r#"{"decimal":"comma","thousands":"point","sign":{"text":"€","before":false}}"#
        );
        assert_eq!(serde_json::from_str::<NumberForm>(&stored).unwrap(), form);
        assert_eq!(
            serde_json::from_str::<NumberForm>("{}").unwrap(),
            NumberForm::PLAIN
        );
    }

    #[test]
    fn what_is_dressed_is_read_back() {
        for (plain, field, decimal) in [
            ("1234567.50", "$1,234,567.50", Point),
            ("-1234", "-1'234 €", Comma),
            ("123", "1.123%", Comma),
            ("0.5", "1 000,5", Comma),
        ] {
            let form = NumberForm::of(field.as_bytes(), decimal).unwrap();
            let mut written = b"x".to_vec();
            written.extend_from_slice(plain.as_bytes());
            form.dress(&mut written, 1);
            assert_eq!(
                form.number(&written[1..]),
                plain.parse().ok(),
                "{plain} as {field}"
            );
        }
        let mut written = b"-1234567.50".to_vec();
        NumberForm::of(b"$1,000", Point)
            .unwrap()
            .dress(&mut written, 0);
        assert_eq!(written, b"-$1,234,567.50");
    }

    proptest! {
        #[test]
        fn no_field_is_too_strange(field: String) {
            for decimal in [Point, Comma] {
                let of = NumberForm::of(field.as_bytes(), decimal);
                let read = NumberForm::dressed_number(field.as_bytes(), decimal);
                prop_assert_eq!(of.is_some(), read.is_some());
            }
        }

        #[test]
        fn plain_numbers_are_the_same_in_every_form(value in -1e12f64..1e12) {
            let text = value.to_string();
            prop_assert_eq!(NumberForm::PLAIN.number(text.as_bytes()), Some(value));
            prop_assert_eq!(NumberForm::dressed_number(text.as_bytes(), Point), Some(value));
            let comma = text.replace('.', ",");
            prop_assert_eq!(NumberForm::dressed_number(comma.as_bytes(), Comma), Some(value));
        }
    }
}
