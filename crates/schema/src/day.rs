//! Calendar days.

use std::fmt;
use std::str::FromStr;

use time::Date;

/// A day of the proleptic Gregorian calendar between the years 1 and 9999, counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

const EPOCH: i32 = 2_440_588; // Julian day of 1970-01-01

impl Day {
    /// 0001-01-01.
    pub const MIN: Self = Self(-719_162);
    /// 9999-12-31.
    pub const MAX: Self = Self(2_932_896);

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// The day that many days after 1970-01-01, if it is within the years 1 to 9999.
    #[must_use]
    pub fn from_number(days: i64) -> Option<Self> {
        let day = Self(i32::try_from(days).ok()?);
        (Self::MIN..=Self::MAX).contains(&day).then_some(day)
    }

    /// Reads a field of a table: `2015-01-31`, also with a time of day after a `T` or a space,
    /// which is dropped without being looked at closely. `None` if it is not a day.
    #[inline]
    #[must_use]
    pub fn from_field(text: &[u8]) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let &[y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = date else {
            return None;
        };
        if !rest.is_empty() && !is_time_of_day(rest) {
            return None;
        }
        let mut wrong = false;
        let mut digit = |byte: u8| {
            wrong |= !byte.is_ascii_digit();
            byte.wrapping_sub(b'0')
        };
        let year = [y1, y2, y3, y4]
            .map(&mut digit)
            .iter()
            .fold(0, |year, &d| year * 10 + i32::from(d));
        let month = digit(m1).wrapping_mul(10).wrapping_add(digit(m2));
        let day = digit(d1).wrapping_mul(10).wrapping_add(digit(d2));
        if wrong || year == 0 {
            return None;
        }
        Self::from_calendar(year, month, day)
    }

    /// The day of this year, month and day of the month, if there is one.
    #[inline]
    pub(crate) fn from_calendar(year: i32, month: u8, day: u8) -> Option<Self> {
        const DAYS: [u8; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let days = *DAYS.get(usize::from(month).checked_sub(1)?)?;
        let leaps = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
        let days = days + u8::from(leaps && month == 2);
        if !(1..=9999).contains(&year) || !(1..=days).contains(&day) {
            return None;
        }
        // Years are counted from March, so that a leap day is the last of its year: then 153 days
        // are five months.
        let (year, month) = match month {
            1 | 2 => (year - 1, i32::from(month) + 9),
            _ => (year, i32::from(month) - 3),
        };
        let of_year = (153 * month + 2) / 5 + i32::from(day) - 1;
        let years = 365 * year + year / 4 - year / 100 + year / 400;
        // 719468 days lie between 0000-03-01 and 1970-01-01.
        Some(Self(years + of_year - 719_468))
    }

    /// The day of this year that is so many days into it, from 1, if there is one.
    pub(crate) fn from_day_of_year(year: i32, day: u16) -> Option<Self> {
        Self::from_date(Date::from_ordinal_date(year, day).ok()?)
    }

    fn from_date(date: Date) -> Option<Self> {
        Self::from_number((date.to_julian_day() - EPOCH).into())
    }

    /// Year, month and day of the month.
    pub(crate) fn calendar(self) -> (i32, u8, u8) {
        let (year, month, day) = self.date().to_calendar_date();
        (year, month.into(), day)
    }

    /// The day of its year, from 1.
    pub(crate) fn of_year(self) -> u16 {
        self.date().ordinal()
    }

    fn date(self) -> Date {
        Date::from_julian_day(self.0 + EPOCH).expect("a Day lies in the years 1 to 9999")
    }
}

/// `T10:30`, ` 10:30:00.5+01:00` and the like.
fn is_time_of_day(rest: &[u8]) -> bool {
    matches!(rest[0], b'T' | b't' | b' ')
        && rest.len() >= 6
        && rest[1..].iter().all(|byte| {
            byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'+' | b'-' | b'Z' | b'z' | b' ')
        })
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.calendar();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Day {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        if text.len() == 10 {
            Self::from_field(text.as_bytes()).ok_or(NotADay)
        } else {
            Err(NotADay)
        }
    }
}

/// The text is not a date of the form `2015-01-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date; write it as 2015-01-31")]
pub struct NotADay;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_count_from_1970_and_print_as_they_were_read() {
        for (text, number) in [
            ("1970-01-01", 0),
            ("1969-12-31", -1),
            ("2000-02-29", 11_016),
            ("0001-01-01", Day::MIN.number()),
            ("9999-12-31", Day::MAX.number()),
        ] {
            let day: Day = text.parse().unwrap();
            assert_eq!(day.number(), number);
            assert_eq!(day.to_string(), text);
            assert_eq!(Day::from_number(i64::from(number)), Some(day));
        }
        assert_eq!(Day::from_number(i64::from(Day::MAX.number()) + 1), None);
    }

    #[test]
    fn days_are_those_of_the_calendar() {
        let all = Day::MIN.number()..=Day::MAX.number();
        for (year, month, day, number) in all.map(|number| {
            let (year, month, day) = Day(number).calendar();
            (year, month, day, number)
        }) {
            assert_eq!(Day::from_calendar(year, month, day), Some(Day(number)));
        }
        for year in [
            -400, -1, 0, 1, 4, 100, 400, 1900, 2000, 2023, 2024, 9999, 10_000,
        ] {
            for (month, day) in (0..=14).flat_map(|month| (0..=33).map(move |day| (month, day))) {
                let date = || {
                    let month = time::Month::try_from(month).ok()?;
                    Date::from_calendar_date(year, month, day).ok()
                };
                let is_one = (1..=9999).contains(&year) && date().is_some();
                let read = Day::from_calendar(year, month, day);
                assert_eq!(read.is_some(), is_one, "{year}-{month}-{day}");
            }
        }
    }

    #[test]
    fn what_is_not_a_day_is_refused() {
        for text in [
            "",
            "2015",
            "2015-02-29",
            "2015-13-01",
            "2015-1-1",
            "01-02-2015",
            "2015/01/01",
            "2015-01-0x",
            "0000-01-01",
            "2015-01-01x",
            "2015-01-01T",
            "2015-01-01 noon",
            "2015-0:-01",
        ] {
            assert_eq!(Day::from_field(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn a_time_of_day_is_dropped() {
        let day = Day::from_field(b"2015-06-07").unwrap();
        for text in [
            "2015-06-07T10:30:00Z",
            "2015-06-07 10:30",
            "2015-06-07T10:30:00.123+01:00",
        ] {
            assert_eq!(Day::from_field(text.as_bytes()), Some(day), "{text}");
        }
        assert!("2015-06-07T10:30:00Z".parse::<Day>().is_err());
    }
}
