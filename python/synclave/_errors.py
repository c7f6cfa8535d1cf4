"""The exceptions of this package: one family, with the exit codes of the command line."""

from __future__ import annotations

import json
from typing import Any


class Error(Exception):
    """Something did not work. All exceptions of this package are of this family.

    Attributes:
        code: The exit code that the command line ends with for the same reason.
        name: The name of that reason, such as ``"wrong-measurement"``.
        private: Whether the message says something about the rows of your own table. Then it is
            for you alone: keep it out of shared logs and reports.
        spent: What a fit that failed has spent of its budget all the same (the ledger's record),
            or ``None``. It adds to what later fits on the same table spend.
    """

    code: int
    name: str
    private: bool
    spent: dict[str, Any] | None

    def __init__(
        self,
        message: str,
        *,
        code: int = 1,
        private: bool = False,
        spent: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.name = _NAMES.get(code, "failure")
        self.private = private
        self.spent = spent

    def __reduce__(self) -> tuple[Any, ...]:
        return (_again, (type(self), self.args, self.__dict__))


class InputError(Error):
    """What you gave cannot be used: an option, a file, a table, a schema, a condition."""


class TableError(InputError):
    """Your own table cannot be used. The message is about its rows, and for you alone."""


class FitError(Error):
    """The fit did not succeed, for a reason that is not in your input."""


class UnreachableError(Error):
    """No connection to the room came about: the address, a proxy, or a load balancer."""


class KeyNotRegistered(Error):
    """Your key is not in the room's agreement."""


class EvidenceRefused(Error):
    """What answers is not the room that you expect. Nothing of yours was sent to it.

    Attributes:
        check: What was checked, such as ``"measurement"`` or ``"agreement"``.
    """

    @property
    def check(self) -> str:
        """What was checked: the part of the evidence that does not hold."""
        return _CHECKS[self.code]


class ReceiptRefused(Error):
    """The receipt does not hold."""


class RoomError(Error):
    """The room refused a request.

    Attributes:
        status: The HTTP status of the reply.
        problem: The stable code of the reason, such as ``"not_trained"``.
    """

    status: int
    problem: str

    def __init__(self, message: str, *, status: int, problem: str, private: bool = False) -> None:
        super().__init__(message, private=private)
        self.status = status
        self.problem = problem


class PrivateNote(UserWarning):
    """Something about your own table, under no budget: for you alone."""


class BudgetWarning(UserWarning):
    """The budget, or where the domain comes from, protects less than you may think."""


_NAMES = {
    1: "failure",
    3: "input",
    10: "unreachable",
    11: "key-not-registered",
    12: "not-a-room",
    13: "proxy-refused",
    14: "outer-tls",
    15: "upgrade-refused",
    20: "evidence-too-large",
    21: "evidence-malformed",
    22: "unknown-root",
    23: "chain-expired",
    24: "chain-invalid",
    25: "wrong-algorithm",
    26: "bad-signature",
    27: "stale",
    28: "debug-mode",
    29: "wrong-measurement",
    30: "wrong-agreement-register",
    31: "wrong-server-key",
    32: "wrong-nonce",
    33: "relayed",
    34: "wrong-agreement",
    35: "wrong-room",
    36: "agreement-declined",
    40: "port-in-use",
    50: "receipt",
    130: "interrupted",
}

_CHECKS = {
    12: "protocol",
    20: "size",
    21: "form",
    22: "root",
    23: "certificates",
    24: "certificates",
    25: "algorithm",
    26: "signature",
    27: "time",
    28: "debug mode",
    29: "measurement",
    30: "measured agreement",
    31: "server key",
    32: "challenge",
    33: "connection",
    34: "agreement",
    35: "room",
}


def _again(kind: type[Error], args: tuple[Any, ...], state: dict[str, Any]) -> Error:
    """Makes an exception that was pickled, whatever its constructor asks for."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


def exception(code: int, told: list[str], private: list[str], spent: str | None) -> Error:
    """The exception for an exit code and causes, outermost first; the extension calls this."""
    # Marked as on the command line, so that nobody copies it without seeing that.
    sentences = [*told, *(f"about your own table, not private: {cause}" for cause in private)]
    message = ": ".join(sentences) if sentences else "it failed"
    kind: type[Error]
    if code == 3:
        kind = TableError if private else InputError
    elif code in _CHECKS:
        kind = EvidenceRefused
    elif code in (10, 13, 14, 15):
        kind = UnreachableError
    elif code == 11:
        kind = KeyNotRegistered
    elif code == 50:
        kind = ReceiptRefused
    elif spent is not None:
        kind = FitError
    else:
        kind = Error
    record = None if spent is None else json.loads(spent)
    return kind(message, code=code, private=bool(private), spent=record)
