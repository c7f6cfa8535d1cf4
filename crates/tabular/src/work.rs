//! How much of a processor's time one table may take.

use std::cell::Cell;

use crate::error::TableError;

/// Bytes for each byte of the file, and what the shortest file may take: some seconds. Ordinary
/// tables take fewer than 2 for each byte, and columns that hold almost nothing some tens.
const FOR_A_BYTE: u64 = 256;
const FOR_A_SHORT_FILE: u64 = 256 << 20;
/// Bytes for each byte that the longest file may have.
const FOR_A_BYTE_ALLOWED: u64 = 16;

/// Counts the bytes that are decompressed and decoded: a file of a few bytes can stand for any
/// number of them. In a CSV file each was sent; so a table of another format is worth that many
/// times its own length, and no more than that many times the longest file.
pub(crate) struct Work {
    limit: u64,
    left: Cell<u64>,
}

/// How many bytes a file of this length may stand for.
pub(crate) fn most_for(length: u64, max_bytes: u64) -> u64 {
    // The lower of both bounds: neither a short nor a long file may stand for unbounded work.
    let for_its_length = length.saturating_mul(FOR_A_BYTE).max(FOR_A_SHORT_FILE);
    for_its_length.min(max_bytes.saturating_mul(FOR_A_BYTE_ALLOWED))
}

impl Work {
    pub(crate) fn for_file(length: u64, max_bytes: u64) -> Self {
        let limit = most_for(length, max_bytes);
        Self {
            limit,
            left: Cell::new(limit),
        }
    }

    pub(crate) fn take(&self, bytes: u64) -> Result<(), TableError> {
        // Work is never given back: it is time, not room.
        match self.left.get().checked_sub(bytes) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => Err(TableError::TooMuchUnpacked { limit: self.limit }),
        }
    }
}
