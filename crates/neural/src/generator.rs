use rand_core::Rng;

use crate::blocks::Blocks;
use crate::critic::{Critic, Loss};
use crate::dense::{add_scaled, multiply_add, outer_add, transposed};
use crate::random::{normal, uniform};

/// Widths of a generator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// How many normal numbers a row is made from.
    pub embedding: usize,
    /// Of the hidden layers.
    pub hidden: Vec<usize>,
}

/// What a row is made from: normal numbers, and the value that one of its columns must have.
#[derive(Debug, Clone, PartialEq)]
pub struct Latent {
    /// The normal numbers of each row, one row after the other.
    noise: Vec<f32>,
    /// Column and code of each row.
    conditions: Vec<(usize, u32)>,
}

/// A network that makes rows of codes: normal numbers and a condition on one column go through
/// rectified layers to one softmax for each column.
#[derive(Debug, Clone)]
pub struct Generator {
    blocks: Blocks,
    shape: Shape,
    /// For each layer its weights, row-major by input, and its biases. The first layer's inputs are
    /// the normal numbers and, after them, one coordinate for each code.
    parameters: Vec<f32>,
}

impl Latent {
    /// Of so many rows: each has a condition on a column that is as likely as any other, and the
    /// code is drawn by the column's shares, which are probabilities.
    pub fn draw(
        rows: usize,
        embedding: usize,
        blocks: &Blocks,
        shares: &[f32],
        rng: &mut impl Rng,
    ) -> Latent {
        let mut condition = || {
            let columns = u32::try_from(blocks.columns()).expect("columns are far fewer");
            let column = (rng.next_u32() % columns) as usize;
            (column, draw(&shares[blocks.range(column)], rng))
        };
        let conditions = (0..rows).map(|_| condition()).collect();
        Latent {
            conditions,
            noise: (0..rows * embedding).map(|_| normal(rng)).collect(),
        }
    }

    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.conditions.len()
    }
}

/// A code by its probabilities, the last one if they add up to less than 1.
fn draw(probabilities: &[f32], rng: &mut impl Rng) -> u32 {
    let mut left = uniform(rng);
    let mut code = 0;
    for &probability in &probabilities[..probabilities.len() - 1] {
        left -= probability;
        if left < 0.0 {
            break;
        }
        code += 1;
    }
    code
}

impl Generator {
    /// Starts as columns that are independent and have these shares, which are above 0: the last
    /// layer's weights are 0, and its biases their logarithms.
    #[must_use]
    pub fn new(blocks: &Blocks, shape: &Shape, shares: &[f32], rng: &mut impl Rng) -> Generator {
        let mut parameters = Vec::new();
        let mut inputs = shape.embedding + blocks.width();
        for (layer, &outputs) in shape.hidden.iter().enumerate() {
            let active = if layer == 0 {
                shape.embedding + 1
            } else {
                inputs
            };
            #[expect(clippy::cast_precision_loss, reason = "far below 2^24")]
            let scale = (2.0 / active as f32).sqrt();
            parameters.extend((0..inputs * outputs).map(|_| scale * normal(rng)));
            parameters.extend(std::iter::repeat_n(0.0, outputs));
            inputs = outputs;
        }
        parameters.extend(std::iter::repeat_n(0.0, inputs * blocks.width()));
        parameters.extend(shares.iter().map(|share| share.ln()));
        Generator {
            blocks: blocks.clone(),
            shape: shape.clone(),
            parameters,
        }
    }

    /// With these parameters. None if there are more or fewer than such a network has.
    #[must_use]
    pub fn from_parameters(
        blocks: &Blocks,
        shape: &Shape,
        parameters: Vec<f32>,
    ) -> Option<Generator> {
        (parameters.len() == Generator::count(blocks, shape)).then(|| Generator {
            blocks: blocks.clone(),
            shape: shape.clone(),
            parameters,
        })
    }

    /// How many parameters such a network has.
    #[must_use]
    pub fn count(blocks: &Blocks, shape: &Shape) -> usize {
        let mut inputs = shape.embedding + blocks.width();
        let mut count = 0;
        for outputs in shape.hidden.iter().copied().chain([blocks.width()]) {
            count += (inputs + 1) * outputs;
            inputs = outputs;
        }
        count
    }

