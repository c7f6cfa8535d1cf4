"""A small table in all its forms."""

from __future__ import annotations

import datetime
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pytest

# Everything here runs on the installed package; a copy in the tree must not be taken instead.
import synclave

assert "site-packages" in synclave.__file__, "install the wheel first"

SCHEMA: dict[str, Any] = {
    "age": {"integer": {"min": 0, "max": 99, "bins": 20}, "nullable": True},
    "income": {"number": {"min": 0, "max": 100, "bins": 10}},
    "town": {"categories": ["Wien", "Graz", "Linz"], "other": True},
    "born": {"date": {"min": datetime.date(1920, 1, 1), "max": "2020-12-31", "bins": 10}},
    "seen": {"datetime": {"min": "2020-01-01T00:00", "max": "2021-01-01T00:00", "bins": 12}},
    "smokes": {"boolean": True, "nullable": True},
}


def people(rows: int = 400, seed: int = 3) -> pa.Table:
    """Made up, with missing values where the schema allows them."""
    dice = random.Random(seed)
    midnight = datetime.datetime(2020, 3, 1)

    def person() -> dict[str, Any]:
        age = dice.randrange(18, 90)
        after = datetime.timedelta(days=dice.randrange(200), hours=dice.randrange(24))
        return {
            "age": None if dice.random() < 0.1 else age,
            "income": age + dice.randrange(10) + 0.5,
            "town": dice.choice(["Wien", "Graz", "Linz", "Rom"]),
            "born": datetime.date(2020 - age, 1 + dice.randrange(12), 5),
            "seen": midnight + after,
            "smokes": None if dice.random() < 0.1 else age > 50,
        }

    return pa.Table.from_pylist([person() for _ in range(rows)])


def slow_to_fit() -> tuple[pa.Table, dict[str, Any]]:
    """A table and its schema that keep AIM busy for minutes: each column follows the one before."""
    dice = random.Random(5)
    rows = [[dice.randrange(64)] for _ in range(20_000)]
    for row in rows:
        for _ in range(23):
            row.append((row[-1] + dice.randrange(-6, 7)) % 64)
    names = [f"column {number}" for number in range(24)]
    schema = {name: {"integer": {"min": 0, "max": 63, "bins": 64}} for name in names}
    return pa.table(dict(zip(names, zip(*rows), strict=True))), schema


@pytest.fixture(scope="session")
def table() -> pa.Table:
    return people()


@pytest.fixture(scope="session")
def csv(table: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "people.csv"
    pyarrow.csv.write_csv(table, path)
    return path


@pytest.fixture(scope="session")
def fitted(table: pa.Table) -> synclave.Synthesizer:
    return synclave.Synthesizer.create(epsilon=3.0).fit(table, schema=SCHEMA)
