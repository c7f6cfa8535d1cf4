//! From fixed cells over all values to a grid over those that occur.

use std::ops::Range;

use schema::{Day, FINE_CELLS, Grid, Kind, Moment, Ordered, ValueForm};

use super::Measured;
use super::cells::Cells;

/// Ordered values with fixed, data-independent cells over all of them.
pub(super) trait Ladder: Ordered {
    /// Starts of the cells, ascending, from the smallest value there is.
    fn rungs() -> Vec<Self>;
    /// The last value of a cell, given the start of the next.
    fn last_before(next: Self) -> Self;
    /// The largest value there is.
    fn largest() -> Self;
    /// How many values lie from `min` to `max`, both included; `u64::MAX` if beyond counting.
    fn values_between(min: Self, max: Self) -> u64;
    /// How many adjacent cells values may be spread over where no single cell is clear.
    const WIDEST: usize;
    /// Values that tables often have in place of none.
    fn stand_ins() -> Vec<Self>;
    /// Whether a cell that begins with it is a part of a larger one, for values that are frequent
    /// there.
    fn is_minor(self) -> bool {
        false
    }
    /// Whether it is a number below zero.
    fn is_negative(self) -> bool {
        false
    }
    /// Where a bin begins that follows one which ends with this value, in a column of so many
    /// decimals.
    fn next_to(self, _decimals: Option<usize>) -> Option<Self> {
        self.after()
    }
    /// The values of a column.
    fn kind(grid: Grid<Self>) -> Kind;
    /// The value as a category of a column of this form.
    fn category(self, _form: &ValueForm) -> String {
        self.to_string()
    }
    /// Whether a cell is so narrow beside the whole range that dividing it gains nothing.
    fn is_speck(_cell: (Self, Self), _range: (Self, Self)) -> bool {
        false
    }
}

/// How far a cell must rise out of the noise to mark the range: in 250 cells of noise alone, one
/// does so with a probability below 1 %.
pub(super) const CLEAR: f64 = 4.0;

/// How far a cell must do so that is beside one in the range. Such cells are few, and a cell too
/// many is trimmed again by the finer counts, while one too few is lost.
pub(super) const CLEAR_BESIDE: f64 = 1.5;

/// The same where no finer counts follow. A cell too many makes the range ten times as wide.
pub(super) const CLEAR_AT_LAST: f64 = 2.5;

/// How far several cells together must do so: of three sums of noise, one does so in one of a
/// thousand columns. A range that follows them grows a hundredfold.
const CLEAR_TOGETHER: f64 = 3.3;

/// How far a cell must do so that is far from the others: of 250, one does so in one of a hundred
/// thousand columns.
const CLEAR_ALONE: f64 = 5.5;

/// The most cells that may lie between two that mark a range, if the second is not so clear.
const NEAR: usize = 4;

/// Returns the cells that hold values, by noisy counts of all cells and of the filled fields.
/// `None` where these do not tell: a range taken all the same would be made of noise. A cell beside
/// others must rise out of it by `clear_beside`.
pub(super) fn located<T: Ladder>(
    coarse: &Measured,
    filled: f64,
    clear_beside: f64,
) -> Option<Range<usize>> {
    let (mut first, mut last) = match clear(&coarse.values, coarse.sigma) {
        Some(ends) => ends,
        None => {
            let likely = likely(&coarse.values, coarse.sigma, filled, T::WIDEST)?;
            (likely.start, likely.end - 1)
        }
    };
    // The tails of a distribution, of which no single cell is clear.
    let values = &coarse.values;
    while let Some(cells) = beside(values[..first].iter().rev(), coarse.sigma, clear_beside) {
        first -= cells;
    }
    while let Some(cells) = beside(values[last + 1..].iter(), coarse.sigma, clear_beside) {
        last += cells;
    }
    Some(first..last + 1)
}

