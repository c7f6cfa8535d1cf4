//! Which marginals the synthetic data should keep, and how much each matters.

use std::collections::HashSet;

use marginals::{Clique, MAX_TREE_CELLS};
use schema::Schema;
use serde::{Deserialize, Serialize};
use strict_yaml::{YamlError, nearest};

/// Marginals with weights: what a method that adapts to a workload is judged by.
///
/// Public: it comes from the caller and the schema, never from rows. It decides where the budget
/// goes, and costs none.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    marginals: Vec<(Clique, f64)>,
    target: Option<usize>,
}

/// A marginal by the names of its columns, as in a file:
///
/// ```yaml
/// - columns: [age, income]
///   weight: 2                # 1 if left out
/// - columns: [age, sex, occupation]
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedMarginal {
    /// Names of columns, each once.
    pub columns: Vec<String>,
    /// How much it matters, relative to the others.
    #[serde(default = "one")]
    pub weight: f64,
}

fn one() -> f64 {
    1.0
}

/// Why a workload cannot be used. Nothing in it depends on rows.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkloadError {
    /// The text is not a list of marginals.
    #[error("{0}")]
    Yaml(#[from] YamlError),
    /// The list is empty.
    #[error("the workload lists no marginal; list at least one, or leave the workload out")]
    Empty,
    /// A marginal is over no column.
    #[error("marginal {position} of the workload has no columns; name at least one")]
    NoColumns {
        /// Which one, from 1.
        position: usize,
    },
    /// A column that the table does not have.
    #[error(
        "marginal {position} of the workload: there is no column `{name}`{}",
        hint(nearest)
    )]
    UnknownColumn {
        /// Which marginal, from 1.
        position: usize,
        /// The name that was given.
        name: String,
        /// The column that was probably meant.
        nearest: Option<String>,
    },
    /// A marginal is over more columns than the method relates at once.
    #[error(
        "marginal {position} of the workload names {columns} columns, and {method} relates at most \
         {most} at once; list parts of it with {most} columns, or use AIM or MWEM"
    )]
    TooManyColumns {
        /// Which one, from 1.
        position: usize,
        /// How many columns it names.
        columns: usize,
        /// Name of the method.
        method: &'static str,
        /// The most columns of a marginal.
        most: usize,
    },
    /// A column is named twice in one marginal.
    #[error("marginal {position} of the workload names the column `{name}` twice")]
    RepeatedColumn {
        /// Which marginal, from 1.
        position: usize,
        /// Name of the column.
        name: String,
    },
    /// Two marginals are over the same columns.
    #[error(
        "marginal {position} of the workload, {columns}, is listed before; give it once, with the \
         weights added up"
    )]
    RepeatedMarginal {
        /// The later one, from 1.
        position: usize,
        /// Names of its columns.
        columns: String,
    },
    /// A weight is zero, negative, infinite or no number.
    #[error(
        "marginal {position} of the workload has the weight {weight}; a weight lies above 0 and is \
         at most {MAX_WEIGHT}"
    )]
    Weight {
        /// Which marginal, from 1.
        position: usize,
        /// The weight that was given.
        weight: f64,
    },
    /// A marginal's table could not be held in memory.
    #[error(
        "marginal {position} of the workload, {columns}, has {cells} cells, and at most {limit} \
         fit into memory; name fewer columns, or declare fewer categories or bins"
    )]
    TooLarge {
        /// Which marginal, from 1.
        position: usize,
        /// Names of its columns.
        columns: String,
        /// Cells of its table, saturating.
        cells: u128,
        /// The most there may be.
        limit: u128,
    },
    /// The target is not a column of the table.
    #[error("the target `{name}` is not a column of the table{}", hint(nearest))]
    UnknownTarget {
        /// The name that was given.
        name: String,
        /// The column that was probably meant.
        nearest: Option<String>,
    },
    /// A column of new identifiers is named.
    #[error(
        "the column `{name}` holds new identifiers, made for each row from nothing of the data: no \
         marginal can have it, and no target can be it"
    )]
    Identifiers {
        /// The name that was given.
        name: String,
    },
    /// The target is in no marginal, or in all, so that there is nothing to weigh more.
    #[error(
        "{which} marginal of the workload has the target `{name}`, so that it changes nothing; \
         leave the target out, or list other marginals"
    )]
    IdleTarget {
        /// `no` or `every`.
        which: &'static str,
        /// Name of the target column.
        name: String,
    },
}

