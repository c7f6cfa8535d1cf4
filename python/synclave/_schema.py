"""Schemas as files, texts and mappings."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Union

from ._errors import InputError

Schema = Union[str, "os.PathLike[str]", Mapping[str, Any]]
"""The path of a YAML file, or a mapping that says the same."""


def as_yaml(schema: Schema | None) -> str | None:
    """The text of a schema. JSON is YAML, so that a mapping becomes one."""
    if schema is None:
        return None
    if isinstance(schema, Mapping):
        return json.dumps(schema, default=_plain, ensure_ascii=False)
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


def _of_marginal(marginal: Marginal) -> Mapping[str, Any]:
    return marginal if isinstance(marginal, Mapping) else {"columns": list(marginal)}


def _plain(value: object) -> object:
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    # Numbers of numpy, ranges and the like say themselves what they are in plain Python.
    item = getattr(value, "item", None)
    if callable(item):
        return item()
    raise InputError(f"a schema cannot hold {value!r}", code=3)
