//! The normal distribution of one variable and of two.

use std::f64::consts::{FRAC_PI_2, TAU};

/// The density of the standard normal distribution.
pub(super) fn density(x: f64) -> f64 {
    (-x * x / 2.0).exp() / TAU.sqrt()
}

/// The probability that a standard normal variable is at most `x`, to some 13 digits of the
/// smaller tail.
pub(super) fn cdf(x: f64) -> f64 {
    if x < 0.0 {
        upper_tail(-x)
    } else {
        1.0 - upper_tail(x)
    }
}

/// The probability of more than `x`, which is not negative.
fn upper_tail(x: f64) -> f64 {
    /// Up to here the series is short and loses few digits, and beyond the fraction is.
    const SERIES: f64 = 3.0;
    if x == f64::INFINITY {
        return 0.0;
    }
    if x < SERIES {
        // x + x^3 / 3 + x^5 / 15 + ...: the integral of the density from 0, over the density at x.
        let (mut term, mut sum, mut odd) = (x, x, 1.0);
        while term > sum * f64::EPSILON {
            odd += 2.0;
            term *= x * x / odd;
            sum += term;
        }
        return 0.5 - density(x) * sum;
    }
    // Laplace's continued fraction of Mills' ratio, 1 / (x + 1 / (x + 2 / (x + ...))).
    let below = (1..=60).rev().fold(x, |below, k| x + f64::from(k) / below);
    density(x) / below
}

/// What a standard normal variable is at most with this probability: infinite for 0 and for 1.
pub(super) fn quantile(probability: f64) -> f64 {
    if probability <= 0.0 {
        return f64::NEG_INFINITY;
    }
    if probability >= 1.0 {
        return f64::INFINITY;
    }
    let tail = probability.min(1.0 - probability);
    // Hastings' approximation to within .003, then Halley's steps on the logarithm of the tail.
    let t = (-2.0 * tail.ln()).sqrt();
    let mut x = (t - (2.307_53 + 0.270_61 * t) / (1.0 + t * (0.992_29 + 0.044_81 * t))).max(0.0);
    for _ in 0..3 {
        let density = density(x);
        if density == 0.0 {
            break;
        }
        let step = (upper_tail(x) - tail) / density;
        x += step / (1.0 + x * step / 2.0).max(0.5);
    }
    if probability < 0.5 { -x } else { x }
}

/// Nodes and weights of the Gauss-Legendre rule of ten points on [-1, 1]: of each pair of nodes
/// the positive one.
const GAUSS: [(f64, f64); 5] = [
    (0.148_874_338_981_631_2, 0.295_524_224_714_752_9),
    (0.433_395_394_129_247_2, 0.269_266_719_309_996_3),
    (0.679_409_568_299_024_4, 0.219_086_362_515_982),
    (0.865_063_366_688_984_5, 0.149_451_349_150_580_6),
    (0.973_906_528_517_171_7, 0.066_671_344_308_688_1),
];

/// Where the range of the angle is cut, so that the rule is fine where the integrand is steep.
const CUTS: [f64; 6] = [0.0, 0.6, 1.1, 1.35, 1.48, 1.54];

/// Two standard normal variables of one correlation.
///
/// The probability that both are at most h and k is cdf(h) cdf(k) plus an integral over the angle
/// whose sine is the correlation (Sheppard; in this form Drezner and Wesolowsky 1990), here by
/// Gauss' rule on panels.
pub(super) struct Bivariate {
    /// Sine, half the inverse squared cosine, and weight of each node.
    nodes: Vec<(f64, f64, f64)>,
}

impl Bivariate {
    /// For a correlation strictly between -1 and 1.
    pub(super) fn new(correlation: f64) -> Bivariate {
        let angle = correlation.asin();
        let reach = angle.abs().min(FRAC_PI_2);
        let mut nodes = Vec::new();
        for (i, &low) in CUTS.iter().enumerate() {
            let high = CUTS.get(i + 1).copied().unwrap_or(FRAC_PI_2).min(reach);
            if high <= low {
                break;
            }
            let (middle, half) = (f64::midpoint(low, high), (high - low) / 2.0);
            for (node, weight) in GAUSS {
                for node in [-node, node] {
                    let (sine, cosine) = (middle + half * node).sin_cos();
                    let signed = weight * half / TAU * angle.signum();
                    nodes.push((sine * angle.signum(), 0.5 / (cosine * cosine), signed));
                }
            }
        }
        Bivariate { nodes }
    }

