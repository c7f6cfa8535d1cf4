use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use crate::accounting::{Accounting, CHECKED, STATED, Slack};
use crate::odds::odds;
use crate::parameters::{Delta, Epsilon, InvalidParameter};
use crate::record::{Entry, Mechanism};
use crate::rho::Rho;

/// Which two data sets count as neighbours.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Neighbours {
    /// One is the other with everything about one id added or removed. What epsilon and delta of
    /// the ledger speak of.
    AddRemove,
    /// One is the other with the values of one id changed.
    ReplaceOne,
}

/// What the entries of a ledger guarantee together, for one kind of neighbours.
///
/// It counts what was spent, and so takes for granted that how much to spend, and on which kinds of
/// mechanism, was planned beforehand. Where that was decided in view of earlier results, the
/// epsilon and delta of the ledger still hold for adding or removing one id.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Guarantee {
    neighbours: Neighbours,
    rho: f64,
    epsilon: f64,
    delta: f64,
    sentence: String,
}

impl Guarantee {
    fn new(
        neighbours: Neighbours,
        rows_per_id: StatedRows,
        rho: f64,
        epsilon: f64,
        delta: f64,
    ) -> Self {
        let sentence = sentence(neighbours, rows_per_id, epsilon, delta);
        Self {
            neighbours,
            rho,
            epsilon,
            delta,
            sentence,
        }
    }

    /// Of spends that are known by their epsilon and delta alone, and so without their rho.
    pub(crate) fn of_domain(
        neighbours: Neighbours,
        rows_per_id: StatedRows,
        epsilon: f64,
        delta: f64,
    ) -> Self {
        Self::new(neighbours, rows_per_id, 0.0, epsilon, delta)
    }

    /// Which neighbours it speaks of.
    pub fn neighbours(&self) -> Neighbours {
        self.neighbours
    }

    /// What the entries cost together for these neighbours. What was spent on the domain before the
    /// ledger was opened is not in it.
    pub fn rho(&self) -> f64 {
        self.rho
    }

    /// Epsilon in nats, rounded up; 0 if nothing was spent.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// Delta, rounded up.
    pub fn delta(&self) -> f64 {
        self.delta
    }

    /// The guarantee as a sentence for people.
    pub fn sentence(&self) -> &str {
        &self.sentence
    }

    /// What it means for one person, in odds ([`odds`](crate::odds())).
    pub fn in_odds(&self) -> String {
        odds(
            self.neighbours,
            rounded_up(self.epsilon),
            rounded_up(self.delta),
        )
    }

    /// This and another one for the same neighbours, of spends on the same data: epsilons and
    /// deltas add up.
    pub(crate) fn composed_with(&self, other: &Self, rows_per_id: StatedRows) -> Self {
        let sum = |a: f64, b: f64| match (a, b) {
            (0.0, only) | (only, 0.0) => only,
            // Floats are summed upwards: a sum that is rounded down would promise more than holds.
            (a, b) => (a + b).next_up(), // at least the exact sum
        };
        Self::new(
            self.neighbours,
            rows_per_id,
            self.rho + other.rho,
            sum(self.epsilon, other.epsilon),
            sum(self.delta, other.delta).min(1.0),
        )
    }

    /// Whether this, stated elsewhere, where the last digits of epsilon may differ, is what was
    /// computed here: not less, and hardly more.
    pub(crate) fn follows_from(&self, computed: &Self, rows_per_id: StatedRows) -> bool {
        // Room for another machine's libm, upwards only: a smaller epsilon than ours is not
        // believed.
        let largest = computed.epsilon + 1e-6 * computed.epsilon.max(1.0);
        self.neighbours == computed.neighbours
            && self.rho == computed.rho
            && self.delta == computed.delta
            && (computed.epsilon..=largest).contains(&self.epsilon)
            // The sentence too, since that is what people read.
            && self.sentence == sentence(self.neighbours, rows_per_id, self.epsilon, self.delta)
    }
}

/// For how many rows of an id a guarantee holds, as its sentence says; that of one fit alone need
/// not say so where it is one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct StatedRows(Option<NonZeroU32>);

impl StatedRows {
    /// Two guarantees together hold for as many rows as the lesser of them. That is said even of
    /// one row: nothing tells whether the other fit had a key, and without one each of its rows
    /// counted as an id.
    pub(crate) fn composed_with(self, other: Self) -> Self {
        let rows = |it: Self| it.0.unwrap_or(NonZeroU32::MIN);
        Self(Some(rows(self).min(rows(other))))
    }
}

