//! Standard output is data, standard error is talk.
//!
//! Everything that a person is shown goes through here, the only place in this program that writes
//! to the terminal (`clippy.toml` refuses others). What others wrote (an agreement, a receipt, the
//! header of a table, an error's detail) is escaped on the way, so that it cannot change what
//! is printed around it.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Read, Write};

use printable::{escaped, escaped_json, escaped_lines};
use synthesis::EvaluationError;
use tabular::TableError;

use crate::arguments::OutputOptions;
use crate::public_data::IsTheTable;
use crate::schema_draft::{NothingFound, NothingShared};
use crate::workbook::WorkbookError;

/// Of a person's answer to a question.
const MAX_ANSWER_BYTES: u64 = 1 << 10;

/// How everything begins that is said of the person's own file and is not private.
pub(crate) const PRIVATE: &str = "about your own file, not private";
/// Its name in documents of `--json`.
pub(crate) const PRIVATE_FIELD: &str = "private_to_you";

/// Where a command says things, as the person asked for it.
///
/// A text is one line: a line feed in it came from outside and is shown as `\n`, so that no name
/// can add a line of its own. The methods ending in `_lines` are for texts that are meant to have
/// several.
#[derive(Clone, Copy)]
pub(crate) struct Printer {
    options: OutputOptions,
}

impl Printer {
    pub(crate) fn new(options: OutputOptions) -> Self {
        Self { options }
    }

    /// Whether a person watches: progress may be drawn and questions asked.
    pub(crate) fn interactive(self) -> bool {
        // A bar in a file or a pipe would be noise.
        !self.options.quiet && !self.options.json && talk().is_terminal()
    }

    /// The command's result, as a line of text; not printed under `--json`.
    pub(crate) fn result(self, text: impl Display) {
        // Escaped here and not by callers: one that forgot would let a stranger's text command the
        // terminal.
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

    /// The same for a text of several lines.
    pub(crate) fn say_lines(self, text: impl Display) {
        if !self.options.quiet {
            self.must_say_lines(text);
        }
    }

    /// A text of several lines without which a question cannot be answered, however quiet it is to
    /// be.
    pub(crate) fn must_say_lines(self, text: impl Display) {
        write_line(talk(), &escaped_lines(&text.to_string()));
    }

    /// What is about the person's own file and is protected by no budget: it must not go where the
    /// output goes, and has the same mark everywhere so that nobody overlooks that.
    pub(crate) fn private(self, text: impl Display) {
        self.say(format_args!("{PRIVATE}: {text}"));
    }

    /// The same in the document of `--json`, where it is under this one name.
    pub(crate) fn private_field(self, document: &mut serde_json::Value, value: serde_json::Value) {
        if !self.is_quiet() {
            document[PRIVATE_FIELD] = value;
        }
    }

    /// Whether one document for programs is asked for.
    pub(crate) fn is_json(self) -> bool {
        self.options.json
    }

    /// Whether only errors and results are to be told.
    pub(crate) fn is_quiet(self) -> bool {
        self.options.quiet
    }

    /// Whether a curious person watches.
    pub(crate) fn is_verbose(self) -> bool {
        self.options.verbose
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

    /// Asks a question; the answer is the next line typed.
    pub(crate) fn ask(self, question: &str) -> io::Result<String> {
        write!(talk(), "{} ", escaped(question))?;
        let mut answer = String::new();
        // Bounded: what is piped in may have no line end.
        let mut input = io::stdin().lock().take(MAX_ANSWER_BYTES);
        input.read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }

    /// That the person stopped it.
    pub(crate) fn interrupted(self, text: &str) {
        // A progress bar may be on the line.
        let lead = if self.interactive() { "\n" } else { "" };
        write_line(talk(), &format_args!("{lead}{}", escaped(text)));
    }

    /// Why a command failed: each cause on a line of its own. What is wrong with a table of the
    /// person's own is marked as [private](Self::private).
    pub(crate) fn error(self, error: &anyhow::Error) {
        let Causes { told, private } = Causes::of(error);
        // On standard output even where it failed: a program reads one document either way.
        if self.options.json {
            let exit_code = crate::exit::of(error).code();
            let mut document =
                serde_json::json!({"error": told.join(": "), "exit_code": exit_code});
            if let Some(ledger) = NothingFound::ledger_of(error) {
                document["ledger"] = serde_json::json!(ledger);
            }
            if !private.is_empty() {
                document[PRIVATE_FIELD] = private.join(": ").into();
            }
            write_json(&document);
        }
        let mut lead = "error:".to_owned();
        // Each private cause by itself, so that none of them is copied without its mark.
        let marked = private.iter().map(|cause| format!("{PRIVATE}: {cause}"));
        for cause in told.into_iter().chain(marked) {
            write_line(talk(), &format_args!("{lead} {}", escaped(&cause)));
            "  because:".clone_into(&mut lead);
        }
    }

    /// Whether somebody can read a question and answer it.
    pub(crate) fn can_ask(self) -> bool {
        io::stdin().is_terminal() && talk().is_terminal()
    }

    /// Standard output for what is neither text nor JSON of ours: completions for a shell, rows.
    pub(crate) fn raw_result(self) -> io::Stdout {
        // Not escaped: programs read it. A terminal gets rows only where a person asks for that.
        data()
    }
}

/// What went wrong and why, a sentence each.
#[derive(Debug)]
pub struct Causes {
    /// What anybody may know.
    pub told: Vec<String>,
    /// From the first on that depends on what is in a table: for its owner alone.
    pub private: Vec<String>,
}

impl Causes {
    /// Without a cause that the sentence before it ends with.
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        let (mut told, mut private) = (Vec::new(), Vec::new());
        let mut before = String::new();
        for cause in error.chain() {
            let sentence = cause.to_string();
            // A cause below a private one is private as well, as it says more of the same.
            let to = if depends_on_rows(cause) || !private.is_empty() {
                &mut private
            } else {
                &mut told
            };
            // `anyhow` contexts often end with their cause; a person should read it once.
            if before.is_empty() || !before.ends_with(&sentence) {
                to.push(sentence.clone());
                before = sentence;
            }
        }
        Self { told, private }
    }
}

/// Whether the cause tells something of the rows of a table. All others follow from options, files
/// that are not tables, column names, and what was released under a budget.
fn depends_on_rows(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.is::<TableError>()
        || cause.is::<WorkbookError>()
        || cause.is::<IsTheTable>()
        || cause.is::<EvaluationError>()
        || cause.is::<NothingShared>()
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

/// A reader that went away (`| head`) is not an error of ours.
fn write_line(mut to: impl Write, text: &dyn Display) {
    let _ = writeln!(to, "{text}");
}
