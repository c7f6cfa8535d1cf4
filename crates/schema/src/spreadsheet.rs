//! Texts that a spreadsheet takes for formulas.

use std::borrow::Cow;

use crate::number::decimal;

/// Whether a spreadsheet may take a field of a CSV file for a formula and run it: after white space
/// it begins with `=`, `+`, `-` or `@`, their full-width or small forms included, and it is not
/// simply a number such as `-5`.
///
/// Texts that begin with a tab or a line end belong here too, but no name or category has these
/// characters.
#[must_use]
pub fn is_formula(text: &str) -> bool {
    let shown = text.trim_start();
    let begins = |c: char| {
        matches!(
            c,
            '=' | '+'
                | '-'
                | '@'
                | '\u{2212}'
                | '\u{fe62}'
                | '\u{fe63}'
                | '\u{fe66}'
                | '\u{fe6b}'
                | '\u{ff0b}'
                | '\u{ff0d}'
                | '\u{ff1d}'
                | '\u{ff20}'
        )
    };
    shown.starts_with(begins) && decimal(shown.trim_end().as_bytes()).is_none()
}

/// The text as a spreadsheet shows it and does not run it: an apostrophe goes before what is a
/// formula to it ([`is_formula`]).
#[must_use]
pub fn inert(text: &str) -> Cow<'_, str> {
    if is_formula(text) {
        format!("'{text}").into()
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_begins_as_a_formula_is_one_unless_it_is_a_number() {
        for formula in [
            "=cmd|' /C calc'!A0",
            "@SUM(1)",
            "+1+cmd",
            "-2+3",
            "-",
            "  =1",
            "\t=1",
            "\r\n=1",
            "\u{3000}\u{ff1d}1",
            "\u{ff20}SUM(1)",
            "\u{2212}1",
            "-1e999",
        ] {
            assert!(is_formula(formula), "{formula:?}");
            assert_eq!(inert(formula), format!("'{formula}"));
        }
        for text in ["", " ", "a=1", "1-2", "-5", "+3.5", " -1e-3 ", "'=1", "e@x"] {
            assert!(!is_formula(text), "{text:?}");
            assert_eq!(inert(text), text);
        }
    }
}
