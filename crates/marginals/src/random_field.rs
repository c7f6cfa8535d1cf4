use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::alignment::Alignment;
use crate::elimination::marginal_across_nodes;
use crate::inference::conditional;
use crate::propagation::{Layout, Tables, axes, cells_of};
use crate::{Clique, Domain, Error, Factor, JunctionTree, TreeNode};

/// Most cells that the tables of one model may have together (1 GiB of memory a copy).
pub const MAX_TREE_CELLS: u128 = 1 << 27;

/// A distribution over a domain, as a product of factors, scaled to a total number of records.
///
/// The marginals of its junction tree are computed once, when it is made. Serialised, it is its
/// domain, total and factors; deserialising checks them and computes the rest anew, with the same
/// result to the last bit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Stored", into = "Stored")]
pub struct MarkovRandomField {
    domain: Domain,
    total: f64,
    potentials: Arc<Vec<Factor>>,
    tree: JunctionTree,
    layout: Layout,
    /// Probabilities of the cells of each tree node, in the layout's order.
    marginals: Tables,
    /// Logarithm of the sum of the product over all combinations of codes.
    log_mass: f64,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    domain: Domain,
    total: f64,
    potentials: Vec<(Clique, Vec<f64>)>,
}

impl MarkovRandomField {
    /// The normalised product of the factors; a uniform distribution over attributes in no factor.
    ///
    /// # Errors
    /// If a factor does not fit the domain, the total is not positive, the junction tree has more
    /// than [`MAX_TREE_CELLS`] cells, or no combination of codes is possible.
    pub fn new(
        domain: Domain,
        potentials: Vec<Factor>,
        total: f64,
    ) -> Result<MarkovRandomField, Error> {
        if !(total > 0.0 && total.is_finite()) {
            return Err(Error::BadTotal);
        }
        for factor in &potentials {
            domain.check(factor.clique())?;
            if factor.axes() != axes(&domain, factor.clique()) {
                return Err(Error::OtherDomain);
            }
        }
        let cliques: Vec<Clique> = potentials.iter().map(|f| f.clique().clone()).collect();
        let tree = JunctionTree::new(&domain, &cliques);
        let layout = Layout::new(&domain, &tree, MAX_TREE_CELLS)?;
        let (mut logs, mut marginals) = (layout.zeros(), layout.zeros());
        for factor in &potentials {
            let node = tree
                .smallest_containing(&domain, factor.clique())
                .expect("the tree holds every given clique");
            Alignment::new(&layout.nodes[node].axes, &factor.axes()).add(
                &mut logs[node],
                1.0,
                factor.logs(),
            );
        }
        let log_mass = layout.calibrate(&mut logs, &mut marginals)?;
        Ok(MarkovRandomField {
            domain,
            total,
            potentials: Arc::new(potentials),
            tree,
            layout,
            marginals,
            log_mass,
        })
    }

    /// The distribution given evidence: for some attributes, the likelihood of each code, from 0
    /// (ruled out) to 1. Likelihoods of one attribute given twice are multiplied. The total becomes
    /// the expected number of records that satisfy the evidence, so that the evidence's probability
    /// is the quotient of both totals.
    ///
    /// One belief propagation; the junction tree stays as it is.
    ///
    /// # Errors
    /// [`Error::Impossible`] if the evidence has probability zero; [`Error::WrongLength`] or
    /// [`Error::BadValue`] if likelihoods do not fit their attribute.
    pub fn condition(&self, evidence: &[(usize, Vec<f64>)]) -> Result<MarkovRandomField, Error> {
        let mut potentials = self.potentials.to_vec();
        for (attribute, likelihoods) in evidence {
            let clique = Clique::new([*attribute]);
            if !likelihoods.iter().all(|l| (0.0..=1.0).contains(l)) {
                return Err(Error::BadValue {
                    clique,
                    reason: "a likelihood is from 0 to 1",
                });
            }
            let logs = likelihoods
                .iter()
                .map(|likelihood| likelihood.ln())
                .collect();
            potentials.push(Factor::new(&self.domain, clique, logs)?);
        }
        let given = MarkovRandomField::new(self.domain.clone(), potentials, self.total);
        let mut given = given.map_err(|error| match error {
            Error::NoMass => Error::Impossible,
            other => other,
        })?;
        // Rounding must not make the evidence likelier than certain.
        given.total *= (given.log_mass - self.log_mass).exp().min(1.0);
        if given.total > 0.0 {
            Ok(given)
        } else {
            Err(Error::Impossible)
        }
    }

