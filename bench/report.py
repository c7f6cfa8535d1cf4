"""Prints finished runs as tables: means over seeds, one table of numbers for each data set and budget."""

from collections import defaultdict

MEASURES = (  # name, heading, digits
    ("cpu_s", "CPU s", 2),
    ("peak_mb", "MB", 0),
    ("tvd1", "TVD1", 4),
    ("tvd2", "TVD2", 4),
    ("tvd3", "TVD3", 4),
    ("target_error", "target", 4),
    ("auc", "AUC", 3),
    ("accuracy", "accur.", 3),
)
NAMES = {
    "resampled": "real rows, resampled",
    "independent": "exact independent columns",
    "real": "the real rows themselves",
}


def line(record):
    """What to say when a run has ended."""
    where = f"{record['table']} eps {record['epsilon']:g}" if record["epsilon"] else record["table"]
    what = f"{record['program']}:{record['method']} seed {record['seed']}"
    if record["status"] != "ok":
        return f"  {where}, {what}: {record['status']}, {record['error']}"
    return f"  {where}, {what}: " + ", ".join(f"{heading} {text}" for heading, text in cells([record]) if text)


def print_tables(records, default):
    groups = defaultdict(lambda: defaultdict(list))
    references = defaultdict(list)
    for record in records:
        if record["program"] == "reference":
            references[record["table"]].append(record)
        else:
            group = groups[record["table"], record["epsilon"], record["delta"]]
            group[record["program"], record["method"]].append(record)
    for (table, epsilon, delta), methods in sorted(groups.items()):
        print(f"\n### {table}, epsilon {epsilon:g}, delta {delta:g}\n")
        print("| program, method | runs | " + " | ".join(heading for _, heading, _ in MEASURES) + " |")
        print("|---|---|" + "---|" * len(MEASURES))
        for (program, method), runs in sorted(methods.items(), key=order):
            print_row(f"{program} {method}", runs)
        for record in references[table]:
            print_row(NAMES[record["method"]], [record])
    if default:
        print_headline(groups, default)


def order(item):
    (program, method), _ = item
    return program != "ours", program, method


def print_row(name, runs):
    good = [run for run in runs if run["status"] == "ok"]
    if good:
        print(f"| {name} | {len(good)} | " + " | ".join(text for _, text in cells(good)) + " |")
    for run in runs:
        if run["status"] != "ok":
            print(f"| {name} | seed {run['seed']}: {run['error']} |" + " |" * len(MEASURES))


def cells(runs):
    return [(heading, mean_text(runs, name, digits)) for name, heading, digits in MEASURES]


def mean_text(runs, name, digits):
    values = [run[name] for run in runs if name in run]
    return f"{sum(values) / len(values):.{digits}f}" if values else ""


def print_headline(groups, default):
    """Our first method's mean 2-way distance against that of every other."""
    print(f"\n### Headline: mean 2-way distance (CPU seconds), {default} against the closest of all others\n")
    print(f"| table | epsilon | ours {default} | closest other | no worse |")
    print("|---|---|---|---|---|")
    for (table, epsilon, _), methods in sorted(groups.items()):
        means = {name: mean for name, runs in methods.items() if (mean := distance_and_cost(runs))}
        ours = means.pop(("ours", default), None)
        other = min(means, key=lambda name: means[name][0], default=None)
        row = [table, f"{epsilon:g}", described(ours)]
        row.append(f"{' '.join(other)} {described(means[other])}" if other else "")
        row.append(("yes" if ours[0] <= means[other][0] else "no") if ours and other else "")
        print("| " + " | ".join(row) + " |")


def distance_and_cost(runs):
    good = [run for run in runs if run["status"] == "ok"]
    return tuple(sum(run[name] for run in good) / len(good) for name in ("tvd2", "cpu_s")) if good else None


def described(mean):
    return f"{mean[0]:.4f} ({mean[1]:.2f})" if mean else ""
