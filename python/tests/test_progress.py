"""Progress bars: drawn where a person asks or watches, and nowhere else."""

from __future__ import annotations

import sys

import pyarrow as pa
import pytest
import synclave
from synclave import _progress

from conftest import SCHEMA


def test_a_bar_says_the_stage_and_how_far_it_is(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(_progress, "_PATIENCE_SECONDS", 0.0)
    with _progress.listener(True, unit="B") as step:
        assert step is not None
        step("sending", 500_000, 2_000_000)
        step("sending", 2_000_000, 2_000_000)
    shown = capsys.readouterr().err
    assert "sending:  25%" in shown and "500k/2.00M" in shown and "100%" in shown
    # It is wiped away at the end: nothing of it stays in a terminal or a notebook.
    assert shown.rsplit("\r", 2)[-2].strip() == ""


def test_what_is_over_at_once_draws_nothing(
    table: pa.Table, capsys: pytest.CaptureFixture[str]
) -> None:
    synth = synclave.Synthesizer.create("independent", epsilon=1.0)
    synth.fit(table.select(["age"]), schema={"age": SCHEMA["age"]}, progress=True)
    assert capsys.readouterr().err == ""


def test_nothing_is_drawn_where_nobody_watches(monkeypatch: pytest.MonkeyPatch) -> None:
    for progress in (False, None):
        with _progress.listener(progress) as step:
            assert step is None
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with _progress.listener(None) as step:
        assert step is not None
    with _progress.listener(False) as step:
        assert step is None


def test_a_bar_that_is_asked_for_needs_tqdm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match="pip install tqdm"), _progress.listener(True):
        pass
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with _progress.listener(None) as step:
        assert step is None
