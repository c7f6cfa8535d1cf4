//! How the dates and times of a column are written.

use std::fmt;
use std::str::FromStr;

use printable::{Hidden, first_hidden};
use serde::{Deserialize, Serialize};

use crate::day::Day;
use crate::moment::{Moment, SECONDS_OF_DAY};
use crate::number::push_digits;

/// How dates, or dates with a time of day, are written in a column, from a pattern as `strftime`
/// has them: `%d/%m/%Y`, `%Y-%m-%dT%H:%M:%S%z`.
///
/// | directive | is |
/// |---|---|
/// | `%Y` | the year, four digits |
/// | `%y` | the year, two digits: 69 to 99 are 1969 to 1999, and 00 to 68 are 2000 to 2068 |
/// | `%m`, `%d`, `%H`, `%I` | month, day, hour of 24, hour of 12 |
/// | `%-m`, `%-d`, `%-H`, `%-I` | the same, written without a zero before it |
/// | `%e` | the day, written with a space instead of the zero |
/// | `%b`, `%B` | the month's English name, short (`Mar`) or long (`March`) |
/// | `%j` | the day of the year, three digits |
/// | `%p` | `AM` or `PM` |
/// | `%M`, `%S` | minute, second |
/// | `%f`, `%3f`, `%6f`, `%9f` | the fraction of a second: `%f` is six digits |
/// | `%z`, `%:z` | the offset from UTC: `+0100`, `+01:00` |
/// | `%%` | a `%` |
///
/// Everything else stands for itself. Names are read in any letter case, and numbers with or
/// without the zero before them, unless digits touch each other (`%Y%m%d`). A fraction of a second
/// is read with any number of digits, and dropped; it is written as zeros. An offset may also be
/// `Z` or `+01`; the moment is converted to UTC and written with the offset 0.
///
/// A part that is the same in all fields may stand for itself: `%Y-%m-01` has the first days of
/// months alone, and `%Y-%m-%d %H:00` whole hours.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DateForm {
    pattern: String,
    items: Vec<Item>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Item {
    Literal(u8),
    /// `exact` says that other digits touch it, so that it must have all its own.
    Number {
        part: Part,
        padding: Padding,
        exact: bool,
    },
    Month {
        long: bool,
    },
    HalfDay,
    Fraction(u8),
    Offset {
        colon: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Padding {
    Zero,
    Space,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Part {
    Year,
    ShortYear,
    Month,
    Day,
    DayOfYear,
    Hour,
    Hour12,
    Minute,
    Second,
}

impl Part {
    fn digits(self) -> usize {
        match self {
            Self::Year => 4,
            Self::DayOfYear => 3,
            _ => 2,
        }
    }

    /// Whether it has all its digits always.
    fn is_fixed(self) -> bool {
        matches!(self, Self::Year | Self::ShortYear)
    }
}

/// What all dates of a column begin, where they are not of all days or moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unit {
    /// Whole hours.
    Hour,
    /// Midnights.
    Day,
    /// First days of months; of moments, their midnights.
    Month,
}

impl Unit {
    /// From the finest to the coarsest.
    pub const ALL: [Unit; 3] = [Unit::Hour, Unit::Day, Unit::Month];
}

/// What is wrong with the pattern of a [`DateForm`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormError {
    /// A directive that is not supported.
    #[error(
        "`{directive}` in {pattern:?} is not supported; supported are %Y, %y, %m, %d, %e, %b, %B, \
         %j, %H, %I, %p, %M, %S, %f, %z and %%"
    )]
    Unsupported {
        /// The pattern as it was given.
        pattern: String,
        /// The directive with its `%`.
        directive: String,
    },
    /// Something is said twice.
    #[error("{pattern:?} has {what} twice; keep one")]
    Twice {
        /// The pattern as it was given.
        pattern: String,
        /// What is said twice.
        what: &'static str,
    },
    /// The pattern does not say which day or moment it is.
    #[error("{pattern:?} lacks {what}")]
    Lacks {
        /// The pattern as it was given.
        pattern: String,
        /// What it needs.
        what: &'static str,
    },
    /// A character that a reader would not see.
    #[error("{pattern:?} has the character {hidden}; remove it")]
    Hidden {
        /// The pattern as it was given.
        pattern: String,
        /// The first hidden character in it.
        hidden: Hidden,
    },
    /// A character that would end a quoted field.
    #[error("{pattern:?} has a quote or a backslash; remove it")]
    Quote {
        /// The pattern as it was given.
        pattern: String,
    },
    /// Longer than any date.
    #[error("the pattern has more than {limit} bytes", limit = MAX_PATTERN_BYTES)]
    TooLong,
}

