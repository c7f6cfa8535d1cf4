//! Ranges that one could have known beforehand, from values that enough people reach.

use schema::{Bins, Day, Moment, Range};

use super::people::{Cells, People};
use super::{Kinded, MIN_RANGED, MIN_SHARED};
use crate::discovery::ladder::Ladder;
use crate::discovery::spikes;

/// The different values of a column, ascending, and which of them each text is.
pub(super) struct Ranks<T> {
    values: Vec<T>,
    cells: Cells,
}

impl<T: Ladder> Ranks<T> {
    pub(super) fn new(of_texts: impl Iterator<Item = Option<T>>, people: &People<'_>) -> Self {
        let of_texts: Vec<Option<T>> = of_texts.collect();
        let compare = |a: &T, b: &T| a.partial_cmp(b).expect("what was read can be compared");
        let mut values: Vec<T> = of_texts.iter().copied().flatten().collect();
        values.sort_unstable_by(compare);
        values.dedup_by(|a, b| a == b);
        debug_assert!(people.rows() >= values.len());
        let rank = |value: &T| values.binary_search_by(|own| compare(own, value)).ok();
        let ranks = of_texts.iter().map(|value| rank(value.as_ref()?));
        Self {
            cells: Cells::new(ranks, values.len()),
            values,
        }
    }

    pub(super) fn values(&self) -> &[T] {
        &self.values
    }

    pub(super) fn cells(&self) -> &Cells {
        &self.cells
    }

    /// The smallest and the largest value that enough people reach: of as many people the smallest
    /// values are no larger, and the largest no smaller. None where so few people have a value that
    /// the two could be one person's: of [`MIN_RANGED`] people they never cross, and where they
    /// meet, more than [`MIN_SHARED`] people have that very value and no other.
    fn reached(&self, people: &People<'_>) -> Option<(T, T)> {
        let smallest = people.at_an_end(&self.cells, false);
        let largest = people.at_an_end(&self.cells, true);
        let having: u64 = smallest.iter().copied().map(u64::from).sum();
        if having < u64::from(MIN_RANGED) {
            return None;
        }
        let low = enough(self.values.iter().zip(smallest))?;
        let high = enough(self.values.iter().zip(largest).rev())?;
        (low <= high).then_some((low, high))
    }

    /// The values at either end that very many people have and that lie apart from all others, such
    /// as -1 or `9999-12-31`; and the ranks of the others. None where there is no such value.
    fn apart(&self, people: &People<'_>) -> Option<(Vec<T>, Self)> {
        /// The most at an end.
        const MOST: usize = 3;
        /// With fewer different values besides, the column is a scale, and has no gap.
        const FEWEST: usize = 10;
        let sharing = people.in_cells(&self.cells);
        let all: u64 = sharing.iter().copied().map(u64::from).sum();
        let very_many = u64::from(2 * MIN_SHARED).max(all / u64::from(schema::DEFAULT_BINS));
        let reached = |ranks: &[usize]| {
            let mut sum = 0;
            let found = ranks.iter().find(|rank| {
                sum += sharing[**rank];
                sum >= MIN_SHARED
            });
            found.copied()
        };
        // Beyond what enough people reach there are typing errors.
        let mut ranks: Vec<usize> = (0..sharing.len()).collect();
        let mut first = reached(&ranks)?;
        ranks.reverse();
        let mut last = reached(&ranks)?;
        let (all_first, all_last) = (first, last);
        let mut found = Vec::new();
        for high in [false, true] {
            for _ in 0..MOST {
                if last <= first + FEWEST {
                    break;
                }
                let end = if high { last } else { first };
                let mut others: Vec<usize> = (first..=last).filter(|rank| *rank != end).collect();
                let low = self.values[reached(&others)?];
                others.reverse();
                let top = self.values[reached(&others)?];
                let value = self.values[end];
                let gap = match high {
                    true => value.above(top),
                    false => low.above(value),
                };
                // Nothing else is below zero, or a tenth of the range lies between.
                let is_apart = value.is_negative() && !low.is_negative();
                let is_apart = is_apart || 10.0 * gap >= top.above(low);
                if u64::from(sharing[end]) < very_many || !is_apart || gap <= 0.0 {
                    break;
                }
                found.push(value);
                match high {
                    true => last -= 1,
                    false => first += 1,
                }
            }
        }
        if found.is_empty() {
            return None;
        }
        // Where nothing was taken off an end, what is beyond it stays with it.
        let first = if first == all_first { 0 } else { first };
        let last = if last == all_last {
            self.values.len() - 1
        } else {
            last
        };
        let of_texts = self.cells.of_texts().map(|rank| {
            let rank = rank? as usize;
            (first..=last).contains(&rank).then(|| rank - first)
        });
        let others = Self {
            cells: Cells::new(of_texts, last + 1 - first),
            values: self.values[first..=last].to_vec(),
        };
        Some((found, others))
    }

