//! What no field may hold, whatever the format of the file.

use crate::error::{ColumnRef, RecordPosition, TableError};
use crate::read_limits::ReadLimits;

/// Refuses a field that is too long, or no text.
pub(crate) fn check_field(
    field: &[u8],
    at: RecordPosition,
    column: impl Fn() -> ColumnRef,
    limits: &ReadLimits,
) -> Result<(), TableError> {
    if field.len() > limits.max_field_bytes {
        return Err(TableError::FieldTooLong {
            at,
            column: column(),
            limit: limits.max_field_bytes,
        });
    }
    if field.contains(&0) {
        return Err(TableError::Nul {
            at,
            column: column(),
        });
    }
    if str::from_utf8(field).is_err() {
        return Err(TableError::NotUtf8 {
            at,
            column: column(),
        });
    }
    Ok(())
}
