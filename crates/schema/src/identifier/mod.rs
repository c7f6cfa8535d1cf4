//! Columns of new identifiers, made from nothing of the data.

mod permutation;

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use printable::{Hidden, first_hidden};
use rand_core::Rng;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::form::MISSING_WORDS;
use crate::identifier::permutation::Permutation;

/// A column of a table whose values are not read, and in whose place every synthetic row gets a new
/// identifier. It has no codes: no model knows of it, and nothing is spent on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierColumn {
    pub(crate) name: String,
    pub(crate) form: IdentifierForm,
    /// How many columns with codes stand before it.
    pub(crate) after: usize,
}

impl IdentifierColumn {
    /// The name; in a joined table with the party's name before it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its identifiers look like.
    #[must_use]
    pub fn form(&self) -> &IdentifierForm {
        &self.form
    }

    /// How many columns with codes stand before it.
    #[must_use]
    pub fn after(&self) -> usize {
        self.after
    }

    /// The same column behind `more` further columns with codes.
    #[must_use]
    pub fn moved(self, more: usize) -> Self {
        Self {
            after: self.after + more,
            ..self
        }
    }

    /// The same column under another name, as in a joined table.
    #[must_use]
    pub fn renamed(self, name: String) -> Self {
        Self { name, ..self }
    }
}

/// What identifiers look like: `#` stands for a digit, `@` for a letter from A to Z, and any other
/// character for itself; after a backslash these three stand for themselves too.
///
/// ```
/// # use schema::IdentifierForm;
/// let form: IdentifierForm = "P-#####".parse()?;
/// assert_eq!(form.room(), 100_000);
/// assert!("P".parse::<IdentifierForm>().is_err());
/// # Ok::<(), schema::IdentifierFormError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentifierForm {
    /// As it was written.
    text: String,
    signs: Vec<Sign>,
    room: u128,
    /// The identifier of the number 0.
    first: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    Digit,
    Letter,
    Literal(char),
}

/// Why a text is not the form of identifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierFormError {
    /// All identifiers would be the same.
    #[error("it needs at least one `#`, for a digit, or `@`, for a letter from A to Z")]
    NothingVaries,
    /// It is longer than anybody would read.
    #[error(
        "it has more than {} characters; shorten it",
        IdentifierForm::MAX_CHARACTERS
    )]
    TooLong,
    /// It has room for more identifiers than are told apart here.
    #[error("it has room for more than 2^120 identifiers; give it fewer `#` and `@`")]
    TooManySigns,
    /// A backslash stands before nothing that it could be for.
    #[error("a backslash goes before `#`, `@` or another backslash; write two for one")]
    Backslash,
    /// It begins or ends with a space.
    #[error("it begins or ends with a space, which programs take away; leave it out")]
    OuterSpace,
    /// It has a character that a reader would not see, or a terminal would obey.
    #[error("it has the character {0}; remove it")]
    Hidden(Hidden),
    /// Some of the identifiers would be read as missing.
    #[error(
        "one of its identifiers would be `NA`, `NULL` or the like, which programs read as a \
             missing value; add a `#` or another character"
    )]
    Missing,
}

impl IdentifierForm {
    /// The most characters of a form, backslashes included.
    pub const MAX_CHARACTERS: usize = 64;

    /// The most identifiers that a form may have room for: half of the bits of a number up to this
    /// fit in 64.
    const MAX_ROOM: u128 = 1 << 120;

    /// How many different identifiers are of this form.
    #[must_use]
    pub fn room(&self) -> u128 {
        self.room
    }

    /// One of the identifiers, by which to tell how programs take them: all begin alike.
    #[must_use]
    pub fn example(&self) -> &str {
        &self.first
    }

    /// Whether a word is one of the identifiers, in whatever letter case.
    fn could_be(&self, word: &str) -> bool {
        let fits = |(sign, c): (&Sign, char)| match sign {
            Sign::Digit => c.is_ascii_digit(),
            Sign::Letter => c.is_ascii_alphabetic(),
            Sign::Literal(literal) => literal.eq_ignore_ascii_case(&c),
        };
        word.chars().count() == self.signs.len() && self.signs.iter().zip(word.chars()).all(fits)
    }

    /// The identifier of this number, which is below [`room`](Self::room).
    fn write(&self, mut number: u128, out: &mut String) {
        let mut digits = [0_u8; Self::MAX_CHARACTERS];
        for (digit, sign) in digits.iter_mut().zip(&self.signs).rev() {
            let base = sign.choices();
            *digit = u8::try_from(number % base).expect("a base is at most 26");
            number /= base;
        }
        for (&digit, sign) in digits.iter().zip(&self.signs) {
            out.push(match sign {
                Sign::Digit => char::from(b'0' + digit),
                Sign::Letter => char::from(b'A' + digit),
                Sign::Literal(literal) => *literal,
            });
        }
    }
}

impl Sign {
    fn choices(self) -> u128 {
        match self {
            Self::Digit => 10,
            Self::Letter => 26,
            Self::Literal(_) => 1,
        }
    }
}

impl FromStr for IdentifierForm {
    type Err = IdentifierFormError;