impl From<NonZeroU32> for StatedRows {
    fn from(rows_per_id: NonZeroU32) -> Self {
        Self((rows_per_id > NonZeroU32::MIN).then_some(rows_per_id))
    }
}

/// What a ledger was opened with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    pub(crate) epsilon: Epsilon,
    pub(crate) delta: Delta,
    pub(crate) accounting: Accounting,
    pub(crate) rows_per_id: NonZeroU32,
    /// Kept for thresholding. It counts whole, spent or not: whether it is spent can depend on what
    /// earlier spends showed.
    pub(crate) threshold_delta: Option<Delta>,
}

impl Promise {
    /// With sensitivities up to this, sums of squares stay in range.
    const MAX_ROWS_PER_ID: u32 = 1 << 16;

    /// Refuses more rows per id than there is room for, and a threshold delta that leaves nothing
    /// to the conversion.
    pub(crate) fn checked(self) -> Result<Self, InvalidParameter> {
        if self.rows_per_id.get() > Self::MAX_ROWS_PER_ID {
            return Err(InvalidParameter::RowsPerId(self.rows_per_id));
        }
        let kept = self.threshold_delta.map_or(0.0, Delta::get);
        match self.left_of_delta() {
            Some(_) => Ok(self),
            None => Err(InvalidParameter::ThresholdShare(kept / self.delta.get())),
        }
    }

    /// The most that it allows to spend.
    pub(crate) fn total(self) -> Rho {
        self.accounting.total(self.epsilon, self.conversion())
    }

    /// The least epsilon, rounded up to two significant digits, with which it would allow
    /// `total` to be spent.
    pub(crate) fn least_epsilon(self, total: f64) -> Epsilon {
        let total = if total.is_finite() {
            total
        } else {
            Rho::MAX.get()
        };
        let total = total.clamp(0.0, Rho::MAX.get());
        let exact = self
            .accounting
            .epsilon_of(total, self.conversion().get(), STATED);
        let exact = exact.max(f64::MIN_POSITIVE);
        let above = rounded_up_to(1, exact);
        Epsilon::new(above).expect("positive and finite")
    }

    /// Whether it allows this total, which another machine may have computed, to be spent.
    pub(crate) fn allows(self, total: Rho) -> bool {
        let delta = self
            .accounting
            .delta_of(total.get(), self.epsilon.get(), CHECKED);
        delta <= self.conversion().get()
    }

    /// How much of delta is left for the conversion.
    fn conversion(self) -> Delta {
        self.left_of_delta()
            .expect("a checked promise leaves some delta to the conversion")
    }

    fn left_of_delta(self) -> Option<Delta> {
        match self.threshold_delta {
            None => Some(self.delta),
            Some(kept) => {
                // Kept rounded up and the whole rounded down: what is left never exceeds what is
                // there.
                Delta::from_units_down(self.delta.units_down().checked_sub(kept.units_up())?)
            }
        }
    }

    /// For adding or removing one id, and for changing one.
    pub(crate) fn guarantees(self, entries: &[Entry], slack: Slack) -> [Guarantee; 2] {
        let epsilon = |rho| {
            self.accounting
                .epsilon_of(rho, self.conversion().get(), slack)
        };
        let guarantee = |neighbours, rho, epsilon, delta| {
            Guarantee::new(neighbours, self.rows_per_id.into(), rho, epsilon, delta)
        };
        // All of the threshold's delta, spent or not: that nothing was spent may itself depend on
        // the data.
        let (rho, delta) = self.cost(entries, Neighbours::AddRemove);
        // Spends stay within what was promised: rounding must not say otherwise.
        let (kept_epsilon, kept_delta) = (
            epsilon(rho).min(self.epsilon.get()),
            delta.min(self.delta.get()),
        );
        let add_remove = guarantee(Neighbours::AddRemove, rho, kept_epsilon, kept_delta);
        let (rho, delta) = self.cost(entries, Neighbours::ReplaceOne);
        [
            add_remove,
            guarantee(Neighbours::ReplaceOne, rho, epsilon(rho), delta),
        ]
    }

    /// Epsilon and delta that hold for changing one id whatever is spent within the promise,
    /// rounded up to four significant digits.
    pub(crate) fn changing_at_most(self) -> (f64, f64) {
        // No mechanism costs more than four times as much: see `factor`.
        let rho = 4.0 * self.total().get();
        let (_, delta) = self.cost(&[], Neighbours::ReplaceOne);
        let epsilon = self
            .accounting
            .epsilon_of(rho, self.conversion().get(), STATED);
        (rounded_up(epsilon), rounded_up(delta))
    }

