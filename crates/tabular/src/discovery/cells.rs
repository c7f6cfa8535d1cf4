//! Cells of ordered values, from fixed ones over all values to finer ones where values occur.

use std::ops::Range;

use schema::form::DateForm;
use schema::{Day, Moment};

use super::ladder::Ladder;
use super::{Measured, mass};

/// Adjacent cells of a range of values.
#[derive(Debug, PartialEq)]
pub(super) struct Cells<T> {
    pub(super) starts: Vec<T>,
    /// The largest value of the last cell.
    pub(super) last: T,
}

impl<T: Ladder> Cells<T> {
    pub(super) fn one(start: T, last: T) -> Self {
        let starts = vec![start];
        Self { starts, last }
    }

    /// The largest value of a cell.
    pub(super) fn last_of(&self, cell: usize) -> T {
        self.starts
            .get(cell + 1)
            .map_or(self.last, |next| T::last_before(*next))
    }

    /// How far a cell, or several, reach.
    fn width(&self, cells: Range<usize>) -> f64 {
        self.last_of(cells.end - 1).above(self.starts[cells.start])
    }

    /// Rows in each cell. Values in none of them are not counted.
    pub(super) fn rows(&self, values: impl Iterator<Item = (T, u32)>) -> Vec<u32> {
        let mut rows = vec![0; self.starts.len()];
        for (value, of_value) in values.filter(|(value, _)| *value <= self.last) {
            let above = self.starts.partition_point(|start| *start <= value);
            if let Some(cell) = above.checked_sub(1) {
                rows[cell] += of_value;
            }
        }
        rows
    }

    /// These cells with one more at either end, and which of all these are the former. A tail that
    /// rounding has left no values is left out.
    pub(super) fn between(mut self, [below, above]: [Option<Self>; 2]) -> (Self, Range<usize>) {
        let mut inner = 0..self.starts.len();
        if let Some(above) = above.filter(|it| it.starts[0] > self.starts[inner.end - 1]) {
            self.starts.push(above.starts[0]);
            self.last = above.last;
        }
        if let Some(below) = below.filter(|it| it.starts[0] < self.starts[0]) {
            self.starts.insert(0, below.starts[0]);
            inner = 1..inner.end + 1;
        }
        (self, inner)
    }

    /// Divides these cells into about so many, denser where there is more mass.
    pub(super) fn divided(self, masses: &[f64], cells: u32) -> Self {
        let ends = (self.starts[0], self.last);
        let all = T::values_between(ends.0, ends.1);
        // Negative cells count as empty, or noise would take parts from full ones.
        let mass: f64 = masses.iter().map(|mass| mass.max(0.0)).sum();
        let mut starts = Vec::new();
        for (cell, mass_of_cell) in masses.iter().enumerate() {
            let share = mass_of_cell.max(0.0) / mass.max(1.0);
            let (start, last) = (self.starts[cell], self.last_of(cell));
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "at most as many as there are"
            )]
            // Few values: a cell for each, whatever the masses.
            let parts = if all <= u64::from(cells) {
                cells
            } else if T::is_speck((start, last), ends) {
                1
            } else {
                ((share * f64::from(cells)).round() as u32).max(1)
            };
            starts.extend(T::uniform_starts(start, last, parts));
        }
        let last = self.last;
        Self { starts, last }
    }
}

impl Cells<Moment> {
    /// The same with cells that begin with a moment that the form can tell: a minute where it has
    /// no seconds.
    pub(super) fn told_by(mut self, form: &DateForm) -> Self {
        let starts = self.starts.iter_mut();
        starts.for_each(|start| *start = form.told_moment(*start));
        self.starts.dedup();
        self
    }
}

impl Cells<Day> {
    /// The same with cells that begin with a day that the form can tell.
    pub(super) fn told_by(mut self, form: &DateForm) -> Self {
        let starts = self.starts.iter_mut();
        starts.for_each(|start| *start = form.told_day(*start));
        self.starts.dedup();
        self
    }
}

