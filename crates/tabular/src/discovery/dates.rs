//! In which form the dates of an undeclared column are written.

use schema::form::{DateForm, Unit};

use super::kind::Seen;
use super::ladder::midnight;

/// The forms from which that of a column is chosen, which are the same for all tables.
pub(super) struct DateForms {
    forms: Vec<Candidate>,
    compact: DateForm,
}

struct Candidate {
    form: DateForm,
    /// The same with numbers written without the zero before them.
    unpadded: Option<DateForm>,
    /// Which units it can be written for.
    units: [bool; Unit::ALL.len()],
    /// The position of the form that has day and month the other way round; its own if there is
    /// none.
    mirrored: usize,
}

/// Cells of one candidate: fields that its mirror image cannot read, with zeros and without; and
/// those that both can read, which the first of the two has. Of each as many as there are units
/// which a date can begin, and one more.
const CELLS: usize = 4 * UNITS;

const UNITS: usize = 1 + Unit::ALL.len();

impl DateForms {
    pub(super) fn usual() -> Self {
        let forms = DateForm::usual();
        let position = |pattern: &str| forms.iter().position(|form| form.pattern() == pattern);
        let candidates = forms.iter().enumerate().map(|(i, form)| Candidate {
            form: form.clone(),
            unpadded: form.unpadded(),
            units: Unit::ALL.map(|unit| form.of_whole(unit).is_some()),
            mirrored: position(&mirrored(form.pattern())).unwrap_or(i),
        });
        Self {
            forms: candidates.collect(),
            compact: DateForm::new(COMPACT).expect("a complete pattern"),
        }
    }

    /// Whether digits are a day of our time. Of other numbers of eight digits, one in a thousand
    /// is.
    pub(super) fn is_compact(&self, text: &[u8]) -> bool {
        text.len() == 8
            && matches!(text, [b'1', b'9', ..] | [b'2', b'0', ..])
            && self.compact.day(text).is_some()
    }

    pub(super) fn compact(&self) -> DateForm {
        self.compact.clone()
    }

    /// Whether a date has a time of day; `None` if the text is not a date.
    pub(super) fn has_time(&self, text: &[u8]) -> Option<bool> {
        let read = self.forms.iter().find(|it| reads(&it.form, text))?;
        Some(read.form.has_time())
    }

    /// How many cells there are.
    pub(super) fn cell_count(&self) -> usize {
        CELLS * self.forms.len()
    }

    /// Rows in each cell, for texts with their rows.
    pub(super) fn cells<'a>(&self, texts: impl Iterator<Item = (&'a [u8], u32)>) -> Vec<u32> {
        let mut cells = vec![0; self.cell_count()];
        for (text, rows) in texts {
            if let Some(cell) = self.cell(text) {
                cells[cell] += rows;
            }
        }
        cells
    }

    /// The cell that counts a date; none if the text is not one.
    pub(super) fn cell(&self, text: &[u8]) -> Option<usize> {
        let read = |it: &&Candidate| reads(&it.form, text);
        let first = self.forms.iter().position(|it| read(&it))?;
        // Of several that read it, the one that would write it so; seconds with three digits after
        // the point are read as those with six.
        let as_written = |it: &Candidate| {
            let unpadded = it.unpadded.iter();
            unpadded
                .chain([&it.form])
                .any(|form| form.is_as_written(text))
        };
        let own = self.forms.iter().position(|it| read(&it) && as_written(it));
        let own = own.unwrap_or(first);
        let it = &self.forms[own];
        // Moments with an offset are not written as they were read, padded or not.
        let written = |form: &DateForm| form.is_as_written(text);
        let lacks_zero = !written(&it.form) && it.unpadded.as_ref().is_some_and(written);
        let ambiguous = it.mirrored != own && reads(&self.forms[it.mirrored].form, text);
        let at = if ambiguous { own.min(it.mirrored) } else { own };
        let kind = 2 * usize::from(ambiguous) + usize::from(lacks_zero);
        Some(CELLS * at + UNITS * kind + it.unit(text, own == it.mirrored))
    }

    /// The form that nine tenths of the dates have by noisy counts, if one has.
    pub(super) fn chosen(&self, noisy: &[f64], sigma: f64) -> Option<Chosen> {
        let seen = Seen::new(noisy, sigma);
        let all = seen.sum(0..noisy.len());
        let units = |first: usize| first..first + UNITS;
        // With zeros, and without.
        let counts = |i: usize| {
            let mirrored = self.forms[i].mirrored;
            let count = |unpadded| {
                let ambiguous = match mirrored == i {
                    true => 0.0,
                    false => seen.sum(units(CELLS * mirrored.min(i) + UNITS * (2 + unpadded))),
                };
                seen.sum(units(CELLS * i + UNITS * unpadded)) + ambiguous
            };
            (count(0), count(1))
        };
        let score = |i: usize| counts(i).0 + counts(i).1;
        // The first of equals, which has the day first.
        let best = (0..self.forms.len()).reduce(|a, b| if score(b) > score(a) { b } else { a })?;
        if all <= 0.0 || score(best) < 0.9 * all {
            return None;
        }
        // Some dates need no zero; where others lack one, all are written without.
        let unpadded = counts(best).1 >= 0.1 * score(best);
        let form = |i: usize| {
            let it = &self.forms[i];
            let form = it.unpadded.as_ref().filter(|_| unpadded);
            form.unwrap_or(&it.form).clone()
        };
        let other = self.forms[best].mirrored;
        let told = |i: usize| seen.sum(CELLS * i..CELLS * i + 2 * UNITS) > 0.0;
        if other == best {
            let cells = |unit: usize| {
                let kinds = 0..CELLS / UNITS;
                kinds.map(move |kind| CELLS * best + UNITS * kind + unit)
            };
            let all = seen.sum((0..UNITS).flat_map(cells));
            let written = whole(&form(best), |unit| {
                Unwhole::new((0..unit).flat_map(cells), noisy, sigma, all)
            });
            return Some(Chosen::Form(form(best), written));
        }
        if told(best) || told(other) {
            return Some(Chosen::Form(form(best), form(best)));
        }
        let (day_first, month_first) = (best.min(other), best.max(other));
        // Those of two forms are not told apart by units.
        let only = |i: usize| noisy[CELLS * i] + noisy[CELLS * i + UNITS];
        Some(Chosen::Order(OpenOrder {
            day_first: form(day_first),
            month_first: form(month_first),
            lead: only(month_first) - only(day_first),
            // Of two cells each.
            variance: 4.0 * sigma * sigma,
        }))
    }
}

