//! The constants of GRAIN that were tuned, or could be: each with its meaning, its unit and what
//! backs it.
//!
//! "Row" names a place in `bench/GRAIN.md`. Distances there are mean two-way total variation
//! distances; means of one to three fits differ by up to .001 by chance, so that "within .001"
//! says that a constant does not matter there. Where nothing backs a constant it says "not
//! measured alone": it came with others, or bounds memory or time.

/// Rounds of scores and measurements. Row "budget of the scores": four were within .001 of three,
/// or worse.
pub(crate) const ROUNDS: usize = 3;

/// Share of what is left for pairs that each round may spend; the last spends all. Row "budget of
/// the scores": .2 and .45 for the first round were within .001, or worse. That of the second round
/// was not measured alone.
pub(crate) const SHARE_OF_ROUND: [f64; ROUNDS] = [0.3, 0.45, 1.0];

/// Share of the whole rho that measures single columns. Row "budget of the columns": .2 and .4 were
/// within .001; of
/// the large budgets, .1 and .2 were better on diamonds at epsilon 10, and no better at 1. Few rows
/// want more, which is what [`MOST_SCARCITY`] is for.
pub(crate) const SHARE_OF_COLUMNS: f64 = 0.3;

/// Share of the columns' rho that is spent before it is known whether all pairs of a small table
/// are measured; if they are, the rest of it is theirs. Section "small tables": .03 and .3 were
/// within .0004.
pub(crate) const SHARE_OF_FIRST_LOOK: f64 = 0.1;

/// Expected distance of the pairs by noise alone, in the mean, up to which all of them are measured
/// at all codes. Section "small tables": better at .096 and below, worse at .17.
pub(crate) const MOST_NOISE_OF_ALL_PAIRS: f64 = 0.1;

/// Share of the whole rho for the scores of all rounds together. Row "budget of the scores": .12
/// was within .001, or worse.
pub(crate) const SHARE_OF_SCORES: f64 = 0.08;

/// Share of the whole rho for the scores of triples, where there are any to be looked at. Not
/// measured alone.
pub(crate) const SHARE_OF_TRIPLE_SCORES: f64 = 0.01;

/// Share of what is left for pairs that measures triples, if any are chosen. Not measured alone.
pub(crate) const SHARE_OF_TRIPLES: f64 = 0.1;

/// Standard deviation of a triple's score, as a distance, up to which triples are scored at all:
/// with more, nothing but an exclusive or of all rows would show. Not measured alone.
pub(crate) const MOST_NOISE_OF_TRIPLES: f64 = 0.03;

/// Distance from the model, from which a triple that the workload does not name is measured.
/// Section "triples": to measure all that are clear was no better, with a target a little worse.
pub(crate) const LEAST_ERROR: f64 = 0.1;

/// Triples that are scored; of more none are. Bounds time and memory. Not measured alone.
pub(crate) const MOST_TRIPLES: usize = 4000;

/// Triples that are measured. Not measured alone.
pub(crate) const MOST_TRIPLES_MEASURED: usize = 16;

/// Share of the whole rho that measures the final model's errors. It buys no accuracy, only the
/// stated bounds. Not measured alone.
pub(crate) const SHARE_OF_ERRORS: f64 = 0.03;

/// Expected distance of a column, by noise alone (half the L1 distance, a share of the rows), below
/// which columns are good enough and get nothing more. Not measured alone.
pub(crate) const ENOUGH_NOISE: f64 = 0.012;

/// The same distance, from which columns get most: see [`MOST_SCARCITY`]. Not measured alone. (Row
/// "what it gives": a distance of .025 by noise already uses up what relations give.)
pub(crate) const SCARCE_NOISE: f64 = 0.04;

/// What columns get in a second measurement, at most, as a multiple of what pairs get. Row "budget
/// of the columns": in all .5 to .7 of rho was better on tables with few rows; .4 makes it .47,
/// before what the rounds leave unspent.
pub(crate) const MOST_SCARCITY: f64 = 0.4;

/// Codes of a column, beyond which its rare ones are merged. Not measured alone.
pub(crate) const MOST_CODES: usize = 256;

/// Pairs that are scored at all resolutions; of more, those that score best at a coarse one.
/// Bounds time and memory. Not measured alone.
pub(crate) const MOST_PAIRS: usize = 2000;

/// Cells of the junction tree that pairs may add, unless `max_cells` says otherwise. Rows "trees of
/// up to 2^20 cells" and "more cells go on helping": adult .0194 at 2^23 and epsilon 10, in 33 CPU
/// seconds.
pub(crate) const DEFAULT_CELLS: u64 = 1 << 20;

/// Those cells are divided by this in all rounds but the last, which needs room for what the model
/// of the rounds before still misses. Not measured alone.
pub(crate) const PART_OF_CELLS_BEFORE_LAST: u128 = 2;