impl WorkloadError {
    /// Whether it is about the target, which is named beside the list of marginals.
    #[must_use]
    pub fn is_about_target(&self) -> bool {
        matches!(
            self,
            WorkloadError::UnknownTarget { .. } | WorkloadError::IdleTarget { .. }
        )
    }
}

fn hint(nearest: &Option<String>) -> String {
    nearest
        .as_ref()
        .map(|name| format!("; did you mean `{name}`?"))
        .unwrap_or_default()
}

/// Far more than any two marginals could sensibly differ by.
const MAX_WEIGHT: f64 = 1e6;

/// Pairs with larger tables are not in the default workload: noise buries tables far smaller than
/// this.
const MAX_PAIR_CELLS: u128 = 1 << 22;

impl NamedMarginal {
    /// Reads a list of marginals from YAML, of which JSON is a part.
    ///
    /// # Errors
    /// If the text is not such a list.
    pub fn list(text: &str) -> Result<Vec<NamedMarginal>, WorkloadError> {
        Ok(strict_yaml::from_str(text)?)
    }

    /// What can be checked without knowing the columns; `position` counts from 1.
    ///
    /// # Errors
    /// If it has no columns, one twice, or an unusable weight.
    pub fn check(&self, position: usize) -> Result<(), WorkloadError> {
        if self.columns.is_empty() {
            return Err(WorkloadError::NoColumns { position });
        }
        let mut names = HashSet::new();
        if let Some(name) = self.columns.iter().find(|name| !names.insert(*name)) {
            let name = name.clone();
            return Err(WorkloadError::RepeatedColumn { position, name });
        }
        if !(self.weight > 0.0 && self.weight <= MAX_WEIGHT) {
            let weight = self.weight;
            return Err(WorkloadError::Weight { position, weight });
        }
        Ok(())
    }
}

impl Workload {
    /// The default: all pairs of columns with tables of at most 2^22 cells, equally weighted; the
    /// columns alone if there is no such pair.
    #[must_use]
    pub fn pairs(schema: &Schema) -> Workload {
        let sizes = schema.sizes();
        let within =
            |&(a, b): &(usize, usize)| sizes[a] as u128 * sizes[b] as u128 <= MAX_PAIR_CELLS;
        let pairs = (0..sizes.len()).flat_map(|a| (a + 1..sizes.len()).map(move |b| (a, b)));
        let mut marginals: Vec<(Clique, f64)> = pairs
            .filter(within)
            .map(|(a, b)| (Clique::new([a, b]), 1.0))
            .collect();
        // Tables of which every pair is too large, or of a single column, still have something to
        // be judged by.
        if marginals.is_empty() {
            marginals = (0..sizes.len()).map(|a| (Clique::new([a]), 1.0)).collect();
        }
        Workload {
            marginals,
            target: None,
        }
    }

    /// From marginals by name.
    ///
    /// # Errors
    /// The first marginal that is empty, repeated, or has an unknown or repeated column, an
    /// unusable weight or a table that does not fit into memory; or that there is none.
    pub fn new(named: &[NamedMarginal], schema: &Schema) -> Result<Workload, WorkloadError> {
        if named.is_empty() {
            return Err(WorkloadError::Empty);
        }
        let mut seen = HashSet::new();
        let mut marginals = Vec::with_capacity(named.len());
        for (marginal, position) in named.iter().zip(1..) {
            marginal.check(position)?;
            let clique = clique_of(marginal, position, schema)?;
            if !seen.insert(clique.clone()) {
                let columns = quoted(&clique, schema);
                return Err(WorkloadError::RepeatedMarginal { position, columns });
            }
            marginals.push((clique, marginal.weight));
        }
        Ok(Workload {
            marginals,
            target: None,
        })
    }

