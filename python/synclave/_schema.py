"""Schemas as files, texts and mappings."""

from __future__ import annotations

import datetime
import html
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

from . import _frames
from ._errors import InputError
from ._frames import Kind


class SchemaDraft:
    """A schema to start from: `synclave.schema` gives it, and ``fit(schema=...)`` takes it.

    Read it (``print(draft)``), keep it as a file (`save`) and change that, or take it as a mapping
    (`to_dict`) and change this. Where `origin` is ``"data"``, it was taken from the rows and is as
    private as they are: a fit with it has no guarantee until a person has taken out what could not
    have been known without the table, and has written ``origin: reviewed``.
    """

    def __init__(self, text: str, document: str, kind: Kind) -> None:
        self._text = text
        self._document: dict[str, Any] = json.loads(document)
        self._kind: Kind = kind

    @property
    def origin(self) -> str:
        """Where it comes from: ``"data"``, ``"discovery"`` (paid for) or ``"codebook"``."""
        origin = self._document["origin"]
        return origin if isinstance(origin, str) else str(next(iter(origin)))

    @property
    def columns(self) -> Any:
        """A frame with a row for each column.

        ``written`` is its kind, or ``"drop"``, ``"discover"`` or ``"nothing"`` (the key);
        ``comments`` says why.
        """
        columns = self._document["columns"]
        rows = [{**column, "comments": " ".join(column["comments"])} for column in columns]
        return _frames.of_rows(rows, ["name", "written", "comments"], self._kind)

    @property
    def ledger(self) -> dict[str, Any] | None:
        """What was spent to find it, where ``private`` asked for that; else ``None``.

        Each fit with the schema adds its own epsilon to it.
        """
        ledger: dict[str, Any] | None = self._document["ledger"]
        return ledger

    def to_yaml(self) -> str:
        """The text of the file, a column a line, with comments."""
        return self._text

    def to_dict(self) -> dict[str, Any]:
        """The same as a mapping, to be changed and given to ``fit(schema=...)``."""
        declaration: dict[str, Any] = json.loads(json.dumps(self._document["declaration"]))
        return declaration

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the file, to be read and changed by a person.

        Raises:
            FileExistsError: If there is such a file: it may be one that somebody has reviewed.
        """
        with open(path, "x", encoding="utf-8") as file:
            file.write(self._text)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        columns = self._document["columns"]
        dropped = sum(column["written"] == "drop" for column in columns)
        return f"<schema from {self.origin}: {len(columns)} columns, {dropped} left out>"

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(self._text)}</pre>"


Schema = Union[str, "os.PathLike[str]", Mapping[str, Any], SchemaDraft]
"""The path of a YAML file, a mapping that says the same, or a draft."""


def as_yaml(schema: Schema | None) -> str | None:
    """The text of a schema. JSON is YAML, so that a mapping becomes one."""
    if schema is None:
        return None
    if isinstance(schema, SchemaDraft):
        return schema.to_yaml()
    if isinstance(schema, Mapping):
        return json.dumps(schema, default=plain, ensure_ascii=False)
    try:
        return Path(schema).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"could not use the schema in {schema}: {error}", code=3) from error


Marginal = Union[Sequence[str], Mapping[str, Any]]
"""Names of columns; or a mapping with these as ``columns``, and a ``weight``."""
Workload = Union[str, "os.PathLike[str]", Sequence[Marginal]]
"""The marginals that matter: the path of a YAML file, or a list of them."""


def as_workload(workload: Workload | None) -> str | None:
    """The text of a workload."""
    if workload is None:
        return None
    if isinstance(workload, (str, os.PathLike)):
        try:
            return Path(workload).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            sentence = f"could not use the workload in {workload}: {error}"
            raise InputError(sentence, code=3) from error
    return json.dumps([_of_marginal(marginal) for marginal in workload], ensure_ascii=False)


def as_names(names: str | Sequence[str]) -> list[str]:
    """Names of columns. One name alone is not taken for a list of letters."""
    return [names] if isinstance(names, str) else list(names)


def _of_marginal(marginal: Marginal) -> Mapping[str, Any]:
    return marginal if isinstance(marginal, Mapping) else {"columns": list(marginal)}


def plain(value: object) -> object:
    """What a value is in plain Python, for JSON."""
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    # Numbers of numpy, ranges and the like say themselves what they are in plain Python.
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    raise InputError(f"{value!r} cannot be used here: give plain numbers and texts", code=3)
