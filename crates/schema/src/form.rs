//! The forms in which values are written in tables: dates and times, numbers, truths, and what
//! stands for a missing value.
//!
//! A form is a fact about a column, declared or discovered. What it reads of a field depends on the
//! form and that field alone, never on other fields, so that no row changes what another one means.

mod date;
mod number;

pub(crate) use date::offset;
pub use date::{DateForm, FormError, Unit};
pub use number::{DecimalMark, NumberForm, Sign, Thousands};

use crate::number::trim;

/// How the values of a column are written, where that is not the usual way: days and moments as in
/// ISO 8601, numbers plain and with as many digits as their bin needs, truths as `true` and
/// `false`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ValueForm {
    /// The usual way of the column's kind.
    #[default]
    Usual,
    /// Of days, and of moments.
    Date(DateForm),
    /// Of whole and other numbers.
    Number {
        /// What stands around and between the digits. In JSON, numbers are plain.
        form: NumberForm,
        /// How many decimals are written; as many as a bin needs, for `None`.
        decimals: Option<u8>,
    },
    /// Of truths.
    Boolean(TruthWords),
}

impl ValueForm {
    /// The most decimals that a number may be declared to have.
    pub const MAX_DECIMALS: u8 = 15;

    /// How many decimals are written, if that is fixed.
    #[must_use]
    pub fn decimals(&self) -> Option<u8> {
        match self {
            Self::Number { decimals, .. } => *decimals,
            _ => None,
        }
    }

    /// The form of dates, if it is not ISO 8601.
    #[must_use]
    pub fn date(&self) -> Option<&DateForm> {
        match self {
            Self::Date(form) => Some(form),
            _ => None,
        }
    }

    /// Which of several readings that a field could have holds for the column, in words: `day
    /// first`, `decimal comma`. None where there is one reading only.
    #[must_use]
    pub fn conventions(&self) -> Vec<&'static str> {
        let number = self.number();
        let decimal = (number.decimal == DecimalMark::Comma).then_some("decimal comma");
        let thousands = number.thousands.map(|it| match it {
            Thousands::Comma => "`,` between thousands",
            Thousands::Point => "`.` between thousands",
            Thousands::Space => "a space between thousands",
            Thousands::Apostrophe => "`'` between thousands",
        });
        let date = self.date();
        let order = date.and_then(DateForm::order);
        let offset = date.filter(|form| form.has_offset());
        let moved = offset.map(|_| "moved to UTC");
        [decimal, thousands, order, moved]
            .into_iter()
            .flatten()
            .collect()
    }

    /// What stands around and between the digits of a number.
    #[must_use]
    pub fn number(&self) -> NumberForm {
        match self {
            Self::Number { form, .. } => *form,
            _ => NumberForm::PLAIN,
        }
    }
}

/// What a column has for false and true. At least one word for each; the first is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TruthWords {
    /// Words for false.
    pub falses: Vec<String>,
    /// Words for true.
    pub trues: Vec<String>,
}

impl TruthWords {
    /// The word that is written for a truth.
    #[must_use]
    pub fn written(&self, truth: bool) -> &str {
        let words = if truth { &self.trues } else { &self.falses };
        words.first().map_or("", String::as_str)
    }

    /// All words, each with its truth.
    pub fn all(&self) -> impl Iterator<Item = (&str, bool)> {
        let falses = self.falses.iter().map(|word| (word.as_str(), false));
        falses.chain(self.trues.iter().map(|word| (word.as_str(), true)))
    }
}

/// How the fields of a declared column are read beyond its kind and form.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reading {
    /// What stands for a missing value besides what [`is_missing`] knows.
    pub missing: Vec<String>,
    /// What stands before decimals; `None` takes a point, and refuses `1,234`, which could be
    /// either, in a column of numbers.
    pub decimal: Option<DecimalMark>,
    /// The share of fields that may be not understood; [`DEFAULT_TOLERANCE`] for `None`.
    pub tolerance: Option<f64>,
}

/// The share of a column's fields that may be not understood, unless a declaration says otherwise.
pub const DEFAULT_TOLERANCE: f64 = 0.01;

impl Reading {
    /// The share of fields that may be not understood.
    #[must_use]
    pub fn tolerance(&self) -> f64 {
        self.tolerance.unwrap_or(DEFAULT_TOLERANCE)
    }
}

