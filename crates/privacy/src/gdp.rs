//! From mu-GDP with mu^2 = 2 rho to (epsilon, delta), exactly (Dong, Roth and Su 2022,
//! arXiv:1905.02383, corollary 2.13):
//!
//! `delta = P[Z > a] - exp(epsilon) P[Z > b]` with `a = epsilon / mu - mu / 2` and
//! `b = epsilon / mu + mu / 2`.
//!
//! As `exp(epsilon)` times the density at b is the density at a, that is the density at a times the
//! difference of Mills' ratios at a and b: what remains of the cancellation is that of the two
//! ratios.

use crate::accounting::Slack;
use crate::normal::{NOWHERE, density, mills_ratio};

/// The least delta for rho > 0 and 0 <= epsilon <= 10^6, rounded up; within [0, 1].
///
/// Each factor is bounded from above: delta grows with mu, and the difference of the ratios when
/// its ends move apart.
pub(crate) fn delta(rho: f64, epsilon: f64, slack: Slack) -> f64 {
    // Rounded up: a larger mu is a weaker guarantee, so that the result stays an upper bound.
    let mu = (2.0 * rho).sqrt().next_up();
    let (ratio, half) = (epsilon / mu, mu / 2.0);
    // Quotient and sum are off by half a unit of 2^-52 each.
    let error = 2.0 * f64::EPSILON * (ratio + half);
    let (a, b) = (ratio - half - error, ratio + half + error);
    // The density there is below the least float, but a delta of 0 would claim pure differential
    // privacy.
    if a > NOWHERE {
        return 0.0_f64.next_up();
    }
    // Where a is certainly below 0, its density is at most that of the other end of the error.
    // The density is largest at 0, so that the end nearer to 0 bounds it.
    let least_magnitude = a.max(-(a + 2.0 * error)).max(0.0);
    // Upper end of one and lower end of the other: the difference of the two is never too small.
    let difference = mills_ratio(a, slack).1 - mills_ratio(b, slack).0;
    (density(least_magnitude, slack) * difference)
        .next_up()
        .min(1.0)
}

#[cfg(test)]
mod tests {
    use crate::{Accounting, Delta, Epsilon};

    /// (epsilon, delta, mu^2 / 2), by bisection of the formula above in mpmath with 60 digits.
    const REFERENCE: [(f64, f64, f64); 40] = [
        (0.01, 1e-15, 1.077_439_325_376_723e-6),
        (0.01, 1e-9, 2.378_347_045_855_367e-6),
        (0.01, 1e-6, 5.327_619_115_489_244e-6),
        (0.01, 1e-5, 8.413_069_656_078_207e-6),
        (0.01, 1e-2, 6.516_025_804_050_423e-4),
        (0.1, 1e-15, 9.835_211_313_286_389e-5),
        (0.1, 1e-9, 1.983_319_607_766_033e-4),
        (0.1, 1e-6, 3.793_538_785_273_965e-4),
        (0.1, 1e-5, 5.288_006_978_151_233e-4),
        (0.1, 1e-2, 5.491_706_060_618_633e-3),
        (0.5, 1e-15, 2.303_452_145_258_29e-3),
        (0.5, 1e-9, 4.388_579_843_000_034e-3),
        (0.5, 1e-6, 7.701_168_113_593_829e-3),
        (0.5, 1e-5, 1.011_192_149_851_169e-2),
        (0.5, 1e-2, 5.048_943_422_411_414e-2),
        (1.0, 1e-15, 8.919_761_448_087_504e-3),
        (1.0, 1e-9, 1.655_741_524_508_666e-2),
        (1.0, 1e-6, 2.801_448_191_263_034e-2),
        (1.0, 1e-5, 3.592_570_232_741_822e-2),
        (1.0, 1e-2, 1.417_869_904_664_076e-1),
        (3.0, 1e-15, 7.497_285_107_450_068e-2),
        (3.0, 1e-9, 1.323_429_138_143_482e-1),
        (3.0, 1e-6, 2.097_748_292_790_294e-1),
        (3.0, 1e-5, 2.585_649_428_199_846e-1),
        (3.0, 1e-2, 7.328_552_055_418_49e-1),
        (5.0, 1e-15, 1.988_890_239_194_506e-1),
        (5.0, 1e-9, 3.405_421_334_055_13e-1),
        (5.0, 1e-6, 5.205_643_517_641_368e-1),
        (5.0, 1e-5, 6.285_916_137_398_159e-1),
        (5.0, 1e-2, 1.542_291_751_067_568),
        (10.0, 1e-15, 7.276_172_485_904_12e-1),
        (10.0, 1e-9, 1.182_533_351_543_891),
        (10.0, 1e-6, 1.707_796_324_996_754),
        (10.0, 1e-5, 2.000_891_340_150_049),
        (10.0, 1e-2, 4.079_378_514_305_814),
        (20.0, 1e-15, 2.537_497_065_766_019),
        (20.0, 1e-9, 3.862_055_482_227_643),
        (20.0, 1e-6, 5.233_774_922_354_878),
        (20.0, 1e-5, 5.943_605_348_253_304),
        (20.0, 1e-2, 1.026_259_223_073_074e+1),
    ];

    fn totals(epsilon: f64, delta: f64) -> [f64; 2] {
        let (epsilon, delta) = (Epsilon::new(epsilon).unwrap(), Delta::new(delta).unwrap());
        [Accounting::Gdp, Accounting::Zcdp].map(|accounting| accounting.total(epsilon, delta).get())
    }

    #[test]
    fn the_total_is_below_the_reference_by_next_to_nothing() {
        for (epsilon, delta, reference) in REFERENCE {
            let [total, _] = totals(epsilon, delta);
            let unit = 2.0_f64.powi(-48);
            assert!(
                total <= reference && total > reference * (1.0 - 1e-9) - 2.0 * unit,
                "epsilon {epsilon}, delta {delta}: {total}, {reference}"
            );
        }
    }

    #[test]
    fn it_exceeds_that_of_zcdp_by_known_factors() {
        for (epsilon, delta, factor) in [
            (0.1, 1e-9, 1.12),
            (1.0, 1e-9, 1.106),
            (1.0, 1e-6, 1.15),
            (1.0, 1e-5, 1.176),
            (3.0, 1e-9, 1.098),
            (10.0, 1e-9, 1.084),
        ] {
            let [gdp, zcdp] = totals(epsilon, delta);
            assert!(
                (gdp / zcdp - factor).abs() < 1e-3,
                "epsilon {epsilon}, delta {delta}: {}",
                gdp / zcdp
            );
        }
    }
}
