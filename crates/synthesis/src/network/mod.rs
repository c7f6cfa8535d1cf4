//! A model whose rows a network makes: a generator evaluated at fixed points, each of which gives
//! the probabilities of every column's codes. Given its point, a row's columns are independent, so
//! that the model is a mixture of products: what it expects, and what it expects under a condition,
//! are sums and not estimates.
//!
//! Columns are in groups of codes; within a group codes follow the noisy counts of the column
//! alone. Constraints are held by drawing again, and in the end by a row of the columns' own model,
//! which holds them.

mod components;
mod file;
mod groups;
mod method;
mod options;
mod rows;
mod training;

use std::io;
use std::sync::{Arc, OnceLock};

use marginals::Clique;
use neural::Generator as Net;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;
use schema::{Condition, Schema};

use crate::Model;
use crate::errors::{Compared, expand, relation};
use crate::generator::{CodeStream, Drawing, Generator};
use crate::random_field::RandomField;

use components::Components;
pub(crate) use file::{NetworkBody, NetworkRef};
use groups::Groups;
pub(crate) use method::NetworkMethod;
pub use options::Widths;
pub(crate) use options::{NetworkOptions, Parameter};
use rows::NetworkRows;
pub(crate) use training::{Training, keep_within};

/// What a network adds to the model of the columns.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    /// Of the codes of each column.
    pub(crate) groups: Vec<Groups>,
    pub(crate) net: Net,
}

/// The model.
#[derive(Debug, Clone)]
pub(crate) struct NetworkField {
    schema: Arc<Schema>,
    /// The columns' own model: its total, and what holds the constraints.
    base: RandomField,
    network: Arc<Network>,
    components: Arc<Components>,
    /// How likely each code is within its group.
    groups: Arc<[Groups]>,
    total: f64,
    /// Rows of the model, where constraints leave no sum for what it expects.
    drawn: Arc<OnceLock<Vec<Vec<u32>>>>,
}

/// Rows drawn to know what is expected under constraints.
const DRAWN: usize = 1 << 16;
/// Their seed: any other is as good, but a report must not change from one call to the next.
const SEED: u64 = 0x6e65_7477_6f72_6b73;

impl NetworkField {
    pub(crate) fn new(schema: &Arc<Schema>, base: RandomField, network: Network) -> NetworkField {
        NetworkField {
            schema: Arc::clone(schema),
            total: base.total(),
            components: {
                let shares = components::shares(&base, &network.groups);
                Components::of(&network.net, &network.groups, &shares).into()
            },
            groups: network.groups.as_slice().into(),
            base,
            network: network.into(),
            drawn: Arc::default(),
        }
    }

    /// The expected counts of any set of columns, in all their codes.
    pub(crate) fn table(&self, columns: &Clique) -> Vec<f64> {
        if self.schema.constraints().is_empty() {
            return self.components.table(columns, &self.groups, self.total);
        }
        let sizes = self.schema.sizes();
        let drawn = self.drawn();
        let cells = columns.iter().map(|column| sizes[column]).product();
        let mut table = vec![0.0; cells];
        let mut cell_of_row = vec![0; DRAWN];
        for column in columns.iter() {
            for (cell, &code) in cell_of_row.iter_mut().zip(&drawn[column]) {
                *cell = *cell * sizes[column] + code as usize;
            }
        }
        for cell in cell_of_row {
            table[cell] += self.total / DRAWN as f64;
        }
        table
    }

    /// The expected counts of a set of columns, and beside them those of the columns' own model.
    fn compared(&self, columns: &Clique) -> Result<Compared, marginals::Error> {
        let table = self.table(columns);
        let all = self.schema.sizes();
        let sizes: Vec<usize> = columns.iter().map(|column| all[column]).collect();
        let independent = match columns.len() {
            1 => None,
            _ => {
                let table = self.base.field.marginal(columns)?;
                Some(expand(table, columns, &self.base.compressions))
            }
        };
        Ok(Compared {
            relation: relation(&table, &sizes, self.total),
            table,
            independent,
        })
    }

    fn drawn(&self) -> &[Vec<u32>] {
        self.drawn.get_or_init(|| {
            let mut rows = self.rows(DRAWN as u64, ChaCha8Rng::seed_from_u64(SEED));
            rows.next_chunk(DRAWN).expect("there are rows to draw")
        })
    }

    fn rows(&self, rows: u64, rng: ChaCha8Rng) -> NetworkRows {
        NetworkRows::new(self.clone(), rows, rng)
    }

    /// The share of drawn rows that the constraints allow.
    fn allowed(&self) -> f64 {
        if self.schema.constraints().is_empty() {
            return 1.0;
        }
        let mut rows = self.rows(DRAWN as u64 / 8, ChaCha8Rng::seed_from_u64(SEED));
        rows.share_allowed()
    }
}

impl Generator for NetworkField {
    fn total(&self) -> f64 {
        self.total
    }

    fn expected(&self, measured: &Clique) -> Vec<f64> {
        self.table(measured)
    }

    fn column_of(&self, attribute: usize) -> usize {
        attribute
    }

    fn draw(&self, rows: u64, mut rng: ChaCha8Rng) -> Drawing {
        let values = ChaCha8Rng::from_rng(&mut rng);
        Drawing {
            codes: Box::new(self.rows(rows, rng)),
            values,
        }
    }

    fn given(&self, condition: &Condition) -> Option<Arc<dyn Generator>> {
        let mut groups = self.groups.to_vec();
        let mut likelihoods = vec![None; groups.len()];
        for column in condition.columns() {
            let weights = condition.weights(column).expect("it is about this column");
            let (of_groups, given) = groups[column].given(weights);
            groups[column] = given;
            likelihoods[column] = Some(of_groups);
        }
        let (components, probability) = self.components.given(&likelihoods)?;
        let base = self.base.given(condition);
        let given = NetworkField {
            // Where the columns' own model has no such row, its rows are never asked for: without
            // constraints none is, and with them the model has none either.
            base: base
                .as_ref()
                .and_then(|base| base.random_field())
                .cloned()
                .or_else(|| {
                    self.schema
                        .constraints()
                        .is_empty()
                        .then(|| self.base.clone())
                })?,
            components: components.into(),
            groups: groups.into(),
            total: self.total * probability,
            drawn: Arc::default(),
            ..self.clone()
        };
        // Of the rows that satisfy the condition another share is allowed than of all.
        let allowed = self.allowed();
        let ratio = if allowed > 0.0 {
            given.allowed() / allowed
        } else {
            1.0
        };
        // Never 0: a row of the columns' own model remains.
        let share = (probability * ratio).clamp(f64::MIN_POSITIVE, 1.0);
        Some(Arc::new(NetworkField {
            total: (self.total * share).max(f64::MIN_POSITIVE),
            ..given
        }))
    }

    fn body(&self, model: &Model) -> io::Result<Vec<u8>> {
        let body = NetworkRef::new(model, &self.base, &self.network);
        let mut bytes = Vec::new();
        ciborium::into_writer(&body, &mut bytes).map_err(io::Error::other)?;
        Ok(bytes)
    }
}
