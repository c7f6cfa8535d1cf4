//! Where the emulator's programs are.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A folder with QEMU as Debian packs it, and with the vsock device.
///
/// `cargo xtask vm` fills it. In it are `qemu`, the unpacked packages, and
/// `bin/vhost-device-vsock`.
#[derive(Debug, Clone)]
pub struct Tools {
    folder: PathBuf,
}

/// A program is not where it should be.
#[derive(Debug, thiserror::Error)]
#[error("{} is not there: `cargo xtask vm --fetch-only` puts it there", .0.display())]
pub struct MissingTool(PathBuf);

const QEMU: &str = "qemu/usr/bin/qemu-system-x86_64";
const LOADER: &str = "qemu/usr/lib64/ld-linux-x86-64.so.2";
const LIBRARIES: &str = "qemu/usr/lib/x86_64-linux-gnu";
const FIRMWARE: [&str; 2] = ["qemu/usr/share/qemu", "qemu/usr/share/seabios"];
const VSOCK: &str = "bin/vhost-device-vsock";

impl Tools {
    /// The folder, once everything is found in it.
    ///
    /// # Errors
    /// [`MissingTool`]
    pub fn in_folder(folder: &Path) -> Result<Self, MissingTool> {
        let expected = [QEMU, LOADER, LIBRARIES, FIRMWARE[0], FIRMWARE[1], VSOCK];
        for path in expected.map(|path| folder.join(path)) {
            if !path.exists() {
                return Err(MissingTool(path));
            }
        }
        Ok(Self {
            folder: folder.to_path_buf(),
        })
    }

    /// Runs QEMU with the libraries of its own packages, whatever the machine has.
    pub(crate) fn qemu(&self) -> Vec<OsString> {
        let path = |within: &str| self.folder.join(within).into_os_string();
        let mut command = vec![
            path(LOADER),
            "--library-path".into(),
            path(LIBRARIES),
            path(QEMU),
        ];
        for folder in FIRMWARE {
            command.extend(["-L".into(), path(folder)]);
        }
        command
    }

    pub(crate) fn vsock(&self) -> PathBuf {
        self.folder.join(VSOCK)
    }
}