    /// Whether enough people have this very value.
    fn is_shared(&self, value: T, people: &People<'_>) -> bool {
        let position = self.values.iter().position(|own| *own == value);
        position.is_some_and(|at| people.in_cells(&self.cells)[at] >= MIN_SHARED)
    }
}

/// The first of values with people by which there are enough of them.
fn enough<'a, T: Copy + 'a>(values: impl Iterator<Item = (&'a T, u32)>) -> Option<T> {
    let mut sum = 0;
    for (value, people) in values {
        sum += people;
        if sum >= MIN_SHARED {
            return Some(*value);
        }
    }
    None
}

/// Numbers that are rounded.
pub(super) trait Rounded: Ladder + Kinded {
    fn as_number(self) -> f64;
    /// The multiple of the step at or below the number, or at or above it.
    fn rounded(self, step: Step, up: bool) -> Self;
    /// The next multiple of the step above the number.
    fn next(self, step: Step) -> Self;
    /// The least step that makes sense with so many decimals.
    fn unit(decimals: Option<usize>) -> Option<Step>;
}

/// 1, 2 or 5 times a power of ten.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    digit: i64,
    exponent: i32,
}

impl Step {
    /// The largest step that is no larger than this positive number.
    fn at_most(size: f64) -> Self {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "exponents of floats are small"
        )]
        let exponent = size.log10().floor() as i32;
        let found = [exponent + 1, exponent, exponent - 1]
            .into_iter()
            .find_map(|exponent| {
                let steps = [5, 2, 1].map(|digit| Self { digit, exponent });
                // A hair more, so that 0.3 / 3 is 0.1.
                steps
                    .into_iter()
                    .find(|step| step.size() <= size * (1.0 + 1e-12))
            });
        found.unwrap_or(Self { digit: 1, exponent })
    }

    /// The smallest step that is no smaller than this positive number.
    fn at_least(size: f64) -> Self {
        let below = Self::at_most(size);
        if below.size() >= size * (1.0 - 1e-12) {
            return below;
        }
        below.coarser()
    }

    /// The next larger step.
    fn coarser(self) -> Self {
        match self.digit {
            1 => Self { digit: 2, ..self },
            2 => Self { digit: 5, ..self },
            _ => Self {
                digit: 1,
                exponent: self.exponent + 1,
            },
        }
    }

    fn size(self) -> f64 {
        self.times(1.0)
    }

    /// So many steps, without the traces of rounding in the last places.
    #[expect(clippy::cast_precision_loss, reason = "a digit")]
    fn times(self, steps: f64) -> f64 {
        let digits = steps * self.digit as f64;
        match self.exponent {
            0.. => digits * 10f64.powi(self.exponent),
            _ => {
                let decimals = self.exponent.unsigned_abs() as usize;
                let exact = digits / 10f64.powi(-self.exponent);
                format!("{exact:.decimals$}").parse().unwrap_or(exact)
            }
        }
    }
}

impl Rounded for f64 {
    fn as_number(self) -> f64 {
        self
    }

    fn rounded(self, step: Step, up: bool) -> f64 {
        let steps = self / step.size();
        // A number that lies on a step stays, whatever the division makes of it.
        let nearest = steps.round();
        let on_step = (steps - nearest).abs() < 1e-9 * nearest.abs().max(1.0);
        step.times(match (on_step, up) {
            (true, _) => nearest,
            (false, true) => steps.ceil(),
            (false, false) => steps.floor(),
        })
    }

