//! What no row can look like, carried into a model: tables of zeros and minus infinities that are
//! among its factors.
//!
//! An estimation that starts from such a model keeps what it holds impossible, as long as its
//! junction tree holds the constraints' cliques
//! ([`EstimationOptions::structure`](marginals::EstimationOptions)). Columns in constraints keep
//! all their codes in the model.

use std::collections::BTreeMap;

use marginals::{Clique, Domain, Error, Factor, JunctionTree, MAX_TREE_CELLS, MarkovRandomField};
use schema::{Constraint, Schema};

/// Why no model can hold the constraints of a table's columns. Nothing was spent.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConstraintError {
    /// They hang together in tables that are too large.
    #[error(
        "no model could hold the constraints: {0}; declare fewer of them, or columns of fewer \
         values"
    )]
    Model(marginals::Error),
    /// They are about too many combinations of values.
    #[error(
        "the constraints are about {cells} combinations of their columns' values together, and at \
         most {limit} fit into memory: declare fewer constraints, or columns of fewer categories \
         or bins"
    )]
    Tables {
        /// Combinations of values of the columns of each constraint, added up.
        cells: u128,
        /// The most there may be.
        limit: u128,
    },
}

/// The constraints of a schema as they bear on a model.
pub(crate) struct Constraints {
    sets: Vec<Set>,
    /// Each constraint is in one of them.
    tables: Vec<Table>,
    /// For each column, whether it is in any.
    constrained: Vec<bool>,
}

/// Columns that some constraints are about, and no others.
struct Set {
    clique: Clique,
    /// Whether measuring these columns together would tell more than measuring each: not so if one
    /// follows from another.
    is_open: bool,
}

/// A set that is not part of another, with what all constraints within it allow.
struct Table {
    clique: Clique,
    /// For each combination of codes, row-major. (A byte each: the logarithms of a model's factor
    /// take eight.)
    allowed: Vec<bool>,
}

/// The most cells of all tables together: with the factors made of them some 150 MiB.
const MAX_TABLE_CELLS: u128 = 1 << 24;

