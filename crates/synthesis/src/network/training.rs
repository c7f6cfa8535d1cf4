//! A generator while it is trained against a critic, all of it post-processing.

use neural::{Adam, AdamOptions, Blocks, Critic, Generator as Net, Latent, Loss};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use tabular::Recoding;

use super::components::{points, shares};
use super::file::LARGEST_PARAMETER;
use super::groups::Groups;
use super::options::NetworkOptions;
use crate::generator::Generator as _;
use crate::random_field::RandomField;
use crate::run::Run;

/// What the averaged generator keeps of itself at each step.
const KEPT: f32 = 0.95;
/// How often biases are corrected: each time brings the one-ways a good deal closer.
const CORRECTIONS: usize = 12;
/// Weights of a Wasserstein critic stay within this (Arjovsky et al. 2017, arXiv:1701.07875).
const LARGEST_WEIGHT: f32 = 0.1;

/// A generator that starts as the model of independent columns.
pub(crate) struct Training {
    options: NetworkOptions,
    /// From the codes of the table to those of the network.
    pub(crate) recoding: Recoding,
    /// The noisy number of rows.
    pub(crate) rows: f64,
    blocks: Blocks,
    /// The noisy shares of the codes, by which conditions are drawn.
    shares: Vec<f32>,
    generator: Net,
    of_generator: Adam,
    average: Vec<f32>,
    /// For what is random and protects nobody.
    rng: ChaCha8Rng,
}

impl Training {
    pub(crate) fn begin(
        run: &mut Run<'_>,
        options: NetworkOptions,
        base: &RandomField,
        groups: &[Groups],
    ) -> Training {
        let sizes: Vec<usize> = groups.iter().map(Groups::size).collect();
        let maps = groups.iter().map(|groups| groups.map().to_vec()).collect();
        let (blocks, shares) = (Blocks::new(&sizes), shares(base, groups));
        let mut rng = ChaCha8Rng::from_seed(run.rng.seed());
        let generator = Net::new(&blocks, &options.shape(), &shares, &mut rng);
        let of_generator = Adam::new(
            generator.parameters().len(),
            AdamOptions {
                rate: options.generator_lr,
                decay: options.generator_decay,
            },
        );
        Training {
            recoding: Recoding::new(run.schema(), maps, sizes),
            rows: base.total(),
            average: generator.parameters().to_vec(),
            options,
            blocks,
            shares,
            generator,
            of_generator,
            rng,
        }
    }

    /// A critic of random weights.
    pub(crate) fn critic(&mut self) -> Critic {
        let hidden = self.options.discriminator_dim.to_vec();
        Critic::new(&self.blocks, &hidden, &mut self.rng)
    }

    /// What moves a critic.
    pub(crate) fn of_critic(&self, critic: &Critic) -> Adam {
        let options = AdamOptions {
            rate: self.options.discriminator_lr,
            decay: self.options.discriminator_decay,
        };
        Adam::new(critic.parameters().len(), options)
    }

    /// So many rows of the generator as it is, in columns.
    pub(crate) fn generated(&mut self, rows: usize) -> Vec<Vec<u32>> {
        /// What a network computes on the way to this many rows is in memory at once.
        const BLOCK: usize = 4096;
        let mut columns: Vec<Vec<u32>> = Vec::new();
        for start in (0..rows.max(1)).step_by(BLOCK) {
            let latent = self.latent(BLOCK.min(rows - start));
            let block = self.generator.rows(&latent, &mut self.rng);
            columns.resize_with(block.len(), Vec::new);
            for (column, codes) in columns.iter_mut().zip(block) {
                column.extend(codes);
            }
        }
        columns
    }

    /// One step of the generator, towards rows that the critic takes for real.
    pub(crate) fn step(&mut self, critic: &Critic) {
        let latent = self.latent(self.options.batch_size as usize);
        let loss = self.options.loss;
        let gradient = self
            .generator
            .gradient(&latent, critic, loss, &mut self.rng);
        self.of_generator.step(
            self.generator.parameters_mut(),
            gradient.into_iter().map(f64::from),
        );
        let parameters = self.average.iter_mut().zip(self.generator.parameters());
        parameters.for_each(|(kept, new)| *kept = KEPT * *kept + (1.0 - KEPT) * new);
    }

    /// The generator, averaged over its last steps and with the columns' noisy shares.
    pub(crate) fn finish(mut self) -> Net {
        self.generator
            .parameters_mut()
            .copy_from_slice(&self.average);
        correct_one_ways(&mut self.generator, &self.shares);
        // So that a model's file holds them, whatever learning rates were asked for.
        let usable = |parameter: f32| match parameter.is_finite() {
            true => parameter.clamp(-LARGEST_PARAMETER, LARGEST_PARAMETER),
            false => 0.0,
        };
        let parameters = self.generator.parameters_mut().iter_mut();
        parameters.for_each(|parameter| *parameter = usable(*parameter));
        self.generator
    }

    fn latent(&mut self, rows: usize) -> Latent {
        Latent::draw(
            rows,
            self.options.embedding_dim as usize,
            &self.blocks,
            &self.shares,
            &mut self.rng,
        )
    }
}

/// Keeps a critic's weights within what its loss allows.
pub(crate) fn keep_within(critic: &mut Critic, loss: Loss) {
    if loss == Loss::Wasserstein {
        let weights = critic.parameters_mut().iter_mut();
        weights.for_each(|weight| *weight = weight.clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT));
    }
}

/// Moves the last layer's biases until the columns have their noisy shares.
fn correct_one_ways(generator: &mut Net, shares: &[f32]) {
    let latent = points(generator, shares);
    let width = shares.len();
    for _ in 0..CORRECTIONS {
        let mut means = vec![0.0_f64; width];
        for row in generator.probabilities(&latent).chunks_exact(width) {
            means
                .iter_mut()
                .zip(row)
                .for_each(|(mean, &p)| *mean += f64::from(p));
        }
        let parameters = generator.parameters_mut();
        let biases = parameters.len() - width;
        for ((bias, mean), &share) in parameters[biases..].iter_mut().zip(means).zip(shares) {
            let mean = mean / latent.rows() as f64;
            // At most a factor of e each time: a share that is all but lost must not overshoot.
            #[expect(clippy::cast_possible_truncation, reason = "rounding is meant")]
            let moved = (f64::from(share) / mean.max(1e-9)).ln().clamp(-1.0, 1.0) as f32;
            *bias += moved;
        }
    }
}
