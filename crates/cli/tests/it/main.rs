//! The command line as a person runs it: the real program, its output, its exit codes.
#![expect(
    clippy::unwrap_used,
    reason = "what must not fail in a test fails the test"
)]

mod connecting;
mod demo;
mod discovered_columns;
mod documents;
mod endless_files;
mod hostile_text;
mod ids;
mod images;
#[cfg(unix)]
mod interruption;
mod keys_and_rooms;
mod new_identifiers;
mod outputs;
mod page;
mod private_facts;
mod public_data;
mod questions;
mod reading;
mod receipts;
mod rooms;
mod schemas;
mod spreadsheets;
mod tables;
mod understanding;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Runs `synclave` in a folder, without a terminal.
fn synclave(folder: &Path, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_synclave"))
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    Ran {
        arguments: arguments.join(" "),
        output,
    }
}

struct Ran {
    arguments: String,
    output: Output,
}

impl Ran {
    fn stdout(&self) -> String {
        String::from_utf8(self.output.stdout.clone()).unwrap()
    }

    fn stderr(&self) -> String {
        String::from_utf8(self.output.stderr.clone()).unwrap()
    }

    /// Asserts how it ended.
    #[track_caller]
    fn exits(self, code: i32) -> Self {
        let told = (self.stdout(), self.stderr());
        assert_eq!(
            self.output.status.code(),
            Some(code),
            "{}: {told:#?}",
            self.arguments
        );
        self
    }

    /// Asserts that the error says so.
    #[track_caller]
    fn saying(self, text: &str) -> Self {
        assert!(
            self.stderr().contains(text),
            "{}: {}",
            self.arguments,
            self.stderr()
        );
        self
    }

    fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.output.stdout).unwrap()
    }
}

/// A file of the material that lies beside the repository, where it is there.
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn shared(path: &str) -> Option<PathBuf> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared")
        .join(path);
    if !file.exists() {
        eprintln!("skipped: {path} is not beside the repository");
        return None;
    }
    Some(file)
}
