"""Rooms: enclaves in which several parties' tables become one model."""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import tempfile
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode

import pyarrow as pa

from . import _errors, _frames, _native, _progress, _tools
from ._frames import Kind
from ._model import Model
from ._progress import Progress
from ._report import Report

_POLL_SECONDS = 0.3


class Agreement:
    """What a room will do, and for whom: two files, which its evidence names by their hash."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    @property
    def sha384(self) -> str:
        """Its name: 96 hex digits, over both files as they are."""
        return str(self._document["sha384"])

    @property
    def service_yaml(self) -> str:
        """Who takes part, byte for byte."""
        return str(self._document["service_yaml"])

    @property
    def runtime_yaml(self) -> str:
        """What is computed, and under which budget, byte for byte."""
        return str(self._document["runtime_yaml"])

    @property
    def summary(self) -> dict[str, Any]:
        """What the two files say, checked as the enclave checks them."""
        summary: dict[str, Any] = self._document["summary"]
        return summary

    def __repr__(self) -> str:
        return f"<agreement {self.sha384[:16]}...>"


class Receipt:
    """What a room has done, vouched for by its platform. It may be shown to anyone."""

    def __init__(self, text: str, trust: dict[str, str]) -> None:
        self._text = text
        self._trust = trust

    def to_dict(self) -> dict[str, Any]:
        """The receipt as it was served. What it says holds only if `verify` does."""
        document: dict[str, Any] = json.loads(self._text)
        return document

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes it to a file, for ``synclave verify-receipt``."""
        Path(path).write_text(self._text, encoding="utf-8")

    def verify(
        self,
        *,
        measurements: str | os.PathLike[str] | None = None,
        agreement: str | None = None,
        dangerous_root: str | os.PathLike[str] | None = None,
    ) -> dict[str, Any]:
        """Checks it as ``synclave verify-receipt`` does, and returns what was found.

        What is not given is taken from the connection that it came over.

        Raises:
            ReceiptRefused: If its text is not what the evidence vouches for, its spends do not add
                up, or it is about another agreement.
            EvidenceRefused: If the evidence itself does not hold.
        """
        given = {
            "--measurements": None if measurements is None else os.fspath(measurements),
            "--agreement": agreement,
            "--dangerous-root": None if dangerous_root is None else os.fspath(dangerous_root),
        }
        trust = {**self._trust, **{name: value for name, value in given.items() if value}}
        options = [part for pair in trust.items() for part in pair]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "receipt.json"
            self.save(path)
            return _tools.command("verify-receipt", os.fspath(path), *options)


