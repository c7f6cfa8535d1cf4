//! The page of the command line: the help of every program and of every command it lists.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use super::heading;

/// Columns of the help, so that it is the same in every terminal.
const WIDTH: &str = "100";
const PROGRAMS: [&str; 3] = ["synclave", "synclave-enclave", "synclave-host"];

pub(super) fn page(programs: &Path) -> anyhow::Result<String> {
    let mut page = heading("Command line", "the programs' own `--help`");
    page.push_str(
        "\nWhat each program says when it is called with `--help`. The options of `synclave` \
         itself \
         can stand\nafter any command. Exit codes have [a page of their own](exit-codes.md).\n",
    );
    for program in PROGRAMS {
        let help = help_of(programs, &[program])?;
        section(&mut page, program, &help);
        for command in commands_in(&help) {
            let help = help_of(programs, &[program, command])?;
            section(&mut page, &format!("{program} {command}"), &help);
        }
    }
    Ok(page)
}

fn section(page: &mut String, title: &str, help: &str) {
    let help = help.trim_end().lines().map(str::trim_end);
    let help = help.collect::<Vec<_>>().join("\n");
    write!(page, "\n## `{title}`\n\n```text\n{help}\n```\n").expect("a string takes everything");
}

/// The names below `Commands:`, but for that of the help itself.
fn commands_in(help: &str) -> Vec<&str> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    listed
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect()
}

fn help_of(programs: &Path, command: &[&str]) -> anyhow::Result<String> {
    let program = programs.join(command[0]);
    // Where any of the three streams is a terminal, its width would count.
    let output = Command::new(&program)
        .args(&command[1..])
        .arg("--help")
        .env("COLUMNS", WIDTH)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("could not start {}", program.display()))?;
    ensure!(
        output.status.success(),
        "`{} --help` ended with {}",
        command.join(" "),
        output.status
    );
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::commands_in;

    #[test]
    fn commands_are_those_below_their_heading() {
        let help = "Usage: x\n\nCommands:\n  keygen  Make\n          a pair\n  verify-receipt  \
                    Check\n  help  Print\n\nOptions:\n  --json\n";
        assert_eq!(commands_in(help), ["keygen", "verify-receipt"]);
        assert!(commands_in("Options:\n  --json\n").is_empty());
    }
}
