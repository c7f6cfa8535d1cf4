//! Kernel modules of the image.

use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::system::finit_module;

use crate::Fault;

const FOLDER: &str = "/modules";
/// Makes virtio devices known that a machine without ACPI has only on its command line. It exists
/// for emulation.
const VIRTIO_DEVICES: &str = "virtio_mmio_cmdline";
/// How the command line names such a device, as kernels with `CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES`
/// know it.
const DEVICE_WORD: &str = "virtio_mmio.device=";

/// Loads every `NN-NAME.ko` of the image, in the order of their names. An image without any needs
/// none.
pub(super) fn load(command_line: &str) -> Result<(), Fault> {
    let files = in_order(Path::new(FOLDER)).map_err(|_| Fault::KernelModule)?;
    files
        .iter()
        .try_for_each(|file| insert(file, &parameters(file, command_line)))
        .map_err(|_| Fault::KernelModule)
}

fn in_order(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut files = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "ko"));
    files.sort();
    Ok(files)
}

fn insert(file: &Path, parameters: &str) -> io::Result<()> {
    let parameters = CString::new(parameters)?;
    match finit_module(File::open(file)?, &parameters, 0) {
        // The kernel has it built in, or something before has loaded it.
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// One module has parameters, and they are the machine's devices.
fn parameters(file: &Path, command_line: &str) -> String {
    if name(file).as_deref() != Some(VIRTIO_DEVICES) {
        return String::new();
    }
    let devices: Vec<&str> = command_line
        .split_ascii_whitespace()
        .filter_map(|word| word.strip_prefix(DEVICE_WORD))
        .collect();
    format!("device={}", devices.join(","))
}

/// The module's name as the kernel has it, of `NN-NAME.ko`.
fn name(file: &Path) -> Option<String> {
    let stem = file.file_stem()?.to_str()?;
    let (_, name) = stem.split_once('-')?;
    Some(name.replace('-', "_"))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::{in_order, parameters};

    const COMMAND_LINE: &str = "console=ttyS0 virtio_mmio.device=512@0xfeb02a00:6 panic=-1 \
                                virtio_mmio.device=512@0xfeb02c00:7\n";

    #[test]
    fn the_devices_of_the_command_line_go_to_the_one_module_that_makes_them_known() {
        let devices = "device=512@0xfeb02a00:6,512@0xfeb02c00:7";
        for name in [
            "/modules/01-virtio_mmio_cmdline.ko",
            "/modules/1-virtio-mmio-cmdline.ko",
        ] {
            assert_eq!(parameters(Path::new(name), COMMAND_LINE), devices, "{name}");
        }
        for name in [
            "/modules/02-virtio_mmio.ko",
            "/modules/05-nsm.ko",
            "/modules/virtio_mmio_cmdline.ko",
        ] {
            assert_eq!(parameters(Path::new(name), COMMAND_LINE), "", "{name}");
        }
    }

    #[test]
    fn modules_are_taken_in_the_order_of_their_names_and_other_files_left() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["10-nsm.ko", "02-vsock.ko", "01-virtio_mmio.ko", "README"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<String> = in_order(folder.path())
            .unwrap()
            .iter()
            .map(|file| file.file_name().unwrap().to_string_lossy().into_owned())
            .collect();
        assert_eq!(names, ["01-virtio_mmio.ko", "02-vsock.ko", "10-nsm.ko"]);
        assert!(in_order(&folder.path().join("none")).unwrap().is_empty());
    }
}
