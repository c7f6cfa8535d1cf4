//! A table whose format is not known beforehand.

use std::io::Read;

use schema::Schema;

use crate::account::Account;
use crate::error::TableError;
use crate::ids::KeyHasher;
use crate::read_limits::ReadLimits;
use crate::read_options::ReadOptions;
use crate::text::Text;
use crate::upload::Upload;
use crate::{read_csv, read_json};

/// Reads a table that streams in, for as long as somebody waits for it: CSV as
/// [`read_csv`](crate::read_csv) does, or JSON if its first characters are those of an object, or
/// of an array of objects. `wanted` is asked many times a second while a compressed file is
/// unpacked.
///
/// In JSON each object is a row, and the fields of the first are the columns; a field that a later
/// row lacks is empty there. Values are texts, numbers (taken as they are written), `true`, `false`
/// and `null`.
///
/// A compressed file stands for [`ReadLimits::max_bytes`] at most, and for no more than 256 times
/// its length or 256 MiB, whichever is more. Its decoder's memory counts as the table's.
///
/// # Errors
/// [`TableError`], and so for Parquet files and workbooks, which cannot be read while they stream
/// in.
pub fn read_table(
    mut input: impl Read,
    options: &ReadOptions,
    key: Option<&str>,
    schema: Option<&Schema>,
    hasher: &KeyHasher,
    limits: &ReadLimits,
    wanted: &dyn Fn() -> bool,
) -> Result<Upload, TableError> {
    let account = Account::new(limits.max_memory_bytes);
    let mut text = Text::open(Box::new(&mut input), options, limits, &account, wanted)?;
    // A delimiter is of CSV, whatever the names of its columns look like.
    let start = text.bytes.peek_until(MOST_BLANK, read_json::tells)?;
    if options.delimiter.is_none() && read_json::is_json(start) {
        read_json::read_text(text, key, schema, hasher, limits, &account)
    } else {
        read_csv::read_text(text, options, key, schema, hasher, limits, &account)
    }
}

/// White space before the first object is looked through this far.
const MOST_BLANK: usize = 4 << 10;
