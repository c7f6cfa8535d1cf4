//! What the ids of a table look like, so that parties whose tables are to meet can compare by
//! telephone.

use std::fmt;

use schema::number::trim;

/// What the ids of one table look like. Only for its owner: it is not private in any other sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdForms {
    /// How many there are, as they are compared.
    pub distinct: u64,
    /// As they stand in the file, without the spaces and tabs around them.
    pub written: IdForm,
    /// As they are compared, where [`IdNormalisation`](crate::IdNormalisation) changes them.
    pub compared: Option<IdForm>,
}

/// The form of ids. What is counted are rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct IdForm {
    /// Rows that were looked at.
    pub rows: u64,
    /// The fewest characters of an id.
    pub shortest: u64,
    /// The most characters of an id.
    pub longest: u64,
    /// Ids of digits (0 to 9) alone.
    pub digits: u64,
    /// Ids of letters alone.
    pub letters: u64,
    /// Ids that begin with a zero and go on.
    pub leading_zeros: u64,
    /// Ids with white space around them.
    pub outer_blanks: u64,
    /// Ids with white space in them.
    pub inner_blanks: u64,
}

impl IdForm {
    /// Takes in the id of one more row, a field that is not empty but for blanks.
    #[inline]
    pub(crate) fn note(&mut self, field: &[u8]) {
        let id = trim(field);
        // One look at a byte and no branch: this is done for each row of each table.
        let all = id.iter().fold(GRAPHIC | DIGIT | LETTER, |all, &byte| {
            all & CLASSES[usize::from(byte)]
        });
        let mut look = Look {
            chars: id.len() as u64,
            digits: all & DIGIT != 0,
            letters: all & LETTER != 0,
            outer_blanks: id.len() < field.len(),
            inner_blanks: false,
        };
        if all & GRAPHIC == 0 {
            look = look.closer(id);
        }
        self.shortest = match self.rows {
            0 => look.chars,
            _ => self.shortest.min(look.chars),
        };
        self.longest = self.longest.max(look.chars);
        self.rows += 1;
        self.digits += u64::from(look.digits);
        self.letters += u64::from(look.letters);
        self.leading_zeros += u64::from(id.len() > 1 && id[0] == b'0');
        self.outer_blanks += u64::from(look.outer_blanks);
        self.inner_blanks += u64::from(look.inner_blanks);
    }
}

const GRAPHIC: u8 = 1;
const DIGIT: u8 = 2;
const LETTER: u8 = 4;

/// What each byte is in ASCII.
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        let mut class = 0;
        if byte.is_ascii_graphic() {
            class |= GRAPHIC;
        }
        if byte.is_ascii_digit() {
            class |= DIGIT;
        }
        if byte.is_ascii_alphabetic() {
            class |= LETTER;
        }
        classes[byte as usize] = class;
        byte += 1;
    }
    classes
};

/// What one id looks like.
struct Look {
    chars: u64,
    digits: bool,
    letters: bool,
    outer_blanks: bool,
    inner_blanks: bool,
}

impl Look {
    /// Of an id with other characters than the visible ones of ASCII.
    #[cold]
    fn closer(self, id: &[u8]) -> Self {
        let text = String::from_utf8_lossy(id);
        let inner = text.trim();
        Self {
            chars: text.chars().count() as u64,
            letters: text.chars().all(char::is_alphabetic),
            outer_blanks: self.outer_blanks || inner.len() < text.len(),
            inner_blanks: inner.contains(char::is_whitespace),
            ..self
        }
    }
}

/// As a clause: `1 to 4 characters, all digits, none padded with zeros`.
impl fmt::Display for IdForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.shortest, self.longest) {
            (1, 1) => f.write_str("1 character each")?,
            (least, most) if least == most => write!(f, "{most} characters each")?,
            (least, most) => write!(f, "{least} to {most} characters")?,
        }
        let all = |count: u64| count == self.rows;
        match (self.digits, self.letters) {
            (digits, _) if all(digits) => f.write_str(", all digits")?,
            (_, letters) if all(letters) => f.write_str(", all letters")?,
            (0, 0) => f.write_str(", none of digits or letters alone")?,
            (digits, letters) => {
                write!(f, ", {digits} of digits alone, {letters} of letters alone")?;
            }
        }
        match self.leading_zeros {
            0 => f.write_str(", none padded with zeros")?,
            zeros if all(zeros) => f.write_str(", all padded with zeros")?,
            zeros => write!(f, ", {zeros} padded with zeros")?,
        }
        match self.outer_blanks {
            0 => {}
            blanks if all(blanks) => f.write_str(", all with spaces around them")?,
            blanks => write!(f, ", {blanks} with spaces around them")?,
        }
        match self.inner_blanks {
            0 => {}
            blanks if all(blanks) => f.write_str(", all with spaces in them")?,
            blanks => write!(f, ", {blanks} with spaces in them")?,
        }
        if self.digits == self.rows || self.rows == 1 {
            return Ok(());
        }
        write!(f, " (of {} rows)", self.rows)
    }
}

/// As a clause, such as `300 different ids: 1 to 3 characters, all digits, none padded with zeros`.
impl fmt::Display for IdForms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = match self.distinct {
            1 => "id",
            _ => "different ids",
        };
        write!(f, "{} {ids}: {}", self.distinct, self.written)?;
        match &self.compared {
            Some(compared) => write!(f, "; compared as {compared}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(fields: &[&str], expected: Expect) {
        let mut form = IdForm::default();
        fields.iter().for_each(|field| form.note(field.as_bytes()));
        expected.assert_eq(&form.to_string());
    }

    #[test]
    fn forms_are_told_so_that_they_can_be_compared_by_telephone() {
        check(
            &["0", "17", "2500"],
            expect!["1 to 4 characters, all digits, none padded with zeros"],
        );
        check(
            &["0000", "0017", "2500"],
            expect!["4 characters each, all digits, 2 padded with zeros"],
        );
        check(
            &["P1", "P22"],
            expect![
                "2 to 3 characters, none of digits or letters alone, none padded with zeros (of 2 \
                 rows)"
            ],
        );
        check(
            &["a", "b", "7"],
            expect![
                "1 character each, 1 of digits alone, 2 of letters alone, none padded with zeros \
                 (of 3 rows)"
            ],
        );
        check(
            &["ab", "Ä"],
            expect!["1 to 2 characters, all letters, none padded with zeros (of 2 rows)"],
        );
        check(
            &["07", "08"],
            expect!["2 characters each, all digits, all padded with zeros"],
        );
    }

    #[test]
    fn blanks_are_told_around_ids_and_in_them() {
        check(
            &[" 7", "8 ", "9"],
            expect![
                "1 character each, all digits, none padded with zeros, 2 with spaces around them"
            ],
        );
        check(
            &["\u{a0}7", "8"],
            expect![
                "1 to 2 characters, 1 of digits alone, 0 of letters alone, none padded with zeros, \
                 1 with spaces around them (of 2 rows)"
            ],
        );
        check(
            &["a b", "c\u{2003}d"],
            expect![
                "3 characters each, none of digits or letters alone, none padded with zeros, all \
                 with spaces in them (of 2 rows)"
            ],
        );
    }
}
