//! What separates the fields of CSV: the line of names tells.

use std::cmp::Ordering;

use crate::read_options::Delimiter;

/// What may separate fields without being named, in the order in which they are preferred: a name
/// holds a tab never, and a comma more often than a semicolon.
const CANDIDATES: [Delimiter; 4] = [
    Delimiter::TAB,
    Delimiter::COMMA,
    Delimiter::SEMICOLON,
    Delimiter::PIPE,
];

/// The line of names is looked for in this many bytes.
pub(crate) const MOST_LOOKED_AT: usize = 64 << 10;

/// What was found in the line of names.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Separator {
    pub(crate) delimiter: Delimiter,
    /// A space follows each of them, which belongs to no field.
    pub(crate) spaced: bool,
    /// The first line is `sep=;` and the like, by which Excel is told, and names come after it.
    pub(crate) announced: bool,
}

impl Separator {
    /// The separator that makes the most names of the line, with quotes around whole names alone;
    /// of two that make as many the one that fewer spaces follow; where there is none, a comma.
    pub(crate) fn of(text: &[u8], given: Option<Delimiter>) -> Self {
        let announced = announced(text);
        let of_line = match announced {
            Some(_) => &text[line_end(text)..],
            None => text,
        };
        if let Some(delimiter) = given.or(announced) {
            let spaced = Names::of(of_line, delimiter).spaced();
            return Self {
                delimiter,
                spaced,
                announced: announced.is_some(),
            };
        }
        let mut best = (Delimiter::COMMA, Names::of(of_line, Delimiter::COMMA));
        for delimiter in CANDIDATES {
            let names = Names::of(of_line, delimiter);
            // A name holds a tab never, and a space after a comma belongs to a name such as
            // `income, EUR` where there is another way to read the line.
            let preferred = delimiter == Delimiter::TAB || names.spaces < best.1.spaces;
            let better = match names
                .strays
                .cmp(&best.1.strays)
                .then(best.1.count.cmp(&names.count))
            {
                Ordering::Less => true,
                Ordering::Equal => names.count > 1 && preferred,
                Ordering::Greater => false,
            };
            if better && names.count > 0 {
                best = (delimiter, names);
            }
        }
        Self {
            delimiter: best.0,
            spaced: best.1.spaced(),
            announced: false,
        }
    }
}

/// Whether the text holds the whole line of names, whatever separates them: only where no quote is
/// open under any candidate.
pub(crate) fn has_line_of_names(text: &[u8]) -> bool {
    let text = match announced(text) {
        Some(_) => &text[line_end(text)..],
        None => text,
    };
    CANDIDATES
        .iter()
        .all(|delimiter| Names::of(text, *delimiter).ended)
}

/// The separator that a first line for Excel announces.
fn announced(text: &[u8]) -> Option<Delimiter> {
    let line = &text[..line_end(text)];
    match line.trim_ascii_end() {
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', separator] => {
            str::from_utf8(&[*separator]).ok()?.parse().ok()
        }
        // The tab is a space that was trimmed.
        [b's' | b'S', b'e' | b'E', b'p' | b'P', b'='] if line.contains(&b'\t') => {
            Some(Delimiter::TAB)
        }
        _ => None,
    }
}

fn line_end(text: &[u8]) -> usize {
    let feed = text.iter().position(|byte| *byte == b'\n');
    feed.map_or(text.len(), |at| at + 1)
}

/// The names of the first line that is not blank, under one delimiter.
struct Names {
    /// Those that are not empty.
    count: usize,
    delimiters: usize,
    spaces: usize,
    /// Whether text follows a closing quote, as where a delimiter was taken for text.
    strays: bool,
    ended: bool,
}

impl Names {
    fn of(text: &[u8], delimiter: Delimiter) -> Self {
        let start = text
            .iter()
            .position(|byte| !matches!(byte, b'\n' | b'\r'))
            .unwrap_or(text.len());
        let mut names = Self {
            count: 0,
            delimiters: 0,
            spaces: 0,
            strays: false,
            ended: false,
        };
        let (mut state, mut has_text, mut after_delimiter) = (State::RecordStart, false, false);
        for &byte in &text[start..] {
            names.spaces += usize::from(after_delimiter && byte == b' ');
            // A quote may open after the space.
            if state == State::FieldStart && byte == b' ' {
                after_delimiter = false;
                continue;
            }
            let before = state;
            state = state.after(byte, delimiter.byte());
            names.strays |= (before, state) == (State::QuoteInQuoted, State::Plain) && byte != b' ';
            after_delimiter = state == State::FieldStart;
            match state {
                State::FieldStart => {
                    names.delimiters += 1;
                    names.count += usize::from(has_text);
                    has_text = false;
                }
                State::RecordStart => {
                    names.ended = true;
                    break;
                }
                _ => has_text |= !matches!(byte, b'"' | b' ' | b'\t'),
            }
        }
        names.count += usize::from(has_text);
        names
    }

