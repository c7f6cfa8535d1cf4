use neural::{Adam, Critic, Gradients, Loss};
use tabular::PartVote;
use zeroize::{Zeroize, Zeroizing};

use crate::network::keep_within;

/// The norm that gradients of a teacher's rows are clipped to: so much that few are, as they are
/// not noised.
const CLIP: f64 = 16.0;
/// In units of which they are whole.
const NORM: i64 = 1 << 24;

/// Teachers who tell the rows of their parts from generated ones, and then say of other generated
/// rows whether they could pass for rows of their part.
///
/// All of them start from the same weights, and each has rows of the generator of its own: public
/// facts. A teacher is made when its part is asked, and overwritten once it has answered.
pub(super) struct Teachers<'a> {
    pub(super) novice: &'a Critic,
    /// What moves a critic that has not moved yet.
    pub(super) adam: &'a Adam,
    pub(super) loss: Loss,
    pub(super) iterations: u32,
    /// Generated rows, of which each teacher takes some.
    pub(super) generated: &'a [Vec<u32>],
    /// How many it takes.
    pub(super) sample: usize,
    /// Generated rows about which they vote.
    pub(super) questions: &'a [Vec<u32>],
}

impl PartVote for Teachers<'_> {
    fn questions(&self) -> usize {
        self.questions.first().map_or(0, Vec::len)
    }

    fn vote(&self, part: u32, columns: &[&[u32]], answers: &mut [bool]) {
        let sample = self.sample_of(part);
        let generated: Vec<&[u32]> = sample.iter().map(Vec::as_slice).collect();
        let mut teacher = Teacher {
            critic: self.novice.clone(),
            adam: self.adam.clone(),
        };
        for _ in 0..self.iterations {
            teacher.learn(self.loss, columns, &generated);
        }
        teacher.answer(&generated, self.questions, answers);
    }
}

impl Teachers<'_> {
    fn sample_of(&self, part: u32) -> Vec<Vec<u32>> {
        let rows = self.generated.first().map_or(1, Vec::len);
        let from = part as usize * self.sample;
        let place = |i: usize| (from + i) % rows;
        let of_column = |codes: &Vec<u32>| (0..self.sample).map(|i| codes[place(i)]).collect();
        self.generated.iter().map(of_column).collect()
    }
}

/// A network that has seen the rows of one part as they are.
struct Teacher {
    critic: Critic,
    adam: Adam,
}

impl Teacher {
    /// Takes one step with all of its rows and its sample.
    ///
    /// Gradients of rows are summed in whole numbers, so that a teacher knows nothing of the order
    /// of its rows: that order may follow from rows of other parts.
    fn learn(&mut self, loss: Loss, real: &[&[u32]], generated: &[&[u32]]) {
        let critic = &self.critic;
        let mean = |gradients: Gradients<'_>, rows: &[&[u32]]| {
            let mut sums = Zeroizing::new(vec![0_i64; gradients.coordinates()]);
            gradients.add(rows, &mut sums);
            let count = rows.first().map_or(0, |codes| codes.len()).max(1);
            (sums, CLIP / (NORM as f64 * count as f64))
        };
        let (of_real, unit) = mean(Gradients::of_real(critic, loss, CLIP, NORM), real);
        let (of_generated, unit_of_generated) =
            mean(Gradients::of_generated(critic, loss, CLIP, NORM), generated);
        let gradient = of_real
            .iter()
            .zip(of_generated.iter())
            .map(|(&real, &generated)| real as f64 * unit + generated as f64 * unit_of_generated);
        self.adam.step(self.critic.parameters_mut(), gradient);
        keep_within(&mut self.critic, loss);
    }

    /// Says yes to rows that it scores higher than its sample on average: a teacher of a few rows
    /// tells any row from them, and would say no to all.
    fn answer(&self, generated: &[&[u32]], questions: &[Vec<u32>], answers: &mut [bool]) {
        let mut scratch = self.critic.scratch();
        let rows = generated.first().map_or(0, |codes| codes.len());
        let sum: f64 = (0..rows)
            .map(|row| {
                let codes = generated.iter().map(|codes| codes[row]);
                self.critic.score(codes, &mut scratch)
            })
            .sum();
        let mean = sum / rows.max(1) as f64;
        for (row, answer) in answers.iter_mut().enumerate() {
            let codes = questions.iter().map(|codes| codes[row]);
            *answer = self.critic.score(codes, &mut scratch) > mean;
        }
    }
}

impl Drop for Teacher {
    fn drop(&mut self) {
        self.critic.parameters_mut().zeroize();
        self.adam.wipe();
    }
}
