//! Strict CBOR (RFC 8949): the subset evidence is made of, and no second way to write anything.
//!
//! Read: unsigned and negative integers, byte and text strings, null, arrays and maps of definite
//! or indefinite length (Nitro documents made since 2025 use an indefinite map). Refused: integers
//! and lengths not in their shortest form, strings in pieces, tags, floats, other simple values, a
//! key twice in one map, nesting deeper than [`MAX_DEPTH`], more than [`MAX_ITEMS`] entries in one
//! array or map, and anything after the one item.

// Real documents need three; recursion this shallow cannot exhaust a stack.
/// Levels of arrays and maps within one another.
const MAX_DEPTH: usize = 4;
/// Entries of one array or map; a document has at most 32 registers.
const MAX_ITEMS: usize = 64;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BYTES: u8 = 2;
const TEXT: u8 = 3;
const ARRAY: u8 = 4;
const MAP: u8 = 5;
const TAG: u8 = 6;
const SIMPLE: u8 = 7;
const NULL: u8 = 0xf6;
const BREAK: u8 = 0xff;

/// One decoded item; strings borrow from the input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    Unsigned(u64),
    /// The integer `-1 - n`.
    Negative(u64),
    Bytes(&'a [u8]),
    Text(&'a str),
    Array(Vec<Value<'a>>),
    Map(Vec<(Value<'a>, Value<'a>)>),
    Null,
}

/// Why bytes are not CBOR of this subset, and at which byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) problem: &'static str,
    pub(crate) at: usize,
}

/// Decodes exactly one item that fills `bytes`.
pub(crate) fn decode(bytes: &[u8]) -> Result<Value<'_>, Malformed> {
    // One item that fills the bytes: what comes after it would be seen by one reader and not by
    // another.
    let mut reader = Reader { bytes, at: 0 };
    let value = reader.item(MAX_DEPTH)?;
    if reader.at != bytes.len() {
        return Err(reader.malformed("there are bytes after its end"));
    }
    Ok(value)
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

/// How many entries an array or map has.
enum Length {
    Definite(usize),
    UntilBreak,
}

impl<'a> Reader<'a> {
    fn item(&mut self, levels: usize) -> Result<Value<'a>, Malformed> {
        let start = self.at;
        let refused = |problem| Err(Malformed { problem, at: start });
        let initial = self.byte()?;
        let (major, info) = (initial >> 5, initial & 0x1f);
        // Before descending, so that depth is bounded whatever the input.
        if matches!(major, ARRAY | MAP) && levels == 0 {
            return refused("it nests more than four levels deep");
        }
        match major {
            UNSIGNED => Ok(Value::Unsigned(self.argument(info)?)),
            NEGATIVE => Ok(Value::Negative(self.argument(info)?)),
            BYTES => Ok(Value::Bytes(self.string(info)?)),
            TEXT => std::str::from_utf8(self.string(info)?)
                .map(Value::Text)
                .or_else(|_| refused("a text is not UTF-8")),
            ARRAY => self.array(info, levels - 1),
            MAP => self.map(info, levels - 1),
            // Tags give other meanings to the same bytes.
            TAG => refused("it has a tag"),
            SIMPLE if initial == NULL => Ok(Value::Null),
            SIMPLE if initial == BREAK => refused("a break stands where an item belongs"),
            // Floats have several encodings of one value, and documents have none of either.
            _ => refused("it has a float or a simple value other than null"),
        }
    }

    fn array(&mut self, info: u8, levels: usize) -> Result<Value<'a>, Malformed> {
        let length = self.length(info)?;
        let mut items = Vec::new();
        // No capacity by the claimed length: it may be 2^64 - 1.
        while self.another(&length, items.len())? {
            items.push(self.item(levels)?);
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, info: u8, levels: usize) -> Result<Value<'a>, Malformed> {
        let length = self.length(info)?;
        let mut entries: Vec<(Value<'a>, Value<'a>)> = Vec::new();
        while self.another(&length, entries.len())? {
            let start = self.at;
            let refused = |problem| Err(Malformed { problem, at: start });
            let key = self.item(levels)?;
            if !matches!(
                key,
                Value::Unsigned(_) | Value::Negative(_) | Value::Text(_)
            ) {
                return refused("a key is neither an integer nor a text");
            }
            if entries.iter().any(|(earlier, _)| *earlier == key) {
                return refused("a key appears twice in one map");
            }
            entries.push((key, self.item(levels)?));
        }
        Ok(Value::Map(entries))
    }

    /// Whether an entry follows the first `read` ones; takes the break away where there is one.
    fn another(&mut self, length: &Length, read: usize) -> Result<bool, Malformed> {
        let more = match length {
            Length::Definite(n) => read < *n,
            // Indefinite lengths are not a defect here: Nitro's own documents have had them since
            // 2025.
            Length::UntilBreak if self.bytes.get(self.at) == Some(&BREAK) => {
                self.at += 1;
                false
            }
            Length::UntilBreak => true,
        };
        if more && read == MAX_ITEMS {
            return Err(self.malformed("an array or map has more than 64 entries"));
        }
        Ok(more)
    }

    fn length(&mut self, info: u8) -> Result<Length, Malformed> {
        // 31 means that entries follow until a break.
        if info == 31 {
            return Ok(Length::UntilBreak);
        }
        // A length beyond usize is far beyond MAX_ITEMS: saturate, and let the entry count refuse
        // it.
        let n = self.argument(info)?;
        Ok(Length::Definite(usize::try_from(n).unwrap_or(usize::MAX)))
    }

    fn string(&mut self, info: u8) -> Result<&'a [u8], Malformed> {
        // A string in pieces can be split in many ways: a second encoding of one value.
        if info == 31 {
            return Err(self.malformed("a string comes in pieces"));
        }
        let length = self.argument(info)?;
        let rest = &self.bytes[self.at..];
        // Compared with what is there before anything is sliced.
        match usize::try_from(length) {
            Ok(length) if length <= rest.len() => {
                self.at += length;
                Ok(&rest[..length])
            }
            _ => Err(self.malformed("it ends within a string")),
        }
    }

    /// The number that goes with an initial byte, required to be in its shortest form.
    fn argument(&mut self, info: u8) -> Result<u64, Malformed> {
        let start = self.at;
        let width = match info {
            0..24 => return Ok(u64::from(info)),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(self.malformed("a length is of a reserved or forbidden kind")),
        };
        let mut value = 0;
        for _ in 0..width {
            value = value << 8 | u64::from(self.byte()?);
        }
        // One encoding of each number, or two readers could disagree about duplicate keys.
        let fits_shorter = match width {
            1 => value < 24,
            _ => value >> (4 * width) == 0,
        };
        if fits_shorter {
            return Err(Malformed {
                problem: "an integer or length is not in its shortest form",
                at: start,
            });
        }
        Ok(value)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        let byte = self.bytes.get(self.at).copied();
        let byte = byte.ok_or(self.malformed("it ends too early"))?;
        self.at += 1;
        Ok(byte)
    }

    fn malformed(&self, problem: &'static str) -> Malformed {
        Malformed {
            problem,
            at: self.at,
        }
    }
}

