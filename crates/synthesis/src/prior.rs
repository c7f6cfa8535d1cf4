//! What is known of a table before anything of it is measured.

use marginals::{Clique, MarkovRandomField};
use privacy::Prior;
use schema::Schema;

/// A distribution over the codes of a schema that was learned from public data, such as an earlier
/// release.
///
/// Computing from it costs nothing of a ledger: a score that compares the private table with it has
/// the sensitivity of a score against any fixed model. That is all there is to say where it is of
/// other people than the table's. A model of perhaps the same people was itself paid for with their
/// data: the ledger of a fit from it [notes](privacy::Ledger::note_prior) it, and states the
/// guarantee of both together.
///
/// The use of public data as a prior is that of JAM-PGM (Fuentes et al., "Joint Selection", 2024).
#[derive(Debug, Clone)]
pub struct PublicPrior {
    pub(crate) schema: Schema,
    /// Over all codes, and coarser groups of them after those; its total is 1. No combination is
    /// impossible that the data only happens to lack.
    pub(crate) field: MarkovRandomField,
    /// For the ledger of the fit.
    pub(crate) record: Prior,
}

/// Why public data cannot serve as a prior.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicPriorError {
    /// It has other columns than the private table.
    #[error("the public data has another schema: {0}")]
    OtherSchema(String),
    /// It holds no row.
    #[error("the public table has no rows")]
    NoRows,
    /// An earlier model is too large when its values are no longer taken together.
    #[error(
        "the earlier model has {cells} cells when spread over all values, more than {MAX_CELLS}; \
         give the public table itself"
    )]
    TooLarge {
        /// Cells of all its tables.
        cells: u128,
    },
    /// What an earlier model states of its ledger guarantees nothing.
    #[error(
        "the earlier model took its columns' values and ranges from its data, so that it has no \
         guarantee: fit it again with declared or discovered columns"
    )]
    DomainFromData,
    /// An earlier model holds what its ledger has no spend for.
    #[error(
        "the ledger of the earlier model does not account for what the model holds: fit it again"
    )]
    Unaccounted,
    /// An earlier model may have started from public data itself, and its guarantee may leave that
    /// out.
    #[error(
        "the file of the earlier model is of a program that did not record whether the model \
         started from public data, so that more may have been spent than it states: fit it again, \
         or declare that neither it nor what it was made from is of these people"
    )]
    PriorNotRecorded,
    /// An earlier model started from what was declared to be of other people than *its* table.
    #[error(
        "the earlier model started from data that was declared to be of other people than its own \
         table, which says nothing of this one: declare that neither it nor what it was made from \
         is of these people, or start without it"
    )]
    OtherPeopleOfAnotherTable,
    /// An earlier model is of a kind that a fit cannot start from.
    #[error("the earlier model is not a random field, and a fit can start from no other kind")]
    NoRandomField,
    /// Too many models were made one from the other.
    #[error(
        "the earlier model is the last of more than {MAX_DEPTH} that were made from each other: \
         start again without it"
    )]
    TooDeep,
    /// The model cannot be made.
    #[error("the public data gives no model: {0}")]
    Model(#[from] marginals::Error),
}

/// Most cells of a prior's tables together.
pub(crate) const MAX_CELLS: u128 = 1 << 22;
/// Most models that were made from each other. Each record holds those before it, and readers of
/// nested data have limits.
pub(crate) const MAX_DEPTH: usize = 8;

impl PublicPrior {
    /// Whether it is a prior for tables of this schema.
    ///
    /// # Errors
    /// [`PublicPriorError::OtherSchema`], which says what differs first.
    pub fn check(&self, schema: &Schema) -> Result<(), PublicPriorError> {
        match difference(&self.schema, schema) {
            Some(difference) => Err(PublicPriorError::OtherSchema(difference)),
            None => Ok(()),
        }
    }

    /// The distribution over all codes of the schema, and perhaps groups of codes as further
    /// attributes; its total is 1.
    #[must_use]
    pub fn field(&self) -> &MarkovRandomField {
        &self.field
    }

    /// Probabilities of the codes of two columns, those of the later column fastest; `a` must be
    /// below `b`.
    ///
    /// # Errors
    /// If a column is not in the schema, or a table on the way becomes too large.
    pub fn pair(&self, a: usize, b: usize) -> Result<Vec<f64>, marginals::Error> {
        self.field.marginal(&Clique::new([a, b]))
    }
}

/// The first thing in which the public schema differs from the private one.
fn difference(public: &Schema, private: &Schema) -> Option<String> {
    let lacking = private
        .columns()
        .iter()
        .find(|c| public.position(c.name()).is_none());
    if let Some(column) = lacking {
        return Some(format!("it has no column `{}`", column.name()));
    }
    let surplus = public
        .columns()
        .iter()
        .find(|c| private.position(c.name()).is_none());
    if let Some(column) = surplus {
        return Some(format!("it has a column `{}` more", column.name()));
    }
    let pairs = || public.columns().iter().zip(private.columns());
    if let Some((a, b)) = pairs().find(|(a, b)| a.name() != b.name()) {
        let (a, b) = (a.name(), b.name());
        return Some(format!(
            "its columns are in another order, `{a}` where `{b}` should be"
        ));
    }
    let mut constraints = public.constraints().iter();
    if constraints.any(|constraint| !private.constraints().contains(constraint)) {
        return Some("it has a constraint that the private table has not".to_owned());
    }
    let (a, b) = pairs().find(|(a, b)| a != b)?;
    let what = if a.kind().name() != b.kind().name() {
        format!("holds `{}` and not `{}`", a.kind().name(), b.kind().name())
    } else if a.size() != b.size() {
        format!("has {} values or bins and not {}", a.size(), b.size())
    } else {
        "has other values or bins".to_owned()
    };
    Some(format!("its column `{}` {what}", a.name()))
}
