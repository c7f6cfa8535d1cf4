//! Fields of a declared column to codes.

mod category;
mod hint;

use schema::form::{is_missing, truth};
use schema::number::{decimal, trim, whole};
use schema::{Column, DateForm, Day, DecimalMark, Grid, Kind, Moment, NumberForm, ValueForm};

use crate::coder::category::Lookup;
use crate::coder::hint::Hint;
use crate::codes::Codes;
use crate::error::{NotUnderstood, RecordPosition};

/// Turns the fields of one declared column into codes while they stream in; no text is kept.
///
/// What a field becomes depends on the declaration and on that field alone: a number or date beyond
/// the bounds counts as the nearest bound, a category is met exactly, else trimmed, else as a
/// number, else whatever its case is. A field that stands for missing is null. What is not
/// understood counts as `other` if the column has that, else as null if it is nullable; a missing
/// field of a column that is not nullable counts as `other` too. Where there is neither, the field
/// gets the code behind all others, the *gap*: a row with one is left out when the table is whole.
///
/// More gaps than the column's tolerance allows refuse the table, as do more fields that were not
/// understood in a nullable column.
pub(crate) struct Coder {
    column: Column,
    matcher: Matcher,
    codes: Codes,
    missing: MissingCodes,
    /// What a field becomes that is not understood.
    unknown: u32,
    /// What a missing field becomes.
    null: u32,
    /// Whether nothing that is declared could be meant by an empty field.
    empty_is_missing: bool,
    tallies: Tallies,
    hint: Hint,
}

enum Matcher {
    Categories(Lookup),
    Integer(Grid<i64>, Option<DecimalMark>),
    Number(Grid<f64>, Option<DecimalMark>),
    Date(Grid<Day>, Option<DateForm>),
    Datetime(Grid<Moment>, Option<DateForm>),
    Boolean,
    /// Words, of which this many stand for false.
    Words(Lookup, u32),
}

/// What stands for a missing value besides the usual spellings.
struct MissingCodes {
    texts: Vec<Box<[u8]>>,
    numbers: Vec<f64>,
}

impl MissingCodes {
    fn new(texts: &[String]) -> Self {
        let texts = texts.iter().map(|text| trim(text.as_bytes()));
        Self {
            numbers: texts.clone().filter_map(decimal).collect(),
            texts: texts.map(Box::from).collect(),
        }
    }

    /// As text, or as the same number: `-999.0` is `-999`.
    fn has(&self, field: &[u8]) -> bool {
        let field = trim(field);
        let mut texts = self.texts.iter();
        texts.any(|text| text.eq_ignore_ascii_case(field))
            || !self.numbers.is_empty()
                && decimal(field).is_some_and(|number| self.numbers.contains(&number))
    }
}

/// How often something happened, and where first.
#[derive(Default)]
struct Tally {
    count: u64,
    first: u64,
}

impl Tally {
    #[cold]
    fn note(&mut self, at: u64) {
        if self.count == 0 {
            self.first = at;
        }
        self.count += 1;
    }
}

#[derive(Default)]
struct Tallies {
    moved: Tally,
    /// Counted as `other`, as the declaration asks.
    other: Tally,
    /// Not understood.
    unknown: Tally,
    /// Missing where the column is not nullable.
    missing: Tally,
    trimmed: Tally,
    as_number: Tally,
    other_case: Tally,
    dressed: Tally,
    to_utc: Tally,
    midnight: Tally,
    iso: Tally,
}

/// How a field was understood that is not written as the declaration has it.
#[derive(Clone, Copy)]
pub(crate) enum Leniency {
    Trimmed,
    AsNumber,
    OtherCase,
    /// With separators of thousands, or a sign of currency or percent.
    Dressed,
    ToUtc,
    Midnight,
    /// In ISO 8601, though the declaration has another form: so a column of dates in Parquet comes.
    Iso,
}

/// A code, whether the value was moved to a bound, and how it was understood.
type Lenient = ((usize, bool), Leniency);

/// One column whose fields were understood.
pub(crate) struct CodedColumn {
    pub(crate) column: Column,
    pub(crate) codes: Codes,
    /// What the owner alone should know.
    pub(crate) warnings: Vec<String>,
    /// Whether rows have gaps here.
    pub(crate) has_gaps: bool,
}

