use rand_core::Rng;
use zeroize::Zeroize;

use crate::blocks::Blocks;
use crate::dense::{add_scaled, outer_add, transposed};
use crate::random::normal;

/// What a critic is trained for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The logarithm of the probability of telling real rows from generated ones.
    CrossEntropy,
    /// The difference of the critic's mean outputs.
    Wasserstein,
}

impl Loss {
    /// The derivative, by the critic's output, of what a row contributes to its loss.
    pub(crate) fn slope(self, output: f64, is_real: bool) -> f64 {
        match (self, is_real) {
            (Loss::CrossEntropy, true) => -sigmoid(-output),
            (Loss::CrossEntropy, false) => sigmoid(output),
            (Loss::Wasserstein, true) => -1.0,
            (Loss::Wasserstein, false) => 1.0,
        }
    }

    /// The derivative, by the critic's output, of what a row contributes that is real with this
    /// probability: linear in it, so that noise in a label is noise of the same mean in the slope,
    /// and a label beyond 0 and 1 makes sense.
    fn slope_of_label(self, output: f64, label: f64) -> f64 {
        label * self.slope(output, true) + (1.0 - label) * self.slope(output, false)
    }

    /// The derivative, by the critic's output, of what a generated row contributes to the
    /// generator's loss.
    pub(crate) fn slope_of_generator(self, output: f64) -> f64 {
        match self {
            // It wants rows to pass for real: the loss that does not vanish where they do not.
            Loss::CrossEntropy => -sigmoid(-output),
            Loss::Wasserstein => -1.0,
        }
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// A network that scores rows of codes: one coordinate for each code of each column, leaky
/// rectified layers, and one output.
///
/// Of a row no more than one coordinate of each column is 1, so that the first layer is a sum of
/// rows of its weights.
#[derive(Debug, Clone)]
pub struct Critic {
    pub(crate) blocks: Blocks,
    /// Widths of the layers' outputs; the last is 1.
    pub(crate) widths: Vec<usize>,
    /// For each layer its weights, row-major by input, and its biases.
    parameters: Vec<f32>,
}

/// How much of a negative sum a layer lets through.
pub(crate) const LEAK: f32 = 0.2;

impl Critic {
    /// Rows go through hidden layers of these widths.
    #[must_use]
    pub fn new(blocks: &Blocks, hidden: &[usize], rng: &mut impl Rng) -> Critic {
        let widths: Vec<usize> = hidden.iter().copied().chain([1]).collect();
        let mut parameters = Vec::new();
        let mut inputs = blocks.width();
        for (layer, &outputs) in widths.iter().enumerate() {
            // Of the first layer's inputs as many are 1 as there are columns.
            let active = if layer == 0 { blocks.columns() } else { inputs };
            #[expect(clippy::cast_precision_loss, reason = "far below 2^24")]
            let scale = (2.0 / active.max(1) as f32).sqrt();
            parameters.extend((0..inputs * outputs).map(|_| scale * normal(rng)));
            parameters.extend(std::iter::repeat_n(0.0, outputs));
            inputs = outputs;
        }
        Critic {
            blocks: blocks.clone(),
            widths,
            parameters,
        }
    }

    /// The same hidden layers under an output that is 0 for every row: whatever it says later it
    /// has learnt.
    #[must_use]
    pub fn indifferent(mut self) -> Critic {
        let (at, ..) = self
            .layers()
            .last()
            .expect("there is a layer for the output");
        self.parameters[at..].fill(0.0);
        self
    }

    /// All weights and biases.
    #[must_use]
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// All weights and biases, to be changed.
    pub fn parameters_mut(&mut self) -> &mut [f32] {
        &mut self.parameters
    }

    /// Where each layer's parameters begin, with its number of inputs and outputs.
    pub(crate) fn layers(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let (mut at, mut inputs) = (0, self.blocks.width());
        self.widths.iter().map(move |&outputs| {
            let layer = (at, inputs, outputs);
            at += (inputs + 1) * outputs;
            inputs = outputs;
            layer
        })
    }

    pub(crate) fn weights(&self, (at, inputs, outputs): (usize, usize, usize)) -> &[f32] {
        &self.parameters[at..at + inputs * outputs]
    }

    fn biases(&self, (at, inputs, outputs): (usize, usize, usize)) -> &[f32] {
        &self.parameters[at + inputs * outputs..at + (inputs + 1) * outputs]
    }

    /// What scoring takes besides the critic.
    #[must_use]
    pub fn scratch(&self) -> CriticScratch {
        let buffers = || self.widths.iter().map(|&width| vec![0.0; width]).collect();
        let transposed = |layer| transposed(self.weights(layer), layer.2);
        CriticScratch {
            activations: buffers(),
            deltas: buffers(),
            transposed: self.layers().map(transposed).collect(),
        }
    }

    /// The score of a row, given by one code of each column.
    pub fn score(&self, row: impl Iterator<Item = u32>, scratch: &mut CriticScratch) -> f64 {
        let mut layers = self.layers();
        let first = layers.next().expect("there is a layer for the output");
        let last = self.widths.len() - 1;
        let weights = self.weights(first);
        let sums = &mut scratch.activations[0];
        sums.copy_from_slice(self.biases(first));
        for (column, code) in row.enumerate() {
            let from = self.blocks.coordinate(column, code) * first.2;
            add_scaled(sums, 1.0, &weights[from..from + first.2]);
        }
        if last > 0 {
            rectify(sums);
        }
        for (number, layer) in layers.enumerate() {
            let (before, after) = scratch.activations.split_at_mut(number + 1);
            let (inputs, sums) = (&before[number], &mut after[0]);
            sums.copy_from_slice(self.biases(layer));
            let rows = self.weights(layer).chunks_exact(layer.2);
            inputs
                .iter()
                .zip(rows)
                .for_each(|(&input, weights)| add_scaled(sums, input, weights));
            if number + 1 < last {
                rectify(sums);
            }
        }
        f64::from(scratch.activations[last][0])
    }

    /// Carries the slope at the output of the row that was scored last back to each layer's sums.
    #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
    pub(crate) fn carry_back(&self, slope: f64, scratch: &mut CriticScratch) {
        let last = self.widths.len() - 1;
        scratch.deltas[last][0] = slope as f32;
        for number in (0..last).rev() {
            let (before, after) = scratch.deltas.split_at_mut(number + 1);
            let (delta, above) = (&mut before[number], &after[0]);
            delta.fill(0.0);
            let rows = scratch.transposed[number + 1].chunks_exact(delta.len());
            above
                .iter()
                .zip(rows)
                .for_each(|(&above, weights)| add_scaled(delta, above, weights));
            let activations = &scratch.activations[number];
            delta
                .iter_mut()
                .zip(activations)
                .filter(|(_, activation)| **activation < 0.0)
                .for_each(|(delta, _)| *delta *= LEAK);
        }
    }

    /// The gradient of the mean loss of rows, given column by column, each of which is real with
    /// the probability that its label says. Not for private rows: it is not clipped, and a sum of
    /// floats depends on the order of the rows.
    #[must_use]
    pub fn gradient_of_labels(&self, loss: Loss, columns: &[&[u32]], labels: &[f64]) -> Vec<f32> {
        let mut gradient = vec![0.0_f32; self.parameters.len()];
        let mut scratch = self.scratch();
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let share = 1.0 / labels.len().max(1) as f64;
        for (row, &label) in labels.iter().enumerate() {
            let codes = || columns.iter().map(|codes| codes[row]);
            let output = self.score(codes(), &mut scratch);
            let slope = share * loss.slope_of_label(output, label);
            self.carry_back(slope, &mut scratch);
            for (number, (at, inputs, outputs)) in self.layers().enumerate() {
                let delta = &scratch.deltas[number];
                let (weights, rest) = gradient[at..].split_at_mut(inputs * outputs);
                add_scaled(&mut rest[..outputs], 1.0, delta);
                match number {
                    0 => codes().enumerate().for_each(|(column, code)| {
                        let from = self.blocks.coordinate(column, code) * outputs;
                        add_scaled(&mut weights[from..from + outputs], 1.0, delta);
                    }),
                    _ => outer_add(&scratch.activations[number - 1], delta, weights, outputs),
                }
            }
        }
        gradient
    }

    /// The slope of the generator's loss at each coordinate of the row that was scored last.
    pub(crate) fn slopes_of_inputs(
        &self,
        loss: Loss,
        scratch: &mut CriticScratch,
        slopes: &mut [f32],
    ) {
        let output = f64::from(scratch.activations[self.widths.len() - 1][0]);
        self.carry_back(loss.slope_of_generator(output), scratch);
        slopes.fill(0.0);
        let rows = scratch.transposed[0].chunks_exact(slopes.len());
        scratch.deltas[0]
            .iter()
            .zip(rows)
            .for_each(|(&delta, weights)| add_scaled(slopes, delta, weights));
    }
}

fn rectify(sums: &mut [f32]) {
    // By a product and not by a branch, which half of the sums would mispredict.
    sums.iter_mut()
        .for_each(|sum| *sum *= if *sum < 0.0 { LEAK } else { 1.0 });
}

/// Buffers of a critic at its present parameters: after a step they are made anew.
#[derive(Debug, Clone)]
pub struct CriticScratch {
    /// Of each layer, after rectification.
    pub(crate) activations: Vec<Vec<f32>>,
    /// Slopes of the loss at each layer's sums.
    pub(crate) deltas: Vec<Vec<f32>>,
    /// Weights of each layer, row-major by output.
    transposed: Vec<Vec<f32>>,
}

impl Drop for CriticScratch {
    /// A teacher's weights are private, and here is a copy of them.
    fn drop(&mut self) {
        for buffers in [
            &mut self.activations,
            &mut self.deltas,
            &mut self.transposed,
        ] {
            buffers.iter_mut().for_each(|buffer| buffer.zeroize());
        }
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn the_gradient_of_labels_is_that_of_the_loss() {
        let rows: [&[u32]; 2] = [&[0, 2, 1, 1], &[1, 0, 0, 1]];
        let labels = [0.0, 0.3, 1.0, 1.2];
        for loss in [Loss::CrossEntropy, Loss::Wasserstein] {
            for hidden in [&[][..], &[5], &[5, 4]] {
                let mut rng = ChaCha8Rng::seed_from_u64(4);
                let critic = Critic::new(&Blocks::new(&[3, 2]), hidden, &mut rng);
                let value = |critic: &Critic| -> f64 {
                    let of_row = |row: usize| {
                        let codes = rows.iter().map(|codes| codes[row]);
                        let output = critic.score(codes, &mut critic.scratch());
                        let (real, generated) = match loss {
                            Loss::CrossEntropy => {
                                ((1.0 + (-output).exp()).ln(), (1.0 + output.exp()).ln())
                            }
                            Loss::Wasserstein => (-output, output),
                        };
                        labels[row] * real + (1.0 - labels[row]) * generated
                    };
                    (0..4).map(of_row).sum::<f64>() / 4.0
                };
                let gradient = critic.gradient_of_labels(loss, &rows, &labels);
                for (i, &slope) in gradient.iter().enumerate() {
                    const STEP: f32 = 1.0 / 1024.0;
                    let at = |by: f32| {
                        let mut moved = critic.clone();
                        moved.parameters_mut()[i] += by;
                        value(&moved)
                    };
                    let expected = (at(STEP) - at(-STEP)) / f64::from(2.0 * STEP);
                    assert!(
                        (f64::from(slope) - expected).abs() < 2e-3,
                        "{slope} {expected}"
                    );
                }
            }
        }
    }
}
