//! Ranges and bins from noisy masses.

use std::ops::Range;

use schema::DEFAULT_BINS;

/// How far mass must rise out of noise to be told from it.
#[derive(Clone, Copy)]
pub(super) struct Rise {
    /// What is taken off each cell, in standard deviations: mass below this is taken for noise.
    drift: f64,
    /// What a run must reach, in standard deviations.
    sum: f64,
}

/// So that mass begins where it is dense, and the noise of empty cells does not.
pub(super) const CLEARLY: Rise = Rise {
    drift: 0.75,
    sum: 5.0,
};

/// So that thin tails belong to the mass, with a few cells of noise in some columns.
pub(super) const SLIGHTLY: Rise = Rise {
    drift: 0.35,
    sum: 6.0,
};

/// The cells between the first and the last where mass begins to pile up beyond what noise does.
///
/// From either end, a running sum of what the counts are above the drift, never below 0, is kept
/// until it exceeds what a run must reach; the range begins where that last run began (a one-sided
/// CUSUM test; Page 1954, "Continuous inspection schemes").
pub(super) fn trimmed(noisy: &[f64], sigma: f64, rise: Rise) -> Range<usize> {
    // From both ends: noise within the range must not cut it in two.
    let first = onset(noisy.iter(), sigma, rise);
    let last = onset(noisy.iter().rev(), sigma, rise).map(|before_end| noisy.len() - before_end);
    match (first, last) {
        // Onsets that cross mean noise alone: then all of the range is kept.
        (Some(first), Some(end)) if first < end => first..end,
        _ => 0..noisy.len(),
    }
}

fn onset<'a>(noisy: impl Iterator<Item = &'a f64>, sigma: f64, rise: Rise) -> Option<usize> {
    let (mut run, mut began) = (0.0, 0);
    for (i, value) in noisy.enumerate() {
        if run <= 0.0 {
            (run, began) = (0.0, i);
        }
        // Noise drifts downwards then, and mass upwards.
        run += value - rise.drift * sigma;
        if run > rise.sum * sigma {
            return Some(began);
        }
    }
    None
}

/// The cell in which half of the mass is reached.
pub(super) fn median(noisy: &[f64]) -> usize {
    let mass = |value: &f64| value.max(0.0);
    let half = noisy.iter().map(mass).sum::<f64>() / 2.0;
    let mut sum = 0.0;
    let reached = noisy.iter().position(|value| {
        sum += mass(value);
        sum >= half
    });
    reached.unwrap_or(0)
}

/// Returns the number of bins at which each has about four times the noise of one cell in rows:
/// from 4 to 32.
pub(super) fn affordable_bins(filled: f64, sigma: f64) -> usize {
    let most = f64::from(DEFAULT_BINS);
    let bins = if sigma > 0.0 {
        filled / (4.0 * sigma)
    } else {
        most
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped"
    )]
    let bins = bins.clamp(4.0, most) as usize;
    bins
}

/// The part of so many bins that values of this mass get beside more frequent ones, which have
/// theirs: at least 4.
pub(super) fn part_of(bins: usize, mass: f64, all: f64) -> usize {
    let share = if all > 0.0 { mass / all } else { 1.0 };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "at most as many as there are"
    )]
    let part = (bins as f64 * share.clamp(0.0, 1.0)).ceil() as usize;
    part.max(4)
}

