"""Schemas: drafted from a table, found under a budget, taken from a code book."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
import synclave

from conftest import SCHEMA

CODEBOOK = """\
name,type,min,max,values,nullable
age,integer,0,99,,yes
town,,,,Wien; Graz; Linz; Rom,no
"""


@pytest.fixture(scope="module")
def draft(table: pa.Table) -> synclave.SchemaDraft:
    return synclave.schema(table)


def test_a_draft_is_that_of_the_command_line(
    draft: synclave.SchemaDraft, table: pa.Table, tmp_path: Path
) -> None:
    path = tmp_path / "people.parquet"
    pyarrow.parquet.write_table(table, path)
    line = [sys.executable, "-m", "synclave", "schema", str(path)]
    shown = subprocess.run(line, capture_output=True, text=True, check=True)
    assert shown.stdout.rstrip() == draft.to_yaml().rstrip() == str(draft).rstrip()
    assert synclave.schema(path).to_yaml() == draft.to_yaml()


def test_a_draft_from_rows_gives_no_guarantee_until_it_is_reviewed(
    table: pa.Table, draft: synclave.SchemaDraft, tmp_path: Path
) -> None:
    assert draft.origin == "data" and draft.ledger is None
    assert "schema from data" in repr(draft) and "<pre>" in draft._repr_html_()
    synth = synclave.Synthesizer.create("independent", epsilon=1.0)
    with pytest.warns(synclave.BudgetWarning, match="no guarantee holds"):
        synth.fit(table, schema=draft)
    assert synth.sample(5).column_names == table.column_names
    reviewed = {**draft.to_dict(), "origin": "reviewed"}
    reviewed["age"]["integer"]["max"] = 120
    with warnings.catch_warnings():
        warnings.simplefilter("error", synclave.BudgetWarning)
        synth.fit(table, schema=reviewed)
    # What was changed is the caller's own.
    assert draft.to_dict()["age"]["integer"]["max"] < 120
    path = tmp_path / "people.yaml"
    draft.save(path)
    assert path.read_text() == draft.to_yaml()
    with pytest.raises(FileExistsError):
        draft.save(path)


def test_what_names_people_is_left_out_unless_it_is_kept(table: pa.Table) -> None:
    emails = [f"p{number}@example.org" for number in range(len(table))]
    people = table.select(["age"]).to_pandas().assign(email=emails)
    people.index = pd.Index(range(len(people)), name="id")
    draft = synclave.schema(people, key="id")
    written = dict(zip(draft.columns["name"], draft.columns["written"], strict=True))
    assert written == {"id": "nothing", "age": "integer", "email": "drop"}
    # In the words of this package, and not of the command line.
    assert 'keep=["email"]' in str(draft) and "--" not in str(draft)
    kept = synclave.schema(people, key="id", keep="email")
    assert "Has no text that 20 people share" in str(kept)
    with pytest.raises(synclave.InputError, match="keep= names .* did you mean `email`"):
        synclave.schema(people, key="id", keep=["emall"])


def test_a_draft_under_a_budget_adds_its_own_to_each_fit(table: pa.Table) -> None:
    draft = synclave.schema(table.select(["age", "town"]), private=2.0, delta=1e-6)
    assert draft.origin == "discovery" and draft.ledger is not None
    assert draft.ledger["epsilon"] == 2.0
    synth = synclave.Synthesizer.create("independent", epsilon=1.0)
    synth.fit(table.select(["age", "town"]), schema=draft)
    assert synth.report.guarantees[0]["epsilon"] == pytest.approx(3.0)
    with pytest.warns(synclave.BudgetWarning):
        synclave.schema(table.select(["town"]), private=30.0)


def test_a_code_book_is_public_and_compared_with_the_table(table: pa.Table, tmp_path: Path) -> None:
    book = tmp_path / "book.csv"
    book.write_text(CODEBOOK)
    alone = synclave.schema(codebook=book)
    assert alone.origin == "codebook" and list(alone.to_dict()) == ["origin", "age", "town"]
    beside = synclave.schema(table, codebook=book)
    assert "discovers under its budget: income" in " ".join(str(beside).split())
    book.write_text(CODEBOOK.replace("; Rom", ""))
    with pytest.raises(synclave.TableError, match="contradict each other"):
        synclave.schema(table, codebook=book)


def test_drafts_that_make_no_sense_are_refused(table: pa.Table) -> None:
    def refusal(*arguments: object, **options: object) -> str:
        with pytest.raises(synclave.InputError) as refused:
            synclave.schema(*arguments, **options)  # type: ignore[arg-type]
        assert refused.value.code == 3
        return str(refused.value)

    assert "codebook=" in refusal()
    assert "not both" in refusal(table, codebook="book.csv", private=1.0)
    assert "key=" in refusal(table, private=1.0, max_rows_per_id=2)
    assert "epsilon" in refusal(table, private=-1.0)
    assert "book.csv" in refusal(codebook="no/such/book.csv")
    alone = pa.table({"note": [f"all of it is different {number}" for number in range(50)]})
    with pytest.raises(synclave.TableError, match="or keep a column with keep="):
        synclave.schema(alone)


def test_columns_say_what_was_declared_and_what_was_taken(
    fitted: synclave.Synthesizer, tmp_path: Path
) -> None:
    declared = synclave.columns(SCHEMA)
    assert list(declared["name"]) == list(SCHEMA)
    assert dict(zip(declared["name"], declared["kind"], strict=True))["born"] == "date"
    assert list(declared["categories"][2]) == ["Wien", "Graz", "Linz", "other"]
    path = tmp_path / "people.yaml"
    path.write_text("age: {integer: {min: 0, max: 99}}\ntown: discover\n")
    assert list(synclave.columns(path)["name"]) == ["age"]
    for of in (fitted, fitted.model, fitted.report):
        taken = synclave.columns(of)
        assert taken == fitted.columns and taken["name"].to_pylist() == list(SCHEMA)
    with pytest.raises(synclave.NotFittedError):
        synclave.columns(synclave.Synthesizer.create(epsilon=1.0))
    with pytest.raises(synclave.InputError, match="schema"):
        synclave.columns({"age": {"integr": {}}})
