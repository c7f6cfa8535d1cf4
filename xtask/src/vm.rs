//! Booting the enclave image on an emulated host, and playing the demo against it.

mod packages;

use clap::Args;

/// What to do.
#[derive(Args)]
pub(crate) struct Options {
    /// Only put the emulator and its packages into the tools folder
    #[arg(long)]
    fetch_only: bool,
}

/// Fetches what is missing, and runs everything.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let tools = packages::fetch()?;
    packages::fetch_kernel()?;
    if options.fetch_only {
        eprintln!("The emulator's programs are in {}", tools.display());
        return Ok(());
    }
    Ok(())
}
