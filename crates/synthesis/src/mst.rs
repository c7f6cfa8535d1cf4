//! MST: McKenna, Miklau and Sheldon, "Winning the NIST contest" (2021), arXiv:2108.04978.
//!
//! A third of rho measures every column, whose rare codes are then merged. A third chooses a
//! spanning tree of pairs, Kruskal's way, each edge by an exponential mechanism; a pair's score is
//! the L1 distance between its exact counts and those of the model of independent columns. The rest
//! measures the tree's pairs. Three departures, each measured to be better on the Adult table at
//! epsilon 0.1 to 3: columns get budget in proportion to size^(2/3) rather than equally; a pair's
//! score is charged the L1 norm of the noise that its measurement would have (as in AIM), since
//! large sparse pairs otherwise win by sampling error alone; and the fit starts from independent
//! columns and stops before it fits the noise.

use marginals::{Clique, EstimationOptions, MAX_TREE_CELLS, MarkovRandomField};
use privacy::{Accounting, Counts, Ledger, Rho, Score};
use schema::Schema;
use serde_json::{Map, Value};

use crate::batches::batches;
use crate::columns::Columns;
use crate::compression::Compression;
use crate::constraints::Constraints;
use crate::fit_error::{FitError, PlanError};
use crate::fitted::Fitted;
use crate::mechanism::{Mechanism, PreparedFit, parts_of_columns};
use crate::parameters::{ParameterError, WholeNumber, whole_numbers};
use crate::prior::PublicPrior;
use crate::run::Run;
use crate::workload::Workload;

const NAME: &str = "MST";
const MAX_CELLS: WholeNumber = WholeNumber {
    name: "max_cells",
    least: 1,
    most: 1 << 27,
};
const _: () = assert!(MAX_CELLS.most as u128 == MAX_TREE_CELLS);

/// Options of [MST](crate::Method::Mst).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MstOptions {
    /// Pairs whose tables have more cells are not considered: from 1 to 2^27.
    pub max_cells: u64,
}

impl Default for MstOptions {
    fn default() -> MstOptions {
        MstOptions { max_cells: 1 << 22 }
    }
}

impl MstOptions {
    pub(crate) fn read(params: &Map<String, Value>) -> Result<MstOptions, ParameterError> {
        let [max_cells] = whole_numbers(NAME, params, [&MAX_CELLS], "it has `max_cells`")?;
        let default = MstOptions::default();
        Ok(MstOptions {
            max_cells: max_cells.unwrap_or(default.max_cells),
        })
    }
}

impl Mechanism for MstOptions {
    // Edges are chosen by the exponential mechanism, which the ledger's GDP does not account for.
    fn accounting(&self) -> Accounting {
        Accounting::Zcdp
    }

    fn check_options(&self) -> Result<(), ParameterError> {
        MAX_CELLS.check(NAME, self.max_cells).map(drop)
    }

    /// A third goes into columns.
    fn parts(&self, sizes: &[usize]) -> f64 {
        3.0 * parts_of_columns(sizes)
    }

    fn prepare(&self, _: &Schema, _: &Workload) -> Result<Box<dyn PreparedFit>, PlanError> {
        Ok(Box::new(*self))
    }
}

impl PreparedFit for MstOptions {
    fn fit(
        self: Box<Self>,
        run: &mut Run<'_>,
        _: Option<&PublicPrior>,
    ) -> Result<Fitted, FitError> {
        fit(run, self.max_cells)
    }
}