/// Puts cells together into at most `bins` bins of about equal mass: the cells with which bins
/// begin, ascending, without the first. A cell heavier than a bin stays alone, and the bins after
/// it share what is left.
pub(super) fn equal(noisy: &[f64], bins: usize) -> Vec<usize> {
    if noisy.len() <= bins {
        return (1..noisy.len()).collect();
    }
    // Made to rise first: noisy masses may be negative, and a running sum that falls has no
    // quantiles.
    let cumulative = rising(noisy.iter().scan(0.0, |sum, value| {
        *sum += value;
        Some(*sum)
    }));
    let total = cumulative.last().copied().unwrap_or(0.0);
    // No mass at all: even bins are as good as any, and public.
    if total <= 0.0 {
        return (1..bins).map(|bin| bin * noisy.len() / bins).collect();
    }
    let mut firsts = Vec::with_capacity(bins);
    let (mut begun, mut below) = (0, 0.0);
    // What is left is shared out anew after each bin: one heavy cell must not leave the others
    // empty.
    for left in (2..=bins).rev() {
        #[expect(clippy::cast_precision_loss, reason = "a few bins")]
        let target = below + (total - below) / left as f64;
        let cell = cumulative.partition_point(|sum| *sum < target);
        let before = if cell == 0 { 0.0 } else { cumulative[cell - 1] };
        let after = cumulative.get(cell).copied().unwrap_or(total);
        // The nearer of both edges, so that errors of one bin do not add up in the next.
        let nearer = if target - before < after - target {
            cell
        } else {
            cell + 1
        };
        // Each bin has a cell of its own at least.
        begun = nearer.max(begun + 1);
        if begun >= noisy.len() {
            break;
        }
        below = cumulative[begun - 1];
        firsts.push(begun);
    }
    firsts
}

/// The nearest sequence, in squares, that nowhere falls (isotonic regression by pooling adjacent
/// violators), held at 0 or above.
fn rising(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for value in values {
        let mut pool = (value, 1);
        while let Some(&(mean, count)) = pools.last().filter(|(mean, _)| *mean > pool.0) {
            #[expect(clippy::cast_precision_loss, reason = "a few thousand cells")]
            let (weight, other) = (pool.1 as f64, count as f64);
            pool = (
                (pool.0 * weight + mean * other) / (weight + other),
                pool.1 + count,
            );
            pools.pop();
        }
        pools.push(pool);
    }
    pools
        .into_iter()
        .flat_map(|(mean, count)| std::iter::repeat_n(mean.max(0.0), count))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_masses_are_trimmed_to_what_is_not_empty() {
        assert_eq!(trimmed(&[0.0, 0.0, 3.0, 0.0, 1.0, 0.0], 0.0, CLEARLY), 2..5);
        assert_eq!(trimmed(&[0.0, 0.0], 0.0, CLEARLY), 0..2);
    }

    #[test]
    fn noise_at_the_ends_is_trimmed() {
        let noise = [8.0, -11.0, 3.0, 14.0, -9.0, -4.0, 12.0, -7.0];
        let mut masses: Vec<f64> = noise.repeat(20);
        masses.extend([60.0; 30]);
        masses.extend(noise.repeat(20));
        let kept = trimmed(&masses, 10.0, CLEARLY);
        assert!(kept.start.abs_diff(160) <= 2, "{kept:?}");
        assert!(kept.end.abs_diff(190) <= 2, "{kept:?}");
    }

    #[test]
    fn half_of_the_mass_is_on_either_side_of_the_median() {
        assert_eq!(median(&[1.0, -9.0, 3.0, 1.0, 4.0]), 3);
        assert_eq!(median(&[-1.0, -2.0]), 0);
        assert_eq!(median(&[0.0, 5.0, 0.0]), 1);
    }

    #[test]
    fn bins_have_equal_mass() {
        assert_eq!(equal(&[1.0; 12], 4), [3, 6, 9]);
        assert_eq!(equal(&[1.0; 3], 4), [1, 2]);
        assert_eq!(equal(&[1.0, 1.0, 50.0, 1.0, 1.0, 1.0, 1.0], 4), [2, 3, 5]);
        assert_eq!(equal(&[0.0; 8], 4), [2, 4, 6]);
        assert_eq!(equal(&[-3.0, -1.0, -2.0, -1.0, 0.0], 2), [2]);
    }

    #[test]
    fn the_fit_never_falls() {
        assert_eq!(
            rising([1.0, 3.0, 2.0, 2.0, 5.0].into_iter()),
            [1.0, 7.0 / 3.0, 7.0 / 3.0, 7.0 / 3.0, 5.0]
        );
        assert_eq!(rising([-4.0, 2.0].into_iter()), [0.0, 2.0]);
    }
}
