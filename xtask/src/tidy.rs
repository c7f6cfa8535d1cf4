//! What no compiler checks of this repository: which crate may use which, what the engine must not
//! touch, and how wide lines are.

mod arrows;
mod engine;
mod width;

use std::fs;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::run;

/// Looks at every file that git knows, and fails with all that is wrong.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut findings = arrows::wrong(&metadata()?)?;
    for path in files()? {
        // A file of another encoding is not a text of ours.
        let Ok(text) = fs::read_to_string(run::root().join(&path)) else {
            continue;
        };
        findings.extend(engine::forbidden(&path, &text));
        findings.extend(width::too_wide(&path, &text));
    }
    if !findings.is_empty() {
        bail!("not tidy:\n  {}", findings.join("\n  "));
    }
    Ok(())
}

fn files() -> anyhow::Result<Vec<String>> {
    let listed = output("git", &["ls-files", "-z"])?;
    Ok(listed.split_terminator('\0').map(str::to_owned).collect())
}

fn metadata() -> anyhow::Result<serde_json::Value> {
    let arguments = ["metadata", "--format-version", "1", "--no-deps"];
    Ok(serde_json::from_str(&output("cargo", &arguments)?)?)
}

fn output(program: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(run::root())
        .output()
        .with_context(|| format!("could not start `{program}`"))?;
    ensure!(
        output.status.success(),
        "`{program}` ended with {}",
        output.status
    );
    Ok(String::from_utf8(output.stdout)?)
}
