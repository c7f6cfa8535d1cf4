//! The normal distribution, scaled and rounded to integers, exactly: in integer arithmetic, without
//! rounding but the last.
//!
//! A standard normal magnitude is drawn after Karney 2016, "Sampling exactly from the normal
//! distribution", arXiv:1303.6257, algorithm N: as a whole number and a fraction whose digits are
//! drawn when somebody asks for them. As many are asked for as decide to which integer sigma times
//! it is nearest.

use std::cmp::Ordering;

use crate::Rho;
use crate::rng::NoiseRng;
use crate::sampler::bernoulli_exp;

/// round(sigma Z) for standard normal Z.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RoundedGaussian {
    /// sigma^2 = numerator 2^exponent / denominator.
    numerator: u128,
    exponent: u32,
    denominator: u64,
    /// floor(sigma 2^root_bits), below 2^64.
    root: u128,
    root_bits: i32,
}

impl RoundedGaussian {
    /// Noise for integers of which one id moves the first by at most `sensitivity`, in all: sigma
    /// is sensitivity / sqrt(2 rho). For a rho above 0.
    pub(crate) fn costing(rho: Rho, sensitivity: u32) -> Self {
        // Kept as a fraction: sigma itself is irrational, and any float of it would shift the
        // distribution by a trace.
        // 1 / (2 rho) = 2^47 / units.
        let square = u128::from(sensitivity) * u128::from(sensitivity);
        Self::new(square, Rho::UNIT_BITS - 1, rho)
    }

    /// Noise for `count` numbers in units of 2^-`fraction_bits`, each of which one id moves by at
    /// most `sensitivity`: sigma is sensitivity sqrt(count / (2 rho)) 2^fraction_bits. For a rho
    /// above 0.
    pub(crate) fn costing_for_each(
        rho: Rho,
        sensitivity: u32,
        count: u32,
        fraction_bits: u32,
    ) -> Self {
        let square = u128::from(sensitivity) * u128::from(sensitivity) * u128::from(count);
        Self::new(square, Rho::UNIT_BITS - 1 + 2 * fraction_bits, rho)
    }

    /// The numerator is below 2^96 and the exponent at most 87, which bounds sigma by 2^92.
    fn new(numerator: u128, exponent: u32, rho: Rho) -> Self {
        let denominator = rho.units();
        assert!(
            denominator > 0 && numerator > 0,
            "noise has a finite size above 0"
        );
        // As far up as it goes, by as much as makes the remaining power of two even.
        // The root is as precise as 128 bits allow: the more digits it has, the rarer the slow
        // path.
        let room = numerator.leading_zeros();
        let shift = room - (room + exponent) % 2;
        Self {
            numerator,
            exponent,
            denominator,
            root: ((numerator << shift) / u128::from(denominator)).isqrt(),
            root_bits: (shift.cast_signed() - exponent.cast_signed()) / 2,
        }
    }

    /// Below 2^126 in magnitude: the normal magnitude is below 2^33, for else drawing it would take
    /// hours.
    pub(crate) fn sample(&self, rng: &mut NoiseRng) -> i128 {
        // Magnitude and sign apart: the distribution is symmetric, and rounding a magnitude is
        // symmetric as well.
        let mut normal = HalfNormal::sample(rng);
        let negative = rng.bits(1) == 1;
        let magnitude: i128 = self
            .times(&mut normal, rng)
            .try_into()
            .expect("below 2^126");
        if negative { -magnitude } else { magnitude }
    }

