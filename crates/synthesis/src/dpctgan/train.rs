use neural::{Adam, AdamOptions, Blocks, Critic, Generator, Gradients, Latent};
use privacy::{GradientSum, Rho};
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use tabular::{Recoding, RowSum};

use super::options::DpctganOptions;
use crate::fit_error::FitError;
use crate::generator::Generator as _;
use crate::network::{Groups, LARGEST_PARAMETER, points, shares};
use crate::random_field::RandomField;
use crate::run::Run;

/// What the averaged generator keeps of itself at each step.
const KEPT: f32 = 0.95;
/// How often biases are corrected: each time brings the one-ways a good deal closer.
const CORRECTIONS: usize = 12;
/// Weights of a Wasserstein critic stay within this (Arjovsky et al. 2017, arXiv:1701.07875).
const LARGEST_WEIGHT: f32 = 0.1;

/// The generator. Spends the rho on gradients, and looks at the table in no other way.
pub(super) fn train(
    run: &mut Run<'_>,
    options: &DpctganOptions,
    base: &RandomField,
    groups: &[Groups],
    rho: Rho,
) -> Result<Generator, FitError> {
    let sizes: Vec<usize> = groups.iter().map(Groups::size).collect();
    let maps = groups.iter().map(|groups| groups.map().to_vec()).collect();
    let recoding = Recoding::new(run.schema(), maps, sizes.clone());
    let (blocks, shares) = (Blocks::new(&sizes), shares(base, groups));
    // Weights to start from, and all that generated rows are drawn by: post-processing.
    let mut rng = ChaCha8Rng::from_seed(run.rng.seed());
    let shape = options.shape();
    let mut generator = Generator::new(&blocks, &shape, &shares, &mut rng);
    let mut critic = Critic::new(&blocks, &options.discriminator_dim.to_vec(), &mut rng);
    let coordinates = critic.parameters().len();
    let steps = options.epochs;
    let mut paid = run
        .ledger
        .open_gradients("gradients of the critic", coordinates, steps, rho)?;
    let adam = |count, rate, decay| Adam::new(count, AdamOptions { rate, decay });
    let mut of_critic = adam(
        coordinates,
        options.discriminator_lr,
        options.discriminator_decay,
    );
    let mut of_generator = adam(
        generator.parameters().len(),
        options.generator_lr,
        options.generator_decay,
    );
    let mut average = generator.parameters().to_vec();
    let (rows, batch) = (base.total(), options.batch_size as usize);
    for step in 0..steps {
        run.at("training", step as usize, steps as usize)?;
        let real = RealRows(Gradients::of_real(
            &critic,
            options.loss,
            options.max_per_sample_grad_norm,
            GradientSum::NORM,
        ));
        let sum = run.sum_rows(&recoding, &real)?;
        let noisy = paid.release(&sum, run.rng);
        let latent = Latent::draw(batch, shape.embedding, &blocks, &shares, &mut rng);
        let generated = mean_of_generated(options, &critic, &generator.rows(&latent, &mut rng));
        let gradient = noisy
            .iter()
            .zip(&generated)
            .map(|(real, generated)| real / rows + generated);
        of_critic.step(critic.parameters_mut(), gradient);
        if options.loss == neural::Loss::Wasserstein {
            let weights = critic.parameters_mut().iter_mut();
            weights.for_each(|weight| *weight = weight.clamp(-LARGEST_WEIGHT, LARGEST_WEIGHT));
        }
        if (step + 1) % options.discriminator_steps != 0 {
            continue;
        }
        let latent = Latent::draw(batch, shape.embedding, &blocks, &shares, &mut rng);
        let gradient = generator.gradient(&latent, &critic, options.loss, &mut rng);
        of_generator.step(
            generator.parameters_mut(),
            gradient.into_iter().map(f64::from),
        );
        let parameters = average.iter_mut().zip(generator.parameters());
        parameters.for_each(|(kept, new)| *kept = KEPT * *kept + (1.0 - KEPT) * new);
    }
    generator.parameters_mut().copy_from_slice(&average);
    correct_one_ways(&mut generator, &shares);
    // So that a model's file holds them, whatever learning rates were asked for.
    let usable = |parameter: f32| match parameter.is_finite() {
        true => parameter.clamp(-LARGEST_PARAMETER, LARGEST_PARAMETER),
        false => 0.0,
    };
    let parameters = generator.parameters_mut().iter_mut();
    parameters.for_each(|parameter| *parameter = usable(*parameter));
    Ok(generator)
}

/// What real rows add to the gradient: whole units, at most [`GradientSum::NORM`] of each row.
struct RealRows<'a>(Gradients<'a>);

impl RowSum for RealRows<'_> {
    fn coordinates(&self) -> usize {
        self.0.coordinates()
    }

    fn add(&self, columns: &[&[u32]], sums: &mut [i64]) {
        self.0.add(columns, sums);
    }
}

/// The mean gradient of generated rows, clipped as those of real rows are.
fn mean_of_generated(options: &DpctganOptions, critic: &Critic, rows: &[Vec<u32>]) -> Vec<f64> {
    let (clip, norm) = (options.max_per_sample_grad_norm, GradientSum::NORM);
    let gradients = Gradients::of_generated(critic, options.loss, clip, norm);
    let mut sums = vec![0; critic.parameters().len()];
    let columns: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
    gradients.add(&columns, &mut sums);
    let whole = norm as f64 * rows.first().map_or(1, Vec::len) as f64;
    sums.into_iter().map(|units| units as f64 / whole).collect()
}

/// Moves the last layer's biases until the columns have their noisy shares.
fn correct_one_ways(generator: &mut Generator, shares: &[f32]) {
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
