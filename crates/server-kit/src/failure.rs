//! How a program ends when it fails.

use std::fmt::Display;
use std::process::ExitCode;

use printable::escaped;

/// Why a program ends early, for its `main` to [`report`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    exit_code: u8,
    sentence: String,
}

impl Failure {
    /// A failure with the exit code of the program's own list. `sentence` begins in lower case and
    /// has no full stop; it may quote what others wrote, as it is escaped when it is printed.
    pub fn new(exit_code: impl Into<u8>, sentence: impl Display) -> Self {
        Self {
            exit_code: exit_code.into(),
            sentence: sentence.to_string(),
        }
    }

    /// What went wrong.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }
}

/// Turns the outcome of a program into its exit code. A failure is printed as one line on the
/// standard error stream: the name of the program, a colon, the sentence and a full stop.
pub fn report(program: &str, outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(program, format_args!("{}.", failure.sentence));
            ExitCode::from(failure.exit_code)
        }
    }
}

/// Prints one line for a person on the standard error stream: the name of the program, a colon and
/// the text, escaped.
#[expect(
    clippy::print_stderr,
    reason = "the one place where a server's program talks to a person, escaped"
)]
pub fn complain(program: &str, text: impl Display) {
    eprintln!("{program}: {}", escaped(&text.to_string()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_has_the_exit_code_of_the_programs_list() {
        // `ExitCode` has no equality; its debug form shows the number.
        let shown = |outcome| format!("{:?}", report("test", outcome));
        assert_eq!(shown(Ok(())), format!("{:?}", ExitCode::SUCCESS));
        let failure = Failure::new(7, "the wheel has come off");
        assert_eq!(shown(Err(failure)), format!("{:?}", ExitCode::from(7)));
    }
}
