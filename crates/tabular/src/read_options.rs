//! How a file is to be read as a table, and how it was.

use std::fmt;
use std::str::FromStr;

use encoding_rs::{Encoding, UTF_8};

/// What a person says of a file, where it is not to be found out from the file itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadOptions {
    /// What separates the fields of CSV. Without it the line of names tells.
    pub delimiter: Option<Delimiter>,
    /// The encoding of a text that does not begin with a byte order mark. Without it: UTF-8.
    pub encoding: Option<TextEncoding>,
}

/// The character between the fields of a record: one in ASCII that is no letter, digit, quote or
/// line end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delimiter(u8);

impl Delimiter {
    /// `,`
    pub const COMMA: Self = Self(b',');
    /// `;`
    pub const SEMICOLON: Self = Self(b';');
    /// The tabulator.
    pub const TAB: Self = Self(b'\t');
    /// `|`
    pub const PIPE: Self = Self(b'|');

    pub(crate) fn byte(self) -> u8 {
        self.0
    }

    /// Its name in a sentence about one of them.
    fn name(self) -> String {
        match self {
            Self::COMMA => "comma".to_owned(),
            Self::SEMICOLON => "semicolon".to_owned(),
            Self::TAB => "tab".to_owned(),
            Self::PIPE => "pipe".to_owned(),
            Self(b' ') => "space".to_owned(),
            Self(byte) => format!("`{}`", char::from(byte)),
        }
    }
}

impl fmt::Display for Delimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// The text names no delimiter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{given:?} cannot separate fields; give one character, such as ';' or '|', or one of comma, \
     semicolon, tab, pipe and space"
)]
pub struct UnknownDelimiter {
    given: String,
}

impl FromStr for Delimiter {
    type Err = UnknownDelimiter;

    fn from_str(text: &str) -> Result<Self, UnknownDelimiter> {
        let byte = match text {
            "comma" => b',',
            "semicolon" => b';',
            // A shell passes `\t` on as two characters.
            "tab" | "\\t" => b'\t',
            "pipe" => b'|',
            "space" => b' ',
            _ => match text.as_bytes() {
                &[byte] if byte == b'\t' || byte == b' ' || byte.is_ascii_punctuation() => byte,
                _ => b'"',
            },
        };
        match byte {
            b'"' => Err(UnknownDelimiter {
                given: text.to_owned(),
            }),
            byte => Ok(Self(byte)),
        }
    }
}

/// An encoding of text, by any of its names in the WHATWG's Encoding Standard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TextEncoding(pub(crate) &'static Encoding);

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name())
    }
}

/// The text names no encoding.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no encoding {given:?}; common ones are utf-8, latin1, windows-1252, iso-8859-15, \
     utf-16le, utf-16be, shift_jis, gb18030, euc-kr, koi8-r"
)]
pub struct UnknownEncoding {
    given: String,
}

impl FromStr for TextEncoding {
    type Err = UnknownEncoding;

    fn from_str(text: &str) -> Result<Self, UnknownEncoding> {
        let named = |label: &str| Encoding::for_label_no_replacement(label.as_bytes());
        // The names of other tools: `utf_8`, `utf16`, `iso8859_15`.
        let dashed = text.replace('_', "-").to_ascii_lowercase();
        let spaced = dashed.replacen("utf16", "utf-16", 1);
        let found = named(text).or_else(|| named(&dashed));
        let found = found.or_else(|| named(&spaced));
        found.map(Self).ok_or_else(|| UnknownEncoding {
            given: text.to_owned(),
        })
    }
}

/// How a file was read. It follows from the first bytes of the file, its line of names and
/// [`ReadOptions`], and from no row; it is for the owner of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadAs {
    pub(crate) format: TableFormat,
    pub(crate) packing: Option<Packing>,
    pub(crate) encoding: &'static Encoding,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum TableFormat {
    Csv {
        delimiter: Delimiter,
        /// Whether a space comes after each of them.
        spaced: bool,
    },
    /// One object after the other.
    JsonLines,
    /// An array of objects.
    JsonArray,
    Parquet,
    Sheet(String),
    /// A program's own.
    Memory,
}

impl ReadAs {
    /// That it was the sheet of this name in a workbook.
    #[must_use]
    pub fn sheet(name: &str) -> Self {
        Self::whole(TableFormat::Sheet(name.to_owned()))
    }

    /// Of a format that has its own compression and encoding.
    pub(crate) fn whole(format: TableFormat) -> Self {
        Self {
            format,
            packing: None,
            encoding: UTF_8,
        }
    }

    /// Whether it is what most people mean by CSV, so that nothing about it need be told: commas,
    /// UTF-8, not compressed.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        let plain = TableFormat::Csv {
            delimiter: Delimiter::COMMA,
            spaced: false,
        };
        *self == Self::whole(plain)
    }
}

/// Such as `CSV separated by semicolons, in windows-1252, compressed with gzip`.
impl fmt::Display for ReadAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.format {
            TableFormat::Csv { delimiter, spaced } => {
                write!(f, "CSV separated by {delimiter}s")?;
                if *spaced {
                    f.write_str(" and spaces")?;
                }
            }
            TableFormat::JsonLines => f.write_str("JSON, one object after the other")?,
            TableFormat::JsonArray => f.write_str("JSON, an array of objects")?,
            TableFormat::Parquet => return f.write_str("Parquet"),
            TableFormat::Memory => return f.write_str("a table in memory"),
            TableFormat::Sheet(name) => return write!(f, "the sheet `{name}` of a workbook"),
        }
        write!(f, ", in {}", self.encoding.name())?;
        match self.packing {
            Some(packing) => write!(f, ", compressed with {packing}"),
            None => Ok(()),
        }
    }
}

/// A compression of whole files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// RFC 1952, of one or several members.
    Gzip,
    /// RFC 8878, of one or several frames.
    Zstandard,
}

impl Packing {
    /// The compression of a file that begins so.
    pub(crate) fn of(start: &[u8]) -> Option<Self> {
        match start {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstandard),
            _ => None,
        }
    }
}

impl fmt::Display for Packing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gzip => "gzip",
            Self::Zstandard => "Zstandard",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_are_given_as_characters_or_by_name() {
        for (text, byte) in [
            (";", b';'),
            ("tab", b'\t'),
            ("\\t", b'\t'),
            ("\t", b'\t'),
            ("pipe", b'|'),
            ("space", b' '),
            ("~", b'~'),
        ] {
            assert_eq!(text.parse(), Ok(Delimiter(byte)), "{text:?}");
        }
        for text in ["", "a", "7", "\"", "\n", ",,", "ü", "\0", "commas"] {
            assert!(text.parse::<Delimiter>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn encodings_are_known_by_the_names_that_people_use() {
        for (text, name) in [
            ("latin1", "windows-1252"),
            ("Windows-1252", "windows-1252"),
            ("cp1252", "windows-1252"),
            ("utf_8", "UTF-8"),
            ("utf16", "UTF-16LE"),
            ("UTF-16BE", "UTF-16BE"),
            ("iso8859_15", "ISO-8859-15"),
            ("shift_jis", "Shift_JIS"),
        ] {
            let encoding: TextEncoding = text.parse().unwrap();
            assert_eq!(encoding.to_string(), name);
        }
        // What the standard calls so reads anything as an error.
        for text in ["latin", "replacement", ""] {
            assert!(text.parse::<TextEncoding>().is_err(), "{text:?}");
        }
    }
}
