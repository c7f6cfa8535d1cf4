"""Fitted models."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from . import _frames, _native, _progress
from ._errors import InputError
from ._frames import Kind
from ._progress import Progress
from ._report import Report, default_kind

_SEEDS = 1 << 64


@dataclass(frozen=True)
class Condition:
    """Rows that are wanted with these values: SDV's way to say it.

    Args:
        column_values: For each column the value that all rows have; ``None`` for a missing one.
        num_rows: How many rows are wanted.
    """

    column_values: Mapping[str, Any]
    num_rows: int = 1

    def as_text(self) -> str:
        """The same as a condition, such as ``"age = 35 and sex = F"``."""
        return " and ".join(_test(name, value) for name, value in self.column_values.items())


class Model:
    """A fitted model.

    Everything in it was paid for from the budget of its fit: it, its file, its report and any
    number of rows drawn from it may be shown to anyone. Drawing rows costs nothing. (A model whose
    domain was taken from the data has no guarantee; its report says so first.)
    """

    def __init__(self, native: _native.Model, kind: Kind | None = None) -> None:
        self._native = native
        self._kind: Kind | None = kind

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Model:
        """Reads a model's file, which `save` or `synclave synth --model` has written.

        The file may come from a stranger: it is checked, and nothing in it is run.

        Raises:
            InputError: If it cannot be read, or is no model.
        """
        return cls(_native.Model.load(path))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model's file: whole, or not at all.

        Raises:
            OSError: If it cannot be written.
        """
        path = Path(path)
        contents = self._native.to_bytes()
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(contents)
            os.replace(name, path)
        except BaseException:
            os.unlink(name)
            raise

    def sample(
        self,
        num_rows: int | None = None,
        *,
        where: str | None = None,
        seed: int | None = None,
        frame: Kind | None = None,
        progress: Progress = None,
    ) -> Any:
        """Draws synthetic rows.

        Args:
            num_rows: How many; without it about as many as the table has (a noisy number), or as
                satisfy the condition, and 10 million at most.
            where: A condition that every row satisfies, such as ``"age in 30..40 and sex = F"``:
                exact, however rare it is.
            seed: A whole number from 0; the same gives the same rows. Noise is not drawn here, so
                that a seed weakens nothing.
            frame: ``"pandas"``, ``"polars"`` or ``"pyarrow"``; without it the kind that was fitted.
            progress: ``True`` for a bar, or a function of stage, steps done and steps in all.

        Returns:
            A frame. Its types follow from the released schema alone: categories in their declared
            order, whole numbers that can be missing where the schema allows that, dates, times
            without a zone.

        Raises:
            InputError: If the condition cannot be understood, or no row satisfies it.
            KeyboardInterrupt: At Ctrl-C, at once.
        """
        for name, number in (("num_rows", num_rows), ("seed", seed)):
            if number is not None and not 0 <= number < _SEEDS:
                raise InputError(f"{name} is {number}, but must be at least 0", code=3)
        if frame is not None and frame not in _frames.KINDS:
            raise InputError(f"there is no frame {frame!r}; use pandas, polars or pyarrow", code=3)
        with _progress.listener(progress) as listener:
            rows = self._native.sample(num_rows, seed, where, listener)
        return _frames.framed(rows, frame or default_kind(self._kind))

    def sample_from_conditions(
        self, conditions: Sequence[Condition], *, seed: int | None = None
    ) -> Any:
        """Draws rows for each condition, one after another, as SDV does.

        The rows are drawn from the model given the condition; nothing is tried and thrown away, so
        that there are always as many as were asked for.

        Raises:
            InputError: If a condition names no column or value of the model, or has probability 0.
        """
        parts = [
            self.sample(
                condition.num_rows,
                where=condition.as_text(),
                seed=None if seed is None else seed + number,
                frame="pyarrow",
            )
            for number, condition in enumerate(conditions)
        ]
        if not parts:
            raise InputError("there is no condition; give at least one", code=3)
        return self._as_kind(pa.concat_tables(parts))

    def sample_remaining_columns(self, known_columns: Any, *, seed: int | None = None) -> Any:
        """Draws the columns that a table lacks, for each of its rows.

        **The given values are copied into the result.** If they are of real people, so is the
        result: it is then as private as what you gave, whatever the model's budget was.

        Args:
            known_columns: A frame with some of the model's columns. Rows with the same values are
                drawn together; the time grows with the number of different ones.
            seed: As in `sample`.

        Raises:
            InputError: If a column or a value is not the model's.
        """
        held = _frames.held(known_columns)
        if isinstance(held, (str, os.PathLike)):
            raise InputError("give the known columns as a frame, and not as a path", code=3)
        known = pa.table(held)
        rows = known.to_pylist()
        alike: dict[str, list[int]] = {}
        for number, row in enumerate(rows):
            alike.setdefault(Condition(row).as_text(), []).append(number)
        parts: list[pa.Table] = []
        places: list[int] = []
        for text, numbers in alike.items():
            own_seed = None if seed is None else seed + len(parts)
            part = self.sample(len(numbers), where=text, seed=own_seed, frame="pyarrow")
            parts.append(part)
            places.extend(numbers)
        if not parts:
            raise InputError("the known columns have no row", code=3)
        drawn = pa.concat_tables(parts)
        order = sorted(range(len(places)), key=places.__getitem__)
        return self._as_kind(drawn.take(pa.array(order, type=pa.int64())))

    def probability(self, where: str) -> float:
        """The probability that a row of the model satisfies a condition.

        Raises:
            InputError: If the condition cannot be understood, or the probability is 0.
        """
        return self._native.probability(where)

    def query(self, question: str, *, frame: Kind | None = None) -> Any:
        """Asks for counts, sums, means and quantiles of the table behind the model.

        It costs no budget, however often it is done.

        Args:
            question: ``"count where age > 30 by town"``, ``"mean income by sex"``, ``"median age"``,
                ``"quantile 0.9 income where sex = F"``, ``"sum income"``: a statistic, then a
                condition, then columns to tell apart, of which the last two may be left out.
            frame: As in `sample`.

        Returns:
            A frame with the columns after ``by``, then ``estimate`` (the model's number; missing
            where it expects no row), ``low`` and ``high``, between which the table's own number is
            with 95 % confidence, each by itself, and ``basis``: ``measured`` where the noise alone
            gives the interval, ``modelled`` where the model's measured error does, ``possible``
            where nothing was measured of the columns together. Dates are texts.

        Raises:
            InputError: If the question cannot be understood, or asks for too much at once.
        """
        answers = json.loads(self._native.answers_json(question))
        rows = []
        names: list[str] = []
        for answer in answers:
            values = answer.pop("values")
            (found,) = answer.values()
            low, high = found["between"]
            result = {"estimate": found["estimate"], "low": low, "high": high}
            rows.append({**values, **result, "basis": found["basis"]})
            names = list(rows[-1])
        return _frames.of_rows(rows, names, frame or default_kind(self._kind))

    def marginals(self) -> list[dict[str, Any]]:
        """The noisy counts that the model was made from, which are as public as the model.

        Returns:
            For each marginal ``columns``; ``values``, which for each of the columns lists the values
            of each place (several where they were counted together); ``counts``, in the order of
            the places with the last column's following one another; and ``sigma``, the standard
            deviation of the Gaussian noise in each count, which was rounded to whole numbers.
        """
        marginals: list[dict[str, Any]] = json.loads(self._native.marginals_json())
        return marginals

    @property
    def report(self) -> Report:
        """What the model says of itself; a notebook shows it as a page."""
        native = self._native
        return Report(native.report_json(), native.report_html(), default_kind(self._kind))

    @property
    def errors(self) -> Any:
        """The errors of the report, as a frame."""
        return self.report.errors

    @property
    def method(self) -> str:
        """How it was made, such as ``"GRAIN"``."""
        return self._native.method

    @property
    def columns(self) -> Any:
        """What each column was taken for, as a frame."""
        return self.report.columns

    def _as_kind(self, table: pa.Table) -> Any:
        shown = _Shown(table, self._native.columns())
        return _frames.framed(shown, default_kind(self._kind))

    def __repr__(self) -> str:
        return f"<synclave model: {self.method}, {len(self._native.columns())} columns>"

    def __reduce__(self) -> tuple[Any, ...]:
        # It may be shown to anyone, and so be pickled; its file is checked when it is loaded.
        return (_unpickled, (self._native.to_bytes(), self._kind))


def _unpickled(contents: bytes, kind: Kind | None) -> Model:
    return Model(_native.Model.from_bytes(contents), kind)


class _Shown:
    """A table of rows that were drawn in parts."""

    def __init__(self, table: pa.Table, columns: list[_native.Described]) -> None:
        self._table = table
        self._columns = columns

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        table: Any = self._table
        return cast("object", table.__arrow_c_stream__(requested_schema))

    def columns(self) -> list[_native.Described]:
        return self._columns


def _test(name: str, value: Any) -> str:
    if value is None or value != value:
        return f"{_quoted(name)} is missing"
    item = getattr(value, "item", None)
    value = item() if callable(item) else value
    isoformat = getattr(value, "isoformat", None)
    if callable(isoformat):
        text = str(isoformat())
    elif isinstance(value, bool):
        text = str(value).lower()
    else:
        text = str(value)
    return f"{_quoted(name)} = {_quoted(text)}"


def _quoted(text: str) -> str:
    doubled = text.replace("'", "''")
    return f"'{doubled}'"
