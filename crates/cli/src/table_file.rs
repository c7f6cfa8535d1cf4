//! Schemas on disk.

use std::path::Path;

use anyhow::Context;
use protocol::read_text_file;
use schema::{Declaration, Schema};

use crate::exit::BadInput;

/// Of a schema or a workload, which may name many categories.
pub(crate) const MAX_YAML_BYTES: u64 = 64 << 20;

/// Reads the declared columns of one table.
pub(crate) fn read_schema(path: &Path) -> anyhow::Result<Schema> {
    let problem = || BadInput(format!("could not use the schema in {}", path.display()));
    let text = read_text_file(path, MAX_YAML_BYTES).with_context(problem)?;
    let declaration = Declaration::from_yaml(&text).with_context(problem)?;
    Schema::new(declaration).with_context(problem)
}

pub(crate) fn has_ending(path: &Path, ending: &str) -> bool {
    path.extension()
        .is_some_and(|found| found.eq_ignore_ascii_case(ending))
}
