//! Running targets beside each other, and telling what came of each.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use anyhow::Context;

use super::Target;
use crate::run;

/// Slower inputs, and larger allocations, are findings: what a stranger sends must cost him more
/// than us.
const MAX_INPUT_SECONDS: &str = "-timeout=10";
const MAX_ALLOCATION: &str = "-malloc_limit_mb=512";
const MAX_MEMORY: &str = "-rss_limit_mb=2048";

/// A run of targets.
pub(super) struct Campaign {
    /// The folder of the targets' programs.
    pub(super) programs: PathBuf,
    /// For each target.
    pub(super) seconds: u64,
}

impl Campaign {
    /// Runs the targets, at most this number at a time, and gives the names of those in which
    /// something was found.
    pub(super) fn run_all(
        &self,
        targets: Vec<&'static Target>,
        jobs: usize,
    ) -> anyhow::Result<Vec<&'static str>> {
        let (waiting, failed) = (Mutex::new(targets), Mutex::new(Vec::new()));
        let next = || waiting.lock().expect("no worker panics").pop();
        let work = || -> anyhow::Result<()> {
            while let Some(target) = next() {
                if !self.run(target)? {
                    failed.lock().expect("no worker panics").push(target.name);
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .try_for_each(|worker| worker.join().expect("no worker panics"))
        })?;
        Ok(failed.into_inner().expect("no worker panics"))
    }

    /// Whether the target takes all its seeds, and nothing bad was found.
    fn run(&self, target: &Target) -> anyhow::Result<bool> {
        let (fuzz, name) = (run::root().join("fuzz"), target.name);
        let (corpus, seeds) = (
            run::root().join("target/fuzz").join(name),
            fuzz.join("seeds").join(name),
        );
        let artifacts = fuzz.join("artifacts").join(name);
        for folder in [&corpus, &artifacts] {
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        }
        let files = files_in(&seeds)?;
        let seeded = self
            .program(target)
            .args(files)
            .env("SEEDS", "1")
            .output()?;
        if !seeded.status.success() {
            eprintln!("{name}: a seed is not accepted\n{}", last_lines(&seeded));
            return Ok(false);
        }
        let output = self
            .program(target)
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(format!("-max_total_time={}", self.seconds))
            .arg(format!("-max_len={}", target.longest))
            .args([MAX_INPUT_SECONDS, MAX_ALLOCATION, MAX_MEMORY])
            .args(["-print_final_stats=1", "-verbosity=0"])
            .args([corpus, seeds])
            .output()?;
        eprintln!("{}", summary(target, &output));
        if !output.status.success() {
            eprintln!("{}", last_lines(&output));
        }
        Ok(output.status.success())
    }

    fn program(&self, target: &Target) -> Command {
        let mut command = Command::new(self.programs.join(target.name));
        // Finding leaks takes ptrace, which many containers forbid.
        command
            .env("ASAN_OPTIONS", "detect_odr_violation=0:detect_leaks=0")
            .current_dir(run::root());
        command
    }
}

fn files_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry?.path());
    }
    files.sort();
    Ok(files)
}

/// What libFuzzer counted.
fn summary(target: &Target, output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let counted = |what: &str| {
        let mut values = text.lines().filter_map(|line| line.strip_prefix(what));
        values.next_back().unwrap_or("?").trim().to_owned()
    };
    let executions = counted("stat::number_of_executed_units:");
    let memory = counted("stat::peak_rss_mb:");
    let slowest = counted("stat::slowest_unit_time_sec:");
    format!(
        "{:<15} {executions:>12} executions, at most {memory} MB and {slowest} s",
        target.name
    )
}

fn last_lines(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}
