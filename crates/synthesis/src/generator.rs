//! What draws a model's rows. A room, a report and the command line see a [`Model`](crate::Model)
//! and never ask which kind of generator it has.

use std::fmt::Debug;
use std::io;
use std::sync::Arc;

use marginals::Clique;
use rand_chacha::ChaCha8Rng;
use schema::Condition;

use crate::Model;
use crate::random_field::RandomField;

/// The part of a model that each kind of model has in a way of its own: a distribution of rows,
/// made from what a ledger paid for and from nothing else of the data.
pub(crate) trait Generator: Debug + Send + Sync {
    /// The expected number of rows: the noisy number of those of the table, or under a condition of
    /// those that satisfy it. Positive.
    fn total(&self) -> f64;

    /// The expected counts of what was measured, in the order of the measurement's cells: all codes
    /// of one column, or of several columns the codes that they were measured at.
    ///
    /// # Panics
    /// May panic if that was not measured.
    fn expected(&self, measured: &Clique) -> Vec<f64>;

    /// The column that an attribute of a measurement is about. Attributes after the columns are
    /// columns at a coarser resolution.
    fn column_of(&self, attribute: usize) -> usize;

    /// For each code of an attribute's column, the code that measurements of several columns have
    /// for it. `None` where there are no such measurements.
    fn groups(&self, _attribute: usize) -> Option<Vec<u32>> {
        None
    }

    /// The columns that are drawn without regard to the others, but for what constraints say; none
    /// of a kind of model that can relate all.
    fn unrelated(&self) -> Vec<usize> {
        Vec::new()
    }

    /// Whether a code of this column can be left out of the rows at no cost in time, and without
    /// changing how other columns are drawn.
    fn can_leave_out(&self, _column: usize) -> bool {
        true
    }

    /// Starts drawing this many rows.
    fn draw(&self, rows: u64, rng: ChaCha8Rng) -> Drawing;

    /// The distribution of the rows that satisfy a condition on the model's schema. `None` if there
    /// are none.
    fn given(&self, condition: &Condition) -> Option<Arc<dyn Generator>>;

    /// The body of the model's file, in CBOR, which says of which kind it is.
    ///
    /// # Errors
    /// Those of the encoder.
    fn body(&self, model: &Model) -> io::Result<Vec<u8>>;

    /// Itself, for a fit that starts from an earlier model: only a random field can be started
    /// from.
    fn random_field(&self) -> Option<&RandomField> {
        None
    }
}

/// Rows that are being drawn.
pub(crate) struct Drawing {
    pub(crate) codes: Box<dyn CodeStream>,
    /// For values within the codes' bins. It comes from the generator, so that how much one draws
    /// does not change what the other gives.
    pub(crate) values: ChaCha8Rng,
}

/// Rows as codes of the schema's columns.
pub(crate) trait CodeStream: Debug + Send {
    /// Rows that are still to come.
    fn left(&self) -> u64;

    /// The codes of each column, of `rows` rows or of those that are left; `None` after the last.
    fn next_chunk(&mut self, rows: usize) -> Option<Vec<Vec<u32>>>;
}

#[cfg(test)]
mod tests {
    use privacy::{Accounting, Delta, Epsilon, Ledger, LedgerOptions, People};
    use rand_core::Rng;
    use schema::{Declaration, Schema};
    use tabular::Format;

    use super::*;
    use crate::fitted::Fitted;
    use crate::{Method, PublicPrior, PublicPriorError};

    /// Another kind of model: every code of a column is as likely as any other that is allowed.
    #[derive(Debug)]
    struct Uniform {
        allowed: Vec<Vec<u32>>,
        total: f64,
    }

    impl Generator for Uniform {
        fn total(&self) -> f64 {
            self.total
        }

        fn expected(&self, measured: &Clique) -> Vec<f64> {
            let [column] = measured.attributes() else {
                panic!("columns alone are measured");
            };
            let codes = self.allowed[*column].len();
            vec![self.total / codes as f64; codes]
        }

        fn column_of(&self, attribute: usize) -> usize {
            attribute
        }

