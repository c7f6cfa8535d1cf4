//! What no row can look like, carried into a model: tables of zeros and minus infinities that are among its factors.
//!
//! An estimation that starts from such a model keeps what it holds impossible, as long as its junction tree holds the
//! constraints' cliques ([`EstimationOptions::structure`](marginals::EstimationOptions)). Columns in constraints keep all
//! their codes in the model.

use std::collections::BTreeMap;

use marginals::{Clique, Domain, Error, Factor, JunctionTree, MAX_TREE_CELLS, MarkovRandomField};
use tabular::{Constraint, Schema};

/// The constraints of a schema as they bear on a model.
pub(crate) struct Constraints {
    /// Each a set of columns with all constraints on just it.
    tables: Vec<Table>,
    /// For each column, whether it is in any.
    constrained: Vec<bool>,
}

struct Table {
    clique: Clique,
    /// Whether measuring these columns together would tell more than measuring each: not so if one follows from another.
    is_open: bool,
    /// 0 or minus infinity for each combination of codes, row-major.
    logs: Vec<f64>,
}

impl Constraints {
    pub(crate) fn of(schema: &Schema) -> Constraints {
        let mut by_clique: BTreeMap<Clique, Vec<&Constraint>> = BTreeMap::new();
        for constraint in schema.constraints() {
            let clique = Clique::new(constraint.columns().iter().copied());
            by_clique.entry(clique).or_default().push(constraint);
        }
        let sizes = schema.sizes();
        let table = |(clique, constraints): (Clique, Vec<&Constraint>)| {
            let sizes: Vec<usize> = clique.iter().map(|column| sizes[column]).collect();
            Table {
                is_open: !constraints
                    .iter()
                    .any(|constraint| constraint.is_functional()),
                logs: logs(&sizes, &constraints),
                clique,
            }
        };
        let mut constrained = vec![false; sizes.len()];
        by_clique
            .keys()
            .flat_map(Clique::iter)
            .for_each(|column| constrained[column] = true);
        Constraints {
            tables: by_clique.into_iter().map(table).collect(),
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
        holding.peek().is_some() && holding.all(|table| table.is_open)
    }

    /// Whether the pair lies within a constraint.
    pub(crate) fn hold(&self, pair: &Clique) -> bool {
        self.holding(pair).next().is_some()
    }

    fn holding<'a>(&'a self, pair: &'a Clique) -> impl Iterator<Item = &'a Table> {
        let tables: &[Table] = match pair.iter().all(|column| self.touch(column)) {
            true => &self.tables,
            false => &[],
        };
        tables.iter().filter(|table| pair.is_subset(&table.clique))
    }

    /// The model that differs from this one in nothing but that it holds the constraints; from the uniform
    /// one, without any. Where a constraint leaves nothing of this one, nothing can be made of it.
    pub(crate) fn imposed_on(
        &self,
        domain: &Domain,
        model: Option<&MarkovRandomField>,
        total: f64,
    ) -> Result<MarkovRandomField, Error> {
        let mut factors = model.map_or_else(Vec::new, |model| model.potentials().to_vec());
        for table in &self.tables {
            let factor = Factor::new(domain, table.clique.clone(), table.logs.clone())?;
            factors.push(factor);
        }
        MarkovRandomField::new(domain.clone(), factors, total)
    }

    /// That a model which holds the constraints takes no more than half of the memory that a model may.
    pub(crate) fn check(schema: &Schema) -> Result<(), Error> {
        if schema.constraints().is_empty() {
            return Ok(());
        }
        let columns = |constraint: &Constraint| Clique::new(constraint.columns().iter().copied());
        let cliques: Vec<Clique> = schema.constraints().iter().map(columns).collect();
        let domain = Domain::new(schema.sizes())?;
        let cells = JunctionTree::new(&domain, &cliques).cells(&domain);
        let limit = MAX_TREE_CELLS / 2;
        if cells > limit {
            return Err(Error::TooLarge { cells, limit });
        }
        Ok(())
    }
}

/// Minus infinity for each combination that a constraint does not allow, else 0.
fn logs(sizes: &[usize], constraints: &[&Constraint]) -> Vec<f64> {
    let mut codes = vec![0_u32; sizes.len()];
    let cells = sizes.iter().product();
    let mut logs = Vec::with_capacity(cells);
    for _ in 0..cells {
        let allowed = constraints
            .iter()
            .all(|constraint| constraint.allows(&codes));
        logs.push(if allowed { 0.0 } else { f64::NEG_INFINITY });
        for (code, &size) in codes.iter_mut().zip(sizes).rev() {
            *code += 1;
            if (*code as usize) < size {
                break;
            }
            *code = 0;
        }
    }
    logs
}
