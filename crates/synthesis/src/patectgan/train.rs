use std::num::NonZeroU32;

use neural::{Critic, Generator};
use privacy::{Division, Rho};

use super::options::PatectganOptions;
use super::teachers::Teachers;
use crate::fit_error::FitError;
use crate::network::{Training, keep_within};
use crate::run::Run;

/// Teachers, at least and at most: with fewer a vote means nothing, and more cost time.
const TEACHERS: [f64; 2] = [20.0, 1000.0];
/// Teachers for each unit of noise, as far as the budget goes: it buys more votes, and not clearer
/// ones, as what all votes tell together is the same.
const CLARITY: f64 = 2.0;
/// Questions of an epoch, at least.
const LEAST: f64 = 8.0;
/// Rows of the generator, for each about which the teachers are asked.
const CANDIDATES: usize = 3;

/// Steps of the generator in an epoch. The further it moves from the rows about which the teachers
/// were asked, the less the student knows of what it makes.
const GENERATOR_STEPS: u32 = 4;

/// How the votes are asked for: all of it follows from the noisy number of rows and the budget.
#[derive(Debug, PartialEq)]
struct Ballot {
    teachers: NonZeroU32,
    /// In each epoch.
    questions: u32,
    /// Standard deviation of the noise in the share of teachers that say yes.
    sigma: f64,
}

impl Ballot {
    fn new(options: &PatectganOptions, rows: f64, rho: Rho, rows_per_id: u32) -> Ballot {
        let [least, most] = TEACHERS;
        let teachers = (rows / f64::from(options.sample_per_teacher)).clamp(least, most);
        // As many as make the noise of a vote, K sqrt(questions / (2 rho)), so large.
        let sigma = teachers / (CLARITY * f64::from(rows_per_id));
        let all = 2.0 * rho.get() * sigma * sigma;
        let each = all / f64::from(options.network.epochs);
        let each = each.clamp(LEAST, f64::from(options.network.batch_size));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "clamped, and what is not a number becomes 0"
        )]
        let whole = |number: f64| number as u32;
        let (teachers, questions) = (whole(teachers), whole(each));
        let all = f64::from(options.network.epochs) * f64::from(questions);
        let sigma = f64::from(rows_per_id) * (all / (2.0 * rho.get())).sqrt();
        Ballot {
            teachers: NonZeroU32::new(teachers).unwrap_or(NonZeroU32::MIN),
            questions,
            sigma: sigma / f64::from(teachers.max(1)),
        }
    }

    /// Whether shares of votes differ by more than their noise does, by three of the deviations
    /// that the variance of so many normal numbers has.
    fn tells(&self, shares: &[f64]) -> bool {
        let (count, free) = (shares.len() as f64, shares.len() as f64 - 1.0);
        let mean = shares.iter().sum::<f64>() / count;
        let squares = shares.iter().map(|share| (share - mean).powi(2));
        squares.sum::<f64>() / free > self.sigma.powi(2) * (1.0 + 3.0 * (2.0 / free).sqrt())
    }
}

/// The generator. Spends the rho on votes, and looks at the table in no other way.
pub(super) fn train(
    run: &mut Run<'_>,
    options: &PatectganOptions,
    mut training: Training,
    rho: Rho,
) -> Result<Generator, FitError> {
    let network = &options.network;
    let rows_per_id = run.ledger.rows_per_id().get();
    let ballot = Ballot::new(options, training.rows, rho, rows_per_id);
    let division = Division::draw(ballot.teachers, run.rng);
    let epochs = network.epochs;
    let mut paid =
        run.ledger
            .open_votes("votes of the teachers", epochs * ballot.questions, rho)?;
    let mut student = training.critic().indifferent();
    let mut of_student = training.of_critic(&student);
    for epoch in 0..epochs {
        run.at("training", epoch as usize, epochs as usize)?;
        let questions = uncertain(&student, &mut training, ballot.questions as usize);
        let sample = options.sample_per_teacher as usize;
        let generated = training.generated((network.batch_size as usize).max(sample));
        let novice = training.critic().indifferent();
        let teachers = Teachers {
            novice: &novice,
            adam: &training.of_critic(&novice),
            loss: network.loss,
            iterations: options.teacher_iters,
            generated: &generated,
            sample,
            questions: &questions,
        };
        let votes = run.votes(&training.recoding, &division, &teachers)?;
        let noisy = paid.release(&votes, run.rng);
        // From here on rows are generated ones and votes are noisy.
        let labels: Vec<f64> = noisy
            .iter()
            .map(|&yes| yes as f64 / f64::from(ballot.teachers.get()))
            .collect();
        // A network takes steps of one length whatever it learns from: it would follow noise as far
        // as anything else.
        if !ballot.tells(&labels) {
            continue;
        }
        let columns: Vec<&[u32]> = questions.iter().map(Vec::as_slice).collect();
        for _ in 0..options.student_iters {
            let gradient = student.gradient_of_labels(network.loss, &columns, &labels);
            of_student.step(
                student.parameters_mut(),
                gradient.into_iter().map(f64::from),
            );
            keep_within(&mut student, network.loss);
        }
        (0..GENERATOR_STEPS).for_each(|_| training.step(&student));
    }
    Ok(training.finish())
}

