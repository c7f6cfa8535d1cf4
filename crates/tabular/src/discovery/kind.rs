//! What the fields of an undeclared column look like.

use schema::Day;
use schema::number::{Numeral, decimal, numeral, trim};
use zeroize::Zeroizing;

use crate::codes::Wiped;
use crate::dictionary::Texts;

/// The different texts of a column by what they look like, and how many rows have each. Overwritten
/// on drop.
pub(super) struct Classes {
    rows: Wiped<u32>,
    cells: Zeroizing<[u32; CLASSES]>,
}

const CLASSES: usize = 6;
const EMPTY: usize = 0;
const WHOLE: usize = 1;
const DECIMAL: usize = 2;
const DAY: usize = 3;
const TEXT: usize = 4;
/// What reads as a number and is written as no number is: `007`, `00501`, `1e3`.
const CODE: usize = 5;

impl Classes {
    pub(super) fn new(texts: &Texts, rows: Wiped<u32>) -> Self {
        let mut cells = Zeroizing::new([0; CLASSES]);
        for (text, rows) in texts.iter().zip(rows.as_slice()) {
            cells[class(text)] += rows;
        }
        Self { rows, cells }
    }

    /// How many rows have each text.
    pub(super) fn rows(&self) -> &[u32] {
        self.rows.as_slice()
    }

    /// Rows that are empty, whole numbers, decimal numbers, dates, other texts, codes. Each row is
    /// in one cell.
    pub(super) fn cells(&self) -> Vec<u32> {
        self.cells.to_vec()
    }

    /// The whole numbers, each with its rows.
    pub(super) fn wholes<'a>(
        &'a self,
        texts: &'a Texts,
    ) -> impl Iterator<Item = (i64, u32)> + Clone + 'a {
        self.read(texts, |text| match numeral(trim(text)) {
            Some(Numeral::Whole(value)) => Some(value),
            _ => None,
        })
    }

    /// The numbers, whole or not, each with its rows.
    pub(super) fn decimals<'a>(
        &'a self,
        texts: &'a Texts,
    ) -> impl Iterator<Item = (f64, u32)> + Clone + 'a {
        self.read(texts, |text| decimal(trim(text)))
    }

    /// The days, each with its rows.
    pub(super) fn days<'a>(
        &'a self,
        texts: &'a Texts,
    ) -> impl Iterator<Item = (Day, u32)> + Clone + 'a {
        self.read(texts, |text| Day::from_field(trim(text)))
    }

    fn read<'a, T>(
        &'a self,
        texts: &'a Texts,
        read: impl Fn(&[u8]) -> Option<T> + Clone + 'a,
    ) -> impl Iterator<Item = (T, u32)> + Clone + 'a {
        (0..texts.len()).filter_map(move |i| Some((read(texts.get(i))?, self.rows()[i])))
    }
}

fn class(text: &[u8]) -> usize {
    if text.is_empty() {
        return EMPTY;
    }
    let text = trim(text);
    match numeral(text) {
        Some(Numeral::Whole(_) | Numeral::Decimal(_)) if is_code(text) => CODE,
        Some(Numeral::Whole(_)) => WHOLE,
        Some(Numeral::Decimal(_)) => DECIMAL,
        // What tools write for a missing number.
        Some(Numeral::Nan) => EMPTY,
        None if Day::from_field(text).is_some() => DAY,
        None => TEXT,
    }
}

/// Whether a text that reads as a number is written as codes are: with a zero before other digits,
/// or as digits, `e` and digits alone. Programs that write a number with an exponent write a point
/// or a sign as well.
fn is_code(text: &[u8]) -> bool {
    let digits = match text {
        [b'+' | b'-', rest @ ..] => rest,
        _ => text,
    };
    // `-007` is a code as well: sign and zero before other digits.
    let leading_zero = matches!(digits, [b'0', b'0'..=b'9', ..]);
    let plain = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'e' | b'E');
    leading_zero || digits.iter().all(plain) && !digits.iter().all(u8::is_ascii_digit)
}

/// What the noisy counts say that a column holds.
#[derive(Debug, PartialEq)]
pub(super) struct Finding {
    pub(super) values: Values,
    pub(super) nullable: bool,
    /// Whether texts besides numbers or dates stand out.
    pub(super) other: bool,
    /// About how many rows hold something.
    pub(super) filled: f64,
}

#[derive(Debug, PartialEq)]
pub(super) enum Values {
    Whole,
    Decimal,
    Day,
    Text,
}

