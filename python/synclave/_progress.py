"""Progress bars, where tqdm is there to draw them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Union

Listener = Callable[[str, int, int], object]
"""Called with the stage, the steps done of it, and all its steps."""
Progress = Union[bool, Listener, None]
"""``True``: a bar, by tqdm. ``None``: a bar where a person watches and tqdm is there."""


@contextmanager
def listener(progress: Progress) -> Generator[Listener | None]:
    """What to call with each step."""
    if callable(progress):
        yield progress
        return
    if progress is False or (progress is None and not _is_watched()):
        yield None
        return
    try:
        tqdm: Any = importlib.import_module("tqdm.auto").tqdm
    except ImportError:
        if progress:
            raise ImportError("progress=True draws its bar with tqdm: pip install tqdm") from None
        yield None
        return
    bar: Any = tqdm(total=1, leave=False)

    def step(stage: str, done: int, total: int) -> None:
        bar.set_description(stage, refresh=False)
        bar.total = total
        bar.n = done
        bar.refresh()

    try:
        yield step
    finally:
        bar.close()


def _is_watched() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules
