//! The kernel and its modules: Debian's, or those that a person gives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};
use image::{Kernel, KernelConfig, Module, lacking, load_order};

use super::{own_module, read};
use crate::debian::Apt;
use crate::run;

/// The release whose compiler builds our module; the kernel comes from its backports.
const RELEASE: &str = "bookworm";
/// Debian's kernel has these as modules; what they need comes with them.
const MODULES: [&str; 3] = ["virtio_mmio", "vmw_vsock_virtio_transport", "nsm"];

/// Kernel and modules that an image boots with.
pub(super) struct Boot {
    pub(super) kernel: Vec<u8>,
    /// As the kernel has it in its boot header.
    pub(super) banner: String,
    pub(super) release: String,
    /// In the order of loading.
    pub(super) modules: Vec<Module>,
    config: KernelConfig,
}

impl Boot {
    fn new(kernel: Vec<u8>, modules: Vec<Module>, config: KernelConfig) -> anyhow::Result<Boot> {
        let header = Kernel::parse(&kernel).context("the kernel cannot be packed")?;
        let (banner, release) = (header.banner().to_owned(), header.release().to_owned());
        Ok(Boot {
            kernel,
            banner,
            release,
            modules: load_order(modules)?,
            config,
        })
    }

    /// That the kernel and its modules have everything that the program needs.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        for module in &self.modules {
            ensure!(
                module.release() == self.release,
                "the module {} is for the kernel {}, not for {}",
                module.name(),
                module.release(),
                self.release
            );
        }
        let names: Vec<&str> = self.modules.iter().map(Module::name).collect();
        let lacking = lacking(&self.config, &names);
        if lacking.is_empty() {
            return Ok(());
        }
        let lines: Vec<String> = lacking.iter().map(ToString::to_string).collect();
        bail!(
            "{} cannot run the enclave:\n  {}",
            self.release,
            lines.join("\n  ")
        )
    }
}

/// Debian's cloud kernel, fetched into the tools folder if it is not there, its modules, and our
/// own, built from the sources in `root`.
pub(super) fn debian(root: &Path) -> anyhow::Result<Boot> {
    let folder = run::tools().join("kernel");
    if !folder.exists() {
        fetch(&folder)?;
    }
    let kernel = read(&only(&folder.join("boot"), "vmlinuz-")?)?;
    let release = Kernel::parse(&kernel)
        .with_context(|| format!("the kernel in {}", folder.display()))?
        .release()
        .to_owned();
    let config = read(&folder.join(format!("boot/config-{release}")))?;
    let mut modules = vec![own_module::build(root, &folder, &release)?];
    modules.extend(with_dependencies(
        &folder.join(format!("lib/modules/{release}/kernel")),
        &MODULES,
    )?);
    Boot::new(kernel, modules, parse_config(&config))
}

