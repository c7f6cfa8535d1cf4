//! How much of a processor's time one table may take.

use std::cell::Cell;

use crate::error::TableError;

/// Counts the bytes that are decompressed and decoded: a file of a few bytes can stand for any
/// number of them. In a CSV file each was sent; so a table of another format is worth so many times
/// its longest file, and no more.
pub(crate) struct Work {
    limit: u64,
    left: Cell<u64>,
}

impl Work {
    pub(crate) fn new(limit: u64) -> Self {
        Self {
            limit,
            left: Cell::new(limit),
        }
    }

    pub(crate) fn take(&self, bytes: u64) -> Result<(), TableError> {
        match self.left.get().checked_sub(bytes) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(TableError::TooMuchUnpacked { limit: self.limit }),
        }
    }
}
