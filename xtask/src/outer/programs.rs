//! The programs that are checked.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run;

/// The folder with `synclave`, `synclave-enclave` and `synclave-host`.
pub(super) struct Programs(PathBuf);

impl Programs {
    pub(super) fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self(std::path::absolute(folder)?))
    }

    /// Builds them in release mode.
    pub(super) fn build() -> anyhow::Result<Self> {
        let packages = ["synclave-cli", "synclave-enclave", "synclave-host"];
        let packages = packages.map(|it| ["--package", it]);
        let build = [&["cargo", "build", "--release"][..], &packages.concat()].concat();
        run::program(&build, &[])?;
        Ok(Self(run::root().join("target/release")))
    }

    pub(super) fn program(&self, name: &str) -> Command {
        Command::new(self.0.join(name))
    }
}
