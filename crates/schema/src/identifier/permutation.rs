//! Numbers in an order that a key gives, without a list of them.

use rand_core::Rng;

/// A permutation of the numbers below a size. It only has to look random: what it puts in order is
/// made up, and hides nothing.
///
/// A Feistel network permutes the numbers of the next even number of bits; whatever falls outside
/// is sent through again until it falls inside ("cycle walking": Black and Rogaway, *Ciphers with
/// Arbitrary Finite Domains*, CT-RSA 2002), which takes fewer than four steps on average.
#[derive(Debug)]
pub(crate) struct Permutation {
    size: u128,
    /// Bits of each half.
    half: u32,
    keys: [u64; Self::ROUNDS],
}

impl Permutation {
    const ROUNDS: usize = 8;

    /// Of the numbers below `size`, which is 1 to 2^120, in an order drawn with this generator.
    pub(crate) fn new(size: u128, rng: &mut impl Rng) -> Self {
        let bits = u128::BITS - (size - 1).leading_zeros();
        Self {
            size,
            half: bits.div_ceil(2).max(1),
            keys: std::array::from_fn(|_| rng.next_u64()),
        }
    }

    /// Where a number below the size goes.
    pub(crate) fn image(&self, number: u128) -> u128 {
        let mut image = self.encrypted(number);
        // It comes back to `number` at the latest, which is below the size.
        while image >= self.size {
            image = self.encrypted(image);
        }
        image
    }

    fn encrypted(&self, number: u128) -> u128 {
        let mask = (1_u128 << self.half) - 1;
        let (mut left, mut right) = (number >> self.half, number & mask);
        for &key in &self.keys {
            let low = u64::try_from(right).expect("half of 120 bits");
            (left, right) = (right, left ^ (u128::from(mixed(low ^ key)) & mask));
        }
        left << self.half | right
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, *Fast Splittable Pseudorandom Number
/// Generators*, OOPSLA 2014): every bit of the result depends on every bit of `x`.
fn mixed(mut x: u64) -> u64 {
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::convert::Infallible;

    use rand_core::TryRng;

    use super::*;

    /// Enough of a generator for keys.
    pub(crate) struct Counter(pub(crate) u64);

    impl TryRng for Counter {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            unreachable!("keys have 64 bits")
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            self.0 += 1;
            Ok(mixed(self.0))
        }

        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Infallible> {
            unreachable!("keys have 64 bits")
        }
    }

    #[test]
    fn every_number_comes_once() {
        for size in (1..=70).chain([255, 256, 257, 1000, 4096, 4097]) {
            let order = Permutation::new(size, &mut Counter(3));
            let mut images: Vec<u128> = (0..size).map(|number| order.image(number)).collect();
            images.sort_unstable();
            assert!(images.into_iter().eq(0..size), "{size}");
        }
    }

    #[test]
    fn neighbours_go_far_apart() {
        let order = Permutation::new(1_000_000, &mut Counter(5));
        let images: Vec<f64> = (0..10_000).map(|n| order.image(n) as f64 / 1e6).collect();
        let count = images.len() as f64;
        let mean = images.iter().sum::<f64>() / count;
        let product = |pair: &[f64]| (pair[0] - 0.5) * (pair[1] - 0.5);
        let correlation = 12.0 * images.windows(2).map(product).sum::<f64>() / count;
        // Five standard deviations of uniform numbers.
        assert!(
            (mean - 0.5).abs() < 5.0 * (1.0 / 12.0_f64).sqrt() / 100.0,
            "{mean}"
        );
        assert!(correlation.abs() < 0.05, "{correlation}");
    }
}