impl Candidate {
    /// Which unit a date begins: 0 for none, as where the form cannot be written for it.
    fn unit(&self, text: &[u8], is_alone: bool) -> usize {
        let moment = match self.form.has_time() {
            true => self.form.moment(text),
            false => self.form.day(text).map(midnight),
        };
        let unit = moment.and_then(DateForm::unit_of).filter(|unit| {
            // Days begin themselves, which says nothing.
            is_alone && self.units[*unit as usize]
        });
        unit.map_or(0, |unit| 1 + unit as usize)
    }
}

/// How many dates do not begin a unit.
struct Unwhole {
    /// Of those in cells that stand out from the noise.
    seen: f64,
    /// By all cells, and the standard deviation of its noise.
    sum: f64,
    noise: f64,
    all: f64,
}

impl Unwhole {
    /// By noisy counts, of which those of `cells` are of such dates.
    fn new(
        cells: impl Iterator<Item = usize> + Clone,
        noisy: &[f64],
        sigma: f64,
        all: f64,
    ) -> Unwhole {
        Unwhole {
            seen: Seen::new(noisy, sigma).sum(cells.clone()),
            sum: cells.clone().map(|cell| noisy[cell]).sum(),
            noise: sigma * (cells.count() as f64).sqrt(),
            all,
        }
    }

    /// Whether the form may leave out the parts within the unit, which dates that are spread thinly
    /// over many cells would lose.
    fn is_none(&self) -> bool {
        /// The share of such dates that must show if there are as many.
        const SHOWS: f64 = 0.5;
        /// How far noise alone reaches in 5 % of columns, and in one of a thousand.
        const MAYBE: f64 = 1.645;
        const CLEARLY: f64 = 3.09;
        let none_stand_out = self.seen <= 0.0 && self.sum <= CLEARLY * self.noise;
        self.all > 0.0 && none_stand_out && self.sum + MAYBE * self.noise <= SHOWS * self.all
    }
}

/// The form of dates that all begin a unit, of which `unwhole` says how many do not begin the unit
/// of that number; the largest, and the form as it is where there is none.
fn whole(form: &DateForm, unwhole: impl Fn(usize) -> Unwhole) -> DateForm {
    let units = Unit::ALL.into_iter().rev();
    // What begins a larger unit begins this one.
    let found = units.filter(|unit| unwhole(1 + *unit as usize).is_none());
    let mut written = found.filter_map(|unit| form.of_whole(unit));
    written.next().unwrap_or_else(|| form.clone())
}