class Room:
    """A room that was verified: `connect` gives it.

    Every further connection is verified as the first was, and must show the same room. All methods
    wait for the reply with the interpreter's lock released, so that other threads go on. In an
    event loop call them by a thread::

        await asyncio.to_thread(room.upload, table)
        await asyncio.to_thread(room.wait)
    """

    def __init__(self, native: _native.Room, trust: dict[str, str]) -> None:
        self._native = native
        self._trust = trust
        self._kind: Kind | None = None
        self._model: Model | None = None

    @property
    def id(self) -> str:
        """The room's id in hex. A restarted room is another one."""
        return self._native.id

    @property
    def evidence(self) -> Any:
        """The checks that passed, as a frame of ``check`` and ``found``."""
        steps = self._native.evidence()
        table = pa.table(
            {"check": [check for check, _ in steps], "found": [found for _, found in steps]}
        )
        return table.to_pandas() if _frames.default_kind() == "pandas" else table

    @property
    def agreement(self) -> Agreement:
        """What the room will do. It is the one that you named when you connected."""
        return Agreement(json.loads(self._native.agreement()))

    def upload(self, data: Any, *, progress: Progress = None) -> dict[str, Any]:
        """Sends your table to the room, and to nobody else.

        Until you confirm it may be sent again, and replaces what you sent before.

        Args:
            data: A frame, which goes as Parquet, or the path of a file, which goes as it is. The
                agreement's key (``id``, unless it names another column) says whose a row is; a
                pandas index of that name does.
            progress: As for `Synthesizer.fit`; its steps are bytes.

        Returns:
            What the room has read: ``rows``, ``warnings`` about your table, and the
            ``commitment`` that the receipt will show. For you alone.

        Raises:
            RoomError: If the room cannot use the table; what it says is for you alone.
            EvidenceRefused: If what answers is no longer the room. Nothing was sent then.

        Warns:
            PrivateNote: Which columns of a frame are left out, as a fit leaves them out.
        """
        held = _frames.held(data, str(self.agreement.summary["key"]))
        if isinstance(held, (str, os.PathLike)):
            try:
                name, contents = Path(held).name, Path(held).read_bytes()
            except OSError as error:
                raise _errors.InputError(f"could not read {held}: {error}", code=3) from error
        else:
            name, (contents, notes) = "table.parquet", _as_parquet(held)
            self._kind = _frames.kind_of(data)
            for note in notes:
                warnings.warn(note, _errors.PrivateNote, stacklevel=2)
        boundary = secrets.token_hex(16)
        quoted = name.replace("\\", "_").replace('"', "_").encode("ascii", "replace").decode()
        head = (
            f"--{boundary}\r\ncontent-disposition: form-data; "
            f'name="file"; filename="{quoted}"\r\n\r\n'
        )
        body = b"".join([head.encode(), contents, f"\r\n--{boundary}--\r\n".encode()])
        form = f"multipart/form-data; boundary={boundary}"
        with _progress.listener(progress, unit="B") as listener:
            sent = self._send("POST", "/upload_data", form, body, private=True, listener=listener)
        reply: dict[str, Any] = json.loads(sent)
        return reply

    def confirm(self, commitments: dict[str, str] | None = None) -> str:
        """Stands by the tables as they are now. When the last party has, training begins.

        Args:
            commitments: Confirm only if the others' uploads are these: for each party the
                ``commitment`` that `status` shows.
        """
        path = "/confirm_data"
        if commitments:
            pairs = ",".join(f"{name}:{digest}" for name, digest in commitments.items())
            path += "?" + urlencode({"commitments": pairs})
        return str(json.loads(self._send("POST", path))["message"])

    def withdraw(self) -> str:
        """Takes the confirmation back, as long as not all have confirmed."""
        return str(json.loads(self._send("POST", "/withdraw_confirmation"))["message"])

    @property
    def status(self) -> dict[str, Any]:
        """How far the room has come, and each party's part in it."""
        status: dict[str, Any] = json.loads(self._send("GET", "/status"))
        return status

    def wait(self, timeout: float | None = None, progress: Progress = None) -> Room:
        """Waits until the model is there: until all have confirmed, and it is fitted.

        Args:
            timeout: Seconds to wait at most.
            progress: As for `Synthesizer.fit`.

        Raises:
            TimeoutError: If it takes longer.
            RoomError: If the room could not fit a model, or has expired.
        """
        end = None if timeout is None else time.monotonic() + timeout
        with _progress.listener(progress) as listener:
            while True:
                status = self.status
                phase = status["status"]
                if phase == "trained":
                    return self
                if phase in ("failed", "expired"):
                    sentence = {
                        "failed": "the room could not fit a model",
                        "expired": "the room has expired: the parties did nothing for too long",
                    }[phase]
                    raise _errors.RoomError(sentence, status=409, problem=phase)
                if end is not None and time.monotonic() > end:
                    raise TimeoutError(f"the room is still {phase.replace('_', ' ')}")
                done = status["progress"] or {"stage": phase.replace("_", " "), "tenths": 0}
                if listener is not None:
                    listener(str(done["stage"]), int(done["tenths"]), 10)
                time.sleep(_POLL_SECONDS)

    def columns(self, party: str = "theirs") -> Any:
        """The columns of a party, as a frame with the categories or bins of each below its name.

        These come from the agreement or were discovered under the budget; they are nobody's rows.

        Args:
            party: ``"mine"``, ``"theirs"`` (where there are two parties) or a party's name.
        """
        reply = json.loads(self._send("GET", "/columns?" + urlencode({"party": party})))
        columns = list(zip(*reply["rows"], strict=True)) or [()] * len(reply["columns"])
        values = [[value or None for value in column] for column in columns]
        table = pa.table(dict(zip(reply["columns"], values, strict=True)))
        return table.to_pandas() if _frames.default_kind() == "pandas" else table

    @property
    def model(self) -> Model:
        """The fitted model. It may be kept, and drawn from when the room is gone.

        Raises:
            RoomError: Before it is trained.
        """
        if self._model is None:
            contents = self._send("GET", "/model")
            self._model = Model(_native.Model.from_bytes(contents), self._kind)
        return self._model

    def samples(self, num_rows: int | None = None, **options: Any) -> Any:
        """Draws synthetic rows of the joint table, as `Model.sample` does (``where``, ``seed``).

        They are drawn here, from the model that the room gives to its parties: the same seed gives
        the rows that the room itself would send.
        """
        return self.model.sample(num_rows, **options)

    @property
    def report(self) -> Report:
        """What the model says of itself; a notebook shows it as a page."""
        return self.model.report

    @property
    def receipt(self) -> Receipt:
        """What was done, for you and anyone else to verify.

        Raises:
            RoomError: Before the model is there.
        """
        return Receipt(self._send("GET", "/receipt").decode(), self._trust)

    def _send(
        self,
        method: str,
        path: str,
        content_type: str | None = None,
        body: bytes | None = None,
        *,
        private: bool = False,
        listener: _progress.Listener | None = None,
    ) -> bytes:
        status, reply = self._native.request(method, path, content_type, body, listener)
        if status < 400:
            return reply
        try:
            problem = json.loads(reply)
            detail, code = str(problem["detail"]), str(problem["code"])
        except (ValueError, KeyError, TypeError):
            detail, code = f"the room answered {status}", "unknown"
        raise _errors.RoomError(detail, status=status, problem=code, private=private)

    def __repr__(self) -> str:
        return f"<room {self.id[:16]}..., verified>"


