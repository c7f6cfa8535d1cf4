//! A party's columns as `/columns` shows them.

use protocol::ColumnsReply;
use schema::{OutputColumn, Schema};

/// Of a column with more categories than anyone would read, the first are shown; the model's file
/// has all.
const MAX_SHOWN: usize = 1000;

/// Those columns of synthetic rows that are the party's, as a table to show.
pub(crate) fn columns_reply(party: &str, schema: &Schema) -> ColumnsReply {
    let prefix = format!("{party}_");
    shown(party, schema, |name| name.starts_with(&prefix))
}

/// All columns of a schema that is nobody's in particular.
pub(crate) fn all_columns_reply(schema: &Schema) -> ColumnsReply {
    shown("", schema, |_| true)
}

fn shown(party: &str, schema: &Schema, wanted: impl Fn(&str) -> bool) -> ColumnsReply {
    let columns: Vec<_> = schema
        .output_columns()
        .filter(|column| wanted(column.name()))
        .collect();
    let longest = columns
        .iter()
        .map(|column| match column {
            OutputColumn::Coded(column) => column.size(),
            OutputColumn::Identifiers(_) => 1,
        })
        .max()
        .unwrap_or(0)
        .min(MAX_SHOWN);
    let label = |column: &OutputColumn<'_>, code: usize| match column {
        OutputColumn::Coded(column) if code < column.size() => column.label(code).into_owned(),
        OutputColumn::Identifiers(column) if code == 0 => {
            format!("new identifiers of the form {}", column.form())
        }
        _ => String::new(),
    };
    ColumnsReply {
        user: party.to_owned(),
        columns: columns
            .iter()
            .map(|column| column.name().to_owned())
            .collect(),
        rows: (0..longest)
            .map(|code| columns.iter().map(|column| label(column, code)).collect())
            .collect(),
    }
}
