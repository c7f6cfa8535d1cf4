//! What is in a model's file, and what must hold of it.

use std::sync::Arc;

use marginals::{Clique, Domain, Factor, JunctionTree, MarkovRandomField};
use privacy::LedgerRecord;
use schema::Schema;
use serde::{Deserialize, Serialize};

use crate::Model;
use crate::compression::Compression;
use crate::copula::CopulaPart;
use crate::errors::MeasuredErrors;
use crate::fitted::{Coarse, Fitted};
use crate::generator::Generator;
use crate::measured::Measured;
use crate::method::Method;
use crate::model::LARGEST_TOTAL;
use crate::network::NetworkBody;
use crate::random_field::RandomField;

/// Columns, coarser ones among them, of one table of a model: more than 27 would have one value
/// only.
const MOST_COLUMNS_OF_A_TABLE: usize = 64;
/// Of a logarithm in a table, apart from that of an impossible combination. Far beyond what a fit
/// can give, and so small that no sum of logarithms overflows.
const LARGEST_LOG: f64 = 1e4;
/// Cells that a report goes through to compare the model with all that was measured: some 20
/// seconds.
const MOST_REPORT_CELLS: u128 = 1 << 34;

/// What a model is made of. A program that does not know a kind refuses its files by name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Kind {
    /// A Markov random field over the columns' codes. Files of format 2 do not say it, and have no
    /// other.
    #[default]
    #[serde(rename = "random field")]
    RandomField,
    /// Independent columns of which some are tied by a Gaussian copula.
    #[serde(rename = "copula")]
    Copula,
    /// The same, and a network that makes the rows.
    #[serde(rename = "network")]
    Network,
}

#[derive(Serialize)]
pub(crate) struct BodyRef<'a> {
    kind: Kind,
    schema: &'a Schema,
    method: Method,
    compressions: &'a [Compression],
    coarse: &'a [Coarse],
    total: f64,
    potentials: Vec<(&'a Clique, &'a [f64])>,
    measured: &'a [Measured],
    errors: &'a Option<MeasuredErrors>,
    ledger: &'a LedgerRecord,
    #[serde(skip_serializing_if = "Option::is_none")]
    copula: Option<&'a CopulaPart>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Body {
    #[serde(default)]
    kind: Kind,
    schema: Schema,
    method: Method,
    compressions: Vec<Compression>,
    coarse: Vec<Coarse>,
    total: f64,
    potentials: Vec<(Clique, Vec<f64>)>,
    measured: Vec<Measured>,
    errors: Option<MeasuredErrors>,
    ledger: LedgerRecord,
    /// Of the kind of that name, and of no other.
    #[serde(default)]
    copula: Option<CopulaPart>,
    /// The same.
    #[serde(default)]
    network: Option<NetworkBody>,
}

impl<'a> BodyRef<'a> {
    pub(crate) fn new(model: &'a Model, generator: &'a RandomField) -> BodyRef<'a> {
        BodyRef::of_kind(Kind::RandomField, model, generator)
    }

    /// Of a network's file, where the network follows.
    pub(crate) fn of_network(model: &'a Model, base: &'a RandomField) -> BodyRef<'a> {
        BodyRef::of_kind(Kind::Network, model, base)
    }

    fn of_kind(kind: Kind, model: &'a Model, generator: &'a RandomField) -> BodyRef<'a> {
        let potentials = generator.field.potentials().iter();
        BodyRef {
            kind,
            schema: &model.schema,
            method: model.method,
            compressions: &generator.compressions,
            coarse: &generator.coarse,
            total: generator.field.total(),
            potentials: potentials.map(|f| (f.clique(), f.logs())).collect(),
            measured: &model.measured,
            errors: &model.errors,
            ledger: &model.ledger,
            copula: None,
        }
    }

    /// The same columns, tied by a copula.
    pub(crate) fn with_copula(self, copula: &'a CopulaPart) -> BodyRef<'a> {
        BodyRef {
            kind: Kind::Copula,
            copula: Some(copula),
            ..self
        }
    }
}