const SECONDS_OF_HOUR: i64 = 3600;

const MAX_PATTERN_BYTES: usize = 64;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Parts of a field while it is read.
#[derive(Default)]
struct Parts {
    year: i32,
    month: u8,
    day: u8,
    day_of_year: u16,
    hour: i64,
    hour12: Option<i64>,
    afternoon: bool,
    minute: i64,
    second: i64,
    /// Seconds that local clocks are ahead of UTC.
    ahead: i64,
}

impl DateForm {
    /// Reads a pattern.
    ///
    /// # Errors
    /// If a directive is not supported, something is said twice, or it does not determine a day
    /// (and with a time of day, hour and minute).
    pub fn new(pattern: &str) -> Result<Self, FormError> {
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(FormError::TooLong);
        }
        if let Some(hidden) = first_hidden(pattern) {
            let pattern = pattern.to_owned();
            return Err(FormError::Hidden { pattern, hidden });
        }
        // Neither CSV nor JSON would have to escape what is written.
        if pattern.contains(['"', '\\']) {
            let pattern = pattern.to_owned();
            return Err(FormError::Quote { pattern });
        }
        let mut items = parse(pattern)?;
        check_complete(pattern, &items)?;
        let is_digits = |item: &Item| match item {
            Item::Number { .. } | Item::Fraction(_) => true,
            Item::Literal(byte) => byte.is_ascii_digit(),
            _ => false,
        };
        let touched: Vec<bool> = (0..items.len())
            .map(|i| {
                let before = i.checked_sub(1).map(|before| &items[before]);
                before.is_some_and(is_digits) || items.get(i + 1).is_some_and(is_digits)
            })
            .collect();
        for (item, touched) in items.iter_mut().zip(touched) {
            if let Item::Number { exact, .. } = item {
                *exact = touched;
            }
        }
        let pattern = pattern.to_owned();
        Ok(Self { pattern, items })
    }

    /// The pattern.
    #[must_use]
    pub fn pattern(&self) -> &str {
        &self.pattern
    }

    /// Whether it has a time of day.
    #[must_use]
    pub fn has_time(&self) -> bool {
        self.has(|item| {
            matches!(
                item,
                Item::Number {
                    part: Part::Hour | Part::Hour12,
                    ..
                }
            )
        })
    }

    /// Whether it has seconds.
    #[must_use]
    pub fn has_seconds(&self) -> bool {
        self.has(|item| {
            matches!(
                item,
                Item::Number {
                    part: Part::Second,
                    ..
                }
            )
        })
    }

    /// The same form for dates that all begin such a unit, with the part that they share as it is
    /// written: `%Y-%m-01` for `%Y-%m-%d`. `None` where the form cannot tell smaller units, or
    /// writes them in another way than as two digits.
    #[must_use]
    pub fn of_whole(&self, unit: Unit) -> Option<Self> {
        let odd = self.has(|item| {
            matches!(
                item,
                Item::Offset { .. } | Item::Fraction(_) | Item::HalfDay
            ) || matches!(
                item,
                Item::Number {
                    part: Part::DayOfYear,
                    ..
                }
            )
        });
        if odd || unit != Unit::Month && !self.has_time() {
            return None;
        }
        let mut parts = vec![("%M", "00"), ("%S", "00")];
        if unit >= Unit::Day {
            parts.extend([("%H", "00"), ("%-H", "0")]);
        }
        if unit >= Unit::Month {
            parts.extend([("%d", "01"), ("%-d", "1"), ("%e", " 1")]);
        }
        let same = |pattern: String, (part, text): (&str, &str)| pattern.replace(part, text);
        let pattern = parts.into_iter().fold(self.pattern.clone(), same);
        Self::new(&pattern).ok()
    }

    /// The largest unit that a moment begins, the finer parts being zero.
    #[must_use]
    pub fn unit_of(moment: Moment) -> Option<Unit> {
        let (day, second) = moment.split();
        match (second, day.calendar().2) {
            (0, 1) => Some(Unit::Month),
            (0, _) => Some(Unit::Day),
            _ if second % SECONDS_OF_HOUR == 0 => Some(Unit::Hour),
            _ => None,
        }
    }

    /// The day that is read of what is written for a day: the first of its month where the form
    /// has no others.
    #[must_use]
    pub fn told_day(&self, day: Day) -> Day {
        let is_day = |item: &Item| {
            let parts = [Part::Day, Part::DayOfYear];
            matches!(item, Item::Number { part, .. } if parts.contains(part))
        };
        if self.has(is_day) {
            return day;
        }
        let (year, month, _) = day.calendar();
        Day::from_calendar(year, month, 1).expect("every month has a first day")
    }

    /// The same for a moment.
    #[must_use]
    pub fn told_moment(&self, moment: Moment) -> Moment {
        let has = |wanted: Part| {
            self.has(|item| matches!(item, Item::Number { part, .. } if *part == wanted))
        };
        let unit = match (has(Part::Minute), has(Part::Second)) {
            (_, true) => 1,
            (true, false) => 60,
            (false, false) => SECONDS_OF_HOUR,
        };
        let (day, second) = moment.split();
        let start = i64::from(self.told_day(day).number()) * SECONDS_OF_DAY;
        Moment::from_number(start + second - second % unit).expect("its day has the moment")
    }

    /// Whether it has an offset from UTC.
    #[must_use]
    pub fn has_offset(&self) -> bool {
        self.has(|item| matches!(item, Item::Offset { .. }))
    }

    /// `day first` or `month first`, where both are numbers and no year before them says which is
    /// which.
    #[must_use]
    pub fn order(&self) -> Option<&'static str> {
        let at = |wanted: &[Part]| {
            let is =
                |item: &Item| matches!(item, Item::Number { part, .. } if wanted.contains(part));
            self.items.iter().position(is)
        };
        // The day may be the same in all dates, and stand for itself.
        let one = || {
            self.items
                .iter()
                .position(|item| *item == Item::Literal(b'1'))
        };
        let (day, month) = (at(&[Part::Day]).or_else(one)?, at(&[Part::Month])?);
        let year = at(&[Part::Year, Part::ShortYear])?;
        (year > day.min(month)).then_some(match day < month {
            true => "day first",
            false => "month first",
        })
    }

    /// Whether a day can be written so that it is read back: years of two digits are those from
    /// 1969 to 2068.
    #[must_use]
    pub fn can_write(&self, day: Day) -> bool {
        let short = self.has(|item| {
            matches!(
                item,
                Item::Number {
                    part: Part::ShortYear,
                    ..
                }
            )
        });
        !short || (1969..=2068).contains(&day.calendar().0)
    }

    /// Whether a date of this form has a comma in it, or a space at an end.
    pub(crate) fn needs_quotes(&self) -> bool {
        let spaced = matches!(
            self.items.first(),
            Some(Item::Number {
                padding: Padding::Space,
                ..
            })
        );
        spaced || self.pattern.contains(',') || self.pattern.trim() != self.pattern
    }

    fn has(&self, wanted: impl Fn(&Item) -> bool) -> bool {
        self.items.iter().any(wanted)
    }

    /// Reads a day; with a time of day and an offset, the day in UTC. `None` if the field is not
    /// written in this form. Spaces around a field are not part of it.
    #[must_use]
    pub fn day(&self, field: &[u8]) -> Option<Day> {
        let parts = self.parts(field)?;
        if parts.ahead == 0 {
            return parts.day();
        }
        Day::from_number(parts.moment()?.number().div_euclid(SECONDS_OF_DAY))
    }

    /// Reads a moment, in UTC where the form has an offset. `None` if the field is not written in
    /// this form, or the form has no time of day.
    #[must_use]
    pub fn moment(&self, field: &[u8]) -> Option<Moment> {
        self.has_time().then(|| self.parts(field))??.moment()
    }

    /// Whether the field is a date of this form, and written as this form writes it, but for the
    /// fraction of a second.
    #[must_use]
    pub fn is_as_written(&self, field: &[u8]) -> bool {
        let mut written = Vec::with_capacity(field.len());
        if self.has_time() {
            let Some(moment) = self.moment(field) else {
                return false;
            };
            self.write_moment(moment, &mut written);
        } else {
            let Some(day) = self.day(field) else {
                return false;
            };
            self.write_day(day, &mut written);
        }
        written == field
            || self.has(|item| matches!(item, Item::Fraction(_))) && written.len() == field.len()
    }

    /// Appends a day in this form, at midnight where the form has a time of day.
    pub fn write_day(&self, day: Day, buffer: &mut Vec<u8>) {
        self.write(day, 0, buffer);
    }

    /// Appends a moment in this form.
    pub fn write_moment(&self, moment: Moment, buffer: &mut Vec<u8>) {
        let (day, second) = moment.split();
        self.write(day, second, buffer);
    }

    /// The same form with numbers written without the zero before them: `%-d/%-m/%Y`. `None` if
    /// there is none, since digits touch each other or nothing has such a zero.
    #[must_use]
    pub fn unpadded(&self) -> Option<Self> {
        let mut pattern = self.pattern.clone();
        for directive in ["%d", "%m", "%I"] {
            pattern = pattern.replace(directive, &directive.replace('%', "%-"));
        }
        let form = Self::new(&pattern).ok()?;
        let adjacent = form.has(|item| {
            matches!(
                item,
                Item::Number {
                    padding: Padding::None,
                    exact: true,
                    ..
                }
            )
        });
        (pattern != self.pattern && !adjacent).then_some(form)
    }

    /// The forms that dates usually have, from which one is chosen for a column of which nothing is
    /// declared. No two of them differ only in zeros before a number; see
    /// [`unpadded`](Self::unpadded).
    #[must_use]
    pub fn usual() -> Vec<Self> {
        let mut patterns: Vec<String> = [
            "%Y-%m-%d",
            "%Y/%m/%d",
            "%Y.%m.%d",
            "%Y%m%d",
            "%d/%m/%y",
            "%m/%d/%y",
            "%d.%m.%y",
            "%d %b %Y",
            "%d %B %Y",
            "%d-%b-%Y",
            "%d-%b-%y",
            "%d%b%Y",
            "%d%b%Y:%H:%M:%S",
            "%b %d, %Y",
            "%B %d, %Y",
        ]
        .map(str::to_owned)
        .into();
        for separator in ["T", " "] {
            for time in ["%H:%M", "%H:%M:%S", "%H:%M:%S.%3f", "%H:%M:%S.%f"] {
                for zone in ["", "Z", "%:z"] {
                    patterns.push(format!("%Y-%m-%d{separator}{time}{zone}"));
                }
            }
        }
        for day in [
            "%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%m.%d.%Y", "%d-%m-%Y", "%m-%d-%Y",
        ] {
            patterns.extend(
                [day, &format!("{day} %H:%M"), &format!("{day} %H:%M:%S")].map(str::to_owned),
            );
        }
        for time in ["%I:%M %p", "%I:%M:%S %p"] {
            patterns.push(format!("%m/%d/%Y {time}"));
        }
        let form = |pattern: &String| Self::new(pattern).expect("each of the patterns is complete");
        patterns.iter().map(form).collect()
    }

    fn parts(&self, mut field: &[u8]) -> Option<Parts> {
        let mut parts = Parts::default();
        for item in &self.items {
            field = parts.take(*item, field)?;
        }
        // Where it is not read, the pattern has the first day in its own words.
        parts.day = parts.day.max(u8::from(!self.has(|item| {
            matches!(
                item,
                Item::Number {
                    part: Part::Day,
                    ..
                }
            )
        })));
        field.is_empty().then_some(parts)
    }

    fn write(&self, day: Day, second_of_day: i64, buffer: &mut Vec<u8>) {
        let (year, month, day_of_month) = day.calendar();
        let hour = second_of_day / 3600;
        for item in &self.items {
            match *item {
                Item::Literal(byte) => buffer.push(byte),
                Item::Number { part, padding, .. } => {
                    let value = match part {
                        Part::Year => i64::from(year),
                        Part::ShortYear => i64::from(year % 100),
                        Part::Month => month.into(),
                        Part::Day => day_of_month.into(),
                        Part::DayOfYear => day.of_year().into(),
                        Part::Hour => hour,
                        Part::Hour12 => (hour + 11) % 12 + 1,
                        Part::Minute => second_of_day / 60 % 60,
                        Part::Second => second_of_day % 60,
                    };
                    if padding == Padding::Space && value < 10 {
                        buffer.push(b' ');
                    }
                    let digits = if padding == Padding::Zero {
                        part.digits()
                    } else {
                        1
                    };
                    push_digits(buffer, value.unsigned_abs(), digits);
                }
                Item::Month { long } => {
                    let name = MONTHS[usize::from(month) - 1];
                    let name = if long { name } else { &name[..3] };
                    buffer.extend_from_slice(name.as_bytes());
                }
                Item::HalfDay => buffer.extend_from_slice(if hour < 12 { b"AM" } else { b"PM" }),
                Item::Fraction(digits) => push_digits(buffer, 0, digits.into()),
                Item::Offset { colon } => {
                    buffer.extend_from_slice(if colon { b"+00:00" } else { b"+0000" });
                }
            }
        }
    }
}

