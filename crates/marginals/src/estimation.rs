use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::alignment::Alignment;
use crate::propagation::{Layout, NodeLayout, Tables, axes};
use crate::{
    Clique, Domain, Error, Factor, JunctionTree, MAX_TREE_CELLS, MarkovRandomField, Measurement,
    estimate_total,
};

/// How [`estimate`] goes about it.
#[derive(Debug, Clone, Copy)]
pub struct EstimationOptions<'a> {
    /// Number of records; estimated from the measurements if not given.
    pub total: Option<f64>,
    /// The model to start from. Combinations it holds impossible stay impossible, as far as one node of the junction
    /// tree holds their attributes.
    pub warm_start: Option<&'a MarkovRandomField>,
    /// Cliques that the junction tree holds besides the measured ones.
    pub structure: &'a [Clique],
    /// Most passes of belief propagation.
    pub max_iterations: usize,
    /// Stop when 20 iterations together lower the loss by less than this fraction of it.
    pub tolerance: f64,
    /// Stop at this loss. The true marginals have an expected loss of half the number of measured cells; fitting
    /// much closer than that fits the noise.
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

/// What [`estimate`] found.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// The fitted model.
    pub model: MarkovRandomField,
    /// Loss at the start and after each iteration; never increasing.
    pub losses: Vec<f64>,
    /// Passes of belief propagation.
    pub passes: usize,
}

/// Finds the Markov random field whose marginals `mu` minimise the sum over all measurements and cells of
/// `(mu - value)^2 / (2 sigma^2)`. Among equally good ones it tends to the one of largest entropy
/// relative to the start (the warm start, or the uniform distribution).
///
/// The method is an accelerated Bregman proximal gradient descent with the entropy of the joint distribution as mirror
/// map (after Hanzely, Richtarik and Xiao, arXiv:1808.03045), where the smoothness constant follows the curvature met on the
/// way: it starts at its bound, total^2 times the sum of the measurements' largest weights, and shrinks from there.
/// Because the loss is quadratic, the step along each segment is exact, and so the loss never grows. One pass of
/// belief propagation an iteration, one more where the constant was too small.
///
/// # Errors
/// If a measurement or the warm start is of another domain, the total is not positive, or the junction tree of
/// the measured cliques has more than [`MAX_TREE_CELLS`] cells.
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
    let problem = Problem::new(domain, measurements, options)?;
    let mut descent = Descent::start(&problem, options.warm_start)?;
    let mut losses = vec![problem.loss(&descent.best.measured)];
    let mut loss = losses[0];
    while descent.passes < options.max_iterations
        && loss > options.target_loss
        && !settled(&losses, options.tolerance)
    {
        descent.advance(&problem)?;
        loss = problem.loss(&descent.best.measured);
        losses.push(loss);
        if watch(descent.passes, loss).is_break() {
            return Err(Error::Cancelled);
        }
    }
    let model = problem.model(&descent.best.tables)?;
    Ok(Estimate {
        model,
        losses,
        passes: descent.passes,
    })
}

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

/// A measured clique: the tree node whose table it is read from, and what was measured.
struct Term {
    node: usize,
    alignment: Alignment,
    values: Vec<f64>,
    weights: Vec<f64>,
}

/// The loss, as a function of the probabilities of the measured cells.
struct Problem {
    domain: Domain,
    tree: JunctionTree,
    layout: Layout,
    terms: Vec<Term>,
    total: f64,
    /// What measurements of the same clique disagree among themselves; no model can lower it.
    disagreement: f64,
}

impl Problem {
    fn new(
        domain: &Domain,
        measurements: &[Measurement],
        options: &EstimationOptions<'_>,
    ) -> Result<Problem, Error> {
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
        let mut disagreement = 0.0;
        for measurement in measurements {
            measurement.check(domain)?;
            match merged.get_mut(measurement.clique()) {
                Some(first) => disagreement += first.merge(measurement),
                None => drop(merged.insert(measurement.clique(), measurement.clone())),
            }
        }
        let measured = merged.keys().copied();
        let cliques: Vec<Clique> = measured.chain(options.structure).cloned().collect();
        let tree = JunctionTree::new(domain, &cliques);
        let layout = Layout::new(domain, &tree, MAX_TREE_CELLS)?;
        let term = |measurement: Measurement| {
            let clique = measurement.clique();
            let node = tree
                .smallest_containing(domain, clique)
                .expect("the tree holds every measured clique");
            let alignment = Alignment::new(&layout.nodes[node].axes, &axes(domain, clique));
            let (values, weights) = measurement.into_values_and_weights();
            Term {
                node,
                alignment,
                values,
                weights,
            }
        };
        let terms = merged.into_values().map(term).collect();
        Ok(Problem {
            domain: domain.clone(),
            tree,
            layout,
            terms,
            total,
            disagreement,
        })
    }

