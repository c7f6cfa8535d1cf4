//! The forms in which values are written in tables: dates and times, numbers, truths, and what
//! stands for a missing value.
//!
//! A form is a fact about a column, declared or discovered. What it reads of a field depends on the
//! form and that field alone, never on other fields, so that no row changes what another one means.

mod date;
mod number;

pub use date::{DateForm, FormError};
pub use number::{DecimalMark, NumberForm, Sign, Thousands};

use crate::number::trim;

/// Whether the field says that there is no value: it is empty, or `NA`, `N/A`, `#N/A`, `<NA>`,
/// `NaN`, `NaT`, `null` or `None` in any letter case, with or without spaces around it.
#[must_use]
pub fn is_missing(field: &[u8]) -> bool {
    const WORDS: [&[u8]; 8] = [
        b"na", b"n/a", b"#n/a", b"<na>", b"nan", b"nat", b"null", b"none",
    ];
    let field = trim(field);
    field.is_empty() || WORDS.iter().any(|word| field.eq_ignore_ascii_case(word))
}

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
            "None", " none\t",
        ] {
            assert!(is_missing(field.as_bytes()), "{field:?}");
        }
        for field in ["0", "-", "?", "nana", "nothing", "n.a.", "-999"] {
            assert!(!is_missing(field.as_bytes()), "{field:?}");
        }
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