impl Constraints {
    pub(crate) fn new(schema: &Schema) -> Constraints {
        let mut by_clique: BTreeMap<Clique, Vec<&Constraint>> = BTreeMap::new();
        for constraint in schema.constraints() {
            by_clique
                .entry(clique_of(constraint))
                .or_default()
                .push(constraint);
        }
        let set = |(clique, constraints): (&Clique, &Vec<&Constraint>)| Set {
            clique: clique.clone(),
            is_open: !constraints
                .iter()
                .any(|constraint| constraint.is_functional()),
        };
        let sets: Vec<Set> = by_clique.iter().map(set).collect();
        let sizes = schema.sizes();
        let table = |clique: Clique| {
            let within: Vec<&Constraint> = schema
                .constraints()
                .iter()
                .filter(|constraint| clique_of(constraint).is_subset(&clique))
                .collect();
            Table {
                allowed: allowed(&clique, &sizes, &within),
                clique,
            }
        };
        let mut constrained = vec![false; sizes.len()];
        by_clique
            .keys()
            .flat_map(Clique::iter)
            .for_each(|column| constrained[column] = true);
        Constraints {
            tables: maximal(by_clique.keys()).into_iter().map(table).collect(),
            sets,
            constrained,
        }
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The sets of columns that the junction tree of a model must hold.
    pub(crate) fn cliques(&self) -> Vec<Clique> {
        self.tables
            .iter()
            .map(|table| table.clique.clone())
            .collect()
    }

    /// Whether this column is in any.
    pub(crate) fn touch(&self, column: usize) -> bool {
        self.constrained[column]
    }

    /// Whether the pair lies within one constraint that leaves open how its columns are related.
    pub(crate) fn leave_open(&self, pair: &Clique) -> bool {
        let mut holding = self.holding(pair).peekable();
        holding.peek().is_some() && holding.all(|set| set.is_open)
    }

    /// Whether the pair lies within a constraint.
    pub(crate) fn hold(&self, pair: &Clique) -> bool {
        self.holding(pair).next().is_some()
    }

    fn holding<'a>(&'a self, pair: &'a Clique) -> impl Iterator<Item = &'a Set> {
        let sets: &[Set] = match pair.iter().all(|column| self.touch(column)) {
            true => &self.sets,
            false => &[],
        };
        sets.iter().filter(|set| pair.is_subset(&set.clique))
    }

    /// The model that differs from this one in nothing but that it holds the constraints; from the
    /// uniform one, without any. Where a constraint leaves nothing of this one, nothing can be made
    /// of it.
    pub(crate) fn imposed_on(
        &self,
        domain: &Domain,
        model: Option<&MarkovRandomField>,
        total: f64,
    ) -> Result<MarkovRandomField, Error> {
        let mut factors = model.map_or_else(Vec::new, |model| model.potentials().to_vec());
        for table in &self.tables {
            factors.push(Factor::new(domain, table.clique.clone(), table.logs())?);
        }
        MarkovRandomField::new(domain.clone(), factors, total)
    }

    /// That the tables fit into memory, and that a model which holds the constraints takes no more
    /// than half of what a model may.
    pub(crate) fn check(schema: &Schema) -> Result<(), ConstraintError> {
        if schema.constraints().is_empty() {
            return Ok(());
        }
        let cliques: Vec<Clique> = schema.constraints().iter().map(clique_of).collect();
        let domain = Domain::new(schema.sizes()).map_err(ConstraintError::Model)?;
        let cells = maximal(&cliques).iter().fold(0_u128, |sum, clique| {
            sum.saturating_add(domain.cells(clique))
        });
        if cells > MAX_TABLE_CELLS {
            return Err(ConstraintError::Tables {
                cells,
                limit: MAX_TABLE_CELLS,
            });
        }
        let cells = JunctionTree::new(&domain, &cliques).cells(&domain);
        // The other half is for what will be measured.
        let limit = MAX_TREE_CELLS / 2;
        if cells > limit {
            return Err(ConstraintError::Model(Error::TooLarge { cells, limit }));
        }
        Ok(())
    }
}

impl Table {
    /// Minus infinity for each combination that is not allowed, else 0.
    fn logs(&self) -> Vec<f64> {
        let log = |&allowed: &bool| if allowed { 0.0 } else { f64::NEG_INFINITY };
        self.allowed.iter().map(log).collect()
    }
}

fn clique_of(constraint: &Constraint) -> Clique {
    Clique::new(constraint.columns().iter().copied())
}

/// Those that are not part of another, each once.
fn maximal<'a>(cliques: impl IntoIterator<Item = &'a Clique>) -> Vec<Clique> {
    let mut cliques: Vec<&Clique> = cliques.into_iter().collect();
    // Longest first: a set can be part only of one that is no shorter.
    cliques.sort_by_key(|clique| std::cmp::Reverse(clique.len()));
    let mut maximal: Vec<Clique> = Vec::new();
    for clique in cliques {
        if !maximal.iter().any(|known| clique.is_subset(known)) {
            maximal.push(clique.clone());
        }
    }
    maximal
}

/// Whether all constraints allow each combination of the clique's codes.
fn allowed(clique: &Clique, sizes: &[usize], constraints: &[&Constraint]) -> Vec<bool> {
    let place = |column: &usize| {
        let place = clique.iter().position(|a| a == *column);
        place.expect("the constraint is within the clique")
    };
    let places: Vec<Vec<usize>> = constraints
        .iter()
        .map(|constraint| constraint.columns().iter().map(place).collect())
        .collect();
    let sizes: Vec<usize> = clique.iter().map(|column| sizes[column]).collect();
    let mut codes = vec![0_u32; sizes.len()];
    let mut of_constraint = Vec::with_capacity(sizes.len());
    let cells = sizes.iter().product();
    let mut allowed = Vec::with_capacity(cells);
    for _ in 0..cells {
        allowed.push(constraints.iter().zip(&places).all(|(constraint, places)| {
            of_constraint.clear();
            of_constraint.extend(places.iter().map(|&place| codes[place]));
            constraint.allows(&of_constraint)
        }));
        for (code, &size) in codes.iter_mut().zip(&sizes).rev() {
            *code += 1;
            if (*code as usize) < size {
                break;
            }
            *code = 0;
        }
    }
    allowed
}
