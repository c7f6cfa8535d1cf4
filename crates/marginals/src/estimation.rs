use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::inference::{Network, conditional};
use crate::propagation::Tables;
use crate::{
    Clique, Domain, Error, Factor, JunctionTree, MAX_TREE_CELLS, MarkovRandomField, Measurement,
    TreeNode, estimate_total,
};

/// How [`estimate`] goes about it.
#[derive(Debug, Clone, Copy)]
pub struct EstimationOptions<'a> {
    /// Number of records; estimated from the measurements if not given.
    pub total: Option<f64>,
    /// The model to start from. The junction tree also holds the cliques of its factors, unless
    /// they would more than double the tree; then it is projected onto the tree. Combinations it
    /// holds impossible stay impossible, after a projection as far as one node holds their
    /// attributes.
    pub warm_start: Option<&'a MarkovRandomField>,
    /// Cliques that the junction tree holds besides the measured ones.
    pub structure: &'a [Clique],
    /// Most passes of belief propagation.
    pub max_iterations: usize,
    /// Stop when 20 iterations together lower the loss by less than this fraction of it.
    pub tolerance: f64,
    /// Stop at this loss. The true marginals have an expected loss of half the number of measured
    /// cells; fitting much closer than that fits the noise.
    pub target_loss: f64,
}

impl Default for EstimationOptions<'_> {
    fn default() -> Self {
        EstimationOptions {
            total: None,
            warm_start: None,
            structure: &[],
            max_iterations: 2000,
            tolerance: 1e-4,
            target_loss: 0.0,
        }
    }
}

/// The outcome of [`estimate`].
#[derive(Debug, Clone)]
pub struct Estimate {
    /// The model whose marginals fit the measurements.
    pub model: MarkovRandomField,
    /// Loss at the start and after each iteration; never increasing.
    pub losses: Vec<f64>,
    /// How many passes of belief propagation it took.
    pub passes: usize,
}

/// Finds the Markov random field whose marginals `mu` minimise the sum over all measurements and
/// cells of `(mu - value)^2 / (2 sigma^2)`. Among equally good ones it tends to the one of largest
/// entropy relative to the start (the warm start, or the uniform distribution).
///
/// The method is an accelerated Bregman proximal gradient descent with the entropy of the joint
/// distribution as mirror map (after Hanzely, Richtarik and Xiao, arXiv:1808.03045), where the
/// smoothness constant follows the curvature met on the way: it starts at its bound, total^2 times
/// the sum of the measurements' largest weights, and shrinks from there. Because the loss is
/// quadratic, the step along each segment is exact, and so the loss never grows. One pass of belief
/// propagation an iteration, one more where the constant was too small.
///
/// # Errors
/// If a measurement or the warm start is of another domain, the total is not positive, the junction
/// tree of the measured cliques has more than [`MAX_TREE_CELLS`] cells, or the warm start makes
/// every combination impossible.
pub fn estimate(
    domain: &Domain,
    measurements: &[Measurement],
    options: &EstimationOptions<'_>,
) -> Result<Estimate, Error> {
    estimate_watched(domain, measurements, options, &mut |_, _| {
        ControlFlow::Continue(())
    })
}

/// [`estimate`], calling `watch` with the passes done and the loss after each iteration.
///
/// # Errors
/// Also [`Error::Cancelled`] if `watch` breaks.
pub fn estimate_watched(
    domain: &Domain,
    measurements: &[Measurement],
    options: &EstimationOptions<'_>,
    watch: &mut dyn FnMut(usize, f64) -> ControlFlow<()>,
) -> Result<Estimate, Error> {
    let (problem, network) = Problem::new(domain, measurements, options)?;
    // The best mixture is returned, not the last model of the sequence, whose loss may rise
    // between.
    let mut descent = Descent::start(&problem, network)?;
    let mut losses = vec![problem.loss(&descent.best)];
    let mut loss = losses[0];
    while descent.passes < options.max_iterations
        && loss > options.target_loss
        && !settled(&losses, options.tolerance)
    {
        descent.advance(&problem)?;
        loss = problem.loss(&descent.best);
        losses.push(loss);
        if watch(descent.passes, loss).is_break() {
            return Err(Error::Cancelled);
        }
    }
    let factors = descent.network.conditionals(domain, &descent.best_tables)?;
    let model = MarkovRandomField::new(domain.clone(), factors, problem.total)?;
    Ok(Estimate {
        model,
        losses,
        passes: descent.passes,
    })
}

