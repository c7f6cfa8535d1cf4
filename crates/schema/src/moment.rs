//! Dates with a time of day.

use std::fmt;
use std::str::FromStr;

use crate::day::Day;
use crate::form::offset;
use crate::number::trim;

/// A second of a day between the years 1 and 9999, counted from 1970-01-01T00:00:00. It is what a
/// clock on some wall shows: no time zone belongs to it, and no day has a second more or less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(i64);

pub(crate) const SECONDS_OF_DAY: i64 = 86_400;

impl Moment {
    const MIN: Self = Self(Day::MIN.number() as i64 * SECONDS_OF_DAY);
    const MAX: Self = Self((Day::MAX.number() as i64 + 1) * SECONDS_OF_DAY - 1);

    /// Seconds since 1970-01-01T00:00:00.
    #[must_use]
    pub fn number(self) -> i64 {
        self.0
    }

    /// The moment that many seconds after 1970-01-01T00:00:00, if it is within the years 1 to 9999.
    #[must_use]
    pub fn from_number(seconds: i64) -> Option<Self> {
        let moment = Self(seconds);
        (Self::MIN..=Self::MAX).contains(&moment).then_some(moment)
    }

    /// The day that it lies on.
    #[must_use]
    pub fn day(self) -> Day {
        self.split().0
    }

    /// Reads what [`from_field`](Self::from_field) does, and also moments with an offset from UTC
    /// (`Z`, `+01:00`), which are converted to UTC; whether there was one is the second part.
    #[must_use]
    pub fn from_field_with_offset(text: &[u8]) -> Option<(Self, bool)> {
        if let Some(moment) = Self::from_field(text) {
            return Some((moment, false));
        }
        // An offset has no colon, point or `T` before its sign, and a date has 10 bytes.
        let time = text.get(10..)?;
        let sign = |byte: &u8| matches!(byte, b'Z' | b'z' | b'+' | b'-');
        let at = 10 + time.iter().position(sign)?;
        let (ahead, rest) = offset(&text[at..])?;
        let local = Self::from_field(trim(&text[..at]))?;
        let moment = Self::from_number(local.0 - ahead)?;
        rest.is_empty().then_some((moment, true))
    }

    /// The day, and the second of it.
    pub(crate) fn split(self) -> (Day, i64) {
        let day = Day::from_number(self.0.div_euclid(SECONDS_OF_DAY));
        let day = day.expect("a moment lies on a day of the years 1 to 9999");
        (day, self.0.rem_euclid(SECONDS_OF_DAY))
    }

    /// Reads a field of a table: `2015-01-31T10:30` or `2015-01-31 10:30:59`; a fraction of a
    /// second is dropped. `None` if it is not a moment, or has a time zone.
    #[must_use]
    pub fn from_field(text: &[u8]) -> Option<Self> {
        let (date, rest) = text.split_at_checked(10)?;
        let day = Day::from_field(date)?;
        let (&separator, time) = rest.split_first()?;
        if !matches!(separator, b'T' | b' ') {
            return None;
        }
        let (whole, fraction) = match time.iter().position(|&byte| byte == b'.') {
            Some(point) => (&time[..point], Some(&time[point + 1..])),
            None => (time, None),
        };
        let (hour, minute, second) = match *whole {
            [h1, h2, b':', m1, m2] if fraction.is_none() => ([h1, h2], [m1, m2], *b"00"),
            [h1, h2, b':', m1, m2, b':', s1, s2] => ([h1, h2], [m1, m2], [s1, s2]),
            _ => return None,
        };
        let is_fraction =
            |digits: &[u8]| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        if !fraction.is_none_or(is_fraction) {
            return None;
        }
        let of_day = 3600 * below(hour, 24)? + 60 * below(minute, 60)? + below(second, 60)?;
        Some(Self(i64::from(day.number()) * SECONDS_OF_DAY + of_day))
    }
}

/// Two digits, if they are less than this together.
fn below([tens, ones]: [u8; 2], limit: i64) -> Option<i64> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| i64::from(byte - b'0'));
    let value = 10 * digit(tens)? + digit(ones)?;
    (value < limit).then_some(value)
}

impl From<Day> for Moment {
    /// Midnight of the day.
    fn from(day: Day) -> Self {
        Self(i64::from(day.number()) * SECONDS_OF_DAY)
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (day, second) = self.split();
        let (hour, minute) = (second / 3600, second / 60 % 60);
        write!(f, "{day}T{hour:02}:{minute:02}:{:02}", second % 60)
    }
}

impl FromStr for Moment {
    type Err = NotAMoment;

    fn from_str(text: &str) -> Result<Self, NotAMoment> {
        Self::from_field(text.as_bytes()).ok_or(NotAMoment)
    }
}

/// The text is not a date and time of the form `2015-01-31T10:30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a date and time without a zone; write it as 2015-01-31T10:30")]
pub struct NotAMoment;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_count_from_1970_and_print_to_the_second() {
        for (text, number, printed) in [
            ("1970-01-01T00:00", 0, "1970-01-01T00:00:00"),
            ("1969-12-31 23:59:59", -1, "1969-12-31T23:59:59"),
            ("2000-02-29T12:00:01", 951_825_601, "2000-02-29T12:00:01"),
            (
                "2000-02-29T12:00:01.999",
                951_825_601,
                "2000-02-29T12:00:01",
            ),
            ("0001-01-01T00:00:00", Moment::MIN.0, "0001-01-01T00:00:00"),
            ("9999-12-31T23:59:59", Moment::MAX.0, "9999-12-31T23:59:59"),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!(
                (moment.number(), moment.to_string().as_str()),
                (number, printed)
            );
            assert_eq!(Moment::from_number(number), Some(moment));
            assert_eq!(printed.parse(), Ok(moment));
        }
        assert_eq!(Moment::from_number(Moment::MAX.0 + 1), None);
        assert_eq!(Moment::from_number(Moment::MIN.0 - 1), None);
    }

    #[test]
    fn an_offset_is_converted_to_utc() {
        for (text, expected) in [
            ("2020-01-01T00:30", Some(("2020-01-01T00:30:00", false))),
            ("2020-01-01T00:30Z", Some(("2020-01-01T00:30:00", true))),
            (
                "2020-01-01 00:30:00.5 +01:00",
                Some(("2019-12-31T23:30:00", true)),
            ),
            (
                "2020-01-01T00:30:00-0230",
                Some(("2020-01-01T03:00:00", true)),
            ),
            ("0001-01-01T00:00+01", None),
            ("2020-01-01T00:30+1", None),
            ("2020-01-01T00:30Zulu", None),
            ("2020-01-01Z", None),
        ] {
            let read = Moment::from_field_with_offset(text.as_bytes());
            let read = read.map(|(moment, offset)| (moment.to_string(), offset));
            let expected = expected.map(|(moment, offset)| (moment.to_owned(), offset));
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_a_moment_is_refused() {
        for text in [
            "",
            "2015-01-31",
            "2015-01-31T",
            "2015-01-31T10",
            "2015-01-31T1:30",
            "2015-01-31T24:00",
            "2015-01-31T10:60",
            "2015-01-31T10:30:60",
            "2015-01-31T10:30Z",
            "2015-01-31T10:30:00+01:00",
            "2015-01-31t10:30",
            "2015-01-31T10:30.5",
            "2015-01-31T10:30:00.",
            "2015-01-31T10:30:00.5Z",
            "2015-02-29T10:30",
            "2015-01-31T10-30",
            "2015-01-31Tx0:30",
        ] {
            assert_eq!(Moment::from_field(text.as_bytes()), None, "{text}");
        }
    }
}
