use std::fmt;
use std::hint::black_box;

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng as _};
use thiserror::Error;

/// The operating system gave no entropy.
#[derive(Debug, Error)]
#[error("the operating system gave no entropy, without which noise cannot be drawn: {0}")]
pub struct EntropyError(getrandom::Error);

// In a Box, as a moved value leaves its bytes behind on the stack.
/// The source of all noise: ChaCha20, seeded with 256 bits from the operating system.
///
/// It can neither be cloned nor printed, and is overwritten on drop: who knows its state can
/// subtract the noise.
/// Moving it moves a pointer, so that no copy of the state is left behind.
pub struct NoiseRng(Box<ChaCha20Rng>);

impl NoiseRng {
    /// Seeds from the operating system.
    pub fn from_os() -> Result<Self, EntropyError> {
        // Zeroizing, or the seed would stay on the stack, and whoever reads it can subtract all
        // noise.
        let mut seed = zeroize::Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(EntropyError)?;
        Ok(Self::from_key(&seed))
    }

    pub(crate) fn from_key(key: &[u8; 32]) -> Self {
        Self(Box::new(ChaCha20Rng::from_seed(*key)))
    }

    /// Noise that anyone can reproduce, and therefore subtract: for tests and benchmarks only.
    #[cfg(any(test, feature = "dangerous-seeded-noise"))]
    pub fn dangerous_from_seed(seed: u64) -> Self {
        Self(Box::new(ChaCha20Rng::seed_from_u64(seed)))
    }

    /// A seed for what is random and protects nobody: the first weights of a network, say. Whoever
    /// knows it learns nothing of the noise, which comes from other words of the same stream.
    pub fn seed(&mut self) -> [u8; 32] {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        seed
    }

    /// Fills a place with uniform bytes, where they may stay.
    pub(crate) fn fill(&mut self, place: &mut [u8]) {
        self.0.fill_bytes(place);
    }

    /// Draws `count` uniform bits, at most 64, as an integer below 2^count.
    pub(crate) fn bits(&mut self, count: u32) -> u64 {
        debug_assert!(count <= 64, "a word has 64 bits");
        match count {
            0 => 0,
            // The high bits of the word; of ChaCha all are equally good.
            1..=32 => u64::from(self.0.next_u32() >> (32 - count)),
            _ => self.0.next_u64() >> (64 - count),
        }
    }

    /// A uniform integer below the bound, which is at least 1. Without bias: of the integers below
    /// the next power of two, those beyond the bound are drawn again.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        // A mask and rejection instead of a remainder, which would favour small numbers.
        let width = u64::BITS - (bound - 1).leading_zeros();
        loop {
            let candidate = self.bits(width);
            if candidate < bound {
                return candidate;
            }
        }
    }
}

impl Drop for NoiseRng {
    fn drop(&mut self) {
        // A generator of a known seed overwrites key, counter and buffer alike.
        *self.0 = ChaCha20Rng::from_seed([0; 32]);
        // Or the compiler may see that nobody reads it again, and leave the write out.
        black_box(&mut self.0);
    }
}

impl fmt::Debug for NoiseRng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NoiseRng(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_generators_from_the_operating_system_differ() {
        let mut first = NoiseRng::from_os().unwrap();
        let mut second = NoiseRng::from_os().unwrap();
        assert_ne!(first.bits(64), second.bits(64));
    }

    #[test]
    fn printing_reveals_nothing() {
        assert_eq!(
            format!("{:?}", NoiseRng::dangerous_from_seed(1)),
            "NoiseRng(..)"
        );
    }

    #[test]
    fn bits_fill_their_width_and_no_more() {
        let mut rng = NoiseRng::dangerous_from_seed(2);
        for width in 0..=64 {
            let seen = (0..200).fold(0, |seen, _| seen | rng.bits(width));
            let all = if width == 0 {
                0
            } else {
                u64::MAX >> (64 - width)
            };
            assert_eq!(seen, all, "width {width}");
        }
    }

    #[test]
    fn integers_below_a_bound_are_uniform() {
        const DRAWS: u32 = 60_000;
        let mut rng = NoiseRng::dangerous_from_seed(3);
        for bound in [1, 2, 3, 5, 6, 7, 64, 65, 100] {
            let mut seen = vec![0_u32; bound];
            for _ in 0..DRAWS {
                seen[usize::try_from(rng.below(bound as u64)).unwrap()] += 1;
            }
            let probability = 1.0 / bound as f64;
            let expected = f64::from(DRAWS) * probability;
            let deviation = (expected * (1.0 - probability)).sqrt();
            for (value, &seen) in seen.iter().enumerate() {
                assert!(
                    (f64::from(seen) - expected).abs() <= 4.5 * deviation,
                    "{value} below {bound}: {seen}"
                );
            }
        }
        let large = (1 << 63) + 1;
        assert!((0..1000).all(|_| rng.below(large) < large));
    }
}