// Over a window: an accelerated method stalls for some steps and goes on.
fn settled(losses: &[f64], tolerance: f64) -> bool {
    const WINDOW: usize = 20;
    let Some(before) = losses.len().checked_sub(WINDOW + 1) else {
        return false;
    };
    let last = losses[losses.len() - 1];
    losses[before] - last <= tolerance * last
}

/// For each measured clique a vector over its cells.
type Vectors = Vec<Vec<f64>>;

/// A measured clique and what was measured.
struct Term {
    values: Vec<f64>,
    weights: Vec<f64>,
}

/// The loss, as a function of the probabilities of the measured cells.
struct Problem {
    terms: Vec<Term>,
    total: f64,
    /// What measurements of the same clique disagree among themselves; no model can lower it.
    disagreement: f64,
}

impl Problem {
    /// The problem, and the network of its measured cliques.
    fn new(
        domain: &Domain,
        measurements: &[Measurement],
        options: &EstimationOptions<'_>,
    ) -> Result<(Problem, Network), Error> {
        for clique in options.structure {
            domain.check(clique)?;
        }
        let total = options
            .total
            .unwrap_or_else(|| estimate_total(measurements));
        if !(total > 0.0 && total.is_finite()) {
            return Err(Error::BadTotal);
        }
        let mut merged: BTreeMap<&Clique, Measurement> = BTreeMap::new();
        // Measurements of one clique are merged: one term a clique keeps a pass at the cost of its
        // cells.
        let mut disagreement = 0.0;
        for measurement in measurements {
            measurement.check(domain)?;
            match merged.get_mut(measurement.clique()) {
                Some(first) => disagreement += first.merge(measurement),
                None => drop(merged.insert(measurement.clique(), measurement.clone())),
            }
        }
        let cliques: Vec<Clique> = merged.keys().map(|&clique| clique.clone()).collect();
        let network = network(domain, &cliques, options)?;
        let term = |measurement: Measurement| {
            let (values, weights) = measurement.into_values_and_weights();
            Term { values, weights }
        };
        let terms = merged.into_values().map(term).collect();
        let problem = Problem {
            terms,
            total,
            disagreement,
        };
        Ok((problem, network))
    }

    fn zeros(&self) -> Vectors {
        let zeros = |term: &Term| vec![0.0; term.values.len()];
        self.terms.iter().map(zeros).collect()
    }

    // The loss in counts and not in probabilities, so that a sigma is one of rows.
    fn loss(&self, measured: &Vectors) -> f64 {
        let term_loss = |(term, p): (&Term, &Vec<f64>)| -> f64 {
            let cells = term.values.iter().zip(&term.weights).zip(p);
            cells
                .map(|((y, w), p)| 0.5 * w * (self.total * p - y).powi(2))
                .sum()
        };
        self.terms.iter().zip(measured).map(term_loss).sum::<f64>() + self.disagreement
    }

    fn gradient(&self, measured: &Vectors) -> Vectors {
        let term_gradient = |(term, p): (&Term, &Vec<f64>)| {
            let cells = term.values.iter().zip(&term.weights).zip(p);
            cells
                .map(|((y, w), p)| self.total * w * (self.total * p - y))
                .collect()
        };
        self.terms.iter().zip(measured).map(term_gradient).collect()
    }

    /// How much the loss exceeds its linearisation at `from` when moving to `to`.
    fn excess(&self, from: &Vectors, to: &Vectors) -> f64 {
        let term_excess = |(term, (a, b)): (&Term, (&Vec<f64>, &Vec<f64>))| -> f64 {
            let cells = term.weights.iter().zip(a.iter().zip(b));
            cells
                .map(|(w, (a, b))| 0.5 * w * (self.total * (b - a)).powi(2))
                .sum()
        };
        self.terms
            .iter()
            .zip(from.iter().zip(to))
            .map(term_excess)
            .sum()
    }