    /// The integer nearest to sigma times the number.
    fn times(&self, normal: &mut HalfNormal, rng: &mut NoiseRng) -> u128 {
        // Bounds first: 56 bits decide nearly every draw, and no number of arbitrary size is made.
        let (mut low, mut high) = self.bounds(normal);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.is_below_half_past(middle, normal, rng) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// Between which integers it lies, by the first 56 digits of sigma and the fraction: as good as
    /// always they are the same.
    fn bounds(&self, normal: &HalfNormal) -> (u128, u128) {
        // A root of 64 bits times 56 of a number below 2^8 fits in 128; beyond that the bounds are
        // given up and digits decide.
        const BITS: u32 = 56;
        let digits = (normal.whole << BITS) + u128::from(normal.fraction.first >> (64 - BITS));
        // At least -28 + 56, and at most 40 + 56.
        let bits = self.root_bits + BITS.cast_signed();
        let rounded = |product: u128| ((product >> (bits - 1)) + 1) >> 1;
        let low = self.root.checked_mul(digits);
        let high = (self.root + 1).checked_mul(digits + 1);
        (low.map_or(0, rounded), high.map_or(1 << 126, rounded))
    }

    /// Whether sigma times the number is below `integer` + 1/2, by as many digits as it takes:
    /// whether 4 sigma^2 number^2 < (2 integer + 1)^2. Equality has probability 0.
    fn is_below_half_past(
        &self,
        integer: u128,
        normal: &mut HalfNormal,
        rng: &mut NoiseRng,
    ) -> bool {
        let four_squared =
            Natural::new(self.numerator).times(&Natural::new(1 << (self.exponent + 2)));
        let odd = Natural::new(2 * integer + 1);
        let right = Natural::new(u128::from(self.denominator))
            .times(&odd)
            .times(&odd);
        // One more digit of 64 bits at a time, drawn when asked for: the number is exact, however
        // close it is to a half.
        for digits in 1.. {
            let number = normal.digits(digits, rng);
            let scaled = right.shifted(2 * digits);
            let square = |number: &Natural| four_squared.times(number).times(number);
            if square(&number.successor()).cmp(&scaled) != Ordering::Greater {
                return true;
            }
            if square(&number).cmp(&scaled) != Ordering::Less {
                return false;
            }
        }
        unreachable!("digits go on for ever")
    }
}

/// The magnitude of a standard normal number.
struct HalfNormal {
    whole: u128,
    fraction: Fraction,
}

impl HalfNormal {
    /// Karney's algorithm N.
    ///
    /// Departure: exp(-x (2 k + x) / 2) is drawn as exp(-x) k times and exp(-x^2 / 2) once.
    fn sample(rng: &mut NoiseRng) -> Self {
        // Rejection: time depends on the numbers drawn, never on the counts that the noise is added
        // to.
        loop {
            let mut whole = 0_u64;
            while bernoulli_exp(rng, 1, 1) {
                whole += 1;
            }
            // exp(-k (k - 1) / 2)
            if !bernoulli_exp(
                rng,
                u128::from(whole) * u128::from(whole.saturating_sub(1)),
                1,
            ) {
                continue;
            }
            let mut fraction = Fraction::uniform(rng);
            if (0..whole).all(|_| fraction.bernoulli_exp(rng))
                && fraction.bernoulli_exp_half_square(rng)
            {
                return Self {
                    whole: whole.into(),
                    fraction,
                };
            }
        }
    }

    /// floor(number 2^(64 count)).
    fn digits(&mut self, count: usize, rng: &mut NoiseRng) -> Natural {
        let mut limbs: Vec<u64> = (0..count).map(|i| self.fraction.digit(i, rng)).collect();
        limbs.reverse();
        Natural(limbs).plus_shifted(self.whole, count)
    }
}

/// A uniform number between 0 and 1, to as many digits of 64 bits as were asked for.
struct Fraction {
    first: u64,
    rest: Vec<u64>,
}

impl Fraction {
    fn uniform(rng: &mut NoiseRng) -> Self {
        Self {
            first: rng.bits(64),
            rest: Vec::new(),
        }
    }

    fn digit(&mut self, index: usize, rng: &mut NoiseRng) -> u64 {
        let Some(index) = index.checked_sub(1) else {
            return self.first;
        };
        while self.rest.len() <= index {
            self.rest.push(rng.bits(64));
        }
        self.rest[index]
    }

