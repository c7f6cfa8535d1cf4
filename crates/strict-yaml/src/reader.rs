//! Reading a whole text into a type.

use serde::de::DeserializeOwned;
use serde_saphyr::Error;
use serde_saphyr::options::MergeKeyPolicy;

use crate::ambiguity;
use crate::names::{nearest, quoted_list};

/// Why a text could not be read: one sentence, and the line it is about where known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct YamlError {
    pub(crate) line: Option<u64>,
    pub(crate) message: String,
}

impl YamlError {
    pub(crate) fn at(line: usize, message: impl Into<String>) -> Self {
        YamlError {
            line: u64::try_from(line).ok().filter(|line| *line > 0),
            message: message.into(),
        }
    }

    /// The line, counted from 1.
    pub fn line(&self) -> Option<u64> {
        self.line
    }
}

/// Reads one YAML document, of which JSON is a part.
///
/// Types should refuse fields that they do not know (`#[serde(deny_unknown_fields)]`).
///
/// # Errors
/// Not YAML; not of the type's shape; or something that two readers could understand differently:
/// tags, anchors, aliases, merges, directives, a second document, a key given twice, numbers other
/// than in decimal digits, characters that a screen does not show. The message names keys and odd
/// numbers of the text, and quotes nothing else of it.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    // Some editors begin every file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    ambiguity::check(text)?;
    let options = serde_saphyr::options! {
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
    };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| describe(error.without_snippet()))
}

/// Reads one YAML document as [`from_str`] does.
///
/// # Errors
/// As [`from_str`]; or that the text is not UTF-8, with the line of the first such byte.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> Result<T, YamlError> {
    let text = std::str::from_utf8(text).map_err(|error| {
        let before = &text[..error.valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        YamlError::at(line, "the file is not UTF-8 text")
    })?;
    from_str(text)
}

fn describe(error: &Error) -> YamlError {
    let line = error
        .location()
        .map(|location| location.line())
        .filter(|line| *line > 0);
    let message = match error {
        Error::SerdeUnknownField {
            field, expected, ..
        } => unknown("key", field, expected),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => unknown("name", variant, expected),
        Error::SerdeMissingField { field, .. } => format!("the key `{field}` is missing"),
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("expected {expected} here")
        }
        Error::Message { msg, .. } => msg.clone(),
        Error::NullIntoString { .. } => "a text is missing after the colon".to_owned(),
        Error::InvalidBooleanStrict { .. } => "expected `true` or `false` here".to_owned(),
        Error::InvalidScalar { ty, .. } => format!("expected {} here", kind(ty)),
        Error::Unexpected { expected, .. } => format!("expected {} here", kind(expected)),
        Error::Eof { .. } => "the file is empty or ends too early".to_owned(),
        other => first_sentence(&other.to_string()),
    };
    YamlError { line, message }
}

fn unknown(what: &str, name: &str, known: &[&'static str]) -> String {
    let hint = match nearest(name, known.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("known here are {}", quoted_list(known)),
    };
    format!("unknown {what} `{name}`; {hint}")
}

/// The library's name of a kind of value, as a person would say it.
fn kind(name: &'static str) -> &'static str {
    match name {
        "sequence start" => "a list",
        "mapping start" => "a mapping (`key: value` lines)",
        "string scalar" | "string" => "a text",
        "floating point" => "a number",
        other if other.contains("integer") || other.starts_with(['u', 'i']) => {
            "a whole number of a sensible size"
        }
        other => other,
    }
}

/// The library's messages carry a location and a drawing of the place after the first line.
fn first_sentence(message: &str) -> String {
    let line = message.lines().next().unwrap_or(message);
    let line = line.strip_prefix("error: ").unwrap_or(line);
    match line.rsplit_once(" at line ") {
        Some((sentence, _)) => sentence.to_owned(),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only what is refused matters here")]
    struct Example {
        epsilon: f64,
        names: Vec<String>,
        #[serde(default)]
        colour: Option<Colour>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Colour {
        Red,
        Green,
    }

    fn check(text: &str, expected: Expect) {
        let error = from_str::<Example>(text).expect_err("must be refused");
        expected.assert_eq(&error.to_string());
    }

    #[test]
    fn every_refusal_says_where_and_what_to_do() {
        check(
            "epsilom: 3\nnames: []",
            expect!["line 1: unknown key `epsilom`; did you mean `epsilon`?"],
        );
        check(
            "epsilon: 3\nnames: []\nwhatever: 1",
            expect![
                "line 3: unknown key `whatever`; known here are `epsilon`, `names` and `colour`"
            ],
        );
        check(
            "epsilon: 3\nepsilon: 4\nnames: []",
            expect!["line 2: the key `epsilon` is given twice"],
        );
        check("epsilon: 3", expect!["line 1: the key `names` is missing"]);
        check(
            "epsilon: three\nnames: []",
            expect!["line 1: expected a number here"],
        );
        check(
            "epsilon: 3\nnames: Alice",
            expect!["line 2: expected a list here"],
        );
        check(
            "epsilon: 3\nnames: [a",
            expect!["line 2: unclosed bracket '['"],
        );
        check(
            "epsilon: 3\nnames:\n- ",
            expect!["line 3: a text is missing after the colon"],
        );
        check(
            "epsilon: 3\nnames: []\ncolour: gren",
            expect!["line 3: unknown name `gren`; did you mean `green`?"],
        );
        check("", expect!["line 1: the file is empty or ends too early"]);
        check(
            "epsilon: 1\nnames: []\n---\nb: 2",
            expect!["line 3: there is more than one YAML document in the file"],
        );
        check("{", expect!["line 1: unclosed bracket '{'"]);
        check(
            "epsilon: 3\n\tnames: []",
            expect!["line 1: while scanning a plain scalar, found a tab"],
        );
        check(
            "*anchor",
            expect!["line 1: an alias (`*name`) is not allowed; write the value out"],
        );
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        let error = from_slice::<Example>(b"a: 1\nepsilon: \xff").expect_err("must be refused");
        assert_eq!(error.to_string(), "line 2: the file is not UTF-8 text");
    }
}