    /// The largest excess over half the squared L1 distance of two joint distributions.
    fn smoothness_bound(&self) -> f64 {
        // A marginal is no further from another in L1 than the joint distributions are, and no
        // cell's change is larger than their sum: no curvature is above this.
        let largest_weight = |term: &Term| term.weights.iter().copied().fold(0.0, f64::max);
        self.total.powi(2) * self.terms.iter().map(largest_weight).sum::<f64>()
    }
}

/// The network of the measured cliques and the structure that has the warm start's model where all
/// potentials are zero.
///
/// The model's own factors are taken where they fit: where its cliques at most double the tree.
/// Otherwise it is projected onto the tree; where memory does not hold the tables between the two
/// trees, only what it holds to be impossible within the structure is kept.
fn network(
    domain: &Domain,
    cliques: &[Clique],
    options: &EstimationOptions<'_>,
) -> Result<Network, Error> {
    // A warm start may have cliques that were dropped since; its own tree is looked at before it is
    // given up.
    let mut held: Vec<Clique> = cliques.iter().chain(options.structure).cloned().collect();
    let tree = JunctionTree::new(domain, &held);
    check_size(domain, &tree)?;
    let Some(model) = options.warm_start else {
        return Ok(Network::new(domain, &tree, cliques, &[]));
    };
    if model.domain() != domain {
        return Err(Error::OtherDomain);
    }
    let factors = model.potentials();
    held.extend(factors.iter().map(|factor| factor.clique().clone()));
    let larger = JunctionTree::new(domain, &held);
    // Twice, not any size: a larger tree slows down every pass, a projection is made once.
    if larger.cells(domain) <= tree.cells(domain).saturating_mul(2).min(MAX_TREE_CELLS) {
        return Ok(Network::new(domain, &larger, cliques, factors));
    }
    // What a projection loses is only a start; impossible cells must not be lost, since no pass
    // makes a cell impossible again.
    let start = match projection(domain, &tree, model) {
        Err(Error::TooLarge { .. }) => supports(domain, options.structure, model),
        projected => projected,
    }?;
    Ok(Network::new(domain, &tree, cliques, &start))
}

fn check_size(domain: &Domain, tree: &JunctionTree) -> Result<(), Error> {
    let (cells, limit) = (tree.cells(domain), MAX_TREE_CELLS);
    if cells > limit {
        Err(Error::TooLarge { cells, limit })
    } else {
        Ok(())
    }
}

// A tree's conditionals multiply to a distribution without any division by a separator.
/// For each node of a tree the conditional given its separator under a model, whose tree may be
/// another.
fn projection(
    domain: &Domain,
    tree: &JunctionTree,
    model: &MarkovRandomField,
) -> Result<Vec<Factor>, Error> {
    let conditional = |node: &TreeNode| {
        let marginal = model.marginal(node.clique())?;
        conditional(domain, node.clique(), node.separator(), marginal)
    };
    tree.nodes().iter().map(conditional).collect()
}

/// For each clique a factor that rules out what a model rules out.
fn supports(
    domain: &Domain,
    cliques: &[Clique],
    model: &MarkovRandomField,
) -> Result<Vec<Factor>, Error> {
    let support = |clique: &Clique| {
        let log = |count: f64| if count > 0.0 { 0.0 } else { f64::NEG_INFINITY };
        let logs = model.marginal(clique)?.into_iter().map(log).collect();
        Factor::new(domain, clique.clone(), logs)
    };
    cliques.iter().map(support).collect()
}

/// The state of the accelerated descent: a sequence of models, and the mixture of them that is the
/// answer.
struct Descent {
    network: Network,
    /// Logarithms of the potentials of the current model of the sequence.
    potentials: Vectors,
    /// Its probabilities of the measured cells.
    current: Vectors,
    /// Those of the best mixture so far.
    best: Vectors,
    /// And its probabilities of the tree's nodes.
    best_tables: Tables,
    smoothness: f64,
    /// Sum of all step lengths so far.
    travelled: f64,
    passes: usize,
}

