//! From fixed cells over all values to a grid over those that occur.

use schema::{Day, FINE_CELLS, Grid, Kind, Moment, Ordered};

use super::Measured;

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
    /// The values of a column.
    fn kind(grid: Grid<Self>) -> Kind;
    /// Whether a cell is so narrow beside the whole range that dividing it gains nothing.
    fn is_speck(_cell: (Self, Self), _range: (Self, Self)) -> bool {
        false
    }
}

/// A grid over the range where values occur.
pub(super) struct FineGrid<T> {
    pub(super) starts: Vec<T>,
    /// The largest value of the last cell.
    last: T,
}

impl<T: Ladder> FineGrid<T> {
    /// The largest value of a cell.
    pub(super) fn last_of(&self, cell: usize) -> T {
        self.starts
            .get(cell + 1)
            .map_or(self.last, |next| T::last_before(*next))
    }
}

impl FineGrid<Moment> {
    /// The same grid with cells that begin with a minute, for moments that are written without
    /// seconds.
    pub(super) fn rounded_to_minutes(mut self) -> Self {
        let minute = |moment: Moment| {
            let second = moment.number();
            Moment::from_number(second - second.rem_euclid(60)).expect("its day has the minute")
        };
        self.starts
            .iter_mut()
            .for_each(|start| *start = minute(*start));
        self.starts.dedup();
        self
    }
}

impl FineGrid<f64> {
    /// The same grid with all ends at numbers of this many decimals, so that each cell holds at
    /// least one of them.
    pub(super) fn rounded(mut self, decimals: usize) -> Self {
        let unit = 10f64.powi(i32::try_from(decimals).expect("a few decimals"));
        let rounded = |value: f64, to: fn(f64) -> f64| {
            let multiple = to(value * unit) / unit;
            // Beyond 2^53 there are no decimals to round to.
            if multiple.is_finite() {
                multiple
            } else {
                value
            }
        };
        self.starts
            .iter_mut()
            .for_each(|start| *start = rounded(*start, f64::floor));
        self.starts.dedup();
        self.last = rounded(self.last, f64::ceil);
        self
    }
}

/// How far a cell must rise out of the noise to mark the range: in 250 cells of noise alone, one
/// does so with a probability below 1 %.
const CLEAR: f64 = 4.0;

/// How far a cell must do so that is beside one in the range. Such cells are few, and a cell too
/// many is trimmed again by the finer counts, while one too few is lost.
const CLEAR_BESIDE: f64 = 1.5;

/// Takes the range of the cells that stand out of the noise, and divides it into at most
/// [`FINE_CELLS`] or so finer ones, denser where there is more mass. With little data there are
/// fewer, so that a cell's mass is not lost in its noise.
pub(super) fn fine_starts<T: Ladder>(rungs: &[T], coarse: &Measured, filled: f64) -> FineGrid<T> {
    let clear = |value: &f64| *value > CLEAR * coarse.sigma;
    let largest = || {
        let by_value = |a: &usize, b: &usize| coarse.values[*a].total_cmp(&coarse.values[*b]);
        (0..rungs.len()).max_by(by_value).unwrap_or(0)
    };
    // Nothing clear: the largest cell is the best guess, and always there.
    let mut first = coarse.values.iter().position(clear).unwrap_or_else(largest);
    let mut last = coarse.values.iter().rposition(clear).unwrap_or(first);
    // The tails of a distribution, of which no single cell is clear.
    let beside = |cell: usize| {
        let value = coarse.values.get(cell);
        value.is_some_and(|value| *value > CLEAR_BESIDE * coarse.sigma)
    };
    while first > 0 && beside(first - 1) {
        first -= 1;
    }
    while beside(last + 1) {
        last += 1;
    }
    let end = |cell: usize| {
        rungs
            .get(cell + 1)
            .map_or(T::largest(), |next| T::last_before(*next))
    };
    // Public by now: `filled` and sigma are both released.
    let cells = affordable_cells(filled, coarse.sigma);
    let all = T::values_between(rungs[first], end(last));
    let mass: f64 = coarse.values[first..=last]
        .iter()
        // Negative cells count as empty, or noise would take parts from full ones.
        .map(|value| value.max(0.0))
        .sum();
    let mut starts = Vec::new();
    for cell in first..=last {
        let share = coarse.values[cell].max(0.0) / mass.max(1.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "at most FINE_CELLS"
        )]
        // Few values: a cell for each, whatever the masses.
        let parts = if all <= u64::from(cells) {
            cells
        } else if T::is_speck((rungs[cell], end(cell)), (rungs[first], end(last))) {
            1
        } else {
            ((share * f64::from(cells)).round() as u32).max(1)
        };
        starts.extend(T::uniform_starts(rungs[cell], end(cell), parts));
    }
    FineGrid {
        starts,
        last: end(last),
    }
}

/// Returns the number of cells at which each has twice the standard deviation of its noise in rows,
/// on average, if the noise is as that of the coarse cells.
fn affordable_cells(filled: f64, sigma: f64) -> u32 {
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

impl Ladder for i64 {
    fn kind(grid: Grid<i64>) -> Kind {
        Kind::Integer(grid)
    }

    fn rungs() -> Vec<i64> {
        // Powers of two: 127 cells over all numbers, however wide the data.
        // .., -7..=-4, -3..=-2, -1, 0, 1, 2..=3, 4..=7, ..
        let below = (0..62).rev().map(|k| 1 - (2 << k));
        let above = (0..63).map(|k| 1 << k);
        std::iter::once(i64::MIN)
            .chain(below)
            .chain([0])
            .chain(above)
            .collect()
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

fn midnight(day: Day) -> Moment {
    let second = i64::from(day.number()) * SECONDS_OF_DAY;
    Moment::from_number(second).expect("every day has a midnight")
}

impl Ladder for f64 {
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
