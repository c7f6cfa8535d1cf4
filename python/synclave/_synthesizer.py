"""Fitting a model to one table."""

from __future__ import annotations

import json
import os
import tempfile
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import _frames, _native, _progress, _schema
from ._errors import BudgetWarning, Error, InputError, PrivateNote
from ._model import Condition, Model
from ._progress import Progress
from ._report import Report
from ._schema import Schema, Workload


class NotFittedError(Error):
    """Rows or a report were asked of a synthesizer that has no model yet."""


class Synthesizer:
    """Fits a differentially private model to one table, and draws synthetic rows from it.

    ```python
    synth = synclave.Synthesizer.create("grain", epsilon=1.0)
    synth.fit(people, schema="people.yaml", key="id")
    rows = synth.sample(10_000)
    ```

    The guarantee is (epsilon, delta)-differential privacy of everything that a fit releases:
    tables that differ in everything of one person (all rows with one value of ``key``; without a
    key one row) give models that can hardly be told apart. Each fit spends its budget anew: what
    is told about one table by several fits adds up.
    """

    def __init__(
        self,
        method: str = "grain",
        *,
        epsilon: float,
        delta: float = 1e-9,
        target: str | None = None,
        workload: Workload | None = None,
        dangerous_epsilon: bool = False,
        dangerous_domain_from_data: bool = False,
        **params: Any,
    ) -> None:
        """Makes a synthesizer, with the arguments of `create`."""
        self._method = method.upper()
        self._epsilon = float(epsilon)
        self._options = _as_json(
            {
                "method": method,
                "params": params,
                "epsilon": self._epsilon,
                "delta": float(delta),
                "dangerous_epsilon": dangerous_epsilon,
                "dangerous_domain_from_data": dangerous_domain_from_data,
                "workload": _schema.as_workload(workload),
                "target": target,
            }
        )
        _native.check_synthesizer(self._options)
        self._model: Model | None = None

    @classmethod
    def create(
        cls,
        method: str = "grain",
        *,
        epsilon: float,
        delta: float = 1e-9,
        target: str | None = None,
        workload: Workload | None = None,
        dangerous_epsilon: bool = False,
        dangerous_domain_from_data: bool = False,
        **params: Any,
    ) -> Synthesizer:
        """Makes a synthesizer. Nothing is read or spent yet.

        Args:
            method: One of `list_synthesizers`, in any case.
            epsilon: The privacy budget of a fit: from 0.1 (strong) to 3 or so (moderate). There is
                no default: nobody else can know how much your table's people are to be protected.
            delta: The chance with which the guarantee may fail; far below one in the number of
                people.
            target: The column that the rows should suit to predict.
            workload: The marginals that matter: a list of lists of columns, or a YAML file. Without
                it all pairs do.
            dangerous_epsilon: Allows an epsilon that protects hardly anybody.
            dangerous_domain_from_data: Takes values and ranges of columns from the rows as they
                are. No guarantee holds then.
            params: Parameters of the method, such as ``rounds=50``.

        Raises:
            InputError: If there is no such method or parameter, or the budget cannot be used.
        """
        return cls(
            method,
            epsilon=epsilon,
            delta=delta,
            target=target,
            workload=workload,
            dangerous_epsilon=dangerous_epsilon,
            dangerous_domain_from_data=dangerous_domain_from_data,
            **params,
        )

    @staticmethod
    def list_synthesizers() -> list[str]:
        """The names that `create` takes."""
        return [name.lower() for name in _native.methods()]

    def fit(
        self,
        data: Any,
        *,
        schema: Schema | None = None,
        key: str | None = None,
        max_rows_per_id: int | None = None,
        id_normalise: str | Sequence[str] = (),
        public: str | os.PathLike[str] | Model | None = None,
        public_of_other_people: bool = False,
        preprocessor_eps: float | None = None,
        categorical_columns: Sequence[str] = (),
        ordinal_columns: Sequence[str] = (),
        continuous_columns: Sequence[str] = (),
        progress: Progress = None,
    ) -> Synthesizer:
        """Fits a model to a table, and spends the whole budget on it.

        Args:
            data: A pandas or polars frame, a pyarrow Table, any object with
                ``__arrow_c_stream__``, or the path of a file (CSV, JSON, Parquet, a workbook;
                compressed or not). Frames are read in place, without a copy. A pandas index is left
                out, unless a level of it is named as the key.
            schema: What the columns can hold: a YAML file, a mapping that says the same, or what
                `synclave.schema` drafts. It must come from what is publicly known, and not from the
                rows. Columns that it does not name are discovered, which costs part of the budget.
            key: The column that says whose a row is. Without it each row counts as one person,
                which nobody checks.
            max_rows_per_id: Most rows of one person that take part; noise grows with it. Without
                it a table with a second row of anybody is refused.
            id_normalise: What to do to ids before they are compared: ``"trim"`` (all white space),
                ``"strip_leading_zeros"`` (007 is 7), ``"lower"``, or several of them.
            public: Data about the same columns to start from: the path of an earlier model or of a
                table of other people, or a `Model`. For GRAIN. It takes nothing of epsilon; but the
                guarantee that is stated is that of both fits together, as an earlier model was paid
                for with its people's data.
            public_of_other_people: Your word that nobody of the table is in the public data, nor in
                anything that it was made from. Nothing can check it; where it is not true, the
                guarantee that is stated does not hold. A public table needs it: a table is used
                without any noise.
            preprocessor_eps: The part of epsilon that discovery may take at most, as in
                smartnoise-synth; it is set aside as that share of the whole budget. Without it
                10 to 40 %, by a noisy number of rows. Nothing is set aside where the schema names
                every column.
            categorical_columns: Columns that you take for categories. You are warned where the
                model takes one for something else; a schema says what it is to be.
            ordinal_columns: Columns that you take for ordered values: whole numbers or dates.
            continuous_columns: Columns that you take for numbers.
            progress: ``True`` for a bar (by tqdm), or a function that is called with the stage, the
                steps done and the steps in all. Without it a bar where a person watches.

        Returns:
            The synthesizer itself.

        Raises:
            InputError: If an option, the schema or the table cannot be used. Nothing is spent then.
            TableError: The same, where the reason is in the rows: its message is for you alone.
            FitError: If the fit fails later; ``spent`` says what it has cost.
            KeyboardInterrupt: At Ctrl-C, at once. Nothing of the data has been released.

        Warns:
            PrivateNote: What was noticed about your table, for you alone.
            BudgetWarning: Where the budget protects less than you may think.
        """
        hints = {
            "categories": _schema.as_names(categorical_columns),
            "ordered values": _schema.as_names(ordinal_columns),
            "numbers": _schema.as_names(continuous_columns),
        }
        steps = id_normalise.split(",") if isinstance(id_normalise, str) else id_normalise
        table = _frames.held(data, key)
        with _public_file(public) as public_path, _progress.listener(progress) as listener:
            options = {
                "schema": _schema.as_yaml(schema),
                "key": key,
                "max_rows_per_id": max_rows_per_id,
                "id_normalise": [step.strip() for step in steps],
                "discovery_share": self._share(preprocessor_eps),
                "public": public_path,
                "public_of_other_people": public_of_other_people,
            }
            fitted = _native.fit(table, self._options, _as_json(options), listener)
        model, told, notes = fitted
        for text in told:
            warnings.warn(text, BudgetWarning, stacklevel=2)
        for text in notes:
            warnings.warn(text, PrivateNote, stacklevel=2)
        self._model = Model(model, _frames.kind_of(data))
        for text in _surprises(model.columns(), hints):
            warnings.warn(text, UserWarning, stacklevel=2)
        return self

    def fit_sample(self, data: Any, num_rows: int | None = None, **options: Any) -> Any:
        """Fits a model and draws rows, with the options of `fit`.

        Without ``num_rows`` about as many rows as the table has: its exact number is private.
        """
        return self.fit(data, **options).sample(num_rows)

    @property
    def model(self) -> Model:
        """The fitted model.

        Raises:
            NotFittedError: Before `fit`.
        """
        if self._model is None:
            raise NotFittedError("there is no model yet; call fit first")
        return self._model

    def sample(self, num_rows: int | None = None, **options: Any) -> Any:
        """Draws synthetic rows, as `Model.sample` does, with its options (``where``, ``seed``)."""
        return self.model.sample(num_rows, **options)

    def sample_from_conditions(
        self, conditions: Sequence[Condition], *, seed: int | None = None
    ) -> Any:
        """As `Model.sample_from_conditions`."""
        return self.model.sample_from_conditions(conditions, seed=seed)

    def sample_remaining_columns(self, known_columns: Any, *, seed: int | None = None) -> Any:
        """As `Model.sample_remaining_columns`. **It copies the given values into the result.**"""
        return self.model.sample_remaining_columns(known_columns, seed=seed)

    @property
    def report(self) -> Report:
        """What the model says of itself; a notebook shows it as a page."""
        return self.model.report

    @property
    def errors(self) -> Any:
        """The errors of the report, as a frame."""
        return self.model.errors

    @property
    def columns(self) -> Any:
        """What each column was taken for, as a frame."""
        return self.model.columns

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the model's file, for `Model.load` and ``synclave sample``."""
        self.model.save(path)

    def _share(self, preprocessor_eps: float | None) -> float | None:
        if preprocessor_eps is None:
            return None
        epsilon = self._epsilon
        if not 0 < preprocessor_eps < epsilon:
            raise InputError(
                f"preprocessor_eps is {preprocessor_eps}, but is a part of epsilon and must lie "
                f"between 0 and {epsilon}",
                code=3,
            )
        return preprocessor_eps / epsilon

    def __repr__(self) -> str:
        state = "fitted" if self._model else "not fitted"
        return f"<synclave synthesizer: {self._method}, epsilon {self._epsilon:g}, {state}>"