    /// True with the probability that is the number itself: whether another uniform number is below
    /// it.
    fn bernoulli(&mut self, rng: &mut NoiseRng) -> bool {
        for i in 0.. {
            match rng.bits(64).cmp(&self.digit(i, rng)) {
                Ordering::Less => return true,
                Ordering::Greater => return false,
                Ordering::Equal => {}
            }
        }
        unreachable!("digits go on for ever")
    }

    /// True with probability exp(-x). As in `sampler`: the first k at which Bernoulli(x) or
    /// Bernoulli(1 / k) fails is odd.
    fn bernoulli_exp(&mut self, rng: &mut NoiseRng) -> bool {
        let mut k = 1;
        while self.bernoulli(rng) && rng.below(k) == 0 {
            k += 1;
        }
        k % 2 == 1
    }

    /// True with probability exp(-x^2 / 2).
    fn bernoulli_exp_half_square(&mut self, rng: &mut NoiseRng) -> bool {
        let mut k = 1;
        // One fair bit takes the place of the 1/2 in x^2 / 2.
        while rng.bits(1) == 0 && self.bernoulli(rng) && self.bernoulli(rng) && rng.below(k) == 0 {
            k += 1;
        }
        k % 2 == 1
    }
}

/// A natural number of any size, as digits of 64 bits, the least first.
#[derive(Debug)]
struct Natural(Vec<u64>);

#[expect(
    clippy::cast_possible_truncation,
    reason = "digits are the low halves of 128 bits"
)]
impl Natural {
    fn new(value: u128) -> Self {
        Self(vec![value as u64, (value >> 64) as u64])
    }

    fn times(&self, other: &Self) -> Self {
        let mut product = vec![0; self.0.len() + other.0.len()];
        for (i, &a) in self.0.iter().enumerate() {
            let mut carry = 0;
            for (j, &b) in other.0.iter().enumerate() {
                // At most (2^64 - 1)^2 + 2 (2^64 - 1) = 2^128 - 1.
                let sum = u128::from(a) * u128::from(b) + u128::from(product[i + j]) + carry;
                product[i + j] = sum as u64;
                carry = sum >> 64;
            }
            product[i + other.0.len()] = carry as u64;
        }
        Self(product)
    }

    /// Times 2^(64 digits).
    fn shifted(&self, digits: usize) -> Self {
        Self([vec![0; digits], self.0.clone()].concat())
    }

    fn successor(&self) -> Self {
        self.plus_shifted(1, 0)
    }

