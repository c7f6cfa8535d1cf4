//! Columns of codes in the narrowest integers that hold them, overwritten when dropped.

use zeroize::Zeroize;

use crate::account::{Account, NoRoom};

/// A growable buffer that leaves nothing behind: its contents are overwritten on drop, and the old
/// place is overwritten when it has to move to a larger one.
#[derive(Default)]
pub(crate) struct Wiped<T: Copy + Zeroize>(Vec<T>);

impl<T: Copy + Zeroize> Wiped<T> {
    pub(crate) fn new() -> Self {
        Self(Vec::new())
    }

    // `Vec::push` would move by realloc, which frees the old place with its contents.
    #[inline]
    pub(crate) fn push(&mut self, value: T) {
        if self.0.len() == self.0.capacity() {
            self.grow(1);
        }
        self.0.push(value);
    }

    pub(crate) fn extend_from_slice(&mut self, values: &[T]) {
        if self.0.capacity() - self.0.len() < values.len() {
            self.grow(values.len());
        }
        self.0.extend_from_slice(values);
    }

    pub(crate) fn extend(&mut self, values: impl ExactSizeIterator<Item = T>) {
        if self.0.capacity() - self.0.len() < values.len() {
            self.grow(values.len());
        }
        self.0.extend(values);
    }

    /// Empties the buffer to be filled again. The place is overwritten then, or on drop.
    pub(crate) fn clear(&mut self) {
        // Not wiped here: the place is filled again in a moment, and wiped on drop.
        self.0.clear();
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        &self.0
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        &mut self.0
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Bytes of the place, filled or not.
    pub(crate) fn capacity_bytes(&self) -> usize {
        self.0.capacity() * size_of::<T>()
    }

    /// Moves to a place for exactly this many values in all, if it has none yet.
    pub(crate) fn reserve_exact(&mut self, values: usize) {
        if values > self.0.capacity() {
            self.move_to(values);
        }
    }

    /// Adds values after the account has made room for them.
    #[inline]
    pub(crate) fn extend_within(&mut self, values: &[T], account: &Account) -> Result<(), NoRoom> {
        // By doubling, as `Vec` does, but through the account.
        if self.0.capacity() - self.0.len() < values.len() {
            let capacity = self.grown(values.len());
            account.moves(self.capacity_bytes(), capacity * size_of::<T>())?;
            self.move_to(capacity);
        }
        self.0.extend_from_slice(values);
        Ok(())
    }

    /// Adds a value after the account has made room for it.
    #[inline]
    pub(crate) fn push_within(&mut self, value: T, account: &Account) -> Result<(), NoRoom> {
        if self.0.len() == self.0.capacity() {
            return self.extend_within(&[value], account);
        }
        self.0.push(value);
        Ok(())
    }

    /// Removes the first `count` values.
    pub(crate) fn forget_front(&mut self, count: usize) {
        // `drain` moves what is left to the front; what stays behind is overwritten by the next
        // fill, or on drop.
        self.0.drain(..count);
    }

    /// The values, no longer overwritten on drop: for another buffer that is.
    pub(crate) fn into_vec(mut self) -> Vec<T> {
        // Drop then wipes an empty buffer: the duty goes to whoever takes the values.
        std::mem::take(&mut self.0)
    }

    #[cold]
    fn grow(&mut self, by: usize) {
        self.move_to(self.grown(by));
    }

    fn grown(&self, by: usize) -> usize {
        // 256 at least, or short columns would move again and again while they begin.
        (self.0.len() + by).max(self.0.capacity() * 2).max(256)
    }

    #[cold]
    fn move_to(&mut self, capacity: usize) {
        let mut larger = Vec::with_capacity(capacity);
        larger.extend_from_slice(&self.0);
        // Before the old place is freed: an allocator may hand it to anybody.
        self.0.zeroize();
        self.0 = larger;
    }
}

impl<T: Copy + Zeroize> From<Vec<T>> for Wiped<T> {
    fn from(values: Vec<T>) -> Self {
        Self(values)
    }
}

impl<T: Copy + Zeroize> Drop for Wiped<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// An integer that holds codes.
pub(crate) trait Code: Copy + Zeroize {
    fn widen(self) -> u32;
    /// The code as an index into a table.
    #[inline]
    fn index(self) -> usize {
        self.widen() as usize
    }
}

impl Code for u8 {
    #[inline]
    fn widen(self) -> u32 {
        self.into()
    }
}

impl Code for u16 {
    #[inline]
    fn widen(self) -> u32 {
        self.into()
    }
}

impl Code for u32 {
    #[inline]
    fn widen(self) -> u32 {
        self
    }
}

/// One column of codes, one per row.
pub(crate) enum Codes {
    U8(Wiped<u8>),
    U16(Wiped<u16>),
    U32(Wiped<u32>),
}

// A macro, as closures cannot be generic over the type of the slice.
/// Runs the same expression on the typed slice inside a [`Codes`].
macro_rules! with_codes {
    ($codes:expr, $slice:ident => $body:expr) => {
        match $codes {
            $crate::codes::Codes::U8(wiped) => {
                let $slice = wiped.as_slice();
                $body
            }
            $crate::codes::Codes::U16(wiped) => {
                let $slice = wiped.as_slice();
                $body
            }
            $crate::codes::Codes::U32(wiped) => {
                let $slice = wiped.as_slice();
                $body
            }
        }
    };
}
pub(crate) use with_codes;

impl Codes {
    /// An empty column for codes `0..size`.
    pub(crate) fn for_size(size: usize) -> Self {
        // A byte a code halves or quarters the memory of a table, and of each pass over it.
        if size <= 1 << 8 {
            Self::U8(Wiped::new())
        } else if size <= 1 << 16 {
            Self::U16(Wiped::new())
        } else {
            Self::U32(Wiped::new())
        }
    }

