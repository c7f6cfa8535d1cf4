//! Columns that name people, or let them be found.

use std::fmt;

use super::people::People;
use super::{Finding, MIN_SHARED, Values};
use crate::dictionary::RawColumn;

/// What a column looks like that is better left out: no model needs it, and it names people or lets
/// them be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looks {
    /// Names of people.
    Names,
    /// Addresses.
    Addresses,
    /// Numbers or codes that tell people apart.
    Identifiers,
    /// E-mail addresses.
    Emails,
    /// Telephone numbers.
    Telephones,
    /// Sentences.
    FreeText,
}

impl fmt::Display for Looks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Names => "names of people",
            Self::Addresses => "addresses",
            Self::Identifiers => "identifiers",
            Self::Emails => "e-mail addresses",
            Self::Telephones => "telephone numbers",
            Self::FreeText => "free text",
        })
    }
}

impl Looks {
    /// What the column's name alone says, which is public.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let words = words(name);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let (last, before) = match words.as_slice() {
            [.., before, last] => (*last, Some(*before)),
            [last] => (*last, None),
            // `""` and `Unnamed: 0` are the row numbers that programs write.
            [] => return None,
        };
        let is_number = matches!(last, "number" | "no" | "nr" | "num" | "nummer");
        if words.contains(&"unnamed") || matches!(last, "rownames" | "rowname" | "rownumber") {
            return Some(Self::Identifiers);
        }
        if names_people(name) {
            return Some(Self::Names);
        }
        match (before, last) {
            (_, "email" | "mail" | "emails") | (Some("email" | "mail"), "address" | "addr") => {
                Some(Self::Emails)
            }
            (_, "phone" | "telephone" | "tel" | "mobile" | "cellphone" | "fax" | "telefon") => {
                Some(Self::Telephones)
            }
            (Some("phone" | "telephone" | "mobile" | "fax" | "tel"), _) if is_number => {
                Some(Self::Telephones)
            }
            (
                _,
                "address" | "addr" | "street" | "strasse" | "adresse" | "postcode" | "zip"
                | "zipcode" | "plz" | "indirizzo",
            )
            | (Some("zip" | "postal" | "post"), "code") => Some(Self::Addresses),
            (
                _,
                "id" | "ids" | "identifier" | "uuid" | "guid" | "ssn" | "iban" | "passport" | "mrn"
                | "nino" | "vin" | "username" | "login" | "account" | "ip",
            ) => Some(Self::Identifiers),
            (
                Some(
                    "account" | "card" | "passport" | "serial" | "customer" | "member" | "policy"
                    | "patient" | "insurance" | "security" | "licence" | "license" | "ticket"
                    | "invoice" | "employee" | "case",
                ),
                _,
            ) if is_number => Some(Self::Identifiers),
            (
                _,
                "comment" | "comments" | "note" | "notes" | "remark" | "remarks" | "description"
                | "freetext" | "feedback" | "message",
            ) => Some(Self::FreeText),
            (_, "name" | "names") => Some(Self::Names),
            _ => None,
        }
    }

    pub(super) fn of(
        column: &RawColumn,
        sharing: &[u32],
        people: &People<'_>,
        finding: &Finding,
    ) -> Option<Self> {
        let rows = people.rows_of_texts(column.texts.len());
        let (mut filled, mut shared, mut distinct) = (0, 0, 0_u64);
        let mut shapes = Shapes::default();
        for ((text, rows), people) in column.texts.iter().zip(&rows).zip(sharing) {
            if text.is_empty() || *rows == 0 {
                continue;
            }
            filled += rows;
            distinct += 1;
            shared += if *people >= MIN_SHARED { *rows } else { 0 };
            shapes.take(text);
        }
        if distinct == 0 {
            return None;
        }
        if names_people(&column.name) && finding.values == Values::Text {
            return Some(Self::Names);
        }
        // Whatever the column is called, what many people share does not tell them apart.
        if 2 * shared >= filled {
            return None;
        }
        if let Some(looks) = shapes.of_contact(distinct) {
            return Some(looks);
        }
        let by_name = Self::of_name(&column.name);
        let is_unique = 10 * distinct >= 9 * filled;
        match finding.values {
            Values::Text => {
                by_name.or_else(|| (2 * distinct >= filled).then(|| shapes.of_text(distinct)))
            }
            Values::Whole(_) => match by_name {
                // Every row a number of its own, without a gap: whatever it is called.
                None if distinct == filled && shapes.is_numbering(distinct) => {
                    Some(Self::Identifiers)
                }
                Some(Self::Identifiers | Self::Telephones | Self::Addresses) => by_name,
                Some(Self::Names | Self::FreeText) if is_unique => Some(Self::Identifiers),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Whether the name of the column says that names of people are in it, whatever these are.
fn names_people(name: &str) -> bool {
    let words = words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    matches!(
        words.as_slice(),
        [
            ..,
            "first"
                | "last"
                | "given"
                | "family"
                | "middle"
                | "full"
                | "maiden"
                | "fore"
                | "patient"
                | "person"
                | "customer"
                | "client"
                | "employee"
                | "student"
                | "contact"
                | "user",
            "name" | "names"
        ] | [
            ..,
            "surname"
                | "lastname"
                | "firstname"
                | "fullname"
                | "forename"
                | "vorname"
                | "nachname"
                | "familienname"
                | "prenom"
                | "apellido"
                | "apellidos"
                | "cognome"
        ]
    )
}

/// The words of a name in lower case: `PassengerId`, `first_name`, `e-mail`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name
        .replace("e-mail", "email")
        .replace("E-mail", "email")
        .chars()
    {
        let begins = c.is_uppercase() && was_lower;
        if (!c.is_alphanumeric() || begins) && words.last().is_some_and(|it| !it.is_empty()) {
            words.push(String::new());
        }
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
        was_lower = c.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// How many different texts have which shape.
#[derive(Default)]
struct Shapes {
    emails: u64,
    telephones: u64,
    sentences: u64,
    names: u64,
    addresses: u64,
    /// The smallest and the largest whole number.
    numbers: Option<(i64, i64)>,
}

impl Shapes {
    fn take(&mut self, text: &[u8]) {
        if let Some(number) = schema::number::whole(text) {
            let (low, high) = self.numbers.unwrap_or((number, number));
            self.numbers = Some((low.min(number), high.max(number)));
        }
        let Ok(text) = str::from_utf8(text) else {
            return;
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let is_word = |word: &&str| {
            let letters = word.trim_matches([',', '.']);
            letters.chars().next().is_some_and(char::is_uppercase)
                && letters
                    .chars()
                    .all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '.'))
        };
        let has_digit = |word: &&str| word.chars().any(|c| c.is_ascii_digit());
        let long = |word: &&str| word.chars().filter(|c| c.is_alphabetic()).count() >= 3;
        let count = |holds: bool| u64::from(holds);
        self.emails += count(is_email(text));
        self.telephones += count(is_telephone(text));
        self.sentences += count(words.len() >= 5 || text.chars().count() > 40);
        self.names += count((2..=4).contains(&words.len()) && words.iter().all(is_word));
        self.addresses += count(
            (2..=8).contains(&words.len())
                && words.iter().any(has_digit)
                && words.iter().any(|it| long(it) && !has_digit(it)),
        );
    }

    /// E-mail addresses and telephone numbers, which nothing else looks like.
    fn of_contact(&self, distinct: u64) -> Option<Looks> {
        if 2 * self.emails >= distinct {
            Some(Looks::Emails)
        } else if 2 * self.telephones >= distinct {
            Some(Looks::Telephones)
        } else {
            None
        }
    }

    /// What texts are of which most are different.
    fn of_text(&self, distinct: u64) -> Looks {
        let most = |count: u64| 2 * count >= distinct;
        if most(self.addresses) {
            Looks::Addresses
        } else if most(self.sentences) {
            Looks::FreeText
        } else if most(self.names) {
            Looks::Names
        } else {
            Looks::Identifiers
        }
    }

    /// Whether so many different numbers leave hardly a gap.
    fn is_numbering(&self, distinct: u64) -> bool {
        let Some((low, high)) = self.numbers else {
            return false;
        };
        high.abs_diff(low) < distinct.saturating_add(distinct / 10)
    }
}

fn is_email(text: &str) -> bool {
    let Some((name, host)) = text.split_once('@') else {
        return false;
    };
    !name.is_empty() && host.contains('.') && !text.contains(char::is_whitespace)
}

/// Seven to fifteen digits, with a plus, a zero or brackets before them or signs between them.
fn is_telephone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let known = text
        .chars()
        .all(|c| c.is_ascii_digit() || matches!(c, '+' | '(' | ')' | '-' | '/' | ' ' | '.'));
    let groups = text
        .split(|c: char| !c.is_ascii_digit())
        .filter(|group| !group.is_empty())
        .count();
    let begins = text.starts_with(['+', '(']) || text.starts_with('0') && groups > 1;
    // `2020-01-31` and `1234.5` have three groups at most, and no plus.
    let is_date = groups == 3 && digits == 8;
    known
        && (7..=15).contains(&digits)
        && !is_date
        && (begins && groups > 1 || text.starts_with('+') && digits >= 9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_columns_say_what_they_hold() {
        for (name, looks) in [
            ("PassengerId", Some(Looks::Identifiers)),
            ("customerID", Some(Looks::Identifiers)),
            ("Unnamed: 0", Some(Looks::Identifiers)),
            ("id", Some(Looks::Identifiers)),
            ("first_name", Some(Looks::Names)),
            ("Name", Some(Looks::Names)),
            ("Surname", Some(Looks::Names)),
            ("E-mail address", Some(Looks::Emails)),
            ("home_phone", Some(Looks::Telephones)),
            ("Phone Number", Some(Looks::Telephones)),
            ("street address", Some(Looks::Addresses)),
            ("ZipCode", Some(Looks::Addresses)),
            ("comments", Some(Looks::FreeText)),
            ("PhoneService", None),
            ("number_of_children", None),
            ("education-num", None),
            ("age", None),
            ("paid", None),
            ("named", None),
            ("", None),
        ] {
            assert_eq!(Looks::of_name(name), looks, "{name}");
        }
    }

    #[test]
    fn telephone_numbers_are_told_from_dates_and_amounts() {
        for text in [
            "+43 664 1234567",
            "0664 123 456",
            "(555) 123-4567",
            "+436641234567",
        ] {
            assert!(is_telephone(text), "{text}");
        }
        for text in [
            "2020-01-31",
            "31.01.2020",
            "1234567",
            "1 234 567",
            "1234.5",
            "01/02/2020",
        ] {
            assert!(!is_telephone(text), "{text}");
        }
    }
}