    /// Adds value 2^(64 digits).
    fn plus_shifted(&self, value: u128, digits: usize) -> Self {
        let mut sum = self.0.clone();
        sum.resize(sum.len().max(digits + 2) + 1, 0);
        let mut carry = value;
        for digit in &mut sum[digits..] {
            let low = (carry as u64).overflowing_add(*digit);
            *digit = low.0;
            carry = (carry >> 64) + u128::from(low.1);
        }
        Self(sum)
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let longest = self.0.len().max(other.0.len());
        let digit = |number: &Self, i: usize| number.0.get(i).copied().unwrap_or(0);
        (0..longest)
            .rev()
            .map(|i| digit(self, i).cmp(&digit(other, i)))
            .find(|ordering| ordering.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

#[cfg(test)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "at most 20 sigma, below 2^97"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_noise() -> impl Strategy<Value = RoundedGaussian> {
        let rho = (0_u32..53, any::<u64>())
            .prop_map(|(bits, units)| u128::from(units & ((1 << bits) - 1) | 1 << bits));
        let sensitivity = prop_oneof![Just(1_u32), 1..=1_u32 << 16];
        let scores = prop_oneof![
            Just(None),
            (1..5000_u32).prop_map(Some),
            Just(Some(u32::MAX))
        ];
        (rho, sensitivity, scores).prop_map(|(units, sensitivity, scores)| {
            let rho = Rho::from_units(units).unwrap();
            match scores {
                None => RoundedGaussian::costing(rho, sensitivity),
                Some(count) => RoundedGaussian::costing_for_each(rho, sensitivity, count, 20),
            }
        })
    }

    fn sigma(noise: &RoundedGaussian) -> f64 {
        let square = noise.numerator as f64 / noise.denominator as f64;
        square.sqrt() * 2.0_f64.powf(f64::from(noise.exponent) / 2.0)
    }

    /// With the fraction 2^-128 `fraction`, then whatever the generator gives.
    fn normal(whole: u128, fraction: u128) -> HalfNormal {
        let [low, high] = Natural::new(fraction).0[..] else {
            unreachable!("128 bits are two digits")
        };
        HalfNormal {
            whole,
            fraction: Fraction {
                first: high,
                rest: vec![low],
            },
        }
    }

    #[test]
    fn sigma_is_that_of_the_cost() {
        let rho = Rho::try_from(0.125).unwrap();
        assert!((sigma(&RoundedGaussian::costing(rho, 1)) - 2.0).abs() < 1e-12);
        assert!((sigma(&RoundedGaussian::costing(rho, 7)) - 14.0).abs() < 1e-12);
        let each = RoundedGaussian::costing_for_each(rho, 3, 25, 20);
        assert!((sigma(&each) / (30.0 * 2.0_f64.powi(20)) - 1.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn the_root_is_sigma_rounded_down(noise in any_noise()) {
            let root = noise.root as f64 / 2.0_f64.powi(noise.root_bits);
            prop_assert!(
                (root / sigma(&noise) - 1.0).abs() < 2.0_f64.powi(-35),
                "{} {}",
                root,
                sigma(&noise)
            );
            let square = Natural::new(noise.root).times(&Natural::new(noise.root));
            prop_assert!(noise.root < 1 << 64 && square.0[2..].iter().all(|digit| *digit == 0));
        }

        /// By few digits and by as many as it takes.
        #[test]
        fn the_nearest_integer_is_between_the_bounds(
            noise in any_noise(),
            whole in 0..40_u128,
            fraction in any::<u128>(),
            seed in any::<u64>(),
        ) {
            let mut rng = NoiseRng::dangerous_from_seed(seed);
            let mut normal = normal(whole, fraction);
            let (low, high) = noise.bounds(&normal);
            prop_assert!(low <= high);
            prop_assert!(low == 0 || !noise.is_below_half_past(low - 1, &mut normal, &mut rng));
            prop_assert!(noise.is_below_half_past(high, &mut normal, &mut rng));
            let nearest = noise.times(&mut normal, &mut rng) as f64;
            let expected = sigma(&noise) * (whole as f64 + fraction as f64 * 2.0_f64.powi(-128));
            prop_assert!(
                (nearest - expected).abs() <= 0.5 + 1e-9 * expected,
                "{} {}",
                nearest,
                expected
            );
        }

        /// Numbers within 2^-127 of the one that is half past an integer: more digits must be
        /// looked at than the first, and sometimes than there are.
        #[test]
        fn half_past_an_integer_the_last_digit_decides(
            noise in any_noise(),
            deviations in 0.0..20.0_f64,
            seed in any::<u64>(),
        ) {
            let integer = (deviations * sigma(&noise)) as u128;
            // The last fraction below: is_below_half_past looks at it as an interval, from itself
            // to its successor.
            let mut rng = NoiseRng::dangerous_from_seed(seed);
            let mut is_below = |number: u128| {
                let mut ends = normal(number >> 120, number << 8);
                ends.fraction.rest.push(0);
                noise.is_below_half_past(integer, &mut ends, &mut rng)
            };
            let (mut low, mut high) = (0_u128, u128::MAX);
            prop_assume!(is_below(low) && !is_below(high));
            while high - low > 1 {
                let middle = low + (high - low) / 2;
                if is_below(middle) { low = middle } else { high = middle }
            }
            let mut rng = NoiseRng::dangerous_from_seed(seed);
            let mut times =
                |number: u128| noise.times(&mut normal(number >> 120, number << 8), &mut rng);
            prop_assert_eq!(times(low - 1), integer);
            prop_assert_eq!(times(high), integer + 1);
            let (below, above) = noise.bounds(&normal(low >> 120, low << 8));
            prop_assert!(below <= integer && above > integer);
        }

        #[test]
        fn wide_arithmetic_is_arithmetic(
            a in any::<u64>(),
            b in any::<u64>(),
            c in any::<u128>(),
            d in any::<u128>(),
        ) {
            let equal = |x: &Natural, y: &Natural| x.cmp(y) == Ordering::Equal;
            let (wide_a, wide_b) = (Natural::new(u128::from(a)), Natural::new(u128::from(b)));
            prop_assert!(equal(
                &wide_a.times(&wide_b),
                &Natural::new(u128::from(a) * u128::from(b))
            ));
            prop_assert_eq!(Natural::new(c).cmp(&Natural::new(d)), c.cmp(&d));
            // (c + 1) d = c d + d
            let (wide_c, wide_d) = (Natural::new(c), Natural::new(d));
            prop_assert!(equal(
                &wide_c.successor().times(&wide_d),
                &wide_c.times(&wide_d).plus_shifted(d, 0)
            ));
            // (c 2^64 + a) d = c d 2^64 + a d
            let together = wide_a.plus_shifted(c, 1).times(&wide_d);
            let apart = wide_c.times(&wide_d).shifted(1);
            prop_assert!(together.cmp(&apart) != Ordering::Less);
            prop_assert!(together.cmp(&apart.plus_shifted(d, 1)) != Ordering::Greater);
        }
    }

    #[test]
    fn a_normal_magnitude_has_the_whole_part_and_the_mean_fraction_that_it_should() {
        const DRAWS: u32 = 200_000;
        let mut rng = NoiseRng::dangerous_from_seed(71);
        let mut seen = [0_u32; 5];
        let mut squares = 0.0;
        for _ in 0..DRAWS {
            let draw = HalfNormal::sample(&mut rng);
            seen[usize::try_from(draw.whole.min(4)).unwrap()] += 1;
            let number = draw.whole as f64 + draw.fraction.first as f64 * 2.0_f64.powi(-64);
            squares += number * number;
        }
        // P[k <= |Z| < k + 1], and beyond 4.
        let expected = [
            0.682_689,
            0.271_810_2,
            0.042_800_5,
            0.002_636_5,
            0.000_063_3,
        ];
        for (seen, expected) in seen.iter().zip(expected) {
            let mean = f64::from(DRAWS) * expected;
            assert!(
                (f64::from(*seen) - mean).abs() < 4.5 * mean.sqrt(),
                "{seen}, {mean}"
            );
        }
        // The variance of a chi-square is 2.
        let deviation = (2.0 / f64::from(DRAWS)).sqrt();
        assert!((squares / f64::from(DRAWS) - 1.0).abs() < 4.0 * deviation);
    }

    #[test]
    fn draws_exist_at_both_ends() {
        let mut rng = NoiseRng::dangerous_from_seed(72);
        let one = Rho::from_units(1).unwrap();
        let widest = RoundedGaussian::costing_for_each(one, 1 << 16, u32::MAX, 20);
        let mean_square = (0..20_000)
            .map(|_| (widest.sample(&mut rng) as f64 / sigma(&widest)).powi(2))
            .sum::<f64>()
            / 20_000.0;
        assert!((mean_square - 1.0).abs() < 0.05, "{mean_square}");
        // 1/2 is four standard deviations.
        let narrowest = RoundedGaussian::costing(Rho::MAX, 1);
        let other = (0..20_000)
            .filter(|_| narrowest.sample(&mut rng) != 0)
            .count();
        assert!(other <= 6, "{other}");
    }
}
