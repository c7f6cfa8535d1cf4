//! Chi-square tests.

use std::collections::BTreeMap;

/// The probability that draws from `probability` (over the integers, to be summed as far as
/// `reach` to both sides) deviate from it as much as these or more.
///
/// Neighbouring values are pooled until 20 draws are expected of each pool.
pub(crate) fn fit(draws: &[i64], reach: i64, probability: impl Fn(i64) -> f64) -> f64 {
    let mut seen = BTreeMap::<i64, u32>::new();
    for &draw in draws {
        *seen.entry(draw.clamp(-reach, reach)).or_default() += 1;
    }
    let expected = |x| probability(x) * draws.len() as f64;
    let pairs =
        (-reach..=reach).map(|x| (f64::from(seen.get(&x).copied().unwrap_or(0)), expected(x)));
    let pools = pool(pairs, |&(_, expected)| expected);
    let statistic = pools
        .iter()
        .map(|(seen, expected)| (seen - expected).powi(2) / expected)
        .sum();
    chi_square_tail(statistic, pools.len() - 1)
}

/// The probability that two sets of draws of equal size from one distribution differ as much as
/// these or more.
pub(crate) fn two_samples(first: &[i64], second: &[i64]) -> f64 {
    assert_eq!(first.len(), second.len());
    let mut seen = BTreeMap::<i64, (f64, f64)>::new();
    for &draw in first {
        seen.entry(draw).or_default().0 += 1.0;
    }
    for &draw in second {
        seen.entry(draw).or_default().1 += 1.0;
    }
    let pools = pool(seen.into_values(), |&(a, b)| (a + b) / 2.0);
    let statistic = pools.iter().map(|(a, b)| (a - b).powi(2) / (a + b)).sum();
    chi_square_tail(statistic, pools.len() - 1)
}

fn pool(
    pairs: impl Iterator<Item = (f64, f64)>,
    size: impl Fn(&(f64, f64)) -> f64,
) -> Vec<(f64, f64)> {
    let mut pools: Vec<(f64, f64)> = Vec::new();
    let mut open = (0.0, 0.0);
    for (a, b) in pairs {
        open = (open.0 + a, open.1 + b);
        if size(&open) >= 20.0 {
            pools.push(open);
            open = (0.0, 0.0);
        }
    }
    let last = pools.last_mut().expect("there are draws enough");
    *last = (last.0 + open.0, last.1 + open.1);
    pools
}

/// P[chi-square with so many degrees of freedom >= statistic]: the regularised upper incomplete
/// gamma function at (degrees / 2, statistic / 2), by series or by Lentz's continued fraction.
fn chi_square_tail(statistic: f64, degrees: usize) -> f64 {
    let (a, x) = (degrees as f64 / 2.0, statistic / 2.0);
    if x <= 0.0 {
        return 1.0;
    }
    let scale = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum) = (1.0 / a, 1.0 / a);
        for n in 1..2_000 {
            term *= x / (a + f64::from(n));
            sum += term;
        }
        return 1.0 - scale * sum;
    }
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (1e300, 1.0 / b);
    let mut fraction = d;
    for n in 1..2_000 {
        let n = f64::from(n);
        let an = -n * (n - a);
        b += 2.0;
        d = 1.0 / (an * d + b);
        c = b + an / c;
        fraction *= d * c;
    }
    scale * fraction
}

/// P[Z > x] for standard normal Z and x >= 0: half the upper incomplete gamma function at (1/2, x^2
/// / 2).
pub(crate) fn normal_tail(x: f64) -> f64 {
    chi_square_tail(x * x, 1) / 2.0
}

/// Stirling's series, after moving the argument beyond 20.
fn ln_gamma(mut a: f64) -> f64 {
    let mut shift = 0.0;
    while a < 20.0 {
        shift += a.ln();
        a += 1.0;
    }
    let series = 1.0 / (12.0 * a) - 1.0 / (360.0 * a.powi(3)) + 1.0 / (1260.0 * a.powi(5));
    (a - 0.5) * a.ln() - a + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - shift
}

#[test]
fn tails_of_chi_square_are_those_of_the_tables() {
    let table = [
        (3.841_458_8, 1, 0.05),
        (9.210_340_4, 2, 0.01),
        (18.307_038, 10, 0.05),
        (149.449_25, 100, 0.001),
    ];
    for (statistic, degrees, probability) in table {
        let tail = chi_square_tail(statistic, degrees);
        assert!(
            (tail / probability - 1.0).abs() < 1e-5,
            "{statistic}, {degrees}: {tail}"
        );
    }
    assert!((chi_square_tail(90.0, 100) - 0.753_2).abs() < 1e-3);
    let normal = [
        (0.0, 0.5),
        (0.5, 0.308_537_538_7),
        (3.0, 1.349_898_032e-3),
        (6.0, 9.865_876_45e-10),
    ];
    for (x, probability) in normal {
        let tail = normal_tail(x);
        assert!((tail / probability - 1.0).abs() < 1e-8, "{x}: {tail}");
    }
}
