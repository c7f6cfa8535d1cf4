//! Fitted models.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use cli::{Answers, BadInput, marginal_documents};
use protocol::BoundedFile;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use schema::{Condition, TooManyRows};
use serde_json::json;
use synthesis::{Conditional, ModelFileError};

use crate::failure::Failure;
use crate::rows::Rows;
use crate::work::carry_out;

/// A fitted model. Everything in it was paid for, so that it may be shown to anyone.
#[pyclass(frozen, module = "synclave._native")]
pub(crate) struct Model(Arc<synthesis::Model>);

impl Model {
    pub(crate) fn of(model: synthesis::Model) -> Self {
        Self(Arc::new(model))
    }
}

#[pymethods]
impl Model {
    /// Reads a model's file.
    #[staticmethod]
    fn load(py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        carry_out(py, None, move |_| {
            let problem = || BadInput(format!("could not use the model in {}", path.display()));
            let file = BoundedFile::open(&path).with_context(problem)?;
            if !synthesis::Model::is_model(file.start()) {
                let error = anyhow::Error::new(ModelFileError::NotAModel);
                return Err(error.context(problem()).into());
            }
            let most = synthesis::Model::MAX_FILE_BYTES;
            let bytes = file.read(most).with_context(problem)?;
            let model = synthesis::Model::load(&bytes).with_context(problem)?;
            Ok(Self::of(model))
        })
    }

    /// The same from the bytes of such a file.
    #[staticmethod]
    fn from_bytes(py: Python<'_>, bytes: Vec<u8>) -> PyResult<Self> {
        carry_out(py, None, move |_| {
            let problem = || BadInput("could not use the model".to_owned());
            let model = synthesis::Model::load(&bytes).with_context(problem)?;
            Ok(Self::of(model))
        })
    }

    /// The bytes of the model's file.
    fn to_bytes<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let model = Arc::clone(&self.0);
        let bytes = carry_out(py, None, move |_| {
            let mut bytes = Vec::new();
            model.save(&mut bytes).map_err(anyhow::Error::from)?;
            Ok(bytes)
        })?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Draws rows, all of which satisfy the condition. Without a number about as many as the table
    /// has.
    #[pyo3(signature = (rows=None, seed=None, r#where=None, progress=None))]
    fn sample(
        &self,
        py: Python<'_>,
        rows: Option<u64>,
        seed: Option<u64>,
        r#where: Option<String>,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Rows> {
        let model = Arc::clone(&self.0);
        carry_out(py, progress.as_ref(), move |watch| {
            let given = r#where.map(|text| given(&model, &text)).transpose()?;
            if let Some(rows) = rows {
                let checked = model.schema().check_rows(rows);
                let refused = |refused: TooManyRows| BadInput(refused.to_string());
                checked.map_err(refused).map_err(anyhow::Error::from)?;
            }
            let stream = match &given {
                Some(given) => given.sample(rows.unwrap_or(given.default_rows()), seed),
                None => model.sample(rows.unwrap_or(model.default_rows()), seed),
            };
            Rows::draw(stream, watch)
        })
    }

    /// The probability that a row of the model satisfies the condition.
    fn probability(&self, py: Python<'_>, r#where: String) -> PyResult<f64> {
        let model = Arc::clone(&self.0);
        carry_out(
            py,
            None,
            move |_| Ok(given(&model, &r#where)?.probability()),
        )
    }

    /// The answers to a question, as JSON.
    fn answers_json(&self, py: Python<'_>, question: String) -> PyResult<String> {
        let model = Arc::clone(&self.0);
        carry_out(py, None, move |_| {
            Ok(Answers::to(&question, &model)?.document().to_string())
        })
    }

    /// The noisy counts that the model was made from, as JSON.
    fn marginals_json(&self, py: Python<'_>) -> PyResult<String> {
        let model = Arc::clone(&self.0);
        carry_out(py, None, move |_| {
            let marginals = model.noisy_marginals();
            Ok(marginal_documents(&marginals, model.schema()).to_string())
        })
    }

    /// What the model says of itself, as JSON.
    fn report_json(&self, py: Python<'_>) -> PyResult<String> {
        let model = Arc::clone(&self.0);
        carry_out(py, None, move |_| {
            let ledger = model.ledger();
            let document = json!({
                "domain": model.domain().in_words(),
                "guarantees": ledger.guarantees(),
                "own_guarantees": ledger.own_guarantees(),
                "report": model.report(),
                "ledger": ledger,
            });
            Ok(document.to_string())
        })
    }

    /// The same as a page.
    fn report_html(&self, py: Python<'_>) -> PyResult<String> {
        let model = Arc::clone(&self.0);
        carry_out(py, None, move |_| {
            Ok(report::model_page(&model, &model.report()))
        })
    }

    /// For each column its name, its kind, whether values may be missing, and its categories.
    fn columns(&self) -> Vec<(String, &'static str, bool, Vec<String>)> {
        crate::rows::described(self.0.schema())
    }

    /// How it was made.
    #[getter]
    fn method(&self) -> String {
        self.0.method().to_string()
    }

    /// About as many rows as the table has, as far as noise lets it be known.
    #[getter]
    fn noisy_rows(&self) -> u64 {
        self.0.noisy_rows()
    }
}

fn given(model: &synthesis::Model, text: &str) -> Result<Conditional, Failure> {
    let problem = || BadInput(format!("could not use the condition {text:?}"));
    let condition = Condition::parse(text, model.schema()).with_context(problem)?;
    model.given(&condition).map_err(Failure::input)
}