        fn draw(&self, rows: u64, rng: ChaCha8Rng) -> Drawing {
            Drawing {
                values: rng.clone(),
                codes: Box::new(UniformRows {
                    allowed: self.allowed.clone(),
                    left: rows,
                    rng,
                }),
            }
        }

        fn given(&self, condition: &Condition) -> Option<Arc<dyn Generator>> {
            let mut allowed = self.allowed.clone();
            let mut total = self.total;
            for column in condition.columns() {
                let weights = condition.weights(column).unwrap();
                let codes = &mut allowed[column];
                let before = codes.len() as f64;
                codes.retain(|&code| weights[code as usize] > 0.0);
                total *= codes.len() as f64 / before;
            }
            (total > 0.0).then(|| Arc::new(Uniform { allowed, total }) as Arc<dyn Generator>)
        }

        fn body(&self, _: &Model) -> io::Result<Vec<u8>> {
            Err(io::Error::other("its file has no kind yet"))
        }
    }

    #[derive(Debug)]
    struct UniformRows {
        allowed: Vec<Vec<u32>>,
        left: u64,
        rng: ChaCha8Rng,
    }

    impl CodeStream for UniformRows {
        fn left(&self) -> u64 {
            self.left
        }

        fn next_chunk(&mut self, rows: usize) -> Option<Vec<Vec<u32>>> {
            let rows = rows.min(self.left.try_into().unwrap());
            self.left -= rows as u64;
            let column = |codes: &Vec<u32>| {
                let code = |_| codes[self.rng.next_u32() as usize % codes.len()];
                (0..rows).map(code).collect()
            };
            (rows > 0).then(|| self.allowed.iter().map(column).collect())
        }
    }

    fn uniform() -> Model {
        let yaml = "a: {categories: [x, y, z, w]}\nb: {integer: {min: 0, max: 1}}\n";
        let schema = Schema::new(Declaration::from_yaml(yaml).unwrap()).unwrap();
        let options = LedgerOptions::new(
            Epsilon::new(1.0).unwrap(),
            Delta::new(1e-6).unwrap(),
            Accounting::Zcdp,
        );
        let mut ledger = Ledger::open(options).unwrap();
        let whole = ledger.remaining();
        let counts = privacy::Counts::from_exact(vec![50, 50]);
        let noise = &mut testkit::noise(1);
        ledger.measure("a", &counts, whole, noise).unwrap();
        let allowed = schema.sizes().into_iter();
        let fitted = Fitted {
            generator: Arc::new(Uniform {
                allowed: allowed.map(|size| (0..).take(size).collect()).collect(),
                total: 100.0,
            }),
            measured: Vec::new(),
            errors: None,
        };
        Model::new(schema, Method::Independent, fitted, ledger.record())
    }

    #[test]
    fn a_model_of_another_kind_draws_rows_and_reports_without_being_asked_for_its_kind() {
        let model = uniform();
        assert_eq!(model.default_rows(), 100);
        assert_eq!(model.report().rows, 100);
        let condition = Condition::parse("a in [x, y]", model.schema()).unwrap();
        let given = model.given(&condition).unwrap();
        assert_eq!((given.probability(), given.noisy_rows()), (0.5, 50));
        let mut text = Vec::new();
        let mut rows = given.sample(20_000, Some(1));
        assert_eq!(rows.left(), 20_000);
        rows.write(Format::Csv, &mut text, &mut |_| ()).unwrap();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines[0], lines.len()), ("a,b", 20_001));
        let begins = |value: &str| lines[1..].iter().filter(|l| l.starts_with(value)).count();
        assert!((9000..11_000).contains(&begins("x")), "{}", begins("x"));
        assert_eq!(begins("x") + begins("y"), 20_000);
    }

    #[test]
    fn no_fit_starts_from_a_model_of_another_kind() {
        let prior = PublicPrior::from_model(
            &uniform(),
            privacy::FileDigest::from_bytes([0; 48]),
            People::Other,
        );
        assert_eq!(prior.unwrap_err(), PublicPriorError::NoRandomField);
    }
}