fn fit(run: &mut Run<'_>, max_cells: u64) -> Result<Fitted, FitError> {
    let whole = run.ledger.remaining();
    let constraints = Constraints::new(run.schema());
    let pairs = pairs_within(run.schema(), &constraints, max_cells);
    let edges = spanning_edges(&pairs, Forest::new(run.schema(), &constraints));
    if edges == 0 {
        // No pair to choose from: all there is to know is the columns.
        let columns = Columns::measure(run, whole)?;
        let field = columns.independent(run)?;
        return Ok(columns.into_fitted(field));
    }
    let third = whole.share(1, 3);
    // Of all that there is, and not of what is left of earlier steps: thirds are the paper's.
    let mut columns = Columns::measure(run, third)?;
    let independent = columns.independent(run)?;
    let noise = NoisePerCell::new(run.ledger, whole, third, edges);
    let scores = scores(run, &columns, &independent, &pairs, noise)?;
    let forest = Forest::new(run.schema(), &constraints);
    // The same scores for all edges: the model of independent columns does not change while the
    // tree grows, so that exact counts are read once.
    let tree = choose_tree(run, third, &pairs, &scores, edges, forest)?;
    let weighted: Vec<(Clique, f64)> = tree.into_iter().map(|pair| (pair, 1.0)).collect();
    let rest = run.ledger.remaining();
    let compressions = &columns.compressions;
    let counts =
        |run: &Run<'_>, pair: &Clique| Ok(compressed(run.count_one(pair)?, pair, compressions));
    let measured = run.measure("measuring pairs", rest, &weighted, counts)?;
    columns.measured.extend(measured);
    let field = fit_tree(run, &columns, &independent)?;
    Ok(columns.into_fitted(field))
}

/// The expected absolute noise in a cell of a tree's pair.
#[derive(Clone, Copy)]
struct NoisePerCell(f64);

impl NoisePerCell {
    fn new(ledger: &Ledger, whole: Rho, third: Rho, edges: usize) -> NoisePerCell {
        let rest = [third; 2]
            .into_iter()
            .try_fold(whole, Rho::checked_sub)
            .expect("two thirds are at most the whole");
        let sigma = ledger.sigma(rest) * (edges as f64).sqrt();
        // E|N(0, s)| = s sqrt(2 / pi), with the budget split evenly among the edges.
        NoisePerCell(sigma * std::f64::consts::FRAC_2_PI.sqrt())
    }
}

/// All pairs of columns whose tables are within bounds, and neither of which follows from the
/// other: public facts. Whatever tree is chosen from them, it fits into memory.
fn pairs_within(schema: &Schema, constraints: &Constraints, max_cells: u64) -> Vec<Clique> {
    let sizes = schema.sizes();
    let edges = sizes.len().saturating_sub(1).max(1) as u128;
    // In cells a pair at most, so that any tree of them stays within the bound, whichever is
    // chosen.
    // The other half is for the constraints.
    let most = u128::from(max_cells).min(MAX_TREE_CELLS / 2 / edges);
    let fits = |a: usize, b: usize| (sizes[a] as u128) * (sizes[b] as u128) <= most;
    let pairs = (0..sizes.len()).flat_map(|a| (a + 1..sizes.len()).map(move |b| (a, b)));
    pairs
        .filter(|&(a, b)| fits(a, b))
        .map(|(a, b)| Clique::new([a, b]))
        .filter(|pair| !constraints.hold(pair) || constraints.leave_open(pair))
        .collect()
}

/// Edges of a spanning forest of the pairs.
fn spanning_edges(pairs: &[Clique], mut forest: Forest<'_>) -> usize {
    let taken = |pair: &&Clique| {
        let open = forest.is_open(pair);
        forest.take(pair);
        open
    };
    pairs.iter().filter(taken).count()
}

