"""The names of SDV, for scripts that were written with them.

```python
from synclave.sdv import Condition, Metadata, Synthesizer, evaluate_quality

metadata = Metadata.detect_from_dataframe(people)
synthesizer = Synthesizer(metadata, epsilon=1.0)
synthesizer.fit(people)
rows = synthesizer.sample(num_rows=1000)
```

What is different: epsilon has to be said; metadata comes from the frame's column types and names
alone, and never from its values; the model is differentially private, and so columns without a
schema are discovered under its budget.
"""

from __future__ import annotations

import os
from typing import Any

import pyarrow as pa

from . import _frames, _tools
from ._errors import InputError
from ._model import Condition, Model
from ._report import Evaluation
from ._schema import Schema
from ._synthesizer import Synthesizer as _Synthesizer

__all__ = ["Condition", "Metadata", "Synthesizer", "evaluate_quality"]

_SDTYPES = ("categorical", "numerical", "datetime", "boolean", "id")


class Metadata:
    """What each column of a table is taken for: SDV's ``sdtype``."""

    def __init__(self) -> None:
        self._sdtypes: dict[str, str] = {}
        self._primary_key: str | None = None

    @classmethod
    def detect_from_dataframe(cls, data: Any) -> Metadata:
        """Takes names and types from a frame, and looks at none of its values."""
        held = _frames.held(data)
        if isinstance(held, (str, os.PathLike)):
            raise InputError("give a frame, and not a path", code=3)
        metadata = cls()
        for field in pa.table(held).schema:
            metadata._sdtypes[field.name] = _sdtype(field.type)
        return metadata

    def update_column(self, column_name: str, *, sdtype: str) -> None:
        """Says what a column is to be taken for.

        Raises:
            InputError: If there is no such column or sdtype.
        """
        self._check(column_name)
        if sdtype not in _SDTYPES:
            raise InputError(f"no sdtype is named {sdtype!r}; use {', '.join(_SDTYPES)}", code=3)
        self._sdtypes[column_name] = sdtype

    def set_primary_key(self, column_name: str) -> None:
        """Says which column names a person. It becomes the ``key`` of the fit."""
        self._check(column_name)
        self._primary_key = column_name
        self._sdtypes[column_name] = "id"

    def to_dict(self) -> dict[str, Any]:
        """The columns with their sdtypes, and the primary key."""
        columns = {name: {"sdtype": sdtype} for name, sdtype in self._sdtypes.items()}
        return {"columns": columns, "primary_key": self._primary_key}

    @property
    def primary_key(self) -> str | None:
        """The column that names a person, if one was set."""
        return self._primary_key

    def columns_of(self, *sdtypes: str) -> list[str]:
        """The columns that are taken for one of these."""
        return [name for name, sdtype in self._sdtypes.items() if sdtype in sdtypes]

    def _check(self, column_name: str) -> None:
        if column_name not in self._sdtypes:
            raise InputError(f"the table has no column {column_name!r}", code=3)


class Synthesizer:
    """A synthesizer of one table with SDV's calls; `synclave.Synthesizer` does the work."""

    def __init__(
        self,
        metadata: Metadata,
        *,
        epsilon: float,
        method: str = "grain",
        schema: Schema | None = None,
        **options: Any,
    ) -> None:
        """Says what is to be fitted.

        Args:
            metadata: What the columns are taken for; the primary key says whose a row is.
            epsilon: The privacy budget; there is no default.
            method: As for `synclave.Synthesizer.create`, and so are all other options.
            schema: As for `synclave.Synthesizer.fit`: what is declared costs nothing to find out.
        """
        self._metadata = metadata
        self._schema = schema
        self._inner = _Synthesizer(method, epsilon=epsilon, **options)

    def get_metadata(self) -> Metadata:
        """What the columns are taken for."""
        return self._metadata

    def fit(self, data: Any) -> None:
        """Fits the model, as `synclave.Synthesizer.fit`."""
        metadata = self._metadata
        self._inner.fit(
            data,
            schema=self._schema,
            key=metadata.primary_key,
            categorical_columns=metadata.columns_of("categorical", "boolean"),
            ordinal_columns=metadata.columns_of("datetime"),
            continuous_columns=metadata.columns_of("numerical"),
        )

    def sample(self, num_rows: int) -> Any:
        """Draws rows, as `synclave.Model.sample`."""
        return self._inner.sample(num_rows)

    def sample_from_conditions(self, conditions: list[Condition]) -> Any:
        """Draws rows for each condition, as `synclave.Model.sample_from_conditions`."""
        return self._inner.sample_from_conditions(conditions)

    def sample_remaining_columns(self, known_columns: Any) -> Any:
        """As `synclave.Model.sample_remaining_columns`. **It copies the given values.**"""
        return self._inner.sample_remaining_columns(known_columns)

    def save(self, filepath: str | os.PathLike[str]) -> None:
        """Writes the model's file."""
        self._inner.save(filepath)

    @staticmethod
    def load(filepath: str | os.PathLike[str]) -> Model:
        """Reads a model's file. What it gives has all calls that draw rows."""
        return Model.load(filepath)


def evaluate_quality(
    real_data: Any, synthetic_data: Any, metadata: Metadata | None = None
) -> Evaluation:
    """As `synclave.evaluate`: **not private**, for the owner of the real rows."""
    key = None if metadata is None else metadata.primary_key
    return _tools.evaluate(real_data, synthetic_data, key=key)


def _sdtype(of: pa.DataType) -> str:
    if pa.types.is_boolean(of):
        return "boolean"
    if pa.types.is_temporal(of):
        return "datetime"
    if pa.types.is_integer(of) or pa.types.is_floating(of) or pa.types.is_decimal(of):
        return "numerical"
    return "categorical"
