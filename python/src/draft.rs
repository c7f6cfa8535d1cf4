//! Schemas to start from, and what columns a schema declares.

use std::num::NonZeroU32;
use std::path::PathBuf;

use cli::{BadInput, Calling, ReadTable, SchemaRequest, SchemaSource};
use privacy::{Delta, Epsilon, budget_warnings};
use pyo3::prelude::*;
use serde::Deserialize;
use serde_json::json;

use crate::failure::Failure;
use crate::rows::{Described, described};
use crate::table::{Table, declared};
use crate::work::carry_out;

/// What is asked for, as the package's Python writes it down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DraftOptions {
    key: Option<String>,
    keep: Vec<String>,
    /// Epsilon.
    private: Option<f64>,
    delta: f64,
    max_rows_per_id: Option<NonZeroU32>,
    codebook: Option<PathBuf>,
}

impl DraftOptions {
    fn source(&self) -> anyhow::Result<SchemaSource<'_>> {
        Ok(match (&self.codebook, self.private) {
            (Some(file), _) => SchemaSource::Codebook { file, sheet: None },
            (None, None) => SchemaSource::Rows,
            (None, Some(epsilon)) => SchemaSource::Discovery {
                epsilon: Epsilon::new(epsilon).map_err(|error| BadInput(error.to_string()))?,
                delta: Delta::new(self.delta).map_err(|error| BadInput(error.to_string()))?,
                max_rows_per_id: self.max_rows_per_id,
            },
        })
    }
}

/// Drafts a schema. Returns the text; all else as JSON; what may be told; and notes on the table,
/// for its owner alone.
#[pyfunction]
#[pyo3(signature = (table, options))]
pub(crate) fn draft_schema(
    py: Python<'_>,
    table: Option<Table>,
    options: &str,
) -> PyResult<(String, String, Vec<String>, Vec<String>)> {
    let options: DraftOptions =
        serde_json::from_str(options).map_err(|error| Failure::input(error).into_exception(py))?;
    carry_out(py, None, move |watch| {
        let source = options.source()?;
        let mut told = Vec::new();
        if let SchemaSource::Discovery { epsilon, delta, .. } = source {
            let warnings = budget_warnings(epsilon, delta, None);
            told.extend(warnings.iter().map(ToString::to_string));
        }
        let request = SchemaRequest {
            source,
            key: options.key.as_deref(),
            keep: &options.keep,
            calling: Calling::Python,
        };
        let read: Option<Box<ReadTable<'_>>> = table.as_ref().map(|table| -> Box<ReadTable<'_>> {
            Box::new(move |ids, schema| {
                let read = table.read(ids, schema, watch)?;
                Ok((read.upload, read.notes))
            })
        });
        let draft = request.draft(read.as_deref())?;
        let document = json!({
            "origin": draft.origin(),
            "columns": draft.columns(),
            "beside_codebook": draft.beside_codebook(),
            "declaration": draft.declaration()?,
            "ledger": draft.ledger(),
        });
        let notes = draft.notes().to_vec();
        Ok((draft.text().to_owned(), document.to_string(), told, notes))
    })
}

/// For each column that a YAML text declares its name, its kind, whether values may be missing, and
/// its categories.
#[pyfunction]
pub(crate) fn declared_columns(py: Python<'_>, schema: &str) -> PyResult<Vec<Described>> {
    match declared(schema) {
        Ok(schema) => Ok(described(&schema)),
        Err(error) => Err(Failure::from(error).into_exception(py)),
    }
}