impl Coder {
    // By the declaration alone: what a field becomes must not depend on the other fields, or one
    // row could change many.
    pub(crate) fn new(column: &Column) -> Self {
        let (form, mark) = (column.form(), column.reading().decimal);
        let date = || form.date().cloned();
        let matcher = match column.kind() {
            Kind::Categories(texts) => Matcher::Categories(Lookup::new(texts)),
            Kind::Integer(grid) => Matcher::Integer(grid.clone(), mark),
            Kind::Number(grid) => Matcher::Number(grid.clone(), mark),
            Kind::Date(grid) => Matcher::Date(grid.clone(), date()),
            Kind::Datetime(grid) => Matcher::Datetime(grid.clone(), date()),
            Kind::Boolean => match form {
                ValueForm::Boolean(words) => {
                    let texts: Vec<String> = words.all().map(|(word, _)| word.to_owned()).collect();
                    Matcher::Words(Lookup::new(&texts), code(words.falses.len()))
                }
                _ => Matcher::Boolean,
            },
        };
        let gap = column.size();
        let unknown = column.other_code().or(column.null_code()).unwrap_or(gap);
        let null = column.null_code().or(column.other_code()).unwrap_or(gap);
        Self {
            empty_is_missing: matcher.is_without_blank_texts(),
            matcher,
            codes: Codes::for_size(column.size().max(null + 1)),
            missing: MissingCodes::new(&column.reading().missing),
            unknown: code(unknown),
            null: code(null),
            column: column.clone(),
            tallies: Tallies::default(),
            hint: Hint::default(),
        }
    }

    /// Bytes of one code.
    pub(crate) fn width(&self) -> usize {
        self.codes.width()
    }

    /// Room for this many rows; the account has made it.
    pub(crate) fn reserve_exact(&mut self, rows: usize) {
        self.codes.reserve_exact(rows);
    }

    /// Takes in one field; `at` is its line or row.
    #[inline]
    pub(crate) fn push(&mut self, field: &[u8], at: u64) {
        // No text outlives this call; only the code and some counts do.
        let code = if !self.missing.texts.is_empty() && self.missing.has(field) {
            self.missing(at)
        } else {
            match self.matcher.find(field) {
                Some((bin, moved)) => {
                    if moved {
                        self.tallies.moved.note(at);
                    }
                    code(bin)
                }
                None => self.unusual(field, at),
            }
        };
        self.codes.push(code);
    }

    fn unusual(&mut self, field: &[u8], at: u64) -> u32 {
        if field.is_empty() && self.empty_is_missing {
            return self.missing(at);
        }
        if let Some(((bin, moved), how)) = self.matcher.find_leniently(trim(field)) {
            self.tallies.of(how).note(at);
            if moved {
                self.tallies.moved.note(at);
            }
            return code(bin);
        }
        if is_missing(field) {
            return self.missing(at);
        }
        if !self.column.has_other() {
            self.tallies.unknown.note(at);
            self.hint.look(trim(field), self.column.kind());
        } else if field != self.column.other_text().as_bytes() {
            // Rows that were written under this schema hold the word itself.
            self.tallies.other.note(at);
        }
        self.unknown
    }

    fn missing(&mut self, at: u64) -> u32 {
        if !self.column.is_nullable() {
            self.tallies.missing.note(at);
        }
        self.null
    }

    /// The codes, and what the owner should know of them; `place` says what was counted.
    ///
    /// # Errors
    /// If more fields were not understood than the column's tolerance allows.
    pub(crate) fn finish(
        self,
        place: fn(u64) -> RecordPosition,
    ) -> Result<CodedColumn, NotUnderstood> {
        self.check(place)?;
        let gap = code(self.column.size());
        let gaps = |tally: &Tally, code: u32| tally.count > 0 && code == gap;
        Ok(CodedColumn {
            warnings: self.warnings(place),
            has_gaps: gaps(&self.tallies.unknown, self.unknown)
                || gaps(&self.tallies.missing, self.null),
            column: self.column,
            codes: self.codes,
        })
    }

