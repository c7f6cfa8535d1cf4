//! What was checked, for a person to read.

use std::fmt;

/// One check that passed: its name, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    check: &'static str,
    found: String,
}

impl Step {
    /// A check that has just passed.
    pub fn passed(check: &'static str, found: impl Into<String>) -> Step {
        let found = found.into();
        Step { check, found }
    }

    /// A few words that name the check, such as `document time`.
    pub fn check(&self) -> &'static str {
        self.check
    }

    /// What was found, such as `2022-10-13 08:58:02 UTC`.
    pub fn found(&self) -> &str {
        &self.found
    }
}

/// `check: found`, on one line.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.found)
    }
}
