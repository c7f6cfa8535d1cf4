use rand_core::Rng;

use crate::rounding::{Partition, round_table};

/// Balls of numbered colours, drawn without putting back.
///
/// A draw takes time logarithmic in the number of colours.
#[derive(Debug, Clone)]
pub struct Urn {
    /// A Fenwick tree over the counts.
    tree: Vec<u64>,
    left: u64,
}

impl Urn {
    /// An urn with `counts[i]` balls of colour `i`.
    ///
    /// # Panics
    /// If the counts add up to more than `u64::MAX`.
    #[must_use]
    pub fn new(counts: &[u64]) -> Urn {
        let left = counts
            .iter()
            .try_fold(0_u64, |sum, &count| sum.checked_add(count))
            .expect("counts add up within u64");
        let mut tree = counts.to_vec();
        build(&mut tree);
        Urn { tree, left }
    }

    /// An urn with this many balls, shared out in proportion to the weights: each colour gets its
    /// share rounded up or down at random, so that the expectation is exact.
    ///
    /// # Panics
    /// If there is no weight. Weights must be finite and not negative; if all are 0, they count as
    /// equal.
    #[must_use]
    pub fn shared_out<R: Rng>(weights: &[f64], balls: u64, rng: &mut R) -> Urn {
        let whole = Partition {
            class_of: vec![0; weights.len()],
            classes: 1,
        };
        let scale = balls as f64 / weights.iter().sum::<f64>();
        let shares = weights
            .iter()
            // If all weights are 0 the scale is infinite, and 0 times it is not a number.
            .map(|weight| if *weight > 0.0 { weight * scale } else { 0.0 });
        Urn::new(&round_table(shares.collect(), &[balls], &[whole], rng))
    }

    /// How many balls are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The colour of a ball, each ball left being equally likely; `None` from an empty urn.
    pub fn draw<R: Rng + ?Sized>(&mut self, rng: &mut R) -> Option<usize> {
        (self.left > 0).then(|| {
            let ball = below(rng, self.left);
            self.left -= 1;
            take(&mut self.tree, ball)
        })
    }
}

/// Turns counts into a Fenwick tree in place: entry `i` (from 1) sums the `lowest set bit of i`
/// entries up to it.
pub(crate) fn build(counts: &mut [u64]) {
    for i in 1..=counts.len() {
        let next = i + (i & i.wrapping_neg());
        if next <= counts.len() {
            counts[next - 1] += counts[i - 1];
        }
    }
}

/// Removes the ball of the given rank and returns its colour. The rank must be below the number of
/// balls.
pub(crate) fn take(tree: &mut [u64], mut rank: u64) -> usize {
    let mut stride = tree.len().next_power_of_two();
    let mut colour = 0;
    while stride > 0 {
        let end = colour + stride;
        if end <= tree.len() {
            if tree[end - 1] <= rank {
                rank -= tree[end - 1];
                colour = end;
            } else {
                tree[end - 1] -= 1; // the ball is among these
            }
        }
        stride /= 2;
    }
    colour
}

/// A uniform number below `bound` (Lemire 2019). `bound` must not be 0.
pub(crate) fn below<R: Rng + ?Sized>(rng: &mut R, bound: u64) -> u64 {
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(bound);
        let (high, low) = split(product);
        // The remainder takes a division, and is needed only if the low half is below the bound:
        // for bounds far below 2^64 hardly ever.
        if low >= bound || low >= bound.wrapping_neg() % bound {
            return high;
        }
    }
}

/// As [`below`], from half as many random bits.
#[expect(
    clippy::cast_possible_truncation,
    reason = "each half of 64 bits has 32"
)]
#[inline]
pub(crate) fn below_u32<R: Rng + ?Sized>(rng: &mut R, bound: u32) -> u32 {
    loop {
        let product = u64::from(rng.next_u32()) * u64::from(bound);
        let low = product as u32;
        if low >= bound || low >= bound.wrapping_neg() % bound {
            return (product >> 32) as u32;
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "each half of 128 bits has 64"
)]
fn split(product: u128) -> (u64, u64) {
    ((product >> 64) as u64, product as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    proptest! {
        #[test]
        fn every_ball_is_drawn_once(counts in prop::collection::vec(0_u64..5, 0..40), seed: u64) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut urn = Urn::new(&counts);
            let mut drawn = vec![0; counts.len()];
            while let Some(colour) = urn.draw(&mut rng) {
                drawn[colour] += 1;
            }
            prop_assert_eq!(drawn, counts);
            prop_assert_eq!(urn.left(), 0);
        }

        #[test]
        fn taking_a_rank_finds_the_ball_of_that_rank(
            counts in prop::collection::vec(0_u64..4, 1..30),
            pick: u64,
        ) {
            let balls: Vec<usize> = counts
                .iter()
                .enumerate()
                .flat_map(|(i, &n)| (0..n).map(move |_| i))
                .collect();
            prop_assume!(!balls.is_empty());
            let rank = pick % balls.len() as u64;
            let mut tree = counts.clone();
            build(&mut tree);
            prop_assert_eq!(take(&mut tree, rank), balls[usize::try_from(rank).unwrap()]);
        }
    }

    #[test]
    fn first_draws_follow_the_counts() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let urn = Urn::new(&[1, 0, 3, 6]);
        let mut drawn = [0.0; 4];
        for _ in 0..10_000 {
            drawn[urn.clone().draw(&mut rng).unwrap()] += 1.0;
        }
        assert_eq!(drawn[1], 0.0);
        let chi_square: f64 = [(0, 1000.0), (2, 3000.0), (3, 6000.0_f64)]
            .iter()
            .map(|&(i, e)| (drawn[i] - e).powi(2) / e)
            .sum();
        assert!(
            chi_square < 13.8,
            "chi-square {chi_square} of 2 degrees of freedom has p < 0.001"
        );
    }

    #[test]
    fn balls_are_shared_out_by_weight() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut counts = [0; 4];
        let mut urn = Urn::shared_out(&[0.0, 2.5, 1.0, 0.5], 10, &mut rng);
        while let Some(colour) = urn.draw(&mut rng) {
            counts[colour] += 1;
        }
        assert!(
            counts[0] == 0
                && (6..=7).contains(&counts[1])
                && (2..=3).contains(&counts[2])
                && (1..=2).contains(&counts[3])
        );
        assert_eq!(Urn::shared_out(&[0.0, 0.0], 3, &mut rng).left(), 3);
    }

    #[test]
    fn numbers_below_a_bound_are_uniform_at_the_edges() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        assert!((0..100).all(|_| below(&mut rng, 1) == 0));
        let bound = (1 << 63) + 1;
        let mean = (0..4000)
            .map(|_| below(&mut rng, bound) as f64 / bound as f64)
            .sum::<f64>()
            / 4000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
        let bound = (1 << 31) + 1;
        let mean = (0..4000)
            .map(|_| f64::from(below_u32(&mut rng, bound)) / f64::from(bound))
            .sum::<f64>()
            / 4000.0;
        assert!((mean - 0.5).abs() < 0.02, "{mean}");
    }
}