/// The first and the last of the cells that mark a range by themselves.
fn clear(values: &[f64], sigma: f64) -> Option<(usize, usize)> {
    let most = (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b]))?;
    if values[most] <= CLEAR * sigma {
        return None;
    }
    // From the fullest cell outwards.
    let end = |others: &mut dyn Iterator<Item = usize>| {
        let mut end = most;
        for cell in others {
            let is_near = cell.abs_diff(end) <= NEAR + 1;
            let deviations = if is_near { CLEAR } else { CLEAR_ALONE };
            if values[cell] > deviations * sigma {
                end = cell;
            }
        }
        end
    };
    Some((
        end(&mut (0..most).rev()),
        end(&mut (most + 1..values.len())),
    ))
}

/// How many of the next cells belong to the range that they follow: one by itself, or a few
/// together of which each is too small to tell.
fn beside<'a>(
    next: impl Iterator<Item = &'a f64> + Clone,
    sigma: f64,
    clear_beside: f64,
) -> Option<usize> {
    let places = [1_u32, 2, 4, 8].into_iter().find(|&cells| {
        let sums = next.clone().take(cells as usize);
        let (sum, found) = sums.fold((0.0, 0), |(sum, found), value| (sum + value, found + 1));
        let clear = if cells == 1 {
            clear_beside
        } else {
            CLEAR_TOGETHER
        };
        found == cells && sum > clear * f64::from(cells).sqrt() * sigma
    });
    places.map(|cells| cells as usize)
}

/// How probable the most likely place must be.
const PROBABLE: f64 = 0.8;

/// The adjacent cells that most likely hold all values where no cell is clear by itself. That the
/// values are somewhere is known, so that it is asked how much likelier one place is than all
/// others, each place being as likely as any other beforehand and its cells equally full.
fn likely(values: &[f64], sigma: f64, filled: f64, widest: usize) -> Option<Range<usize>> {
    if sigma <= 0.0 || filled <= 0.0 {
        return None;
    }
    // 1, 2, 3, 4, 6, 8, 12: no range is far from one of them.
    let doubled = std::iter::successors(Some(1), |width| Some(2 * width));
    let widths = doubled.flat_map(|width| [Some(width), (width > 1).then_some(width * 3 / 2)]);
    let widest = widest.min(values.len());
    let widths = widths.flatten().take_while(|&width| width <= widest);
    let log_likelihood = |window: &[f64]| {
        #[expect(clippy::cast_precision_loss, reason = "a few cells")]
        let each = filled / window.len() as f64;
        let sum: f64 = window.iter().sum();
        each * (sum - filled / 2.0) / (sigma * sigma)
    };
    let places: Vec<(Range<usize>, f64)> = widths
        .flat_map(|width| {
            let windows = values.windows(width).enumerate();
            windows.map(move |(start, window)| (start..start + width, log_likelihood(window)))
        })
        .collect();
    let (best, most) = places
        .iter()
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map(|(place, log)| (place.clone(), *log))?;
    // Whoever is a little beside it says nothing else.
    let near = best.start.saturating_sub(best.len())..best.end + best.len();
    let (mut here, mut elsewhere) = (0.0, 0.0);
    for (place, log) in places {
        match near.start <= place.start && place.end <= near.end {
            true => here += (log - most).exp(),
            false => elsewhere += (log - most).exp(),
        }
    }
    (here >= PROBABLE * (here + elsewhere)).then_some(best)
}

/// Divides located cells into at most [`FINE_CELLS`] or so finer ones, denser where there is more
/// mass. With little data there are fewer, so that a cell's mass is not lost in its noise.
pub(super) fn fine<T: Ladder>(
    rungs: &[T],
    located: &Range<usize>,
    coarse: &Measured,
    filled: f64,
) -> Cells<T> {
    let cells = Cells {
        starts: rungs[located.clone()].to_vec(),
        last: last_below(rungs, located.end),
    };
    // Public by now: `filled` and sigma are both released.
    let affordable = affordable_cells(filled, coarse.sigma);
    cells.divided(&coarse.values[located.clone()], affordable)
}