    fn spaced(&self) -> bool {
        self.delimiters > 0 && self.spaces == self.delimiters
    }
}

/// The states of the parser as far as quotes go; those of crate `csv`: a quote opens a quoted field
/// only at its start.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum State {
    RecordStart,
    FieldStart,
    Plain,
    Quoted,
    QuoteInQuoted,
}

impl State {
    #[inline]
    pub(crate) fn after(self, byte: u8, delimiter: u8) -> Self {
        match (self, byte) {
            (Self::Quoted, b'"') => Self::QuoteInQuoted,
            (Self::Quoted, _)
            | (Self::QuoteInQuoted | Self::RecordStart | Self::FieldStart, b'"') => Self::Quoted,
            (_, byte) if byte == delimiter => Self::FieldStart,
            (_, b'\n' | b'\r') => Self::RecordStart,
            _ => Self::Plain,
        }
    }
}

/// Leaves out the spaces between a delimiter and its field.
pub(crate) struct SpaceFilter {
    state: State,
    delimiter: u8,
}

impl SpaceFilter {
    pub(crate) fn new(delimiter: Delimiter) -> Self {
        Self {
            state: State::RecordStart,
            delimiter: delimiter.byte(),
        }
    }

    /// Moves what is left of these bytes to their front; returns how many they are.
    pub(crate) fn apply(&mut self, bytes: &mut [u8]) -> usize {
        let mut kept = 0;
        for at in 0..bytes.len() {
            let byte = bytes[at];
            if self.state == State::FieldStart && byte == b' ' {
                continue;
            }
            self.state = self.state.after(byte, self.delimiter);
            bytes[kept] = byte;
            kept += 1;
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> (u8, bool) {
        let separator = Separator::of(text.as_bytes(), None);
        (separator.delimiter.byte(), separator.spaced)
    }

    #[test]
    fn the_line_of_names_tells_what_separates_them() {
        for (text, byte, spaced) in [
            ("id,a\n1;2;3;4\n", b',', false),
            ("id;a\n1,2;3\n", b';', false),
            ("id\ta\n", b'\t', false),
            ("id|a|b", b'|', false),
            ("age\n1,5\n", b',', false),
            ("id;income, EUR\n", b';', false),
            ("id;rent, EUR;income, EUR\n", b';', false),
            ("id\trent, EUR\tincome, EUR\n", b'\t', false),
            ("\"a;b;c\",d\n", b',', false),
            ("\"a,b\nc,d\";e\n", b';', false),
            ("\n\r\nid;a\n", b';', false),
            ("id, a, b\n", b',', true),
            ("id, a,b\n", b',', false),
            ("\"id\"; \"a, b, c\"\n", b';', true),
            ("id,a;b\n", b',', false),
            (",a\n", b',', false),
            ("", b',', false),
        ] {
            assert_eq!(found(text), (byte, spaced), "{text:?}");
        }
    }

    #[test]
    fn a_line_for_excel_announces_the_separator() {
        for (text, byte) in [("sep=;\nid,x;a\n", b';'), ("SEP=\t\r\nid\ta\n", b'\t')] {
            let separator = Separator::of(text.as_bytes(), None);
            assert!(separator.announced, "{text:?}");
            assert_eq!(separator.delimiter.byte(), byte);
        }
        let named = Separator::of(b"sep=;\nid,x;a\n", Some(Delimiter::COMMA));
        assert!(named.announced && named.delimiter == Delimiter::COMMA);
    }

    #[test]
    fn the_line_of_names_is_known_to_be_whole_where_no_quote_is_open() {
        for (text, whole) in [
            ("id;a\n", true),
            ("id;a", false),
            ("\n\nid;a", false),
            ("id;\"a\n", false),
            ("id;\"a\nb\"\n", true),
            ("sep=;\nid", false),
            ("sep=;\nid\n", true),
        ] {
            assert_eq!(has_line_of_names(text.as_bytes()), whole, "{text:?}");
        }
    }

    #[test]
    fn spaces_are_left_out_after_delimiters_alone() {
        let mut bytes = *b"a,  b c, \"d, e\",\n f, g";
        let mut filter = SpaceFilter::new(Delimiter::COMMA);
        // In two pieces, as a stream comes.
        let kept = filter.apply(&mut bytes[..3]);
        assert_eq!(&bytes[..kept], b"a,");
        let kept = filter.apply(&mut bytes[3..]);
        assert_eq!(&bytes[3..3 + kept], b"b c,\"d, e\",\n f,g");
    }
}
