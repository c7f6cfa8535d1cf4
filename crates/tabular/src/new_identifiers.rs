//! The columns of new identifiers, while rows are written.

use rand_core::Rng;
use schema::{IdentifierColumn, Identifiers, Schema};

/// What makes the identifiers of each row.
#[derive(Debug)]
pub(crate) struct NewIdentifiers {
    columns: Vec<IdentifierColumn>,
    /// For each of the columns, from the first row on.
    makers: Vec<Identifiers>,
    text: String,
}

impl NewIdentifiers {
    pub(crate) fn new(schema: &Schema) -> Self {
        Self {
            columns: schema.identifiers().to_vec(),
            makers: Vec::new(),
            text: String::new(),
        }
    }

    /// Draws the order of identifiers before the first row. All writers do so at the same place, so
    /// that a seed gives the same values in every format.
    pub(crate) fn begin(&mut self, rng: &mut impl Rng) {
        if self.makers.is_empty() {
            let maker = |column: &IdentifierColumn| Identifiers::new(column.form(), rng);
            self.makers = self.columns.iter().map(maker).collect();
        }
    }

    /// Gives each identifier of a row that stands behind this many columns with codes, and before
    /// the next of these.
    #[inline]
    pub(crate) fn next_behind(&mut self, columns: usize, mut take: impl FnMut(&str)) {
        for (column, maker) in self.columns.iter().zip(&mut self.makers) {
            if column.after() == columns {
                self.text.clear();
                maker.push_next(&mut self.text);
                take(&self.text);
            }
        }
    }
}
