//! Strict reading of YAML configuration: unknown and repeated keys are refused, with a line and the nearest
//! known name.

use serde::de::DeserializeOwned;
use serde_saphyr::Error;

/// Why a configuration text could not be read: one sentence, and the line it is about where known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct YamlError {
    line: Option<u64>,
    message: String,
}

impl YamlError {
    /// The line, counted from 1.
    pub fn line(&self) -> Option<u64> {
        self.line
    }
}

/// Reads one YAML document into a type whose unknown fields are refused (`#[serde(deny_unknown_fields)]`).
///
/// # Errors
/// Not UTF-8, not YAML, more than one document, or not of the type's shape. The message never quotes a value of
/// the text beyond the name of a key.
pub fn from_yaml<T: DeserializeOwned>(text: &[u8]) -> Result<T, YamlError> {
    let text = std::str::from_utf8(text).map_err(|_| YamlError {
        line: None,
        message: "the file is not UTF-8 text".to_owned(),
    })?;
    serde_saphyr::from_str(text).map_err(|error| describe(error.without_snippet()))
}

/// The known name that was probably meant: the closest by edit distance, if it is close at all.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let folded = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&folded, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance * 3 <= candidate.chars().count().max(3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
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
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` is given twice")
        }
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("expected {expected} here")
        }
        Error::Message { msg, .. } => msg.clone(),
        Error::NullIntoString { .. } => "a text is missing after the colon".to_owned(),
        Error::InvalidScalar { ty, .. } => format!("expected {} here", kind(ty)),
        Error::Unexpected { expected, .. } => format!("expected {} here", kind(expected)),
        Error::MultipleDocuments { .. } => {
            "there is more than one YAML document in the file".to_owned()
        }
        Error::Eof { .. } => "the file is empty or ends too early".to_owned(),
        other => first_sentence(&other.to_string()),
    };
    YamlError { line, message }
}

fn unknown(what: &str, name: &str, known: &[&'static str]) -> String {
    let hint = match nearest(name, known.iter().copied()) {
        Some(candidate) => format!("did you mean `{candidate}`?"),
        None => format!("known here are {}", list(known)),
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

fn list(names: &[&str]) -> String {
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
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
        let error = from_yaml::<Example>(text.as_bytes()).expect_err("must be refused");
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
            expect!["line 3: unknown key `whatever`; known here are `epsilon`, `names`, `colour`"],
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
            expect!["line 4: there is more than one YAML document in the file"],
        );
        check("{", expect!["line 1: unclosed bracket '{'"]);
        check(
            "epsilon: 3\n\tnames: []",
            expect!["line 1: while scanning a plain scalar, found a tab"],
        );
        check(
            "*anchor",
            expect!["line 1: alias references unknown anchor"],
        );
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        let error = from_yaml::<Example>(b"epsilon: \xff").expect_err("must be refused");
        assert_eq!(error.to_string(), "the file is not UTF-8 text");
    }

    #[test]
    fn a_name_far_from_all_known_ones_has_no_nearest() {
        assert_eq!(nearest("epsilom", ["epsilon", "delta"]), Some("epsilon"));
        assert_eq!(nearest("DELTA", ["epsilon", "delta"]), Some("delta"));
        assert_eq!(nearest("rows", ["epsilon", "delta"]), None);
    }
}
