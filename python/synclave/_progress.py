"""Progress bars, where tqdm is there to draw them."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Union

Listener = Callable[[str, int, int], object]
"""Called with the stage, the steps done of it, and all its steps."""
Progress = Union[bool, Listener, None]
"""``True``: a bar, by tqdm. ``None``: a bar where a person watches and tqdm is there."""

_PATIENCE_SECONDS = 1.0


@contextmanager
def listener(progress: Progress, unit: str = "it") -> Generator[Listener | None]:
    """What to call with each step. Steps of the unit ``"B"`` are bytes."""
    if callable(progress):
        yield progress
        return
    if progress is False or (progress is None and not _is_watched()):
        yield None
        return
    module = "tqdm.notebook" if _has_widgets() else "tqdm"
    try:
        tqdm: Any = importlib.import_module(module).tqdm
    except ImportError:
        if progress:
            raise ImportError("progress=True draws its bar with tqdm: pip install tqdm") from None
        yield None
        return
    start = time.monotonic()
    bars: list[Any] = []

    def step(stage: str, done: int, total: int) -> None:
        if not bars:
            # What is over at once needs no bar.
            if time.monotonic() - start < _PATIENCE_SECONDS:
                return
            bars.append(tqdm(total=total, leave=False, unit=unit, unit_scale=unit == "B"))
        (bar,) = bars
        bar.set_description(stage, refresh=False)
        bar.total = total
        bar.n = done
        bar.refresh()

    try:
        yield step
    finally:
        for bar in bars:
            bar.close()


def _is_watched() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def _has_widgets() -> bool:
    names = ("ipykernel", "ipywidgets")
    return names[0] in sys.modules and importlib.util.find_spec(names[1]) is not None
