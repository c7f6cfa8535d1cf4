"""MST (arXiv 2108.04978) and AIM (arXiv 2201.12677) over the public interface of mbi 2.0.0.

That release ships estimation and sampling but no mechanism. What is here follows the papers and leaves estimation and
sampling to mbi, so what is timed is mbi. Each measures with Gaussian noise, selects with the exponential mechanism, and
spends at most the rho of zero-concentrated privacy that gives (epsilon, delta). Noise is NumPy's, in floating point:
good for a comparison, not for a release.
"""

import itertools
import math

import numpy as np
from mbi import LinearMeasurement, estimation, junction_tree


def zcdp_rho(epsilon, delta):
    """The largest rho for which rho-zCDP implies (epsilon, delta), by Canonne, Kamath and Steinke 2020, Proposition 12."""
    alphas = 1 + np.logspace(-4, 6, 4001)

    def log_delta(rho):
        return np.min((alphas - 1) * (alphas * rho - epsilon + np.log1p(-1 / alphas)) - np.log(alphas))

    low, high = 0.0, epsilon + 1.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if log_delta(middle) <= math.log(delta) else (low, middle)
    return low


class Measured:
    """The data, what has been measured of it, and the model that fits the measurements best."""

    def __init__(self, data, iterations, seed):
        self.data, self.iterations = data, iterations
        self.rng = np.random.default_rng(seed)
        self.measurements, self.model = [], None

    def truth(self, clique):
        return np.asarray(self.data.project(clique).datavector())

    def estimate(self, clique):
        return np.asarray(self.model.project(clique).datavector())

    def error(self, clique):
        return np.abs(self.truth(clique) - self.estimate(clique)).sum()

    def measure(self, clique, sigma):
        exact = self.truth(clique)
        noisy = exact + self.rng.normal(0, sigma, exact.size)
        self.measurements.append(LinearMeasurement(noisy, clique, stddev=float(sigma)))

    def fit(self):
        self.model = estimation.MirrorDescent().estimate(
            self.data.domain, self.measurements, iters=self.iterations, warm_start=self.model
        )

    def select(self, candidates, scores, epsilon, sensitivity):
        """The exponential mechanism."""
        logits = 0.5 * epsilon / sensitivity * (np.asarray(scores) - np.max(scores))
        chances = np.exp(logits)
        return candidates[self.rng.choice(len(candidates), p=chances / chances.sum())]


def mst(data, epsilon, delta, seed, iterations=2500):
    """A third of rho each for the 1-ways, for choosing a spanning tree, and for its edges."""
    rho = zcdp_rho(epsilon, delta)
    state, columns = Measured(data, iterations, seed), list(data.domain.attributes)
    for column in columns:
        state.measure((column,), math.sqrt(3 * len(columns) / (2 * rho)))
    state.fit()
    tree = spanning_tree(state, columns, math.sqrt(8 * (rho / 3) / (len(columns) - 1)))
    for pair in tree:
        state.measure(pair, math.sqrt(3 * len(tree) / (2 * rho)))
    state.fit()
    return state.model


def spanning_tree(state, columns, epsilon):
    pairs = list(itertools.combinations(columns, 2))
    scores = {pair: state.error(pair) for pair in pairs}
    component, tree = {column: column for column in columns}, []
    while len(tree) < len(columns) - 1:
        joining = [(a, b) for a, b in pairs if component[a] != component[b]]
        a, b = state.select(joining, [scores[pair] for pair in joining], epsilon, 1.0)
        tree.append((a, b))
        component = {c: component[a] if part == component[b] else part for c, part in component.items()}
    return tree


def aim(data, epsilon, delta, seed, rounds=None, max_model_mb=80, max_cells=10_000, iterations=1000):
    """AIM for the workload of all pairs of at most `max_cells` cells. By default 16 rounds a column."""
    rho, domain = zcdp_rho(epsilon, delta), data.domain
    columns = list(domain.attributes)
    state = Measured(data, iterations, seed)
    workload = [pair for pair in itertools.combinations(columns, 2) if domain.size(pair) <= max_cells]
    candidates = [(column,) for column in columns] + workload
    weight = {c: sum(len(set(c) & set(w)) for w in workload) for c in candidates}
    rounds = rounds or 16 * len(columns)
    sigma, step_epsilon = math.sqrt(rounds / (2 * 0.9 * rho)), math.sqrt(8 * 0.1 * rho / rounds)
    for column in columns:
        state.measure((column,), sigma)
    spent = len(columns) / (2 * sigma**2)
    if spent >= rho:
        raise SystemExit(f"{rounds} rounds are too few for {len(columns)} columns")
    state.fit()
    last = False
    while not last:
        if rho - spent < 2 * (1 / (2 * sigma**2) + step_epsilon**2 / 8):
            left, last = rho - spent, True
            sigma, step_epsilon = math.sqrt(1 / (2 * 0.9 * left)), math.sqrt(8 * 0.1 * left)
        spent += 1 / (2 * sigma**2) + step_epsilon**2 / 8
        allowed = small_enough(candidates, state.model, domain, max_model_mb * spent / rho)
        bias = math.sqrt(2 / math.pi) * sigma
        scores = [weight[c] * (state.error(c) - bias * domain.size(c)) for c in allowed]
        picked = state.select(allowed, scores, step_epsilon, max(weight[c] for c in allowed))
        before = state.estimate(picked)
        state.measure(picked, sigma)
        state.fit()
        if np.abs(state.estimate(picked) - before).sum() <= bias * domain.size(picked):
            sigma, step_epsilon = sigma / 2, step_epsilon * 2
    return state.model


def small_enough(candidates, model, domain, limit_mb):
    """Those that the model supports already, or whose addition keeps it within the limit."""
    cliques = list(model.cliques)
    supported = [set(clique) for clique in cliques]
    return [
        c
        for c in candidates
        if any(set(c) <= clique for clique in supported)
        or junction_tree.hypothetical_model_size(domain, [*cliques, c]) <= limit_mb
    ]
