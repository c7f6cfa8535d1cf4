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

    /// For steps whose talk nobody needs.
    pub(crate) fn silent() -> Self {
        Self {
            options: OutputOptions {
                json: false,
                quiet: true,
                verbose: false,
            },
        }
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

    /// Why a command failed: each cause on a line of its own.
    pub(crate) fn error(self, error: &anyhow::Error) {
        if self.options.json {
            let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
            let exit_code = crate::exit::of(error).code();
            let document = serde_json::json!({"error": causes.join(": "), "exit_code": exit_code});
            write_line(std::io::stdout(), &format_args!("{document:#}"));
        }
        let mut lines = error.chain().map(ToString::to_string);
        let first = lines.next().unwrap_or_default();
        write_line(std::io::stderr(), &format_args!("error: {first}"));
        for cause in lines {
            write_line(std::io::stderr(), &format_args!("  because: {cause}"));
        }
    }
}

/// A reader that went away (`| head`) is no error of ours.
fn write_line(mut to: impl Write, text: &dyn std::fmt::Display) {
    let _ = writeln!(to, "{text}");
}
