//! Fitted models on disk.

use protocol::BoundedFile;
use synthesis::{Model, ModelFileError};

/// Loads a model. What does not begin as one is not read further.
pub(crate) fn load(file: BoundedFile) -> anyhow::Result<Model> {
    if !Model::is_model(file.start()) {
        return Err(ModelFileError::NotAModel.into());
    }
    Ok(Model::load(&file.read(Model::MAX_FILE_BYTES)?)?)
}