    /// What the entries cost together: rho, and delta including that of the conversion.
    fn cost(self, entries: &[Entry], neighbours: Neighbours) -> (f64, f64) {
        // In whole units, then one division: floats of many entries would add up to something else
        // in another order.
        let units: u128 = entries
            .iter()
            .map(|entry| u128::from(entry.rho().units()) * factor(neighbours, entry.mechanism()))
            .sum();
        // Changing one id takes its rows from some keys and adds them to others, and either can
        // pass the threshold.
        let keys = match neighbours {
            Neighbours::AddRemove => 1.0,
            Neighbours::ReplaceOne => 2.0,
        };
        let mut delta = self.conversion().get();
        if let Some(kept) = self.threshold_delta {
            delta = (delta + kept.get() * keys).next_up(); // at least the exact sum
        }
        #[expect(
            clippy::cast_precision_loss,
            reason = "the conversion allows for many roundings"
        )]
        let rho = units as f64 / (1_u64 << Rho::UNIT_BITS) as f64;
        (rho, delta.min(1.0))
    }
}

/// By how much a rho stated for adding or removing one id grows. Changing the values of one id
/// takes its rows, as many as the sensitivity is, from some cells or keys and adds as many to
/// others.
fn factor(neighbours: Neighbours, mechanism: &Mechanism) -> u128 {
    match (neighbours, mechanism) {
        (Neighbours::AddRemove, _) => 1,
        // The squared L2 distance is at most twice the sensitivity's square.
        (Neighbours::ReplaceOne, Mechanism::Gaussian { .. } | Mechanism::Threshold { .. }) => 2,
        // The L1 distance is twice the sensitivity, or each score, gradient or vote moves by as
        // much:
        // twice the mu or epsilon, whose square is the cost.
        (
            Neighbours::ReplaceOne,
            Mechanism::GaussianScores { .. }
            | Mechanism::GaussianGradients { .. }
            | Mechanism::GaussianVotes { .. }
            | Mechanism::DiscreteLaplace { .. }
            | Mechanism::Exponential { .. },
        ) => 4,
    }
}

fn sentence(neighbours: Neighbours, rows_per_id: StatedRows, epsilon: f64, delta: f64) -> String {
    let change = match neighbours {
        Neighbours::AddRemove => "Adding or removing everything about one id",
        Neighbours::ReplaceOne => "Changing everything about one id",
    };
    let rows = match rows_per_id.0.map(NonZeroU32::get) {
        None => String::new(),
        Some(1) => ", up to 1 row,".to_owned(),
        Some(rows) => format!(", up to {rows} rows,"),
    };
    let (epsilon, delta) = (rounded_up(epsilon), rounded_up(delta));
    format!(
        "{change}{rows} multiplies the probability of any outcome by at most e^{epsilon}, \
         give or take {delta:e} (epsilon {epsilon}, delta {delta:e})."
    )
}

/// To four significant digits, up, but for a trace of rounding in the thirteenth.
fn rounded_up(value: f64) -> f64 {
    rounded_up_to(3, value)
}

/// Rounds up to `digits` digits after the first.
fn rounded_up_to(digits: u8, value: f64) -> f64 {
    let scientific = |value: f64| format!("{value:.*e}", digits.into());
    let nearest = scientific(value);
    let (_, exponent) = nearest
        .split_once('e')
        .expect("scientific notation has an exponent");
    let exponent = exponent.parse::<i32>().expect("an exponent is an integer");
    let last_digit = 10.0_f64.powi(exponent - i32::from(digits));
    let parsed = |text: String| text.parse::<f64>().expect("a number that was just printed");
    let nearest = parsed(nearest);
    // What rounding left in the last places is not worth a digit more: 1.0000000000000002 is 1.
    if nearest >= value * (1.0 - 1e-12) {
        nearest
    } else {
        parsed(scientific(nearest + last_digit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_printed_rounded_up() {
        let cases = [
            (0.0, 0.0),
            (1.0, 1.0),
            (1.0001, 1.001),
            (1.0006, 1.001),
            (9.9991, 10.0),
            (0.999_999, 1.0),
            (1e-9, 1e-9),
            (1e-9 + 1e-24, 1e-9),
            (1.000_000_000_1e-9, 1.001e-9),
            (123_456.0, 123_500.0),
            (123_401.0, 123_500.0),
        ];
        for (value, expected) in cases {
            assert_eq!(rounded_up(value), expected, "{value}");
        }
    }
}