fn parse(pattern: &str) -> Result<Vec<Item>, FormError> {
    let number = |part, padding| Item::Number {
        part,
        padding,
        exact: false,
    };
    let mut items = Vec::new();
    let mut rest = pattern.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        if byte != b'%' {
            items.push(Item::Literal(byte));
            rest = after;
            continue;
        }
        let flag = after.first().copied();
        let flagged = matches!(flag, Some(b'-' | b':' | b'3' | b'6' | b'9'));
        let letter = after.get(usize::from(flagged)).copied().unwrap_or(b' ');
        let item = match (flag.filter(|_| flagged), letter) {
            (None, b'%') => Item::Literal(b'%'),
            (None, b'Y') => number(Part::Year, Padding::Zero),
            (None, b'y') => number(Part::ShortYear, Padding::Zero),
            (None, b'j') => number(Part::DayOfYear, Padding::Zero),
            (None, b'M') => number(Part::Minute, Padding::Zero),
            (None, b'S') => number(Part::Second, Padding::Zero),
            (None, b'e') => number(Part::Day, Padding::Space),
            (None, b'm') => number(Part::Month, Padding::Zero),
            (None, b'd') => number(Part::Day, Padding::Zero),
            (None, b'H') => number(Part::Hour, Padding::Zero),
            (None, b'I') => number(Part::Hour12, Padding::Zero),
            (Some(b'-'), b'm') => number(Part::Month, Padding::None),
            (Some(b'-'), b'd') => number(Part::Day, Padding::None),
            (Some(b'-'), b'H') => number(Part::Hour, Padding::None),
            (Some(b'-'), b'I') => number(Part::Hour12, Padding::None),
            (None, b'b') => Item::Month { long: false },
            (None, b'B') => Item::Month { long: true },
            (None, b'p') => Item::HalfDay,
            (None, b'f') => Item::Fraction(6),
            (Some(digit @ b'3'..=b'9'), b'f') => Item::Fraction(digit - b'0'),
            (None, b'z') => Item::Offset { colon: false },
            (Some(b':'), b'z') => Item::Offset { colon: true },
            _ => {
                let at = pattern.len() - rest.len();
                let directive = pattern[at..]
                    .chars()
                    .take(2 + usize::from(flagged))
                    .collect();
                let pattern = pattern.to_owned();
                return Err(FormError::Unsupported { pattern, directive });
            }
        };
        items.push(item);
        rest = &after[1 + usize::from(flagged)..];
    }
    Ok(items)
}

