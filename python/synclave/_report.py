"""Reports: of a fitted model, and of a comparison with real rows."""

from __future__ import annotations

import html
import json
from typing import Any

from . import _frames
from ._frames import Kind


class _Page:
    """Something with a page and a document."""

    def __init__(self, document: str, page: str, kind: Kind) -> None:
        self._document = document
        self._page = page
        self._kind: Kind = kind

    def to_dict(self) -> dict[str, Any]:
        """The whole of it, for programs."""
        loaded: dict[str, Any] = json.loads(self._document)
        return loaded

    def to_html(self) -> str:
        """One page that loads and runs nothing, for a browser."""
        return self._page

    def _repr_html_(self) -> str:
        # In a frame of its own, so that its style and the notebook's do not mix.
        page = html.escape(self._page, quote=True)
        style = "width: 100%; height: 40em; border: 1px solid #ccc"
        return f'<iframe sandbox style="{style}" srcdoc="{page}"></iframe>'

    def _frame(self, rows: list[dict[str, Any]], names: list[str]) -> Any:
        return _frames.of_rows(rows, names, self._kind)


class Report(_Page):
    """What a fitted model says of itself. It was paid for and may be shown to anyone.

    In a notebook it is shown as a page. Errors are distances between marginals of the table and of
    the model: half the L1 distance of the counts, as a share of the estimated number of rows (0:
    equal, 1: nothing in common).
    """

    @property
    def errors(self) -> Any:
        """A frame with a row for each marginal of the workload, heaviest first.

        ``distance`` is as measured, with noise; the true one is below ``bound`` with a probability
        of 95 %, for each marginal by itself, and below ``joint_bound`` for all at once;
        ``relation`` says how far the columns are from independent, on the same scale; where
        ``mostly_noise`` holds, do not rely on it. Empty where the method measures no errors (all
        but GRAIN).
        """
        errors = self.to_dict()["report"]["errors"] or {"marginals": []}
        rows = [
            {**row, "columns": " x ".join(row["columns"])} for row in errors["marginals"]
        ]
        names = ["columns", "distance", "bound", "joint_bound", "relation", "mostly_noise"]
        return self._frame(rows, names)

    @property
    def columns(self) -> Any:
        """A frame with a row for each column: what it was taken for, and what is hidden of it."""
        rows = self.to_dict()["report"]["columns"]
        names = ["name", "kind", "values", "nullable", "missing", "other", "noise", "mostly_noise"]
        return self._frame(rows, names)

    @property
    def warnings(self) -> list[str]:
        """What not to rely on, and what to do."""
        found: list[str] = self.to_dict()["report"]["warnings"]
        return found

    @property
    def guarantees(self) -> list[Any]:
        """What holds of everything that the fit has released."""
        found: list[Any] = self.to_dict()["guarantees"]
        return found

    def __repr__(self) -> str:
        report = self.to_dict()["report"]
        low, high = report["row_count"]["between"]
        return (
            f"<report of a {report['method']} model: {len(report['columns'])} columns, "
            f"{low} to {high} rows>"
        )


class Evaluation(_Page):
    """Synthetic rows beside real ones.

    **Not private**: all of it is computed from the real rows without noise. Keep it to yourself,
    as you do the real table. Distances are total variation distances of marginals (0: equal, 1:
    nothing shared).
    """

    @property
    def scores(self) -> Any:
        """A frame: for columns, pairs and triples the mean and the largest distance.

        ``held_out_mean`` and ``held_out_max`` are those of one half of the real rows against the
        other: real rows that were not copied get no nearer.
        """
        document = self.to_dict()
        held_out = document["held_out"] or {}
        rows: list[dict[str, Any]] = []
        for name in ("one_way", "two_way", "three_way"):
            half = held_out.get(name, {})
            rows.append(
                {
                    "marginals": name,
                    "mean": document[name]["mean"],
                    "max": document[name]["max"],
                    "held_out_mean": half.get("mean"),
                    "held_out_max": half.get("max"),
                }
            )
        return self._frame(rows, list(rows[0]))

    @property
    def relations(self) -> Any:
        """A frame: for each pair of columns how strongly they are related (Cramer's V)."""
        rows = [
            {**pair, "columns": " x ".join(pair["columns"])} for pair in self.to_dict()["pairs"]
        ]
        return self._frame(rows, ["columns", "real_association", "synthetic_association"])

    def __repr__(self) -> str:
        distance = self.to_dict()["two_way"]["mean"]
        return f"<private: synthetic rows beside real ones, pairs at a distance of {distance:.4f}>"


def default_kind(kind: Kind | None) -> Kind:
    """The kind of frame in which tables are shown."""
    return kind or _frames.default_kind()
