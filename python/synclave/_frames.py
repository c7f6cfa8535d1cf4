"""Data frames of other libraries: what comes in, and what goes out as the same kind."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, Protocol, cast

import pyarrow as pa

from ._errors import InputError

if TYPE_CHECKING:
    from . import _native

Kind = Literal["pandas", "polars", "pyarrow"]
KINDS: tuple[Kind, ...] = ("pandas", "polars", "pyarrow")


def kind_of(table: object) -> Kind | None:
    """The library that a frame is of; ``None`` for a path or a stream of Arrow's."""
    module = type(table).__module__.partition(".")[0]
    return next((kind for kind in KINDS if kind == module), None)


def held(table: Any, key: str | None = None) -> Any:
    """A path, or an object with ``__arrow_c_stream__`` over the same buffers where possible.

    The index of a pandas frame is left out, but for a level that is named as the key.
    """
    if isinstance(table, (str, os.PathLike)):
        return table
    kind = kind_of(table)
    if kind in ("pandas", "polars") and type(table).__name__ == "Series":
        raise InputError("a Series is one column; make it a table with .to_frame()", code=3)
    if kind == "pandas":
        return _from_pandas(table, key)
    if kind == "polars" and hasattr(table, "collect"):
        raise InputError("a LazyFrame holds no rows yet; give .collect() of it", code=3)
    if kind == "polars":
        return _from_polars(table)
    if not hasattr(table, "__arrow_c_stream__"):
        name = type(table).__name__
        raise InputError(
            f"a {name} is no table; give a pandas or polars DataFrame, a pyarrow Table, another "
            "object with __arrow_c_stream__, or the path of a file",
            code=3,
        )
    return table


def _from_pandas(table: Any, key: str | None) -> pa.Table:
    if key is not None and key not in table.columns and key in table.index.names:
        table = table.reset_index(level=key)
    for name in table.columns:
        if not isinstance(name, str):
            raise InputError(
                f"the column name {name!r} is not a text; rename it: "
                "df.columns = df.columns.astype(str)",
                code=3,
            )
    try:
        return pa.Table.from_pandas(table, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        # Arrow's sentence quotes a value; this one names the column, as its last argument does.
        column = str(error.args[-1]) if len(error.args) > 1 else "a column"
        raise InputError(
            f"{column}: values of several types cannot be one column; "
            "make them one type, for example with .astype(str)",
            code=3,
        ) from None


def of_rows(rows: list[dict[str, Any]], names: list[str], kind: Kind) -> Any:
    """A frame of what is not anybody's rows: reports, columns, checks."""
    table = pa.table({name: [row[name] for row in rows] for name in names})
    if kind == "pandas":
        return table.to_pandas()
    if kind == "polars":
        import polars as pl

        return pl.from_arrow(table)
    return table


def _from_polars(table: Any) -> Any:
    import polars as pl

    # Columns without a value and a type, whose form in Arrow other readers refuse.
    empty = [name for name, kind in table.schema.items() if kind == pl.Null]
    return table.with_columns(pl.col(empty).cast(pl.String)) if empty else table


class Drawn(Protocol):
    """Rows that were drawn: a stream of Arrow's, and what its columns are."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Arrow's PyCapsule interface."""
        ...

    def columns(self) -> list[_native.Described]:
        """For each column its name, its kind, whether values may be missing, its categories."""
        ...


def framed(rows: Drawn, kind: Kind | None) -> Any:
    """Rows as a frame of this kind, with types by the released schema."""
    table = pa.RecordBatchReader.from_stream(rows).read_all()
    if kind == "polars":
        return _to_polars(table, rows.columns())
    if kind == "pandas":
        return _to_pandas(table, rows.columns())
    return table


def default_kind() -> Kind:
    """The kind where no frame came in: pandas where it is installed, else pyarrow."""
    try:
        import pandas as _
    except ImportError:
        return "pyarrow"
    return "pandas"


def _to_pandas(table: pa.Table, columns: list[_native.Described]) -> Any:
    import pandas as pd

    frame = table.to_pandas(date_as_object=False)
    for name, kind, nullable, categories in columns:
        # By what the schema allows, and not by what happens to be among these rows.
        if nullable and kind in ("integer", "boolean"):
            types: dict[Any, Any] = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
            frame[name] = table.column(name).to_pandas(types_mapper=types.get)
        elif kind == "categories":
            frame[name] = frame[name].astype(pd.CategoricalDtype(categories))
    return frame


def _to_polars(table: pa.Table, columns: list[_native.Described]) -> Any:
    import polars as pl

    frame = cast("pl.DataFrame", pl.from_arrow(table))
    enums = [
        pl.col(name).cast(pl.String).cast(pl.Enum(categories))
        for name, kind, _, categories in columns
        if kind == "categories"
    ]
    return frame.with_columns(enums)
