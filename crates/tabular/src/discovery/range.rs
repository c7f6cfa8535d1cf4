//! The range and the bins of ordered values, in steps that are finer each time.

use std::ops::Range;

use schema::{DEFAULT_BINS, Grid};

use super::cells::{BOUND, Cells, Counted, Kept};
use super::ladder::{self, Ladder};
use super::search::Search;
use super::spikes::{self, BoundCells, Spike};
use super::{Counting, Measured, mass};

/// Where values lie.
pub(super) enum Span<T> {
    Range {
        grid: Grid<T>,
        /// The median, by noisy counts.
        usual: T,
        /// Whether more than a few values may lie beyond its ends: these are `other`.
        cut: bool,
    },
    /// Nothing is known but that very many rows have these values.
    Few(Vec<T>),
    Unknown,
}

impl<T: Ladder> Span<T> {
    pub(super) fn all(&self, wanted: impl Fn(T) -> bool) -> bool {
        match self {
            Self::Range { grid, .. } => wanted(grid.range().min) && wanted(grid.range().max),
            Self::Few(values) => values.iter().all(|value| wanted(*value)),
            Self::Unknown => false,
        }
    }
}

/// Where more than this share of the fields may lie beyond a range, these are `other`.
const TOO_MANY: f64 = 0.04;

/// The share of the values that must have been counted where they were looked for.
const MOST: f64 = 0.75;

/// Where clearly some lie beyond it, they are if they are this share at least.
const FEW: f64 = 0.01;

impl<C: Counting> Search<'_, C> {
    /// Bounds and bins, if the noise leaves any. Where the bounds are not clear at first, all that
    /// is left is spent on them, and the bins follow from their counts.
    ///
    /// The values that are known to be frequent have been paid for; more are found with the bounds.
    /// All counts are of the other values.
    pub(super) fn range<T: Ladder, R: Fn(&[u8]) -> Option<T> + Clone>(
        &mut self,
        read: R,
        frequent: Vec<Spike<T>>,
        decimals: Option<usize>,
        settled: impl Fn(Cells<T>) -> Cells<T>,
    ) -> (Span<T>, R) {
        // Coarse first, over all values there are: cells that followed the data would tell of it.
        let cells = BoundCells::new(frequent);
        let counts = cells.counts(self.classes.read(self.texts, read.clone()));
        let mut measured = self.measure("bounds", counts.clone(), self.steps.bounds);
        let filled = self.finding.filled;
        let located = |measured: &Measured, clear_beside: f64| {
            let (coarse, spikes) = cells.split(measured, filled);
            let rest = (filled - spikes::rows(&spikes)).max(0.0);
            let located = ladder::located::<T>(&coarse, rest, clear_beside);
            (coarse, spikes, rest, located)
        };
        let (mut coarse, mut spikes, mut rest, mut found) =
            located(&measured, ladder::CLEAR_BESIDE);
        let left = self.left;
        let at_once = found.is_some();
        if !at_once {
            measured = measured.combined(self.measure("bounds once more", counts, left));
            (coarse, spikes, rest, found) = located(&measured, ladder::CLEAR_AT_LAST);
        }
        let Some(found) = found else {
            let few: Vec<T> = spikes.into_iter().map(|(value, _)| value).collect();
            return match few.is_empty() {
                true => (Span::Unknown, read),
                false => (Span::Few(few), read),
            };
        };
        let rungs = cells.rungs();
        let fine = settled(ladder::fine(rungs, &found, &coarse, rest));
        let (counted, kept) = if at_once {
            let others = |text: &[u8]| read(text).filter(|value| !spikes::has(&spikes, *value));
            let tails = ladder::tails(rungs, &found).map(|tail| tail.map(&settled));
            let affordable = ladder::affordable_cells(rest, coarse.sigma);
            let counted = self.in_two_steps(others, fine.between(tails), affordable, &settled);
            let kept = counted.kept(rest);
            (counted, kept)
        } else {
            let all = 0..fine.starts.len();
            let measured = ladder::spread(rungs, &coarse, &fine);
            (Counted::new(fine, all.clone(), measured), Kept::all(all))
        };
        let (cells, core) = (&counted.cells, counted.counts(kept.core.clone()));
        let (min, max) = (
            cells.starts[kept.all.start],
            cells.last_of(kept.all.end - 1),
        );
        // Few values: a code for each tells all, and bins would only lose something.
        let starts = if T::values_between(min, max) <= u64::from(DEFAULT_BINS) {
            T::uniform_starts(min, max, DEFAULT_BINS)
        } else {
            let wanted = mass::affordable_bins(filled, counted.sigma());
            let bins = mass::equal(core, mass::part_of(wanted, rest, filled));
            counted.starts(&kept, &bins)
        };
        let most = spikes.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        let usual = match most {
            Some((value, rows)) if *rows >= filled / 2.0 => *value,
            _ => cells.starts[kept.core.start + mass::median(core)],
        };
        let [beyond, noise] = self.beyond(&coarse, &found, rest);
        let clear = beyond > ladder::CLEAR * noise && beyond >= FEW * filled;
        let hidden = match at_once {
            // So few in all cells that the values are somewhere else.
            true if counted.all() < MOST * rest => rest,
            true => kept.beyond,
            // Nothing else tells.
            false => beyond + BOUND * noise,
        };
        let cut = clear || hidden > TOO_MANY * filled;
        match spikes::grid(starts, max, &spikes, decimals) {
            Some(grid) => (Span::Range { grid, usual, cut }, read),
            None => (Span::Unknown, read),
        }
    }

    /// Counts the values in these cells, of which some are the inner ones, and then in finer cells
    /// where the values are.
    fn in_two_steps<T: Ladder>(
        &mut self,
        read: impl Fn(&[u8]) -> Option<T> + Clone,
        (cells, inner): (Cells<T>, Range<usize>),
        affordable: u32,
        settled: impl Fn(Cells<T>) -> Cells<T>,
    ) -> Counted<T> {
        // Less for the first: what it says of cells that stay as they are is used again.
        let tenths = (2 * self.left / 5).max(1);
        let rows = cells.rows(self.classes.read(self.texts, read.clone()));
        let first = Counted::new(cells, inner, self.measure("range", rows, tenths));
        let (cells, inner) = first.nearer(affordable, settled);
        let rows = cells.rows(self.classes.read(self.texts, read));
        let left = self.left;
        Counted::new(cells, inner, self.measure("bins", rows, left)).with(&first)
    }

    /// How many of the rows with other than frequent values are in none of the located cells, and
    /// the standard deviation of the noise in that number.
    fn beyond(&self, coarse: &Measured, located: &Range<usize>, rest: f64) -> [f64; 2] {
        #[expect(clippy::cast_precision_loss, reason = "a few hundred cells at most")]
        let noise = ((located.len() as f64).sqrt() * coarse.sigma).hypot(self.sigma);
        let beyond = rest - coarse.values[located.clone()].iter().sum::<f64>();
        [beyond, noise]
    }
}
