//! Thrift's compact protocol, as far as Parquet's headers need it.
//!
//! Only what must be known before the decoder of Parquet allocates anything is read here, and
//! nothing is copied. Source: Apache Thrift, `doc/specs/thrift-compact-protocol.md`.

/// The bytes are not what they should be, or end too soon.
#[derive(Debug)]
pub(crate) struct Malformed;

/// Reads from the front of some bytes.
pub(crate) struct Thrift<'a> {
    bytes: &'a [u8],
}

/// The type of a field or element, by its number in the protocol.
pub(crate) type Kind = u8;

const TRUE: Kind = 1;
const FALSE: Kind = 2;
pub(crate) const BINARY: Kind = 8;
pub(crate) const LIST: Kind = 9;
pub(crate) const STRUCT: Kind = 12;

/// Structures within structures that are skipped. Parquet's own are 6 deep.
const MAX_DEPTH: u32 = 32;

impl<'a> Thrift<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// What is still to be read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many bytes are still to be read.
    pub(crate) fn left(&self) -> usize {
        self.bytes.len()
    }

    /// Takes the next `count` bytes.
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(Malformed)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    pub(crate) fn varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        // Ten groups of seven bits cover 64; an eleventh byte would be a second way to write a
        // number.
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Malformed)
    }

    /// A whole number of any width.
    pub(crate) fn int(&mut self) -> Result<i64, Malformed> {
        let zigzag = self.varint()?;
        // Zigzag: small negative numbers are short as well.
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    pub(crate) fn binary(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.varint()?;
        self.take(usize::try_from(length).map_err(|_| Malformed)?)
    }

    /// The type of a list's elements, and how many there are: never more than bytes are left, as
    /// each takes one at least.
    pub(crate) fn list(&mut self) -> Result<(Kind, usize), Malformed> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.varint()?,
            count => count.into(),
        };
        let count = usize::try_from(count).map_err(|_| Malformed)?;
        // An element takes a byte at least: what promises more would make us allocate for nothing.
        if count > self.left() {
            return Err(Malformed);
        }
        Ok((head & 15, count))
    }

    /// Calls `read` for each field of a structure, with its number and type. It must read or skip
    /// the field.
    pub(crate) fn fields<E: From<Malformed>>(
        &mut self,
        mut read: impl FnMut(&mut Self, i64, Kind) -> Result<(), E>,
    ) -> Result<(), E> {
        // Numbers are given as steps from the field before; 0 says that the number itself follows.
        let mut number = 0;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Ok(());
            }
            number = match head >> 4 {
                0 => self.int()?,
                step => i64::from(step) + number,
            };
            read(self, number, head & 15)?;
        }
    }

    /// The whole numbers and truths among the fields of a structure, each in the place of its
    /// number. Other fields, and those whose number has no place, are skipped.
    pub(crate) fn numbers(&mut self, places: &mut [i64]) -> Result<(), Malformed> {
        self.fields(|thrift, number, kind| {
            let place = usize::try_from(number).ok();
            match (place.and_then(|number| places.get_mut(number)), kind) {
                (Some(place), TRUE | FALSE) => *place = (kind == TRUE).into(),
                (Some(place), 4..=6) => *place = thrift.int()?,
                _ => thrift.skip(kind)?,
            }
            Ok(())
        })
    }

    /// Passes over a field of this type.
    pub(crate) fn skip(&mut self, kind: Kind) -> Result<(), Malformed> {
        self.skip_within(kind, MAX_DEPTH)
    }

    fn skip_within(&mut self, kind: Kind, depth: u32) -> Result<(), Malformed> {
        // Recursion is bounded: the depth is the file's word, the stack is ours.
        let depth = depth.checked_sub(1).ok_or(Malformed)?;
        match kind {
            TRUE | FALSE => {}
            3 => drop(self.byte()?),
            4..=6 => drop(self.varint()?),
            7 => drop(self.take(8)?),
            BINARY => drop(self.binary()?),
            LIST | 10 => {
                let (kind, count) = self.list()?;
                for _ in 0..count {
                    match kind {
                        // As elements, truths take a byte each.
                        TRUE | FALSE => drop(self.byte()?),
                        kind => self.skip_within(kind, depth)?,
                    }
                }
            }
            STRUCT => self.fields(|thrift, _, kind| thrift.skip_within(kind, depth))?,
            // Parquet has no maps.
            _ => return Err(Malformed),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_put_in_their_places_and_the_rest_is_skipped() {
        // 1: i32 -2; 2: true; 3: binary "ab"; 5: list of i32 [1, 2]; 20: i64 300
        let bytes = [
            0x15, 3, 0x11, 0x18, 2, b'a', b'b', 0x29, 0x25, 2, 4, 0x06, 40, 0xd8, 0x04, 0,
        ];
        let mut places = [7; 21];
        let mut thrift = Thrift::new(&bytes);
        thrift.numbers(&mut places).unwrap();
        assert_eq!(
            (places[1], places[2], places[3], places[20]),
            (-2, 1, 7, 300)
        );
        assert_eq!(thrift.left(), 0);
    }

    #[test]
    fn lists_are_no_longer_than_their_bytes_and_nothing_is_nested_without_end() {
        assert!(
            Thrift::new(&[0xf5, 0xff, 0xff, 0xff, 0x7f, 1])
                .list()
                .is_err()
        );
        let nested = [0x1c; 100];
        assert!(Thrift::new(&nested).skip(STRUCT).is_err());
        assert!(Thrift::new(&[0x80; 20]).varint().is_err());
    }
}
