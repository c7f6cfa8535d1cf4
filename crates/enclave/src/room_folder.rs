//! The folder that an agreement is read from.

use std::path::Path;

use protocol::{Agreement, RoomFolderError};

use crate::Error;

/// Reads `service.yaml` and `runtime.yaml` in `folder`, byte for byte.
///
/// # Errors
/// [`Error::RoomFile`], [`Error::Files`]. What the files say is not checked here.
pub fn read_agreement(folder: &Path) -> Result<Agreement, Error> {
    Agreement::read_from(folder).map_err(|error| match error {
        RoomFolderError::File { path, source } => Error::RoomFile { path, source },
        RoomFolderError::Agreement(error) => Error::Files(error),
    })
}
