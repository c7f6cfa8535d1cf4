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
            write_line(std::io::stdout(), &printable(&text.to_string()));
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
            write_line(std::io::stderr(), &printable(&text.to_string()));
        }
    }

    /// What a person must know, however quiet it is to be.
    pub(crate) fn warn(self, text: impl std::fmt::Display) {
        let text = format!("warning: {text}");
        write_line(std::io::stderr(), &printable(&text));
    }

    /// What only a curious person wants to know.
    pub(crate) fn detail(self, text: impl std::fmt::Display) {
        if self.options.verbose {
            write_line(std::io::stderr(), &printable(&text.to_string()));
        }
    }

    /// That the person stopped it.
    pub(crate) fn interrupted(self, text: &str) {
        // A bar may stand on the line.
        let lead = if self.interactive() { "\n" } else { "" };
        write_line(std::io::stderr(), &format_args!("{lead}{text}"));
    }

    /// Why a command failed: each cause on a line of its own.
    pub(crate) fn error(self, error: &anyhow::Error) {
        if self.options.json {
            let causes = causes(error);
            let exit_code = crate::exit::of(error).code();
            let document = serde_json::json!({"error": causes.join(": "), "exit_code": exit_code});
            write_line(std::io::stdout(), &format_args!("{document:#}"));
        }
        let mut lines = causes(error).into_iter().map(|cause| printable(&cause));
        let first = lines.next().unwrap_or_default();
        write_line(std::io::stderr(), &format_args!("error: {first}"));
        for cause in lines {
            write_line(std::io::stderr(), &format_args!("  because: {cause}"));
        }
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

/// The text without characters that could move the cursor, turn the direction of writing, or hide: what others wrote (an
/// agreement, a receipt, the header of a table) must not be able to change what stands around it.
pub(crate) fn printable(text: &str) -> String {
    let harmless = |c: char| {
        let hidden = matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}');
        c == '\n' || !(c.is_control() || hidden)
    };
    text.chars()
        .map(|c| if harmless(c) { c } else { '\u{fffd}' })
        .collect()
}

/// A reader that went away (`| head`) is no error of ours.
fn write_line(mut to: impl Write, text: &dyn std::fmt::Display) {
    let _ = writeln!(to, "{text}");
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn what_others_wrote_cannot_move_the_cursor_or_turn_the_line() {
        let hostile = "epsilon: 30\r\u{1b}[Aepsilon: 3\u{202e}\n";
        assert_eq!(
            printable(hostile),
            "epsilon: 30\u{fffd}\u{fffd}[Aepsilon: 3\u{fffd}\n"
        );
        assert_eq!(printable("Größe, 身長"), "Größe, 身長");
    }
}