/// Writes CBOR in the shortest form.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn new() -> Writer {
        Writer::default()
    }

    pub(crate) fn unsigned(mut self, value: u64) -> Writer {
        self.head(UNSIGNED, value);
        self
    }

    pub(crate) fn bytes(mut self, value: &[u8]) -> Writer {
        self.head(BYTES, value.len() as u64);
        self.0.extend_from_slice(value);
        self
    }

    pub(crate) fn text(mut self, value: &str) -> Writer {
        self.head(TEXT, value.len() as u64);
        self.0.extend_from_slice(value.as_bytes());
        self
    }

    pub(crate) fn null(mut self) -> Writer {
        self.0.push(NULL);
        self
    }

    /// The start of an array of `entries` items, which follow.
    pub(crate) fn array(mut self, entries: usize) -> Writer {
        self.head(ARRAY, entries as u64);
        self
    }

    /// The start of a map of `entries` pairs, which follow.
    pub(crate) fn map(mut self, entries: usize) -> Writer {
        self.head(MAP, entries as u64);
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0
    }

    fn head(&mut self, major: u8, value: u64) {
        let bytes = value.to_be_bytes();
        let (info, width) = match value {
            0..24 => (bytes[7], 0),
            24..=0xff => (24, 1),
            0x100..=0xffff => (25, 2),
            0x1_0000..=0xffff_ffff => (26, 4),
            _ => (27, 8),
        };
        self.0.push(major << 5 | info);
        self.0.extend_from_slice(&bytes[8 - width..]);
    }
}

/// What only a maker of documents writes.
#[cfg(feature = "authority")]
impl Writer {
    /// The integer `-1 - value`.
    pub(crate) fn negative(mut self, value: u64) -> Writer {
        self.head(NEGATIVE, value);
        self
    }

    /// The start of a map whose pairs follow until [`Writer::end`].
    pub(crate) fn indefinite_map(mut self) -> Writer {
        self.0.push(MAP << 5 | 31);
        self
    }

    pub(crate) fn end(mut self) -> Writer {
        self.0.push(BREAK);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(hex: &str) -> &'static str {
        let bytes = hex::decode(hex).expect("the test's own hex");
        decode(&bytes).expect_err(hex).problem
    }

    fn value(hex: &str) -> String {
        let bytes = hex::decode(hex).expect("the test's own hex");
        format!("{:?}", decode(&bytes).expect(hex))
    }

    #[test]
    fn integers_are_read_at_every_width() {
        assert_eq!(value("17"), "Unsigned(23)");
        assert_eq!(value("1818"), "Unsigned(24)");
        assert_eq!(value("190100"), "Unsigned(256)");
        assert_eq!(value("1a00010000"), "Unsigned(65536)");
        assert_eq!(value("1b0000000100000000"), "Unsigned(4294967296)");
        assert_eq!(value("3822"), "Negative(34)");
    }

    #[test]
    fn integers_and_lengths_have_one_form_only() {
        for hex in [
            "1817",
            "1900ff",
            "1a0000ffff",
            "1b00000000ffffffff",
            "3817",
            "580141",
            "780141",
            "980100",
            "b8010000",
        ] {
            assert_eq!(
                problem(hex),
                "an integer or length is not in its shortest form",
                "{hex}"
            );
        }
    }

    #[test]
    fn arrays_and_maps_are_read_in_both_lengths() {
        assert_eq!(value("8201f6"), value("9f01f6ff"));
        assert_eq!(value("a2616101616202"), value("bf616101616202ff"));
    }

    #[test]
    fn every_other_form_is_refused_by_its_name() {
        for (hex, expected) in [
            ("", "it ends too early"),
            ("19", "it ends too early"),
            ("8201", "it ends too early"),
            ("9f01", "it ends too early"),
            ("bf6161", "it ends too early"),
            ("43aabb", "it ends within a string"),
            ("5bffffffffffffffff", "it ends within a string"),
            ("9bffffffffffffffff", "it ends too early"),
            ("5f41aaff", "a string comes in pieces"),
            ("7f6161ff", "a string comes in pieces"),
            ("61ff", "a text is not UTF-8"),
            ("ff", "a break stands where an item belongs"),
            ("bf6161ff", "a break stands where an item belongs"),
            ("82ff01", "a break stands where an item belongs"),
            ("d28401", "it has a tag"),
            ("f4", "it has a float or a simple value other than null"),
            ("f97e00", "it has a float or a simple value other than null"),
            ("1c", "a length is of a reserved or forbidden kind"),
            ("1f", "a length is of a reserved or forbidden kind"),
            ("5e", "a length is of a reserved or forbidden kind"),
            ("9d", "a length is of a reserved or forbidden kind"),
            ("a1f600", "a key is neither an integer nor a text"),
            ("a1416100", "a key is neither an integer nor a text"),
            ("a2616100616100", "a key appears twice in one map"),
            ("bf01000100ff", "a key appears twice in one map"),
            ("8181818180", "it nests more than four levels deep"),
            (
                "9f9f9f9f9fffffffffff",
                "it nests more than four levels deep",
            ),
            ("0000", "there are bytes after its end"),
            ("80ff", "there are bytes after its end"),
        ] {
            assert_eq!(problem(hex), expected, "{hex}");
        }
        assert_eq!(value("81818180"), "Array([Array([Array([Array([])])])])");
    }

    #[test]
    fn an_array_holds_at_most_64_entries() {
        assert!(value(&format!("9840{}", "00".repeat(64))).starts_with("Array"));
        let expected = "an array or map has more than 64 entries";
        assert_eq!(problem(&format!("9841{}", "00".repeat(65))), expected);
        assert_eq!(problem(&format!("9f{}ff", "00".repeat(65))), expected);
    }

    #[test]
    fn what_the_writer_writes_is_read_back() {
        let bytes = Writer::new()
            .map(2)
            .text("n")
            .unsigned(70_000)
            .unsigned(9)
            .array(1)
            .bytes(&[7; 300]);
        let bytes = bytes.finish();
        let expected = vec![
            (Value::Text("n"), Value::Unsigned(70_000)),
            (
                Value::Unsigned(9),
                Value::Array(vec![Value::Bytes(&[7; 300])]),
            ),
        ];
        assert_eq!(decode(&bytes), Ok(Value::Map(expected)));
    }
}