    /// The same with the marginals of one column weighed up, so that the synthetic data suits
    /// predicting that column.
    ///
    /// Their weights are multiplied by one factor: the one that makes them count as much together
    /// as all others do, and at least 2. (Of all pairs of d columns only a share of 2/d has the
    /// target: a constant factor would fade as tables get wider.)
    ///
    /// # Errors
    /// If there is no such column, or it is in no marginal or in all of them.
    pub fn with_target(mut self, name: &str, schema: &Schema) -> Result<Workload, WorkloadError> {
        let target = schema
            .position(name)
            .ok_or_else(|| WorkloadError::UnknownTarget {
                name: name.to_owned(),
                nearest: schema.nearest(name).map(str::to_owned),
            })?;
        let total = |with_target: bool| -> f64 {
            let of_kind = |(clique, _): &&(Clique, f64)| clique.contains(target) == with_target;
            self.marginals
                .iter()
                .filter(of_kind)
                .map(|(_, weight)| weight)
                .sum()
        };
        let (with, without) = (total(true), total(false));
        if with == 0.0 || without == 0.0 {
            return Err(WorkloadError::IdleTarget {
                which: if with == 0.0 { "no" } else { "every" },
                name: name.to_owned(),
            });
        }
        let factor = (without / with).max(LEAST_TARGET_FACTOR);
        for (clique, weight) in &mut self.marginals {
            if clique.contains(target) {
                *weight *= factor;
            }
        }
        self.target = Some(target);
        Ok(self)
    }

    /// Each marginal once, with its positive weight.
    #[must_use]
    pub fn marginals(&self) -> &[(Clique, f64)] {
        &self.marginals
    }

    /// The column to predict, if one was named.
    #[must_use]
    pub fn target(&self) -> Option<usize> {
        self.target
    }
}

/// Refuses what is wrong with a workload whatever the columns are: it is empty, a marginal is
/// unusable or repeated, or the target is in none or all of them.
pub(crate) fn check_marginals(
    workload: &[NamedMarginal],
    target: Option<&str>,
) -> Result<(), WorkloadError> {
    if workload.is_empty() {
        return Err(WorkloadError::Empty);
    }
    let mut seen = HashSet::new();
    for (marginal, position) in workload.iter().zip(1..) {
        marginal.check(position)?;
        let mut names: Vec<&str> = marginal.columns.iter().map(String::as_str).collect();
        names.sort_unstable();
        let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        if !seen.insert(names) {
            let columns = quoted.join(" x ");
            return Err(WorkloadError::RepeatedMarginal { position, columns });
        }
    }
    let Some(target) = target else { return Ok(()) };
    let has = |marginal: &NamedMarginal| marginal.columns.iter().any(|name| name == target);
    let with = workload.iter().filter(|marginal| has(marginal)).count();
    match with {
        0 => Err(idle("no", target)),
        all if all == workload.len() => Err(idle("every", target)),
        _ => Ok(()),
    }
}

/// Refuses marginals of more columns than a method heeds.
pub(crate) fn check_most_columns(
    workload: &[NamedMarginal],
    method: &'static str,
    most: usize,
) -> Result<(), WorkloadError> {
    let mut marginals = workload.iter().zip(1..);
    match marginals.find(|(marginal, _)| marginal.columns.len() > most) {
        None => Ok(()),
        Some((marginal, position)) => Err(WorkloadError::TooManyColumns {
            position,
            columns: marginal.columns.len(),
            method,
            most,
        }),
    }
}

fn idle(which: &'static str, target: &str) -> WorkloadError {
    WorkloadError::IdleTarget {
        which,
        name: target.to_owned(),
    }
}

/// Refuses a workload or a target that names columns which a table does not have.
pub(crate) fn check_names(
    workload: &[NamedMarginal],
    target: Option<&str>,
    columns: &[&str],
) -> Result<(), WorkloadError> {
    let nearest = |name: &str| nearest(name, columns.iter().copied()).map(str::to_owned);
    for (marginal, position) in workload.iter().zip(1..) {
        let mut names = marginal.columns.iter();
        if let Some(name) = names.find(|name| !columns.contains(&name.as_str())) {
            return Err(WorkloadError::UnknownColumn {
                position,
                name: name.clone(),
                nearest: nearest(name),
            });
        }
    }
    match target.filter(|name| !columns.contains(name)) {
        Some(name) => Err(WorkloadError::UnknownTarget {
            name: name.to_owned(),
            nearest: nearest(name),
        }),
        None => Ok(()),
    }
}

