//! The outer tier of `deploy/`, started for real on loopback before a simulated enclave, and what
//! it lets through.

mod hybrid;
mod probe;
mod programs;
mod room;
mod running;
mod tier;

use std::fs;
use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use crate::run;
use probe::probes;
use programs::Programs;
use tier::Tier;

/// Which programs to start.
#[derive(Args)]
pub(crate) struct Options {
    /// Use the programs in this folder as they are; by default they are built, in release mode
    #[arg(long, value_name = "DIR")]
    programs: Option<PathBuf>,
}

/// Starts enclave, host, nginx with the firewall, and HAProxy; goes through the table; ends them
/// all.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    let programs = match &options.programs {
        Some(folder) => Programs::in_folder(folder)?,
        None => Programs::build()?,
    };
    let folder = run::root().join("target/outer");
    drop(fs::remove_dir_all(&folder));
    fs::create_dir_all(&folder)?;
    let tier = Tier::start(folder, &programs)?;
    let mut failed = 0;
    for probe in probes(&tier) {
        let answers = probe.ask(&tier)?;
        let good = probe.expected.holds(&answers);
        let mark = if good { "ok  " } else { "FAIL" };
        let found = if probe.times > 1 {
            format!(
                "{} of {}",
                answers.iter().filter(|it| *it == "429").count(),
                probe.times
            )
        } else {
            answers.join(" ")
        };
        eprintln!(
            "{mark}  {:<9} {:<62} {found}",
            probe.place.name(),
            probe.what
        );
        failed += usize::from(!good);
    }
    ensure!(failed == 0, "{failed} probes did not go as they must");
    Ok(())
}