impl Body {
    /// Every index, size and number is checked before it is used, and cheap checks come before
    /// costly ones.
    pub(crate) fn into_model(self) -> Result<Model, String> {
        if self.schema.columns().is_empty() {
            return Err("its schema has no column with values".to_owned());
        }
        let domain = self.domain()?;
        if !(1.0..=LARGEST_TOTAL).contains(&self.total) {
            return Err(format!(
                "its number of rows, {:e}, must be from 1 to {LARGEST_TOTAL:e}",
                self.total
            ));
        }
        if let Some(errors) = &self.errors {
            errors.check(self.compressions.len())?;
        }
        for measured in &self.measured {
            measured.check(&domain, &self.compressions)?;
            self.check_columns_of(&measured.columns)?;
        }
        self.ledger.check().map_err(|error| error.to_string())?;
        let field = field(domain, self.potentials, self.total, &self.measured)?;
        let field = RandomField {
            compressions: self.compressions.into(),
            coarse: self.coarse,
            field,
        };
        let schema = Arc::new(self.schema);
        let generator: Arc<dyn Generator> = match (self.kind, self.copula, self.network) {
            (Kind::RandomField, None, None) => Arc::new(field),
            (Kind::Copula, Some(copula), None) => Arc::new(copula.onto(field)?),
            (Kind::Network, None, Some(network)) => Arc::new(network.onto(&schema, field)?),
            _ => return Err("it is not of the kind that it says".to_owned()),
        };
        let fitted = Fitted {
            generator,
            measured: self.measured,
            errors: self.errors,
        };
        Ok(Model::new(schema, self.method, fitted, self.ledger))
    }

    /// Sizes of the model's columns, and of the coarse ones after them.
    fn domain(&self) -> Result<Domain, String> {
        if self.schema.needs_discovery() {
            return Err("its schema has a column whose bins are not known".to_owned());
        }
        let sizes = self.schema.sizes();
        let mut compressions = self.compressions.iter().zip(&sizes);
        if self.compressions.len() != sizes.len()
            || !compressions.all(|(compression, &size)| compression.is_sound(size))
        {
            return Err("its compressed columns are not those of its schema".to_owned());
        }
        let is_sound = |coarse: &Coarse| {
            let column = self.compressions.get(coarse.column);
            column.is_some_and(|column| coarse.is_sound(column.size()))
        };
        if !self.coarse.iter().all(is_sound) {
            return Err("its coarse columns are not those of its schema".to_owned());
        }
        let columns = self.compressions.iter().map(Compression::size);
        let coarse = self.coarse.iter().map(Coarse::size);
        Domain::new(columns.chain(coarse).collect()).map_err(|error| error.to_string())
    }

    /// That a measurement is of columns of the table, each once, and not of two groupings of one.
    fn check_columns_of(&self, attributes: &Clique) -> Result<(), String> {
        let columns = self.compressions.len();
        let column = |attribute: usize| match attribute.checked_sub(columns) {
            None => attribute,
            Some(coarse) => self.coarse[coarse].column,
        };
        let mut of: Vec<usize> = attributes.iter().map(column).collect();
        of.sort_unstable();
        of.dedup();
        match of.len() == attributes.len() {
            true => Ok(()),
            false => Err(format!(
                "the measurement of {attributes} names a column twice"
            )),
        }
    }
}

/// The model's distribution.
///
/// Models are saved with one table for each node of the junction tree. Anything else is refused,
/// before a tree is searched for: what takes long to triangulate, or has a large tree over small
/// tables, was never saved.
fn field(
    domain: Domain,
    potentials: Vec<(Clique, Vec<f64>)>,
    total: f64,
    measured: &[Measured],
) -> Result<MarkovRandomField, String> {
    let sentence = |error: marginals::Error| error.to_string();
    let refusal = || "its tables are not those of a junction tree".to_owned();
    let potentials = potentials.into_iter().map(|(clique, logs)| {
        let usable = |log: &f64| *log == f64::NEG_INFINITY || log.abs() <= LARGEST_LOG;
        if clique.len() > MOST_COLUMNS_OF_A_TABLE {
            return Err(refusal());
        }
        if !logs.iter().all(usable) {
            return Err(format!(
                "the table of {clique} holds a number that is not usable"
            ));
        }
        Factor::new(&domain, clique, logs).map_err(sentence)
    });
    let potentials = potentials.collect::<Result<Vec<Factor>, String>>()?;
    let mut cliques: Vec<Clique> = potentials.iter().map(|f| f.clique().clone()).collect();
    let tree = JunctionTree::without_fill(&domain, &cliques).ok_or_else(refusal)?;
    let mut nodes: Vec<&Clique> = tree.nodes().iter().map(|node| node.clique()).collect();
    nodes.sort_unstable();
    cliques.sort_unstable();
    if !nodes.into_iter().eq(&cliques) {
        return Err(refusal());
    }
    let mut cells = 0_u128;
    for measured in measured {
        let Some(node) = tree.smallest_containing(&domain, &measured.columns) else {
            return Err("something was measured that is not in its tables".to_owned());
        };
        cells = cells.saturating_add(domain.cells(tree.nodes()[node].clique()));
    }
    if cells > MOST_REPORT_CELLS {
        return Err("more was measured than can be compared with its tables".to_owned());
    }
    MarkovRandomField::new(domain, potentials, total).map_err(sentence)
}