/// Of the generator's rows those of which the student knows least whether they are real: by its own
/// scores, which are public.
fn uncertain(student: &Critic, training: &mut Training, count: usize) -> Vec<Vec<u32>> {
    let candidates = training.generated(CANDIDATES * count);
    let mut scratch = student.scratch();
    let mut scored: Vec<(f64, usize)> = (0..CANDIDATES * count)
        .map(|row| {
            let codes = candidates.iter().map(|codes| codes[row]);
            (student.score(codes, &mut scratch).abs(), row)
        })
        .collect();
    scored.sort_by(|a, b| a.0.total_cmp(&b.0));
    let of_column = |codes: &Vec<u32>| scored[..count].iter().map(|&(_, row)| codes[row]).collect();
    candidates.iter().map(of_column).collect()
}

#[cfg(test)]
mod tests {
    use neural::normal;
    use privacy::{Accounting, Delta, Epsilon, Ledger, LedgerOptions};
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn ballot(epsilon: f64, rows: f64, rows_per_id: u32) -> Ballot {
        let (epsilon, delta) = (Epsilon::new(epsilon).unwrap(), Delta::new(1e-9).unwrap());
        let ledger = Ledger::open(LedgerOptions::new(epsilon, delta, Accounting::Gdp)).unwrap();
        Ballot::new(
            &PatectganOptions::default(),
            rows,
            ledger.total(),
            rows_per_id,
        )
    }

    #[test]
    fn teachers_follow_from_the_noisy_rows_and_questions_from_the_budget() {
        let of = |epsilon, rows| {
            let ballot = ballot(epsilon, rows, 1);
            (ballot.teachers.get(), ballot.questions)
        };
        // rho is 0.016557 at epsilon 1: 2 rho (976 / 2)^2 / 30 questions.
        assert_eq!(of(1.0, 39_074.0), (976, 263));
        assert_eq!(of(1.0, 1e9), (1000, 275));
        assert_eq!(of(30.0, 39_074.0), (976, 1000));
        for rows in [-5.0, 0.0, 1.0, 800.0] {
            assert_eq!(of(0.1, rows), (20, 8));
        }
        // With three rows an id noise is three times as large, or questions are fewer.
        let [one, three] = [1, 3].map(|rows_per_id| ballot(1.0, 39_074.0, rows_per_id));
        assert_eq!(three.questions, one.questions / 9);
        assert!((three.sigma / one.sigma - 1.0).abs() < 0.02);
    }

    #[test]
    fn votes_tell_something_where_they_differ_by_more_than_noise() {
        let ballot = ballot(1.0, 39_074.0, 1);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut told = |signal: f64| {
            let draws = (0..200).filter(|_| {
                let shares: Vec<f64> = (0..ballot.questions)
                    .map(|i| {
                        let sign = if i % 2 == 0 { signal } else { -signal };
                        0.6 + sign + ballot.sigma * f64::from(normal(&mut rng))
                    })
                    .collect();
                ballot.tells(&shares)
            });
            draws.count()
        };
        assert!(told(0.0) < 5 && told(0.5) > 195);
    }
}
