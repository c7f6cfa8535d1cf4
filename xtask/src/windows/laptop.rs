//! The program as a person on Windows starts it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::wine::Wine;
use crate::process::Process;

/// A folder of a person's on Windows, and the program.
pub(super) struct Laptop<'a> {
    wine: &'a Wine,
    program: PathBuf,
    folder: PathBuf,
}

impl<'a> Laptop<'a> {
    pub(super) fn new(wine: &'a Wine, program: PathBuf, folder: PathBuf) -> Self {
        Self {
            wine,
            program,
            folder,
        }
    }

    /// A path in the folder, as this machine has it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What starts the program in the folder.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.wine.command(&self.program);
        command.args(arguments).current_dir(&self.folder);
        command
    }

    /// Starts the program, to go on beside this one.
    pub(super) fn start(&self, arguments: &[&str]) -> anyhow::Result<Process> {
        Process::start_command("synclave.exe", &mut self.command(arguments))
    }

    /// Starts one of Windows' own programs, to go on beside this one.
    pub(super) fn start_other(&self, name: &'static str, line: &str) -> anyhow::Result<Process> {
        let mut command = self.wine.command(name);
        Process::start_command(
            name,
            command.args(line.split(' ')).current_dir(&self.folder),
        )
    }

    /// Runs the program, which must end with this exit code.
    pub(super) fn run(&self, arguments: &[&str], code: i32) -> anyhow::Result<Ran> {
        let output = self.command(arguments).output();
        Ran::of(output.context("could not start Wine")?, arguments, code)
    }

    /// Runs the program; it must end well.
    pub(super) fn succeed(&self, arguments: &[&str]) -> anyhow::Result<Ran> {
        self.run(arguments, 0)
    }
}

/// What a program has printed.
pub(super) struct Ran {
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Ran {
    pub(super) fn of(output: Output, arguments: &[&str], code: i32) -> anyhow::Result<Self> {
        let ran = Self {
            stdout: String::from_utf8(output.stdout)?,
            stderr: String::from_utf8(output.stderr)?,
        };
        ensure!(
            output.status.code() == Some(code),
            "`{}` ended with {}, and not with {code}:\n{}{}",
            arguments.join(" "),
            output.status,
            ran.stdout,
            ran.stderr
        );
        Ok(ran)
    }

    /// Insists that it has said so.
    pub(super) fn saying(self, text: &str) -> anyhow::Result<Self> {
        ensure!(
            self.stderr.contains(text),
            "it does not say \"{text}\": {}",
            self.stderr
        );
        Ok(self)
    }

    pub(super) fn json(&self) -> anyhow::Result<Value> {
        Ok(serde_json::from_str(&self.stdout)?)
    }
}
