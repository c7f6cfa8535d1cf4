//! Synthetic rows beside the real ones, for the owner of those.

use std::num::NonZeroU32;

use anyhow::Context;
use cli::{BadInput, IdReading};
use pyo3::prelude::*;
use report::EvaluationPage;
use serde_json::json;
use tabular::Joined;

use crate::table::{Read, Table, declared};
use crate::work::carry_out;

/// Compares two tables. Returns the scores as JSON, and a page. **Not private**: everything is
/// computed from the real rows without noise.
#[pyfunction]
#[pyo3(signature = (real, synthetic, schema=None, key=None))]
pub(crate) fn evaluate(
    py: Python<'_>,
    real: Table,
    synthetic: Table,
    schema: Option<String>,
    key: Option<String>,
) -> PyResult<(String, String)> {
    carry_out(py, None, move |watch| {
        let schema = schema.as_deref().map(declared).transpose()?;
        // All rows of everyone are compared.
        let ids = IdReading {
            key: key.as_deref(),
            max_rows_per_id: Some(NonZeroU32::MAX),
            ..IdReading::default()
        };
        let real = real.read(&ids, schema.as_ref(), watch)?;
        let mut notes = real.notes;
        let real = Joined::single(real.upload).dangerous_into_coded_for_comparison();
        // Under the real table's bins, or distances would be between different codes.
        let Read {
            upload,
            notes: more,
        } = synthetic.read(&IdReading::default(), Some(real.schema()), watch)?;
        notes.extend(more);
        let synthetic = Joined::single(upload).dangerous_into_coded();
        let evaluation = synthesis::evaluate(&real, &synthetic)
            .context(BadInput("the two tables cannot be compared".to_owned()))?;
        let held_out = synthesis::evaluate_halves(&real);
        let one_ways = cli::one_ways(&real, &synthetic);
        let page = EvaluationPage {
            schema: real.schema(),
            evaluation: &evaluation,
            held_out: held_out.as_ref(),
            one_ways: &one_ways,
        };
        let mut scores = json!(evaluation);
        scores["held_out"] = json!(held_out);
        scores["notes"] = json!(notes);
        Ok((scores.to_string(), page.to_html()))
    })
}