/// How far each pair is from independent, beyond what its measurement's noise would hide.
fn scores(
    run: &mut Run<'_>,
    columns: &Columns,
    independent: &MarkovRandomField,
    pairs: &[Clique],
    noise: NoisePerCell,
) -> Result<Vec<Score>, FitError> {
    /// Cells that are counted together: enough to share a pass over the rows, few enough for
    /// memory.
    const BATCH_CELLS: usize = 1 << 22;
    let sizes = run.schema().sizes();
    // Products of these give a pair's model without a table per pair from the field.
    let alone: Vec<Vec<f64>> = (0..sizes.len())
        .map(|a| independent.marginal(&Clique::new([a])))
        .collect::<Result<_, _>>()?;
    let cells: Vec<usize> = pairs
        .iter()
        .map(|pair| pair.iter().map(|a| sizes[a]).product())
        .collect();
    let mut scores = Vec::with_capacity(pairs.len());
    for batch in batches(&cells, BATCH_CELLS) {
        run.at("scoring pairs", scores.len(), pairs.len())?;
        let batch = &pairs[batch];
        for (pair, counts) in batch.iter().zip(run.count(batch)?) {
            let counts = compressed(counts, pair, &columns.compressions);
            let model = match columns.constraints.hold(pair) {
                // Columns that a constraint ties are not independent in the model, and so not
                // scored as if they were.
                true => independent.marginal(pair)?,
                false => product(pair, &alone, columns.total),
            };
            scores.push(
                counts
                    .l1_distance(&model)
                    .less(noise.0 * model.len() as f64),
            );
        }
    }
    Ok(scores)
}

/// Counts of a pair if its columns were independent.
fn product(pair: &Clique, alone: &[Vec<f64>], total: f64) -> Vec<f64> {
    let [a, b] = pair.attributes() else {
        unreachable!("a pair has two columns")
    };
    alone[*a]
        .iter()
        .flat_map(|x| alone[*b].iter().map(move |y| x * y / total))
        .collect()
}

/// A pair's counts over the model's codes.
fn compressed(counts: Counts, pair: &Clique, compressions: &[Compression]) -> Counts {
    let [a, b] = pair.attributes() else {
        unreachable!("a pair has two columns")
    };
    let (first, second) = (&compressions[*a], &compressions[*b]);
    if first.size() == first.full_size() && second.size() == second.full_size() {
        return counts;
    }
    let columns = u32::try_from(second.size()).expect("a column has fewer than 2^32 codes");
    let (rows_map, columns_map) = (first.map(), second.map());
    let map: Vec<u32> = rows_map
        .iter()
        .flat_map(|row| columns_map.iter().map(move |column| row * columns + column))
        .collect();
    counts.merge_cells(&map, first.size() * second.size())
}

/// Kruskal's algorithm, each edge chosen privately among those that join two components.
fn choose_tree(
    run: &mut Run<'_>,
    rho: Rho,
    pairs: &[Clique],
    scores: &[Score],
    edges: usize,
    mut forest: Forest<'_>,
) -> Result<Vec<Clique>, FitError> {
    let shares = rho
        .split(&vec![1.0; edges])
        .expect("there is an edge to pay for");
    let mut tree = Vec::with_capacity(edges);
    // As in the paper, an edge costs the same however many are open.
    let mut open: Vec<usize> = (0..pairs.len()).collect();
    for (round, rho) in shares.into_iter().enumerate() {
        run.at("choosing pairs", round, edges)?;
        // By components and not by a bound on the tree: a forest of pairs has no table larger than
        // a pair's.
        open.retain(|&i| forest.is_open(&pairs[i]));
        let candidates = open.iter().map(|&i| scores[i].clone()).collect();
        let chosen = run
            .ledger
            .select("the next pair of columns", candidates, rho, run.rng)?;
        let pair = &pairs[open[chosen]];
        forest.take(pair);
        tree.push(pair.clone());
    }
    Ok(tree)
}

/// Starts from independent columns and stops where the loss is somewhat below that of the truth.
fn fit_tree(
    run: &mut Run<'_>,
    columns: &Columns,
    independent: &MarkovRandomField,
) -> Result<MarkovRandomField, FitError> {
    /// Of the loss that the true counts have in expectation, half the number of cells. The
    /// marginals of a good fit stay about this close to the noise; 0.5 to 0.7 did best on the Adult
    /// table.
    const SHARE_OF_EXPECTED_LOSS: f64 = 0.6;
    // In the model's codes: merged ones cost as many cells as they have there, not in the table.
    let model_cells = |clique: &Clique| columns.domain.cells(clique) as f64;
    let cells: f64 = columns
        .measured
        .iter()
        .map(|m| model_cells(&m.columns))
        .sum();
    let options = EstimationOptions {
        total: Some(columns.total),
        warm_start: Some(independent),
        target_loss: SHARE_OF_EXPECTED_LOSS * cells / 2.0,
        ..EstimationOptions::default()
    };
    columns.estimate(run, "fitting pairs", &columns.measured, &options)
}