    /// An empty column for this many codes `0..size`.
    pub(crate) fn with_capacity(size: usize, codes: usize) -> Self {
        match Self::for_size(size) {
            Self::U8(_) => Self::U8(Vec::with_capacity(codes).into()),
            Self::U16(_) => Self::U16(Vec::with_capacity(codes).into()),
            Self::U32(_) => Self::U32(Vec::with_capacity(codes).into()),
        }
    }

    /// The column with these codes, each below `size`.
    pub(crate) fn collect(size: usize, codes: impl Iterator<Item = u32>) -> Self {
        match Self::for_size(size) {
            Self::U8(_) => Self::U8(codes.map(to_u8).collect::<Vec<_>>().into()),
            Self::U16(_) => Self::U16(codes.map(to_u16).collect::<Vec<_>>().into()),
            Self::U32(_) => Self::U32(codes.collect::<Vec<_>>().into()),
        }
    }

    #[inline]
    pub(crate) fn push(&mut self, code: u32) {
        match self {
            Self::U8(codes) => codes.push(to_u8(code)),
            Self::U16(codes) => codes.push(to_u16(code)),
            Self::U32(codes) => codes.push(code),
        }
    }

    pub(crate) fn extend(&mut self, codes: &[u32]) {
        match self {
            Self::U8(own) => own.extend(codes.iter().map(|&code| to_u8(code))),
            Self::U16(own) => own.extend(codes.iter().map(|&code| to_u16(code))),
            Self::U32(own) => own.extend_from_slice(codes),
        }
    }

    pub(crate) fn len(&self) -> usize {
        with_codes!(self, codes => codes.len())
    }

    /// Room for exactly this many codes in all.
    pub(crate) fn reserve_exact(&mut self, codes: usize) {
        match self {
            Self::U8(own) => own.reserve_exact(codes),
            Self::U16(own) => own.reserve_exact(codes),
            Self::U32(own) => own.reserve_exact(codes),
        }
    }