    /// The columns.
    #[must_use]
    pub fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    /// The widths.
    #[must_use]
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// All weights and biases; at the end those of the softmaxes, one for each code.
    #[must_use]
    pub fn parameters(&self) -> &[f32] {
        &self.parameters
    }

    /// All weights and biases, to be changed.
    pub fn parameters_mut(&mut self) -> &mut [f32] {
        &mut self.parameters
    }

    fn widths(&self) -> Vec<usize> {
        let first = self.shape.embedding + self.blocks.width();
        let hidden = self.shape.hidden.iter().copied();
        std::iter::once(first)
            .chain(hidden)
            .chain([self.blocks.width()])
            .collect()
    }

    /// The activations of each layer; of the last the probabilities of each row's codes.
    fn forward(&self, latent: &Latent) -> Vec<Vec<f32>> {
        let widths = self.widths();
        let (rows, embedding) = (latent.rows(), self.shape.embedding);
        let mut activations: Vec<Vec<f32>> = Vec::with_capacity(widths.len() - 1);
        let mut at = 0;
        for (layer, pair) in widths.windows(2).enumerate() {
            let (inputs, outputs) = (pair[0], pair[1]);
            let (weights, rest) = self.parameters[at..].split_at(inputs * outputs);
            let mut sums = rest[..outputs].repeat(rows);
            match layer {
                0 => {
                    let (of_noise, of_codes) = weights.split_at(embedding * outputs);
                    if embedding > 0 {
                        multiply_add(&latent.noise, of_noise, &mut sums, outputs);
                    }
                    let conditions = latent.conditions.iter();
                    for (sums, &(column, code)) in sums.chunks_exact_mut(outputs).zip(conditions) {
                        let from = self.blocks.coordinate(column, code) * outputs;
                        add_scaled(sums, 1.0, &of_codes[from..from + outputs]);
                    }
                }
                _ => multiply_add(&activations[layer - 1], weights, &mut sums, outputs),
            }
            if layer + 2 < widths.len() {
                sums.iter_mut().for_each(|sum| *sum = sum.max(0.0));
            }
            activations.push(sums);
            at += (inputs + 1) * outputs;
        }
        let last = activations
            .last_mut()
            .expect("there is a layer of softmaxes");
        let width = self.blocks.width();
        for (row, &(given, code)) in last.chunks_exact_mut(width).zip(&latent.conditions) {
            for column in 0..self.blocks.columns() {
                let block = &mut row[self.blocks.range(column)];
                if column == given {
                    // What a row is conditioned on, it has.
                    block.fill(0.0);
                    block[code as usize] = 1.0;
                } else {
                    softmax(block);
                }
            }
        }
        activations
    }

    /// The probabilities of the codes of each row, one row after the other. Given what a row is
    /// made from, its columns are independent.
    #[must_use]
    pub fn probabilities(&self, latent: &Latent) -> Vec<f32> {
        self.forward(latent)
            .pop()
            .expect("there is a layer of softmaxes")
    }

    /// Rows drawn from their probabilities, column by column.
    pub fn rows(&self, latent: &Latent, rng: &mut impl Rng) -> Vec<Vec<u32>> {
        self.drawn(&self.probabilities(latent), rng)
    }

    fn drawn(&self, probabilities: &[f32], rng: &mut impl Rng) -> Vec<Vec<u32>> {
        let mut columns = vec![Vec::new(); self.blocks.columns()];
        for row in probabilities.chunks_exact(self.blocks.width()) {
            for (column, codes) in columns.iter_mut().enumerate() {
                codes.push(draw(&row[self.blocks.range(column)], rng));
            }
        }
        columns
    }

