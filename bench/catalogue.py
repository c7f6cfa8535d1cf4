"""The tables that the benchmark knows by name: where their rows come from, and what a classifier is to learn.

Any other table is named on the command line of `run` as PATH.csv:SCHEMA.yaml.
"""

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = Path.home() / ".cache/synclave/bench"
TABLES = CACHE / "tables"


@dataclass(frozen=True)
class Table:
    """Rows and schema of one table. `positive` are the codes of `target` that count as positive: all from the first one on,
    unless there is an end."""

    name: str
    schema: Path
    rows: Path
    held_out: Path | None = None
    target: str | None = None
    positive: tuple[int, int | None] = (1, None)


def _known(name, target, positive=(1, None), schema=None):
    return Table(
        name,
        HERE / "schemas" / f"{schema or name}.yaml",
        TABLES / f"{name}.csv",
        TABLES / f"{name}_test.csv",
        target,
        positive,
    )


KNOWN = {
    table.name: table
    for table in (
        _known("adult", "income>50K"),
        _known("diamonds", "price", (20, None)),
        _known("vietnam", "insurance"),
        _known("hi", "whi"),
        _known("hie", "drugdol"),
        _known("hie-small", "drugdol", schema="hie"),
        _known("ofp", "privins"),
        _known("baseball", "g", (28, None)),
        _known("acs-small", "OWN_RENT", (2, None)),
    )
}