/// The cell below located ones and the one above them, which may hold rows that noise hides: each
/// the next of the ladder, or all numbers up to zero where these are few beside the range. None
/// beyond zero or at the ends of the ladder, where it would make the range much wider.
pub(super) fn tails<T: Ladder>(rungs: &[T], located: &Range<usize>) -> [Option<Cells<T>>; 2] {
    /// How many times as wide the range must be as what is between it and zero.
    const WIDER: f64 = 4.0;
    let (first, end) = (located.start, located.end);
    let zero = rungs.partition_point(|rung| rung.is_negative());
    let width = last_below(rungs, end).above(rungs[first]);
    let is_near = |from: T, to: T| width >= WIDER * to.above(from);
    let is_major = |rung: &usize| !rungs[*rung].is_minor();
    let below = match first {
        _ if first <= 1 || first == zero => None,
        _ if (1..first).contains(&zero) && is_near(rungs[zero], rungs[first]) => Some(zero),
        _ => (1..first).rfind(is_major),
    };
    let above = match end {
        _ if end + 1 >= rungs.len() || end == zero => None,
        _ if end < zero && is_near(rungs[end], rungs[zero]) => Some(zero),
        _ => (end + 1..rungs.len()).find(is_major),
    };
    [
        below.map(|start| Cells::one(rungs[start], last_below(rungs, first))),
        above.map(|next| Cells::one(rungs[end], last_below(rungs, next))),
    ]
}

/// The last value below a cell.
fn last_below<T: Ladder>(rungs: &[T], cell: usize) -> T {
    rungs
        .get(cell)
        .map_or(T::largest(), |next| T::last_before(*next))
}

/// The counts that the coarse cells give the finer ones, where values are even within each.
pub(super) fn spread<T: Ladder>(rungs: &[T], coarse: &Measured, fine: &Cells<T>) -> Measured {
    let rung = |start: &T| rungs.partition_point(|rung| rung <= start).max(1) - 1;
    let mut parts = vec![0.0_f64; rungs.len()];
    for start in &fine.starts {
        parts[rung(start)] += 1.0;
    }
    let share = |start: &T| coarse.values[rung(start)] / parts[rung(start)];
    Measured {
        values: fine.starts.iter().map(share).collect(),
        sigma: coarse.sigma,
    }
}

/// Returns the number of cells at which each has twice the standard deviation of its noise in rows,
/// on average, if the noise is as that of the coarse cells.
pub(super) fn affordable_cells(filled: f64, sigma: f64) -> u32 {
    let most = f64::from(FINE_CELLS);
    // Without noise (for data of one's own) all cells are affordable.
    let cells = if sigma > 0.0 {
        filled / (2.0 * sigma)
    } else {
        most
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped"
    )]
    let cells = cells.clamp(32.0, most) as u32;
    cells
}

/// Where whole numbers between two powers of two are often years, which would be a small part of
/// one cell.
const YEARS: [i64; 6] = [1850, 1900, 1950, 2000, 2050, 2100];

impl Ladder for i64 {
    /// The largest number is 256 times the smallest.
    const WIDEST: usize = 8;

    fn stand_ins() -> Vec<i64> {
        let nines = (1..=9).map(|digits| 10_i64.pow(digits) - 1);
        let negative = nines.clone().map(|it| -it);
        nines.skip(1).chain(negative).chain([-1]).collect()
    }

    fn is_negative(self) -> bool {
        self < 0
    }

    fn kind(grid: Grid<i64>) -> Kind {
        Kind::Integer(grid)
    }

    fn rungs() -> Vec<i64> {
        // Powers of two: 127 cells over all numbers, however wide the data.
        // .., -7..=-4, -3..=-2, -1, 0, 1, 2..=3, 4..=7, ..
        let below = (0..62).rev().map(|k| 1 - (2 << k));
        let above = (0..63).map(|k| 1 << k);
        let all = std::iter::once(i64::MIN).chain(below).chain([0]);
        let mut all: Vec<i64> = all.chain(above).chain(YEARS).collect();
        all.sort_unstable();
        all
    }