    /// Bytes that one code takes.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::U8(_) => 1,
            Self::U16(_) => 2,
            Self::U32(_) => 4,
        }
    }

    /// Bytes of the place, filled or not.
    pub(crate) fn capacity_bytes(&self) -> usize {
        match self {
            Self::U8(own) => own.capacity_bytes(),
            Self::U16(own) => own.capacity_bytes(),
            Self::U32(own) => own.capacity_bytes(),
        }
    }

    /// Moves to wider integers where those at hand do not hold codes `0..size`, after the account
    /// has made room for as many codes as there was room for.
    #[inline]
    pub(crate) fn widen_for(&mut self, size: usize, account: &Account) -> Result<(), NoRoom> {
        let holds = match self {
            Self::U8(_) => size <= 1 << 8,
            Self::U16(_) => size <= 1 << 16,
            Self::U32(_) => true,
        };
        if holds {
            Ok(())
        } else {
            self.widen(size, account)
        }
    }

    #[cold]
    fn widen(&mut self, size: usize, account: &Account) -> Result<(), NoRoom> {
        let room = self.capacity_bytes() / self.width();
        let mut wider = Self::for_size(size);
        // Old and new place are held together while codes move: both are counted.
        account.moves(self.capacity_bytes(), room * wider.width())?;
        wider.reserve_exact(room);
        with_codes!(self, codes => codes.iter().for_each(|code| wider.push(code.widen())));
        *self = wider;
        Ok(())
    }

    /// The code of one row.
    pub(crate) fn at(&self, row: u32) -> u32 {
        with_codes!(self, codes => codes[row as usize].widen())
    }

    /// The codes of the given rows, in the given order.
    pub(crate) fn gather(&self, rows: &[u32]) -> Self {
        fn pick<T: Copy + Zeroize>(codes: &Wiped<T>, rows: &[u32]) -> Wiped<T> {
            let codes = codes.as_slice();
            rows.iter()
                .map(|&row| codes[row as usize])
                .collect::<Vec<_>>()
                .into()
        }
        match self {
            Self::U8(codes) => Self::U8(pick(codes, rows)),
            Self::U16(codes) => Self::U16(pick(codes, rows)),
            Self::U32(codes) => Self::U32(pick(codes, rows)),
        }
    }

    /// The codes in the widest integers.
    pub(crate) fn widened(&self) -> Vec<u32> {
        with_codes!(self, codes => codes.iter().map(|code| code.widen()).collect())
    }

    /// Every code replaced by what `map` says, as codes below `size`.
    pub(crate) fn recoded(&self, map: &[u32], size: usize) -> Self {
        with_codes!(self, codes => Self::collect(
            size,
            codes.iter().map(|&code| map[code.index()]),
        ))
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "codes are below a size that chose this width"
)]
#[inline]
fn to_u8(code: u32) -> u8 {
    debug_assert!(code <= u32::from(u8::MAX));
    code as u8
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "codes are below a size that chose this width"
)]
#[inline]
fn to_u16(code: u32) -> u16 {
    debug_assert!(code <= u32::from(u16::MAX));
    code as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_follows_the_number_of_codes() {
        assert!(matches!(Codes::for_size(256), Codes::U8(_)));
        assert!(matches!(Codes::for_size(257), Codes::U16(_)));
        assert!(matches!(Codes::for_size(65_536), Codes::U16(_)));
        assert!(matches!(Codes::for_size(65_537), Codes::U32(_)));
    }

    #[test]
    fn growing_keeps_what_was_pushed() {
        let mut codes = Codes::for_size(70_000);
        for code in 0..5_000 {
            codes.push(code * 13);
        }
        let picked = codes.gather(&[4_999, 0, 257]);
        assert_eq!(picked.widened(), [4_999 * 13, 0, 257 * 13]);
        assert_eq!(codes.len(), 5_000);
    }
}
