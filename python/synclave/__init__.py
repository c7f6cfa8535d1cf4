"""Differentially private synthetic data, of one table or of several parties' tables.

One table, on your own machine::

    import synclave

    synth = synclave.Synthesizer.create("grain", epsilon=1.0)
    synth.fit(people, schema="people.yaml", key="id")   # pandas, polars, pyarrow, or a path
    rows = synth.sample(10_000, where="age in 30..40", seed=1)
    synth.report                                        # a page, in a notebook
    synth.save("people.model")

A room, in which several parties' tables become one model::

    room = synclave.connect("wss://room.example.org", keys="keys/alice",
                            measurements="measurements.json", agreement="<96 hex digits>")
    room.upload(people)
    room.confirm()
    rows = room.wait().samples(1000)

Everything that this package raises is of the family `Error`. What it notices about your own table
comes as a `PrivateNote` (a warning): that is for you alone.
"""

from . import _native
from ._errors import (
    BudgetWarning,
    Error,
    EvidenceRefused,
    FitError,
    InputError,
    KeyNotRegistered,
    PrivateNote,
    ReceiptRefused,
    RoomError,
    TableError,
    UnreachableError,
)
from ._model import Condition, Model
from ._report import Evaluation, Report
from ._rooms import Agreement, Receipt, Room, Simulation, connect, keygen, simulated_room
from ._schema import SchemaDraft
from ._synthesizer import NotFittedError, Synthesizer
from ._tools import columns, evaluate, inspect, measure, schema

__version__ = _native.version()

__all__ = [
    "Agreement",
    "BudgetWarning",
    "Condition",
    "Error",
    "Evaluation",
    "EvidenceRefused",
    "FitError",
    "InputError",
    "KeyNotRegistered",
    "Model",
    "NotFittedError",
    "PrivateNote",
    "Receipt",
    "ReceiptRefused",
    "Report",
    "Room",
    "RoomError",
    "SchemaDraft",
    "Simulation",
    "Synthesizer",
    "TableError",
    "UnreachableError",
    "__version__",
    "columns",
    "connect",
    "evaluate",
    "inspect",
    "keygen",
    "measure",
    "schema",
    "simulated_room",
]
