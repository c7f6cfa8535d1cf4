//! The few lines of DER that public keys need: strict reading and writing of definite-length
//! values.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const NULL: u8 = 0x05;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// Reads values one after another; `None` is any departure from DER.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Reader { rest: bytes }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The content of the next value, which must have this tag.
    pub(crate) fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.rest.split_first()?;
        if found != tag {
            return None;
        }
        let (length, rest) = read_length(rest)?;
        let (content, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        Some(content)
    }

    /// The magnitude of the next integer, which must be positive and written in the fewest octets.
    pub(crate) fn positive_integer(&mut self) -> Option<&'a [u8]> {
        match self.value(INTEGER)? {
            // A leading zero only where the sign bit asks for it: one number has one encoding, and
            // so one key one fingerprint.
            [0, rest @ ..] => rest
                .first()
                .is_some_and(|first| first & 0x80 != 0)
                .then_some(rest),
            [first, ..] if first & 0x80 != 0 => None,
            [] => None,
            content => Some(content),
        }
    }
}

/// One value with its tag and length.
pub(crate) fn write(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = &length[length.iter().take_while(|octet| **octet == 0).count()..];
    let mut out = vec![tag];
    match significant {
        [] => out.push(0),
        [only] if *only < 0x80 => out.push(*only),
        octets => {
            let count = u8::try_from(octets.len()).expect("a usize has at most 8 octets");
            out.push(0x80 | count);
            out.extend_from_slice(octets);
        }
    }
    out.extend_from_slice(content);
    out
}

/// Several values as one sequence.
pub(crate) fn sequence(values: &[Vec<u8>]) -> Vec<u8> {
    write(SEQUENCE, &values.concat())
}

/// A length in its shortest form, at most three octets (keys are far smaller).
fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes {
        [short, rest @ ..] if *short < 0x80 => Some((usize::from(*short), rest)),
        [0x81, a, rest @ ..] if *a >= 0x80 => Some((usize::from(*a), rest)),
        [0x82, a, b, rest @ ..] if *a != 0 => {
            Some((usize::from(u16::from_be_bytes([*a, *b])), rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_at_every_length_form() {
        for length in [0, 1, 127, 128, 255, 256, 65_535] {
            let content = vec![7u8; length];
            let bytes = write(BIT_STRING, &content);
            let mut reader = Reader::new(&bytes);
            assert_eq!(
                reader.value(BIT_STRING),
                Some(content.as_slice()),
                "length {length}"
            );
            assert!(reader.is_empty());
        }
    }

    #[test]
    fn lengths_in_a_longer_form_than_needed_are_refused() {
        for bytes in [
            &[2, 0x81, 1, 5][..],
            &[2, 0x82, 0, 1, 5],
            &[2, 0x80, 5, 0, 0],
            &[2, 0x83, 0, 0, 1, 5],
        ] {
            assert_eq!(Reader::new(bytes).value(INTEGER), None, "{bytes:02x?}");
        }
    }

    #[test]
    fn integers_must_be_positive_and_minimal() {
        assert_eq!(Reader::new(&[2, 1, 5]).positive_integer(), Some(&[5u8][..]));
        assert_eq!(
            Reader::new(&[2, 2, 0, 0x80]).positive_integer(),
            Some(&[0x80u8][..])
        );
        for bytes in [
            &[2, 0][..],
            &[2, 1, 0],
            &[2, 1, 0x80],
            &[2, 2, 0, 5],
            &[2, 2, 5],
        ] {
            assert_eq!(Reader::new(bytes).positive_integer(), None, "{bytes:02x?}");
        }
    }
}
