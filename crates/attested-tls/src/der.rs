//! Just enough DER to tell key files apart.
// Not the crate `der`: forms are told apart by tags alone, and reading keys is left to aws-lc.

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;

/// Reads one element after another.
#[derive(Clone, Copy)]
pub(crate) struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Der<'a> {
        Der(bytes)
    }

    /// The contents of the only element, a sequence; `None` if it is not one, or bytes follow it.
    pub(crate) fn only_sequence(bytes: &'a [u8]) -> Option<Der<'a>> {
        let mut der = Der(bytes);
        let inner = der.expect(SEQUENCE)?;
        der.0.is_empty().then_some(Der(inner))
    }

    /// The tag of the next element.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// The contents of the next element, if it has this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte));
                let needed = if length < 0x80 {
                    0
                } else {
                    1 + length.ilog2() as usize / 8
                };
                (needed == bytes.len()).then_some((length, rest))?
            }
            _ => return None,
        };
        let (contents, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (found == tag).then_some(contents)
    }
}