    /// Probabilities of the measured cells.
    fn measured(&self, tables: &Tables) -> Vectors {
        let read = |term: &Term| {
            let mut sums = vec![0.0; term.values.len()];
            term.alignment.sum(&tables[term.node], &mut sums);
            sums
        };
        self.terms.iter().map(read).collect()
    }

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
        let largest_weight = |term: &Term| term.weights.iter().copied().fold(0.0, f64::max);
        self.total.powi(2) * self.terms.iter().map(largest_weight).sum::<f64>()
    }

    /// The model with the given node marginals: the product of each node's conditional given its separator.
    fn model(&self, marginals: &Tables) -> Result<MarkovRandomField, Error> {
        let factor = |((node, layout), cells): ((&crate::TreeNode, &NodeLayout), &Vec<f64>)| {
            let mut logs = cells.clone();
            log_conditionals(&mut logs, layout.columns);
            let mut in_order = vec![0.0; logs.len()];
            let alignment = Alignment::new(&layout.axes, &axes(&self.domain, node.clique()));
            alignment
                .map()
                .into_iter()
                .zip(logs)
                .for_each(|(at, log)| in_order[at] = log);
            Factor::new(&self.domain, node.clique().clone(), in_order)
        };
        let nodes = self
            .tree
            .nodes()
            .iter()
            .zip(&self.layout.nodes)
            .zip(marginals);
        let factors = nodes.map(factor).collect::<Result<Vec<Factor>, Error>>()?;
        MarkovRandomField::new(self.domain.clone(), factors, self.total)
    }

    /// Log-conditionals of every node under another model, in this layout.
    fn logs_of(&self, model: &MarkovRandomField) -> Result<Tables, Error> {
        if model.domain() != &self.domain {
            return Err(Error::OtherDomain);
        }
        let node_logs = |(node, layout): (&crate::TreeNode, &NodeLayout)| {
            let marginal = model.marginal(node.clique())?;
            let alignment = Alignment::new(&layout.axes, &axes(&self.domain, node.clique()));
            let mut logs: Vec<f64> = alignment.map().into_iter().map(|at| marginal[at]).collect();
            log_conditionals(&mut logs, layout.columns);
            Ok(logs)
        };
        self.tree
            .nodes()
            .iter()
            .zip(&self.layout.nodes)
            .map(node_logs)
            .collect()
    }
}

fn log_conditionals(cells: &mut [f64], columns: usize) {
    for row in cells.chunks_exact_mut(columns) {
        let mass: f64 = row.iter().sum();
        row.iter_mut().for_each(|p| {
            *p = if *p > 0.0 {
                (*p / mass).ln()
            } else {
                f64::NEG_INFINITY
            }
        });
    }
}

/// Marginals that belong to one distribution.
struct Point {
    /// Of the tree's nodes.
    tables: Tables,
    /// Of the measured cliques.
    measured: Vectors,
}

impl Point {
    /// Moves the fraction `share` of the way to `other`.
    fn approach(&mut self, other: &Point, share: f64) {
        let own = self.tables.iter_mut().chain(&mut self.measured);
        for (own, other) in own.zip(other.tables.iter().chain(&other.measured)) {
            own.iter_mut()
                .zip(other)
                .for_each(|(x, y)| *x += share * (y - *x));
        }
    }
}

/// The state of the accelerated descent: a sequence of models, and the mixture of them that is the answer.
struct Descent {
    /// Logarithms of the current model of the sequence.
    logs: Tables,
    /// Its marginals.
    current: Point,
    /// The best mixture so far.
    best: Point,
    smoothness: f64,
    /// Sum of all step lengths so far.
    travelled: f64,
    passes: usize,
    /// Reused memory.
    next_logs: Tables,
    scratch: Tables,
    next_tables: Tables,
}