fn check_complete(pattern: &str, items: &[Item]) -> Result<(), FormError> {
    let count = |wanted: &[Part]| {
        let is = |item: &&Item| matches!(item, Item::Number { part, .. } if wanted.contains(part));
        items.iter().filter(is).count()
    };
    let others = |wanted: fn(&Item) -> bool| items.iter().filter(|item| wanted(item)).count();
    let years = count(&[Part::Year, Part::ShortYear]);
    let months = count(&[Part::Month]) + others(|item| matches!(item, Item::Month { .. }));
    let days = count(&[Part::Day]);
    let days_of_year = count(&[Part::DayOfYear]);
    let hours = count(&[Part::Hour, Part::Hour12]);
    let half_days = others(|item| matches!(item, Item::HalfDay));
    let (minutes, seconds) = (count(&[Part::Minute]), count(&[Part::Second]));
    let fractions = others(|item| matches!(item, Item::Fraction(_)));
    let offsets = others(|item| matches!(item, Item::Offset { .. }));

    let twice = [
        ("the year", years),
        ("the month", months + days_of_year),
        ("the day", days + days_of_year),
        ("the hour", hours),
        ("AM or PM", half_days),
        ("the minute", minutes),
        ("the second", seconds),
        ("the fraction of a second", fractions),
        ("the offset", offsets),
    ];
    if let Some((what, _)) = twice.into_iter().find(|&(_, count)| count > 1) {
        let pattern = pattern.to_owned();
        return Err(FormError::Twice { pattern, what });
    }
    let hours12 = count(&[Part::Hour12]);
    // A number of its own, with no other digit beside it.
    let has = |numbers: &[&[u8]]| {
        let digit = |item: &Item| match item {
            Item::Literal(byte) if byte.is_ascii_digit() => Some(*byte),
            _ => None,
        };
        let mut runs = items.split(|item| digit(item).is_none());
        runs.any(|run| {
            let digits: Vec<u8> = run.iter().filter_map(digit).collect();
            numbers.contains(&digits.as_slice())
        })
    };
    let lacks = [
        ("the year (%Y)", years == 0),
        ("the month (%m)", months + days_of_year == 0),
        (
            "the day (%d)",
            days + days_of_year == 0 && !has(&[b"1", b"01"]),
        ),
        ("AM or PM (%p) for the hour of 12", hours12 > half_days),
        ("the hour of 12 (%I) for AM or PM", half_days > hours12),
        ("the minute (%M)", hours > minutes && !has(&[b"00"])),
        ("the hour (%H)", hours < minutes || offsets > hours),
        ("the minute (%M) for the second", minutes < seconds),
        ("the second (%S) for the fraction", seconds < fractions),
    ];
    match lacks.into_iter().find(|&(_, lacks)| lacks) {
        Some((what, _)) => {
            let pattern = pattern.to_owned();
            Err(FormError::Lacks { pattern, what })
        }
        None => Ok(()),
    }
}