impl Cells<f64> {
    /// The same with all ends at numbers of this many decimals, so that each cell holds at least
    /// one of them.
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

/// Cells with noisy counts of their rows. Those before and after the inner ones are tails: wide
/// cells, of which each is counted as one, so that few rows stand out of its noise.
pub(super) struct Counted<T> {
    pub(super) cells: Cells<T>,
    /// The cells between the tails.
    inner: Range<usize>,
    counts: Vec<f64>,
    /// Standard deviations of the counts' noise.
    sigmas: Vec<f64>,
}

/// How far a tail must rise out of its noise to belong to the range. An empty one does in one of
/// a thousand columns, which makes their range many times too wide.
const CLEAR_TAIL: f64 = 3.0;

/// A tail is not worth a bin below this share of the fields, however clear it is.
const SPARSE: f64 = 0.0025;

/// Cells of which no more than this share of the fields can be hidden by noise are left out.
const NEGLIGIBLE: f64 = 0.005;

/// How many standard deviations above a noisy count the true one is in one of twenty cases at
/// most.
pub(super) const BOUND: f64 = 1.645;

/// Which of the counted cells make a range.
#[derive(Debug, PartialEq)]
pub(super) struct Kept {
    /// All cells of the range.
    pub(super) all: Range<usize>,
    /// Those where there is mass beyond doubt. Each tail beside them is to be a bin.
    pub(super) core: Range<usize>,
    /// As many rows as the cells beside the range may hold in nineteen of twenty cases.
    pub(super) beyond: f64,
}

impl Kept {
    /// All that there is, where nothing tells what could be left out.
    pub(super) fn all(all: Range<usize>) -> Self {
        let core = all.clone();
        let beyond = 0.0;
        Self { all, core, beyond }
    }
}

impl<T: Ladder> Counted<T> {
    pub(super) fn new(cells: Cells<T>, inner: Range<usize>, measured: Measured) -> Self {
        Self {
            sigmas: vec![measured.sigma; measured.values.len()],
            counts: measured.values,
            cells,
            inner,
        }
    }

    /// The largest of the inner cells, of which most have the same.
    pub(super) fn sigma(&self) -> f64 {
        let inner = &self.sigmas[self.inner.clone()];
        inner.iter().copied().fold(0.0, f64::max)
    }

    pub(super) fn counts(&self, cells: Range<usize>) -> &[f64] {
        &self.counts[cells]
    }

    /// About how many rows are in all cells.
    pub(super) fn all(&self) -> f64 {
        self.counts.iter().sum()
    }

    /// The cells to be counted next: finer ones where the values are, if that is in a part of the
    /// cells only, and else these; what is beside them is put together. And which of them are the
    /// inner ones.
    pub(super) fn nearer(
        &self,
        cells: u32,
        settled: impl Fn(Cells<T>) -> Cells<T>,
    ) -> (Cells<T>, Range<usize>) {
        let part = self.widened(mass::trimmed(
            self.counts(self.inner.clone()),
            self.sigma(),
            mass::CLEARLY,
        ));
        let mut inner = Cells {
            starts: self.cells.starts[part.clone()].to_vec(),
            last: self.cells.last_of(part.end - 1),
        };
        if 2 * part.len() <= self.inner.len() {
            inner = settled(inner.divided(self.counts(part.clone()), cells));
        }
        // What lies farther out, then what is between it and the inner cells.
        let starts = &self.cells.starts;
        let below = [0..self.inner.start, self.inner.start..part.start];
        let above = [part.end..self.inner.end, self.inner.end..starts.len()];
        let tails = |tails: [Range<usize>; 2]| {
            let filled = tails.into_iter().filter(|tail| !tail.is_empty());
            filled.map(|tail| starts[tail.start]).collect::<Vec<T>>()
        };
        let (below, above) = (tails(below), tails(above));
        let count = inner.starts.len();
        let all = Cells {
            starts: [&below[..], &inner.starts, &above].concat(),
            last: self.cells.last,
        };
        (all, below.len()..below.len() + count)
    }

