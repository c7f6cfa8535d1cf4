use neural::{Critic, Generator, Gradients};
use privacy::{GradientSum, Rho};
use tabular::RowSum;

use super::options::DpctganOptions;
use crate::fit_error::FitError;
use crate::network::{Training, keep_within};
use crate::run::Run;

/// The generator. Spends the rho on gradients, and looks at the table in no other way.
pub(super) fn train(
    run: &mut Run<'_>,
    options: &DpctganOptions,
    mut training: Training,
    rho: Rho,
) -> Result<Generator, FitError> {
    let network = &options.network;
    let mut critic = training.critic();
    let mut of_critic = training.of_critic(&critic);
    let (coordinates, steps) = (critic.parameters().len(), network.epochs);
    let mut paid = run
        .ledger
        .open_gradients("gradients of the critic", coordinates, steps, rho)?;
    for step in 0..steps {
        run.at("training", step as usize, steps as usize)?;
        let real = RealRows(Gradients::of_real(
            &critic,
            network.loss,
            options.max_per_sample_grad_norm,
            GradientSum::NORM,
        ));
        let sum = run.sum_rows(&training.recoding, &real)?;
        let noisy = paid.release(&sum, run.rng);
        let rows = training.generated(network.batch_size as usize);
        let generated = mean_of_generated(options, &critic, &rows);
        let gradient = noisy
            .iter()
            .zip(&generated)
            .map(|(real, generated)| real / training.rows + generated);
        of_critic.step(critic.parameters_mut(), gradient);
        keep_within(&mut critic, network.loss);
        if (step + 1) % options.discriminator_steps == 0 {
            training.step(&critic);
        }
    }
    Ok(training.finish())
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
    let gradients = Gradients::of_generated(critic, options.network.loss, clip, norm);
    let mut sums = vec![0; critic.parameters().len()];
    let columns: Vec<&[u32]> = rows.iter().map(Vec::as_slice).collect();
    gradients.add(&columns, &mut sums);
    let whole = norm as f64 * rows.first().map_or(1, Vec::len) as f64;
    sums.into_iter().map(|units| units as f64 / whole).collect()
}