/// Refuses columns that no model knows.
pub(crate) fn check_no_identifiers(
    workload: &[NamedMarginal],
    target: Option<&str>,
    schema: &Schema,
) -> Result<(), WorkloadError> {
    let marginals = workload.iter().flat_map(|marginal| &marginal.columns);
    let mut names = marginals.map(String::as_str).chain(target);
    match names.find(|name| schema.makes(name)) {
        None => Ok(()),
        Some(name) => Err(WorkloadError::Identifiers {
            name: name.to_owned(),
        }),
    }
}

const LEAST_TARGET_FACTOR: f64 = 2.0;

fn clique_of(
    marginal: &NamedMarginal,
    position: usize,
    schema: &Schema,
) -> Result<Clique, WorkloadError> {
    let place = |name: &String| {
        schema
            .position(name)
            .ok_or_else(|| WorkloadError::UnknownColumn {
                position,
                name: name.clone(),
                nearest: schema.nearest(name).map(str::to_owned),
            })
    };
    let places = marginal.columns.iter().map(place);
    let clique = Clique::new(places.collect::<Result<Vec<usize>, _>>()?);
    let sizes = schema.sizes();
    let cells = clique
        .iter()
        .fold(1, |cells: u128, a| cells.saturating_mul(sizes[a] as u128));
    if cells > MAX_TREE_CELLS {
        return Err(WorkloadError::TooLarge {
            position,
            columns: quoted(&clique, schema),
            cells,
            limit: MAX_TREE_CELLS,
        });
    }
    Ok(clique)
}

/// `` `a` x `b` ``
fn quoted(clique: &Clique, schema: &Schema) -> String {
    let columns = schema.columns();
    let names: Vec<String> = clique
        .iter()
        .map(|a| format!("`{}`", columns[a].name()))
        .collect();
    names.join(" x ")
}

#[cfg(test)]
mod tests {
    use schema::Declaration;

    use super::*;

    fn parse(text: &str, schema: &Schema) -> Result<Workload, WorkloadError> {
        Workload::new(&NamedMarginal::list(text)?, schema)
    }

    fn schema(sizes: &[(&str, usize)]) -> Schema {
        let column = |(name, size): &(&str, usize)| {
            format!("{name}: {{integer: {{min: 1, max: {size}, bins: {size}}}}}\n")
        };
        let yaml: String = sizes.iter().map(column).collect();
        Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap()
    }

    fn people() -> Schema {
        schema(&[("age", 85), ("sex", 2), ("income", 50)])
    }

    fn refusal(text: &str) -> String {
        parse(text, &people()).unwrap_err().to_string()
    }

    #[test]
    fn marginals_are_read_by_name_from_yaml_and_json() {
        let yaml = "- columns: [income, age]\n  weight: 2\n- columns: [sex]\n";
        let json = r#"[{"columns": ["income", "age"], "weight": 2}, {"columns": ["sex"]}]"#;
        for text in [yaml, json] {
            let workload = parse(text, &people()).unwrap();
            assert_eq!(
                workload.marginals(),
                [(Clique::new([0, 2]), 2.0), (Clique::new([1]), 1.0)]
            );
            assert_eq!(workload.target(), None);
        }
    }

    #[test]
    fn the_default_is_all_pairs_that_fit() {
        let pairs = |schema: &Schema| -> Vec<String> {
            let workload = Workload::pairs(schema);
            assert!(
                workload
                    .marginals()
                    .iter()
                    .all(|(_, weight)| *weight == 1.0)
            );
            workload
                .marginals()
                .iter()
                .map(|(clique, _)| clique.to_string())
                .collect()
        };
        assert_eq!(pairs(&people()), ["{0, 1}", "{0, 2}", "{1, 2}"]);
        assert_eq!(
            pairs(&schema(&[("a", 9)])),
            ["{0}"],
            "no pair: the columns alone"
        );
        let wide = schema(&[("a", 1 << 12), ("b", 1 << 11), ("c", 1 << 10)]);
        assert_eq!(pairs(&wide), ["{0, 2}", "{1, 2}"]);
        let huge = schema(&[("a", 1 << 12), ("b", 1 << 11)]);
        assert_eq!(pairs(&huge), ["{0}", "{1}"]);
    }

