//! Correlations from noisy sums of signs, and the matrix that they are made to be.

use super::normal::{Bivariate, bivariate_density, cdf, quantile};

/// No correlation is further from 0: beyond, two columns are the same but for their bins.
const MOST: f64 = 0.999;
/// The least variance of any combination of the columns. It keeps the matrix invertible, and rows
/// from following a noisy direction exactly.
const LEAST_VARIANCE: f64 = 1e-3;

/// The same of a file's matrix: scaling the diagonal back takes something of it.
const LEAST_IN_A_FILE: f64 = 1e-7;

/// Correlations of `size` variables: those below the diagonal, row by row.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Correlations {
    size: usize,
    below: Vec<f64>,
}

/// The correlation that makes the sum of signs of two columns what was measured of it, drawn
/// towards 0 by as much as it may be noise.
///
/// `cuts` are the shares of rows up to the columns' cuts, `sum` and `sigma` the measured sum and
/// its noise, as shares of the rows.
pub(super) fn from_signs(cuts: [f64; 2], sum: f64, sigma: f64) -> f64 {
    let [h, k] = cuts.map(quantile);
    if !(h.is_finite() && k.is_finite()) {
        return 0.0; // A column on one side of its cut: its signs tell nothing.
    }
    // Both below and both above less the rest: 4 P(both below) + 1 - 2 P(a below) - 2 P(b below).
    let [a, b] = cuts;
    let rest = 4.0 * a * b + 1.0 - 2.0 * a - 2.0 * b - sum;
    let excess = |r: f64| 4.0 * Bivariate::new(r).beyond_product(h, k) + rest;
    let (mut low, mut high) = (-MOST, MOST);
    let mut r = (std::f64::consts::FRAC_PI_2 * sum.clamp(-1.0, 1.0))
        .sin()
        .clamp(-0.9, 0.9);
    // Newton's steps, and halves of the interval where they lead out of it: the sum grows with r.
    for _ in 0..60 {
        let value = excess(r);
        if value > 0.0 {
            high = r;
        } else {
            low = r;
        }
        let step = value / (4.0 * bivariate_density(h, k, r));
        let next = r - step;
        let next = if next > low && next < high {
            next
        } else {
            f64::midpoint(low, high)
        };
        if (next - r).abs() < 1e-10 {
            break;
        }
        r = next;
    }
    let error = sigma / (4.0 * bivariate_density(h, k, r));
    // James and Stein's factor for one number: none of it where noise alone is as large.
    let kept = (1.0 - (error / r).powi(2)).max(0.0);
    if kept.is_finite() { r * kept } else { 0.0 }
}

/// What a sum of signs is expected to be, as a share of the rows.
#[cfg(test)]
fn expected_sum(cuts: [f64; 2], r: f64) -> f64 {
    let [h, k] = cuts.map(quantile);
    let [a, b] = cuts;
    4.0 * (a * b + Bivariate::new(r).beyond_product(h, k)) + 1.0 - 2.0 * a - 2.0 * b
}

impl Correlations {
    /// The correlation matrix closest, by its eigenvalues, to these numbers: those of them below
    /// [`LEAST_VARIANCE`] are raised to it, and the diagonal is scaled back to 1.
    pub(super) fn repaired(size: usize, below: Vec<f64>) -> Correlations {
        assert_eq!(
            below.len(),
            size * size.saturating_sub(1) / 2,
            "each pair has one"
        );
        let raw = Correlations { size, below };
        if raw.less_on_the_diagonal(LEAST_VARIANCE).is_some() {
            return raw;
        }
        let mut matrix = raw.matrix();
        let vectors = diagonalise(&mut matrix, size);
        let values: Vec<f64> = (0..size)
            .map(|i| matrix[i * size + i].max(LEAST_VARIANCE))
            .collect();
        let entry = |a: usize, b: usize| -> f64 {
            let [a, b] = [a, b].map(|row| &vectors[row * size..(row + 1) * size]);
            a.iter()
                .zip(b)
                .zip(&values)
                .map(|((a, b), value)| a * b * value)
                .sum()
        };
        let deviations: Vec<f64> = (0..size).map(|a| entry(a, a).sqrt()).collect();
        let scaled = |a: usize, b: usize| entry(a, b) / (deviations[a] * deviations[b]);
        let below = (0..size).flat_map(|a| (0..a).map(move |b| (a, b)));
        Correlations {
            below: below.map(|(a, b)| scaled(a, b)).collect(),
            size,
        }
    }