    fn next(self, step: Step) -> f64 {
        let below = self.rounded(step, false);
        step.times((below / step.size()).round() + 1.0)
    }

    fn unit(decimals: Option<usize>) -> Option<Step> {
        let decimals = i32::try_from(decimals?).ok()?;
        Some(Step {
            digit: 1,
            exponent: -decimals,
        })
    }
}

impl Rounded for i64 {
    #[expect(clippy::cast_precision_loss, reason = "rounded anyway")]
    fn as_number(self) -> f64 {
        self as f64
    }

    fn rounded(self, step: Step, up: bool) -> i64 {
        let exponent = u32::try_from(step.exponent).unwrap_or(0);
        let size = 10_i64
            .checked_pow(exponent)
            .and_then(|it| it.checked_mul(step.digit));
        let Some(size) = size.filter(|_| step.exponent >= 0) else {
            return self;
        };
        let below = self.div_euclid(size).saturating_mul(size);
        match up && below < self {
            true => below.saturating_add(size),
            false => below,
        }
    }

    fn next(self, step: Step) -> i64 {
        self.saturating_add(1).rounded(step, true)
    }

    fn unit(_: Option<usize>) -> Option<Step> {
        Some(Step {
            digit: 1,
            exponent: 0,
        })
    }
}

/// Bins of one value each are readable, and lose nothing, up to this many.
const MOST_SINGLE: f64 = 256.0;
/// Bins of about equal mass, besides those of frequent values.
const MOST_BINS: u64 = 80;
/// A value that has this part of the mass of such a bin gets a bin of its own.
const SPIKE: u64 = 2;
/// As many bins as these cuts make show how values are spread.
const FEW_CUTS: usize = 4;
/// Bounds show the first three digits of the larger of them, and no more.
const FINEST: f64 = 1_000.0;

/// A range rounded outward to a step of about a tenth of it, in bins of about equal mass that begin
/// at round numbers or at values that very many people have. Of those that lie apart from all
/// others each has a bin of its own, and so has what lies between.
pub(super) fn of_numbers<T: Rounded>(
    ranks: &Ranks<T>,
    people: &People<'_>,
    decimals: Option<usize>,
) -> Option<Range<T>> {
    let range = |ranks: &Ranks<T>| of_others(ranks, people, decimals);
    beside_stand_ins(ranks, people, decimals, range)
}

/// The range that others have, widened to the values that lie apart from them.
fn beside_stand_ins<T: Ladder>(
    ranks: &Ranks<T>,
    people: &People<'_>,
    decimals: Option<usize>,
    range: impl Fn(&Ranks<T>) -> Option<Range<T>>,
) -> Option<Range<T>> {
    let Some((values, others)) = ranks.apart(people) else {
        return range(ranks);
    };
    let Some(found) = range(&others) else {
        return range(ranks);
    };
    let starts = match found.bins {
        Bins::Uniform(bins) | Bins::Quantile(bins) => T::uniform_starts(found.min, found.max, bins),
        Bins::Cuts(cuts) => std::iter::once(found.min).chain(cuts).collect(),
    };
    let values: Vec<(T, f64)> = values.into_iter().map(|value| (value, 0.0)).collect();
    let grid = spikes::grid(starts, found.max, &values, decimals)?;
    Some(grid.range().clone())
}