    #[test]
    fn what_cannot_be_used_is_refused_in_a_sentence() {
        let cases = [
            (
                "[]",
                "the workload lists no marginal; list at least one, or leave the workload out",
            ),
            (
                "- columns: []",
                "marginal 1 of the workload has no columns; name at least one",
            ),
            (
                "- columns: [age]\n- columns: [sex, incme]",
                "marginal 2 of the workload: there is no column `incme`; did you mean `income`?",
            ),
            (
                "- columns: [height]",
                "marginal 1 of the workload: there is no column `height`",
            ),
            (
                "- columns: [age, sex, age]",
                "marginal 1 of the workload names the column `age` twice",
            ),
            (
                "- columns: [age, sex]\n- columns: [sex, age]",
                "marginal 2 of the workload, `age` x `sex`, is listed before; give it once, with \
                 the weights added up",
            ),
        ];
        for (text, expected) in cases {
            assert_eq!(refusal(text), expected);
        }
        for weight in ["0", "-1", "1e7"] {
            let error = refusal(&format!("- columns: [age]\n  weight: {weight}"));
            assert!(
                error.starts_with("marginal 1 of the workload has the weight ")
                    && error.ends_with("; a weight lies above 0 and is at most 1000000"),
                "{error}"
            );
        }
        let error = refusal("- columns: [age]\n  wieght: 2\n");
        assert!(
            error.starts_with("line 2: ") && error.contains("wieght"),
            "{error}"
        );
        let error = refusal("age: 1\n");
        assert!(error.starts_with("line 1: "), "{error}");
    }

    #[test]
    fn a_marginal_that_does_not_fit_into_memory_is_named_with_its_size() {
        let schema = schema(&[("a", 1 << 20), ("b", 1 << 20)]);
        let error = parse("- columns: [a, b]", &schema).unwrap_err();
        assert_eq!(
            error.to_string(),
            "marginal 1 of the workload, `a` x `b`, has 1099511627776 cells, and at most 134217728 \
             fit into memory; name fewer columns, or declare fewer categories or bins"
        );
    }

    #[test]
    fn marginals_of_the_target_weigh_as_much_as_all_others() {
        let names: Vec<String> = (0..14).map(|i| format!("c{i}")).collect();
        let sizes: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 3)).collect();
        let schema = schema(&sizes);
        let workload = Workload::pairs(&schema)
            .with_target("c13", &schema)
            .unwrap();
        assert_eq!(workload.target(), Some(13));
        let weights = |with: bool| -> Vec<f64> {
            let of_kind = |(clique, _): &&(Clique, f64)| clique.contains(13) == with;
            workload
                .marginals()
                .iter()
                .filter(of_kind)
                .map(|&(_, weight)| weight)
                .collect()
        };
        assert_eq!(weights(true), [6.0; 13]);
        assert_eq!(weights(false), [1.0; 78]);
    }

    #[test]
    fn a_target_that_is_unknown_or_changes_nothing_is_refused() {
        let refusal = |text: &str, target: &str| {
            let workload = parse(text, &people()).unwrap();
            workload
                .with_target(target, &people())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refusal("- columns: [age]", "imcome"),
            "the target `imcome` is not a column of the table; did you mean `income`?"
        );
        let idle = "so that it changes nothing; leave the target out, or list other marginals";
        assert_eq!(
            refusal("- columns: [age]", "sex"),
            format!("no marginal of the workload has the target `sex`, {idle}")
        );
        assert_eq!(
            refusal("- columns: [age, sex]", "sex"),
            format!("every marginal of the workload has the target `sex`, {idle}")
        );
        let three = Workload::pairs(&people())
            .with_target("sex", &people())
            .unwrap();
        assert_eq!(three.marginals()[0].1, 2.0, "at least doubled");
    }
}