impl Descent {
    fn start(problem: &Problem, mut network: Network) -> Result<Descent, Error> {
        let potentials = problem.zeros();
        let mut current = problem.zeros();
        network.pass(&potentials, &mut current)?;
        // Where the descent starts is a point like any other, so that a fit of no passes returns
        // the warm start.
        Ok(Descent {
            best_tables: network.tables().map(<[f64]>::to_vec).collect(),
            best: current.clone(),
            current,
            potentials,
            network,
            smoothness: problem.smoothness_bound(),
            travelled: 0.0,
            passes: 1,
        })
    }

    fn advance(&mut self, problem: &Problem) -> Result<(), Error> {
        /// How fast the constant is allowed to follow a lower curvature, and the margin kept above
        /// it.
        const SHRINK: f64 = 0.7;
        const MARGIN: f64 = 1.2;
        loop {
            // The length s solves smoothness * s^2 = travelled + s.
            let step = (1.0 + (1.0 + 4.0 * self.smoothness * self.travelled).sqrt())
                / (2.0 * self.smoothness);
            let share = step / (self.travelled + step);
            let between = self.mixture(share);
            let gradient = problem.gradient(&between);
            // Potentials live on the measured cliques only: all that a gradient can move.
            let mut potentials = self.potentials.clone();
            for (potential, gradient) in potentials.iter_mut().zip(&gradient) {
                let cells = potential.iter_mut().zip(gradient);
                cells.for_each(|(log, slope)| *log -= step * slope);
            }
            let mut measured = problem.zeros();
            self.network.pass(&potentials, &mut measured)?;
            self.passes += 1;
            // Half the symmetric divergence: unlike either one-sided divergence it can be had
            // without cancellation.
            let divergence =
                0.5 * step * (dot(&gradient, &self.current) - dot(&gradient, &measured)).max(0.0);
            let divergence = if divergence > 0.0 {
                divergence
            } else {
                f64::MIN_POSITIVE
            };
            // Curvature as met on this step. The bound holds for all pairs of models and is far too
            // large for most.
            let curvature = problem.excess(&self.current, &measured) / divergence;
            // What is not a number compares false: it must not keep this loop going.
            if curvature <= self.smoothness * 1.0001 || !curvature.is_finite() {
                self.travelled += step;
                let lowest = self.smoothness * SHRINK;
                self.smoothness = if curvature.is_finite() {
                    lowest.max(curvature * MARGIN)
                } else {
                    lowest
                };
                self.accept(problem, potentials, measured);
                return Ok(());
            }
            // At least by half, so that few passes are lost where the guess was far off.
            self.smoothness = (curvature * 1.1).max(self.smoothness * 1.5);
        }
    }

    /// Measured cells of the mixture of the best and the current point.
    fn mixture(&self, share: f64) -> Vectors {
        let mut mixture = self.best.clone();
        approach(&mut mixture, self.current.iter().map(Vec::as_slice), share);
        mixture
    }

    /// Moves to the model last tried, and the mixture to the best point on the segment towards it.
    fn accept(&mut self, problem: &Problem, potentials: Vectors, measured: Vectors) {
        self.potentials = potentials;
        self.current = measured;
        // The mixture's loss is quadratic along the segment: its least point is known without a
        // search.
        let gradient = problem.gradient(&self.best);
        let slope = dot(&gradient, &self.current) - dot(&gradient, &self.best);
        let excess = problem.excess(&self.best, &self.current);
        if slope < 0.0 && excess > 0.0 {
            // Never beyond the goal: the mixture must stay a distribution.
            let share = (-slope / (2.0 * excess)).min(1.0);
            approach(
                &mut self.best,
                self.current.iter().map(Vec::as_slice),
                share,
            );
            approach(&mut self.best_tables, self.network.tables(), share);
        }
    }
}

/// Moves the fraction `share` of the way to `goal`.
fn approach<'a>(point: &mut [Vec<f64>], goal: impl Iterator<Item = &'a [f64]>, share: f64) {
    for (point, goal) in point.iter_mut().zip(goal) {
        let cells = point.iter_mut().zip(goal);
        cells.for_each(|(x, y)| *x += share * (y - *x));
    }
}

fn dot(a: &Vectors, b: &Vectors) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>())
        .sum()
}