/// A growing forest of pairs over the constraints. Two columns that constraints connect are related
/// already, and a second path between them would make larger cliques; so a pair is open if it
/// connects what neither pairs nor constraints do, or lies within a constraint, whose table a model
/// holds anyway, and connects what pairs alone do not.
struct Forest<'a> {
    constraints: &'a Constraints,
    by_pairs: Components,
    by_all: Components,
}

impl<'a> Forest<'a> {
    fn new(schema: &Schema, constraints: &'a Constraints) -> Forest<'a> {
        let columns = schema.columns().len();
        let mut by_all = Components::new(columns);
        for clique in constraints.cliques() {
            for two in clique.attributes().windows(2) {
                by_all.join(&Clique::new(two.iter().copied()));
            }
        }
        Forest {
            constraints,
            by_pairs: Components::new(columns),
            by_all,
        }
    }

    fn is_open(&self, pair: &Clique) -> bool {
        match self.constraints.hold(pair) {
            true => !self.by_pairs.joined(pair),
            false => !self.by_all.joined(pair),
        }
    }

    fn take(&mut self, pair: &Clique) {
        if self.is_open(pair) {
            self.by_pairs.join(pair);
            self.by_all.join(pair);
        }
    }
}

/// Which columns are connected.
struct Components {
    of: Vec<usize>,
}

impl Components {
    fn new(columns: usize) -> Components {
        Components {
            of: (0..columns).collect(),
        }
    }

    fn joined(&self, pair: &Clique) -> bool {
        let mut components = pair.iter().map(|a| self.of[a]);
        components.next() == components.next()
    }

    /// Connects the pair; whether it was not connected before.
    fn join(&mut self, pair: &Clique) -> bool {
        if self.joined(pair) {
            return false;
        }
        let [a, b] = pair.attributes() else {
            unreachable!("a pair has two columns")
        };
        let (kept, gone) = (self.of[*a], self.of[*b]);
        self.of
            .iter_mut()
            .filter(|of| **of == gone)
            .for_each(|of| *of = kept);
        true
    }
}

#[cfg(test)]
mod tests {
    use schema::Declaration;

    use super::*;

    #[test]
    fn a_spanning_forest_has_one_edge_less_than_columns_for_each_component() {
        let edges = |list: &[[usize; 2]], constraints: &str| {
            let columns: String = (0..6)
                .map(|i| format!("c{i}: {{categories: [x, y]}}\n"))
                .collect();
            let yaml = format!("{columns}constraints: {constraints}");
            let schema = Schema::new(Declaration::from_yaml(&yaml).unwrap()).unwrap();
            let pairs: Vec<Clique> = list.iter().map(|&pair| Clique::new(pair)).collect();
            let constraints = Constraints::new(&schema);
            spanning_edges(&pairs, Forest::new(&schema, &constraints))
        };
        let pairs = [[0, 1], [1, 2], [0, 2], [3, 4]];
        assert_eq!(edges(&pairs, "[]"), 3);
        assert_eq!(edges(&[], "[]"), 0);
        // 0 and 2 hang together already: of them and 1 one pair is left, besides the two
        // themselves.
        let within = "[{impossible: {c0: [x], c2: [x]}}]";
        assert_eq!(edges(&pairs, within), 3);
        assert_eq!(edges(&[[0, 1], [1, 2]], within), 1);
    }

    #[test]
    fn pairs_are_counted_over_the_codes_of_the_model() {
        let rare = Compression::from_noisy_counts(&[100.0, 1.0, 2.0], 10.0);
        let counts = Counts::from_exact((1..=6).collect());
        let merged = compressed(counts, &Clique::new([0, 1]), &[Compression::none(2), rare]);
        assert_eq!(merged.dangerous_reveal(), [1, 5, 4, 11]);
    }
}
