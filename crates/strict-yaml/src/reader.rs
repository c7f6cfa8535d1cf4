//! Reading a whole text into a type.

use serde::de::DeserializeOwned;
use serde_saphyr::options::MergeKeyPolicy;
use serde_saphyr::{Error, Location};

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
/// than in decimal digits, characters that a screen does not show. So is a text where a number or
/// boolean is meant: one in quotes (`"20"`), or a word (`yes`). The message names keys and odd
/// numbers of the text, and quotes nothing else of it.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    // Some editors begin every file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let quoted = ambiguity::check(text)?;
    let text = with_tags(text, &quoted);
    let options = serde_saphyr::options! {
        merge_keys: MergeKeyPolicy::Error,
        strict_booleans: true,
    };
    serde_saphyr::from_str_with_options(&text, options)
        // Without the drawing of the place: it would quote lines of the file, and a message names
        // keys only.
        .map_err(|error| describe(error.without_snippet(), &text))
}

/// Says before each value in quotes that it is a text: the library would take `"0x14"` for 20 where
/// a number is meant. Nobody else writes tags, as they are refused.
fn with_tags(text: &str, quoted: &[usize]) -> String {
    const TAG: &str = "!!str ";
    let mut tagged = String::with_capacity(text.len() + quoted.len() * TAG.len());
    let mut done = 0;
    for &start in quoted {
        tagged.push_str(&text[done..start]);
        tagged.push_str(TAG);
        done = start;
    }
    tagged.push_str(&text[done..]);
    tagged
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

fn describe(error: &Error, text: &str) -> YamlError {
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
        Error::InvalidScalar { ty, location } if is_quoted(text, location) => {
            format!("expected {} here, not a text; drop the quotes", kind(ty))
        }
        Error::InvalidScalar { ty, .. } => format!("expected {} here", kind(ty)),
        Error::Unexpected { expected, .. } => format!("expected {} here", kind(expected)),
        Error::Eof { .. } => "the file is empty or ends too early".to_owned(),
        other => first_sentence(&other.to_string()),
    };
    YamlError { line, message }
}

