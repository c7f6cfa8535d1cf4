//! Where the engine's counts come from.

use std::num::NonZeroU32;

use privacy::{Counts, Division, DomainSource, DomainSpend, GradientSum, Votes};

use schema::Schema;

use crate::part_votes::PartVote;
use crate::row_sums::RowSum;
use crate::table::{CodedTable, Recoding};

/// A table of which only counts, sums and votes are asked, wherever its rows are: in memory
/// ([`CodedTable`]), or spread over machines.
///
/// Whoever implements it vouches for three things on which every guarantee rests: everything of one
/// id adds or removes at most [`rows_per_id`](Self::rows_per_id) rows, which are cut down to that
/// *before* anything is counted, by a choice that depends on the rows of that id alone; each row
/// counts once in each table of counts and each sum, and in the one part of each division that it
/// draws, also where work was lost and done again; and the [schema](Self::schema) depends on the
/// rows only as [`domain`](Self::domain) says.
pub trait CountSource: Sync {
    /// The columns, which are public.
    fn schema(&self) -> &Schema;

    /// How many rows everything of one id may add or remove, at most.
    fn rows_per_id(&self) -> NonZeroU32;

    /// Where the columns' values and ranges came from.
    fn domain(&self) -> DomainSource;

    /// What was spent on them before, as the schemas say that declare them.
    fn domain_spends(&self) -> &[DomainSpend];

    /// The contingency tables of several sets of columns, in their order, the last column of each
    /// varying fastest; under other codes where a recoding is given.
    ///
    /// # Errors
    /// If the rows cannot be reached. Nothing was released.
    fn count(
        &self,
        cliques: &[Vec<usize>],
        recoding: Option<&Recoding>,
    ) -> Result<Vec<Counts>, SourceError>;

    /// The sum over all rows, under other codes, of a vector for each row: what trains a network.
    ///
    /// # Errors
    /// If the rows cannot be reached. Nothing was released.
    fn sum_rows(&self, recoding: &Recoding, what: &dyn RowSum) -> Result<GradientSum, SourceError>;

    /// How many parts of the rows, under other codes, answer each question with yes.
    ///
    /// # Errors
    /// If the rows cannot be reached. Nothing was released.
    fn votes(
        &self,
        recoding: &Recoding,
        division: &Division,
        what: &dyn PartVote,
    ) -> Result<Votes, SourceError>;
}

/// Counts could not be had: a machine, a file or a network failed. Never said of a table in memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the table could not be counted: {0}")]
pub struct SourceError(pub String);

impl CountSource for CodedTable {
    fn schema(&self) -> &Schema {
        self.schema()
    }

    fn rows_per_id(&self) -> NonZeroU32 {
        self.rows_per_id()
    }

    fn domain(&self) -> DomainSource {
        self.domain()
    }

    fn domain_spends(&self) -> &[DomainSpend] {
        self.domain_spends()
    }

    fn count(
        &self,
        cliques: &[Vec<usize>],
        recoding: Option<&Recoding>,
    ) -> Result<Vec<Counts>, SourceError> {
        Ok(match recoding {
            Some(recoding) => self.recoded_counts_of(recoding, cliques),
            None => self.counts_of(cliques),
        })
    }

    fn sum_rows(&self, recoding: &Recoding, what: &dyn RowSum) -> Result<GradientSum, SourceError> {
        Ok(self.sum_of(recoding, what))
    }

    fn votes(
        &self,
        recoding: &Recoding,
        division: &Division,
        what: &dyn PartVote,
    ) -> Result<Votes, SourceError> {
        Ok(self.votes_of(recoding, division, what))
    }
}