/// Whether the field says that there is no value: it is empty, or one of the words that programs
/// write in place of a value, in any letter case and with or without spaces around it: `NA`, `N/A`,
/// `n.a.`, `#N/A`, `#NULL!`, `<NA>`, `NaN`, `NaT`, `null`, `(null)`, `None`, `\N`, `?`, `.`, `-`,
/// `--`.
#[inline]
#[must_use]
pub fn is_missing(field: &[u8]) -> bool {
    match trim(field) {
        [] => true,
        // As most fields are: digits and most letters begin no word.
        [
            b'0' | b'2'..=b'9' | b'a'..=b'm' | b'o'..=b'z' | b'A'..=b'M' | b'O'..=b'Z',
            ..,
        ] => false,
        [b'1'] => false,
        [b'1', second, ..] if *second != b'.' => false,
        field => field.len() <= LONGEST_MISSING && is_missing_word(field),
    }
}

fn is_missing_word(field: &[u8]) -> bool {
    let is = |word: &&str| field.eq_ignore_ascii_case(word.as_bytes());
    MISSING_WORDS.iter().any(is)
}

/// Bytes of the longest word.
const LONGEST_MISSING: usize = 8;

/// The words of [`is_missing`]: those of pandas, R, spreadsheets, database dumps (`\N`), SAS (`.`)
/// and of the tables of the UCI repository (`?`).
pub(crate) const MISSING_WORDS: [&str; 24] = [
    "na", "n/a", "#n/a", "<na>", "nan", "nat", "null", "none", "n.a.", "#na", "#n/a n/a", "#null!",
    "(null)", "\\n", "-nan", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "?", ".", "-", "--",
    "---",
];

/// Reads true or false: true or false, t or f, yes or no, y or n, 1 or 0, 1.0 or 0.0, in any letter
/// case, with or without spaces around it.
#[must_use]
pub fn truth(field: &[u8]) -> Option<bool> {
    const TRUE: [&[u8]; 6] = [b"true", b"t", b"yes", b"y", b"1", b"1.0"];
    const FALSE: [&[u8]; 6] = [b"false", b"f", b"no", b"n", b"0", b"0.0"];
    let field = trim(field);
    let is = |words: [&[u8]; 6]| words.iter().any(|word| field.eq_ignore_ascii_case(word));
    if is(TRUE) {
        Some(true)
    } else {
        is(FALSE).then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_values_are_known_by_their_usual_spellings() {
        for field in [
            "", " ", "NA", "na", "N/A", "#N/A", "<NA>", "NaN", "nan", "NaT", "null", "NULL",
            "None", " none\t", "\\N", "?", " . ", "-", "--", "(null)", "#NULL!", "n.a.", "-1.#IND",
        ] {
            assert!(is_missing(field.as_bytes()), "{field:?}");
        }
        for word in MISSING_WORDS {
            assert!(is_missing(word.as_bytes()) && is_missing(word.to_uppercase().as_bytes()));
            assert!(word.len() <= LONGEST_MISSING, "{word}");
        }
        for field in [
            "0", "1", "12", "1.", "1.5", "..", "??", "nana", "nothing", "unknown", "-999", "N",
        ] {
            assert!(!is_missing(field.as_bytes()), "{field:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_several_ways_is_told() {
        let date = |pattern: &str| ValueForm::Date(DateForm::new(pattern).unwrap()).conventions();
        assert_eq!(date("%d/%m/%Y"), ["day first"]);
        assert_eq!(date("%-m/%-d/%y %I:%M %p"), ["month first"]);
        assert_eq!(date("%Y-%m-%dT%H:%M%:z"), ["moved to UTC"]);
        for pattern in ["%Y/%m/%d", "%d %b %Y", "%Y%m%d"] {
            assert_eq!(date(pattern), [""; 0], "{pattern}");
        }
        let number = |field: &str, decimal| {
            let form = NumberForm::of(field.as_bytes(), decimal).unwrap();
            let decimals = None;
            ValueForm::Number { form, decimals }.conventions()
        };
        let comma = ["decimal comma", "`.` between thousands"];
        assert_eq!(number("1.234,5", DecimalMark::Comma), comma);
        let thousands = ["`,` between thousands"];
        assert_eq!(number("19,856", DecimalMark::Point), thousands);
        assert_eq!(number("$5", DecimalMark::Point), [""; 0]);
    }

    #[test]
    fn truths_are_known_by_their_usual_spellings() {
        for (field, value) in [
            ("true", Some(true)),
            ("FALSE", Some(false)),
            (" Y ", Some(true)),
            ("n", Some(false)),
            ("yes", Some(true)),
            ("No", Some(false)),
            ("t", Some(true)),
            ("F", Some(false)),
            ("1", Some(true)),
            ("0.0", Some(false)),
            ("1.0", Some(true)),
            ("2", None),
            ("", None),
            ("ja", None),
        ] {
            assert_eq!(truth(field.as_bytes()), value, "{field:?}");
        }
    }
}