/// What the counts of forms say.
#[derive(Debug)]
pub(super) enum Chosen {
    /// The form in which dates are read, and that in which they are written, which may have a part
    /// that they share in its own words.
    Form(DateForm, DateForm),
    /// A day and a month in one of two orders.
    Order(OpenOrder),
}

/// Two forms of which the counts of forms do not tell which one holds: no date stands out that
/// only one of them can read.
#[derive(Debug)]
pub(super) struct OpenOrder {
    day_first: DateForm,
    month_first: DateForm,
    /// How many more dates only the second can read, by the counts of forms, and the variance of
    /// their noise.
    lead: f64,
    variance: f64,
}

/// Months, of which the days that can be taken for one are as many.
const MONTHS: usize = 12;
/// Cells before those of a pair: dates that only one order can read; and those in which one of the
/// two numbers is 1 and the other is not, which have one each since that is what most tables have
/// where all dates are of the same day of the month.
const DAY_ONLY: usize = 0;
const MONTH_ONLY: usize = 1;
const FIRST_IS_ONE: usize = 2;
const SECOND_IS_ONE: usize = 3;
const PAIRS: usize = 4;
/// How many cells tell day from month.
pub(super) const ORDER_CELLS: usize = PAIRS + MONTHS * MONTHS;

impl OpenOrder {
    /// The cell that counts a date; none if the text is not one of either form.
    pub(super) fn cell(&self, text: &[u8]) -> Option<usize> {
        match (self.day_first.day(text), self.month_first.day(text)) {
            (None, None) => None,
            (Some(_), None) => Some(DAY_ONLY),
            (None, Some(_)) => Some(MONTH_ONLY),
            (Some(day), Some(_)) => {
                // `0001-02-03`: of what is read with the day first, the day is the first number.
                let iso = day.to_string();
                let number = |at: std::ops::Range<usize>| iso.get(at)?.parse::<usize>().ok();
                let (first, second) = (number(8..10)?, number(5..7)?);
                Some(match (first, second) {
                    (1, 2..) => FIRST_IS_ONE,
                    (2.., 1) => SECOND_IS_ONE,
                    _ => PAIRS + (first - 1) * MONTHS + second - 1,
                })
            }
        }
    }

    /// Rows in each cell, for texts with their rows.
    pub(super) fn cells<'a>(&self, texts: impl Iterator<Item = (&'a [u8], u32)>) -> Vec<u32> {
        let mut cells = vec![0; ORDER_CELLS];
        for (text, rows) in texts {
            if let Some(cell) = self.cell(text) {
                cells[cell] += rows;
            }
        }
        cells
    }

    /// The form by noisy counts of these cells. A date that only one order can read decides; else
    /// a number that nearly all dates share is the day, since a table of one month in each of many
    /// years is rarer than one of a certain day of each month. Where neither is clear, the day
    /// comes first.
    ///
    /// With it the form in which they are written: where all dates that are seen may be first days
    /// of months, that of these.
    pub(super) fn settled(self, noisy: &[f64], sigma: f64) -> (DateForm, DateForm) {
        let seen = Seen::new(noisy, sigma);
        let all = seen.sum(0..noisy.len());
        // Where both numbers are 1, either is the day.
        let firsts = |one: usize| {
            let others = (0..noisy.len()).filter(|cell| ![one, PAIRS].contains(cell));
            Unwhole::new(others, noisy, sigma, all).is_none()
        };
        let [day_first, month_first] = [FIRST_IS_ONE, SECOND_IS_ONE].map(firsts);
        let (form, of_firsts) = match self.is_month_first(noisy, sigma) {
            true => (self.month_first, month_first),
            false => (self.day_first, day_first),
        };
        let written = form.of_whole(Unit::Month);
        let written = written.filter(|_| of_firsts && !form.has_time());
        (form.clone(), written.unwrap_or(form))
    }

    fn is_month_first(&self, noisy: &[f64], sigma: f64) -> bool {
        /// How far noise alone reaches in less than 1 % of columns: in one difference, and in the
        /// dozen sums that follow.
        const CLEAR_LEAD: f64 = 3.0;
        const CLEAR: f64 = 3.5;
        /// The share of dates in which a day that is the same in all of them is told from the
        /// month: eleven in twelve where months are even.
        const SAME: f64 = 0.7;
        let own = noisy[MONTH_ONLY] - noisy[DAY_ONLY];
        // Both measurements, each weighed by its precision; without noise they say the same.
        let (lead, deviation) = match (self.variance, 2.0 * sigma * sigma) {
            (before, now) if before > 0.0 && now > 0.0 => {
                let precision = 1.0 / before + 1.0 / now;
                let lead = (self.lead / before + own / now) / precision;
                (lead, precision.powf(-0.5))
            }
            _ => (own, 0.0),
        };
        if lead.abs() > CLEAR_LEAD * deviation {
            return lead > 0.0;
        }
        let pair = |first: usize, second: usize| noisy[PAIRS + first * MONTHS + second];
        let all: f64 = noisy.iter().sum();
        let clear = |count: f64, cells: f64| {
            count > CLEAR * cells.sqrt() * sigma && count >= SAME * all && count > 0.0
        };
        // Without the pair of equal numbers, which says nothing.
        let others = |same: usize| (1..MONTHS).filter(move |other| *other != same);
        let seconds = (1..MONTHS).map(|same| others(same).map(|it| pair(it, same)).sum::<f64>());
        let cells = (MONTHS - 2) as f64;
        clear(noisy[SECOND_IS_ONE], 1.0) || seconds.into_iter().any(|it| clear(it, cells))
    }
}