    fn check(&self, place: fn(u64) -> RecordPosition) -> Result<(), NotUnderstood> {
        let Tallies {
            unknown, missing, ..
        } = &self.tallies;
        #[expect(clippy::cast_precision_loss, reason = "rows are counted in 32 bits")]
        let share = (unknown.count + missing.count) as f64 / self.codes.len().max(1) as f64;
        let tolerance = self.column.reading().tolerance();
        if share <= tolerance {
            return Ok(());
        }
        let rows = self.codes.len();
        let mut problems = Vec::new();
        if missing.count > 0 {
            problems.push(format!(
                "{} of {rows} fields are empty though the column is not nullable (first on {}; \
                 declare `nullable: true`)",
                missing.count,
                place(missing.first)
            ));
        }
        if unknown.count > 0 {
            problems.push(format!(
                "{} of {rows} fields are {} (first on {}; {})",
                unknown.count,
                self.expected(),
                place(unknown.first),
                self.hint.advice(&self.column)
            ));
        }
        Err(NotUnderstood {
            column: self.column.name().to_owned(),
            problems,
            tolerance,
        })
    }

    /// What a field is not that was not understood.
    fn expected(&self) -> &'static str {
        match (self.column.kind(), self.column.form()) {
            (Kind::Categories(_), _) => "not among the declared categories",
            (Kind::Integer(_), _) => "not a whole number",
            (Kind::Number(_), _) => "not a number",
            (Kind::Date(_), ValueForm::Date(_)) => "not a date of the declared format",
            (Kind::Date(_), _) => "not a date as 2015-01-31",
            (Kind::Datetime(_), ValueForm::Date(_)) => "not a date and time of the declared format",
            (Kind::Datetime(_), _) => "not a date and time as 2015-01-31T10:30",
            (Kind::Boolean, ValueForm::Boolean(_)) => "none of the declared words",
            (Kind::Boolean, _) => "neither true nor false",
        }
    }

    fn warnings(&self, place: fn(u64) -> RecordPosition) -> Vec<String> {
        let name = self.column.name();
        let left_out = "; a row with such a field is left out";
        let counts_as = |code: u32| match Some(code as usize) {
            code if code == self.column.other_code() => " and counted as `other`",
            code if code == self.column.null_code() => " and counted as empty",
            _ => left_out,
        };
        let expected = self.expected();
        let moved = format!(
            "outside the declared range{} and counted as the nearest bound",
            self.range()
        );
        let tallies = &self.tallies;
        let told = [
            (&tallies.moved, moved),
            (&tallies.other, format!("{expected} and counted as `other`")),
            (
                &tallies.unknown,
                format!("{expected}{}", counts_as(self.unknown)),
            ),
            (
                &tallies.missing,
                format!(
                    "empty though the column is not nullable{}",
                    counts_as(self.null)
                ),
            ),
            (
                &tallies.trimmed,
                "surrounded by spaces, which are taken off".to_owned(),
            ),
            (
                &tallies.as_number,
                "read as the same number, as `1.0` is `1`".to_owned(),
            ),
            (
                &tallies.other_case,
                "read in whatever letter case".to_owned(),
            ),
            (
                &tallies.dressed,
                "read without separators of thousands and signs of currency or percent".to_owned(),
            ),
            (&tallies.to_utc, "converted to UTC".to_owned()),
            (
                &tallies.midnight,
                "a day alone, read as midnight".to_owned(),
            ),
            (
                &tallies.iso,
                "in ISO 8601 all the same, and read so".to_owned(),
            ),
        ];
        told.into_iter()
            .filter(|(tally, _)| tally.count > 0)
            .map(|(tally, text)| {
                format!(
                    "column `{name}`: {} (first on {})",
                    fields(tally.count, &text),
                    place(tally.first)
                )
            })
            .collect()
    }

    fn range(&self) -> String {
        match self.column.kind() {
            Kind::Categories(_) | Kind::Boolean => String::new(),
            Kind::Integer(grid) => format!(" {} to {}", grid.range().min, grid.range().max),
            Kind::Number(grid) => format!(" {} to {}", grid.range().min, grid.range().max),
            Kind::Date(grid) => format!(" {} to {}", grid.range().min, grid.range().max),
            Kind::Datetime(grid) => format!(" {} to {}", grid.range().min, grid.range().max),
        }
    }
}

impl Tallies {
    fn of(&mut self, how: Leniency) -> &mut Tally {
        match how {
            Leniency::Trimmed => &mut self.trimmed,
            Leniency::AsNumber => &mut self.as_number,
            Leniency::OtherCase => &mut self.other_case,
            Leniency::Dressed => &mut self.dressed,
            Leniency::ToUtc => &mut self.to_utc,
            Leniency::Midnight => &mut self.midnight,
            Leniency::Iso => &mut self.iso,
        }
    }
}