def connect(
    url: str,
    *,
    keys: str | os.PathLike[str],
    measurements: str | os.PathLike[str],
    agreement: str,
    room: str | None = None,
    port: int = 443,
    proxy: str | None = None,
    outer_ca: str | os.PathLike[str] | None = None,
    dangerous_root: str | os.PathLike[str] | None = None,
) -> Room:
    """Connects to a room, and checks everything that ``synclave connect`` checks.

    Args:
        url: ``https://host``, or ``wss://host`` for a room behind a load balancer.
        keys: Your keys, as ``synclave keygen`` wrote them: ``keys/alice`` for the files
            ``keys/alice_private.der`` and ``keys/alice_public.der``.
        measurements: The file with the measurements of the program that you trust.
        agreement: The hash of the agreement that you accept, all 96 hex digits of it
            (``synclave validate`` prints it). There is no way to leave it out: a program has
            nobody who could read the agreement and say yes.
        room: The id of the room, where you know it: a restarted room is another one.
        port: The port, where the address has none.
        proxy: An HTTP proxy on the way; without it that of the environment.
        outer_ca: Certificates to trust for the outer hop of ``wss://``.
        dangerous_root: Trusts another root than AWS's: no hardware vouches for what it signs.

    Raises:
        EvidenceRefused: If what answers is not that room, with the ``check`` that failed. Not a
            byte of yours was sent.
        KeyNotRegistered: If your key is not in the room's agreement.
        UnreachableError: If nothing answers.
        InputError: If a file or the address cannot be used.
    """
    keys = os.fspath(keys)
    expected = {
        "url": url,
        "port": port,
        "private_key": f"{keys}_private.der",
        "public_key": f"{keys}_public.der",
        "measurements": os.fspath(measurements),
        "agreement": agreement,
        "room": room,
        "dangerous_root": None if dangerous_root is None else os.fspath(dangerous_root),
        "proxy": proxy,
        "outer_ca": None if outer_ca is None else os.fspath(outer_ca),
    }
    native = _native.Room.connect(json.dumps(expected))
    trust = {"--measurements": os.fspath(measurements), "--agreement": agreement}
    if dangerous_root is not None:
        trust["--dangerous-root"] = os.fspath(dangerous_root)
    return Room(native, trust)


