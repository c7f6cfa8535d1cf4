//! How large a table may be.

use std::num::NonZeroU32;

/// Bounds on one table. Reading stops at the first that is exceeded, but for
/// [`max_rows_per_id`](Self::max_rows_per_id).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadLimits {
    /// Bytes of the file. Default: 4 GiB.
    pub max_bytes: u64,
    /// Rows without the header. Default: 50 million.
    pub max_rows: u32,
    /// Columns of the file, declared or not. Default: 2,000.
    pub max_columns: usize,
    /// Bytes of one field. Default: 64 KiB. A whole record may take 16 times as much, and at least
    /// 16 MiB.
    pub max_field_bytes: usize,
    /// Different texts in one undeclared column, all of which are held until the join. Default: 4
    /// million. Their bytes together may take 64 times as much.
    pub max_distinct: usize,
    /// Bytes of memory that the table may take while it is read: codes, hashed ids and the index
    /// over them, texts of undeclared columns, pages of Parquet, and what of these is held twice
    /// while a buffer grows. Default: 16 GiB.
    pub max_memory_bytes: u64,
    /// How many rows of one id take part, at most. Of an id that has more, a uniform choice takes
    /// part, drawn by a keyed hash when tables are [joined](crate::Joined); what stays depends on
    /// the rows of that id alone. Default: `None`, which refuses a table that repeats an id.
    pub max_rows_per_id: Option<NonZeroU32>,
}

impl Default for ReadLimits {
    fn default() -> Self {
        Self {
            max_bytes: 4 << 30,
            max_rows: 50_000_000,
            max_columns: 2_000,
            max_field_bytes: 64 << 10,
            max_distinct: 4_000_000,
            max_memory_bytes: 16 << 30,
            max_rows_per_id: None,
        }
    }
}

impl ReadLimits {
    pub(crate) fn max_record_bytes(&self) -> u64 {
        // A small bound on fields must not forbid wide tables.
        (self.max_field_bytes as u64)
            .saturating_mul(16)
            .max(16 << 20)
    }

    pub(crate) fn max_dictionary_bytes(&self) -> usize {
        self.max_distinct.saturating_mul(64)
    }
}
