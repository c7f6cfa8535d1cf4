//! Standard output is data, standard error is talk.
//!
//! Everything that a person is shown goes through here, the only place in this program that writes
//! to the terminal (`clippy.toml` refuses others). What others wrote (an agreement, a receipt, the
//! header of a table, an error's detail) is escaped on the way, so that it cannot change what
//! stands around it.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Write};

use printable::{escaped, escaped_json, escaped_lines};

use crate::arguments::OutputOptions;

/// Where a command says things, as the person asked for it.
///
/// A text is one line: a line feed in it came from outside and is shown as `\n`, so that no name can
/// add a line of its own. The methods ending in `_lines` are for texts that are meant to have several.
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
        !self.options.quiet && !self.options.json && talk().is_terminal()
    }

    /// The command's result, as a line of text; not printed under `--json`.
    pub(crate) fn result(self, text: impl Display) {
        if !self.options.json {
            write_line(data(), &escaped(&text.to_string()));
        }
    }

    /// The command's result, where it is a text of several lines.
    pub(crate) fn result_lines(self, text: impl Display) {
        if !self.options.json {
            write_line(data(), &escaped_lines(&text.to_string()));
        }
    }

    /// The command's result, for programs; printed under `--json` only.
    pub(crate) fn document(self, document: &serde_json::Value) {
        if self.options.json {
            write_json(document);
        }
    }

    /// What a person may want to know while it runs.
    pub(crate) fn say(self, text: impl Display) {
        if !self.options.quiet {
            write_line(talk(), &escaped(&text.to_string()));
        }
    }

    /// What a person must know, however quiet it is to be.
    pub(crate) fn warn(self, text: impl Display) {
        write_line(talk(), &escaped(&format!("warning: {text}")));
    }

    /// What only a curious person wants to know.
    pub(crate) fn detail(self, text: impl Display) {
        if self.options.verbose {
            write_line(talk(), &escaped(&text.to_string()));
        }
    }

    /// Shows a text of several lines and asks a question below it; the answer is the next line typed.
    pub(crate) fn ask(self, text: &str, question: &str) -> io::Result<String> {
        write_line(talk(), &escaped_lines(text));
        write!(talk(), "{} ", escaped(question))?;
        let mut answer = String::new();
        let mut input = io::stdin().lock().take(MAX_ANSWER_BYTES);
        input.read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }

    /// That the person stopped it.
    pub(crate) fn interrupted(self, text: &str) {
        // A bar may stand on the line.
        let lead = if self.interactive() { "\n" } else { "" };
        write_line(talk(), &format_args!("{lead}{}", escaped(text)));
    }

    /// Why a command failed: each cause on a line of its own.
    pub(crate) fn error(self, error: &anyhow::Error) {
        let causes = causes(error);
        if self.options.json {
            let exit_code = crate::exit::of(error).code();
            write_json(&serde_json::json!({"error": causes.join(": "), "exit_code": exit_code}));
        }
        let mut lines = causes.iter().map(|cause| escaped(cause));
        let first = lines.next().unwrap_or_default();
        write_line(talk(), &format_args!("error: {first}"));
        for cause in lines {
            write_line(talk(), &format_args!("  because: {cause}"));
        }
    }

    /// Whether somebody can read a question and answer it.
    pub(crate) fn can_ask(self) -> bool {
        io::stdin().is_terminal() && talk().is_terminal()
    }

    /// Standard output for what is neither text nor JSON of ours, such as completions for a shell.
    pub(crate) fn raw_result(self) -> io::Stdout {
        data()
    }
}

/// What went wrong and why, without a cause that the sentence before it ends with.
fn causes(error: &anyhow::Error) -> Vec<String> {
    let mut causes: Vec<String> = Vec::new();
    for cause in error.chain().map(ToString::to_string) {
        if !causes.last().is_some_and(|before| before.ends_with(&cause)) {
            causes.push(cause);
        }
    }
    causes
}

#[expect(clippy::disallowed_methods, reason = "this is the one door")]
fn data() -> io::Stdout {
    io::stdout()
}

#[expect(clippy::disallowed_methods, reason = "this is the one door")]
fn talk() -> io::Stderr {
    io::stderr()
}

fn write_json(document: &serde_json::Value) {
    write_line(data(), &escaped_json(&format!("{document:#}")));
}

/// A reader that went away (`| head`) is no error of ours.
fn write_line(mut to: impl Write, text: &dyn Display) {
    let _ = writeln!(to, "{text}");
}
