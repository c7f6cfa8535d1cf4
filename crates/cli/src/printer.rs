//! Standard output is data, standard error is talk.

use std::io::{IsTerminal, Write};

use crate::arguments::OutputOptions;

/// Where a command says things, as the person asked for it.
#[derive(Clone, Copy)]
pub(crate) struct Printer {
    options: OutputOptions,
}

impl Printer {
    pub(crate) fn new(options: OutputOptions) -> Self {
        Self { options }
    }

    /// Whether a program reads along.
    pub(crate) fn json(self) -> bool {
        self.options.json
    }

    /// Whether a person watches: progress may be drawn and questions asked.
    pub(crate) fn interactive(self) -> bool {
        !self.options.quiet && !self.options.json && std::io::stderr().is_terminal()
    }

    /// The command's result, as text; not printed under `--json`.
    pub(crate) fn result(self, text: impl std::fmt::Display) {
        if !self.options.json {
            write_line(std::io::stdout(), &text);
        }
    }

    /// The command's result, for programs; printed under `--json` only.
    pub(crate) fn document(self, document: &serde_json::Value) {
        if self.options.json {
            write_line(std::io::stdout(), &format_args!("{document:#}"));
        }
    }

    /// What a person may want to know while it runs.
    pub(crate) fn say(self, text: impl std::fmt::Display) {
        if !self.options.quiet {
            write_line(std::io::stderr(), &text);
        }
    }

    /// What only a curious person wants to know.
    pub(crate) fn detail(self, text: impl std::fmt::Display) {
        if self.options.verbose {
            write_line(std::io::stderr(), &text);
        }
    }
}

/// A reader that went away (`| head`) is no error of ours.
fn write_line(mut to: impl Write, text: &dyn std::fmt::Display) {
    let _ = writeln!(to, "{text}");
}