    /// The gradient of the mean loss of rows that the critic scores.
    ///
    /// Rows are drawn, and the slope at a probability is that at the code's coordinate: exact in
    /// expectation where the critic is linear in a column, and elsewhere the usual straight-through
    /// estimate (Bengio, Leonard and Courville 2013, arXiv:1308.3432).
    pub fn gradient(
        &self,
        latent: &Latent,
        critic: &Critic,
        loss: Loss,
        rng: &mut impl Rng,
    ) -> Vec<f32> {
        let activations = self.forward(latent);
        let (probabilities, hidden) = activations.split_last().expect("there is a layer");
        let rows = self.drawn(probabilities, rng);
        let width = self.blocks.width();
        let mut scratch = critic.scratch();
        let mut deltas = vec![0.0_f32; probabilities.len()];
        #[expect(clippy::cast_precision_loss, reason = "far below 2^24")]
        let share = 1.0 / latent.rows().max(1) as f32;
        let of_rows = deltas
            .chunks_exact_mut(width)
            .zip(probabilities.chunks_exact(width));
        for (row, (deltas, probabilities)) in of_rows.enumerate() {
            critic.score(rows.iter().map(|codes| codes[row]), &mut scratch);
            critic.slopes_of_inputs(loss, &mut scratch, deltas);
            for column in 0..self.blocks.columns() {
                let range = self.blocks.range(column);
                let (deltas, p) = (&mut deltas[range.clone()], &probabilities[range]);
                let mean: f32 = deltas.iter().zip(p).map(|(delta, p)| delta * p).sum();
                deltas
                    .iter_mut()
                    .zip(p)
                    .for_each(|(delta, p)| *delta = share * p * (*delta - mean));
            }
        }
        self.backward(latent, hidden, deltas)
    }

    /// From the slopes at the softmaxes' inputs to those at the parameters.
    fn backward(&self, latent: &Latent, hidden: &[Vec<f32>], mut deltas: Vec<f32>) -> Vec<f32> {
        let widths = self.widths();
        let embedding = self.shape.embedding;
        let mut gradient = vec![0.0_f32; self.parameters.len()];
        let mut end = gradient.len();
        for layer in (0..widths.len() - 1).rev() {
            let (inputs, outputs) = (widths[layer], widths[layer + 1]);
            let at = end - (inputs + 1) * outputs;
            let (weights, biases) = gradient[at..end].split_at_mut(inputs * outputs);
            for delta in deltas.chunks_exact(outputs) {
                add_scaled(biases, 1.0, delta);
            }
            if layer == 0 {
                let (of_noise, of_codes) = weights.split_at_mut(embedding * outputs);
                if embedding > 0 {
                    outer_add(&latent.noise, &deltas, of_noise, outputs);
                }
                for (delta, &(column, code)) in deltas.chunks_exact(outputs).zip(&latent.conditions)
                {
                    let from = self.blocks.coordinate(column, code) * outputs;
                    add_scaled(&mut of_codes[from..from + outputs], 1.0, delta);
                }
                break;
            }
            let activations = &hidden[layer - 1];
            outer_add(activations, &deltas, weights, outputs);
            let back = transposed(&self.parameters[at..at + inputs * outputs], outputs);
            let mut below = vec![0.0_f32; activations.len()];
            multiply_add(&deltas, &back, &mut below, inputs);
            below
                .iter_mut()
                .zip(activations)
                .filter(|(_, activation)| **activation <= 0.0)
                .for_each(|(delta, _)| *delta = 0.0);
            deltas = below;
            end = at;
        }
        gradient
    }
}

