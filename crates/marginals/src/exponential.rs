//! An exponential that the compiler can turn into vector instructions.

/// Replaces each `x` by `exp(x - shift)` and returns the sum.
///
/// Needs `x <= shift` (or `x` = -infinity): the largest result is 1. Results below 2e-308 become 0.
/// Relative error is below 4e-16 (checked against the standard library's in the tests).
pub(crate) fn exp_shifted(values: &mut [f64], shift: f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let mut chunks = values.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for (value, lane) in chunk.iter_mut().zip(&mut lanes) {
            *value = exp_nonpositive(*value - shift);
            *lane += *value;
        }
    }
    let mut sum = 0.0;
    for value in chunks.into_remainder() {
        *value = exp_nonpositive(*value - shift);
        sum += *value;
    }
    sum + lanes.iter().sum::<f64>()
}

/// Replaces each `x` by `exp(x - shift)`, with a shift of its own, and adds it to a sum of its own.
///
/// As [`exp_shifted`] otherwise.
pub(crate) fn exp_shifted_each(values: &mut [f64], shifts: &[f64], sums: &mut [f64]) {
    for ((value, shift), sum) in values.iter_mut().zip(shifts).zip(sums) {
        *value = exp_nonpositive(*value - shift);
        *sum += *value;
    }
}

/// Replaces each `x >= 0` by its logarithm. Numbers below 2e-308 count as zero. Relative error is
/// below 6e-16 (checked against the standard library's in the tests).
pub(crate) fn ln_each(values: &mut [f64]) {
    values.iter_mut().for_each(|x| *x = ln(*x));
}

/// Sum in several accumulators: faster than a running sum, and no less exact.
pub(crate) fn sum(values: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest: f64 = chunks.remainder().iter().sum();
    for chunk in chunks {
        for (value, lane) in chunk.iter().zip(&mut lanes) {
            *lane += value;
        }
    }
    rest + lanes.iter().sum::<f64>()
}