const COMPACT: &str = "%Y%m%d";

/// The pattern with day and month exchanged.
fn mirrored(pattern: &str) -> String {
    pattern
        .replace("%d", "\0")
        .replace("%m", "%d")
        .replace('\0', "%m")
}

fn reads(form: &DateForm, text: &[u8]) -> bool {
    // Digits alone are numbers or compact dates, which are told apart before.
    form.pattern() != COMPACT && form.day(text).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(texts: &[(&str, u32)], sigma: f64) -> Option<String> {
        let forms = DateForms::usual();
        let cells = forms.cells(texts.iter().map(|(text, rows)| (text.as_bytes(), *rows)));
        assert_eq!(
            cells.iter().sum::<u32>(),
            texts.iter().map(|(_, rows)| rows).sum::<u32>(),
            "each row is in one cell"
        );
        let noisy: Vec<f64> = cells.into_iter().map(f64::from).collect();
        let form = match forms.chosen(&noisy, sigma)? {
            Chosen::Form(_, written) => written,
            Chosen::Order(open) => {
                let texts = texts.iter().map(|(text, rows)| (text.as_bytes(), *rows));
                let noisy: Vec<f64> = open.cells(texts).into_iter().map(f64::from).collect();
                open.settled(&noisy, sigma).1
            }
        };
        Some(form.pattern().to_owned())
    }

    #[test]
    fn a_form_is_known_by_its_fields() {
        for (texts, pattern) in [
            (["2020-01-31", "2021-12-01"], "%Y-%m-%d"),
            (["2020/01/31", "2021/12/01"], "%Y/%m/%d"),
            (["31.1.2020", "1.12.2020"], "%-d.%-m.%Y"),
            (["31.01.2020", "01.12.2020"], "%d.%m.%Y"),
            (["31/01/2020", "01/02/2020"], "%d/%m/%Y"),
            (["01/31/2020", "01/02/2020"], "%m/%d/%Y"),
            (["1/31/2020", "1/2/2020"], "%-m/%-d/%Y"),
            (["31 Jan 2020", "01 Feb 2020"], "%d %b %Y"),
            (["31JAN2020", "01FEB2020"], "%d%b%Y"),
            (
                ["31JAN2020:07:15:00", "01FEB2020:00:00:00"],
                "%d%b%Y:%H:%M:%S",
            ),
            (["Jan 31, 2020", "Feb 01, 2020"], "%b %d, %Y"),
            (
                ["2020-01-31T10:30:00Z", "2020-02-01T00:00:00Z"],
                "%Y-%m-%dT%H:%M:%SZ",
            ),
            (
                ["2020-01-31 10:30:00", "2020-02-01 00:00:00"],
                "%Y-%m-%d %H:%M:%S",
            ),
            (["2020-01-31 10:30", "2020-02-01 00:00"], "%Y-%m-%d %H:%M"),
        ] {
            let texts = texts.map(|text| (text, 500));
            assert_eq!(chosen(&texts, 10.0).as_deref(), Some(pattern), "{texts:?}");
        }
    }

    #[test]
    fn what_all_dates_share_is_a_part_of_their_form() {
        let check = |texts: &[&str], pattern: &str| {
            let texts: Vec<(&str, u32)> = texts.iter().map(|text| (*text, 500)).collect();
            assert_eq!(chosen(&texts, 10.0).as_deref(), Some(pattern), "{texts:?}");
        };
        check(&["2020-01-01", "2020-02-01"], "%Y-%m-01");
        check(&["2020-01-01", "2020-02-02"], "%Y-%m-%d");
        check(&["1 Jan 2020", "1 Feb 2020"], "1 %b %Y");
        check(&["01 Jan 2020", "01 Feb 2020"], "01 %b %Y");
        check(
            &["2020-01-31 00:00:00", "2020-02-03 00:00:00"],
            "%Y-%m-%d 00:00:00",
        );
        check(
            &["2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z"],
            "%Y-%m-01T00:00:00Z",
        );
        check(&["2020-01-31 07:00", "2020-02-03 23:00"], "%Y-%m-%d %H:00");
        check(&["2020-01-31 07:00", "2020-02-03 00:00"], "%Y-%m-%d %H:00");
        check(&["2020-01-31 07:00", "2020-02-03 23:30"], "%Y-%m-%d %H:%M");
        // As many as noise hides do not.
        let few = [("2020-01-01", 500), ("2020-02-01", 500), ("2020-02-02", 20)];
        assert_eq!(chosen(&few, 10.0).as_deref(), Some("%Y-%m-01"));
        let some = [("2020-01-01", 900), ("2020-02-02", 60)];
        assert_eq!(chosen(&some, 10.0).as_deref(), Some("%Y-%m-%d"));
        // What noise could hide would be a large part of a small table.
        let small = [("2020-01-01", 60), ("2020-02-02", 40)];
        assert_eq!(chosen(&small, 10.0).as_deref(), Some("%Y-%m-%d"));
        // A few rows in each cell, none of which stands out alone.
        let days = (2..=12).flat_map(|day| (2..=12).map(move |month| (day, month)));
        let thin: Vec<String> = days
            .map(|(day, month)| format!("{day:02}/{month:02}/2020"))
            .collect();
        let thin = thin.iter().map(|text| (&**text, 4));
        let thin: Vec<(&str, u32)> = thin.chain([("01/05/2020", 300)]).collect();
        assert_eq!(chosen(&thin, 10.0).as_deref(), Some("%d/%m/%Y"));
    }

    #[test]
    fn the_day_comes_first_unless_some_field_says_that_it_does_not() {
        let ambiguous = ("01/02/2020", 900);
        let check = |others: &[(&str, u32)], pattern: &str| {
            let texts = [&[ambiguous], others].concat();
            assert_eq!(chosen(&texts, 10.0).as_deref(), Some(pattern), "{texts:?}");
        };
        // Where all are of one day, it is written as it is.
        check(&[], "01/%m/%Y");
        check(&[("01/13/2020", 100)], "%m/%d/%Y");
        check(&[("13/01/2020", 100)], "%d/%m/%Y");
        // No clearer than the noise.
        check(&[("01/13/2020", 20)], "01/%m/%Y");
        // Together with the second count of them it is.
        check(&[("01/13/2020", 40)], "%m/%d/%Y");
    }

    #[test]
    fn a_day_that_is_the_same_in_all_dates_is_told_from_the_month() {
        let series = |date: fn(u32, u32) -> String| {
            let months = (0..60).map(|i| (date(2010 + i / 12, i % 12 + 1), 20));
            let texts: Vec<(String, u32)> = months.collect();
            let texts: Vec<(&str, u32)> = texts.iter().map(|(text, n)| (&**text, *n)).collect();
            chosen(&texts, 10.0).unwrap()
        };
        assert_eq!(series(|y, m| format!("{m:02}/01/{y}")), "%m/01/%Y");
        assert_eq!(series(|y, m| format!("{m}/1/{y}")), "%-m/1/%Y");
        assert_eq!(series(|y, m| format!("{m:02}/05/{y}")), "%m/%d/%Y");
        assert_eq!(series(|y, m| format!("01/{m:02}/{y}")), "01/%m/%Y");
        assert_eq!(series(|y, m| format!("05/{m:02}/{y}")), "%d/%m/%Y");
        assert_eq!(
            series(|y, m| format!("{:02}/{m:02}/{y}", 1 + y % 12)),
            "%d/%m/%Y"
        );
        assert_eq!(series(|y, m| format!("{m:02}.01.{y}")), "%m.01.%Y");
    }

    #[test]
    fn dates_of_which_no_form_has_nine_tenths_have_none() {
        assert_eq!(
            chosen(&[("2020-01-31", 500), ("31/01/2020", 500)], 1.0),
            None
        );
        let mostly = [("2020-01-31", 950), ("31/01/2020", 50)];
        assert_eq!(chosen(&mostly, 1.0).as_deref(), Some("%Y-%m-%d"));
        assert_eq!(chosen(&[("2020-01-31", 20)], 10.0), None);
    }
}
