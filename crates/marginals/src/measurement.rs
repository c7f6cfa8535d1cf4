use crate::{Clique, Domain, Error};

/// A noisy marginal: for each cell of a clique a value that is the true count plus independent
/// Gaussian noise of known standard deviation.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    clique: Clique,
    values: Vec<f64>,
    /// Inverse variance of each cell.
    weights: Vec<f64>,
}

impl Measurement {
    /// A measurement with the same noise in every cell; values row-major.
    ///
    /// # Errors
    /// If the clique is not in the domain, the length is wrong, a value is not finite, or `sigma`
    /// is not positive and finite.
    pub fn new(
        domain: &Domain,
        clique: Clique,
        values: Vec<f64>,
        sigma: f64,
    ) -> Result<Measurement, Error> {
        let sigmas = vec![sigma; values.len()];
        Measurement::with_sigmas(domain, clique, values, &sigmas)
    }

    /// A measurement with a standard deviation for each cell, as when some cells are sums of
    /// others.
    ///
    /// # Errors
    /// As [`Measurement::new`].
    pub fn with_sigmas(
        domain: &Domain,
        clique: Clique,
        values: Vec<f64>,
        sigmas: &[f64],
    ) -> Result<Measurement, Error> {
        let expected = domain.table_cells(&clique, u128::MAX)?;
        for found in [values.len(), sigmas.len()] {
            if found != expected {
                return Err(Error::WrongLength {
                    clique,
                    expected,
                    found,
                });
            }
        }
        if values.iter().any(|v| !v.is_finite()) {
            return Err(Error::BadValue {
                clique,
                reason: "a measured value must be finite",
            });
        }
        let weights: Vec<f64> = sigmas.iter().map(|sigma| (sigma * sigma).recip()).collect();
        if sigmas
            .iter()
            .zip(&weights)
            .any(|(sigma, weight)| !(*sigma > 0.0 && weight.is_normal()))
        {
            return Err(Error::BadSigma { clique });
        }
        Ok(Measurement {
            clique,
            values,
            weights,
        })
    }

    /// The attributes whose marginal was measured.
    #[must_use]
    pub fn clique(&self) -> &Clique {
        &self.clique
    }

    /// The noisy counts, row-major: the last attribute runs fastest.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// Inverse variance of each value.
    #[must_use]
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Takes in another measurement of the same clique, cell by cell. For every model, the loss of
    /// both is the loss of the merged one plus the returned number.
    pub(crate) fn merge(&mut self, other: &Measurement) -> f64 {
        let own = self.values.iter_mut().zip(&mut self.weights);
        let mut disagreement = 0.0;
        for ((value, weight), (v, w)) in own.zip(other.values.iter().zip(&other.weights)) {
            let sum = *weight + w;
            disagreement += 0.5 * *weight * (w / sum) * (v - *value).powi(2);
            *value += (v - *value) * (w / sum);
            *weight = sum;
        }
        disagreement
    }

    pub(crate) fn check(&self, domain: &Domain) -> Result<(), Error> {
        let expected = domain.table_cells(&self.clique, u128::MAX)?;
        let found = self.values.len();
        if found == expected {
            Ok(())
        } else {
            Err(Error::WrongLength {
                clique: self.clique.clone(),
                expected,
                found,
            })
        }
    }

    pub(crate) fn into_values_and_weights(self) -> (Vec<f64>, Vec<f64>) {
        (self.values, self.weights)
    }
}

/// The number of records: the inverse-variance weighted mean of the measurements' sums, where that
/// is more than its standard deviation, and else that, since noise hides any smaller number; at
/// least 1, and 1 if nothing was measured.
#[must_use]
pub fn estimate_total(measurements: &[Measurement]) -> f64 {
    let (mut sum, mut weight) = (0.0, 0.0);
    for measurement in measurements {
        let precision = measurement
            .weights
            .iter()
            .map(|w| w.recip())
            .sum::<f64>()
            .recip();
        sum += precision * measurement.values.iter().sum::<f64>();
        weight += precision;
    }
    if weight > 0.0 {
        let sigma = weight.powf(-0.5);
        (sum / weight).max(sigma).max(1.0)
    } else {
        1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(values: &[f64], sigma: f64) -> Measurement {
        let domain = Domain::new(vec![values.len()]).unwrap();
        Measurement::new(&domain, Clique::new([0]), values.to_vec(), sigma).unwrap()
    }

    #[test]
    fn the_total_trusts_small_and_precise_measurements_most() {
        let precise = measurement(&[60.0, 40.0], 1.0);
        let vague = measurement(&[300.0, 0.0], 3.0);
        assert!((estimate_total(&[precise, vague]) - (100.0 * 0.9 + 300.0 * 0.1)).abs() < 1e-9);
    }

    #[test]
    fn the_total_is_at_least_one() {
        assert_eq!(estimate_total(&[]), 1.0);
        assert_eq!(estimate_total(&[measurement(&[-5.0, 2.0], 0.1)]), 1.0);
    }

    #[test]
    fn a_total_that_noise_hides_is_as_large_as_the_noise() {
        let total = estimate_total(&[measurement(&[-900.0, 200.0, 300.0, 0.0], 50.0)]);
        assert!((total - 100.0).abs() < 1e-9, "{total}");
    }

    #[test]
    fn merging_weighs_by_inverse_variance() {
        let mut merged = measurement(&[0.0, 10.0], 1.0);
        let disagreement = merged.merge(&measurement(&[4.0, 6.0], 2.0));
        let loss = |v: f64, y: f64, sigma: f64| (v - y).powi(2) / (2.0 * sigma * sigma);
        let apart =
            loss(1.0, 0.0, 1.0) + loss(1.0, 4.0, 2.0) + loss(1.0, 10.0, 1.0) + loss(1.0, 6.0, 2.0);
        let together: f64 = merged
            .values
            .iter()
            .zip(&merged.weights)
            .map(|(y, w)| 0.5 * w * (1.0 - y).powi(2))
            .sum();
        assert!((apart - together - disagreement).abs() < 1e-12);
        assert!((merged.values[0] - 0.8).abs() < 1e-12 && (merged.values[1] - 9.2).abs() < 1e-12);
        assert!((merged.weights[0] - 1.25).abs() < 1e-12);
    }

    #[test]
    fn a_standard_deviation_must_be_usable() {
        let domain = Domain::new(vec![1]).unwrap();
        for sigma in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-200, 1e200] {
            let refused = Measurement::new(&domain, Clique::new([0]), vec![1.0], sigma);
            assert!(matches!(refused, Err(Error::BadSigma { .. })), "{sigma}");
        }
    }
}