impl Parts {
    /// Takes one part off the beginning of a field, and returns the rest.
    fn take<'a>(&mut self, item: Item, field: &'a [u8]) -> Option<&'a [u8]> {
        match item {
            Item::Literal(byte) => field.strip_prefix(&[byte]),
            Item::Number {
                part,
                padding,
                exact,
            } => {
                let field = match (padding, field) {
                    (Padding::Space, [b' ', rest @ ..]) => rest,
                    _ => field,
                };
                let least = match padding {
                    _ if part.is_fixed() => part.digits(),
                    Padding::Zero if exact => part.digits(),
                    _ => 1,
                };
                let (value, rest) = digits(field, least, part.digits())?;
                self.set(part, value);
                Some(rest)
            }
            Item::Month { long } => {
                let is = |name: &str| {
                    let name = if long { name } else { &name[..3] };
                    let head = field.get(..name.len())?;
                    head.eq_ignore_ascii_case(name.as_bytes())
                        .then_some(name.len())
                };
                let (month, length) = (1..)
                    .zip(MONTHS)
                    .find_map(|(month, name)| Some((month, is(name)?)))?;
                self.month = month;
                Some(&field[length..])
            }
            Item::HalfDay => {
                let (head, rest) = field.split_at_checked(2)?;
                self.afternoon = head.eq_ignore_ascii_case(b"pm");
                (self.afternoon || head.eq_ignore_ascii_case(b"am")).then_some(rest)
            }
            Item::Fraction(_) => digits(field, 1, 9).map(|(_, rest)| rest),
            Item::Offset { .. } => {
                let (ahead, rest) = offset(field)?;
                self.ahead = ahead;
                Some(rest)
            }
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part has at most four digits, the small ones at most three"
    )]
    fn set(&mut self, part: Part, value: i64) {
        match part {
            Part::Year => self.year = value as i32,
            // As POSIX has it.
            Part::ShortYear => self.year = value as i32 + if value < 69 { 2000 } else { 1900 },
            Part::Month => self.month = value as u8,
            Part::Day => self.day = value as u8,
            Part::DayOfYear => self.day_of_year = value as u16,
            Part::Hour => self.hour = value,
            Part::Hour12 => self.hour12 = Some(value),
            Part::Minute => self.minute = value,
            Part::Second => self.second = value,
        }
    }

    fn day(&self) -> Option<Day> {
        if self.hour > 23
            || !self.hour12.is_none_or(|hour| (1..=12).contains(&hour))
            || self.minute > 59
            || self.second > 59
        {
            return None;
        }
        match self.day_of_year {
            0 => Day::from_calendar(self.year, self.month, self.day),
            day => Day::from_day_of_year(self.year, day),
        }
    }

    fn moment(&self) -> Option<Moment> {
        let day = self.day()?;
        let hour = match self.hour12 {
            None => self.hour,
            Some(hour12) => hour12 % 12 + if self.afternoon { 12 } else { 0 },
        };
        let second = 3600 * hour + 60 * self.minute + self.second;
        Moment::from_number(i64::from(day.number()) * SECONDS_OF_DAY + second - self.ahead)
    }
}

