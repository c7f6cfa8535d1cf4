//! Fitted models on disk.

use protocol::BoundedFile;
use synthesis::{Model, ModelFileError};

/// The longest that is read of a model or of an enclave image, of which none comes near it.
pub(crate) const MAX_BYTES: u64 = 1 << 30;

/// Loads a model. What does not begin as one is not read further.
pub(crate) fn load(file: BoundedFile) -> anyhow::Result<Model> {
    if !Model::is_model(file.start()) {
        return Err(ModelFileError::NotAModel.into());
    }
    Ok(Model::load(&file.read(MAX_BYTES)?)?)
}
