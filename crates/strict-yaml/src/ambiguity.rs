//! Refuses YAML that two readers could understand differently.

use std::collections::HashSet;

use printable::{Hidden, first_hidden, first_hidden_in_lines};
use serde_saphyr::granit_parser::{self, ErrorKind, Event, Parser, ScalarStyle, ScanError};

use crate::number;
use crate::reader::YamlError;

/// Checks the text by the events of the parser that the deserializer builds on, so that both see
/// the same document. Returns at which bytes the values in quotes begin, which are texts whoever
/// reads them.
///
/// # Errors
/// The first thing in the file that is not understood by everyone alike, with its line; or that it
/// is not YAML.
pub(crate) fn check(text: &str) -> Result<Vec<usize>, YamlError> {
    if let Some((line, hidden)) = first_hidden_in_lines(text) {
        return Err(YamlError::at(line, not_shown(hidden)));
    }
    // An alias whose anchor is missing is an event too, and refused below in the same words.
    let options = granit_parser::options! {
        disallow_directives: true,
        emit_unresolved_aliases: true,
    };
    let (mut nesting, mut quoted) = (Nesting::default(), Vec::new());
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = next.map_err(|error| unreadable(&error))?;
        nesting
            .take(&event)
            .map_err(|message| YamlError::at(span.start.line(), message))?;
        if let Event::Scalar(_, style, ..) = event
            && matches!(style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted)
            // Keys are texts anyway, in quotes or not.
            && !nesting.is_after_key()
        {
            let start = span.start.byte_offset();
            quoted.push(start.expect("there are offsets where all of the text is at hand"));
        }
    }
    Ok(quoted)
}

/// What is open at a place of the document.
#[derive(Default)]
struct Nesting {
    documents: usize,
    open: Vec<Collection>,
}

enum Collection {
    Sequence,
    Mapping {
        keys: HashSet<String>,
        /// The key whose value comes next.
        key_read: bool,
    },
}

impl Nesting {
    fn take(&mut self, event: &Event<'_>) -> Result<(), String> {
        match event {
            Event::DocumentStart(..) => {
                self.documents += 1;
                // Readers differ in which of several documents they take.
                if self.documents > 1 {
                    return Err("there is more than one YAML document in the file".to_owned());
                }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                return Err("an alias (`*name`) is not allowed; write the value out".to_owned());
            }
            Event::Scalar(value, style, anchor, tag) => {
                check_properties(*anchor, tag.is_some())?;
                check_scalar(value, *style)?;
                self.scalar(value)?;
            }
            Event::SequenceStart(_, anchor, tag) => {
                check_properties(*anchor, tag.is_some())?;
                self.begin(Collection::Sequence)?;
            }
            Event::MappingStart(_, anchor, tag) => {
                check_properties(*anchor, tag.is_some())?;
                let keys = HashSet::new();
                self.begin(Collection::Mapping {
                    keys,
                    key_read: false,
                })?;
            }
            Event::SequenceEnd | Event::MappingEnd => drop(self.open.pop()),
            _ => {}
        }
        Ok(())
    }

    fn scalar(&mut self, value: &str) -> Result<(), String> {
        let Some(Collection::Mapping { keys, key_read }) = self.open.last_mut() else {
            return Ok(());
        };
        *key_read = !*key_read;
        if !*key_read {
            return Ok(());
        }
        if value == "<<" {
            return Err("a merge (`<<`) is not allowed; write the keys out".to_owned());
        }
        match keys.insert(value.to_owned()) {
            true => Ok(()),
            false => Err(format!("the key `{value}` is given twice")),
        }
    }

    /// Whether the scalar just taken is a key.
    fn is_after_key(&self) -> bool {
        matches!(
            self.open.last(),
            Some(Collection::Mapping { key_read: true, .. })
        )
    }

    fn begin(&mut self, collection: Collection) -> Result<(), String> {
        if let Some(Collection::Mapping { key_read, .. }) = self.open.last_mut() {
            if !*key_read {
                return Err("a key must be a text, not a list or a mapping".to_owned());
            }
            *key_read = false;
        }
        self.open.push(collection);
        Ok(())
    }
}

/// An anchor or a tag before a value.
fn check_properties(anchor: usize, tagged: bool) -> Result<(), String> {
    if anchor != 0 {
        return Err(
            "an anchor (`&name`) is not allowed; write the value out where it is needed".to_owned(),
        );
    }
    if tagged {
        return Err(
            "a tag (`!` before a value) is not allowed; write the value alone, \
             and a text in quotes"
                .to_owned(),
        );
    }
    Ok(())
}

fn check_scalar(value: &str, style: ScalarStyle) -> Result<(), String> {
    // Escapes in double quotes can write what the file itself does not hold.
    let mut lines = value.split('\n');
    if let Some(hidden) = lines.find_map(|line| first_hidden(&line.replace('\t', " "))) {
        return Err(not_shown(hidden));
    }
    match style {
        ScalarStyle::Plain => match number::ambiguity(value) {
            Some(reason) => Err(format!(
                "`{value}` {reason}; write a number in plain decimal digits, or a text in quotes"
            )),
            None => Ok(()),
        },
        ScalarStyle::Literal | ScalarStyle::Folded if number::looks_like_one(value.trim()) => {
            Err(format!(
                "`{}` stands in a block, which makes it a text to some readers; write a number on \
                 the line of its key, or a text in quotes",
                value.trim()
            ))
        }
        _ => Ok(()),
    }
}

fn not_shown(hidden: Hidden) -> String {
    format!("there is a character that a screen does not show, {hidden}; remove it")
}

