//! Rows that a program has taken out of a file of its own format.

use schema::Schema;

use crate::account::Account;
use crate::error::{ColumnRef, RecordPosition, TableError};
use crate::field::check_field;
use crate::header::check_names;
use crate::ids::KeyHasher;
use crate::read_limits::ReadLimits;
use crate::read_options::ReadAs;
use crate::upload::{Intake, Upload};

/// One row of a sheet.
pub struct SheetRow<'a> {
    /// Its number as people see it, from 1.
    pub number: u64,
    /// A text for each column.
    pub fields: &'a [String],
}

/// Reads rows as [`read_csv`](crate::read_csv) reads records; a field that a row lacks is empty.
///
/// # Errors
/// [`TableError`], which names rows by their numbers.
pub fn read_rows<'a>(
    names: &[String],
    rows: impl IntoIterator<Item = SheetRow<'a>>,
    read_as: ReadAs,
    key: Option<&str>,
    schema: Option<&Schema>,
    hasher: &KeyHasher,
    limits: &ReadLimits,
) -> Result<Upload, TableError> {
    let account = Account::new(limits.max_memory_bytes);
    let names: Vec<String> = names.iter().map(|name| name.trim().to_owned()).collect();
    check_names(&names, key, schema)?;
    let at = RecordPosition::Row;
    let mut intake = Intake::new(&names, at, key, schema, hasher, limits, &account)?;
    let targets = intake.targets.clone();
    let mut count = 0;
    for row in rows {
        intake.begin_row(count)?;
        for (i, (&target, name)) in targets.iter().zip(&names).enumerate() {
            let field = row.fields.get(i).map_or("", String::as_str).as_bytes();
            let column = || ColumnRef::Name(name.clone());
            check_field(field, at(row.number), column, limits)?;
            intake.push(target, field, row.number)?;
        }
        count += 1;
    }
    intake.finish(count, read_as)
}