    /// From a file: `None` unless they are those of a matrix that rows can be drawn with.
    pub(super) fn checked(size: usize, below: Vec<f64>) -> Option<Correlations> {
        let sound =
            below.len() == size * size.saturating_sub(1) / 2 && below.iter().all(|r| r.abs() < 1.0);
        let these = sound.then_some(Correlations { size, below })?;
        these
            .less_on_the_diagonal(LEAST_IN_A_FILE)
            .is_some()
            .then_some(these)
    }

    pub(super) fn below(&self) -> &[f64] {
        &self.below
    }

    pub(super) fn get(&self, a: usize, b: usize) -> f64 {
        match a.cmp(&b) {
            std::cmp::Ordering::Equal => 1.0,
            std::cmp::Ordering::Greater => self.below[a * (a - 1) / 2 + b],
            std::cmp::Ordering::Less => self.below[b * (b - 1) / 2 + a],
        }
    }

    /// The variables in this order.
    pub(super) fn in_order(&self, order: &[usize]) -> Correlations {
        let below = (0..order.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        Correlations {
            size: order.len(),
            below: below.map(|(a, b)| self.get(order[a], order[b])).collect(),
        }
    }

    /// The lower triangle that times its transpose is the matrix, diagonal included, row by row.
    pub(super) fn factor(&self) -> Vec<f64> {
        self.less_on_the_diagonal(0.0)
            .expect("a correlation matrix was made or checked to have a factor")
    }

    /// Cholesky's factor of the matrix less a multiple of the identity, if that is positive
    /// definite.
    fn less_on_the_diagonal(&self, less: f64) -> Option<Vec<f64>> {
        let row = |i: usize| i * (i + 1) / 2;
        let mut factor = vec![0.0; row(self.size)];
        for a in 0..self.size {
            for b in 0..=a {
                let dot: f64 = factor[row(a)..row(a) + b]
                    .iter()
                    .zip(&factor[row(b)..row(b) + b])
                    .map(|(a, b)| a * b)
                    .sum();
                let rest = self.get(a, b) - dot;
                factor[row(a) + b] = if a != b {
                    rest / factor[row(b) + b]
                } else {
                    let pivot = rest - less;
                    // What is not a number is refused as well.
                    (pivot > 0.0).then(|| pivot.sqrt())?
                };
            }
        }
        Some(factor)
    }

    fn matrix(&self) -> Vec<f64> {
        let entries = (0..self.size).flat_map(|a| (0..self.size).map(move |b| (a, b)));
        entries.map(|(a, b)| self.get(a, b)).collect()
    }
}

/// Turns a symmetric matrix, row by row, into its eigenvalues on the diagonal, by Jacobi's
/// rotations, and returns the eigenvectors as columns.
fn diagonalise(matrix: &mut [f64], size: usize) -> Vec<f64> {
    /// Convergence is quadratic: more than a dozen sweeps are never needed.
    const MOST_SWEEPS: usize = 30;
    const NEGLIGIBLE: f64 = 1e-9;
    let mut vectors = vec![0.0; size * size];
    (0..size).for_each(|i| vectors[i * size + i] = 1.0);
    for _ in 0..MOST_SWEEPS {
        let mut largest = 0.0_f64;
        for p in 0..size {
            for q in p + 1..size {
                let off = matrix[p * size + q];
                largest = largest.max(off.abs());
                if off.abs() < NEGLIGIBLE {
                    continue;
                }
                let gap = (matrix[q * size + q] - matrix[p * size + p]) / (2.0 * off);
                let tangent = gap.signum() / (gap.abs() + gap.hypot(1.0));
                let cosine = tangent.hypot(1.0).recip();
                rotate(
                    matrix,
                    &mut vectors,
                    size,
                    [p, q],
                    [cosine, tangent * cosine],
                );
            }
        }
        if largest < NEGLIGIBLE {
            break;
        }
    }
    vectors
}

fn rotate(
    matrix: &mut [f64],
    vectors: &mut [f64],
    size: usize,
    [p, q]: [usize; 2],
    [cosine, sine]: [f64; 2],
) {
    let turn = |a: &mut f64, b: &mut f64| {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    };
    // Columns p and q of both, then rows p and q of the matrix.
    for row in matrix
        .chunks_exact_mut(size)
        .chain(vectors.chunks_exact_mut(size))
    {
        let (left, right) = row.split_at_mut(q);
        turn(&mut left[p], &mut right[0]);
    }
    let (above, below) = matrix.split_at_mut(q * size);
    let rows = above[p * size..(p + 1) * size]
        .iter_mut()
        .zip(&mut below[..size]);
    rows.for_each(|(a, b)| turn(a, b));
}

/// The probability of each of the intervals between these cuts, for a normal variable.
pub(super) fn between(cuts: &[f64], mean: f64, deviation: f64) -> Vec<f64> {
    let mut before = 0.0;
    let mut probabilities = Vec::with_capacity(cuts.len() + 1);
    for &cut in cuts {
        let below = cdf((cut - mean) / deviation);
        probabilities.push((below - before).max(0.0));
        before = below;
    }
    probabilities.push(1.0 - before);
    probabilities
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn signs_about_exact_medians_give_the_sine_of_their_sum() {
        for sum in [-0.9, -0.3, 0.0, 0.2, 0.7] {
            let r = from_signs([0.5, 0.5], sum, 0.0);
            let expected = (std::f64::consts::FRAC_PI_2 * sum).sin();
            assert!((r - expected).abs() < 1e-8, "{sum}: {r}");
        }
    }

    #[test]
    fn what_may_be_noise_is_drawn_to_0() {
        let [none, little, much] = [0.0, 0.05, 0.3].map(|sigma| from_signs([0.4, 0.6], 0.2, sigma));
        assert!(
            none > little && little > 0.0 && much == 0.0,
            "{none} {little} {much}"
        );
        assert_eq!(from_signs([0.0, 0.5], 0.2, 0.01), 0.0);
        assert_eq!(from_signs([0.5, 0.5], 0.0, 1e-3), 0.0);
    }

    #[test]
    fn sums_that_no_correlation_has_give_the_largest() {
        for sum in [1.0, 1.2, 50.0] {
            let [positive, negative] = [sum, -sum].map(|sum| from_signs([0.5, 0.5], sum, 1e-9));
            assert!(positive > 0.99 && positive <= MOST, "{positive}");
            assert!((-MOST..-0.99).contains(&negative), "{negative}");
        }
    }

    #[test]
    fn a_correlation_matrix_stays_as_it_is() {
        let below = vec![0.5, -0.2, 0.3];
        assert_eq!(Correlations::repaired(3, below.clone()).below(), below);
        assert!(Correlations::checked(3, below).is_some());
    }

    #[test]
    fn what_is_no_correlation_matrix_is_refused_from_a_file() {
        for below in [
            vec![0.9, 0.9, -0.9],
            vec![0.1, f64::NAN, 0.1],
            vec![1.0, 0.0, 0.0],
            vec![0.1, 0.1],
        ] {
            assert!(
                Correlations::checked(3, below.clone()).is_none(),
                "{below:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn the_correlation_of_an_exact_sum_comes_back(
            r in -0.95..0.95_f64,
            cuts in (0.1..0.9_f64, 0.1..0.9_f64),
        ) {
            let cuts = [cuts.0, cuts.1];
            let found = from_signs(cuts, expected_sum(cuts, r), 0.0);
            // About cuts far from the middle hardly anything depends on r: the sum must come back.
            let again = expected_sum(cuts, found);
            prop_assert!((again - expected_sum(cuts, r)).abs() < 1e-8, "{found}, {again}");
        }

        #[test]
        fn whatever_is_repaired_can_be_drawn_from(
            below in prop::collection::vec(-1.0..1.0_f64, 28),
        ) {
            let repaired = Correlations::repaired(8, below);
            let again = Correlations::checked(8, repaired.below().to_vec());
            prop_assert_eq!(again, Some(repaired.clone()));
            let factor = repaired.factor();
            for a in 0..8 {
                for b in 0..=a {
                    let row = |i: usize| &factor[i * (i + 1) / 2..(i + 1) * (i + 2) / 2];
                    let dot: f64 = row(a).iter().zip(row(b)).map(|(a, b)| a * b).sum();
                    prop_assert!((dot - repaired.get(a, b)).abs() < 1e-9);
                }
            }
        }
    }
}