/// Logarithms up to a constant become probabilities.
fn softmax(block: &mut [f32]) {
    let largest = block.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    block.iter_mut().for_each(|x| *x = (*x - largest).exp());
    let sum: f32 = block.iter().sum();
    block.iter_mut().for_each(|x| *x /= sum);
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::{Adam, AdamOptions, Gradients};

    fn rng(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    fn shape() -> Shape {
        Shape {
            embedding: 3,
            hidden: vec![5, 4],
        }
    }

    const SHARES: [f32; 5] = [0.5, 0.25, 0.25, 0.9, 0.1];

    fn generator(moved: bool) -> Generator {
        let blocks = Blocks::new(&[3, 2]);
        let mut generator = Generator::new(&blocks, &shape(), &SHARES, &mut rng(1));
        if moved {
            let mut rng = rng(2);
            let parameters = generator.parameters_mut().iter_mut();
            parameters.for_each(|parameter| *parameter += 0.3 * normal(&mut rng));
        }
        generator
    }

    fn latent(rows: usize) -> Latent {
        Latent::draw(rows, 3, &Blocks::new(&[3, 2]), &SHARES, &mut rng(3))
    }

    #[test]
    fn it_starts_as_independent_columns_of_the_given_shares() {
        let generator = generator(false);
        let latent = latent(20_000);
        let rows = generator.rows(&latent, &mut rng(4));
        for (column, code, share) in [(0, 0, 0.5), (0, 1, 0.25), (1, 1, 0.1)] {
            let found = rows[column].iter().filter(|&&c| c == code).count() as f64 / 20_000.0;
            assert!((found - share).abs() < 0.02, "{column} {code}: {found}");
        }
        let both = (0..20_000).filter(|&row| rows[0][row] == 0 && rows[1][row] == 1);
        assert!((both.count() as f64 / 20_000.0 - 0.05).abs() < 0.01);
    }

    #[test]
    fn a_row_has_the_value_that_it_is_conditioned_on() {
        let latent = latent(500);
        let rows = generator(true).rows(&latent, &mut rng(4));
        for (row, &(column, code)) in latent.conditions.iter().enumerate() {
            assert_eq!(rows[column][row], code);
        }
    }

    /// With a critic that is linear in the coordinates the estimate is the expected gradient of the
    /// expected score, which follows from the probabilities alone.
    #[test]
    fn the_gradient_is_that_of_the_expected_score_of_a_linear_critic() {
        let (generator, latent) = (generator(true), latent(8));
        let critic = Critic::new(generator.blocks(), &[], &mut rng(5));
        let gradient = generator.gradient(&latent, &critic, Loss::Wasserstein, &mut rng(6));
        let value = |generator: &Generator| {
            let weights = critic.parameters();
            let scores = generator.probabilities(&latent);
            let scores = scores
                .iter()
                .enumerate()
                .map(|(i, p)| f64::from(p * weights[i % 5]));
            -scores.sum::<f64>() / 8.0
        };
        const STEP: f32 = 1.0 / 256.0;
        for (i, slope) in gradient.iter().enumerate() {
            let at = |by: f32| {
                let mut moved = generator.clone();
                moved.parameters_mut()[i] += by;
                value(&moved)
            };
            let numeric = (at(STEP) - at(-STEP)) / f64::from(2.0 * STEP);
            assert!(
                (numeric - f64::from(*slope)).abs() < 2e-3,
                "{i}: {slope} {numeric}"
            );
        }
    }

    #[test]
    fn against_a_critic_of_rows_whose_columns_agree_it_learns_that_they_do() {
        let blocks = Blocks::new(&[2, 2]);
        let shape = Shape {
            embedding: 4,
            hidden: vec![16],
        };
        let mut rng = rng(7);
        let shares = [0.5_f32; 4];
        let mut generator = Generator::new(&blocks, &shape, &shares, &mut rng);
        let mut critic = Critic::new(&blocks, &[16], &mut rng);
        let options = |rate| AdamOptions { rate, decay: 0.0 };
        let mut of_critic = Adam::new(critic.parameters().len(), options(0.01));
        let mut of_generator = Adam::new(generator.parameters().len(), options(0.01));
        let codes: Vec<u32> = (0..256).map(|row| row % 2).collect();
        for _ in 0..200 {
            let latent = Latent::draw(256, 4, &blocks, &shares, &mut rng);
            let generated = generator.rows(&latent, &mut rng);
            let mut sums = vec![0; critic.parameters().len()];
            let loss = Loss::CrossEntropy;
            Gradients::of_real(&critic, loss, 1.0, 1 << 20).add(&[&codes, &codes], &mut sums);
            let columns: Vec<&[u32]> = generated.iter().map(Vec::as_slice).collect();
            Gradients::of_generated(&critic, loss, 1.0, 1 << 20).add(&columns, &mut sums);
            let gradient = sums.iter().map(|&unit| unit as f64 / f64::from(1 << 28));
            of_critic.step(critic.parameters_mut(), gradient);
            let gradient = generator.gradient(&latent, &critic, loss, &mut rng);
            let gradient = gradient.into_iter().map(f64::from);
            of_generator.step(generator.parameters_mut(), gradient);
        }
        let latent = Latent::draw(2000, 4, &blocks, &shares, &mut rng);
        let rows = generator.rows(&latent, &mut rng);
        let agree = (0..2000)
            .filter(|&row| rows[0][row] == rows[1][row])
            .count();
        assert!(agree > 1800, "{agree}");
    }

    #[test]
    fn parameters_make_the_same_network_again() {
        let generator = generator(true);
        let (blocks, shape) = (generator.blocks(), generator.shape());
        let parameters = generator.parameters().to_vec();
        assert!(Generator::from_parameters(blocks, shape, parameters[1..].to_vec()).is_none());
        let again = Generator::from_parameters(blocks, shape, parameters).unwrap();
        let latent = latent(9);
        assert_eq!(
            again.probabilities(&latent),
            generator.probabilities(&latent)
        );
    }
}
