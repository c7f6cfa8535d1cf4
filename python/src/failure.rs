//! Errors, as Python's exceptions.

use cli::{Causes, Exit};
use printable::escaped;
use privacy::LedgerRecord;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// Why something did not work, without the interpreter.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    causes: Causes,
    /// What a fit that failed has spent all the same.
    spent: Option<String>,
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self {
            exit: cli::exit_of(&error),
            causes: Causes::of(&error),
            spent: None,
        }
    }
}

impl Failure {
    /// What the person gave cannot be used.
    pub(crate) fn input(sentence: impl ToString) -> Self {
        anyhow::Error::from(cli::BadInput(sentence.to_string())).into()
    }

    /// That part of a budget is gone, though there is no model.
    pub(crate) fn having_spent(self, record: &LedgerRecord) -> Self {
        let spent = (!record.entries().is_empty()).then(|| serde_json::json!(record).to_string());
        Self { spent, ..self }
    }

    /// The exception of the package that says this.
    pub(crate) fn into_exception(self, py: Python<'_>) -> PyErr {
        // Foreign text (names of columns and files) must not command the terminal that shows it.
        let shown = |causes: Vec<String>| -> Vec<String> {
            let causes = causes.iter();
            causes.map(|cause| escaped(cause).into_owned()).collect()
        };
        let Causes { told, private } = self.causes;
        let made = py.import("synclave._errors").and_then(|errors| {
            errors.call_method1(
                "exception",
                (self.exit.code(), shown(told), shown(private), self.spent),
            )
        });
        match made {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        }
    }
}

/// A fault of the program's own.
pub(crate) fn unexpected(what: &str) -> PyErr {
    PyRuntimeError::new_err(format!("{what}; please report it, without any rows"))
}
