//! Fitted models on disk.

use std::path::Path;

use anyhow::Context;
use privacy::DomainSource;
use protocol::BoundedFile;
use synthesis::{Model, ModelFileError};

use crate::exit::BadInput;
use crate::printer::Printer;

/// Loads the model that a person named, of which they want `gives`, and warns if no guarantee holds
/// for that.
pub(crate) fn open(path: &Path, gives: &str, printer: Printer) -> anyhow::Result<Model> {
    let problem = || unusable(path);
    let model = load(BoundedFile::open(path).with_context(problem)?).with_context(problem)?;
    if model.domain() == DomainSource::FromData {
        printer.warn(format_args!(
            "no guarantee holds for this model and its {gives}: {}",
            DomainSource::WHY_NO_GUARANTEE
        ));
    }
    Ok(model)
}

pub(crate) fn unusable(path: &Path) -> BadInput {
    BadInput(format!("could not use the model in {}", path.display()))
}

/// Loads a model. What does not begin as one is not read further.
pub(crate) fn load(file: BoundedFile) -> anyhow::Result<Model> {
    if !Model::is_model(file.start()) {
        return Err(ModelFileError::NotAModel.into());
    }
    Ok(Model::load(&file.read(Model::MAX_FILE_BYTES)?)?)
}