fn unreadable(error: &ScanError) -> YamlError {
    let message = match error.kind() {
        ErrorKind::DirectiveDisallowed => {
            "a directive (a line that begins with `%`) is not allowed; remove it".to_owned()
        }
        _ => error.info(),
    };
    YamlError::at(error.marker().line(), message)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::check;

    fn refused(text: &str, expected: Expect) {
        let error = check(text).expect_err("must be refused");
        expected.assert_eq(&error.to_string());
    }

    #[test]
    fn what_stands_for_something_else_is_refused() {
        refused(
            "a: &x 1\nb: 2",
            expect![
                "line 1: an anchor (`&name`) is not allowed; write the value out where it is needed"
            ],
        );
        refused(
            "a:\n  &x\n  b: {c: 2}",
            expect![
                "line 3: an anchor (`&name`) is not allowed; write the value out where it is needed"
            ],
        );
        refused(
            "a: 1\nb: [2, *x]",
            expect!["line 2: an alias (`*name`) is not allowed; write the value out"],
        );
        for merge in ["<<: {b: 2}", "'<<': {b: 2}", "<<: [{b: 2}]"] {
            refused(
                &format!("a: 1\n{merge}"),
                expect!["line 2: a merge (`<<`) is not allowed; write the keys out"],
            );
        }
        refused(
            "? [a, b]\n: 1",
            expect!["line 1: a key must be a text, not a list or a mapping"],
        );
        refused(
            "{? {a: b} : 1}",
            expect!["line 1: a key must be a text, not a list or a mapping"],
        );
    }

    #[test]
    fn tags_are_refused_wherever_they_stand() {
        for text in [
            "a: !!float 300",
            "a: !x 1",
            "a: ! 1",
            "a: !<tag:yaml.org,2002:int> 1",
            "a: !!str",
            "!!map {a: 1}",
            "a: !!seq [1]",
            "!!str a: 1",
            "a: [1, !!binary aGk=]",
        ] {
            refused(
                text,
                expect![
                    "line 1: a tag (`!` before a value) is not allowed; write the value alone, and \
                     a text in quotes"
                ],
            );
        }
    }

    #[test]
    fn a_second_document_and_directives_are_refused() {
        for text in [
            "a: 1\n---\nb: 2",
            "---\na: 1\n---\nb: 2",
            "a: 1\n...\n---\n# nothing\n",
        ] {
            let message = check(text).expect_err("two documents").to_string();
            assert!(message.contains("more than one YAML document"), "{message}");
        }
        refused(
            "%YAML 1.1\n---\na: 1",
            expect!["line 1: a directive (a line that begins with `%`) is not allowed; remove it"],
        );
        refused(
            "%TAG ! tag:x,2000:\n---\na: 1",
            expect!["line 1: a directive (a line that begins with `%`) is not allowed; remove it"],
        );
    }

    #[test]
    fn keys_given_twice_are_found_at_every_depth_and_in_any_dress() {
        for (text, line) in [
            ("a: 1\nb: 2\na: 3", 3),
            ("a: 1\n'a': 3", 2),
            ("a: 1\n\"\\x61\": 3", 2),
            ("a: 1\n? a\n: 3", 2),
            ("x:\n- y: [{a: 1, b: {a: 1}, a: 2}]", 2),
            ("x: {a: 1}\ny: {a: 1}\nz:\n  a: [{a: 1}]\n  a: 2", 5),
        ] {
            let error = check(text).expect_err(text);
            assert_eq!(
                error.to_string(),
                format!("line {line}: the key `a` is given twice")
            );
        }
        assert!(check("x: {a: 1}\ny: [{a: 1}, {a: 2}, a, a]\nz: a").is_ok());
    }

    #[test]
    fn odd_numbers_are_refused_unless_they_are_quoted_texts() {
        refused(
            "a: 1\nb: [1, 030]",
            expect![
                "line 2: `030` has leading zeros, which make it octal to some readers; write a \
                 number in plain decimal digits, or a text in quotes"
            ],
        );
        refused(
            "0x10: 1",
            expect![
                "line 1: `0x10` is a number to another base to some readers; write a number in \
                 plain decimal digits, or a text in quotes"
            ],
        );
        assert!(check("a: ['030', \"0x10\", 1e-9, -3]\n\"1_000\": 2015-01-01").is_ok());
    }

    #[test]
    fn what_a_screen_does_not_show_is_refused_in_comments_names_and_escapes() {
        refused(
            "a: 1\n# \u{202e}3\nb: 2",
            expect![
                "line 2: there is a character that a screen does not show, U+202E at position 3, \
                 which changes the direction of writing; remove it"
            ],
        );
        refused(
            "# harmless\repsilon: 30",
            expect![
                "line 1: there is a character that a screen does not show, U+000D at position 11, \
                 a control character; remove it"
            ],
        );
        refused(
            "a: 1\nb: \"x\\u200by\"",
            expect![
                "line 2: there is a character that a screen does not show, U+200B at position 2, \
                 which is invisible here; remove it"
            ],
        );
        refused(
            "a: \"\\e[2J\"",
            expect![
                "line 1: there is a character that a screen does not show, U+001B at position 1, a \
                 control character; remove it"
            ],
        );
    }

    #[test]
    fn ordinary_files_pass() {
        for text in [
            "",
            "# nothing\n",
            "---\na: 1\n...\n",
            "a:\r\n- b\r\n\t\r\n- c",
            "a: |\n  two\n  lines\n",
            "a: \"tab\\tand\\nline\"",
            "{\"a\": [1, 2.5, null, true], \"b\": \"Gr\\u00f6\u{df}e\"}",
            "a: ~\nb:\n",
        ] {
            assert!(check(text).is_ok(), "{text:?}");
        }
    }
}