    /// Cells of the inner ones, with a margin for what the noise of their neighbours hides.
    fn widened(&self, part: Range<usize>) -> Range<usize> {
        let (mut first, mut end) = (self.inner.start + part.start, self.inner.start + part.end);
        // Without noise nothing is hidden.
        if self.sigma() <= 0.0 {
            return first..end;
        }
        let width = self.cells.width(first..end);
        let narrow = |cell: usize| self.cells.width(cell..cell + 1) <= width / 2.0;
        for _ in 0..part.len().div_ceil(4) {
            if first > self.inner.start && narrow(first - 1) {
                first -= 1;
            }
            if end < self.inner.end && narrow(end) {
                end += 1;
            }
        }
        first..end
    }

    /// Together with earlier counts of those cells which are made up of the earlier ones.
    pub(super) fn with(mut self, earlier: &Self) -> Self {
        let at = |start: &T| earlier.cells.starts.iter().position(|own| own == start);
        for cell in 0..self.counts.len() {
            let end = match self.cells.starts.get(cell + 1) {
                Some(next) => at(next),
                None => Some(earlier.counts.len()),
            };
            let (Some(start), Some(end)) = (at(&self.cells.starts[cell]), end) else {
                continue;
            };
            let variance: f64 = earlier.sigmas[start..end].iter().map(|it| it * it).sum();
            let own = Measured {
                values: vec![self.counts[cell]],
                sigma: self.sigmas[cell],
            };
            let both = own.combined(Measured {
                values: vec![earlier.counts[start..end].iter().sum()],
                sigma: variance.sqrt(),
            });
            (self.counts[cell], self.sigmas[cell]) = (both.values[0], both.sigma);
        }
        self
    }

    /// Which cells hold all but a few rows, of about so many.
    ///
    /// A tail is kept where rows stand out of its noise, and cells at an end of the inner ones are
    /// left out where noise can hide next to nothing: so little is lost where the counts are clear,
    /// and where they are not, the range is too wide rather than too narrow.
    pub(super) fn kept(&self, filled: f64) -> Kept {
        let inner = self.counts(self.inner.clone());
        let core = mass::trimmed(inner, self.sigma(), mass::SLIGHTLY);
        let core = self.inner.start + core.start..self.inner.start + core.end;
        let mut all = self.inner.clone();
        if self.at_most(all.start..core.start) <= NEGLIGIBLE * filled {
            all.start = core.start;
        }
        if self.at_most(core.end..all.end) <= NEGLIGIBLE * filled {
            all.end = core.end;
        }
        let is_kept = |tail: &usize| {
            self.counts[*tail] > (CLEAR_TAIL * self.sigmas[*tail]).max(SPARSE * filled)
        };
        if let Some(tail) = (0..self.inner.start).find(is_kept) {
            all.start = tail;
        }
        if let Some(tail) = (self.inner.end..self.counts.len()).rfind(is_kept) {
            all.end = tail + 1;
        }
        let beside = [0..all.start, all.end..self.counts.len()];
        let beyond = beside.map(|cells| self.at_most(cells));
        Kept {
            all,
            core,
            beyond: beyond.into_iter().map(|rows| rows.max(0.0)).sum(),
        }
    }
    /// The starts of bins: those of tails, and within the core those of these of its cells.
    pub(super) fn starts(&self, kept: &Kept, bins: &[usize]) -> Vec<T> {
        let (all, core) = (&kept.all, &kept.core);
        let below = (all.start..core.start).filter(|cell| *cell <= self.inner.start);
        let above = (core.end..all.end).filter(|&it| it == core.end || it >= self.inner.end);
        let within = bins.iter().map(|bin| core.start + bin);
        let cells = below.chain([core.start]).chain(within).chain(above);
        cells.map(|cell| self.cells.starts[cell]).collect()
    }

    /// As many rows as these cells hold in nineteen of twenty cases.
    fn at_most(&self, cells: Range<usize>) -> f64 {
        let variance: f64 = self.sigmas[cells.clone()].iter().map(|it| it * it).sum();
        self.counts(cells).iter().sum::<f64>() + BOUND * variance.sqrt()
    }
}