impl Matcher {
    /// Whether no text that is declared consists of blanks alone. Such a text is met by an empty
    /// field, which is no number, date or truth.
    fn is_without_blank_texts(&self) -> bool {
        match self {
            Self::Categories(lookup) | Self::Words(lookup, _) => !lookup.has_blank_texts(),
            _ => true,
        }
    }

    /// Reads a field as it usually is.
    #[inline]
    fn find(&self, field: &[u8]) -> Option<(usize, bool)> {
        match self {
            Self::Categories(lookup) => Some((lookup.find(field)? as usize, false)),
            // With a decimal comma, a point stands between thousands.
            Self::Integer(grid, Some(comma @ DecimalMark::Comma)) => {
                Some(grid.bin(NumberForm::dressed_whole(trim(field), *comma)?))
            }
            Self::Number(grid, Some(comma @ DecimalMark::Comma)) => {
                Some(grid.bin(NumberForm::dressed_number(trim(field), *comma)?))
            }
            Self::Integer(grid, _) => Some(grid.bin(whole(trim(field))?)),
            Self::Number(grid, _) => Some(grid.bin(decimal(trim(field))?)),
            Self::Date(grid, None) => Some(grid.bin(Day::from_field(trim(field))?)),
            Self::Date(grid, Some(form)) => Some(grid.bin(form.day(trim(field))?)),
            Self::Datetime(grid, None) => Some(grid.bin(Moment::from_field(trim(field))?)),
            Self::Datetime(grid, Some(form)) => Some(grid.bin(form.moment(trim(field))?)),
            Self::Boolean => Some((usize::from(truth(field)?), false)),
            Self::Words(lookup, falses) => {
                Some((usize::from(lookup.find(field)? >= *falses), false))
            }
        }
    }

    /// Reads a field that is not as it usually is, without the spaces around it.
    fn find_leniently(&mut self, field: &[u8]) -> Option<Lenient> {
        match self {
            Self::Categories(lookup) => {
                let (code, how) = lookup.find_leniently(field)?;
                Some(((code as usize, false), how))
            }
            Self::Words(lookup, falses) => {
                let (code, how) = lookup.find_leniently(field)?;
                Some(((usize::from(code >= *falses), false), how))
            }
            Self::Integer(grid, mark) => {
                let value = NumberForm::dressed_whole(field, mark.unwrap_or_default())?;
                Some((grid.bin(value), Leniency::Dressed))
            }
            Self::Number(grid, mark) => {
                // Which of both `1,234` is must be declared: a wrong guess would be a wrong value.
                if mark.is_none() && is_ambiguous(field) {
                    return None;
                }
                let value = NumberForm::dressed_number(field, mark.unwrap_or_default())?;
                Some((grid.bin(value), Leniency::Dressed))
            }
            Self::Date(grid, Some(form)) if !form.pattern().starts_with("%Y") => {
                Some((grid.bin(Day::from_field(field)?), Leniency::Iso))
            }
            Self::Datetime(grid, form) => {
                if form
                    .as_ref()
                    .is_some_and(|form| form.pattern().starts_with("%Y"))
                {
                    return None;
                }
                if let Some((moment, offset)) = Moment::from_field_with_offset(field) {
                    let how = if offset {
                        Leniency::ToUtc
                    } else {
                        Leniency::Iso
                    };
                    return Some((grid.bin(moment), how));
                }
                let day: Day = str::from_utf8(field).ok()?.parse().ok()?;
                Some((grid.bin(Moment::from(day)), Leniency::Midnight))
            }
            Self::Date(..) | Self::Boolean => None,
        }
    }
}

/// Whether a comma is either before three decimals or behind a thousand.
fn is_ambiguous(field: &[u8]) -> bool {
    let commas = field.iter().filter(|byte| **byte == b',').count();
    commas == 1 && !field.contains(&b'.')
}

/// So many fields are this.
fn fields(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 field is {what}"),
        _ => format!("{count} fields are {what}"),
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a column has at most MAX_CODES codes"
)]
fn code(code: usize) -> u32 {
    code as u32
}

#[cfg(test)]
mod tests;