    /// The same distribution with one factor for each node of the junction tree: the node's
    /// conditional probabilities given its separator, as logarithms.
    ///
    /// # Errors
    /// As [`MarkovRandomField::new`].
    pub fn by_nodes(&self) -> Result<MarkovRandomField, Error> {
        let conditional = |node: &TreeNode| {
            let marginal = self.probabilities(node.clique())?;
            conditional(&self.domain, node.clique(), node.separator(), marginal)
        };
        let factors = self.tree.nodes().iter().map(conditional);
        let factors = factors.collect::<Result<Vec<Factor>, Error>>()?;
        MarkovRandomField::new(self.domain.clone(), factors, self.total)
    }

    /// All combinations of codes equally likely.
    ///
    /// # Errors
    /// As [`MarkovRandomField::new`].
    pub fn uniform(domain: Domain, total: f64) -> Result<MarkovRandomField, Error> {
        MarkovRandomField::new(domain, Vec::new(), total)
    }

    /// The attributes and their sizes.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The number of records that the marginals add up to.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.total
    }

    /// The factors whose product this is.
    #[must_use]
    pub fn potentials(&self) -> &[Factor] {
        &self.potentials
    }

    /// The junction tree of the factors' cliques.
    #[must_use]
    pub fn tree(&self) -> &JunctionTree {
        &self.tree
    }

    /// Expected number of records in each cell of a clique, row-major, adding up to the total. The
    /// clique may be any set of attributes: outside the tree, the tables between are multiplied and
    /// summed out.
    ///
    /// # Errors
    /// If the clique names an attribute outside the domain, or a table on the way has more than
    /// [`MAX_TREE_CELLS`] cells.
    pub fn marginal(&self, clique: &Clique) -> Result<Vec<f64>, Error> {
        let mut counts = self.probabilities(clique)?;
        counts.iter_mut().for_each(|p| *p *= self.total);
        Ok(counts)
    }

    fn probabilities(&self, clique: &Clique) -> Result<Vec<f64>, Error> {
        let cells = self.domain.table_cells(clique, MAX_TREE_CELLS)?;
        if let Some(node) = self.tree.smallest_containing(&self.domain, clique) {
            let mut sums = vec![0.0; cells];
            let small = axes(&self.domain, clique);
            Alignment::new(&self.layout.nodes[node].axes, &small)
                .sum(&self.marginals[node], &mut sums);
            return Ok(sums);
        }
        let parts = self.independent_parts(clique);
        if parts.len() == 1 {
            return marginal_across_nodes(self, clique);
        }
        let parts: Vec<(Clique, Vec<f64>)> = parts
            .into_iter()
            .map(|part| Ok((part.clone(), self.probabilities(&part)?)))
            .collect::<Result<_, Error>>()?;
        let parts = parts.iter().map(|(part, table)| (part, table.as_slice()));
        Ok(self.product(clique, parts))
    }

    /// The clique's attributes by the tree of the forest that holds them. Different trees are
    /// independent.
    pub(crate) fn independent_parts(&self, clique: &Clique) -> Vec<Clique> {
        let mut parts: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for a in clique.iter() {
            parts.entry(self.tree.root_of(a)).or_default().push(a);
        }
        parts.into_values().map(Clique::new).collect()
    }

    /// The product of tables over parts of a clique.
    pub(crate) fn product<'a>(
        &self,
        clique: &Clique,
        parts: impl Iterator<Item = (&'a Clique, &'a [f64])>,
    ) -> Vec<f64> {
        let large = axes(&self.domain, clique);
        let mut product = vec![1.0; cells_of(&large)];
        for (part, table) in parts {
            Alignment::new(&large, &axes(&self.domain, part)).multiply(&mut product, table);
        }
        product
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Probabilities of a node's cells, in the layout's order.
    pub(crate) fn node_marginal(&self, node: usize) -> &[f64] {
        &self.marginals[node]
    }
}

impl TryFrom<Stored> for MarkovRandomField {
    type Error = Error;

    fn try_from(stored: Stored) -> Result<MarkovRandomField, Error> {
        let Stored {
            domain,
            total,
            potentials,
        } = stored;
        let factors = potentials
            .into_iter()
            .map(|(clique, logs)| Factor::new(&domain, clique, logs));
        let factors = factors.collect::<Result<Vec<Factor>, Error>>()?;
        MarkovRandomField::new(domain, factors, total)
    }
}

impl From<MarkovRandomField> for Stored {
    fn from(model: MarkovRandomField) -> Stored {
        let potentials = model
            .potentials
            .iter()
            .map(|f| (f.clique().clone(), f.logs().to_vec()));
        Stored {
            potentials: potentials.collect(),
            domain: model.domain,
            total: model.total,
        }
    }
}
