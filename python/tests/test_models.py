"""Models: sampling, conditions, files, reports."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
import synclave

from conftest import SCHEMA


def test_a_seed_gives_the_same_rows_and_those_of_the_command_line(
    fitted: synclave.Synthesizer, tmp_path: Path
) -> None:
    first = fitted.sample(500, seed=7)
    assert first == fitted.sample(500, seed=7) and first != fitted.sample(500, seed=8)
    model, rows = tmp_path / "people.model", tmp_path / "rows.jsonl"
    fitted.save(model)
    assert synclave.Model.load(model).sample(500, seed=7, frame="pyarrow") == first
    line = ["sample", model, "--rows", "500", "--seed", "7", "--output", rows]
    subprocess.run([sys.executable, "-m", "synclave", *map(str, line)], check=True)
    written = [json.loads(row) for row in rows.read_text().splitlines()]
    for row, same in zip(first.to_pylist(), written, strict=True):
        row["born"] = row["born"].isoformat()
        row["seen"] = row["seen"].isoformat()
        assert row == same


def test_conditions_hold_of_every_row(fitted: synclave.Synthesizer) -> None:
    rows = fitted.sample(200, where="age in 30..40 and town = Graz", frame="pandas")
    assert rows["age"].between(30, 40).all() and (rows["town"] == "Graz").all()
    assert 0 < fitted.model.probability("town = Graz") < 1
    with pytest.raises(synclave.InputError, match="could not use the condition"):
        fitted.sample(1, where="aeg = 3")


def test_conditions_as_sdv_has_them(fitted: synclave.Synthesizer) -> None:
    conditions = [
        synclave.Condition({"age": 35, "town": "Linz"}, num_rows=3),
        synclave.Condition({"smokes": None}, num_rows=2),
        synclave.Condition({"born": pd.Timestamp("1980-06-01").date()}, num_rows=1),
    ]
    rows = fitted.sample_from_conditions(conditions).to_pylist()
    assert [(row["age"], row["town"]) for row in rows[:3]] == [(35, "Linz")] * 3
    assert [row["smokes"] for row in rows[3:5]] == [None, None]
    assert rows[5]["born"].isoformat() == "1980-06-01"


def test_remaining_columns_are_drawn_beside_the_given_ones(fitted: synclave.Synthesizer) -> None:
    known = pd.DataFrame({"town": ["Graz", "Wien", "Graz"], "age": [30, 64, 31]})
    rows = fitted.sample_remaining_columns(known).to_pandas()
    assert list(rows["town"]) == list(known["town"]) and list(rows["age"]) == list(known["age"])
    assert list(rows.columns) == list(SCHEMA)
    with pytest.raises(synclave.InputError, match="could not use the condition"):
        fitted.sample_remaining_columns(pd.DataFrame({"town": ["no such town"]}))


def test_a_model_is_written_whole_or_not_at_all(
    fitted: synclave.Synthesizer, tmp_path: Path
) -> None:
    with pytest.raises(OSError):
        fitted.save(tmp_path / "no such folder" / "people.model")
    with pytest.raises(OSError):
        fitted.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "not.model"
    path.write_text("age\n1\n")
    with pytest.raises(synclave.InputError, match="could not use the model"):
        synclave.Model.load(path)
    with pytest.raises(synclave.InputError):
        synclave.Model.load(tmp_path / "missing")


def test_models_and_exceptions_can_be_pickled(fitted: synclave.Synthesizer) -> None:
    model = pickle.loads(pickle.dumps(fitted.model))
    assert model.sample(50, seed=1) == fitted.sample(50, seed=1)
    with pytest.raises(synclave.InputError) as refused:
        fitted.sample(1, where="?")
    again = pickle.loads(pickle.dumps(refused.value))
    assert type(again) is synclave.InputError
    assert str(again) == str(refused.value) and again.code == 3


def test_the_report_says_how_far_the_model_is_off(fitted: synclave.Synthesizer) -> None:
    report = fitted.report
    document = report.to_dict()
    assert document["ledger"]["epsilon"] == 3.0
    assert len(report.errors) > 0 and set(report.columns["name"].to_pylist()) == set(SCHEMA)
    page = report.to_html()
    assert page.startswith("<!doctype html>") and "town" in page
    shown = report._repr_html_()
    assert shown.startswith("<iframe sandbox") and '"<!doctype' not in shown
    assert "GRAIN" in repr(report)


def test_a_comparison_says_that_it_is_private(
    fitted: synclave.Synthesizer, table: pa.Table
) -> None:
    comparison = synclave.evaluate(table, fitted.sample(400), schema=SCHEMA)
    scores = comparison.scores.to_pylist()
    assert [row["marginals"] for row in scores] == ["one_way", "two_way", "three_way"]
    assert all(0 < row["mean"] <= row["max"] < 1 for row in scores)
    assert scores[0]["held_out_mean"] > 0
    assert "private" in repr(comparison) and "Private" in comparison.to_html()


def test_a_model_file_is_inspected_as_on_the_command_line(
    fitted: synclave.Synthesizer, tmp_path: Path
) -> None:
    path = tmp_path / "people.model"
    fitted.save(path)
    document = synclave.inspect(path)
    assert document["kind"] == "model" and document["method"] == "GRAIN"
    with pytest.raises(synclave.InputError, match="could not read"):
        synclave.inspect(tmp_path / "missing")


def test_questions_are_answered_in_a_frame(fitted: synclave.Synthesizer) -> None:
    model = fitted.model
    by_town = model.query("mean income where age > 20 by town", frame="pandas")
    assert list(by_town.columns) == ["town", "estimate", "low", "high", "basis"]
    assert list(by_town["town"]) == ["Wien", "Graz", "Linz", "other"]
    assert ((by_town["low"] <= by_town["estimate"]) & (by_town["estimate"] <= by_town["high"])).all()
    (count,) = model.query("count", frame="pyarrow").to_pylist()
    # Noise is never seeded, and one interval in twenty misses.
    assert count["basis"] == "measured" and count["low"] < 450 and count["high"] > 350
    assert model.query("median born", frame="pyarrow")["estimate"][0].as_py().startswith("19")
    with pytest.raises(synclave.InputError, match="is of kind `categories`"):
        model.query("mean town")


def test_noisy_counts_come_with_their_noise(fitted: synclave.Synthesizer) -> None:
    marginals = fitted.model.marginals()
    town = next(it for it in marginals if it["columns"] == ["town"])
    assert town["values"] == [[["Wien"], ["Graz"], ["Linz"], ["other"]]]
    assert abs(sum(town["counts"]) - 400) < 12 * town["sigma"]
