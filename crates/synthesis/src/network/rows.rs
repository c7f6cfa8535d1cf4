use std::fmt;

use neural::uniform;
use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use schema::Constraint;

use super::NetworkField;
use super::groups::{Groups, Members};
use crate::generator::{CodeStream, Generator};

/// How often a row that the constraints forbid is drawn again.
const TRIES: usize = 100;

/// Rows of a network's model.
pub(crate) struct NetworkRows {
    field: NetworkField,
    members: Vec<Members>,
    left: u64,
    rng: ChaCha8Rng,
    /// Where in the components' weights the next row lies: neighbouring rows are far apart, and
    /// many together take each component by its weight.
    place: f64,
    /// Rows of the columns' own model, from the first that is needed.
    base: Option<Box<dyn CodeStream>>,
}

impl NetworkRows {
    pub(crate) fn new(field: NetworkField, left: u64, mut rng: ChaCha8Rng) -> NetworkRows {
        NetworkRows {
            place: f64::from(uniform(&mut rng)),
            members: field.groups.iter().map(Groups::members).collect(),
            field,
            left,
            rng,
            base: None,
        }
    }

    fn draw(&mut self, row: &mut [u32]) {
        /// The golden ratio's fraction: multiples of it fill the unit interval evenly.
        const STEP: f64 = 0.618_033_988_749_894_9;
        self.place = (self.place + STEP).fract();
        let component = self.field.components.at(self.place);
        for (column, code) in row.iter_mut().enumerate() {
            let probabilities = self.field.components.probabilities(component, column);
            let mut left = uniform(&mut self.rng);
            let mut group = 0;
            // The last group with a probability, should rounding leave something.
            for (number, &probability) in (0_u32..).zip(probabilities) {
                if probability > 0.0 {
                    group = number;
                    left -= probability;
                    if left < 0.0 {
                        break;
                    }
                }
            }
            let within = uniform53(&mut self.rng);
            *code = self.members[column].code(group, within);
        }
    }

    fn is_allowed(&self, row: &[u32]) -> bool {
        let mut codes = Vec::new();
        self.field
            .schema
            .constraints()
            .iter()
            .all(|constraint: &Constraint| {
                codes.clear();
                codes.extend(constraint.columns().iter().map(|&column| row[column]));
                constraint.allows(&codes)
            })
    }

    /// Of the rows that are left, drawn once each.
    pub(crate) fn share_allowed(&mut self) -> f64 {
        let mut row = vec![0; self.field.groups.len()];
        let rows = self.left;
        let allowed = (0..rows).filter(|_| {
            self.draw(&mut row);
            self.is_allowed(&row)
        });
        allowed.count() as f64 / rows as f64
    }

    fn draw_allowed(&mut self, row: &mut [u32]) {
        for _ in 0..TRIES {
            self.draw(row);
            if self.is_allowed(row) {
                return;
            }
        }
        let (field, left, rng) = (&self.field, self.left, &mut self.rng);
        let base = self
            .base
            .get_or_insert_with(|| field.base.draw(left, ChaCha8Rng::from_rng(rng)).codes);
        let codes = base
            .next_chunk(1)
            .expect("no more are drawn than were left");
        row.iter_mut()
            .zip(codes)
            .for_each(|(code, codes)| *code = codes[0]);
    }
}

#[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
fn uniform53(rng: &mut impl Rng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

impl CodeStream for NetworkRows {
    fn left(&self) -> u64 {
        self.left
    }

    fn next_chunk(&mut self, rows: usize) -> Option<Vec<Vec<u32>>> {
        let rows = usize::try_from(self.left).map_or(rows, |left| rows.min(left));
        if rows == 0 {
            return None;
        }
        let mut columns = vec![Vec::with_capacity(rows); self.field.groups.len()];
        let mut row = vec![0; columns.len()];
        for _ in 0..rows {
            self.draw_allowed(&mut row);
            self.left -= 1;
            columns
                .iter_mut()
                .zip(&row)
                .for_each(|(codes, &code)| codes.push(code));
        }
        Some(columns)
    }
}

impl fmt::Debug for NetworkRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetworkRows({} left)", self.left)
    }
}