    fn from_str(text: &str) -> Result<Self, IdentifierFormError> {
        if text.chars().count() > Self::MAX_CHARACTERS {
            return Err(IdentifierFormError::TooLong);
        }
        if let Some(hidden) = first_hidden(text) {
            return Err(IdentifierFormError::Hidden(hidden));
        }
        if text.trim() != text {
            return Err(IdentifierFormError::OuterSpace);
        }
        let mut signs = Vec::new();
        let mut characters = text.chars();
        while let Some(c) = characters.next() {
            signs.push(match c {
                '#' => Sign::Digit,
                '@' => Sign::Letter,
                '\\' => match characters.next() {
                    Some(escaped @ ('#' | '@' | '\\')) => Sign::Literal(escaped),
                    _ => return Err(IdentifierFormError::Backslash),
                },
                literal => Sign::Literal(literal),
            });
        }
        // 64 signs of 26 choices are more than 128 bits hold.
        let room = signs
            .iter()
            .try_fold(1_u128, |room, sign| room.checked_mul(sign.choices()))
            .filter(|room| *room <= Self::MAX_ROOM)
            .ok_or(IdentifierFormError::TooManySigns)?;
        if room == 1 {
            return Err(IdentifierFormError::NothingVaries);
        }
        let text = text.to_owned();
        let mut form = Self {
            text,
            signs,
            room,
            first: String::new(),
        };
        let mut first = String::new();
        form.write(0, &mut first);
        form.first = first;
        match MISSING_WORDS.iter().any(|word| form.could_be(word)) {
            true => Err(IdentifierFormError::Missing),
            false => Ok(form),
        }
    }
}

impl fmt::Display for IdentifierForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl AsRef<str> for IdentifierForm {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl Serialize for IdentifierForm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for IdentifierForm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(|problem| {
            de::Error::custom(format_args!(
                "{text:?} is not the form of identifiers: {problem}"
            ))
        })
    }
}

/// Makes identifiers of one form, of which no two are the same. Nothing is remembered of those that
/// were made: they are those of the numbers from 0 on, in an order that a key gives.
#[derive(Debug)]
pub struct Identifiers {
    form: IdentifierForm,
    order: Permutation,
    next: u128,
}

impl Identifiers {
    /// Identifiers in an order drawn with this generator.
    pub fn new(form: &IdentifierForm, rng: &mut impl Rng) -> Self {
        Self {
            form: form.clone(),
            order: Permutation::new(form.room, rng),
            next: 0,
        }
    }

    /// Appends the next identifier.
    ///
    /// # Panics
    /// If all of the form have been made: see [`Schema::check_rows`](crate::Schema::check_rows).
    pub fn push_next(&mut self, out: &mut String) {
        assert!(self.next < self.form.room, "more rows than identifiers");
        self.form.write(self.order.image(self.next), out);
        self.next += 1;
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::identifier::permutation::tests::Counter;

    fn form(text: &str) -> IdentifierForm {
        text.parse().unwrap()
    }

    fn made(text: &str, rows: usize, seed: u64) -> Vec<String> {
        let mut identifiers = Identifiers::new(&form(text), &mut Counter(seed));
        let next = |_| {
            let mut text = String::new();
            identifiers.push_next(&mut text);
            text
        };
        (0..rows).map(next).collect()
    }

    #[test]
    fn identifiers_are_of_the_form_and_none_comes_twice() {
        for (text, room) in [("#", 10), ("@", 26), ("P-###", 1000), (r"\#@#\\é", 260)] {
            let all = made(text, room, 1);
            assert_eq!(form(text).room(), room as u128);
            assert_eq!(all.iter().collect::<HashSet<_>>().len(), room, "{text}");
        }
        let one = made(r"\#@#\\é", 1, 1).remove(0);
        let [b'#', b'A'..=b'Z', b'0'..=b'9', b'\\', ..] = one.as_bytes() else {
            panic!("{one}");
        };
        assert!(one.ends_with('é'));
    }

    #[test]
    fn the_same_key_gives_the_same_and_another_key_others() {
        assert_eq!(made("P-#####", 50, 7), made("P-#####", 50, 7));
        assert_ne!(made("P-#####", 50, 7), made("P-#####", 50, 8));
    }

    #[test]
    #[should_panic(expected = "more rows than identifiers")]
    fn more_than_there_is_room_for_are_not_made() {
        made("#", 11, 1);
    }

    #[test]
    fn the_largest_form_has_room_for_all() {
        let text = "#".repeat(36);
        assert_eq!(form(&text).room(), 10_u128.pow(36));
        assert_eq!(
            made(&text, 1000, 1).iter().collect::<HashSet<_>>().len(),
            1000
        );
    }

    #[test]
    fn forms_that_make_no_sense_are_refused() {
        use IdentifierFormError as Fault;
        let hidden = first_hidden("#\t#").unwrap();
        for (text, fault) in [
            ("", Fault::NothingVaries),
            (r"P-\#", Fault::NothingVaries),
            (&"#".repeat(65), Fault::TooLong),
            (&"#".repeat(37), Fault::TooManySigns),
            (&"@".repeat(64), Fault::TooManySigns),
            (r"#\", Fault::Backslash),
            (r"\n#", Fault::Backslash),
            (" #", Fault::OuterSpace),
            ("#\t#", Fault::Hidden(hidden)),
            ("@@", Fault::Missing),
            ("n@@", Fault::Missing),
            ("<@@>", Fault::Missing),
        ] {
            assert_eq!(text.parse::<IdentifierForm>(), Err(fault), "{text:?}");
        }
        for text in ["@", "@@@@@", "@#", "X@"] {
            assert!(text.parse::<IdentifierForm>().is_ok(), "{text}");
        }
    }
}
