//! Clipped gradients of single rows, in integers, without ever writing one down.
//!
//! The gradient of a layer's weights is the outer product of the slopes at its sums and of its
//! inputs. With both in whole numbers, so are the products and, in `f64` below 2^53, every sum of
//! them: the sum over rows has no rounding at all, and does not depend on the order of the rows.
//! The square of a gradient's norm is the sum over layers of |slopes|^2 (|inputs|^2 + 1).

use crate::critic::{Critic, CriticScratch, Loss};

/// Inputs of a layer are rounded to multiples of one 64th.
const INPUT_UNITS: f64 = 64.0;
/// An input beyond this, in units, is cut off there.
const LARGEST_INPUT: f64 = (1_u32 << 20) as f64;
/// Rows whose gradients are summed before the sums become integers.
const TILE: usize = 1 << 10;

/// What rows contribute to the gradient of a critic's loss: each row's gradient is clipped to a
/// norm, and counts in whole units of a fraction of it.
#[derive(Debug)]
pub struct Gradients<'a> {
    critic: &'a Critic,
    loss: Loss,
    is_real: bool,
    clip: f64,
    norm: i64,
}

impl<'a> Gradients<'a> {
    /// Of real rows; a gradient of norm `clip` or more has a norm of `norm` units, at most 2^24.
    ///
    /// # Panics
    /// If the norm is below 1 or above 2^24, or the clip is not above 0.
    #[must_use]
    pub fn of_real(critic: &'a Critic, loss: Loss, clip: f64, norm: i64) -> Gradients<'a> {
        assert!((1..=1 << 24).contains(&norm), "the norm is from 1 to 2^24");
        assert!(clip > 0.0, "gradients are clipped to a norm above 0");
        Gradients {
            critic,
            loss,
            is_real: true,
            clip,
            norm,
        }
    }

    /// The same of generated rows, so that both sides of the loss are bent alike.
    #[must_use]
    pub fn of_generated(critic: &'a Critic, loss: Loss, clip: f64, norm: i64) -> Gradients<'a> {
        Gradients {
            is_real: false,
            ..Gradients::of_real(critic, loss, clip, norm)
        }
    }

    /// How many units a gradient has: one for each parameter.
    #[must_use]
    pub fn coordinates(&self) -> usize {
        self.critic.parameters().len()
    }

    /// Adds the rows' gradients, of rows that are given column by column, to sums of as many units
    /// as the critic has parameters.
    ///
    /// What a row adds depends on that row and the critic alone, is whole, and has a norm of at
    /// most `norm` units: exactly, since the norm of what is added is computed in integers, and a
    /// row whose norm is larger adds nothing. (None is, as slopes are rounded towards zero.)
    ///
    /// # Panics
    /// If the rows have other columns or codes than the critic, or there are too few sums.
    pub fn add(&self, columns: &[&[u32]], sums: &mut [i64]) {
        let rows = columns.first().map_or(0, |codes| codes.len());
        let mut scratch = self.critic.scratch();
        let mut whole = Whole::new(&scratch);
        let mut tile = vec![0.0_f64; sums.len()];
        for start in (0..rows).step_by(TILE) {
            for row in start..rows.min(start + TILE) {
                let codes = || columns.iter().map(|codes| codes[row]);
                let output = self.critic.score(codes(), &mut scratch);
                let slope = self.loss.slope(output, self.is_real);
                self.critic.carry_back(slope, &mut scratch);
                if self.clip(columns.len(), &scratch, &mut whole) {
                    self.add_row(codes(), &whole, &mut tile);
                }
            }
            for (sum, tile) in sums.iter_mut().zip(&mut tile) {
                #[expect(clippy::cast_possible_truncation, reason = "whole, and below 2^53")]
                let units = std::mem::take(tile) as i64;
                *sum += units;
            }
        }
    }

    /// Slopes and inputs in units, of a gradient of at most the norm. False if it has not that.
    fn clip(&self, columns: usize, scratch: &CriticScratch, whole: &mut Whole) -> bool {
        let layers = scratch.activations.len();
        // The first layer's inputs are as many ones as there are columns.
        let mut inputs_square = vec![columns as f64 + 1.0; layers];
        let inputs = scratch.activations.iter().zip(&mut whole.inputs[1..]);
        for ((inputs, whole), square) in inputs.zip(&mut inputs_square[1..]) {
            let unit = |&input: &f32| {
                let units = (f64::from(input) * INPUT_UNITS).round();
                units.clamp(-LARGEST_INPUT, LARGEST_INPUT)
            };
            whole.clear();
            whole.extend(inputs.iter().map(unit));
            let squares: f64 = whole.iter().map(|x| x * x).sum();
            *square = squares / INPUT_UNITS.powi(2) + 1.0;
        }
        let squares = scratch
            .deltas
            .iter()
            .map(|delta| delta.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>());
        let square: f64 = squares.zip(&inputs_square).map(|(a, b)| a * b).sum();
        let norm = square.sqrt();
        // A little less than the norm: the arithmetic here is rounded, that of the test is not.
        let scale = self.norm as f64 * (1.0 - 1e-9) / norm.max(self.clip);
        if !scale.is_finite() || !norm.is_finite() {
            return false;
        }
        for (layer, delta) in scratch.deltas.iter().enumerate() {
            let unit = if layer == 0 { 1.0 } else { INPUT_UNITS };
            whole.slopes[layer].clear();
            let slopes = delta.iter().map(|&x| (f64::from(x) * scale / unit).trunc());
            whole.slopes[layer].extend(slopes);
        }
        whole.norm_square(columns) <= (self.norm as u128).pow(2)
    }

    fn add_row(&self, codes: impl Iterator<Item = u32>, whole: &Whole, tile: &mut [f64]) {
        for (number, (at, inputs, outputs)) in self.critic.layers().enumerate() {
            let slopes = &whole.slopes[number];
            let (weights, rest) = tile[at..].split_at_mut(inputs * outputs);
            let bias = if number == 0 { 1.0 } else { INPUT_UNITS };
            add(&mut rest[..outputs], bias, slopes);
            if number > 0 {
                let rows = weights.chunks_exact_mut(outputs);
                rows.zip(&whole.inputs[number])
                    .for_each(|(row, &input)| add(row, input, slopes));
            }
        }
        let width = whole.slopes[0].len();
        for (column, code) in codes.enumerate() {
            let from = self.critic.blocks.coordinate(column, code) * width;
            add(&mut tile[from..from + width], 1.0, &whole.slopes[0]);
        }
    }
}

fn add(target: &mut [f64], factor: f64, source: &[f64]) {
    target
        .iter_mut()
        .zip(source)
        .for_each(|(target, source)| *target += factor * source);
}

/// Slopes and inputs of each layer, in whole numbers. Those of the first layer are in units of the
/// gradient; the slopes of the others in units of `INPUT_UNITS`, which the inputs make up for.
struct Whole {
    slopes: Vec<Vec<f64>>,
    /// Nothing for the first layer, whose inputs are codes.
    inputs: Vec<Vec<f64>>,
}

impl Whole {
    fn new(scratch: &CriticScratch) -> Whole {
        let empty = || vec![Vec::new(); scratch.deltas.len()];
        Whole {
            slopes: empty(),
            inputs: empty(),
        }
    }

    /// In integers. A bias counts as an input of 1.
    fn norm_square(&self, columns: usize) -> u128 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole numbers, and magnitudes"
        )]
        let square =
            |numbers: &[f64]| -> u128 { numbers.iter().map(|x| (x.abs() as u128).pow(2)).sum() };
        let layers = self.slopes.iter().zip(&self.inputs).enumerate();
        layers
            .map(|(layer, (slopes, inputs))| {
                let inputs = match layer {
                    0 => columns as u128 + 1,
                    _ => square(inputs) + square(&[INPUT_UNITS]),
                };
                square(slopes) * inputs
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::{Rng, SeedableRng};

    use super::*;
    use crate::Blocks;

    const NORM: i64 = 1 << 20;

    fn critic(hidden: &[usize], seed: u64) -> Critic {
        Critic::new(
            &Blocks::new(&[5, 2, 7]),
            hidden,
            &mut ChaCha8Rng::seed_from_u64(seed),
        )
    }

    fn rows(count: usize, seed: u64) -> Vec<Vec<u32>> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        [5, 2, 7]
            .map(|size| (0..count).map(|_| rng.next_u32() % size).collect())
            .into()
    }

    fn sum(gradients: &Gradients, rows: &[Vec<u32>]) -> Vec<i64> {
        let mut sums = vec![0; gradients.critic.parameters().len()];
        let columns: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
        gradients.add(&columns, &mut sums);
        sums
    }

    fn norm_square(units: &[i64]) -> i128 {
        units.iter().map(|&unit| i128::from(unit).pow(2)).sum()
    }

    /// By differences of the loss itself.
    fn numeric(critic: &Critic, loss: Loss, is_real: bool, row: &[u32]) -> Vec<f64> {
        let value = |critic: &Critic| {
            let output = critic.score(row.iter().copied(), &mut critic.scratch());
            match (loss, is_real) {
                (Loss::CrossEntropy, true) => (1.0 + (-output).exp()).ln(),
                (Loss::CrossEntropy, false) => (1.0 + output.exp()).ln(),
                (Loss::Wasserstein, true) => -output,
                (Loss::Wasserstein, false) => output,
            }
        };
        const STEP: f32 = 1.0 / 1024.0;
        let slope = |i: usize| {
            let at = |by: f32| {
                let mut moved = critic.clone();
                moved.parameters_mut()[i] += by;
                value(&moved)
            };
            (at(STEP) - at(-STEP)) / f64::from(2.0 * STEP)
        };
        (0..critic.parameters().len()).map(slope).collect()
    }

    #[test]
    fn a_rows_gradient_is_that_of_the_loss_clipped() {
        for hidden in [&[][..], &[6], &[6, 4]] {
            for loss in [Loss::CrossEntropy, Loss::Wasserstein] {
                for is_real in [true, false] {
                    let critic = critic(hidden, 3);
                    let exact = numeric(&critic, loss, is_real, &[4, 1, 2]);
                    let norm = exact.iter().map(|x| x * x).sum::<f64>().sqrt();
                    for clip in [norm / 3.0, norm * 3.0] {
                        let gradients = match is_real {
                            true => Gradients::of_real(&critic, loss, clip, NORM),
                            false => Gradients::of_generated(&critic, loss, clip, NORM),
                        };
                        let units = sum(&gradients, &[vec![4], vec![1], vec![2]]);
                        let scale = NORM as f64 / norm.max(clip);
                        for (unit, exact) in units.iter().zip(&exact) {
                            let off = (*unit as f64 - exact * scale).abs();
                            assert!(off < 0.01 * NORM as f64, "{unit} {}", exact * scale);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn no_row_adds_more_than_the_norm_and_most_add_nearly_all_of_it() {
        for (hidden, seed) in [(&[][..], 1), (&[9], 2), (&[16, 8], 3), (&[16, 8, 8], 4)] {
            let critic = critic(hidden, seed);
            let gradients = Gradients::of_real(&critic, Loss::Wasserstein, 1e-3, NORM);
            for row in 0..200 {
                let square = norm_square(&sum(&gradients, &rows(1, row)));
                assert!(square <= i128::from(NORM).pow(2));
                assert!(square as f64 > 0.99 * (NORM as f64).powi(2), "{square}");
            }
        }
    }

    #[test]
    fn the_sum_is_exactly_that_of_the_rows_in_any_order_and_company() {
        let critic = critic(&[16, 8], 5);
        let gradients = Gradients::of_real(&critic, Loss::CrossEntropy, 1.0, NORM);
        let rows = rows(2500, 6);
        let all = sum(&gradients, &rows);
        let mut by_row = vec![0_i64; all.len()];
        for row in (0..2500).rev() {
            let one: Vec<Vec<u32>> = rows.iter().map(|codes| vec![codes[row]]).collect();
            let units = sum(&gradients, &one);
            by_row
                .iter_mut()
                .zip(units)
                .for_each(|(sum, unit)| *sum += unit);
        }
        assert_eq!(all, by_row);
    }

    #[test]
    fn parameters_that_are_not_numbers_add_nothing() {
        let mut critic = critic(&[6], 7);
        critic.parameters_mut()[0] = f32::NAN;
        critic.parameters_mut()[9] = f32::INFINITY;
        let gradients = Gradients::of_real(&critic, Loss::Wasserstein, 1.0, NORM);
        let square = norm_square(&sum(&gradients, &[vec![0], vec![0], vec![0]]));
        assert_eq!(square, 0);
    }
}