/// A person's kernel and modules.
pub(super) fn given(
    kernel: &Path,
    config: Option<&Path>,
    modules: &[PathBuf],
) -> anyhow::Result<Boot> {
    let bytes = read(kernel)?;
    let release = Kernel::parse(&bytes)
        .with_context(|| kernel.display().to_string())?
        .release()
        .to_owned();
    let config = match config {
        Some(config) => read(config)?,
        None => read(&config_beside(kernel, &release)?)?,
    };
    let mut files = Vec::new();
    for path in modules {
        if path.is_dir() {
            let found = module_files(path)?;
            ensure!(
                !found.is_empty(),
                "there are no modules in {}",
                path.display()
            );
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    let modules = files
        .iter()
        .map(|file| read_module(file))
        .collect::<anyhow::Result<_>>()?;
    Boot::new(bytes, modules, parse_config(&config))
}

fn parse_config(bytes: &[u8]) -> KernelConfig {
    KernelConfig::parse(&String::from_utf8_lossy(bytes))
}

/// A kernel does not tell its configuration while it is packed, so it must lie beside it.
fn config_beside(kernel: &Path, release: &str) -> anyhow::Result<PathBuf> {
    let name = kernel.file_name().unwrap_or_default().to_string_lossy();
    let names = [
        format!("{name}.config"),
        format!("config-{release}"),
        ".config".to_owned(),
    ];
    let beside = names.iter().map(|name| kernel.with_file_name(name));
    match beside.into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!(
            "whether {} has what the enclave needs cannot be told without its configuration: there \
             is none beside it ({}); name it with --kernel-config",
            kernel.display(),
            names.join(", ")
        ),
    }
}

/// Debian's packages of the newest kernel, and of what is needed to build a module for it.
fn fetch(folder: &Path) -> anyhow::Result<()> {
    eprintln!("fetching Debian's cloud kernel (50 MB)");
    let partial = folder.with_extension("partial");
    let state = folder.with_extension("apt");
    for left_over in [&partial, &state] {
        if left_over.exists() {
            fs::remove_dir_all(left_over)?;
        }
    }
    let apt = Apt::open(&state, RELEASE)?;
    let (begin, end) = ("linux-image-", "-cloud-amd64-unsigned");
    let image = apt.newest_in_backports(begin, end)?;
    let version = image.trim_start_matches(begin).trim_end_matches(end);
    let headers = format!("linux-headers-{version}-cloud-amd64");
    let common = format!("linux-headers-{version}-common");
    let tools = format!("linux-kbuild-{version}");
    apt.unpack(&[&image, &headers, &common, &tools], &partial)?;
    fs::remove_dir_all(state)?;
    fs::rename(partial, folder)?;
    Ok(())
}

/// The named modules of a folder, and all that they need.
fn with_dependencies(folder: &Path, names: &[&str]) -> anyhow::Result<Vec<Module>> {
    let files = module_files(folder)?;
    let mut wanted: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut modules: Vec<Module> = Vec::new();
    while let Some(name) = wanted.pop() {
        if modules.iter().any(|module| module.name() == name) {
            continue;
        }
        let file = files
            .iter()
            .find(|file| name_of(file) == name)
            .with_context(|| format!("there is no module {name} in {}", folder.display()))?;
        let module = read_module(file)?;
        wanted.extend(module.depends().iter().cloned());
        modules.push(module);
    }
    // The order in which they were found is not one to rely on.
    modules.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(modules)
}

fn read_module(file: &Path) -> anyhow::Result<Module> {
    let packed = file.extension().is_some_and(|extension| extension == "xz");
    let bytes = if packed {
        let output = Command::new("xz")
            .args(["--decompress", "--stdout"])
            .arg(file)
            .output()
            .context("could not start `xz`, which unpacks modules")?;
        ensure!(
            output.status.success(),
            "`xz` could not unpack {}",
            file.display()
        );
        output.stdout
    } else {
        read(file)?
    };
    Module::parse(bytes).with_context(|| file.display().to_string())
}

/// All modules in a folder and below, in the order of their paths.
fn module_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(module_files(&path)?);
        } else if is_module(&path) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn is_module(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".ko") || name.ends_with(".ko.xz")
}

/// A module's name by its file's name.
fn name_of(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().replace('-', "_")
}

/// The one file of a folder that begins so.
fn only(folder: &Path, begin: &str) -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(begin) {
            found.push(entry.path());
        }
    }
    match <[PathBuf; 1]>::try_from(found) {
        Ok([path]) => Ok(path),
        Err(found) => bail!(
            "{} has {} files {begin}..., where one is wanted; remove the folder to have it fetched \
             anew",
            folder.display(),
            found.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The least that passes for a kernel: its boot header, with its version.
    fn kernel() -> Vec<u8> {
        let mut bytes = vec![0; 0x800];
        bytes[0x202..0x206].copy_from_slice(b"HdrS");
        bytes[0x20e..0x210].copy_from_slice(&0x400_u16.to_le_bytes());
        bytes[0x600..0x608].copy_from_slice(b"6.12 (x)");
        bytes
    }

    fn refusal(kernel: &Path, modules: &[PathBuf]) -> String {
        let outcome = given(kernel, None, modules).and_then(|boot| boot.check());
        format!("{:#}", outcome.expect_err("it cannot run the enclave"))
    }

    #[test]
    fn a_kernel_is_refused_without_its_configuration_or_by_the_options_it_lacks() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bzImage");
        fs::write(&path, kernel()).expect("written");
        assert!(refusal(&path, &[]).contains("--kernel-config"));
        fs::write(folder.path().join("bzImage.config"), "CONFIG_64BIT=y\n").expect("written");
        let told = refusal(&path, &[]);
        assert!(
            told.contains("CONFIG_NSM") && told.contains("CONFIG_VSOCKETS"),
            "{told}"
        );
        assert!(!told.contains("CONFIG_64BIT"), "{told}");
        fs::write(&path, b"\x7fELF").expect("written");
        assert!(refusal(&path, &[]).contains("vmlinux"));
    }

    #[test]
    fn modules_of_another_kernel_and_files_that_are_none_are_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("bzImage");
        fs::write(&path, kernel()).expect("written");
        fs::write(folder.path().join("config-6.12"), "").expect("written");
        let module = folder.path().join("nsm.ko");
        let text = b"\x7fELF\0name=nsm\0depends=\0vermagic=6.1 SMP\0";
        fs::write(&module, text).expect("written");
        let told = refusal(&path, std::slice::from_ref(&module));
        assert!(
            told.contains("the module nsm is for the kernel 6.1, not for 6.12"),
            "{told}"
        );
        fs::write(&module, "text").expect("written");
        assert!(refusal(&path, &[module]).contains("nsm.ko"));
        let empty = tempfile::tempdir().expect("a folder");
        assert!(refusal(&path, &[empty.path().to_owned()]).contains("there are no modules"));
    }
}
