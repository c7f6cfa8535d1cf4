//! What is taken away from ids before they are compared.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use strict_yaml::{nearest, quoted_list};

/// How ids are changed before they are counted, bounded, hashed and joined, so that those of one
/// person meet which two parties write differently. Whatever it says, spaces and tabs around an id
/// never count.
///
/// The steps are taken in the order of [`IdStep`], in whichever order they were named.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdNormalisation {
    trim: bool,
    strip_leading_zeros: bool,
    lower: bool,
}

/// One step of an [`IdNormalisation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdStep {
    /// `trim`: takes all white space around an id away, such as no-break spaces, and characters
    /// without width (a byte order mark among them).
    Trim,
    /// `strip_leading_zeros`: `0007` is `7`, and `000` is `0`.
    StripLeadingZeros,
    /// `lower`: capital letters become small ones, as Unicode says.
    Lower,
}

/// Words that are no list of steps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdStepError {
    /// There is no such step.
    #[error(
        "there is no step `{name}` for ids, only {}{hint}",
        quoted_list(&IdStep::ALL.map(IdStep::name))
    )]
    Unknown {
        /// The word that was given.
        name: String,
        /// Which one may be meant, as the end of the sentence, or nothing.
        hint: String,
    },
    /// A step is named twice.
    #[error("the step `{0}` is named twice")]
    Twice(&'static str),
}

impl IdNormalisation {
    /// Reads a list of steps by their names.
    ///
    /// # Errors
    /// If one is unknown, or named twice.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, IdStepError> {
        let mut normalisation = Self::default();
        for name in names {
            let step: IdStep = name.parse()?;
            let taken = match step {
                IdStep::Trim => &mut normalisation.trim,
                IdStep::StripLeadingZeros => &mut normalisation.strip_leading_zeros,
                IdStep::Lower => &mut normalisation.lower,
            };
            if std::mem::replace(taken, true) {
                return Err(IdStepError::Twice(step.name()));
            }
        }
        Ok(normalisation)
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Self::default()
    }

    /// Its steps, in their order.
    pub fn steps(self) -> impl Iterator<Item = IdStep> {
        IdStep::ALL.into_iter().filter(move |step| match step {
            IdStep::Trim => self.trim,
            IdStep::StripLeadingZeros => self.strip_leading_zeros,
            IdStep::Lower => self.lower,
        })
    }

    /// The id as it is compared. It may be empty.
    pub(crate) fn apply(self, id: &[u8]) -> Cow<'_, [u8]> {
        let mut id = id;
        if self.trim {
            id = trim_all(id);
        }
        if self.strip_leading_zeros {
            let zeros = id.iter().take_while(|byte| **byte == b'0').count();
            // The number nought is an id as well, and it is not the empty one.
            id = &id[zeros.min(id.len().saturating_sub(1))..];
        }
        if !self.lower {
            return Cow::Borrowed(id);
        }
        // What is no text has no letters but those of ASCII.
        Cow::Owned(match str::from_utf8(id) {
            Ok(text) if !text.is_ascii() => text.to_lowercase().into_bytes(),
            _ => id.to_ascii_lowercase(),
        })
    }
}

fn trim_all(id: &[u8]) -> &[u8] {
    let invisible = |c: char| {
        c.is_whitespace() || matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}')
    };
    match str::from_utf8(id) {
        Ok(text) => text.trim_matches(invisible).as_bytes(),
        Err(_) => id.trim_ascii(),
    }
}

impl IdStep {
    /// All of them, in the order in which they are taken.
    pub const ALL: [Self; 3] = [Self::Trim, Self::StripLeadingZeros, Self::Lower];

    /// The name in `id_normalise`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Trim => "trim",
            Self::StripLeadingZeros => "strip_leading_zeros",
            Self::Lower => "lower",
        }
    }
}

impl FromStr for IdStep {
    type Err = IdStepError;

    fn from_str(name: &str) -> Result<Self, IdStepError> {
        let known = Self::ALL.into_iter().find(|step| step.name() == name);
        known.ok_or_else(|| IdStepError::Unknown {
            name: name.to_owned(),
            hint: nearest(name, Self::ALL.map(Self::name))
                .map(|name| format!("; did you mean `{name}`?"))
                .unwrap_or_default(),
        })
    }
}

/// The names of its steps, as a list.
impl fmt::Display for IdNormalisation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.steps().map(IdStep::name).collect();
        f.write_str(&names.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalised(steps: &[&str], id: &str) -> String {
        let normalisation = IdNormalisation::parse(steps.iter().copied()).unwrap();
        String::from_utf8(normalisation.apply(id.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn each_step_takes_away_what_it_says_and_no_more() {
        let cases: [(&[&str], &str, &str); 14] = [
            (&[], "007 a", "007 a"),
            (&["trim"], "\u{a0}7\u{3000}", "7"),
            (&["trim"], "\u{feff}7\u{200b}", "7"),
            (&["trim"], "\u{a0}", ""),
            (&["trim"], "a b", "a b"),
            (&["strip_leading_zeros"], "0070", "70"),
            (&["strip_leading_zeros"], "000", "0"),
            (&["strip_leading_zeros"], "0", "0"),
            (&["strip_leading_zeros"], "P007", "P007"),
            (&["strip_leading_zeros"], "00a", "a"),
            (&["lower"], "AbÄ", "abä"),
            (&["lower"], "7", "7"),
            (&["strip_leading_zeros", "trim"], "\u{a0}007", "7"),
            (
                &["lower", "strip_leading_zeros", "trim"],
                " 00X\u{2003}",
                "x",
            ),
        ];
        for (steps, id, expected) in cases {
            assert_eq!(normalised(steps, id), expected, "{steps:?} of {id:?}");
        }
    }

    #[test]
    fn what_is_no_text_keeps_its_bytes() {
        let all = IdNormalisation::parse(IdStep::ALL.map(IdStep::name)).unwrap();
        assert_eq!(&*all.apply(b" 0\xffA "), b"\xffa");
    }

    #[test]
    fn unknown_words_and_repeated_ones_are_refused() {
        let refused = |names: &[&str]| {
            let refused = IdNormalisation::parse(names.iter().copied()).unwrap_err();
            refused.to_string()
        };
        assert_eq!(
            refused(&["trimm"]),
            "there is no step `trimm` for ids, only `trim`, `strip_leading_zeros` and `lower`; did \
             you mean `trim`?"
        );
        assert_eq!(
            refused(&["lower", "lower"]),
            "the step `lower` is named twice"
        );
        assert!(refused(&["upper"]).starts_with("there is no step `upper` for ids, only `trim`"));
    }

    #[test]
    fn steps_are_told_in_the_order_in_which_they_are_taken() {
        let normalisation = IdNormalisation::parse(["lower", "trim"]).unwrap();
        assert_eq!(normalisation.to_string(), "trim, lower");
        assert!(!normalisation.is_none() && IdNormalisation::default().is_none());
    }
}