/// Whether a value is in quotes, which begin no other one.
fn is_quoted(text: &str, location: &Location) -> bool {
    let start = location.span().byte_offset().unwrap_or_default();
    let rest = usize::try_from(start)
        .ok()
        .and_then(|start| text.get(start..));
    rest.is_some_and(|rest| rest.starts_with(['"', '\'']))
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
        "boolean" => "`true` or `false`",
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
    use std::collections::BTreeMap;

    use expect_test::{Expect, expect};
    use serde::Deserialize;
    use serde_saphyr::Spanned;

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

    /// The value of `a`, on the second line.
    fn read<T: DeserializeOwned>(value: &str) -> Result<T, String> {
        let read = from_str::<BTreeMap<String, T>>(&format!("# A line.\na: {value}"));
        read.map(|mut read| read.remove("a").unwrap())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_in_quotes_is_a_text_and_never_a_number_or_a_boolean() {
        let texts = [
            "20", "0x14", "0o24", "0b1", "1_0", " 2 ", "1e1", ".inf", "020", "true",
        ];
        for text in texts {
            for quoted in [format!("'{text}'"), format!("\"{text}\"")] {
                assert_eq!(read::<String>(&quoted).as_deref(), Ok(text));
                assert_eq!(read::<Option<String>>(&quoted), Ok(Some(text.to_owned())));
                let refused = |kind| {
                    Err(format!(
                        "line 2: expected {kind} here, not a text; drop the quotes"
                    ))
                };
                let whole = "a whole number of a sensible size";
                assert_eq!(read::<u32>(&quoted).map(drop), refused(whole));
                assert_eq!(read::<Option<i64>>(&quoted).map(drop), refused(whole));
                assert_eq!(read::<f64>(&quoted).map(drop), refused("a number"));
                assert_eq!(read::<Spanned<f64>>(&quoted).map(drop), refused("a number"));
                assert_eq!(
                    read::<bool>(&quoted).map(drop),
                    refused("`true` or `false`")
                );
            }
        }
        assert_eq!(read::<u32>("20"), Ok(20));
        for block in ["|\n  20", ">-\n  0x14\n", "|\n\n  1e3\n", ">\n  True"] {
            let refused = read::<serde_json::Value>(block).unwrap_err();
            assert!(refused.contains("stands in a block"), "{refused}");
        }
        assert_eq!(
            read::<Vec<u32>>("[1, '2']").unwrap_err(),
            "line 2: expected a whole number of a sensible size here, not a text; drop the quotes"
        );
    }

    #[test]
    fn texts_in_quotes_are_read_wherever_they_stand() {
        let text = "# \u{e9}\n\"a\":\n- 'it''s'\n-   \"\u{e9}\\n\" # c\n- |\n  x\n  y\n- >-\n x\n \
                    y\n\
                    - [\"b\",'c', \"d\n   e\"]\n- {\"f\":\"g\",'h': \"i\", \"j\" : 'k', 'l'}\n- \
                    [\"m\": \"n\"]\n\
                    - - ''\n- ? 'o'\n  : \"p\"\n- q: 'r'\n  's': t\n-\n  \"u\"";
        let read: serde_json::Value = from_str(text).unwrap();
        let expected = serde_json::json!({"a": [
            "it's",
            "\u{e9}\n",
            "x\ny\n",
            "x y",
            ["b", "c", "d e"],
            {"f": "g", "h": "i", "j": "k", "l": null},
            [{"m": "n"}],
            [""],
            {"o": "p"},
            {"q": "r", "s": "t"},
            "u",
        ]});
        assert_eq!(read, expected);
        assert_eq!(
            from_str::<serde_json::Value>(&text.replace('\n', "\r\n")),
            Ok(expected)
        );
        let json = serde_json::json!({"a": ["b", 1, {"c": "d\n\"'", "e": null}], "f": ""});
        for json in [json.to_string(), format!("{json:#}")] {
            let read: serde_json::Value = from_str(&json).unwrap();
            assert_eq!(
                read.to_string(),
                json.parse::<serde_json::Value>().unwrap().to_string()
            );
        }
        let colour = from_str::<Example>("epsilon: 1\nnames: ['1', \"x\"]\ncolour: \"red\"");
        assert!(matches!(colour.unwrap().colour, Some(Colour::Red)));
    }

    /// What YAML 1.1 takes for booleans, and 1.2 for texts.
    #[test]
    fn words_are_texts_as_written_and_never_booleans() {
        for word in [
            "y", "Y", "n", "N", "yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off",
            "Off", "OFF",
        ] {
            assert_eq!(read::<String>(word).as_deref(), Ok(word));
            assert_eq!(read::<Option<String>>(word), Ok(Some(word.to_owned())));
            assert_eq!(read::<serde_json::Value>(word), Ok(word.into()));
            let refused = read::<bool>(word).unwrap_err();
            assert_eq!(refused, "line 2: expected `true` or `false` here");
        }
        // These are booleans to all, and as texts what was written.
        for word in ["true", "True", "TRUE", "false", "False", "FALSE"] {
            assert_eq!(read::<String>(word).as_deref(), Ok(word));
            assert_eq!(read::<bool>(word), Ok(word.eq_ignore_ascii_case("true")));
        }
        for null in ["null", "Null", "NULL", "~", ""] {
            let refused = read::<String>(null).unwrap_err();
            assert_eq!(refused, "line 2: a text is missing after the colon");
            assert_eq!(read::<Option<String>>(null), Ok(None));
        }
        for key in ["y", "no", "On", "true", "1"] {
            let read = from_str::<BTreeMap<String, u32>>(&format!("{key}: 1"));
            assert_eq!(read, Ok(BTreeMap::from([(key.to_owned(), 1)])));
        }
        assert!(from_str::<BTreeMap<String, u32>>("null: 1").is_err());
    }

    #[test]
    fn text_that_is_not_utf8_is_refused() {
        let error = from_slice::<Example>(b"a: 1\nepsilon: \xff").expect_err("must be refused");
        assert_eq!(error.to_string(), "line 2: the file is not UTF-8 text");
    }
}
