//! Fuzzing what strangers send, with cargo-fuzz, which `scripts/install-tools` installs.

use std::fs;

use anyhow::Context;
use clap::Args;

use crate::run;

/// For how long.
#[derive(Args)]
pub(crate) struct Options {
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// Each with a folder of seeds, and the longest input worth trying: somewhat more than what is looked at.
const TARGETS: &[(&str, u32)] = &[("documents", 17_000)];

/// Fuzzes every target. What it finds is left in `fuzz/artifacts`; what it learns in `target/fuzz`, for the next run.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    for (target, longest) in TARGETS {
        let corpus = run::root().join("target/fuzz").join(target);
        fs::create_dir_all(&corpus).with_context(|| corpus.display().to_string())?;
        let seeds = run::root().join("fuzz/seeds").join(target);
        let (corpus, seeds) = (corpus.to_string_lossy(), seeds.to_string_lossy());
        let seconds = format!("-max_total_time={}", options.seconds);
        let longest = format!("-max_len={longest}");
        let command = [
            "cargo-fuzz",
            "run",
            target,
            &corpus,
            &seeds,
            "--",
            &seconds,
            &longest,
            "-print_final_stats=1",
            "-verbosity=0",
        ];
        // The sanitizers are unstable options of the compiler.
        run::program(&command, &[("RUSTC_BOOTSTRAP", "1")])?;
    }
    Ok(())
}
