/// The closest vector (in Euclidean distance) of non-negative numbers with the given sum.
///
/// Held, Wolfe and Crowder (1974), by sorting. Values must be finite; an empty slice gives an empty
/// vector.
///
/// # Panics
/// If `sum` is not positive and finite.
#[must_use]
pub fn project_to_simplex(values: &[f64], sum: f64) -> Vec<f64> {
    assert!(sum > 0.0 && sum.is_finite(), "the sum must be positive");
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let (mut running, mut threshold) = (0.0, 0.0);
    for (count, value) in (1_u32..).zip(&sorted) {
        running += value;
        let candidate = (running - sum) / f64::from(count);
        if *value <= candidate {
            break;
        }
        threshold = candidate;
    }
    values.iter().map(|v| (v - threshold).max(0.0)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_on_the_simplex_stays() {
        let projected = project_to_simplex(&[0.25, 0.0, 0.75], 1.0);
        assert!(
            projected
                .iter()
                .zip([0.25, 0.0, 0.75])
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
    }

    proptest! {
        #[test]
        fn the_projection_meets_the_optimality_conditions(
            values in prop::collection::vec(-1e6_f64..1e6, 1..50),
            sum in 1e-3_f64..1e7,
        ) {
            let projected = project_to_simplex(&values, sum);
            prop_assert!((projected.iter().sum::<f64>() / sum - 1.0).abs() < 1e-6);
            // Every positive cell was lowered by the same amount, every other one by no more.
            let lowered: Vec<f64> = values.iter().zip(&projected).map(|(v, p)| v - p).collect();
            let positive = lowered
                .iter()
                .zip(&projected)
                .filter(|(_, p)| **p > 0.0)
                .map(|(l, _)| *l);
            let common = positive.clone().fold(f64::NEG_INFINITY, f64::max);
            prop_assert!(
                positive.clone().all(|l| (l - common).abs() < 1e-6 * (1.0 + common.abs()))
            );
            prop_assert!(lowered.iter().all(|l| *l <= common + 1e-6 * (1.0 + common.abs())));
        }
    }
}
