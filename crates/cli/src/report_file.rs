//! Reports on their way to a file: their endings say what is written.

use std::path::Path;

use serde_json::{Value, json};
use synthesis::{Model, Report};

use crate::exit::BadInput;
use crate::whole_file::{self, Prepared};

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A page for a person.
    Page,
    /// One document for programs.
    Json,
}

impl Form {
    /// Of a file of this name.
    fn of(path: &Path) -> Result<Self, BadInput> {
        match path.extension().and_then(|ending| ending.to_str()) {
            Some(ending) if ending.eq_ignore_ascii_case("html") => Ok(Self::Page),
            Some(ending) if ending.eq_ignore_ascii_case("json") => Ok(Self::Json),
            _ => Err(BadInput(format!(
                "the ending of {} does not say how to write the report; use .html for a page or \
                 .json for programs",
                path.display()
            ))),
        }
    }
}

/// Refuses a report whose ending says nothing, before anything is spent on it.
pub(crate) fn check(path: Option<&Path>) -> Result<(), BadInput> {
    path.map_or(Ok(()), |path| Form::of(path).map(|_| ()))
}

/// Writes the report of a model, to be kept later.
pub(crate) fn prepare_model(
    path: &Path,
    model: &Model,
    report: &Report,
) -> anyhow::Result<Prepared> {
    let ledger = model.ledger();
    let document = || {
        json!({
            "domain": model.domain().in_words(),
            "guarantees": ledger.guarantees(),
            "own_guarantees": ledger.own_guarantees(),
            "report": report,
            "ledger": ledger,
        })
    };
    prepare(path, document, || report::model_page(model, report))
}

/// Writes a report in the form of its file's ending, to be kept later.
pub(crate) fn prepare(
    path: &Path,
    document: impl FnOnce() -> Value,
    page: impl FnOnce() -> String,
) -> anyhow::Result<Prepared> {
    let text = match Form::of(path)? {
        Form::Page => page(),
        Form::Json => format!("{:#}\n", document()),
    };
    whole_file::prepare(path, |out| Ok(out.write_all(text.as_bytes())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ending_says_how_it_is_written() {
        let form = |name: &str| Form::of(Path::new(name)).map_err(|error| error.0);
        assert_eq!(form("a/r.html"), Ok(Form::Page));
        assert_eq!(form("R.JSON"), Ok(Form::Json));
        for other in ["r.htm", "r", "r.csv", "html"] {
            let refused = form(other).unwrap_err();
            assert!(
                refused.contains(other) && refused.contains(".html"),
                "{refused}"
            );
        }
    }
}
