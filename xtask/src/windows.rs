//! The program for Windows: built here, and started under Wine.

mod commands;
mod laptop;
mod room;
mod wine;

use std::fs;
use std::path::PathBuf;

use clap::Args;

use crate::run;
use laptop::Laptop;
use wine::Wine;

/// How the program is built, and what is done with it.
#[derive(Args)]
pub(crate) struct Options {
    /// Build with this profile of Cargo's; `dev` is quick to build, and its engine is optimised
    #[arg(long, default_value = "release")]
    profile: String,

    /// Only check that it compiles
    #[arg(long, conflicts_with = "build_only")]
    check_only: bool,

    /// Build it, and start nothing
    #[arg(long)]
    build_only: bool,

    /// Folder of this machine's programs, for the room and the other party
    #[arg(long, value_name = "DIR", default_value = "target/debug")]
    programs: PathBuf,
}

/// Windows as rustc names it, with the tools of mingw-w64.
pub(crate) const TARGET: &str = "x86_64-pc-windows-gnu";

/// For Cargo: by environment, so that no configuration is needed for what few people build.
const TOOLCHAIN: [(&str, &str); 2] = [
    (
        "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER",
        "x86_64-w64-mingw32-gcc",
    ),
    // Warnings count, as no other check compiles these parts. No time is written into the program:
    // the same sources are to make the same bytes.
    (
        "CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUSTFLAGS",
        "-Dwarnings -Clink-arg=-Wl,--no-insert-timestamp",
    ),
];

/// Builds `synclave.exe`. Under Wine it then makes keys, checks an agreement, makes rows of a
/// table, refuses what it must, and takes part in a simulated room of this machine.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    if options.check_only {
        return cargo("check", &options.profile);
    }
    let program = build(&options.profile)?;
    eprintln!("built {}", program.display());
    if options.build_only {
        return Ok(());
    }
    let folder = run::root().join("target/windows");
    let wine = Wine::prepare(&folder)?;
    test_private_files(&wine)?;
    let work = folder.join("run");
    drop(fs::remove_dir_all(&work));
    fs::create_dir_all(&work)?;
    let laptop = Laptop::new(&wine, program, work);
    let programs = run::root().join(&options.programs);
    commands::check(&laptop, &programs)?;
    room::check(&laptop, &programs)?;
    eprintln!(
        "the program for Windows does what it must, under {}",
        wine.version()?
    );
    Ok(())
}

/// Builds the program for Windows, and gives its path.
pub(crate) fn build(profile: &str) -> anyhow::Result<PathBuf> {
    cargo("build", profile)?;
    let folder = if profile == "dev" { "debug" } else { profile };
    let programs = run::root().join("target").join(TARGET).join(folder);
    Ok(programs.join("synclave.exe"))
}

fn cargo(what: &str, profile: &str) -> anyhow::Result<()> {
    let package = ["--package", "synclave-cli", "--bin", "synclave"];
    let target = ["--locked", "--target", TARGET, "--profile", profile];
    run::program(
        &[&["cargo", what], &package[..], &target].concat(),
        &TOOLCHAIN,
    )
}

/// Runs the tests of the crate that differs most on Windows.
fn test_private_files(wine: &Wine) -> anyhow::Result<()> {
    let package = ["--package", "synclave-private-file", "--lib"];
    let test = ["cargo", "test", "--quiet", "--locked", "--target", TARGET];
    let runner = [("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", wine.loader())];
    let environment = [&TOOLCHAIN[..], &runner, &wine.environment()].concat();
    run::program(&[&test[..], &package].concat(), &environment)
}

/// Tells what was found to be so.
fn told(what: impl std::fmt::Display) {
    eprintln!("  ok  {what}");
}