    /// What the probability that both are at most h and k has beyond cdf(h) cdf(k).
    pub(super) fn beyond_product(&self, h: f64, k: f64) -> f64 {
        if !(h.is_finite() && k.is_finite()) {
            return 0.0;
        }
        let (squares, twice) = (h * h + k * k, 2.0 * h * k);
        let at = |&(sine, half_inverse, weight): &(f64, f64, f64)| {
            weight * (-(squares - twice * sine) * half_inverse).exp()
        };
        self.nodes.iter().map(at).sum()
    }
}

/// The density of two standard normal variables at (h, k): how fast the probability of both below
/// grows with their correlation.
pub(super) fn bivariate_density(h: f64, k: f64, correlation: f64) -> f64 {
    let rest = 1.0 - correlation * correlation;
    (-(h * h + k * k - 2.0 * h * k * correlation) / (2.0 * rest)).exp() / (TAU * rest.sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distribution_and_its_quantiles_are_those_of_the_tables() {
        // scipy.stats.norm.cdf
        for (x, expected) in [
            (-37.0, 5.725_571_222_524_6e-300),
            (-8.0, 6.220_960_574_271_8e-16),
            (-3.1, 9.676_032_132_183_57e-4),
            (-2.9, 1.865_813_300_384_038e-3),
            (-1.0, 0.158_655_253_931_457_05),
            (0.0, 0.5),
            (0.3, 0.617_911_422_188_952_7),
            (2.5, 0.993_790_334_674_223_8),
        ] {
            let found = cdf(x);
            assert!((found / expected - 1.0).abs() < 1e-11, "{x}: {found}");
            assert!(
                (quantile(expected) - x).abs() < 1e-8,
                "{x}: {}",
                quantile(expected)
            );
        }
        assert_eq!([cdf(f64::NEG_INFINITY), cdf(f64::INFINITY)], [0.0, 1.0]);
        assert_eq!(
            [quantile(0.0), quantile(1.0)],
            [f64::NEG_INFINITY, f64::INFINITY]
        );
    }

    #[test]
    fn two_variables_are_both_below_zero_by_the_angle_of_their_correlation() {
        for correlation in [-0.999, -0.95, -0.4, 0.0, 0.1, 0.56, 0.9, 0.99, 0.999] {
            let found = 0.25 + Bivariate::new(correlation).beyond_product(0.0, 0.0);
            let expected = 0.25 + f64::asin(correlation) / TAU;
            assert!((found - expected).abs() < 1e-12, "{correlation}: {found}");
        }
    }

    #[test]
    fn the_probability_of_both_below_is_the_integral_of_the_conditional_one() {
        for correlation in [-0.999, -0.8, 0.3, 0.7, 0.98, 0.999] {
            let bivariate = Bivariate::new(correlation);
            for (h, k) in [
                (0.0, 0.1),
                (-1.0, 0.5),
                (1.3, 1.2),
                (-2.0, -2.01),
                (2.5, -0.7),
            ] {
                let found = cdf(h) * cdf(k) + bivariate.beyond_product(h, k);
                assert!(
                    (found - by_slices(h, k, correlation)).abs() < 1e-7,
                    "{correlation} ({h}, {k}): {found}, {}",
                    by_slices(h, k, correlation)
                );
            }
        }
    }

    /// The integral over the first of the probability of the second, by the midpoint rule.
    fn by_slices(h: f64, k: f64, correlation: f64) -> f64 {
        const SLICES: u32 = 200_000;
        let width = (h + 9.0) / f64::from(SLICES);
        let deviation = (1.0 - correlation * correlation).sqrt();
        let slice = |i: u32| {
            let x = -9.0 + (f64::from(i) + 0.5) * width;
            density(x) * cdf((k - correlation * x) / deviation) * width
        };
        (0..SLICES).map(slice).sum()
    }

    #[test]
    fn the_density_is_the_slope_of_the_probability() {
        let (h, k, correlation) = (0.3, -0.8, 0.6);
        let at = |r: f64| Bivariate::new(r).beyond_product(h, k);
        let slope = (at(correlation + 1e-5) - at(correlation - 1e-5)) / 2e-5;
        assert!((slope - bivariate_density(h, k, correlation)).abs() < 1e-8);
    }
}