fn of_others<T: Rounded>(
    ranks: &Ranks<T>,
    people: &People<'_>,
    decimals: Option<usize>,
) -> Option<Range<T>> {
    let (low, high) = ranks.reached(people)?;
    let unit = T::unit(decimals);
    let width = (high.as_number() - low.as_number()) / 10.0;
    let width = match unit {
        Some(unit) => width.max(unit.size()),
        None if width > 0.0 => width,
        // All but a few people have one number.
        None => low.as_number().abs().max(1.0) / 10.0,
    };
    // Values close beside each other would otherwise show with nearly all their digits.
    let size = low.as_number().abs().max(high.as_number().abs());
    let mut step = Step::at_least(width.max(size / FINEST));
    // A step of one unit rounds nothing: an end that few people have would stand there as it is.
    if unit == Some(step) && !(ranks.is_shared(low, people) && ranks.is_shared(high, people)) {
        step = step.coarser();
    }
    let min = low.rounded(step, false);
    let mut max = high.rounded(step, true);
    if max <= min {
        max = high.next(step);
    }
    let values = unit.map(|unit| (max.as_number() - min.as_number()) / unit.size() + 1.0);
    let bins = match values {
        // Numbers with decimals fill their bins, so that one for each value is for whole ones.
        Some(values) if values <= MOST_SINGLE && T::SINGLE_VALUE => {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "from 1 to 256"
            )]
            let values = values as u32;
            Bins::Uniform(values.max(schema::DEFAULT_BINS))
        }
        _ => match cuts(ranks, people, (min, max), unit) {
            cuts if cuts.len() >= FEW_CUTS => Bins::Cuts(places(cuts)),
            cuts if cuts.iter().any(|cut| cut.of_spike) => {
                Bins::Cuts(with_steps(places(cuts), max, step))
            }
            cuts if cuts.len() >= 2 => Bins::Cuts(places(cuts)),
            _ => Bins::Uniform(schema::DEFAULT_BINS),
        },
    };
    Some(Range { min, max, bins })
}

fn places<T>(cuts: Vec<Cut<T>>) -> Vec<T> {
    cuts.into_iter().map(|cut| cut.at).collect()
}

/// Beside a value that nearly everybody has, the few others would be one bin: it is cut at each
/// step of the range, wherever they are.
fn with_steps<T: Rounded>(mut cuts: Vec<T>, max: T, step: Step) -> Vec<T> {
    let Some(mut last) = cuts.last().copied() else {
        return cuts;
    };
    loop {
        let next = last.next(step);
        if !(next > last && next < max) {
            return cuts;
        }
        cuts.push(next);
        last = next;
    }
}

