//! Tables of the person's own, from memory or from a file.

use std::path::{Path, PathBuf};

use anyhow::Context;
use cli::{BadInput, IdReading};
use pyo3::prelude::*;
use schema::{Declaration, Schema};
use tabular::{KeyHasher, ReadLimits, Upload};

use crate::frame::Frame;
use crate::work::Watch;

/// A table that was named or handed over, and is not read yet.
pub(crate) enum Table {
    Frame(Frame),
    File(PathBuf),
}

impl FromPyObject<'_, '_> for Table {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, '_, PyAny>) -> PyResult<Self> {
        match object.extract::<PathBuf>() {
            Ok(path) => Ok(Self::File(path)),
            Err(_) => Ok(Self::Frame(Frame::of(&object.to_owned())?)),
        }
    }
}

/// A table as codes, and what its owner alone should know of it.
pub(crate) struct Read {
    pub(crate) upload: Upload,
    pub(crate) notes: Vec<String>,
}

impl Table {
    /// Reads it, for as long as somebody waits.
    pub(crate) fn read(
        &self,
        ids: &IdReading<'_>,
        schema: Option<&Schema>,
        watch: &Watch,
    ) -> anyhow::Result<Read> {
        let frame = match self {
            Self::File(path) => {
                let table = cli::read_table(path, ids, schema)?;
                let notes = table.notes().map(str::to_owned).collect();
                let upload = table.upload;
                return Ok(Read { upload, notes });
            }
            Self::Frame(frame) => frame,
        };
        // A new key for each table: nothing outside this process can test guesses of ids.
        let mut hash_key = [0; 16];
        getrandom::fill(&mut hash_key).context("the operating system gives no randomness")?;
        let limits = ReadLimits {
            max_rows_per_id: ids.max_rows_per_id,
            ..ReadLimits::default()
        };
        let upload = tabular::read_columns(
            frame.columns(),
            frame.rows(),
            ids.key,
            schema,
            &KeyHasher::new(hash_key).normalising(ids.normalisation),
            &limits,
            &|| watch.is_wanted(),
        );
        let upload = upload.context(BadInput("could not read the table".to_owned()))?;
        let notes = upload.warnings().to_vec();
        Ok(Read { upload, notes })
    }

    /// Where it lies, if it is a file.
    pub(crate) fn path(&self) -> Option<&Path> {
        match self {
            Self::File(path) => Some(path),
            Self::Frame(_) => None,
        }
    }
}

/// The columns that a YAML text declares.
pub(crate) fn declared(yaml: &str) -> anyhow::Result<Schema> {
    let problem = || BadInput("could not use the schema".to_owned());
    let declaration = Declaration::from_yaml(yaml).with_context(problem)?;
    Schema::new(declaration).with_context(problem)
}
