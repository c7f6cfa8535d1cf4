//! From fixed cells over all values to a grid over those that occur.

use schema::{FINE_CELLS, Ordered};

use super::Measured;

/// Ordered values with fixed, data-independent cells over all of them.
pub(super) trait Ladder: Ordered {
    /// Starts of the cells, ascending, from the smallest value there is.
    fn rungs() -> Vec<Self>;
    /// The last value of a cell, given the start of the next.
    fn last_before(next: Self) -> Self;
    /// The largest value there is.
    const LARGEST: Self;
    /// How many values lie from `min` to `max`, both included; `u64::MAX` if beyond counting.
    fn values_between(min: Self, max: Self) -> u64;
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

/// How far a cell must rise out of the noise to mark the range: in 250 cells of noise alone, one
/// does so with a probability below 1 %.
const CLEAR: f64 = 4.0;

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
    let first = coarse.values.iter().position(clear).unwrap_or_else(largest);
    let last = coarse.values.iter().rposition(clear).unwrap_or(first);
    let end = |cell: usize| {
        rungs
            .get(cell + 1)
            .map_or(T::LARGEST, |next| T::last_before(*next))
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
