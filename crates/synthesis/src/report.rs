use std::ops::RangeInclusive;

use marginals::Clique;
use privacy::DomainSource;
use schema::{IdentifierColumn, Schema};
use serde::Serialize;

use crate::Model;
use crate::errors::{MeasuredError, MeasuredErrors};
use crate::hidden::{self, ColumnReport, RowCount};
use crate::measured::Measured;
use crate::method::Method;

/// How close a model is to the noisy marginals it was fitted to.
///
/// Errors are total variation distances: half the sum of absolute differences, as a share of the
/// [estimated](RowCount::estimate) rows. What was measured is itself off by noise, whose expected
/// size is known and given beside: a model about that far from what was measured fits as well as
/// can be told.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// How the model was made.
    pub method: Method,
    /// Where the columns' values and ranges came from; if from the data, nothing is guaranteed.
    pub domain: DomainSource,
    /// What not to rely on, and what to do: sentences for a person.
    pub warnings: Vec<String>,
    /// The noisy number of rows.
    pub rows: u64,
    /// The same with its uncertainty.
    pub row_count: RowCount,
    /// What noise and coding hide of each column.
    pub columns: Vec<ColumnReport>,
    /// Columns that rows get besides, made from nothing of the data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<IdentifierReport>,
    /// Single columns.
    pub one_way: Vec<MarginalReport>,
    /// Pairs of columns. Their rare values, or groups of neighbouring ones, are taken together.
    pub two_way: Vec<MarginalReport>,
    /// Three columns or more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub higher_way: Vec<MarginalReport>,
    /// How far the model's marginals are from the table's; where the method measures it.
    pub errors: Option<ErrorReport>,
    /// Columns whose samples a spreadsheet should read in the [safe
    /// form](tabular::Format::SpreadsheetCsv) only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub formulas: Vec<FormulaReport>,
}

/// A column of new identifiers ([`schema::IdentifierColumn`]).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct IdentifierReport {
    /// Name of the column.
    pub name: String,
    /// What identifiers look like, as it was declared.
    pub format: String,
}

/// The texts of a column that a spreadsheet may take for formulas and run
/// ([`schema::is_formula`]).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FormulaReport {
    /// Name of the column.
    pub column: String,
    /// Its name or categories, where they begin as formulas do.
    pub texts: Vec<String>,
}

/// Distances between the table and the final model, which were measured under the same budget.
///
/// They are those of the table as it is coded, whose columns hold categories and bins: what a code
/// leaves open of a value ([`ColumnReport`]) is not in them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ErrorReport {
    /// `the columns as coded`: of what the errors are.
    pub of: &'static str,
    /// `the estimated rows`: of what the errors are shares.
    pub shares_of: &'static str,
    /// Standard deviation of the noise in each measured distance.
    pub sigma: f64,
    /// About the bound that would be stated of a model without any error: no smaller one can be
    /// expected at this budget.
    pub best_possible: f64,
    /// The workload's marginals but for those left out, heaviest first.
    pub marginals: Vec<MarginalError>,
    /// How many marginals of the workload nothing is said of: those with more than 2^22 cells, and
    /// of the others those of least weight beyond the first 5,000. Of a copula also pairs beyond
    /// 2^24 cells together.
    pub left_out: u64,
    /// How the model's pairs compare with those of independent columns, by a method that may do no
    /// better than these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against_independent: Option<AgainstIndependent>,
}

/// Mean distances of the measured pairs from the table: of the model, and of the product of its
/// columns, which is what INDEPENDENT would give for about the same budget.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AgainstIndependent {
    /// Of the model's pairs, with noise, on the scale of [`MarginalError`].
    pub model: f64,
    /// Of pairs of independent columns, with noise.
    pub independent: f64,
    /// Standard deviation of the noise in each of the two.
    pub sigma: f64,
    /// How many pairs they are means of.
    pub pairs: usize,
}

/// How far one marginal of the model is from the table's: half the L1 distance between the counts,
/// as a share of the [estimated](RowCount::estimate) rows.
///
/// The number of rows in the table is not known. A share of an estimate is a statement about counts
/// alone, and holds whatever the error of the estimate is; [`RowCount::between`] says how far a
/// share of the table's own rows may be from it.
///
/// Drawing rows from the model adds the error of rounding, and that of chance where columns are not
/// in one clique.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MarginalError {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// As measured: the true distance and Gaussian noise; 0 at least.
    pub distance: f64,
    /// The true distance is below this with a probability of 95 %, over the noise, for each
    /// marginal on its own. `None` where nothing is known: the bound is 1 or more, or the estimate,
    /// of which it is a share, [is a guess](RowCount::mostly_noise).
    pub bound: Option<f64>,
    /// The true distances of all marginals are below these at once with a probability of 95 %.
    pub joint_bound: Option<f64>,
    /// The distance of independent columns, as it was measured; 0 at least. `None` unless the
    /// method compares itself with these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub independent: Option<f64>,
    /// Of several columns, how far the model says they are from independent, on the same scale.
    pub relation: Option<f64>,
    /// Whether what the model says of how the columns are related may be mostly noise: nothing is
    /// known, or the bound is above both the relation and 0.05.
    pub mostly_noise: bool,
}

/// One measured marginal in a [`Report`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct MarginalReport {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Counts that were measured.
    pub cells: usize,
    /// Standard deviation of the noise in each count.
    pub sigma: f64,
    /// Distance between the model and what was measured.
    pub error: f64,
    /// Expected distance between what was measured and the truth.
    pub expected_noise: f64,
}