/// The number at the beginning of a field, of that many digits at least and at most, and the rest.
fn digits(field: &[u8], least: usize, most: usize) -> Option<(i64, &[u8])> {
    let mut value = 0;
    let mut count = 0;
    for byte in field
        .iter()
        .take(most)
        .take_while(|byte| byte.is_ascii_digit())
    {
        value = value * 10 + i64::from(byte - b'0');
        count += 1;
    }
    (count >= least).then(|| (value, &field[count..]))
}

/// An offset from UTC at the beginning of a field, in seconds, and the rest: `Z`, `+01`, `-0330`,
/// `+05:30`.
pub(crate) fn offset(field: &[u8]) -> Option<(i64, &[u8])> {
    let (sign, rest) = match field {
        [b'Z' | b'z', rest @ ..] => return Some((0, rest)),
        [b'+', rest @ ..] => (1, rest),
        [b'-', rest @ ..] => (-1, rest),
        _ => return None,
    };
    let (hours, rest) = digits(rest, 2, 2)?;
    let after_colon = rest.strip_prefix(b":");
    let (minutes, rest) = match digits(after_colon.unwrap_or(rest), 2, 2) {
        Some(found) => found,
        None if after_colon.is_none() => (0, rest),
        None => return None,
    };
    // The furthest that any place has been from UTC is below 16 hours.
    (hours < 16 && minutes < 60).then(|| (sign * (3600 * hours + 60 * minutes), rest))
}

impl fmt::Display for DateForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)
    }
}

impl FromStr for DateForm {
    type Err = FormError;

    fn from_str(pattern: &str) -> Result<Self, FormError> {
        Self::new(pattern)
    }
}

impl TryFrom<String> for DateForm {
    type Error = FormError;

    fn try_from(pattern: String) -> Result<Self, FormError> {
        Self::new(&pattern)
    }
}

impl From<DateForm> for String {
    fn from(form: DateForm) -> Self {
        form.pattern
    }
}

#[cfg(test)]
mod tests;