/// Largest value, -infinity if there is none.
pub(crate) fn max(values: &[f64]) -> f64 {
    let mut lanes = [f64::NEG_INFINITY; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks
        .remainder()
        .iter()
        .copied()
        .fold(f64::NEG_INFINITY, f64::max);
    for chunk in chunks {
        for (&value, lane) in chunk.iter().zip(&mut lanes) {
            // A plain comparison can be one vector instruction; `f64::max` has to look for NaN as
            // well.
            *lane = if value > *lane { value } else { *lane };
        }
    }
    lanes.iter().copied().fold(rest, f64::max)
}

// Sums of floating-point numbers may not be reordered by a compiler, so that a single running sum
// would be one long chain. The number of lanes is fixed, not the machine's, so that sums are the
// same to the last bit everywhere.
const LANES: usize = 8;

/// ln(2) in two parts, the first with zeros at its end.
const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// exp(x) = 2^k exp(r) with |r| <= ln(2)/2 and the Taylor series of exp(r) to degree 13. k is
/// rounded by adding 1.5 * 2^52, whose low bits then hold it; ln(2) is subtracted in two parts
/// (Cody and Waite 1980).
#[inline(always)]
fn exp_nonpositive(x: f64) -> f64 {
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    // Above ln of the smallest normal number (-708.4): 2^k stays normal, and its bit pattern can be
    // put together as below.
    const SMALLEST: f64 = -707.0;
    let clamped = if x > SMALLEST { x } else { SMALLEST };
    let shifted = clamped * std::f64::consts::LOG2_E + MAGIC;
    let k = shifted - MAGIC;
    let r = (clamped - k * LN2_HIGH) - k * LN2_LOW;
    let mut series = 1.0 / 6_227_020_800.0;
    for factorial in [
        479_001_600.0,
        39_916_800.0,
        3_628_800.0,
        362_880.0,
        40_320.0,
        5_040.0,
        720.0,
        120.0,
        24.0,
        6.0,
        2.0,
        1.0,
    ] {
        series = series * r + 1.0 / factorial;
    }
    let mantissa = series * r + 1.0;
    let scale = f64::from_bits(shifted.to_bits().wrapping_add(1023) << 52);
    let result = mantissa * scale;
    if x > SMALLEST { result } else { 0.0 }
}

/// ln(x) = k ln(2) + ln(m) with m in [sqrt(1/2), sqrt(2)), and ln(m) = 2 artanh(s) with s = (m - 1)
/// / (m + 1), whose series is cut after s^21.
#[inline(always)]
fn ln(x: f64) -> f64 {
    const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
    const MANTISSA: u64 = (1 << 52) - 1;
    const ONE: u64 = 1023 << 52;
    const TWO_TO_52: u64 = 1075 << 52;
    let shifted = x.to_bits().wrapping_add(ONE - SQRT_HALF);
    let k = f64::from_bits((shifted >> 52) | TWO_TO_52) - (f64::from_bits(TWO_TO_52) + 1023.0);
    let m = f64::from_bits((shifted & MANTISSA) + SQRT_HALF);
    let s = (m - 1.0) / (m + 1.0);
    let square = s * s;
    let mut series = 1.0 / 21.0;
    for odd in [19.0, 17.0, 15.0, 13.0, 11.0, 9.0, 7.0, 5.0, 3.0] {
        series = series * square + 1.0 / odd;
    }
    let log = k * LN2_HIGH + (2.0 * s + (2.0 * s * square * series + k * LN2_LOW));
    if x < f64::MIN_POSITIVE {
        f64::NEG_INFINITY
    } else {
        log
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_agrees_with_the_standard_library() {
        let mut worst: f64 = 0.0;
        for i in 0..200_000 {
            let x = -706.9 * (f64::from(i) / 200_000.0).powi(3);
            worst = worst.max((exp_nonpositive(x) / x.exp() - 1.0).abs());
        }
        assert!(worst < 4e-16, "relative error {worst}");
        assert_eq!(exp_nonpositive(0.0), 1.0);
    }

    #[test]
    fn the_logarithm_agrees_with_the_standard_library() {
        let mut worst: f64 = 0.0;
        for i in 0..200_000 {
            let t = f64::from(i) / 200_000.0;
            for x in [1.0 + t * t * t, 1.0 - t / 2.0, (1400.0 * (t - 0.5)).exp()] {
                if x != 1.0 {
                    worst = worst.max((ln(x) / x.ln() - 1.0).abs());
                }
            }
        }
        assert!(worst < 6e-16, "relative error {worst}");
        assert_eq!((ln(1.0), ln(0.0)), (0.0, f64::NEG_INFINITY));
    }

    #[test]
    fn exponentials_with_shifts_of_their_own_are_those_with_one() {
        let (mut values, mut sums) = ([-3.0, 2.0, f64::NEG_INFINITY], [1.0, 0.0, 0.0]);
        exp_shifted_each(&mut values, &[-2.0, 5.0, 0.0], &mut sums);
        let expected = [(-1.0_f64).exp(), (-3.0_f64).exp(), 0.0];
        for ((value, sum), (expected, start)) in values
            .iter()
            .zip(sums)
            .zip(expected.iter().zip([1.0, 0.0, 0.0]))
        {
            assert!((value - expected).abs() < 1e-16 && sum == start + value);
        }
    }

    #[test]
    fn impossible_and_vanishing_cells_become_zero() {
        for x in [f64::NEG_INFINITY, -1e300, -750.0, -708.0] {
            assert_eq!(exp_nonpositive(x), 0.0, "{x}");
        }
    }

    #[test]
    fn sums_and_maxima_cover_every_element() {
        for n in 0..40_u32 {
            let values: Vec<f64> = (0..n).map(f64::from).collect();
            assert_eq!(sum(&values), f64::from(n * n.saturating_sub(1) / 2));
            assert_eq!(
                max(&values),
                if n == 0 {
                    f64::NEG_INFINITY
                } else {
                    f64::from(n - 1)
                }
            );
        }
        assert_eq!(max(&[f64::NEG_INFINITY; 20]), f64::NEG_INFINITY);
    }
}
