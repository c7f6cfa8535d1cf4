"""How close a synthetic table is to the real one. Both hold integer codes. Runs in the scorer's virtual environment.

    score.py TASK.json

TASK has `real`, `synthetic`, `domain` (file with the number of codes of each column), and, for a classifier, `held_out`,
`target` and `positive` (first code, end or null). `synthetic` is a file of codes, or names a reference line:
"resampled" (real rows drawn with replacement), "independent" (each column of the real table shuffled by itself) or
"real". Prints one JSON object:

tvd1, tvd2, tvd3    mean total variation distance of the normalised 1-, 2- and 3-way marginals: all of them, or for
                    triples a fixed sample of 200
tvd2_max            that of the worst pair
target_error        workload error of the AIM paper's TARGET workload: mean L1 distance over all 3-way marginals that hold
                    the target column
auc, accuracy       gradient boosting trained on the synthetic rows, scored on real rows that no method has seen
"""

import itertools
import json
import math
import os
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")  # idle OpenMP threads spin on a busy machine

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

TRIPLES = 200
TRIPLE_SEED = 20240301
MAX_CELLS = 1 << 22
REFERENCES = ("resampled", "independent", "real")


def main():
    with open(sys.argv[1]) as file:
        task = json.load(file)
    with open(task["domain"]) as file:
        sizes = {column: entry["codes"] for column, entry in json.load(file).items()}
    real = pd.read_csv(task["real"])[list(sizes)]
    if task["synthetic"] in REFERENCES:
        synthetic = reference(task["synthetic"], real, np.random.default_rng(task.get("seed", 0)))
    else:
        synthetic = pd.read_csv(task["synthetic"])[list(sizes)].astype(np.int64)
    check_codes(synthetic, sizes)
    scores = distances(real, synthetic, sizes)
    if task.get("target"):
        scores["target_error"] = target_error(real, synthetic, sizes, task["target"])
        held_out = pd.read_csv(task["held_out"])[list(sizes)]
        scores |= classifier(synthetic, held_out, task["target"], task["positive"])
    scores["rows"] = len(synthetic)
    print(json.dumps({name: round(float(value), 5) for name, value in scores.items()}))


def reference(name, real, rng):
    if name == "resampled":
        return real.iloc[rng.integers(len(real), size=len(real))].reset_index(drop=True)
    if name == "independent":
        return real.apply(lambda column: rng.permutation(column.to_numpy()))
    return real


def check_codes(table, sizes):
    if table.empty:
        raise SystemExit("the synthetic table has no rows")
    for column, size in sizes.items():
        if table[column].min() < 0 or table[column].max() >= size:
            raise SystemExit(f"column {column} has a code outside 0..{size - 1}")


def distances(real, synthetic, sizes):
    triples = list(itertools.combinations(sizes, 3))
    if len(triples) > TRIPLES:
        chosen = np.random.default_rng(TRIPLE_SEED).choice(len(triples), TRIPLES, replace=False)
        triples = [triples[i] for i in chosen]
    marginals = {1: [(column,) for column in sizes], 2: list(itertools.combinations(sizes, 2)), 3: triples}
    tvd = {
        ways: np.array([total_variation(real, synthetic, sizes, columns) for columns in of_ways])
        for ways, of_ways in marginals.items()
    }
    return {
        "tvd1": tvd[1].mean(),
        "tvd2": tvd[2].mean(),
        "tvd3": tvd[3].mean(),
        "tvd2_max": tvd[2].max(),
    }


def target_error(real, synthetic, sizes, target):
    others = itertools.combinations([column for column in sizes if column != target], 2)
    return np.mean([2 * total_variation(real, synthetic, sizes, (target, *pair)) for pair in others])


def total_variation(real, synthetic, sizes, columns):
    cells = [cell_of_each_row(table, sizes, columns) for table in (real, synthetic)]
    count = math.prod(sizes[column] for column in columns)
    if count > MAX_CELLS:  # only those that either table has
        values, index = np.unique(np.concatenate(cells), return_inverse=True)
        cells, count = np.split(index, [len(cells[0])]), len(values)
    shares = [np.bincount(part, minlength=count) / len(part) for part in cells]
    return np.abs(shares[0] - shares[1]).sum() / 2


def cell_of_each_row(table, sizes, columns):
    cell = np.zeros(len(table), np.int64)
    for column in columns:
        cell = cell * sizes[column] + table[column].to_numpy()
    return cell


def classifier(train, held_out, target, positive):
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.metrics import accuracy_score, roc_auc_score

    first, end = positive
    label, truth = (table[target].between(first, np.inf if end is None else end - 1).to_numpy() for table in (train, held_out))
    if label.all() or not label.any():
        return {"auc": 0.5, "accuracy": (truth == label[0]).mean()}
    model = HistGradientBoostingClassifier(random_state=0).fit(train.drop(columns=target), label)
    score = model.predict_proba(held_out.drop(columns=target))[:, 1]
    return {"auc": roc_auc_score(truth, score), "accuracy": accuracy_score(truth, score >= 0.5)}


if __name__ == "__main__":
    main()
