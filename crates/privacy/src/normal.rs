//! Bounds on tails of the normal distribution that hold in spite of rounding.

use crate::accounting::Slack;

/// Beyond this many standard deviations the tail is below the least `f64`.
pub(crate) const NOWHERE: f64 = 40.0;

/// An upper bound on P[Z > x], for 0 <= x <= [`NOWHERE`].
pub(crate) fn upper_tail(x: f64, slack: Slack) -> f64 {
    (density(x, slack) * mills_ratio(x, slack).1).next_up()
}

/// An upper bound on the density at x, for |x| <= [`NOWHERE`].
///
/// The exponent is at most 800 and off by 1.5 units of 2^-53 of it, which moves the value by a
/// factor of 1 + 600 * 2^-52 at most; the other operations hardly count.
pub(crate) fn density(x: f64, slack: Slack) -> f64 {
    (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * (1.0 + slack.of_many())
}

/// A lower and an upper bound on Mills' ratio, P[Z > x] divided by the density at x, for x >=
/// -[`NOWHERE`]. It falls with x.
pub(crate) fn mills_ratio(x: f64, slack: Slack) -> (f64, f64) {
    let (low, high) = ratio_between(x);
    (
        low * (1.0 - slack.of_many()),
        high * (1.0 + slack.of_many()),
    )
}

/// The same but for rounding.
fn ratio_between(x: f64) -> (f64, f64) {
    // Far below zero nearly all mass is above: one minus a small tail is precise there.
    if x <= -1.5 {
        // P[Z > x] = 1 - P[Z > -x]; the subtrahend is at most a fourteenth of the minuend.
        let (low, high) = ratio_between(-x);
        let all = 2.0 * over_density(x);
        (all - high, all - low)
    } else if x < 1.5 {
        // Near zero the continued fraction converges slowly, and the series fast.
        let ratio = over_density(x) - odd_series(x);
        (ratio, ratio)
    } else {
        // Consecutive convergents enclose the ratio, so that no error term has to be estimated.
        (convergent(x, TERMS + 1), convergent(x, TERMS))
    }
}

/// One half divided by the density at x. Rounding errs as in [`density`].
fn over_density(x: f64) -> f64 {
    std::f64::consts::FRAC_PI_2.sqrt() * (x * x / 2.0).exp()
}

/// An even number: such convergents lie above, the odd ones below. At x = 1.5, where they are
/// farthest apart, they differ by less than 1e-16 of the ratio.
const TERMS: u32 = 200;

/// Laplace's continued fraction 1/(x + 1/(x + 2/(x + 3/(x + ...)))).
///
/// Evaluated from the inside: an error of the inner fraction becomes a smaller relative error of
/// the next, to which two roundings add, so that 200 terms err by less than 200 units of 2^-52.
fn convergent(x: f64, terms: u32) -> f64 {
    (1..=terms)
        .rev()
        .fold(x, |inner, k| x + f64::from(k) / inner)
        .recip()
}

/// P[0 < Z < x] divided by the density at x: the sum of x^(2n + 1) / (2n + 1)!! over n >= 0, for
/// |x| < 1.5.
///
/// All terms have the sign of x; those left out are below 1e-24. What remains of `over_density`
/// without it is at least 0.15 times the sum, so that roundings grow by little.
fn odd_series(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..25_u32 {
        term *= x * x / f64::from(2 * n + 1);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use crate::accounting::{CHECKED, STATED};

    use super::*;

    #[test]
    fn bounds_enclose_reference_values_narrowly() {
        for (x, ratio) in [
            (-30.0, 6.785_889_613_061_119e195),
            (-8.5, 12_245_544_276_507_173.2),
            (-4.0, 7_471.916_923_422_994),
            (-1.5, 7.205_143_007_274_778),
            (-1.0, 3.477_051_811_703_694_5),
            (-0.5, 1.964_017_495_357_993_8),
            (0.0, 1.253_314_137_315_500_3),
            (0.25, 1.037_824_575_853_726_8),
            (0.999, 0.656_024_018_618_825_6),
            (1.0, 0.655_679_542_418_798_5),
            (1.001, 0.655_335_377_577_902_6),
            (1.499, 0.516_042_002_992_384_1),
            (1.5, 0.515_815_638_217_963_4),
            (2.0, 0.421_369_229_288_054_5),
            (3.5, 0.266_567_768_968_223_76),
            (6.0, 0.162_377_660_896_867_46),
            (10.0, 0.099_028_596_471_731_92),
            (20.0, 0.049_875_925_981_836_78),
            (37.0, 0.027_007_327_965_128_336),
            (40.0, 0.024_984_404_205_720_57),
        ] {
            // Computed with mpmath to 50 digits.
            let (low, high) = mills_ratio(x, CHECKED);
            assert!(low < ratio && ratio < high, "{x}: {low} {high}");
            assert!(high - low < 1e-12 * ratio, "{x}: {low} {high}");
            // What rounding moved is a small part of the slack.
            let (least, most) = ratio_between(x);
            let unslackened = (least / ratio - 1.0).abs().max((most / ratio - 1.0).abs());
            assert!(unslackened < CHECKED.of_many() / 20.0, "{x}: {unslackened}");
            assert!(mills_ratio(x, STATED).1 > high);
        }
    }
}