impl Finding {
    pub(super) fn from_counts(noisy: &[f64], sigma: f64) -> Self {
        // Noise may take a count below zero, which would make others' shares larger than one.
        let count = |class: usize| noisy[class].max(0.0);
        // Three sigma for one class, not four as for the range: there are six cells and not
        // hundreds.
        let stands_out = |count: f64| count > 3.0 * sigma;
        let numbers = count(WHOLE) + count(DECIMAL) + count(CODE);
        let filled = numbers + count(DAY) + count(TEXT);
        // Nine tenths: a few typing errors do not make text of a column of numbers.
        let most = 0.9 * filled;
        // Postcodes: where one in a hundred begins with a zero, the others are not quantities
        // either. A zero typed before a few ages does not make codes of them.
        let codes = stands_out(count(CODE)) && count(CODE) >= 0.01 * filled;
        // Hardly any rows above the noise: a range of them would be made up.
        let values = if filled <= 4.0 * sigma || codes && numbers >= most {
            Values::Text
        } else if numbers >= most && stands_out(count(DECIMAL)) {
            Values::Decimal
        } else if numbers >= most {
            Values::Whole
        } else if count(DAY) >= most {
            Values::Day
        } else {
            Values::Text
        };
        let other = match values {
            Values::Whole | Values::Decimal => stands_out(count(TEXT)) || stands_out(count(DAY)),
            Values::Day => stands_out(count(TEXT)) || stands_out(numbers),
            Values::Text => true,
        };
        Self {
            values,
            other,
            nullable: stands_out(count(EMPTY)),
            filled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(noisy: [f64; CLASSES], sigma: f64) -> (Values, bool, bool) {
        let finding = Finding::from_counts(&noisy, sigma);
        (finding.values, finding.nullable, finding.other)
    }

    #[test]
    fn most_of_the_fields_decide() {
        assert_eq!(
            finding([0.0, 900.0, 0.0, 0.0, 0.0, 0.0], 0.0),
            (Values::Whole, false, false)
        );
        assert_eq!(
            finding([1.0, 900.0, 1.0, 0.0, 1.0, 0.0], 0.0),
            (Values::Decimal, true, true)
        );
        assert_eq!(
            finding([0.0, 0.0, 0.0, 900.0, 50.0, 0.0], 0.0),
            (Values::Day, false, true)
        );
        assert_eq!(
            finding([0.0, 500.0, 0.0, 0.0, 500.0, 0.0], 0.0),
            (Values::Text, false, true)
        );
        assert_eq!(
            finding([9.0, 0.0, 0.0, 0.0, 0.0, 0.0], 0.0),
            (Values::Text, true, true)
        );
    }

    #[test]
    fn codes_among_numbers_make_texts_of_them_unless_they_are_very_few() {
        let with_codes = |codes| finding([0.0, 900.0, 0.0, 0.0, 0.0, codes], 2.0).0;
        assert_eq!(with_codes(900.0), Values::Text);
        assert_eq!(with_codes(10.0), Values::Text);
        assert_eq!(with_codes(7.0), Values::Whole, "below one in a hundred");
        let noise = finding([0.0, 90.0, 0.0, 0.0, 0.0, 5.0], 2.0);
        assert_eq!(
            noise,
            (Values::Whole, false, false),
            "no clearer than noise"
        );
        let days = finding([0.0, 0.0, 0.0, 950.0, 0.0, 50.0], 2.0);
        assert_eq!(days, (Values::Day, false, true));
    }

    #[test]
    fn noise_is_not_taken_for_data() {
        assert_eq!(
            finding([25.0, 900.0, 25.0, -12.0, 9.0, 0.0], 10.0),
            (Values::Whole, false, false)
        );
        assert_eq!(
            finding([35.0, 900.0, 35.0, -12.0, 31.0, 0.0], 10.0),
            (Values::Decimal, true, true)
        );
        assert_eq!(
            finding([3.0, 12.0, -5.0, 8.0, 4.0, 0.0], 10.0),
            (Values::Text, false, true)
        );
    }

    #[test]
    fn texts_are_told_apart_by_their_looks() {
        let classes: Vec<usize> = [
            "",
            "NaN",
            "7",
            " 7 ",
            "7.0",
            "7.5",
            "1e-3",
            "2020-02-29",
            "2020-02-30",
            "x",
            "inf",
            "0",
            "-0.5",
            "1e+16",
            "1.5e16",
            "007",
            " 00501 ",
            "-07",
            "00.5",
            "1e3",
            "12E04",
        ]
        .iter()
        .map(|text| class(text.as_bytes()))
        .collect();
        assert_eq!(
            classes,
            [
                EMPTY, EMPTY, WHOLE, WHOLE, WHOLE, DECIMAL, DECIMAL, DAY, TEXT, TEXT, TEXT, WHOLE,
                DECIMAL, DECIMAL, DECIMAL, CODE, CODE, CODE, CODE, CODE, CODE
            ]
        );
    }
}