    fn is_minor(self) -> bool {
        YEARS.contains(&self)
    }

    fn last_before(next: i64) -> i64 {
        next - 1
    }

    fn largest() -> i64 {
        i64::MAX
    }

    fn values_between(min: i64, max: i64) -> u64 {
        max.abs_diff(min).saturating_add(1)
    }
}

impl Ladder for Day {
    /// As many years as people live.
    const WIDEST: usize = 128;

    fn stand_ins() -> Vec<Day> {
        let days = [
            "0001-01-01",
            "1111-11-11",
            "1753-01-01",
            "1800-01-01",
            "1899-12-30",
            "1899-12-31",
            "1900-01-01",
            "1901-01-01",
            "1904-01-01",
            "1960-01-01",
            "1970-01-01",
            "2079-06-06",
            "2099-12-31",
            "2100-01-01",
            "2999-12-31",
            "3000-01-01",
            "4712-12-31",
            "9999-01-01",
            "9999-09-09",
            "9999-12-30",
            "9999-12-31",
        ];
        let day = |text: &str| text.parse().expect("a day of 4 digits' year");
        days.map(day).into()
    }

    fn category(self, form: &ValueForm) -> String {
        match form.date() {
            Some(form) => {
                let mut text = Vec::new();
                form.write_day(self, &mut text);
                String::from_utf8(text).expect("a form writes text")
            }
            None => self.to_string(),
        }
    }

    fn kind(grid: Grid<Day>) -> Kind {
        Kind::Date(grid)
    }

    fn rungs() -> Vec<Day> {
        // Years from 1850 to 2150, and one cell for what is before.
        let new_year = |year: i32| {
            format!("{year}-01-01")
                .parse()
                .expect("a day of 4 digits' year")
        };
        let years = (1850..=2150).map(new_year);
        std::iter::once(Day::MIN).chain(years).collect()
    }

    fn last_before(next: Day) -> Day {
        next.before().expect("a cell's end is above its start")
    }

    fn largest() -> Day {
        Day::MAX
    }

    fn values_between(min: Day, max: Day) -> u64 {
        u64::from(max.number().abs_diff(min.number())) + 1
    }
}

impl Ladder for Moment {
    const WIDEST: usize = Day::WIDEST;

    fn stand_ins() -> Vec<Moment> {
        let days = Day::stand_ins().into_iter().map(midnight);
        let ends = |midnight: Moment| {
            let last = Moment::from_number(midnight.number() + SECONDS_OF_DAY - 1);
            [Some(midnight), last].into_iter().flatten()
        };
        days.flat_map(ends).collect()
    }

    fn category(self, form: &ValueForm) -> String {
        match form.date() {
            Some(form) => {
                let mut text = Vec::new();
                form.write_moment(self, &mut text);
                String::from_utf8(text).expect("a form writes text")
            }
            None => self.to_string(),
        }
    }

    fn kind(grid: Grid<Moment>) -> Kind {
        Kind::Datetime(grid)
    }

    fn rungs() -> Vec<Moment> {
        // The same years, from midnight to midnight.
        Day::rungs().into_iter().map(midnight).collect()
    }

    fn last_before(next: Moment) -> Moment {
        next.before().expect("a cell's end is above its start")
    }

    fn largest() -> Moment {
        let last_second = midnight(Day::MAX).number() + SECONDS_OF_DAY - 1;
        Moment::from_number(last_second).expect("a second of the last day")
    }

    fn values_between(min: Moment, max: Moment) -> u64 {
        max.number().abs_diff(min.number()) + 1
    }
}

const SECONDS_OF_DAY: i64 = 86_400;

