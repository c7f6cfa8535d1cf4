//! Booting the enclave image on an emulated host, and playing the demo against it.

mod conformance;
mod demo;
mod host;
mod killed;
mod lies;
mod packages;
mod party;
mod testbed;
mod vsock;

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::{Args, ValueEnum};

use crate::run;
use testbed::{Programs, Testbed};

/// What to do.
#[derive(Args)]
pub(crate) struct Options {
    /// Only put the emulator and its packages into the tools folder
    #[arg(long)]
    fetch_only: bool,

    /// A folder with synclave.eif and measurements.json; by default they are built
    #[arg(long, value_name = "DIR")]
    image: Option<PathBuf>,

    /// A folder with the programs; by default they are built
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,

    /// Only these scenes
    #[arg(
        long,
        value_name = "SCENE",
        value_delimiter = ',',
        default_value = "demo,lies,killed",
        conflicts_with = "conformance"
    )]
    scenes: Vec<Scene>,

    /// Only boot the image on QEMU's own Nitro machine, built from source, and compare the
    /// measurements that it computes
    #[arg(long)]
    conformance: bool,
}

/// What is played on the emulated host.
#[derive(Clone, Copy, ValueEnum)]
enum Scene {
    /// The demo, with an honest host
    Demo,
    /// Every lie of a host
    Lies,
    /// Enclaves that are killed in the middle, and replaced by others
    Killed,
}

/// Fetches and builds what is missing, and plays every scene.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let start = Instant::now();
    let tools = tools()?;
    if options.fetch_only {
        eprintln!("the emulator's programs are in {}", tools.display());
        return Ok(());
    }
    let image = match &options.image {
        Some(folder) => std::path::absolute(folder)?,
        None => build_image()?,
    };
    let programs = match &options.programs {
        Some(folder) => std::path::absolute(folder)?,
        None => build_programs()?,
    };
    let testbed = Testbed::set(
        run::root().join("target/vm"),
        Programs::in_folder(&programs),
        tools,
        &image,
    )?;
    if options.conformance {
        return conformance::run_all(&testbed);
    }
    for scene in &options.scenes {
        match scene {
            Scene::Demo => demo::play(&testbed)?,
            Scene::Lies => lies::tell_all(&testbed)?,
            Scene::Killed => killed::all(&testbed)?,
        }
    }
    eprintln!("\nEverything holds ({} s)", start.elapsed().as_secs());
    Ok(())
}

/// The folder of QEMU and the vsock device, which are fetched where they are missing.
pub(crate) fn tools() -> anyhow::Result<PathBuf> {
    packages::fetch()
}

fn build_image() -> anyhow::Result<PathBuf> {
    run::program(&["cargo", "xtask", "image"], &[])?;
    Ok(run::root().join("target/image"))
}

/// Those for people as CI builds them, and apart from them the emulator, which turns on features
/// that are for tests only.
fn build_programs() -> anyhow::Result<PathBuf> {
    let for_people = [
        "--package=synclave-cli",
        "--package=synclave-enclave",
        "--package=synclave-host",
    ];
    for packages in [&for_people[..], &["--package=synclave-emulator"]] {
        let mut command = vec!["cargo", "build", "--release"];
        command.extend(packages);
        run::program(&command, &[])?;
    }
    Ok(run::root().join("target/release"))
}

impl Programs {
    fn in_folder(folder: &Path) -> Self {
        Self {
            synclave: folder.join("synclave"),
            host: folder.join("synclave-host"),
            emulator: folder.join("synclave-emulator"),
        }
    }
}

/// Something that was to be shown, and is so.
fn told(what: impl Display) {
    eprintln!("  ok  {what}");
}
