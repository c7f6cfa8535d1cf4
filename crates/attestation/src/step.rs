//! What was checked, for a person to read.

use std::borrow::Cow;
use std::fmt;

/// One check that passed: its name, and what was found.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Step {
    check: Cow<'static, str>,
    found: String,
}

impl Step {
    /// A check that has just passed.
    pub fn passed(check: impl Into<Cow<'static, str>>, found: impl Into<String>) -> Step {
        Step {
            check: check.into(),
            found: found.into(),
        }
    }

    /// A few words that name the check, such as `document time`.
    pub fn check(&self) -> &str {
        &self.check
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