impl Descent {
    fn start(problem: &Problem, warm_start: Option<&MarkovRandomField>) -> Result<Descent, Error> {
        let zeros = problem.layout.zeros();
        let logs = match warm_start {
            Some(model) => problem.logs_of(model)?,
            None => zeros.clone(),
        };
        let (mut scratch, mut tables) = (logs.clone(), zeros.clone());
        problem.layout.calibrate(&mut scratch, &mut tables)?;
        let measured = problem.measured(&tables);
        Ok(Descent {
            best: Point {
                tables: tables.clone(),
                measured: measured.clone(),
            },
            current: Point { tables, measured },
            smoothness: problem.smoothness_bound(),
            travelled: 0.0,
            passes: 1,
            next_logs: zeros.clone(),
            next_tables: zeros,
            scratch,
            logs,
        })
    }

    fn advance(&mut self, problem: &Problem) -> Result<(), Error> {
        /// How fast the constant is allowed to follow a lower curvature, and the margin kept above it.
        const SHRINK: f64 = 0.7;
        const MARGIN: f64 = 1.2;
        loop {
            // The length s solves smoothness * s^2 = travelled + s.
            let step = (1.0 + (1.0 + 4.0 * self.smoothness * self.travelled).sqrt())
                / (2.0 * self.smoothness);
            let share = step / (self.travelled + step);
            let between = self.mixture(share);
            let gradient = problem.gradient(&between);
            let measured = self.try_step(problem, step, &gradient)?;
            // Half the symmetric divergence: unlike either one-sided divergence it can be had without cancellation.
            let divergence = 0.5
                * step
                * (dot(&gradient, &self.current.measured) - dot(&gradient, &measured)).max(0.0);
            let divergence = if divergence > 0.0 {
                divergence
            } else {
                f64::MIN_POSITIVE
            };
            let curvature = problem.excess(&self.current.measured, &measured) / divergence;
            // What is not a number compares false: it must not keep this loop going.
            if curvature <= self.smoothness * 1.0001 || !curvature.is_finite() {
                self.travelled += step;
                let lowest = self.smoothness * SHRINK;
                self.smoothness = if curvature.is_finite() {
                    lowest.max(curvature * MARGIN)
                } else {
                    lowest
                };
                self.accept(problem, measured);
                return Ok(());
            }
            self.smoothness = (curvature * 1.1).max(self.smoothness * 1.5);
        }
    }

    /// Measured cells of the mixture of the best and the current point.
    fn mixture(&self, share: f64) -> Vectors {
        let mix = |(x, z): (&Vec<f64>, &Vec<f64>)| {
            x.iter().zip(z).map(|(x, z)| x + share * (z - x)).collect()
        };
        self.best
            .measured
            .iter()
            .zip(&self.current.measured)
            .map(mix)
            .collect()
    }

    /// Computes the model one mirror step away, and returns its measured cells.
    fn try_step(
        &mut self,
        problem: &Problem,
        step: f64,
        gradient: &Vectors,
    ) -> Result<Vectors, Error> {
        for (next, logs) in self.next_logs.iter_mut().zip(&self.logs) {
            next.copy_from_slice(logs);
        }
        for (term, gradient) in problem.terms.iter().zip(gradient) {
            term.alignment
                .add(&mut self.next_logs[term.node], -step, gradient);
        }
        for (scratch, logs) in self.scratch.iter_mut().zip(&self.next_logs) {
            scratch.copy_from_slice(logs);
        }
        problem
            .layout
            .calibrate(&mut self.scratch, &mut self.next_tables)?;
        self.passes += 1;
        Ok(problem.measured(&self.next_tables))
    }

    /// Moves to the model last tried, and the mixture to the best point on the segment towards it.
    fn accept(&mut self, problem: &Problem, measured: Vectors) {
        std::mem::swap(&mut self.logs, &mut self.next_logs);
        std::mem::swap(&mut self.current.tables, &mut self.next_tables);
        self.current.measured = measured;
        let gradient = problem.gradient(&self.best.measured);
        let slope = dot(&gradient, &self.current.measured) - dot(&gradient, &self.best.measured);
        let excess = problem.excess(&self.best.measured, &self.current.measured);
        if slope < 0.0 && excess > 0.0 {
            self.best
                .approach(&self.current, (-slope / (2.0 * excess)).min(1.0));
        }
    }
}

fn dot(a: &Vectors, b: &Vectors) -> f64 {
    a.iter()
        .zip(b)
        .map(|(a, b)| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>())
        .sum()
}