/// Where a bin is to begin: with the value at this rank.
#[derive(Debug, Clone, Copy)]
struct Boundary {
    rank: usize,
    /// Whether that very value is so frequent that it has a bin of its own; or the one before it.
    spike: Spike,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Spike {
    None,
    Here,
    Before,
}

fn cuts<T: Rounded>(
    ranks: &Ranks<T>,
    people: &People<'_>,
    (min, max): (T, T),
    unit: Option<Step>,
) -> Vec<Cut<T>> {
    let sharing = people.in_cells(&ranks.cells);
    let boundaries = boundaries(&sharing);
    let number = |rank: usize| ranks.values[rank].as_number();
    let mut cuts: Vec<Cut<T>> = Vec::new();
    for (i, boundary) in boundaries.iter().enumerate() {
        let here = number(boundary.rank);
        let before = match i {
            0 => min.as_number(),
            _ => number(boundaries[i - 1].rank),
        };
        let next = boundaries
            .get(i + 1)
            .map_or(max.as_number(), |it| number(it.rank));
        let value = ranks.values[boundary.rank];
        let room = (here - before).min(next - here);
        let cut = match boundary.spike {
            Spike::Here => value,
            // Just above the spike, and not at the next value, which may be one person's.
            Spike::Before => {
                let spike = ranks.values[boundary.rank - 1];
                let step =
                    unit.unwrap_or_else(|| Step::at_most((next - spike.as_number()) / 100.0));
                spike.next(step)
            }
            Spike::None if room <= 0.0 => continue,
            Spike::None => {
                let size = unit.map_or(room / 2.0, |unit| (room / 2.0).max(unit.size()));
                value.rounded(Step::at_most(size), false)
            }
        };
        if cut > min && cut <= max && cuts.last().is_none_or(|last| cut > last.at) {
            let of_spike = boundary.spike != Spike::None;
            cuts.push(Cut { at: cut, of_spike });
        }
    }
    of_enough_people(ranks, people, cuts)
}

/// Where a bin begins.
struct Cut<T> {
    at: T,
    /// Whether it is there for a frequent value, and so says nothing of anybody else's.
    of_spike: bool,
}

/// Boundaries of bins of about equal mass.
fn boundaries(sharing: &[u32]) -> Vec<Boundary> {
    let all: u64 = sharing.iter().copied().map(u64::from).sum();
    let enough = u64::from(MIN_SHARED) * 5 / 4;
    let mass = (all / MOST_BINS).max(enough);
    let spike = (mass / SPIKE).max(enough);
    let mut boundaries = Vec::new();
    let (mut sum, mut after_spike) = (0, false);
    for (rank, &people) in sharing.iter().enumerate() {
        let is_spike = u64::from(people) >= spike;
        if rank > 0 {
            // Between two frequent values there are two: one behind the first, one at the second.
            let found = [
                after_spike.then_some(Spike::Before),
                is_spike.then_some(Spike::Here),
                (!after_spike && !is_spike && sum >= mass).then_some(Spike::None),
            ];
            for spike in found.into_iter().flatten() {
                boundaries.push(Boundary { rank, spike });
                sum = 0;
            }
        }
        sum += u64::from(people);
        after_spike = is_spike;
    }
    boundaries
}

/// Leaves out cuts where a bin would be of fewer people, unless these are only what lies between
/// two frequent values: put together with one of them, it would be spread over the gap.
fn of_enough_people<T: Rounded>(
    ranks: &Ranks<T>,
    people: &People<'_>,
    mut cuts: Vec<Cut<T>>,
) -> Vec<Cut<T>> {
    loop {
        let bin = |value: &T| cuts.partition_point(|cut| cut.at <= *value);
        let of_ranks: Vec<usize> = ranks.values.iter().map(bin).collect();
        let cells = ranks.cells.of_texts();
        let cells = cells.map(|rank| rank.map(|rank| of_ranks[rank as usize]));
        let counts = people.in_cells(&Cells::new(cells, cuts.len() + 1));
        // Each that is too small is put together with its left neighbour; no two in a row at once.
        let mut dropped = vec![false; cuts.len()];
        for (bin, people) in counts.into_iter().enumerate() {
            if people >= MIN_SHARED {
                continue;
            }
            // The cut where it begins, or else the one where it ends.
            let ends = [bin.checked_sub(1), Some(bin)].into_iter().flatten();
            let mut ends = ends.filter(|cut| cuts.get(*cut).is_some_and(|it| !it.of_spike));
            if let Some(cut) = ends.next()
                && (cut == 0 || !dropped[cut - 1])
            {
                dropped[cut] = true;
            }
        }
        if !dropped.contains(&true) {
            return cuts;
        }
        let mut dropped = dropped.into_iter();
        cuts.retain(|_| !dropped.next().unwrap_or(false));
    }
}

/// Whole years, in bins of about a month unless they are many.
pub(super) fn of_days(ranks: &Ranks<Day>, people: &People<'_>) -> Option<Range<Day>> {
    beside_stand_ins(ranks, people, None, |ranks| days_of_years(ranks, people))
}

fn days_of_years(ranks: &Ranks<Day>, people: &People<'_>) -> Option<Range<Day>> {
    let (low, high) = ranks.reached(people)?;
    let (first, last) = (year(low)?, year(high)?);
    Some(Range {
        min: format!("{first:04}-01-01").parse().ok()?,
        max: format!("{last:04}-12-31").parse().ok()?,
        bins: bins_of_years(first, last),
    })
}

/// The same from midnight to midnight.
pub(super) fn of_moments(ranks: &Ranks<Moment>, people: &People<'_>) -> Option<Range<Moment>> {
    beside_stand_ins(ranks, people, None, |ranks| moments_of_years(ranks, people))
}

fn moments_of_years(ranks: &Ranks<Moment>, people: &People<'_>) -> Option<Range<Moment>> {
    let (low, high) = ranks.reached(people)?;
    let (first, last) = (year(low.day())?, year(high.day())?);
    Some(Range {
        min: format!("{first:04}-01-01T00:00:00").parse().ok()?,
        max: format!("{last:04}-12-31T23:59:59").parse().ok()?,
        bins: bins_of_years(first, last),
    })
}

fn bins_of_years<T>(first: u32, last: u32) -> Bins<T> {
    const MONTHS: u32 = 12;
    const MOST: u32 = 120;
    let months = (last - first + 1) * MONTHS;
    Bins::Uniform(months.clamp(schema::DEFAULT_BINS, MOST))
}

fn year(day: Day) -> Option<u32> {
    day.to_string().get(..4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outlined<T: Rounded>(values: &[(T, u32)], decimals: Option<usize>) -> Option<Range<T>> {
        let codes: Vec<u32> = (0..)
            .zip(values)
            .flat_map(|(code, (_, rows))| std::iter::repeat_n(code, *rows as usize))
            .collect();
        let people = People::new(codes, None);
        let ranks = Ranks::new(values.iter().map(|(value, _)| Some(*value)), &people);
        of_numbers(&ranks, &people, decimals)
    }

    #[test]
    fn steps_are_one_two_or_five_times_a_power_of_ten() {
        for (size, below, above) in [
            (1.0, 1.0, 1.0),
            (7.3, 5.0, 10.0),
            (0.3, 0.2, 0.5),
            (0.1, 0.1, 0.1),
            (1849.0, 1000.0, 2000.0),
            (19.9, 10.0, 20.0),
        ] {
            assert_eq!(Step::at_most(size).size(), below, "{size}");
            assert_eq!(Step::at_least(size).size(), above, "{size}");
        }
    }

    #[test]
    fn ranges_are_rounded_outward_from_what_twenty_people_reach() {
        let mut ages: Vec<(i64, u32)> = (17..=90).map(|age| (age, 25)).collect();
        let range = outlined(&ages, Some(0)).unwrap();
        assert_eq!((range.min, range.max), (10, 90));
        // Nobody's own value: neither the outlier nor the nineteen that nearly are enough.
        ages.push((123_456, 19));
        ages.insert(0, (-5_000, 1));
        assert_eq!(outlined(&ages, Some(0)).unwrap().max, 90);
        assert_eq!(outlined(&ages, Some(0)).unwrap().min, 10);
        let carats: Vec<(f64, u32)> = (20..=260_u32)
            .map(|it| (f64::from(it) / 100.0, 50))
            .collect();
        let range = outlined(&carats, Some(2)).unwrap();
        assert_eq!((range.min, range.max), (0.0, 3.0));
        assert_eq!(outlined(&[(5_i64, 19)], Some(0)), None);
    }

    #[test]
    fn nothing_is_said_of_the_range_of_few_people() {
        let of = |count: u32| -> Vec<(f64, u32)> {
            let values = (0..count).map(|it| (365.667_1 + f64::from(it) * 0.000_13, 1));
            values.collect()
        };
        for count in [20, 37, 39, 42, 59] {
            assert_eq!(outlined(&of(count), Some(7)), None, "{count}");
            assert_eq!(outlined(&of(count), None), None, "{count}");
        }
        // Close beside each other they show their first digits alone.
        let range = outlined(&of(60), Some(7)).unwrap();
        assert_eq!((range.min, range.max), (365.5, 366.0));
        let large: Vec<(i64, u32)> = (4_547_054..4_547_120).map(|it| (it, 1)).collect();
        let range = outlined(&large, Some(0)).unwrap();
        assert_eq!((range.min, range.max), (4_545_000, 4_550_000));
    }

    #[test]
    fn an_end_that_few_people_have_is_no_bound() {
        // The 20th from below is the only one to have 23, and the 20th from above to have 25.
        let values: Vec<(i64, u32)> = vec![(22, 19), (23, 1), (24, 30), (25, 1), (26, 19)];
        let range = outlined(&values, Some(0)).unwrap();
        assert_eq!((range.min, range.max), (22, 26));
        let shared: Vec<(i64, u32)> = vec![(23, 20), (24, 30), (25, 20)];
        let range = outlined(&shared, Some(0)).unwrap();
        assert_eq!((range.min, range.max), (23, 25));
    }

    #[test]
    fn a_value_that_nearly_all_have_keeps_a_bin_of_its_own() {
        let mut values: Vec<(i64, u32)> = vec![(0, 2_960)];
        values.extend((1..=40).map(|it| (it * 98_765 + 17, 1)));
        let range = outlined(&values, Some(0)).unwrap();
        let Bins::Cuts(cuts) = range.bins else {
            panic!("{range:?}")
        };
        assert_eq!(cuts[0], 1, "{cuts:?}");
        // The others are spread by round numbers, not all over one bin.
        assert!((5..=25).contains(&cuts.len()), "{cuts:?}");
        assert!(cuts[1..].iter().all(|cut| cut % 100_000 == 0), "{cuts:?}");
    }

    #[test]
    fn values_apart_from_all_others_do_not_stretch_the_range() {
        let mut ages: Vec<(i64, u32)> = (18..=90).map(|age| (age, 30)).collect();
        ages.insert(0, (-1, 300));
        ages.push((999, 200));
        let range = outlined(&ages, Some(0)).unwrap();
        assert_eq!((range.min, range.max), (-1, 999));
        let Bins::Cuts(cuts) = range.bins else {
            panic!("bins of equal width")
        };
        assert_eq!(cuts[..3], [0, 10, 11]);
        assert_eq!(cuts[cuts.len() - 2..], [91, 999]);
        // A scale has no gap, whatever its ends are.
        let scale: Vec<(i64, u32)> = (1..=7).map(|it| (it, 500)).collect();
        assert_eq!(outlined(&scale, Some(0)).unwrap().max, 7);

        let day = |text: &str| -> Day { text.parse().unwrap() };
        let days = (0..700).map(|it| Day::from_number(19_000 + it).unwrap());
        let mut values: Vec<(Day, u32)> = days.map(|day| (day, 1)).collect();
        values.push((day("9999-12-31"), 900));
        let codes = (0..).zip(&values);
        let codes = codes.flat_map(|(code, it)| std::iter::repeat_n(code, it.1 as usize));
        let people = People::new(codes.collect(), None);
        let ranks = Ranks::new(values.iter().map(|it| Some(it.0)), &people);
        let range = of_days(&ranks, &people).unwrap();
        assert_eq!(
            (range.min, range.max),
            (day("2022-01-01"), day("9999-12-31"))
        );
        let Bins::Cuts(cuts) = range.bins else {
            panic!("bins of equal width")
        };
        assert_eq!(
            cuts[cuts.len() - 2..],
            [day("2024-01-01"), day("9999-12-31")]
        );
    }

    #[test]
    fn frequent_values_get_bins_of_their_own_and_all_others_begin_at_round_numbers() {
        let mut values = vec![(0.0, 5_000)];
        values.extend((1..4_000_u32).map(|it| (f64::from(it) * 1.000_371, 1)));
        let range = outlined(&values, None).unwrap();
        let Bins::Cuts(cuts) = range.bins else {
            panic!("{range:?}")
        };
        assert!(cuts[0] > 0.0 && cuts[0] < 2.0, "{cuts:?}");
        assert!(cuts.len() > 20, "{cuts:?}");
        for cut in &cuts[1..] {
            assert!(!values.iter().any(|(value, _)| value == cut), "{cut}");
        }
    }

    #[test]
    fn frequent_values_beside_each_other_are_not_spread_over_the_gap() {
        let values = [(0.0, 3_000), (0.0221, 40), (0.5, 3), (1.0, 900)];
        let Bins::Cuts(cuts) = outlined(&values, None).unwrap().bins else {
            panic!("bins of equal width")
        };
        let bin = |value: f64| cuts.partition_point(|cut| *cut <= value);
        for (value, _) in values {
            let alone = values.iter().filter(|(other, _)| bin(*other) == bin(value));
            assert_eq!(alone.count(), 1, "{value}: {cuts:?}");
        }
        assert!(cuts[0] < 0.001, "{cuts:?}");
    }

    #[test]
    fn bins_of_too_few_people_are_put_together() {
        let values: Vec<(i64, u32)> = (0..5_000).map(|value| (value * value, 1)).collect();
        let range = outlined(&values, Some(0)).unwrap();
        let Bins::Cuts(cuts) = range.bins else {
            panic!("{range:?}")
        };
        let mut counts = vec![0; cuts.len() + 1];
        for (value, _) in values {
            counts[cuts.partition_point(|cut| *cut <= value)] += 1;
        }
        assert!(counts.iter().all(|count| *count >= 20), "{counts:?}");
    }
}
