//! What reading one table takes of memory.

use std::cell::Cell;

/// The bytes that one table holds while it is read. Bytes are taken here before they are taken from
/// the allocator, so that a file which needs too many is refused while there is still memory for
/// everybody else.
///
/// What is counted is room, not content: the capacity of every buffer, and the old and the new
/// place of a buffer that moves. Some hundreds of bytes for each column are not.
pub(crate) struct Account {
    // A Cell and no atomic: a table is read by one thread.
    limit: u64,
    used: Cell<u64>,
}

/// The account has less left than was asked for.
#[derive(Debug)]
pub(crate) struct NoRoom {
    /// All that the table may take.
    pub(crate) limit: u64,
}

impl Account {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            used: Cell::new(0),
        }
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.get()
    }

    // Never below zero: `take` refuses before it adds.
    pub(crate) fn left(&self) -> u64 {
        self.limit - self.used.get()
    }

    pub(crate) fn take(&self, bytes: u64) -> Result<(), NoRoom> {
        // Compared with what is left and not by adding: a sum of hostile numbers may wrap.
        if bytes > self.left() {
            return Err(NoRoom { limit: self.limit });
        }
        self.used.set(self.used.get() + bytes);
        Ok(())
    }

    /// Gives back this many of the bytes that were taken.
    pub(crate) fn give(&self, bytes: u64) {
        debug_assert!(
            bytes <= self.used.get(),
            "more is given back than was taken"
        );
        // Saturating in release builds: a fault of ours may make the account strict, and never
        // panic in an enclave.
        self.used.set(self.used.get().saturating_sub(bytes));
    }

    /// Makes room for a buffer that moves from a place of `old` bytes to one of `new`.
    pub(crate) fn moves(&self, old: usize, new: usize) -> Result<(), NoRoom> {
        // Old and new place exist together for a moment, so that both are counted.
        self.take(new as u64)?;
        self.give(old as u64);
        Ok(())
    }
}
