"""Fits one peer's method to a table of codes and writes as many synthetic rows. Runs in the peer's own virtual environment.

    peer.py TASK.json

TASK has `peer`, `method`, `codes`, `domain`, `epsilon`, `delta`, `seed`, `output` and, for private-pgm, `checkout`.
"""

import functools
import importlib.util
import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

REDUCED_AIM = {"rounds": 28, "max_model_mb": 8}


def main():
    with open(sys.argv[1]) as file:
        task = json.load(file)
    with open(task["domain"]) as file:
        sizes = {column: entry["codes"] for column, entry in json.load(file).items()}
    table = pd.read_csv(task["codes"])[list(sizes)]
    np.random.seed(task["seed"])
    synthetic = PEERS[task["peer"]](task, table, sizes)
    synthetic[list(sizes)].to_csv(task["output"], index=False)


def mbi(task, table, sizes):
    import mbi
    import mbi_mechanisms

    data = mbi.Dataset({c: table[c].to_numpy() for c in sizes}, mbi.Domain(tuple(sizes), tuple(sizes.values())))
    budget = (task["epsilon"], task["delta"], task["seed"])
    if task["method"] == "MST":
        model = mbi_mechanisms.mst(data, *budget)
    else:
        model = mbi_mechanisms.aim(data, *budget, **(REDUCED_AIM if task["method"] == "AIM-28" else {}))
    return pd.DataFrame(model.synthetic_data(rows=len(table)).to_dict())


def private_pgm(task, table, sizes):
    import mbi

    draw_independently(mbi)
    data = mbi.Dataset(table, mbi.Domain.fromdict(sizes))
    if task["method"] == "MST":
        script = mechanism_script(task["checkout"], "mst")
        # It hands object columns to Dataset, which this version refuses.
        script.Dataset = lambda frame, domain: mbi.Dataset(frame.astype(int), domain)
        return script.MST(data, task["epsilon"], task["delta"]).df
    limits = {"rounds": 28, "max_model_size": 8} if task["method"] == "AIM-28" else {}
    aim = mechanism_script(task["checkout"], "aim").AIM(task["epsilon"], task["delta"], **limits)
    workload = [(pair, 1.0) for pair in itertools.combinations(sizes, 2) if data.domain.size(pair) <= 10_000]
    return aim.run(data, workload, num_synth_rows=len(table))[1].df


def draw_independently(mbi):
    """mbi 1.1.0 rounds without a shuffle within a group, which makes columns that share a parent depend on each other;
    independent rows are right, and the best it does."""
    draw = mbi.MarkovRandomField.synthetic_data
    mbi.MarkovRandomField.synthetic_data = lambda self, rows=None, **_: draw(self, rows, method="sample")


def mechanism_script(checkout, name):
    folder = Path(checkout) / "mechanisms"
    sys.path.insert(0, str(folder))
    specification = importlib.util.spec_from_file_location(name, folder / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def dpmm(task, table, sizes):
    from dpmm.pipelines.aim import AIMPipeline
    from dpmm.pipelines.mst import MSTPipeline

    pipeline = {"MST": MSTPipeline, "AIM": AIMPipeline}[task["method"]]
    model = pipeline(epsilon=task["epsilon"], delta=task["delta"], disable_processing=True, n_jobs=1)
    model.fit(table, domain=sizes, random_state=task["seed"])
    return model.generate(n_records=len(table), random_state=task["seed"])


def smartnoise(task, table, sizes):
    import mbi
    from snsynth import Synthesizer

    draw_independently(mbi)
    model = Synthesizer.create(task["method"].lower(), epsilon=task["epsilon"], delta=task["delta"])
    model.fit(table, categorical_columns=list(sizes), preprocessor_eps=0.0)
    return pd.DataFrame(model.sample(len(table)), columns=list(sizes))


def smartnoise_networks(task, table, sizes):
    import torch
    from snsynth import Synthesizer

    # The benchmark counts CPU seconds, which further threads only add to.
    torch.set_num_threads(1)
    torch.manual_seed(task["seed"])
    model = Synthesizer.create(task["method"].lower(), epsilon=task["epsilon"], delta=task["delta"])
    model.fit(table, categorical_columns=list(sizes), preprocessor_eps=0.0)
    return pd.DataFrame(model.sample(len(table)), columns=list(sizes))


def dpsynth(task, table, sizes):
    import dp_accounting
    import mbi
    from dpsynth import discrete_mechanisms

    # The released dp-accounting starts its search at a budget of 0, by which SWIFT divides; the unreleased one does not.
    above_zero = dp_accounting.LowerEndpointAndGuess(1e-6, 1)
    dp_accounting.calibrate_dp_mechanism = functools.partial(dp_accounting.calibrate_dp_mechanism, bracket_interval=above_zero)
    data = mbi.Dataset({c: table[c].to_numpy() for c in sizes}, mbi.Domain(tuple(sizes), tuple(sizes.values())))
    name, _, plain = task["method"].partition("-")
    method = {"MST": discrete_mechanisms.MSTConfig, "SWIFT": discrete_mechanisms.SWIFTConfig}[name]
    config = discrete_mechanisms.DiscreteConfig(method(), compress_columns=not plain)
    mechanism = config.calibrate(epsilon=task["epsilon"], delta=task["delta"])
    result = mechanism(np.random.default_rng(task["seed"]), data)
    return pd.DataFrame(result.synthetic_data.to_dict())


PEERS = {
    "mbi": mbi,
    "private-pgm": private_pgm,
    "dpmm": dpmm,
    "smartnoise": smartnoise,
    "smartnoise-networks": smartnoise_networks,
    "dpsynth": dpsynth,
}

if __name__ == "__main__":
    main()
