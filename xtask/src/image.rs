//! The enclave image: built from the program, a kernel and its modules, the same bytes wherever it
//! is built.

mod check;
mod kernel;
mod own_module;
mod pack;
mod program;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use image::Signer;

use crate::run;
use kernel::Boot;
use pack::Packed;

/// As `nitro-cli` has it. Hosts add words that say where the devices are.
const COMMAND_LINE: &str = "reboot=k panic=30 pci=off console=ttyS0 i8042.noaux i8042.nomux \
                            i8042.nopnp i8042.dumbkbd random.trust_cpu=on";

/// What to build the image from, and where to put it.
#[derive(Args)]
pub(crate) struct Options {
    /// The folder for synclave.eif and measurements.json; by default target/image
    #[arg(long, value_name = "DIR")]
    output: Option<PathBuf>,

    /// A kernel of your own; by default Debian's cloud kernel, fetched once
    #[arg(long, value_name = "BZIMAGE")]
    kernel: Option<PathBuf>,

    /// Its configuration, which tells whether it has what is needed; by default a file beside it
    /// (BZIMAGE.config, config-RELEASE, .config)
    #[arg(long, value_name = "FILE", requires = "kernel")]
    kernel_config: Option<PathBuf>,

    /// The kernel's modules to load, as files or folders of such (.ko, .ko.xz); by default those
    /// that Debian's kernel needs
    #[arg(long, value_name = "PATH", num_args = 1.., requires = "kernel")]
    modules: Vec<PathBuf>,

    /// The kernel's command line
    #[arg(long, value_name = "TEXT", default_value = COMMAND_LINE, hide_default_value = true)]
    cmdline: String,

    /// The program to pack as init; by default synclave-enclave, built here
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,

    /// Sign the image: an X.509 certificate. Hosts then report its hash as PCR8
    #[arg(long, value_name = "PEM", requires = "private_key")]
    signing_certificate: Option<PathBuf>,

    /// The certificate's private key (P-384)
    #[arg(long, value_name = "PEM", requires = "signing_certificate")]
    private_key: Option<PathBuf>,

    /// Build everything a second time, from a copy of the tree in another folder, and compare
    #[arg(long, conflicts_with = "signing_certificate")]
    check: bool,
}

/// Builds, writes, and compares if asked to.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let root = run::root();
    let packed = build(options, &root)?;
    let usual = || root.join("target/image");
    let output = options.output.clone().unwrap_or_else(usual);
    write(&packed, &output)?;
    packed.describe();
    eprintln!(
        "synclave.eif and measurements.json are in {}",
        output.display()
    );
    if options.check {
        check::same_elsewhere(&packed, &root, |elsewhere| build(options, elsewhere))?;
    }
    Ok(())
}

/// Builds from the sources in `root`.
fn build(options: &Options, root: &Path) -> anyhow::Result<Packed> {
    let boot = match &options.kernel {
        None => kernel::debian(root)?,
        Some(kernel) => kernel::given(kernel, options.kernel_config.as_deref(), &options.modules)?,
    };
    boot.check()?;
    let program = match &options.binary {
        None => program::build(root)?,
        Some(binary) => read(binary)?,
    };
    program::check_static(&program)?;
    pack(options, boot, program)
}

fn pack(options: &Options, boot: Boot, program: Vec<u8>) -> anyhow::Result<Packed> {
    let signer = match (&options.signing_certificate, &options.private_key) {
        (Some(certificate), Some(key)) => Some(
            Signer::from_pem(&read(certificate)?, &read(key)?)
                .with_context(|| format!("cannot sign as {}", certificate.display()))?,
        ),
        _ => None,
    };
    Packed::new(boot, &options.cmdline, program, signer.as_ref())
}

/// Both files, each whole or not at all.
fn write(packed: &Packed, output: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(output).with_context(|| format!("{} cannot be made", output.display()))?;
    for (name, bytes) in [
        ("synclave.eif", packed.eif()),
        ("measurements.json", packed.measurements().as_bytes()),
    ] {
        let partial = output.join(format!("{name}.partial"));
        fs::write(&partial, bytes)
            .and_then(|()| fs::rename(&partial, output.join(name)))
            .with_context(|| format!("could not write {name} to {}", output.display()))?;
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("could not read {}", path.display()))
}
