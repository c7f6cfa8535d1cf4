"""What the command line does with files, as functions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Sequence
from typing import Any

from . import _errors, _frames, _native, _schema
from ._model import Model
from ._report import Evaluation, Report, default_kind
from ._schema import Schema, SchemaDraft
from ._synthesizer import Synthesizer


def schema(
    data: Any = None,
    *,
    key: str | None = None,
    keep: str | Sequence[str] = (),
    private: float | None = None,
    delta: float = 1e-9,
    max_rows_per_id: int | None = None,
    codebook: str | os.PathLike[str] | None = None,
) -> SchemaDraft:
    """Drafts a schema, as ``synclave schema`` does.

    ```python
    draft = synclave.schema(people, key="id")
    draft.save("people.yaml")   # read it, mend it, write `origin: reviewed`
    synth.fit(people, schema="people.yaml", key="id")
    ```

    There are three sources, and they differ in what a fit with the schema guarantees:

    * the rows as they are: **not private** until a person has reviewed it. Only texts that at least
      20 people share are written, and ranges that as many reach;
    * the rows under a budget (``private=1.0``): nobody has to review it, and each fit with it adds
      its own epsilon to this one;
    * a code book, which is public and costs nothing.

    Args:
        data: Your table, as for `Synthesizer.fit`. With a code book it is only compared with that,
            and may be left out.
        key: The column that says whose a row is; without it each row counts as one person. It is
            not declared.
        keep: Columns to declare although they look as if they named people.
        private: The epsilon to find values and ranges with.
        delta: The delta of ``private``.
        max_rows_per_id: With ``private``, most rows of one person that take part; without it
            repeats are refused.
        codebook: The path of a code book (data dictionary), CSV or a workbook, with a row for each
            column of the table.

    Raises:
        InputError: If the table, the code book or an option cannot be used.
        TableError: The same, where the reason is in the rows: its message is for you alone.

    Warns:
        PrivateNote: What was noticed about your table, for you alone.
        BudgetWarning: Where the budget protects less than you may think.
    """
    if codebook is not None and private is not None:
        raise _errors.InputError("give codebook= or private=, and not both", code=3)
    if max_rows_per_id is not None and (private is None or key is None):
        raise _errors.InputError("max_rows_per_id= goes with private= and key=", code=3)
    options = {
        "key": key,
        "keep": _schema.as_names(keep),
        "private": private,
        "delta": delta,
        "max_rows_per_id": max_rows_per_id,
        "codebook": None if codebook is None else os.fspath(codebook),
    }
    table = None if data is None else _frames.held(data, key)
    text, document, told, notes = _native.draft_schema(table, json.dumps(options))
    for sentence in told:
        warnings.warn(sentence, _errors.BudgetWarning, stacklevel=2)
    for sentence in notes:
        warnings.warn(sentence, _errors.PrivateNote, stacklevel=2)
    return SchemaDraft(text, document, default_kind(_frames.kind_of(data)))


def columns(of: Synthesizer | Model | Report | Schema) -> Any:
    """Says what each column is taken for, as a frame.

    Of a fit (a `Synthesizer`, `Model` or `Report`) it shows what the released schema has: ``kind``,
    how many ``values``, whether they can be missing (``nullable``), and what noise hides. Of a
    schema (a file, a mapping, or a draft) it shows ``kind``, ``nullable`` and ``categories`` as a
    fit would take them; columns that are discovered or dropped are not in it.

    Raises:
        InputError: If the schema cannot be used.
        NotFittedError: Of a synthesizer before `Synthesizer.fit`.
    """
    if isinstance(of, (Synthesizer, Model, Report)):
        return of.columns
    described = _native.declared_columns(_schema.as_yaml(of) or "")
    names = ["name", "kind", "nullable", "categories"]
    rows = [dict(zip(names, column, strict=True)) for column in described]
    return _frames.of_rows(rows, names, _frames.default_kind())


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

    Returns:
        An `Evaluation`: a page in a notebook, with ``scores`` and ``relations`` as frames.

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

    Returns:
        What ``synclave --json inspect`` prints: ``kind`` says what it is (``"model"``,
        ``"receipt"``, ``"attestation document"``, ``"enclave image"``), and the rest follows from
        that.

    Raises:
        InputError: If the file cannot be read, or is none of these.
        EvidenceRefused: If it is evidence, or a receipt with evidence, that does not hold.
        ReceiptRefused: If it is a receipt that does not hold.
    """
    options = [] if dangerous_root is None else ["--dangerous-root", os.fspath(dangerous_root)]
    return command("inspect", os.fspath(path), *options)


def measure(image: str | os.PathLike[str]) -> dict[str, Any]:
    """Measures an enclave's image: the PCRs that its evidence will show.

    Returns:
        ``{"Measurements": {"HashAlgorithm": ..., "PCR0": ..., "PCR1": ..., "PCR2": ...}}``, in hex.
        Written to a file as JSON it is what ``connect(measurements=...)`` reads.

    Raises:
        InputError: If it is not an image, or one that two readers could see differently.
    """
    return command("measure", os.fspath(image))


def command(*arguments: str) -> dict[str, Any]:
    """Runs ``synclave`` with ``--json`` in a process of its own, and returns its document.

    Raises:
        Error: One of this package's, by the exit code.
    """
    # With this process's own paths: `-m` would look into the working folder first.
    start = "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); "
    start += "from synclave.__main__ import main; main()"
    line = [sys.executable, "-c", start, json.dumps(sys.path), "--json", "--quiet", *arguments]
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