pub(super) fn midnight(day: Day) -> Moment {
    let second = i64::from(day.number()) * SECONDS_OF_DAY;
    Moment::from_number(second).expect("every day has a midnight")
}

impl Ladder for f64 {
    const WIDEST: usize = i64::WIDEST;

    fn stand_ins() -> Vec<f64> {
        #[expect(clippy::cast_precision_loss, reason = "at most nine digits")]
        let number = |whole: i64| whole as f64;
        i64::stand_ins().into_iter().map(number).collect()
    }

    fn next_to(self, decimals: Option<usize>) -> Option<f64> {
        let unit = decimals.map(|decimals| 10f64.powi(i32::try_from(decimals).expect("a few")));
        let next = unit.map(|unit| ((self * unit).round() + 1.0) / unit);
        // Where so many decimals are less than a number's last digit, the next number there is.
        next.filter(|next| *next > self).or_else(|| self.after())
    }

    fn is_negative(self) -> bool {
        self < 0.0
    }

    fn kind(grid: Grid<f64>) -> Kind {
        Kind::Number(grid)
    }

    fn rungs() -> Vec<f64> {
        let powers = || (-40..=80).map(|k| 2f64.powi(k));
        let below = powers().rev().map(|power| -power);
        std::iter::once(f64::MIN)
            .chain(below)
            .chain([0.0])
            .chain(powers())
            .collect()
    }

    fn last_before(next: f64) -> f64 {
        next
    }

    fn largest() -> f64 {
        f64::MAX
    }

    fn values_between(_: f64, _: f64) -> u64 {
        u64::MAX
    }

    fn is_speck(cell: (f64, f64), range: (f64, f64)) -> bool {
        cell.1 / 2.0 - cell.0 / 2.0 < (range.1 / 2.0 - range.0 / 2.0) * 1e-6
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGMA: f64 = 10.0;

    /// Cells of noise below 2.5 standard deviations, with these on top.
    fn counts(on_top: &[(usize, f64)]) -> Measured {
        let noise = [4.0, -13.0, 8.0, 21.0, -6.0, -2.0, 12.0, -25.0, 24.0, 1.0];
        let mut values: Vec<f64> = noise.iter().copied().cycle().take(127).collect();
        on_top.iter().for_each(|&(cell, rows)| values[cell] += rows);
        Measured {
            values,
            sigma: SIGMA,
        }
    }

    #[test]
    fn noise_alone_gives_no_range() {
        for filled in [1.0, 20.0, 40.0, 200.0] {
            assert_eq!(
                located::<i64>(&counts(&[]), filled, CLEAR_BESIDE),
                None,
                "{filled}"
            );
        }
    }

    #[test]
    fn cells_that_are_clear_together_are_found_though_none_is_by_itself() {
        let four = [(70, 30.0), (71, 28.0), (72, 30.0), (73, 10.0)];
        let found = located::<i64>(&counts(&four), 100.0, CLEAR_BESIDE).unwrap();
        assert!(found.contains(&71) && found.contains(&72), "{found:?}");
        assert!(found.len() <= 8, "{found:?}");
        let one = [(70, 26.0)];
        assert_eq!(located::<i64>(&counts(&one), 30.0, CLEAR_BESIDE), None);
        assert_eq!(
            located::<i64>(&counts(&[(70, 60.0)]), 60.0, CLEAR_BESIDE),
            Some(70..71)
        );
    }

    #[test]
    fn coarse_counts_are_shared_out_evenly() {
        let rungs = i64::rungs();
        let at = |value: i64| rungs.binary_search(&value).unwrap();
        let coarse = counts(&[(at(64), 100.0)]);
        let cells = at(64)..at(64) + 1;
        let fine = fine(&rungs, &cells, &coarse, 100.0);
        let shares = spread(&rungs, &coarse, &fine);
        assert_eq!(shares.values.len(), 32);
        let sum: f64 = shares.values.iter().sum();
        assert!((sum - coarse.values[at(64)]).abs() < 1e-9, "{sum}");
    }
}
