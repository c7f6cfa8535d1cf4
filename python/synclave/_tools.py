"""What the command line does with files, as functions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from . import _errors, _frames, _native, _schema
from ._report import Evaluation, default_kind
from ._schema import Schema


def evaluate(
    real: Any, synthetic: Any, *, schema: Schema | None = None, key: str | None = None
) -> Evaluation:
    """Compares synthetic rows with real ones that you own.

    **Not private**: all of it is computed from the real rows without noise. It is for your own
    eyes, to learn whether a method and a budget do for your table.

    Args:
        real: Your table, as for `Synthesizer.fit`.
        synthetic: The rows to judge, in any of the same forms.
        schema: The bins in which numbers are compared; without it a grid taken from the real table.
        key: The column that says whose a row is; it is not compared.

    Raises:
        InputError: If a table cannot be read, or the two have not the same columns.
    """
    document, page = _native.evaluate(
        _frames.held(real, key), _frames.held(synthetic), _schema.as_yaml(schema), key
    )
    return Evaluation(document, page, default_kind(_frames.kind_of(real)))


def inspect(
    path: str | os.PathLike[str], *, dangerous_root: str | os.PathLike[str] | None = None
) -> dict[str, Any]:
    """Says what a file is, and what holds of it: a model, a receipt, evidence, an image.

    Args:
        path: The file. It may come from a stranger.
        dangerous_root: Trusts another root than AWS's, such as that of a simulated room.

    Raises:
        InputError, EvidenceRefused, ReceiptRefused: If it is none of these, or does not hold.
    """
    options = [] if dangerous_root is None else ["--dangerous-root", os.fspath(dangerous_root)]
    return command("inspect", os.fspath(path), *options)


def measure(image: str | os.PathLike[str]) -> dict[str, Any]:
    """Measures an enclave's image: the PCRs that its evidence will show.

    Raises:
        InputError: If it is not an image, or one that two readers could see differently.
    """
    return command("measure", os.fspath(image))


def command(*arguments: str) -> dict[str, Any]:
    """Runs ``synclave`` with ``--json`` in a process of its own, and returns its document.

    Raises:
        Error: One of this package's, by the exit code.
    """
    line = [sys.executable, "-m", "synclave", "--json", "--quiet", *arguments]
    ended = subprocess.run(line, capture_output=True, text=True, encoding="utf-8", check=False)
    if ended.returncode == 2:
        # The arguments make no sense: the text for a person says why.
        raise _errors.InputError(ended.stderr.strip(), code=3)
    try:
        document: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        raise _errors.Error(ended.stderr.strip() or "synclave ended without a word") from None
    if ended.returncode != 0:
        private = document.get("private_to_you")
        told = [str(document["error"])]
        raise _errors.exception(ended.returncode, told, [str(private)] if private else [], None)
    return document