/// Those cells are divided by this for the relations of public data, so that most are left for what
/// is measured. Not measured alone.
pub(crate) const PART_OF_CELLS_FOR_PUBLIC: u128 = 4;

/// Noise, in rows, that is assumed in a public pair when pairs are chosen: what gains less than
/// that is not worth its cells. Not measured alone.
pub(crate) const PUBLIC_NOISE: f64 = 1.0;

/// Standard deviation, as a share of the rows, with which a model is fitted to public pairs: about
/// exact. Not measured alone.
pub(crate) const PUBLIC_SIGMA: f64 = 1e-3;

/// Groups of a column in a pair, finest first; a column with fewer codes has all of them. Rows "a
/// level of two groups", "levels 24, 8, 4" (both worse), "a level of 64" (better on diamonds), and
/// "all codes of columns of up to 256" of the large budgets.
pub(crate) const GROUPS: [usize; 7] = [256, 128, 64, 32, 16, 8, 4];

/// Groups of a column's coarser levels, after the codes themselves. The rows of [`GROUPS`].
pub(crate) const LEVEL_SIZES: [usize; 5] = [64, 32, 16, 8, 4];

/// Cells of a pair at its finest resolution: where there are very many pairs, and where there are
/// few. Rows "pairs of up to 12,000 cells instead of 3,000" and "of up to 40,000 cells": diamonds
/// .0333 to .0316 at epsilon 10.
pub(crate) const PAIR_CELLS: [usize; 2] = [3000, 40_000];

/// Cells that all pairs have together, as far as [`PAIR_CELLS`] lets them: they are in memory at
/// once. Not measured alone.
pub(crate) const CELLS_TOGETHER: usize = 1 << 23;

/// Cells of the table that ties a column's codes to a level of it; a level with more is left out,
/// unless it is the coarsest. Bounds memory. Not measured alone.
pub(crate) const MOST_TIES: usize = 1 << 20;

/// The error that remains of a measured pair of [`REFERENCE_CELLS`] after the fit, as a share of
/// its expected noise: consistency and non-negativity take out the rest. Row "the share of the
/// noise that a choice is charged": .35 to .5 best, .8 and 1 worse, when it was the same for all
/// sizes. The .3 belongs to [`NOISE_GROWS_AS_CELLS_TO`] and was not measured alone.
pub(crate) const NOISE_THAT_REMAINS: f64 = 0.3;

/// Exponent with which that error grows with a pair's cells. Row "as cells^0.8, not as cells":
/// diamonds .0433 to .0378 at epsilon 10.
pub(crate) const NOISE_GROWS_AS_CELLS_TO: f64 = 0.8;

/// Cells of the pair that [`NOISE_THAT_REMAINS`] is about.
pub(crate) const REFERENCE_CELLS: f64 = 64.0;

/// Work on the junction tree in one round: for each pair tried, the square of the number of
/// attributes that lie between its own, whose triangulation has to be found anew. With 100
/// attributes there are some 3,000 tries, more than there are candidates; with thousands,
/// candidates that come late have little to give, and nearly all are too large. It is some three
/// CPU seconds.
pub(crate) const MOST_CHOICE_WORK: u64 = 1 << 25;

/// Noise that smoothing takes out of a column's counts, as a multiple of its variance: below 1 some
/// stays, above it some signal goes too. On eight real tables at epsilon 1, 1.5 gave counts of
/// single columns that were 2 to 18 % closer to the truth than unsmoothed ones; no column's kind or
/// order need be known. Row "counts of columns smoothed": baseball .1185 to .1126.
pub(crate) const COUNTS_NOISE: f64 = 1.5;

/// The same for the residuals of pairs. Row "residuals shrunk fully": 1 and 1.5 were worse
/// everywhere. .5 did best among 0, .5, 1 and 1.5 on four real tables.
pub(crate) const RESIDUALS_NOISE: f64 = 0.5;

/// Shifts over which the Haar transform of a column is averaged: blocks of up to as many codes can
/// begin at every code. Not measured alone.
pub(crate) const HAAR_SHIFTS: usize = 8;

/// A fit ends at this share of the loss that the true counts have in expectation (half the number
/// of cells). What was measured is shrunk already, so that a model may come closer to it than to
/// the noise: hence less than the .6 of the other methods. Not measured alone.
pub(crate) const SHARE_OF_EXPECTED_LOSS: f64 = 0.4;

/// Cells that the passes of one fit go through together: a second or two. Row "up to 1,000 passes
/// for small trees": adult .0219 to .0204 at epsilon 10.
pub(crate) const CELLS_OF_ALL_PASSES: u128 = 200_000_000;

/// The fewest and the most passes of one fit. The same row; 500 in the last fit alone were no use.
pub(crate) const PASSES: [u128; 2] = [150, 1000];