def keygen(
    name: str,
    folder: str | os.PathLike[str],
    *,
    algorithm: Literal["rsa-2048", "rsa-3072", "p256", "ed25519"] = "rsa-2048",
) -> str:
    """Makes a key pair, as ``synclave keygen`` does.

    Returns:
        The public key as the text that goes into ``service.yaml``.

    Raises:
        InputError: If there are such files already.
    """
    options = ["--key-name", name, "--output", os.fspath(folder), "--algorithm", algorithm]
    return str(_tools.command("keygen", *options)["public_key_text"])


class Simulation:
    """A room on this machine, for tutorials and tests: `simulated_room` gives it.

    All is as it is in an enclave, but that no hardware vouches for it: whoever can read this
    process's memory can read the tables. Give it no table that another party must not see.
    """

    def __init__(self, native: _native.SimulatedRoom, folder: Path) -> None:
        self._native = native
        self._folder = folder

    @property
    def url(self) -> str:
        """Where it is reached."""
        return self._native.url

    @property
    def agreement(self) -> str:
        """The hash of its agreement."""
        return self._native.agreement

    @property
    def measurements(self) -> Path:
        """The file with its measurements."""
        return self._folder / "measurements.json"

    @property
    def root(self) -> Path:
        """The file with the root of its evidence, which nobody else should trust."""
        return self._folder / "root.pem"

    def connect(self, keys: str | os.PathLike[str]) -> Room:
        """Connects to it as the holder of keys, with its own root and measurements."""
        return connect(
            self.url,
            keys=keys,
            measurements=self.measurements,
            agreement=self.agreement,
            dangerous_root=self.root,
        )


@contextmanager
def simulated_room(folder: str | os.PathLike[str]) -> Generator[Simulation]:
    """Runs a room in this process, with ``service.yaml`` and ``runtime.yaml`` of a folder.

    ```python
    with synclave.simulated_room("room/") as enclave:
        alice = enclave.connect("keys/alice")
    ```

    Raises:
        InputError: If the two files are not an agreement that a room would accept.
    """
    native = _native.SimulatedRoom.start(os.fspath(folder))
    own = Path(tempfile.mkdtemp(prefix="synclave-room-"))
    try:
        (own / "root.pem").write_text(native.root_pem, encoding="utf-8")
        (own / "measurements.json").write_text(native.measurements, encoding="utf-8")
        yield Simulation(native, own)
    finally:
        native.stop()
        shutil.rmtree(own, ignore_errors=True)


def _as_parquet(held: Any) -> tuple[bytes, list[str]]:
    """The file of a frame, as a fit would read that, and what is left out of it."""
    import pyarrow.parquet as pq

    # Without what pandas notes about its index.
    table = pa.table(held).replace_schema_metadata(None)
    left_out = _native.unsupported_columns(table.slice(0, 0))
    notes = [
        f"column `{name}` is {what}, which is not supported, and is left out"
        for name, what in left_out
    ]
    table = table.drop_columns([name for name, _ in left_out])
    for number, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type) and pa.types.is_string_view(field.type.value_type):
            # Polars' categories, which Arrow cannot write as they are.
            chunks = [_with_plain_texts(chunk) for chunk in table.column(number).chunks]
            texts: Any = pa.chunked_array(chunks) if chunks else pa.nulls(0, pa.string())
            table = table.set_column(number, field.name, texts)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue(), notes


def _with_plain_texts(categories: Any) -> Any:
    texts = categories.dictionary.cast(pa.string())
    return pa.DictionaryArray.from_arrays(categories.indices, texts)
