//! What is small against its noise is pulled towards what was expected. All of it is
//! post-processing.

use super::tuning::{COUNTS_NOISE, HAAR_SHIFTS, RESIDUALS_NOISE};

/// Noisy counts of a column's codes with detail that is mostly noise taken out.
///
/// A translation-invariant Haar transform (Coifman and Donoho 1995). A coefficient is multiplied by
/// what its neighbourhood's energy says is signal (an empirical Wiener filter). Where neighbouring
/// codes have nothing in common, coefficients are large and stay.
pub(crate) fn smooth_counts(noisy: &[f64], sigma: f64) -> Vec<f64> {
    let shifts = HAAR_SHIFTS.min(noisy.len());
    let mut mean = vec![0.0; noisy.len()];
    // One transform has its edges at fixed codes and leaves steps there: over all shifts they even
    // out.
    for shift in 0..shifts {
        let mut shifted = vec![0.0; shift];
        shifted.extend_from_slice(noisy);
        let filtered = haar_filtered(shifted, sigma);
        for (mean, value) in mean.iter_mut().zip(&filtered[shift..]) {
            *mean += value / shifts as f64;
        }
    }
    mean
}

fn haar_filtered(mut sums: Vec<f64>, sigma: f64) -> Vec<f64> {
    const HALF: f64 = std::f64::consts::FRAC_1_SQRT_2;
    let length = sums.len();
    // The transform halves a power of two; zeros beyond the end are cut off again.
    sums.resize(length.next_power_of_two(), 0.0);
    let mut details: Vec<Vec<f64>> = Vec::new();
    while sums.len() > 1 {
        let pairs = sums.chunks_exact(2);
        details.push(
            pairs
                .clone()
                .map(|pair| (pair[0] - pair[1]) * HALF)
                .collect(),
        );
        sums = pairs.map(|pair| (pair[0] + pair[1]) * HALF).collect();
    }
    for detail in details.iter().rev() {
        // What is left at the top, the sum, is not filtered: the column keeps its measured total,
        // but for what leaks into the zeros.
        let kept = detail
            .iter()
            .zip(local_energies(detail, 1, detail.len()))
            .map(|(d, energy)| d * signal_share(energy, COUNTS_NOISE * sigma * sigma));
        sums = sums
            .iter()
            .zip(kept)
            .flat_map(|(sum, d)| [(sum + d) * HALF, (sum - d) * HALF])
            .collect();
    }
    sums.truncate(length);
    sums
}

/// The difference between a measured pair and its expectation, row-major, less what is mostly
/// noise.
pub(crate) fn shrink_residual(residual: &[f64], columns: usize, sigma: f64) -> Vec<f64> {
    residual
        .iter()
        .zip(local_energies(residual, residual.len() / columns, columns))
        .map(|(r, energy)| r * signal_share(energy, RESIDUALS_NOISE * sigma * sigma))
        .collect()
}

fn signal_share(energy: f64, noise: f64) -> f64 {
    // The Wiener factor signal / (signal + noise), with the signal estimated as energy less noise.
    if energy > noise {
        1.0 - noise / energy
    } else {
        0.0
    }
}

/// Mean squares around each cell of a matrix: weights 1, 2, 1 along each axis, as far as there are
/// neighbours.
fn local_energies(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let squares: Vec<f64> = values.iter().map(|x| x * x).collect();
    // Neighbouring cells are likely both signal or both noise: pooled, their energy is a steadier
    // estimate than one cell's square.
    let along_rows: Vec<f64> = squares
        .chunks_exact(columns)
        .flat_map(|row| weighted_means(row, 1))
        .collect();
    let mut energies = vec![0.0; values.len()];
    for column in 0..columns {
        let means = weighted_means(&along_rows[column..], columns);
        (0..rows)
            .zip(means)
            .for_each(|(row, mean)| energies[row * columns + column] = mean);
    }
    energies
}

fn weighted_means(values: &[f64], step: usize) -> Vec<f64> {
    let line: Vec<f64> = values.iter().step_by(step).copied().collect();
    let at = |i: usize| {
        let before = i.checked_sub(1).map(|i| line[i]);
        let neighbours = before.into_iter().chain(line.get(i + 1).copied());
        let (sum, weight) = neighbours.fold((2.0 * line[i], 2.0), |(sum, weight), x| {
            (sum + x, weight + 1.0)
        });
        sum / weight
    };
    (0..line.len()).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noisy(exact: &[f64], sigma: f64, seed: u64) -> Vec<f64> {
        // Sums of twelve uniform numbers are close enough to Gaussian here.
        use rand_core::{Rng, SeedableRng};
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut uniform = || rng.next_u32() as f64 / 2f64.powi(32);
        exact
            .iter()
            .map(|x| x + sigma * ((0..12).map(|_| uniform()).sum::<f64>() - 6.0))
            .collect()
    }

    fn distance(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).sum()
    }

    #[test]
    fn smooth_counts_come_closer_and_spikes_stay() {
        let exact: Vec<f64> = (0..100)
            .map(|i| {
                if i == 40 {
                    5000.0
                } else {
                    100.0 + f64::from(i)
                }
            })
            .collect();
        let (mut before, mut after) = (0.0, 0.0);
        for seed in 0..20 {
            let noisy = noisy(&exact, 20.0, seed);
            let smooth = smooth_counts(&noisy, 20.0);
            assert!((smooth[40] - 5000.0).abs() < 150.0, "{}", smooth[40]);
            before += distance(&exact, &noisy);
            after += distance(&exact, &smooth);
        }
        assert!(after < 0.7 * before, "{after} against {before}");
    }

    #[test]
    fn without_noise_nothing_changes() {
        let counts = [3.0, 900.0, 0.0, 17.0, 5.0];
        assert!(distance(&counts, &smooth_counts(&counts, 1e-9)) < 1e-6);
        assert_eq!(shrink_residual(&counts[..4], 2, 1e-9), &counts[..4]);
    }

    #[test]
    fn a_residual_of_noise_nearly_vanishes_and_a_strong_one_stays() {
        let noise = noisy(&[0.0; 64], 10.0, 1);
        let zeros = [0.0; 64];
        assert!(
            distance(&zeros, &shrink_residual(&noise, 8, 10.0)) < 0.6 * distance(&zeros, &noise)
        );
        let strong = [500.0, -500.0, -500.0, 500.0];
        assert!(distance(&strong, &shrink_residual(&strong, 2, 10.0)) < 1.0);
    }

    #[test]
    fn a_column_of_one_code_is_its_count() {
        assert_eq!(smooth_counts(&[12.0], 3.0), [12.0]);
    }
}