def _as_json(options: Mapping[str, Any]) -> str:
    try:
        return json.dumps(options, default=_schema.plain, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"an option cannot be used: {error}", code=3) from None


@contextmanager
def _public_file(public: str | os.PathLike[str] | Model | None) -> Generator[str | None]:
    """A file with the public data: the ledger names that by the hash of its bytes."""
    if public is None:
        yield None
    elif isinstance(public, (str, os.PathLike)):
        yield os.fspath(public)
    elif isinstance(public, Model):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "public.model"
            public.save(path)
            yield os.fspath(path)
    else:
        raise InputError(
            f"a {type(public).__name__} is not public data; give a Model or the path of a file. "
            "Write a frame to a file first: the model will name it by the hash of that file",
            code=3,
        )


_FITTING = {
    "categories": {"categories", "boolean"},
    "ordered values": {"integer", "date", "datetime", "number", "boolean"},
    "numbers": {"integer", "number"},
}


def _surprises(
    columns: list[_native.Described], hints: Mapping[str, Sequence[str]]
) -> list[str]:
    """Where the released schema takes a column for something else than its person does."""
    kinds = {name: kind for name, kind, _, _ in columns}
    found: list[str] = []
    for meant, names in hints.items():
        for name in names:
            kind = kinds.get(name)
            if kind is None:
                found.append(f"the model has no column {name!r}")
            elif kind not in _FITTING[meant]:
                found.append(
                    f"you take {name!r} for {meant}, the model takes it for {kind}; "
                    "declare it in a schema to have it otherwise"
                )
    return found