impl Report {
    pub(crate) fn new(model: &Model) -> Report {
        let of_columns = |columns: RangeInclusive<usize>| {
            let measured = model
                .measured
                .iter()
                .filter(|measured| columns.contains(&measured.columns.len()));
            measured
                .map(|measured| MarginalReport::new(model, measured))
                .collect()
        };
        let (row_count, columns) = (model.row_count(), ColumnReport::each(model));
        Report {
            method: model.method,
            domain: model.domain(),
            warnings: hidden::warnings(model, &row_count, &columns),
            rows: row_count.estimate,
            row_count,
            columns,
            identifiers: IdentifierReport::all_of(&model.schema),
            one_way: of_columns(1..=1),
            two_way: of_columns(2..=2),
            higher_way: of_columns(3..=usize::MAX),
            errors: model
                .errors
                .as_ref()
                .map(|errors| ErrorReport::new(model, errors, row_count)),
            formulas: FormulaReport::all_of(&model.schema),
        }
    }
}

impl IdentifierReport {
    fn all_of(schema: &Schema) -> Vec<IdentifierReport> {
        let report = |column: &IdentifierColumn| IdentifierReport {
            name: column.name().to_owned(),
            format: column.form().to_string(),
        };
        schema.identifiers().iter().map(report).collect()
    }
}

impl FormulaReport {
    /// Of each column that has such texts.
    #[must_use]
    pub fn all_of(schema: &Schema) -> Vec<FormulaReport> {
        let report = |(column, texts): (&str, Vec<&str>)| FormulaReport {
            column: column.to_owned(),
            texts: texts.into_iter().map(str::to_owned).collect(),
        };
        schema.formulas().map(report).collect()
    }
}

impl ErrorReport {
    fn new(model: &Model, errors: &MeasuredErrors, rows: RowCount) -> ErrorReport {
        let as_distance = |l1: f64| l1 / 2.0 / model.generator.total();
        let known = |l1: f64| {
            // The errors are those of what was fitted, of which a part is not drawn.
            let bound = as_distance(l1) + model.left_out();
            (bound < 1.0 && !rows.mostly_noise).then_some(bound)
        };
        let marginal = |error: &MeasuredError| {
            let bound = known(errors.bound(error.distance));
            let relation = (error.columns.len() > 1).then(|| as_distance(error.relation));
            MarginalError {
                columns: names(model, &error.columns),
                distance: as_distance(error.distance).clamp(0.0, 1.0),
                bound,
                joint_bound: known(errors.joint_bound(error.distance)),
                independent: error.independent.map(|l1| as_distance(l1).clamp(0.0, 1.0)),
                relation,
                mostly_noise: relation.is_some_and(|relation| {
                    bound.is_none_or(|bound| bound > relation.max(MarginalError::NEGLIGIBLE))
                }),
            }
        };
        ErrorReport {
            of: "the columns as coded",
            shares_of: "the estimated rows",
            sigma: as_distance(errors.sigma),
            best_possible: as_distance(errors.bound(0.0)),
            marginals: errors.marginals.iter().map(marginal).collect(),
            left_out: errors.left_out,
            against_independent: AgainstIndependent::new(model, errors),
        }
    }
}

impl AgainstIndependent {
    pub(crate) fn new(model: &Model, errors: &MeasuredErrors) -> Option<AgainstIndependent> {
        let both = |error: &MeasuredError| {
            let independent = error.independent.filter(|_| error.columns.len() == 2)?;
            Some((error.distance, independent))
        };
        let distances: Vec<(f64, f64)> = errors.marginals.iter().filter_map(both).collect();
        let pairs = distances.len() as f64;
        // Not clamped at 0 one by one, which would add to a mean what the noise takes from it.
        let mean = |l1: f64| l1 / 2.0 / model.generator.total() / pairs;
        (!distances.is_empty()).then(|| AgainstIndependent {
            model: mean(distances.iter().map(|it| it.0).sum()),
            independent: mean(distances.iter().map(|it| it.1).sum()),
            sigma: mean(errors.sigma * pairs.sqrt()),
            pairs: distances.len(),
        })
    }

    /// Whether the model is closer to the table, beyond doubt of noise.
    pub(crate) fn is_better(&self) -> bool {
        // Two means of independent noise: their difference has twice the variance.
        self.independent - self.model > 2.0 * std::f64::consts::SQRT_2 * self.sigma
    }
}

impl MarginalError {
    /// An error this small does no harm even where there is no relation.
    const NEGLIGIBLE: f64 = 0.05;
}

fn names(model: &Model, attributes: &Clique) -> Vec<String> {
    let columns = model.schema.columns();
    attributes
        .iter()
        .map(|attribute| {
            columns[model.generator.column_of(attribute)]
                .name()
                .to_owned()
        })
        .collect()
}

impl MarginalReport {
    fn new(model: &Model, measured: &Measured) -> MarginalReport {
        let expected = model.generator.expected(&measured.columns);
        let distance: f64 = expected
            .iter()
            .zip(measured.values())
            .map(|(e, m)| (e - m).abs())
            .sum();
        let cells = measured.values.len();
        let noise = measured.sigma * std::f64::consts::FRAC_2_PI.sqrt() * cells as f64;
        MarginalReport {
            columns: names(model, &measured.columns),
            cells,
            sigma: measured.sigma,
            error: distance / 2.0 / model.generator.total(),
            expected_noise: noise / 2.0 / model.generator.total(),
        }
    }
}
