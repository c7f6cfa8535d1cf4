//! The extension module of the Python package: the engine and the command line, as functions and
//! classes that the package's Python names, documents and types.
//!
//! What takes longer than a moment runs on a thread of its own, without the interpreter's lock
//! ([`work`]); tables come and go as Arrow's C streams ([`frame`], [`rows`]); every error is one of
//! the package's exceptions ([`failure`]).

mod draft;
mod evaluate;
mod failure;
mod fit;
mod frame;
mod model;
mod room;
mod rows;
mod table;
mod work;

use std::ffi::OsString;

use pyo3::prelude::*;

#[pymodule]
mod _native {
    #[pymodule_export]
    use super::{
        draft::{declared_columns, draft_schema},
        evaluate::evaluate,
        fit::{check_synthesizer, fit, methods},
        frame::unsupported_columns,
        model::Model,
        room::{Room, SimulatedRoom},
        rows::Rows,
        run_command_line, version,
    };
}

/// Runs the program `synclave` with these arguments, the first of which is its name, and returns
/// its exit code.
#[pyfunction]
fn run_command_line(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| cli::run(arguments))
}

/// The version of the crates, which is the package's.
#[pyfunction]
fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}
